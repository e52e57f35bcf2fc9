import InterprocessSystem

/// Something that has happened, told from one thread to another.
final class Flag: Sendable {
    private let value = Lock(false)
    var isRaised: Bool { value.withLock { $0 } }
    func raise() { value.withLock { $0 = true } }
}
