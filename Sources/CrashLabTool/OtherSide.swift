import CrashLab
import InterprocessSystem

/// A thread of a scenario's that plays the other side, and what it came to.
final class OtherSide: Sendable {
    private let outcome = Lock<(isOver: Bool, failure: String?)>((false, nil))

    func run(_ body: () throws -> Void) {
        do {
            try body()
            outcome.withLock { $0 = (true, nil) }
        } catch {
            outcome.withLock { $0 = (true, "\(error)") }
        }
    }

    /// Throws what has gone wrong so far.
    func check() throws {
        if let failure = outcome.withLock({ $0.failure }) { throw Violation(failure) }
    }

    func wait() throws {
        while !outcome.withLock({ $0.isOver }) { sleepThread(for: .microseconds(100)) }
        try check()
    }
}
