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
    var waiting: Int {
        let returned = (0..<slots.count).count { slots.current($0).kind == .returned }
        return returned + (0..<shape.priorities).reduce(0) { $0 + ring($1).waiting(slots.isWaiting) }
    }

    /// Messages that receivers have taken and not acknowledged. O(slots).
    var beingWorkedOn: Int { (0..<slots.count).count { slots.current($0).kind == .taken } }

    var deadLetters: Int { (0..<slots.count).count { slots.current($0).kind == .deadLetter } }

    var dropped: UInt64 {
        (0..<table.count).reduce(0) { $0 &+ words.drops($1).newest.loadAcquire() &+ words.drops($1).oldest.loadAcquire() }
    }
}
