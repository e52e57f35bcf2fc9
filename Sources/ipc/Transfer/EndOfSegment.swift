import Interprocess
import Synchronization

/// What happens to a queue's name when the process is ended by a signal: nothing is left behind that nobody can use.
final class EndOfSegment: Sendable {
    private let state = Mutex<(segment: Segment, keepsMessages: Bool)?>(nil)

    /// - Parameter keepsMessages: whether the queue stays if it holds messages.
    func set(_ segment: Segment, keepsMessages: Bool) { state.withLock { $0 = (segment, keepsMessages) } }

    func run() {
        guard let (segment, keepsMessages) = state.withLock({ $0 }) else { return }
        if keepsMessages { segment.removeNameIfLast() } else { _ = segment.removeNameIfAlone() }
    }
}
