import InterprocessSystem

/// The sending side of a queue to one receiver, for messages of bytes: any size from none up to the queue's capacity, boundaries kept.
///
/// ```swift
/// var sender = try ByteSender(to: "frames", capacity: 64 << 20)
/// try sender.publish(byteCount: frame.size) { bytes in camera.read(into: &bytes) }.get()
/// ```
///
/// Everything that ``Sender`` says of ends, deaths, order and progress holds here.
///
/// **Memory** 12 KiB, and whole pages for the ring: `capacity` and 24 bytes. A message takes 8 bytes besides, and is padded to 8. All of it is reserved when the queue is made.
public struct ByteSender: ~Copyable, @unchecked Sendable {
    @usableFromInline var core: QueueSenderCore
    /// How calls that block wait.
    public var strategy: WaitStrategy

    static let alignment = RecordGeometry.leastAlignment

    /// Opens the queue `name` as its sender; makes it if there is none.
    ///
    /// - Parameters:
    ///   - capacity: the size in bytes of the largest message, and about how much is buffered. An existing queue must have as much; nil
    ///     accepts any, and makes one of 4 MiB.
    /// - Throws: ``InterprocessError`` as ``Sender/init(to:capacity:options:strategy:)``.
    public init(to name: ObjectName, capacity: Int? = nil, options: QueueOptions = QueueOptions(), strategy: WaitStrategy = .adaptive)
        throws(InterprocessError)
    {
        try self.init(try QueueSegment.open(name, .bytes, capacity: capacity, options), strategy, options.overflow)
    }

    init(_ segment: Segment, _ strategy: WaitStrategy, _ overflow: QueueOverflow?) throws(InterprocessError) {
        core = try QueueSenderCore(
            try QueueSession(segment, .sender, overflow: overflow), alignment: Self.alignment, elementSize: 0)
        self.strategy = strategy
    }

    deinit { core.session.close() }

    /// Says that no more will come from this sender: the receiver gets the end after everything sent. Also done when the value ends.
    public consuming func close() {}

    /// The sequence number that the next message will get: how many have been sent to the queue since it was made, by all its senders.
    public var nextSequence: UInt64 { core.sequence }

    /// How many messages have been sent to the queue, by all its senders, and are not yet received. O(1).
    public var waiting: UInt64 { core.waiting }

    /// What the queue does when it is full.
    public var overflow: QueueOverflow { core.session.overflow }

    /// How many messages the queue has dropped since it was made, if its ``QueueOverflow`` lets it.
    public var dropped: UInt64 { core.session.dropped }

    /// The largest message that the queue takes, in bytes.
    public var maximumMessageSize: Int { core.largestPayload }

    /// The segment that the queue lives in, with its peers and their deaths.
    public var segment: Segment { core.session.segment }

    /// Sends a copy of `bytes` as one message; waits while there is no room, or until `deadline`. Does what its ``QueueOverflow`` says if
    /// that is not to wait. O(bytes).
    ///
    /// - Throws: ``SendError``: `tooLarge`, `deadline`, `closed`, `peerDied`, `detached`, `damaged`.
    public mutating func send(_ bytes: RawSpan, until deadline: Deadline = .never) throws(SendError<Void>) {
        do throws(SendError<Void>) {
            try put(bytes, until: deadline)
        } catch {
            guard error.reason == .full else { throw error }
            core.countDropped(1)
        }
    }

    private mutating func put(_ bytes: RawSpan, until deadline: Deadline) throws(SendError<Void>) {
        let place = try unsafe room(for: bytes.byteCount, until: deadline)
        unsafe copyInPieces(bytes, to: place)
        try publishReserved(bytes.byteCount)
    }

    /// Sends a copy of `bytes` as ``send(_:until:)-(RawSpan,_)`` does.
    public mutating func send(_ bytes: [UInt8], until deadline: Deadline = .never) throws(SendError<Void>) {
        try unsafe send(bytes.span.bytes, until: deadline)
    }

    /// Sends a copy of `bytes` if there is room now. O(bytes), never blocks.
    ///
    /// - Throws: ``SendError``: `full`, or what ``send(_:until:)`` throws.
    public mutating func trySend(_ bytes: RawSpan) throws(SendError<Void>) {
        do throws(SendError<Void>) {
            try put(bytes, until: .now)
        } catch {
            throw error.reason == .deadline ? SendError(.full, ()) : error
        }
    }

    /// Lets `body` fill a message of `byteCount` bytes where the receiver will read it, and sends it. Nothing is copied. Waits for room, or
    /// until `deadline`.
    ///
    /// The bytes are those of earlier messages until they are overwritten. If `body` throws, nothing is sent, and the error comes out of
    /// the result. O(1) but for `body`.
    ///
    /// - Throws: ``SendError``: `tooLarge`, `deadline`, `closed`, `peerDied`, `detached`, `damaged`.
    public mutating func publish<R, E: Error>(
        byteCount: Int, until deadline: Deadline = .never, _ body: (inout MutableRawSpan) throws(E) -> R
    ) throws(SendError<Void>) -> Result<R, E> {
        let place = try unsafe room(for: byteCount, until: deadline)
        var span = unsafe MutableRawSpan(_unsafeStart: place, byteCount: byteCount)
        let result: R
        do throws(E) {
            result = try body(&span)
        } catch {
            return .failure(error)
        }
        try publishReserved(byteCount)
        return .success(result)
    }

    /// Lets `body` write a message of at most `byteCount` bytes where the receiver will read it, and sends what it has written: for sources
    /// that only then know how much they have, as
    /// `read(2)`. Nothing is copied. Waits for room for `byteCount` bytes, or until `deadline`.
    ///
    /// If `body` throws, or writes nothing, nothing is sent: ``publish(byteCount:until:_:)`` sends empty messages. O(1) but for `body`.
    ///
    /// - Parameter byteCount: not negative, which is a precondition.
    ///
    /// - Throws: ``SendError``: `tooLarge`, `deadline`, `closed`, `peerDied`, `detached`, `damaged`. An error of `body`'s comes out of the
    ///   result.
    public mutating func publish<R, E: Error>(
        upTo byteCount: Int, until deadline: Deadline = .never, _ body: (inout OutputRawSpan) throws(E) -> R
    ) throws(SendError<Void>) -> Result<R, E> {
        let place = try unsafe room(for: byteCount, until: deadline)
        let buffer = unsafe UnsafeMutableRawBufferPointer(start: place, count: byteCount)
        var span = unsafe OutputRawSpan(buffer: buffer, initializedCount: 0)
        let result: R
        do throws(E) {
            result = try body(&span)
        } catch {
            return .failure(error)
        }
        let written = unsafe span.finalize(for: buffer)
        if written > 0 { try publishReserved(written) }
        return .success(result)
    }

    /// Reserves a message of `byteCount` bytes, to be filled in place and then published; waits for room, or until `deadline`. Until then
    /// the sender can do nothing else; a reservation that is
    /// dropped leaves no trace.
    ///
    /// - Throws: ``SendError``: `tooLarge`, `deadline`, `closed`, `peerDied`, `detached`, `damaged`.
    @_lifetime(&self)
    public mutating func reserve(byteCount: Int, until deadline: Deadline = .never) throws(SendError<Void>) -> Reservation {
        let place = try unsafe room(for: byteCount, until: deadline)
        return unsafe Reservation(place: place, byteCount: byteCount, core: &core)
    }

    /// Where a message of `size` bytes goes.
    private mutating func room(for size: Int, until deadline: Deadline) throws(SendError<Void>) -> UnsafeMutableRawPointer {
        precondition(size >= 0, "the size of a message is not negative")
        guard size <= core.largestPayload else { throw SendError(.tooLarge(limit: core.largestPayload), ()) }
        let record = RecordGeometry.size(payload: size, alignment: Self.alignment)
        while true {
            if let place = unsafe core.place(record, alignment: Self.alignment) { return unsafe place + Self.alignment }
            if let reason = core.waitForRoom(record, strategy, until: deadline) { throw SendError(reason, ()) }
        }
    }

    private mutating func publishReserved(_ size: Int) throws(SendError<Void>) {
        if !core.publishBytes(size) { throw SendError(.detached, ()) }
    }

    /// Waits until the receiver has received everything that was sent, or until `deadline`.
    ///
    /// Received means that the receiver's call has returned it, or the body that reads it in place has come to its end. Blocks also while
    /// there is no receiver.
    ///
    /// - Throws: ``SendError``: `deadline`, `closed`, `peerDied`, `detached`, `damaged`; then something was not received.
    public mutating func waitUntilReceived(until deadline: Deadline = .never) throws(SendError<Void>) {
        if let reason = core.waitUntilTaken(strategy, until: deadline) { throw SendError(reason, ()) }
    }

    /// Waits until a receiver has joined, or until `deadline`; whether one has. Returns at once if there is one.
    public mutating func waitForReceiver(until deadline: Deadline = .never) -> Bool { core.waitForReceiver(until: deadline) }
}

/// In pieces: one copy as large as a processor's own cache takes longer than several smaller ones, a fifth on the machine that was measured
/// (Documentation/Performance.md).
func copyInPieces(_ bytes: RawSpan, to place: UnsafeMutableRawPointer) {
    let piece = 128 << 10
    unsafe bytes.withUnsafeBytes { source in
        guard let start = source.baseAddress else { return }
        var done = 0
        while done < source.count {
            let size = min(source.count &- done, piece)
            unsafe (place + done).copyMemory(from: start + done, byteCount: size)
            done &+= size
        }
    }
}

extension QueueSenderCore {
    @discardableResult
    mutating func publishBytes(_ size: Int) -> Bool {
        let alignment = RecordGeometry.leastAlignment
        return publish(
            RecordHeader(length: size, sequence: sequence), size: RecordGeometry.size(payload: size, alignment: alignment),
            alignment: alignment, messages: 1)
    }
}

/// A message that is being written in place. Ends with ``publish()``, or without a trace.
@safe
public struct Reservation: ~Copyable, ~Escapable {
    private let place: UnsafeMutableRawPointer
    private let core: UnsafeMutablePointer<QueueSenderCore>
    /// Bytes of the message.
    public let byteCount: Int

    @_lifetime(&core)
    init(place: UnsafeMutableRawPointer, byteCount: Int, core: inout QueueSenderCore) {
        unsafe self.place = place
        self.byteCount = byteCount
        // The core stays where it is while this value, whose lifetime depends on an exclusive access to it, exists.
        unsafe self.core = withUnsafeMutablePointer(to: &core) { unsafe $0 }
    }

    /// The message's bytes; those of earlier messages until they are overwritten.
    public var bytes: MutableRawSpan {
        @_lifetime(&self)
        mutating get { unsafe _overrideLifetime(MutableRawSpan(_unsafeStart: place, byteCount: byteCount), mutating: &self) }
    }

    /// Sends the message. O(1). In a forked child nobody gets it, and the sender's next call says `detached`.
    public consuming func publish() { unsafe core.pointee.publishBytes(byteCount) }
}
