import InterprocessSystem

/// The receiving side of a fan-in queue, for messages of bytes. Everything that ``FanInReceiver`` says of lanes, order, ends and deaths holds here.
///
/// ```swift
/// var receiver = try FanInByteReceiver(from: "log", capacity: 1 << 20)
/// while let line = try receiver.receive() { write(line) }
///
/// var sender = try ByteSender(toFanIn: "log", capacity: 1 << 20)
/// ```
@safe
public struct FanInByteReceiver: ~Copyable, @unchecked Sendable {
    let lanes: FanInLanes
    private var current: UnsafeMutablePointer<QueueReceiverCore>?
    private var limit: UInt64 = 0
    /// How calls that block wait.
    public var strategy: WaitStrategy

    /// Opens the fan-in queue `name` of bytes as its receiver; makes it if there is none. Parameters and errors are those of
    /// ``ByteSender/init(toFanIn:capacity:options:strategy:)``; `busy` if it has a living receiver.
    public init(
        from name: ObjectName, capacity: Int? = nil, options: FanInOptions = FanInOptions(), strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        let segment = try FanInSegment.open(name, .bytes, capacity: capacity, options)
        lanes = try FanInLanes(segment, alignment: RecordGeometry.leastAlignment, elementSize: 0)
        self.strategy = strategy
    }

    deinit { lanes.close() }

    /// Gives the role up, as ``FanInReceiver/close()``.
    public consuming func close() {}

    /// How many senders there can be at once.
    public var maximumSenders: Int { lanes.words.shape.lanes }

    /// How many messages wait, in all lanes; as ``FanInReceiver/waiting``.
    public var waiting: UInt64 { lanes.waiting }

    /// The segment that the queue lives in, with its peers and their deaths.
    public var segment: Segment { lanes.segment }

    /// Lets `body` read the next message where it is; waits until there is one, or until `deadline`. Nil when every sender that has come has closed or died, and everything was received.
    ///
    /// The message is received when `body` returns; if it throws, or the process is killed in it, it is still there. Nothing is copied; a sender that does not keep to the protocol could
    /// change the bytes meanwhile: where it is not trusted, copy first, then check.
    ///
    /// - Throws: ``ReceiveError`` as ``FanInReceiver/receive(until:)``. An error of `body`'s comes out of the result.
    public mutating func receive<R, E: Error>(
        until deadline: Deadline = .never, _ body: (RawSpan) throws(E) -> R
    ) throws(ReceiveError) -> Result<R, E>? {
        try deliver(nextInTurn() ?? lanes.wait(strategy, until: deadline), body)
    }

    /// Lets `body` read the next message if there is one now; nil if not. Never blocks.
    ///
    /// - Throws: ``ReceiveError``: `closed` at the end; `peerDied`, `detached`, `damaged`. An error of `body`'s comes out of the result.
    public mutating func tryReceive<R, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(ReceiveError) -> Result<R, E>? {
        guard let found = nextInTurn() ?? lanes.tryNext() else { return nil }
        guard let result = try deliver(found, body) else { throw .closed }
        return result
    }

    /// Receives a copy of the next message; waits until there is one, or until `deadline`. Nil at the end. O(bytes).
    ///
    /// - Throws: ``ReceiveError`` as ``FanInReceiver/receive(until:)``.
    public mutating func receive(until deadline: Deadline = .never) throws(ReceiveError) -> [UInt8]? {
        try receive(until: deadline, copyOf)?.get()
    }

    /// Receives a copy of the next message; suspends until there is one, or until `deadline`. Nil at the end.
    ///
    /// - Throws: ``ReceiveError``: `cancelled`, or what the blocking form throws.
    public mutating func receive(until deadline: Deadline = .never) async throws(ReceiveError) -> [UInt8]? {
        if let found = nextInTurn() { return try deliver(found, copyOf)?.get() }
        return try deliver(await lanes.suspend(until: deadline), copyOf)?.get()
    }

    /// Copies of the messages as a sequence, which takes the receiver over; as ``FanInReceiver/messages()``.
    public consuming func messages() -> some AsyncSequence<[UInt8], ReceiveError> { MessageSequence(self) }

    /// The next message of the lane that is taken from, as long as it is this lane's turn. What else stands there is the round's business.
    private func nextInTurn() -> FanInLanes.Found? {
        guard let core = unsafe current, unsafe Int64(bitPattern: limit &- core.pointee.position) > 0,
            let bytes = unsafe core.pointee.nextPayload
        else { return nil }
        return unsafe .payload(core, bytes: bytes, headerSize: UInt64(RecordGeometry.leastAlignment))
    }

    private mutating func deliver<R, E: Error>(
        _ found: FanInLanes.Found, _ body: (RawSpan) throws(E) -> R
    ) throws(ReceiveError) -> Result<R, E>? {
        switch found {
        case .end: return nil
        case .failed(let error): throw error
        case .payload(let core, let bytes, let headerSize):
            if unsafe current != core || Int64(bitPattern: limit &- core.pointee.position) <= 0 {
                unsafe current = core
                limit = unsafe core.pointee.position &+ core.pointee.ringSize / FanInSegment.turn
            }
            return unsafe core.pointee.deliver(bytes, headerSize, body)
        }
    }
}

extension FanInByteReceiver: MessageSource {
    mutating func nextMessage() async throws(ReceiveError) -> [UInt8]? { try await receive() }
}

extension QueueReceiverCore {
    /// The size of the next message of bytes if one stands at the current place, checked as ``look()`` does.
    fileprivate var nextPayload: UInt64? {
        let header = header(alignment: RecordGeometry.leastAlignment)
        let length = header.word & RecordHeader.lengthMask
        guard header.word &- length == RecordHeader(length: 0, sequence: sequence).word, length <= UInt64(largestPayload) else {
            return nil
        }
        return length
    }
}
