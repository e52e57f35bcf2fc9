/// A message that this process has taken from a shared queue and has not acknowledged yet.
///
/// It comes again, to this or another receiver, if this process dies, or if this value ends without ``acknowledge()``.
public struct Delivery<Element: Shareable>: ~Copyable, Sendable {
    private let claim: DeliveryClaim

    /// The message: a copy, so that it stays the same also when the time to acknowledge it has passed, and another has its place.
    public let message: Element

    init(_ core: SharedQueueCore, _ taken: SharedQueueCore.Taken, _ message: Element) {
        claim = DeliveryClaim(core, taken)
        self.message = message
    }

    /// How often it has been delivered, this time included.
    public var count: Int { claim.taken.state.deliveries }

    /// Its number among those of its priority, from 0 on.
    public var sequence: UInt64 { claim.sequence }

    public var priority: Int { claim.taken.priority }

    /// Says that the work is done: the message does not come again. O(1), never blocks.
    ///
    /// - Throws: ``AcknowledgementError`` `tooLate` if it took longer than ``SharedQueueOptions/acknowledgeWithin``, so that another receiver may have it; `detached`.
    public consuming func acknowledge() throws(AcknowledgementError) { try claim.acknowledge() }

    /// Gives the message back: it comes again, before those that wait. Also done when the value ends.
    public consuming func giveBack() {}
}

/// A message of bytes that this process has taken from a shared queue and has not acknowledged yet; as ``Delivery``.
public struct ByteDelivery: ~Copyable, Sendable {
    private let claim: DeliveryClaim
    /// Bytes of the message.
    public let byteCount: Int

    init(_ core: SharedQueueCore, _ taken: SharedQueueCore.Taken, _ byteCount: Int) {
        claim = DeliveryClaim(core, taken)
        self.byteCount = byteCount
    }

    /// Calls `body` with the message's bytes, where they stand.
    ///
    /// When more time than ``SharedQueueOptions/acknowledgeWithin`` has passed, these may be another message's, and change while they are read: ``acknowledge()`` says so then. What must not be
    /// done with other bytes, do with a copy, or after that.
    public func withBytes<R: ~Copyable, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R {
        try body(unsafe RawSpan(_unsafeStart: claim.taken.bytes, byteCount: byteCount))
    }

    /// How often it has been delivered, this time included.
    public var count: Int { claim.taken.state.deliveries }

    /// Its number among those of its priority, from 0 on.
    public var sequence: UInt64 { claim.sequence }

    public var priority: Int { claim.taken.priority }

    /// Says that the work is done; as ``Delivery/acknowledge()``.
    ///
    /// - Throws: ``AcknowledgementError``.
    public consuming func acknowledge() throws(AcknowledgementError) { try claim.acknowledge() }

    /// Gives the message back: it comes again, before those that wait. Also done when the value ends.
    public consuming func giveBack() {}
}

/// Why an acknowledgement does not count.
public enum AcknowledgementError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Another receiver has got the message, or may get it.
    case tooLate
    /// This process was forked from the one that took the message.
    case detached

    public var description: String {
        switch self {
        case .tooLate:
            "not acknowledged: the time to acknowledge had passed, and the message comes again; allow more time (acknowledgeWithin), or make its work repeatable"
        case .detached: "not acknowledged: this process was forked from the one that took the message"
        }
    }
}

/// A taken slot, which is given back at the end unless it was acknowledged.
struct DeliveryClaim: ~Copyable, @unchecked Sendable {
    private let core: SharedQueueCore
    let taken: SharedQueueCore.Taken
    private var isAcknowledged = false

    init(_ core: SharedQueueCore, _ taken: SharedQueueCore.Taken) {
        self.core = core
        self.taken = taken
    }

    deinit { if !isAcknowledged { core.giveBack(taken) } }

    var sequence: UInt64 { core.words.ring(taken.priority).sequence(taken.ticket) }

    consuming func acknowledge() throws(AcknowledgementError) {
        isAcknowledged = true
        if !core.done(taken) { throw core.segment.attachment.isForeign ? .detached : .tooLate }
    }
}
