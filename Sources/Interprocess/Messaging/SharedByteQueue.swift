import InterprocessSystem
import SystemPackage

/// A queue from any number of senders to any number of receivers, for messages of bytes: any size up to the queue's largest, boundaries kept.
///
/// ```swift
/// let pages = try SharedByteQueue(named: "pages", capacity: 64, maximumMessageSize: 1 << 20)
/// try pages.send(Array(text.utf8))
/// try pages.publish(upTo: 1 << 20) { page in render(into: &page) }.get()      // in place
///
/// try pages.receive { bytes in parse(bytes) }                                 // in place; comes again if this process dies in it
/// ```
///
/// Everything that ``SharedQueue`` says of order, deaths, acknowledgement and progress holds here.
///
/// **Layout** as a ``SharedQueue``; but the bytes of a message are reserved as they are needed, in pages of 4,096: a queue takes what the largest messages that its slots have had
/// so far need, capacity × `maximumMessageSize` at most.
public final class SharedByteQueue: AnySharedQueue, @unchecked Sendable {
    /// Bytes of the largest message if nothing is said.
    public static let defaultMaximumMessageSize = 1 << 20

    /// Opens the queue `name`, or makes it.
    ///
    /// - Parameters:
    ///   - capacity: how many messages it takes, 1 to 65,536; as in ``SharedQueue``.
    ///   - maximumMessageSize: bytes of the largest message. An existing queue must take as large ones.
    /// - Throws: ``InterprocessError`` as ``SharedQueue/init(named:capacity:options:strategy:)``.
    public init(
        named name: ObjectName, capacity: Int? = nil, maximumMessageSize: Int = SharedByteQueue.defaultMaximumMessageSize,
        options: SharedQueueOptions = SharedQueueOptions(), strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        super.init(try SharedQueueCore(name, .init(element: .bytes, size: maximumMessageSize), capacity: capacity, options), strategy)
    }

    /// Opens the queue `name` as whoever made it has made it, whatever its capacity and options; does not make it.
    ///
    /// - Throws: ``InterprocessError`` as ``SharedQueue/init(existing:in:strategy:)``.
    public init(
        existing name: ObjectName, in directory: ObjectDirectory = .user, strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        let options = SharedQueueOptions(directory: directory, existence: .mustExist)
        super.init(try SharedQueueCore(name, .init(element: .bytes, size: 0), capacity: nil, options, asItIs: true), strategy)
    }

    /// The largest message, in bytes: what was asked for, rounded up to pages.
    public var maximumMessageSize: Int { core.shape.messageSize }

    // MARK: Sending

    /// Sends a copy of `bytes` as one message; waits while the queue is full, or until `deadline`. Does what its ``QueueOverflow`` says if that is not to wait. O(bytes).
    ///
    /// - Throws: ``SendError``: `tooLarge`, `noSpace`, or what ``SharedQueue/send(_:priority:until:)`` throws.
    public func send(_ bytes: RawSpan, priority: Int = 0, until deadline: Deadline = .never) throws(SendError<Void>) {
        try checkSize(bytes.byteCount)
        try put(bytes, priority, core.loan(strategy, until: deadline))
    }

    /// Sends a copy of `bytes` as ``send(_:priority:until:)`` does.
    public func send(_ bytes: [UInt8], priority: Int = 0, until deadline: Deadline = .never) throws(SendError<Void>) {
        try unsafe send(bytes.span.bytes, priority: priority, until: deadline)
    }

    /// As ``send(_:priority:until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``SendError``: `cancelled`, or what the blocking form throws.
    public func send(_ bytes: [UInt8], priority: Int = 0, until deadline: Deadline = .never) async throws(SendError<Void>) {
        try checkSize(bytes.count)
        let loaning = await core.loan(until: deadline)
        try unsafe put(bytes.span.bytes, priority, loaning)
    }

    /// Sends a copy of `bytes` if there is room now. O(bytes), never blocks.
    ///
    /// - Throws: ``SendError``: `full`, `tooLarge`, `noSpace`, `closed`, `detached`, `damaged`.
    public func trySend(_ bytes: RawSpan, priority: Int = 0) throws(SendError<Void>) {
        try checkSize(bytes.byteCount)
        try put(bytes, priority, core.loan(strategy, until: .now))
    }

    /// Lets `body` write a message of at most `byteCount` bytes where a receiver will read it, and sends what it has written. Nothing is copied. Waits for room, or until
    /// `deadline`.
    ///
    /// If `body` throws, nothing is sent, and the error comes out of the result. Nil: the queue drops the newest and was full; `body` was not called.
    ///
    /// - Throws: ``SendError``: as ``send(_:priority:until:)``.
    public func publish<R, E: Error>(
        upTo byteCount: Int, priority: Int = 0, until deadline: Deadline = .never, _ body: (inout OutputRawSpan) throws(E) -> R
    ) throws(SendError<Void>) -> Result<R, E>? {
        try checkSize(byteCount)
        check(priority)
        let loan: SharedQueueCore.Loan
        switch core.loan(strategy, until: deadline) {
        case .slot(let found): loan = found
        case .dropped: return nil
        case .failed(let failure): throw SendError(failure, ())
        }
        try reserve(byteCount, loan)
        let buffer = unsafe UnsafeMutableRawBufferPointer(start: loan.bytes, count: byteCount)
        var span = unsafe OutputRawSpan(buffer: buffer, initializedCount: 0)
        let result: R
        do throws(E) {
            result = try body(&span)
        } catch {
            core.giveUp(loan)
            return .failure(error)
        }
        try publish(loan, unsafe span.finalize(for: buffer), priority)
        return .success(result)
    }

    private func checkSize(_ size: Int) throws(SendError<Void>) {
        precondition(size >= 0, "the size of a message is not negative")
        guard size <= maximumMessageSize else { throw SendError(.tooLarge(limit: maximumMessageSize), ()) }
    }

    private func put(_ bytes: RawSpan, _ priority: Int, _ loaning: SharedQueueCore.Loaning) throws(SendError<Void>) {
        check(priority)
        switch loaning {
        case .slot(let loan):
            try reserve(bytes.byteCount, loan)
            unsafe copyInPieces(bytes, to: loan.bytes)
            try publish(loan, bytes.byteCount, priority)
        case .dropped: return
        case .failed(let failure): throw SendError(failure, ())
        }
    }

    private func publish(_ loan: SharedQueueCore.Loan, _ size: Int, _ priority: Int) throws(SendError<Void>) {
        core.slots.length(loan.slot).storeRelaxed(UInt64(size))
        if let failure = core.publish(loan, priority: priority) { throw SendError(failure, ()) }
    }

    /// Sees to it that the slot's first `size` bytes can be written.
    private func reserve(_ size: Int, _ loan: SharedQueueCore.Loan) throws(SendError<Void>) {
        do throws(Errno) {
            try core.reserve(size, loan)
        } catch {
            core.giveUp(loan)
            throw SendError(.noSpace, ())
        }
    }

    // MARK: Receiving

    /// Receives a copy of the next message; waits until there is one, or until `deadline`. Nil when the queue is finished and nothing is left. O(bytes).
    ///
    /// - Throws: ``ReceiveError`` `deadline`, `detached`, `damaged`.
    public func receive(until deadline: Deadline = .never) throws(ReceiveError) -> [UInt8]? {
        while true {
            guard let taken = try received(core.take(strategy, until: deadline)) else { return nil }
            if let message = try copied(taken) { return message }
        }
    }

    /// As ``receive(until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``ReceiveError`` `cancelled`, or what the blocking form throws.
    public func receive(until deadline: Deadline = .never) async throws(ReceiveError) -> [UInt8]? {
        while true {
            guard let taken = try received(await core.take(until: deadline)) else { return nil }
            if let message = try copied(taken) { return message }
        }
    }

    /// Receives a copy of the next message if there is one now. O(bytes), never blocks.
    ///
    /// - Throws: ``ReceiveError`` `closed` when the queue is finished and nothing is left; `detached`, `damaged`.
    public func tryReceive() throws(ReceiveError) -> [UInt8]? {
        while let taking = core.tryTake() {
            guard let taken = try received(taking) else { throw .closed }
            if let message = try copied(taken) { return message }
        }
        return nil
    }

    /// Lets `body` read the next message where it stands; waits until there is one, or until `deadline`. Nil when the queue is finished and nothing is left.
    ///
    /// When `body` returns, the message is acknowledged; when it throws, it comes again, and the error comes out of the result.
    ///
    /// - Throws: ``ReceiveError`` `deadline`, `detached`, `damaged`; `tooLate` if `body` took longer than ``SharedQueueOptions/acknowledgeWithin``: the message comes again, and what `body` has read may have been another's.
    public func receive<R, E: Error>(
        until deadline: Deadline = .never, _ body: (RawSpan) throws(E) -> R
    ) throws(ReceiveError) -> Result<R, E>? {
        guard let taken = try received(core.take(strategy, until: deadline)) else { return nil }
        let span = try bytes(of: taken)
        let result: R
        do throws(E) {
            result = try body(span)
        } catch {
            core.giveBack(taken)
            return .failure(error)
        }
        guard core.done(taken) else { throw core.segment.attachment.isForeign ? .detached : .tooLate }
        return .success(result)
    }

    /// Takes the next message, which stays this process's until it is acknowledged; waits until there is one, or until `deadline`. Nil when the queue is finished and
    /// nothing is left. O(1).
    ///
    /// - Throws: ``ReceiveError`` `deadline`, `detached`, `damaged`.
    public func take(until deadline: Deadline = .never) throws(ReceiveError) -> ByteDelivery? {
        try deliver(core.take(strategy, until: deadline))
    }

    /// As ``take(until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``ReceiveError`` `cancelled`, or what the blocking form throws.
    public func take(until deadline: Deadline = .never) async throws(ReceiveError) -> ByteDelivery? {
        try deliver(await core.take(until: deadline))
    }

    /// Takes a message that was delivered too often; as ``SharedQueue/takeDeadLetter()``.
    ///
    /// - Throws: ``ReceiveError`` `detached`, `damaged`.
    public func takeDeadLetter() throws(ReceiveError) -> ByteDelivery? {
        guard let taken = core.takeDeadLetter() else { return nil }
        return try deliver(.message(taken))
    }

    /// Copies of the messages as a sequence, received one by one; any number of tasks may go through it at once.
    public func messages() -> SharedByteQueueMessages { SharedByteQueueMessages(queue: self) }

    private func deliver(_ taking: SharedQueueCore.Taking) throws(ReceiveError) -> ByteDelivery? {
        guard let taken = try received(taking) else { return nil }
        return ByteDelivery(core, taken, try size(of: taken))
    }

    /// Read once, and compared with the slot's size.
    private func size(of taken: SharedQueueCore.Taken) throws(ReceiveError) -> Int {
        let size = core.slots.length(taken.slot).loadRelaxed()
        guard size <= UInt64(maximumMessageSize) else {
            // It would come again and again.
            _ = core.done(taken)
            throw .damaged("length")
        }
        return Int(size)
    }

    @_lifetime(borrow self)
    private func bytes(of taken: SharedQueueCore.Taken) throws(ReceiveError) -> RawSpan {
        let span = unsafe RawSpan(_unsafeStart: taken.bytes, byteCount: try size(of: taken))
        return unsafe _overrideLifetime(span, borrowing: self)
    }

    private func copied(_ taken: SharedQueueCore.Taken) throws(ReceiveError) -> [UInt8]? {
        let message = copyOf(try bytes(of: taken))
        return core.done(taken) ? message : nil
    }
}

/// Copies of the messages of a shared queue of bytes as an asynchronous sequence; see ``SharedByteQueue/messages()``.
public struct SharedByteQueueMessages: AsyncSequence, Sendable {
    public typealias Failure = ReceiveError
    let queue: SharedByteQueue

    public func makeAsyncIterator() -> Iterator { Iterator(queue: queue) }

    public struct Iterator: AsyncIteratorProtocol {
        let queue: SharedByteQueue

        public mutating func next() async throws(ReceiveError) -> [UInt8]? { try await queue.receive() }
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(ReceiveError) -> [UInt8]? {
            try await queue.receive()
        }
    }
}
