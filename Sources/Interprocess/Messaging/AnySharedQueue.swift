import InterprocessSystem

/// What a shared queue of values (``SharedQueue``) and one of bytes (``SharedByteQueue``) have in common.
public class AnySharedQueue: @unchecked Sendable {
    @usableFromInline let core: SharedQueueCore
    /// How calls that block wait.
    public let strategy: WaitStrategy

    init(_ core: SharedQueueCore, _ strategy: WaitStrategy) {
        self.core = core
        self.strategy = strategy
    }

    /// How many messages it takes.
    public var capacity: Int { core.shape.slots }

    /// How many priorities there are.
    public var priorities: Int { core.shape.priorities }

    /// What happens to a message that finds the queue full.
    public var overflow: QueueOverflow { core.shape.overflow }

    /// The segment that it lives in, with its peers and their deaths.
    public var segment: Segment { core.segment }

    /// Says that no more will come: senders get `closed`, receivers nil once they have received what there is. For good. What is sent at the same moment may be left in
    /// the queue, and so may what a receiver had taken and gives back afterwards: whoever receives again gets it.
    public func finish() { core.finishSending() }

    /// Whether somebody has called ``finish()``.
    public var isFinished: Bool { core.words.finished.loadAcquire() != 0 }

    /// Ends receiving through this value: its calls that wait for a message, and later ones, get nil, as at the end of the queue. What is in the queue stays for others.
    public func stopReceiving() { core.stopReceiving() }

    /// Whether a message waits, or may come back from a receiver that has died and is not repaired yet. O(capacity).
    var holdsSomethingForReceivers: Bool {
        for _ in 0..<1000 {
            if core.waiting > 0 { return true }
            // A dead peer's messages come back with its repair, which some keeper is at.
            if core.segment.peers.allSatisfy(\.isAlive) { return core.waiting > 0 }
            sleepThread(for: .milliseconds(1))
        }
        return core.waiting > 0
    }

    /// How many messages are in it, and in which state. O(capacity). May have changed when it is read.
    public var statistics: SharedQueueStatistics { SharedQueueStatistics(core.words, peers: core.table.count) }

    @usableFromInline
    func check(_ priority: Int) {
        precondition((0..<core.shape.priorities).contains(priority), "priority \(priority): the queue has \(core.shape.priorities)")
    }

    /// Nil at the end of the queue.
    @inlinable @inline(__always)
    func received(_ taking: SharedQueueCore.Taking) throws(ReceiveError) -> SharedQueueCore.Taken? {
        switch taking {
        case .message(let taken): return taken
        case .finished: return nil
        case .failed(let failure): throw failure
        }
    }
}

/// What is in a shared queue.
public struct SharedQueueStatistics: Sendable, Equatable {
    /// Messages that nobody has taken.
    public let waiting: Int
    /// Messages that receivers have taken and not acknowledged.
    public let taken: Int
    /// Messages that were delivered too often.
    public let deadLetters: Int
    /// Messages that the queue has dropped since it was made.
    public let dropped: UInt64

    init(_ words: SharedQueueWords, peers: Int) {
        let slots = words.slots
        waiting = words.waiting
        taken = (0..<slots.count).count { slots.current($0).kind == .taken }
        deadLetters = (0..<slots.count).count { slots.current($0).kind == .deadLetter }
        dropped = (0..<peers).reduce(0) { $0 &+ words.drops($1).newest.loadAcquire() &+ words.drops($1).oldest.loadAcquire() }
    }
}
