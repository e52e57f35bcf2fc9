import InterprocessSystem

/// The receiving side of a queue from one sender, for messages of bytes.
///
/// ```swift
/// var receiver = try ByteReceiver(from: "frames", capacity: 64 << 20)
/// while let found = try receiver.receive({ bytes in detect(in: bytes) })?.get() { … }
/// ```
///
/// Everything that ``Receiver`` says of ends, deaths, order and progress holds here.
public struct ByteReceiver: ~Copyable, @unchecked Sendable {
    var core: QueueReceiverCore
    /// How calls that block wait.
    public var strategy: WaitStrategy

    /// Opens the queue `name` as its receiver; makes it if there is none. Parameters and errors are those of
    /// ``ByteSender/init(to:capacity:options:strategy:)``.
    public init(from name: ObjectName, capacity: Int? = nil, options: QueueOptions = QueueOptions(), strategy: WaitStrategy = .adaptive)
        throws(InterprocessError)
    {
        try self.init(try QueueSegment.open(name, .bytes, capacity: capacity, options), strategy, options.overflow)
    }

    init(_ segment: Segment, _ strategy: WaitStrategy, _ overflow: QueueOverflow?) throws(InterprocessError) {
        core = try QueueReceiverCore(
            try QueueSession(segment, .receiver, overflow: overflow), alignment: RecordGeometry.leastAlignment, elementSize: 0)
        self.strategy = strategy
    }

    deinit { core.session.close() }

    /// Gives the role up: the sender is told. What was not received stays for the next receiver. Also done when the value ends.
    public consuming func close() {}

    /// The sequence number of the next message: how many have been received from the queue since it was made, by all its receivers.
    ///
    /// If the queue drops the oldest, the next message may have a higher one; after a message this is its number plus 1.
    public var nextSequence: UInt64 { core.sequence }

    /// How many messages are in the queue for this receiver. O(messages): it walks over them; a moment later there may be more.
    public var waiting: UInt64 { core.waiting }

    /// What the queue does when it is full.
    public var overflow: QueueOverflow { core.session.overflow }

    /// How many messages the queue has dropped since it was made, if its ``QueueOverflow`` lets it.
    public var dropped: UInt64 { core.session.dropped }

    /// The segment that the queue lives in, with its peers and their deaths.
    public var segment: Segment { core.session.segment }

    /// Lets `body` read the next message where it is; waits until there is one, or until `deadline`. Nil when the sender has closed and
    /// everything was received.
    ///
    /// The message is received when `body` returns; if it throws, or the process is killed in it, it is still there. O(1) but for `body`;
    /// nothing is copied. A sender that does not
    /// keep to the protocol could change the bytes meanwhile: where it is not trusted, copy first, then check.
    ///
    /// - Throws: ``ReceiveError``: `deadline`, `peerDied`, `detached`, `damaged`. An error of `body`'s comes out of the result.
    public mutating func receive<R, E: Error>(
        until deadline: Deadline = .never, _ body: (RawSpan) throws(E) -> R
    ) throws(ReceiveError) -> Result<R, E>? {
        if !core.hasSomething { _ = core.pollBriefly(strategy) }
        while true {
            switch core.look() {
            case .payload(let size, let headerSize): return core.deliver(size, headerSize, body)
            case .nothing: if let error = core.waitForMessage(strategy, until: deadline) { throw error }
            case .end(.closed): return nil
            case .end(.died(let notice)): throw .peerDied(notice)
            case .damaged(let field): throw .damaged(field)
            }
        }
    }

    /// Lets `body` read the next message if there is one now; nil if not. Never blocks.
    ///
    /// - Throws: ``ReceiveError``: `closed`, `peerDied`, `detached`, `damaged`. An error of `body`'s comes out of the result.
    public mutating func tryReceive<R, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(ReceiveError) -> Result<R, E>? {
        switch core.look() {
        case .payload(let size, let headerSize): return core.deliver(size, headerSize, body)
        case .nothing:
            if core.session.isDetached { throw .detached }
            return nil
        case .end(.closed): throw .closed
        case .end(.died(let notice)): throw .peerDied(notice)
        case .damaged(let field): throw .damaged(field)
        }
    }

    /// Receives a copy of the next message; waits until there is one, or until `deadline`. Nil when the sender has closed and everything
    /// was received. O(bytes).
    ///
    /// - Throws: ``ReceiveError``: `deadline`, `peerDied`, `detached`, `damaged`.
    public mutating func receive(until deadline: Deadline = .never) throws(ReceiveError) -> [UInt8]? {
        try receive(until: deadline, copyOf)?.get()
    }

    /// Waits until a sender has joined or there is something to receive, or until `deadline`; whether it is so.
    public mutating func waitForSender(until deadline: Deadline = .never) -> Bool { core.waitForSender(until: deadline) }
}

extension QueueReceiverCore {
    /// Lets `body` read the message at the current place, and takes it.
    mutating func deliver<R, E: Error>(_ size: UInt64, _ headerSize: UInt64, _ body: (RawSpan) throws(E) -> R) -> Result<R, E> {
        let start = unsafe ring + Int(offset + headerSize)
        let span = unsafe RawSpan(_unsafeStart: start, byteCount: Int(size))
        do throws(E) {
            let result = try body(span)
            take(
                bytes: UInt64(RecordGeometry.size(payload: Int(size), alignment: RecordGeometry.leastAlignment)), messages: 1, remaining: 0)
            return .success(result)
        } catch {
            return .failure(error)
        }
    }
}

func copyOf(_ bytes: RawSpan) -> [UInt8] { unsafe bytes.withUnsafeBytes { unsafe Array($0) } }
