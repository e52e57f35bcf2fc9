/// Publishes messages of one type to all subscribers of a topic.
///
/// ```swift
/// var publisher = try Publisher<Reading>(to: "readings")
/// try publisher.publish(Reading(sensor: 1, celsius: 21.5))
/// try publisher.publish { reading in reading = Reading(sensor: 2, celsius: 19) }.get()      // in place
/// ```
///
/// A topic has any number of publishers and subscribers, which come and go. Every subscriber gets all messages in one order. The topic keeps the last messages, as many as its capacity says, for
/// those who are behind and for those who come late. A new message takes the place of the oldest one: a *lossless* subscriber that has not read that one yet lets publishers wait, with a deadline; a
/// *lossy* one has missed it then, and is told. A process that is killed, at whatever instruction, holds up nobody: what it had on loan comes back, what it was publishing is there as a whole or not at all. A
/// lossy subscriber holds up nobody either way, nor does a publisher that is stopped.
///
/// One value is one peer, used by one thread at a time. When it ends, what it has published stays.
///
/// **Layout** "topic". It takes 4,096 bytes for the header, 128 for each peer and, rounded up to pages each: 512 + 8 × capacity + places × 64.125 + 128 × peers for what is where, and places × the size of a message. There
/// are capacity + peers × (``TopicOptions/maximumHeld`` + 1) places. Messages of a page (4,096 bytes) and more, and all of ``BytePublisher``, have their memory reserved as it is needed, and their places are used
/// again before others are: what is in use are at most capacity places and those that are on loan or held at once. (A table of more than 256 peers needs 64 bytes more for each place, and again for each 512.)
/// **Memory order** `SYNC log.publish`: what the publisher did before it published, the subscribers see.
/// **Death** Killed before the exchange in the log, nothing of the message has happened; after it, all subscribers get the whole message.
/// **Progress** lock-free; waits block in a futex, for lossless subscribers only. No system call unless somebody sleeps.
/// **Source** decision record 0009.
@frozen
public struct Publisher<Element: Shareable>: ~Copyable, @unchecked Sendable {
    @usableFromInline var core: PublisherCore
    /// How calls that block wait.
    public var strategy: WaitStrategy

    /// Opens the topic `name` to publish; makes it if there is none.
    ///
    /// - Parameter capacity: how many messages it keeps, 1 to 65,536, rounded up to a power of two. An existing topic must keep as many; nil accepts any, and makes one that keeps 256.
    /// - Throws: ``InterprocessError`` as ``Sender/init(to:capacity:options:strategy:)``, with `busy` only for too many peers; `sizeMismatch` also if it was made for fewer messages held at once.
    public init(to name: ObjectName, capacity: Int? = nil, options: TopicOptions = TopicOptions(), strategy: WaitStrategy = .adaptive)
        throws(InterprocessError)
    {
        let element = ElementDescription(of: Element.self)
        core = try PublisherCore(try TopicCore(name, element, size: element.size, capacity: capacity, options), name)
        self.strategy = strategy
    }

    deinit { core.close() }

    /// Ends this publisher: loans that are out can still be given back, and not published. Also done when the value ends.
    public consuming func close() {}

    /// How many messages the topic keeps.
    public var capacity: Int { core.topic.shape.entries }

    /// The segment that the topic lives in, with its peers and their deaths.
    public var segment: Segment { core.topic.segment }

    /// Says, for all publishers, that no more will come: they get `closed`, subscribers nil once they have received what there is. For good. What is published at the same moment may
    /// come or not.
    public func finish() { core.topic.finish() }

    /// Whether somebody has called ``finish()``.
    public var isFinished: Bool { core.topic.isFinished }

    /// Who publishes and subscribes now, and how far they are, and what is in use. O(peers + places).
    public var statistics: TopicStatistics { TopicStatistics(core.topic.words) }

    /// Publishes `message`; waits while a lossless subscriber has not read the message whose place it takes, or until `deadline`. O(1), and O(peers) once for as many messages as the topic keeps.
    ///
    /// - Throws: ``PublishError`` with the message: `deadline`, `closed`, `noSpace`, `detached`, `damaged`.
    @inlinable
    public mutating func publish(_ message: Element, until deadline: Deadline = .never) throws(PublishError<Element>) {
        if let place = unsafe core.quickPlace() {
            unsafe place.storeBytes(of: message, as: Element.self)
            core.publishQuickly()
            return
        }
        switch core.claim(MemoryLayout<Element>.size, strategy, until: deadline) {
        case .failed(let failure): throw PublishError(failure, message)
        case .chunk(let claim):
            unsafe core.bytes(claim).storeBytes(of: message, as: Element.self)
            if let failure = core.publish(claim, strategy, until: deadline) {
                core.keep(claim)
                throw PublishError(failure, message)
            }
        }
    }

    /// Publishes `message` if no lossless subscriber is in the way. O(1) as ``publish(_:until:)``, never blocks.
    ///
    /// - Throws: ``PublishError`` with the message: `full`, or what ``publish(_:until:)`` throws.
    @inlinable
    public mutating func tryPublish(_ message: Element) throws(PublishError<Element>) { try publish(message, until: .now) }

    /// Lets `body` change a message where subscribers will read it, and publishes it; nothing is copied. Waits as ``publish(_:until:)`` does, after `body`.
    ///
    /// The message begins with the bytes of an earlier one, or zeroes: set every field. If `body` throws, nothing is published, and the error comes out of the result.
    ///
    /// - Throws: ``PublishError`` as ``publish(_:until:)``; then what `body` has written is lost.
    @inlinable
    public mutating func publish<R, E: Error>(
        until deadline: Deadline = .never, _ body: (inout Element) throws(E) -> R
    ) throws(PublishError<Void>) -> Result<R, E> {
        switch core.claim(MemoryLayout<Element>.size, strategy, until: deadline) {
        case .failed(let failure): throw PublishError(failure, ())
        case .chunk(let claim):
            let result: R
            do throws(E) {
                result = try unsafe body(&core.bytes(claim).assumingMemoryBound(to: Element.self).pointee)
            } catch {
                core.keep(claim)
                return .failure(error)
            }
            if let failure = core.publish(claim, strategy, until: deadline) {
                core.keep(claim)
                throw PublishError(failure, ())
            }
            return .success(result)
        }
    }

    /// A message to be written where subscribers will read it, and then published by ``publish(_:until:)-(Loan<Element>,_)``, or given back when it ends. O(1); waits only where many publishers search for
    /// a place at the same moment, or until `deadline`.
    ///
    /// - Throws: ``PublishError`` `deadline`; `tooManyLoans` beyond ``TopicOptions/maximumHeld``, `noSpace`, `detached`, `damaged`.
    @inlinable
    public mutating func loan(until deadline: Deadline = .never) throws(PublishError<Void>) -> Loan<Element> {
        if let lent = unsafe core.lendQuickly() { return unsafe Loan(core.topic, lent.claim, lent.bytes) }
        let claim = try core.loan(MemoryLayout<Element>.size, strategy, until: deadline)
        return unsafe Loan(core.topic, claim, core.bytes(claim))
    }

    /// Publishes a message that was written in its place; waits as ``publish(_:until:)`` does. If it throws, the loan is as it was.
    ///
    /// - Parameter loan: of this publisher, and not published yet, which are preconditions.
    /// - Throws: ``PublishError``: `deadline`, `closed`, `detached`, `damaged`; with a deadline of `.now` `full`.
    @inlinable
    public mutating func publish(_ loan: inout Loan<Element>, until deadline: Deadline = .never) throws(PublishError<Void>) {
        if unsafe loan.bytes != nil, core.publishLoanQuickly(loan.claim) {
            unsafe loan.bytes = nil
            return
        }
        unsafe core.check(loan.claim, of: loan.topic, isPublished: loan.bytes == nil)
        try core.publishLoan(loan.claim, strategy, until: deadline)
        unsafe loan.bytes = nil
    }
}
