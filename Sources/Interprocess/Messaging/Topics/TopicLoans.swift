/// A message that this process writes where subscribers will read it. Published by ``Publisher/publish(_:until:)-(Loan<Element>,_)``; given back when it ends without that.
///
/// ```swift
/// var loan = try publisher.loan()
/// loan.message.celsius = 21.5
/// try publisher.publish(&loan)
/// ```
///
/// **Death** of the process: it comes back, unless it was published.
@safe
public struct Loan<Element: Shareable>: ~Copyable, @unchecked Sendable {
    @usableFromInline let topic: TopicCore
    @usableFromInline let claim: ChunkClaim
    /// Nil once it is published.
    @usableFromInline var bytes: UnsafeMutableRawPointer?

    @usableFromInline init(_ topic: TopicCore, _ claim: ChunkClaim) {
        (self.topic, self.claim) = (topic, claim)
        unsafe bytes = topic.bytes(claim.index)
    }

    deinit { unsafe topic.endLoan(claim, isPublished: bytes == nil) }

    @unsafe @inlinable
    var place: UnsafeMutablePointer<Element> {
        guard let bytes = unsafe bytes else { preconditionFailure("a published message is not changed: get another loan") }
        return unsafe bytes.assumingMemoryBound(to: Element.self)
    }

    /// The message in its place: at first the bytes of an earlier one, or zeroes. Not to be touched once it is published, which is a precondition.
    @inlinable
    public var message: Element {
        _read { yield unsafe place.pointee }
        _modify { yield unsafe &place.pointee }
    }

    /// Gives the place back. Also done when the value ends.
    public consuming func giveBack() {}
}

/// A message of bytes that this process writes where subscribers will read it; as ``Loan``.
@safe
public struct ByteLoan: ~Copyable, @unchecked Sendable {
    let topic: TopicCore
    let claim: ChunkClaim
    var isPublished = false
    /// Bytes that were asked for.
    public let capacity: Int
    /// Bytes that will be published, from 0 up to ``capacity``: at first all.
    public var byteCount: Int {
        didSet { precondition((0...capacity).contains(byteCount), "the loan has \(capacity) bytes, not \(byteCount)") }
    }

    init(_ topic: TopicCore, _ claim: ChunkClaim, _ capacity: Int) {
        (self.topic, self.claim) = (topic, claim)
        self.capacity = capacity
        byteCount = capacity
    }

    deinit { topic.endLoan(claim, isPublished: isPublished) }

    /// Calls `body` with the message's bytes in their place: at first those of earlier messages, or zeroes. Not once it is published, which is a precondition.
    public mutating func withMutableBytes<R: ~Copyable, E: Error>(_ body: (inout MutableRawSpan) throws(E) -> R) throws(E) -> R {
        precondition(!isPublished, "a published message is not changed: get another loan")
        var span = unsafe MutableRawSpan(_unsafeStart: topic.bytes(claim.index), byteCount: byteCount)
        return try body(&span)
    }

    /// Gives the place back. Also done when the value ends.
    public consuming func giveBack() {}
}

/// A message that a subscriber has taken and holds where it stands, until this value ends. What the subscriber and the publishers do meanwhile does not change it.
///
/// **Death** of the process: its place is given back by a survivor.
@safe
public struct Sample<Element: Shareable>: ~Copyable, @unchecked Sendable {
    private let topic: TopicCore
    @usableFromInline let hold: ChunkHold

    @usableFromInline init(_ topic: TopicCore, _ hold: ChunkHold) { (self.topic, self.hold) = (topic, hold) }

    deinit { topic.endSample(hold) }

    /// The message, where it stands.
    @inlinable
    public var message: Element { _read { yield unsafe hold.bytes.assumingMemoryBound(to: Element.self).pointee } }

    /// Its number: the first message of a topic has number 0.
    public var sequence: UInt64 { hold.sequence }

    /// How many messages before it this subscriber has missed since the one that it received before.
    public var missed: UInt64 { hold.missed }

    /// Lets go of the message. Also done when the value ends.
    public consuming func release() {}
}

/// A message of bytes that a subscriber has taken; as ``Sample``.
public struct ByteSample: ~Copyable, @unchecked Sendable {
    private let topic: TopicCore
    private let hold: ChunkHold
    /// Bytes of the message.
    public let byteCount: Int

    init(_ topic: TopicCore, _ hold: ChunkHold, _ byteCount: Int) {
        (self.topic, self.hold) = (topic, hold)
        self.byteCount = byteCount
    }

    deinit { topic.endSample(hold) }

    /// Calls `body` with the message's bytes, where they stand.
    public func withBytes<R: ~Copyable, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R {
        try body(unsafe RawSpan(_unsafeStart: hold.bytes, byteCount: byteCount))
    }

    /// Its number: the first message of a topic has number 0.
    public var sequence: UInt64 { hold.sequence }

    /// How many messages before it this subscriber has missed since the one that it received before.
    public var missed: UInt64 { hold.missed }

    /// Lets go of the message. Also done when the value ends.
    public consuming func release() {}
}

/// A message that a subscriber holds.
@frozen @safe @usableFromInline
struct ChunkHold: @unchecked Sendable {
    let chunk: Int
    let sequence: UInt64
    let missed: UInt64
    @usableFromInline let bytes: UnsafeMutableRawPointer
}

extension TopicCore {
    func endLoan(_ claim: ChunkClaim, isPublished: Bool) {
        if !isPublished { giveUp(claim) }
        endHolding()
    }

    func endSample(_ hold: ChunkHold) {
        letGo(hold.chunk)
        endHolding()
    }
}
