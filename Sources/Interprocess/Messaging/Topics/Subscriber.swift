/// Receives the messages of one type of all publishers of a topic.
///
/// ```swift
/// var subscriber = try Subscriber<Reading>(to: "readings", .lossy, history: .last(10))
/// while let reading = try subscriber.receive() {                      // nil when the topic is finished
///     if subscriber.lastMissed > 0 { print("\(subscriber.lastMissed) readings are gone") }
///     print(subscriber.lastSequence, reading.celsius)
/// }
/// ```
///
/// What ``Publisher`` says of order, deaths, memory and progress holds here. One value is one peer, used by one thread at a time; when it ends, publishers do not wait for it any more.
///
/// **Memory order** `SYNC topic.space`, `SYNC chunk.readers`, `SYNC log.copy`.
/// **Death** of a subscriber: publishers do not wait for it any more, and what it held is given back, by a survivor. What it had received and not dealt with is lost for it: each subscriber stands for itself.
/// **Progress** a lossless one never waits for anybody but for a message. A lossy one is lock-free; one that is overtaken while it looks begins further on, so that it gets
/// messages also when they come faster than it can read.
@frozen
public struct Subscriber<Element: Shareable>: ~Copyable, @unchecked Sendable {
    @usableFromInline var core: SubscriberCore
    /// How calls that block wait.
    public var strategy: WaitStrategy

    /// Opens the topic `name` to receive what is published; makes it if there is none.
    ///
    /// - Parameters:
    ///   - history: with which message to begin.
    ///   - capacity: as of a ``Publisher``.
    /// - Throws: ``InterprocessError`` as ``Publisher/init(to:capacity:options:strategy:)``.
    public init(
        to name: ObjectName, _ mode: SubscriptionMode = .lossless, history: TopicHistory = .none, capacity: Int? = nil,
        options: TopicOptions = TopicOptions(), strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        let element = ElementDescription(of: Element.self)
        let topic = try TopicCore(name, element, size: element.size, capacity: capacity, options)
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

    /// The segment that the topic lives in, with its peers and their deaths.
    public var segment: Segment { core.topic.segment }

    /// The number of the next message that it comes to; a lossy subscriber may get one with a higher number. The first message of a topic has number 0.
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

    /// Receives the next message; waits until there is one, or until `deadline`. Nil when the topic is finished and nothing is left. O(1).
    ///
    /// - Throws: ``SubscriptionError`` `deadline`, `detached`, `damaged`.
    @inlinable
    public mutating func receive(until deadline: Deadline = .never) throws(SubscriptionError) -> Element? {
        if let place = unsafe core.quickPlace() {
            let message = unsafe place.load(as: Element.self)
            core.advance()
            return message
        }
        while true {
            guard let place = try core.next(strategy, until: deadline) else { return nil }
            if let message = copy(place) { return message }
        }
    }

    /// Receives the next message if there is one now; nil if not. O(1), never blocks.
    ///
    /// - Throws: ``SubscriptionError`` `closed` when the topic is finished and nothing is left; `detached`, `damaged`.
    @inlinable
    public mutating func tryReceive() throws(SubscriptionError) -> Element? {
        while let place = try core.tryNext() { if let message = copy(place) { return message } }
        return nil
    }

    /// Nil: it was gone before it was copied.
    @inlinable @inline(__always)
    mutating func copy(_ place: SubscriberCore.Place) -> Element? {
        // A large one is held meanwhile: its copy would take so long that it might always be too late.
        let isLarge = MemoryLayout<Element>.size > 512
        if isLarge, !core.borrow(place) { return nil }
        let message = unsafe place.bytes.load(as: Element.self)
        if isLarge {
            core.endBorrowing(place)
        } else if !core.wasThere(place) {
            return nil
        }
        core.advance()
        return message
    }

    /// Lets `body` read the next message where it stands; waits until there is one, or until `deadline`. Nil when the topic is finished and nothing is left.
    ///
    /// Publishers wait for a lossless subscriber until `body` has returned. If `body` throws, the message comes again, and the error comes out of the result.
    ///
    /// - Throws: ``SubscriptionError`` `deadline`, `detached`, `damaged`.
    @inlinable
    public mutating func receive<R, E: Error>(
        until deadline: Deadline = .never, _ body: (borrowing Element) throws(E) -> R
    ) throws(SubscriptionError) -> Result<R, E>? {
        while true {
            guard let place = try core.next(strategy, until: deadline) else { return nil }
            guard core.borrow(place) else { continue }
            do throws(E) {
                let result = try unsafe body(place.bytes.assumingMemoryBound(to: Element.self).pointee)
                core.endBorrowing(place)
                core.advance()
                return .success(result)
            } catch {
                core.endBorrowing(place)
                return .failure(error)
            }
        }
    }

    /// Takes the next message, which stays where it stands until the sample ends, while the subscriber goes on; waits until there is one, or until `deadline`. Nil when the topic is finished and nothing is
    /// left. O(1). Publishers do not wait for samples.
    ///
    /// - Throws: ``SubscriptionError`` `tooManySamples` beyond ``TopicOptions/maximumHeld``, `deadline`, `detached`, `damaged`.
    @inlinable
    public mutating func take(until deadline: Deadline = .never) throws(SubscriptionError) -> Sample<Element>? {
        if let hold = core.takeQuickly() { return Sample(core.topic, hold) }
        guard let hold = try core.take(strategy, until: deadline) else { return nil }
        return Sample(core.topic, hold)
    }

    /// Takes the next message if there is one now; nil if not. O(1), never blocks.
    ///
    /// - Throws: ``SubscriptionError`` `closed` when the topic is finished and nothing is left; `tooManySamples`, `detached`, `damaged`.
    @inlinable
    public mutating func tryTake() throws(SubscriptionError) -> Sample<Element>? {
        guard let hold = try core.tryTake() else { return nil }
        return Sample(core.topic, hold)
    }
}
