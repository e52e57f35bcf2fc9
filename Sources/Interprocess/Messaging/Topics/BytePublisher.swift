import InterprocessSystem

/// Publishes messages of bytes to all subscribers of a topic: any size up to the topic's largest, boundaries kept.
///
/// ```swift
/// var publisher = try BytePublisher(to: "frames", capacity: 16, maximumMessageSize: 8 << 20)
/// try publisher.publish(upTo: frame.size) { bytes in camera.read(into: &bytes) }.get()      // in place
/// ```
///
/// Everything that ``Publisher`` says of order, deaths, memory and progress holds here.
public struct BytePublisher: ~Copyable, @unchecked Sendable {
    var core: PublisherCore
    /// How calls that block wait.
    public var strategy: WaitStrategy

    /// Bytes of the largest message if nothing is said.
    public static let defaultMaximumMessageSize = 1 << 20

    /// Opens the topic `name` to publish; makes it if there is none.
    ///
    /// - Parameters:
    ///   - capacity: how many messages it keeps, 1 to 65,536, rounded up to a power of two. An existing topic must keep as many; nil accepts any, and makes one that keeps 256.
    ///   - maximumMessageSize: bytes of the largest message. An existing topic must take as large ones.
    /// - Throws: ``InterprocessError`` as ``Publisher/init(to:capacity:options:strategy:)``.
    public init(
        to name: ObjectName, capacity: Int? = nil, maximumMessageSize: Int = BytePublisher.defaultMaximumMessageSize,
        options: TopicOptions = TopicOptions(), strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        core = try PublisherCore(try TopicCore(name, .bytes, size: maximumMessageSize, capacity: capacity, options), name)
        self.strategy = strategy
    }

    deinit { core.close() }

    /// Ends this publisher: loans that are out can still be given back, and not published. Also done when the value ends.
    public consuming func close() {}

    /// How many messages the topic keeps.
    public var capacity: Int { core.topic.shape.entries }

    /// The largest message, in bytes: what was asked for, rounded up to pages.
    public var maximumMessageSize: Int { core.topic.shape.messageSize }

    /// The segment that the topic lives in, with its peers and their deaths.
    public var segment: Segment { core.topic.segment }

    /// Says, for all publishers, that no more will come; as ``Publisher/finish()``.
    public func finish() { core.topic.finish() }

    /// Whether somebody has called ``finish()``.
    public var isFinished: Bool { core.topic.isFinished }

    /// Who publishes and subscribes now, and how far they are, and what is in use. O(peers + places).
    public var statistics: TopicStatistics { TopicStatistics(core.topic.words) }

    /// Publishes a copy of `bytes` as one message; waits while a lossless subscriber has not read the message whose place it takes, or until `deadline`. O(bytes).
    ///
    /// - Throws: ``PublishError``: `tooLarge`, or what ``Publisher/publish(_:until:)`` throws.
    public mutating func publish(_ bytes: RawSpan, until deadline: Deadline = .never) throws(PublishError<Void>) {
        try checkSize(bytes.byteCount)
        let claim = try got(core.claim(bytes.byteCount, strategy, until: deadline))
        unsafe copyInPieces(bytes, to: core.bytes(claim))
        try finish(claim, bytes.byteCount, until: deadline)
    }

    /// Publishes a copy of `bytes` as ``publish(_:until:)-(RawSpan,_)`` does.
    public mutating func publish(_ bytes: [UInt8], until deadline: Deadline = .never) throws(PublishError<Void>) {
        try unsafe publish(bytes.span.bytes, until: deadline)
    }

    /// As ``publish(_:until:)-([UInt8],_)``, and suspends instead of blocking.
    ///
    /// - Throws: ``PublishError``: `cancelled`, or what the blocking form throws.
    public mutating func publish(_ bytes: [UInt8], until deadline: Deadline = .never) async throws(PublishError<Void>) {
        try checkSize(bytes.count)
        let claim = try got(await core.claim(bytes.count, until: deadline))
        unsafe copyInPieces(bytes.span.bytes, to: core.bytes(claim))
        core.topic.chunks.length(claim.index).storeRelaxed(UInt64(bytes.count))
        guard let failure = await core.publish(claim, until: deadline) else { return }
        core.keep(claim)
        throw PublishError(failure, ())
    }

    /// Publishes a copy of `bytes` if no lossless subscriber is in the way. O(bytes), never blocks.
    ///
    /// - Throws: ``PublishError``: `full`, or what ``publish(_:until:)-(RawSpan,_)`` throws.
    public mutating func tryPublish(_ bytes: RawSpan) throws(PublishError<Void>) { try publish(bytes, until: .now) }

    /// Lets `body` write a message of at most `byteCount` bytes where subscribers will read it, and publishes what it has written. Nothing is copied. Waits as ``publish(_:until:)-(RawSpan,_)`` does, after `body`.
    ///
    /// If `body` throws, nothing is published, and the error comes out of the result.
    ///
    /// - Throws: ``PublishError`` as ``publish(_:until:)-(RawSpan,_)``; then what `body` has written is lost.
    public mutating func publish<R, E: Error>(
        upTo byteCount: Int, until deadline: Deadline = .never, _ body: (inout OutputRawSpan) throws(E) -> R
    ) throws(PublishError<Void>) -> Result<R, E> {
        try checkSize(byteCount)
        let claim = try got(core.claim(byteCount, strategy, until: deadline))
        let buffer = unsafe UnsafeMutableRawBufferPointer(start: core.bytes(claim), count: byteCount)
        var span = unsafe OutputRawSpan(buffer: buffer, initializedCount: 0)
        let result: R
        do throws(E) {
            result = try body(&span)
        } catch {
            core.keep(claim)
            return .failure(error)
        }
        try finish(claim, unsafe span.finalize(for: buffer), until: deadline)
        return .success(result)
    }

    /// A message of at most `byteCount` bytes to be written where subscribers will read it; as ``Publisher/loan(until:)``.
    ///
    /// - Throws: ``PublishError`` `tooLarge`, `tooManyLoans`, `noSpace`, `detached`, `damaged`.
    public mutating func loan(upTo byteCount: Int, until deadline: Deadline = .never) throws(PublishError<Void>) -> ByteLoan {
        try checkSize(byteCount)
        return ByteLoan(core.topic, try core.loan(byteCount, strategy, until: deadline), byteCount)
    }

    /// Publishes a message that was written in its place; as ``Publisher/publish(_:until:)-(Loan<Element>,_)``.
    public mutating func publish(_ loan: inout ByteLoan, until deadline: Deadline = .never) throws(PublishError<Void>) {
        prepare(loan)
        try core.publishLoan(loan.claim, strategy, until: deadline)
        loan.isPublished = true
    }

    /// Checks that the loan is one to be published, and says how long the message is.
    func prepare(_ loan: borrowing ByteLoan) {
        core.check(loan.claim, of: loan.topic, isPublished: loan.isPublished)
        core.topic.chunks.length(loan.claim.index).storeRelaxed(UInt64(loan.byteCount))
    }

    func checkSize(_ size: Int) throws(PublishError<Void>) {
        precondition(size >= 0, "the size of a message is not negative")
        guard size <= maximumMessageSize else { throw PublishError(.tooLarge(limit: maximumMessageSize), ()) }
    }

    private func got(_ claiming: PublisherCore.Claiming) throws(PublishError<Void>) -> ChunkClaim {
        switch claiming {
        case .chunk(let claim): return claim
        case .failed(let failure): throw PublishError(failure, ())
        }
    }

    private mutating func finish(_ claim: ChunkClaim, _ size: Int, until deadline: Deadline) throws(PublishError<Void>) {
        core.topic.chunks.length(claim.index).storeRelaxed(UInt64(size))
        if let failure = core.publish(claim, strategy, until: deadline) {
            core.keep(claim)
            throw PublishError(failure, ())
        }
    }
}
