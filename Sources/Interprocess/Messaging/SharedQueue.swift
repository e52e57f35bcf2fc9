import InterprocessSystem

/// A queue from any number of senders to any number of receivers, for values of one type.
///
/// ```swift
/// let jobs = try SharedQueue<Job>(named: "jobs", capacity: 256)
/// try jobs.send(Job(number: 7))                       // any process, any thread
///
/// while let job = try jobs.receive() { work(job) }    // nil when somebody has called finish()
///
/// while let delivery = try jobs.take() {              // for work that must not be lost: what is not acknowledged comes again
///     work(delivery.message)
///     try delivery.acknowledge()
/// }
/// ```
///
/// Each message goes to one receiver. Those of one sender and one priority come in the order in which they were sent. A process that is killed or stopped holds up
/// nobody: what it had taken and not acknowledged comes again when it is dead (``SharedQueueOptions/acknowledgeWithin`` sets a time for the living), what it was
/// sending is in the queue as a whole or not at all.
///
/// One value is one peer; it may be used by any number of threads. When it ends, messages that are waiting stay.
///
/// **Layout** "shared queue". It takes 4,096 bytes for the header, 128 for each peer, and, rounded up to pages each: 512 + 64 × peers + priorities × (256 + 8 × entries) +
/// capacity × 64.125 for what is where (entries: the capacity rounded up to a power of two, 64 at least), capacity × the size of a message for the messages.
/// **Memory order** `SYNC ring.publish`, `SYNC slot.state`: what the sender did before it sent, the receiver sees.
/// **Death** of a sender: the message is there or not; of a receiver: its messages come again, at the front, with ``Delivery/count`` one higher, or are dead letters. Survivors are
/// not told by the queue; ``segment`` tells of deaths.
/// **Progress** lock-free; waits block in a futex. No system call unless somebody sleeps. No order among those who wait.
/// **Source** decision record 0007.
public final class SharedQueue<Element: Shareable>: AnySharedQueue, @unchecked Sendable {
    /// Opens the queue `name`, or makes it.
    ///
    /// - Parameter capacity: how many messages it takes, those that are being written and worked on included, 1 to 65,536. An existing queue must have as many;
    ///   nil accepts any, and makes one for 1,024.
    /// - Throws: ``InterprocessError`` as ``Sender/init(to:capacity:options:strategy:)``, with `busy` only for too many peers; `sizeMismatch` and
    ///   `overflowMismatch` also if it was made with other options.
    public init(
        named name: ObjectName, capacity: Int? = nil, options: SharedQueueOptions = SharedQueueOptions(), strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        let element = ElementDescription(of: Element.self)
        super.init(
            try SharedQueueCore(name, .init(element: element, size: element.size), capacity: capacity, options), strategy)
    }

    /// Opens the queue `name` as whoever made it has made it, whatever its capacity and options; does not make it.
    ///
    /// - Throws: ``InterprocessError``: `notFound`, or what ``init(named:capacity:options:strategy:)`` throws for an existing queue of another type.
    public init(
        existing name: ObjectName, in directory: ObjectDirectory = .user, strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        let element = ElementDescription(of: Element.self)
        let options = SharedQueueOptions(directory: directory, existence: .mustExist)
        super.init(try SharedQueueCore(name, .init(element: element, size: element.size), capacity: nil, options, asItIs: true), strategy)
    }

    /// Sends `message`; waits while the queue is full, or until `deadline`. Does what its ``QueueOverflow`` says if that is not to wait. O(1).
    ///
    /// - Parameter priority: 0, or up to the number of the queue's priorities, less one.
    /// - Throws: ``SendError`` with the message: `deadline`, `closed` after ``finish()``, `detached`, `damaged`. A queue that drops the oldest lets its sender wait only while
    ///   all that is in it is being written or worked on.
    @inlinable
    public func send(_ message: Element, priority: Int = 0, until deadline: Deadline = .never) throws(SendError<Element>) {
        try put(message, priority, core.loan(strategy, until: deadline))
    }

    /// As ``send(_:priority:until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``SendError`` with the message: `cancelled`, or what the blocking form throws.
    public func send(_ message: Element, priority: Int = 0, until deadline: Deadline = .never) async throws(SendError<Element>) {
        try put(message, priority, await core.loan(until: deadline))
    }

    /// Sends `message` if there is room now. O(1), never blocks.
    ///
    /// - Throws: ``SendError`` with the message: `full`, `closed`, `detached`, `damaged`.
    @inlinable
    public func trySend(_ message: Element, priority: Int = 0) throws(SendError<Element>) {
        try put(message, priority, core.loan(strategy, until: .now))
    }

    @inlinable @inline(__always)
    func put(_ message: Element, _ priority: Int, _ loaning: SharedQueueCore.Loaning) throws(SendError<Element>) {
        check(priority)
        switch loaning {
        case .slot(let loan):
            unsafe loan.bytes.storeBytes(of: message, as: Element.self)
            if let failure = core.publish(loan, priority: priority) { throw SendError(failure, message) }
        case .dropped: return
        case .failed(let failure): throw SendError(failure, message)
        }
    }

    /// Receives the next message; waits until there is one, or until `deadline`. Nil when the queue is finished and nothing is left. O(1).
    ///
    /// A receiver that is killed before this has returned leaves the message to another one.
    ///
    /// - Throws: ``ReceiveError`` `deadline`, `detached`, `damaged`.
    @inlinable
    public func receive(until deadline: Deadline = .never) throws(ReceiveError) -> Element? {
        while true {
            guard let taken = try received(core.take(strategy, until: deadline)) else { return nil }
            if let message = copied(taken) { return message }
        }
    }

    /// As ``receive(until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``ReceiveError`` `cancelled`, or what the blocking form throws.
    public func receive(until deadline: Deadline = .never) async throws(ReceiveError) -> Element? {
        while true {
            guard let taken = try received(await core.take(until: deadline)) else { return nil }
            if let message = copied(taken) { return message }
        }
    }

    /// Receives the next message if there is one now. O(1), never blocks.
    ///
    /// - Throws: ``ReceiveError`` `closed` when the queue is finished and nothing is left; `detached`, `damaged`.
    @inlinable
    public func tryReceive() throws(ReceiveError) -> Element? {
        while let taking = core.tryTake() {
            guard let taken = try received(taking) else { throw .closed }
            if let message = copied(taken) { return message }
        }
        return nil
    }

    /// Nil: it took so long that the message went to somebody else.
    @inlinable @inline(__always)
    func copied(_ taken: SharedQueueCore.Taken) -> Element? {
        let message = unsafe taken.bytes.load(as: Element.self)
        return core.done(taken) ? message : nil
    }

    /// Takes the next message, which stays this process's until it is acknowledged; waits until there is one, or until `deadline`. Nil when the queue is finished and
    /// nothing is left. O(1).
    ///
    /// - Throws: ``ReceiveError`` `deadline`, `detached`, `damaged`.
    public func take(until deadline: Deadline = .never) throws(ReceiveError) -> Delivery<Element>? {
        while true {
            guard let taken = try received(core.take(strategy, until: deadline)) else { return nil }
            if let message = held(taken) { return Delivery(core, taken, message) }
        }
    }

    /// As ``take(until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``ReceiveError`` `cancelled`, or what the blocking form throws.
    public func take(until deadline: Deadline = .never) async throws(ReceiveError) -> Delivery<Element>? {
        while true {
            guard let taken = try received(await core.take(until: deadline)) else { return nil }
            if let message = held(taken) { return Delivery(core, taken, message) }
        }
    }

    /// Takes the next message if there is one now. O(1), never blocks.
    ///
    /// - Throws: ``ReceiveError`` `closed` when the queue is finished and nothing is left; `detached`, `damaged`.
    public func tryTake() throws(ReceiveError) -> Delivery<Element>? {
        while let taking = core.tryTake() {
            guard let taken = try received(taking) else { throw .closed }
            if let message = held(taken) { return Delivery(core, taken, message) }
        }
        return nil
    }

    /// A copy of a message that stays this process's for now. Nil: copying took so long that it went to somebody else.
    private func held(_ taken: SharedQueueCore.Taken) -> Element? {
        let message = unsafe taken.bytes.load(as: Element.self)
        return core.stillHolds(taken) ? message : nil
    }

    /// Takes a message that was delivered as often as ``SharedQueueOptions/deliveryLimit`` allows and never acknowledged; nil if there is none. Acknowledge it to be
    /// rid of it. O(capacity), never blocks.
    public func takeDeadLetter() -> Delivery<Element>? {
        while let taken = core.takeDeadLetter() {
            if let message = held(taken) { return Delivery(core, taken, message) }
        }
        return nil
    }

    /// The messages as a sequence, received one by one; any number of tasks may go through it at once.
    public func messages() -> SharedQueueMessages<Element> { SharedQueueMessages(queue: self) }
}

/// The messages of a shared queue as an asynchronous sequence; see ``SharedQueue/messages()``.
public struct SharedQueueMessages<Element: Shareable>: AsyncSequence, Sendable {
    public typealias Failure = ReceiveError
    let queue: SharedQueue<Element>

    public func makeAsyncIterator() -> Iterator { Iterator(queue: queue) }

    public struct Iterator: AsyncIteratorProtocol {
        let queue: SharedQueue<Element>

        public mutating func next() async throws(ReceiveError) -> Element? { try await queue.receive() }
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(ReceiveError) -> Element? {
            try await queue.receive()
        }
    }
}
