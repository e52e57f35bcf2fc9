import Interprocess
import InterprocessSystem
import Synchronization

/// What happens to a queue's name when the process is ended by a signal: nothing is left behind that nobody can use.
final class EndOfSegment: Sendable {
    private struct State {
        /// Weak, so that the segment ends with the queue's own value and does what it does then.
        weak var segment: Segment?
        var keepsMessages = true
        /// Until ``EndOfSegment/set(_:keepsMessages:)``: it may have made the queue already.
        var isOpening = true
    }

    private let state = Mutex(State())

    /// - Parameter keepsMessages: whether the queue stays if it holds messages.
    func set(_ segment: Segment, keepsMessages: Bool) {
        state.withLock { $0 = State(segment: segment, keepsMessages: keepsMessages, isOpening: false) }
    }

    /// Waits while the queue is being opened, which takes 5 s where another process was stopped in that.
    func run() {
        let opened = MonotonicInstant.now.advanced(by: .seconds(6))
        while state.withLock({ $0.isOpening }), MonotonicInstant.now < opened { sleepThread(for: .milliseconds(1)) }
        state.withLock { state in
            guard let segment = state.segment else { return }
            if state.keepsMessages { return segment.removeNameIfLast() }
            // The other side may have got the same signal and be leaving just now.
            let patience = MonotonicInstant.now.advanced(by: .milliseconds(50))
            while !segment.removeNameIfAlone() && MonotonicInstant.now < patience { sleepThread(for: .milliseconds(1)) }
        }
    }
}
