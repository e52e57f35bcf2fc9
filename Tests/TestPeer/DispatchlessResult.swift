import Synchronization

/// A number that one thread sets and another polls; negative until then.
final class DispatchlessResult: Sendable {
    private let number = Atomic<Int>(-1)
    var value: Int { number.load(ordering: .acquiring) }
    func set(_ value: Int) { number.store(value, ordering: .releasing) }
}
