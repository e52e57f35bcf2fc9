/// Receives the messages of bytes of all publishers of a topic.
///
/// ```swift
/// var subscriber = try ByteSubscriber(to: "frames", .lossy)
/// while let found = try subscriber.receive({ bytes in detect(in: bytes) })?.get() { … }       // in place
/// ```
///
/// Everything that ``Subscriber`` says of order, deaths, gaps and progress holds here.
public struct ByteSubscriber: ~Copyable, @unchecked Sendable {
    var core: SubscriberCore
    /// How calls that block wait.
    public var strategy: WaitStrategy

    /// Opens the topic `name` to receive what is published; makes it if there is none. Parameters and errors are those of
    /// ``Subscriber/init(to:_:history:capacity:options:strategy:)`` and ``BytePublisher/init(to:capacity:maximumMessageSize:options:strategy:)``.
    public init(
        to name: ObjectName, _ mode: SubscriptionMode = .lossless, history: TopicHistory = .none, capacity: Int? = nil,
        maximumMessageSize: Int = BytePublisher.defaultMaximumMessageSize, options: TopicOptions = TopicOptions(),
        strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        let topic = try TopicCore(name, .bytes, size: maximumMessageSize, capacity: capacity, options)
        core = try SubscriberCore(joining: topic, mode, history, name)
        self.strategy = strategy
    }

    deinit { core.close() }

    /// Ends the subscription: publishers do not wait for it any more. Samples that are out stay whole. Also done when the value ends.
    public consuming func close() {}

    /// What it is to the publishers.
    public var mode: SubscriptionMode { core.mode }

    /// How many messages the topic keeps.
    public var capacity: Int { core.topic.shape.entries }

    /// The largest message, in bytes.
    public var maximumMessageSize: Int { core.topic.shape.messageSize }

    /// The segment that the topic lives in, with its peers and their deaths.
    public var segment: Segment { core.topic.segment }

    /// The number of the next message that it comes to; as ``Subscriber/nextSequence``.
    public var nextSequence: UInt64 { core.nextSequence }

    /// The number of the last message that it has received; nil before the first.
    public var lastSequence: UInt64? { core.lastSequence }

    /// How many messages were gone between the last one that it has received and the one before that. Always 0 of a lossless one.
    public var lastMissed: UInt64 { core.lastMissed }

    /// How many messages were gone in all before it came to them.
    public var missed: UInt64 { core.missed }

    /// Whether somebody has finished the topic.
    public var isFinished: Bool { core.topic.isFinished }

    /// Who publishes and subscribes now, and how far they are, and what is in use. O(peers + places).
    public var statistics: TopicStatistics { TopicStatistics(core.topic.words) }

    /// Begins anew with the message that `history` says, as if it had just joined: what was not received before that is not counted as missed. O(peers) for publishers, once.
    ///
    /// - Throws: ``SubscriptionError`` `detached`, `damaged`.
    public mutating func rejoin(history: TopicHistory) throws(SubscriptionError) { try core.rejoin(history) }

    /// Lets `body` read the next message where it stands; waits until there is one, or until `deadline`. Nil when the topic is finished and nothing is left.
    ///
    /// Publishers wait for a lossless subscriber until `body` has returned. If `body` throws, the message comes again, and the error comes out of the result.
    ///
    /// - Throws: ``SubscriptionError`` `deadline`, `detached`, `damaged`.
    public mutating func receive<R, E: Error>(
        until deadline: Deadline = .never, _ body: (RawSpan) throws(E) -> R
    ) throws(SubscriptionError) -> Result<R, E>? {
        while true {
            guard let place = try core.next(strategy, until: deadline) else { return nil }
            if let result = try read(place, body) { return result }
        }
    }

    /// Lets `body` read the next message if there is one now; nil if not. Never blocks.
    ///
    /// - Throws: ``SubscriptionError`` `closed` when the topic is finished and nothing is left; `detached`, `damaged`.
    public mutating func tryReceive<R, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(SubscriptionError) -> Result<R, E>? {
        while let place = try core.tryNext() { if let result = try read(place, body) { return result } }
        return nil
    }

    /// Receives a copy of the next message; waits until there is one, or until `deadline`. Nil when the topic is finished and nothing is left. O(bytes).
    ///
    /// - Throws: ``SubscriptionError`` `deadline`, `detached`, `damaged`.
    public mutating func receive(until deadline: Deadline = .never) throws(SubscriptionError) -> [UInt8]? {
        try receive(until: deadline, copyOf)?.get()
    }

    /// As ``receive(until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``SubscriptionError`` `cancelled`, or what the blocking form throws.
    public mutating func receive(until deadline: Deadline = .never) async throws(SubscriptionError) -> [UInt8]? {
        while true {
            guard let place = try await core.next(until: deadline) else { return nil }
            if let result = try read(place, copyOf) { return result.get() }
        }
    }

    /// Takes the next message, which stays where it stands until the sample ends; as ``Subscriber/take(until:)``.
    ///
    /// - Throws: ``SubscriptionError`` as ``Subscriber/take(until:)``.
    public mutating func take(until deadline: Deadline = .never) throws(SubscriptionError) -> ByteSample? {
        guard let hold = try core.take(strategy, until: deadline) else { return nil }
        return try sample(hold)
    }

    /// As ``take(until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``SubscriptionError`` `cancelled`, or what the blocking form throws.
    public mutating func take(until deadline: Deadline = .never) async throws(SubscriptionError) -> ByteSample? {
        guard let hold = try await core.take(until: deadline) else { return nil }
        return try sample(hold)
    }

    /// Copies of the messages as a sequence, which takes the subscriber over; as ``Subscriber/messages()``.
    public consuming func messages() -> some AsyncSequence<TopicMessage<[UInt8]>, SubscriptionError> { MessageSequence(self) }

    private func sample(_ hold: ChunkHold) throws(SubscriptionError) -> ByteSample {
        let size: Int
        do throws(SubscriptionError) {
            size = try self.size(hold.chunk)
        } catch {
            core.topic.endSample(hold)
            throw error
        }
        return ByteSample(core.topic, hold, size)
    }

    /// Read once, and compared with the chunk's size.
    private func size(_ chunk: Int) throws(SubscriptionError) -> Int {
        let size = core.topic.chunks.length(chunk).loadRelaxed()
        guard size <= UInt64(maximumMessageSize) else { throw .damaged("length") }
        return Int(size)
    }

    /// Nil: it was gone before it could be held.
    private mutating func read<R, E: Error>(_ place: SubscriberCore.Place, _ body: (RawSpan) throws(E) -> R) throws(SubscriptionError)
        -> Result<R, E>?
    {
        guard core.borrow(place) else { return nil }
        let count: Int
        do throws(SubscriptionError) {
            count = try size(place.chunk)
        } catch {
            core.endBorrowing(place)
            // It would come again and again.
            core.advance()
            throw error
        }
        do throws(E) {
            let result = try body(unsafe RawSpan(_unsafeStart: place.bytes, byteCount: count))
            core.endBorrowing(place)
            core.advance()
            return .success(result)
        } catch {
            core.endBorrowing(place)
            return .failure(error)
        }
    }
}
