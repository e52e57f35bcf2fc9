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
@frozen
public struct Loan<Element: Shareable>: ~Copyable, @unchecked Sendable {
    /// Nil if the claim has a place of its own.
    @usableFromInline let topic: TopicCore?
    @usableFromInline let claim: ChunkClaim
    /// Nil once it is published.
    @usableFromInline var bytes: UnsafeMutableRawPointer?

    @inlinable @inline(__always)
    init(_ topic: TopicCore, _ claim: ChunkClaim, _ bytes: UnsafeMutableRawPointer) {
        self.topic = claim.place == nil ? topic : nil
        self.claim = claim
        unsafe self.bytes = unsafe bytes
    }

    @inlinable
    deinit {
        if let topic { unsafe topic.endLoan(claim, isPublished: bytes == nil) } else if unsafe bytes != nil { claim.place?.end() }
    }

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
    /// Nil if the claim has a place of its own.
    let topic: TopicCore?
    let claim: ChunkClaim
    private let bytes: UnsafeMutableRawPointer
    var isPublished = false
    /// Bytes that were asked for.
    public let capacity: Int
    /// Bytes that will be published, from 0 up to ``capacity``: at first all.
    public var byteCount: Int {
        didSet { precondition((0...capacity).contains(byteCount), "the loan has \(capacity) bytes, not \(byteCount)") }
    }

    init(_ topic: TopicCore, _ claim: ChunkClaim, _ capacity: Int) {
        self.topic = claim.place == nil ? topic : nil
        self.claim = claim
        unsafe bytes = topic.bytes(claim.index)
        self.capacity = capacity
        byteCount = capacity
    }

    deinit { if let topic { topic.endLoan(claim, isPublished: isPublished) } else if !isPublished { claim.place?.end() } }

    /// Calls `body` with the message's bytes in their place: at first those of earlier messages, or zeroes. Not once it is published, which is a precondition.
    public mutating func withMutableBytes<R: ~Copyable, E: Error>(_ body: (inout MutableRawSpan) throws(E) -> R) throws(E) -> R {
        precondition(!isPublished, "a published message is not changed: get another loan")
        var span = unsafe MutableRawSpan(_unsafeStart: bytes, byteCount: byteCount)
        return try body(&span)
    }

    /// Gives the place back. Also done when the value ends.
    public consuming func giveBack() {}
}

/// A message that a subscriber has taken and holds where it stands, until this value ends. What the subscriber and the publishers do meanwhile does not change it.
///
/// **Death** of the process: its place is given back by a survivor.
@safe
@frozen
public struct Sample<Element: Shareable>: ~Copyable, @unchecked Sendable {
    /// Nil if the hold has a place of its own.
    @usableFromInline let topic: TopicCore?
    @usableFromInline let hold: ChunkHold

    @inlinable @inline(__always)
    init(_ topic: TopicCore, _ hold: ChunkHold) {
        self.topic = hold.place == nil ? topic : nil
        self.hold = hold
    }

    @inlinable
    deinit { if let topic { topic.endSample(hold) } else { hold.place?.end() } }

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
    /// Nil if the hold has a place of its own.
    private let topic: TopicCore?
    private let hold: ChunkHold
    /// Bytes of the message.
    public let byteCount: Int

    init(_ topic: TopicCore, _ hold: ChunkHold, _ byteCount: Int) {
        self.topic = hold.place == nil ? topic : nil
        self.hold = hold
        self.byteCount = byteCount
    }

    deinit { if let topic { topic.endSample(hold) } else { hold.place?.end() } }

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
    /// Of a topic of one publisher.
    @usableFromInline let place: HoldPlace?
}

extension TopicCore {
    @usableFromInline
    func endLoan(_ claim: ChunkClaim, isPublished: Bool) {
        if !isPublished { giveUp(claim) }
        endHolding()
    }
}
