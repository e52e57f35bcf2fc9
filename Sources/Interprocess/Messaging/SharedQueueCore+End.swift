import InterprocessSystem
import Synchronization

/// The end of a shared queue, and what is in it.
extension SharedQueueCore {
    /// Nothing more is sent: senders are told, and receivers when they have received everything.
    func finishSending() {
        words.finished.storeRelease(1)
        fullFence()
        items.notifyAll()
        space.notifyAll()
    }

    /// This process receives no more: calls that wait are woken, and see it.
    func stopReceiving() {
        isStopped.store(true, ordering: .sequentiallyConsistent)
        items.notifyAll()
    }

    /// Messages that nobody has taken. O(slots).
    var waiting: Int { words.waiting }
}

extension SharedQueueWords {
    /// Messages that nobody has taken. O(slots).
    var waiting: Int {
        let slots = slots
        let returned = (0..<slots.count).count { slots.current($0).kind == .returned }
        return returned + (0..<shape.priorities).reduce(0) { $0 + ring($1).waiting(slots.isWaiting) }
    }
}
