import InterprocessSystem

/// The sending side of a queue to one receiver, for values of one type.
///
/// ```swift
/// var sender = try Sender<Reading>(to: "readings")
/// try sender.send(Reading(sensor: 1, celsius: 21.5))
/// ```
///
/// A queue has one sender at a time; another may follow when this one has closed or died, and goes on with ``nextSequence``. When the value
/// ends, the sender closes.
///
/// **Layout** "queue" in Documentation/Layout; records as in decision record 0001.
/// **Memory** 12 KiB, and whole pages for the ring: `capacity` records, each of as many bytes as the type is aligned to (8 at least) and the message, padded to that
/// alignment; and two alignments more. All of it is reserved when the queue is made. It is mapped twice, one after the other, which costs addresses and no memory.
/// **Memory order** `SYNC queue.publish`: release of the record's header ⇄ acquire by the receiver.
/// **Death** Killed before the header's store, nothing of the message has happened; after it, the whole message will be received. A killed
/// sender's receiver is told after it has
/// received everything. Killed while waiting: nothing.
/// **Progress** ``trySend(_:)`` is wait-free. ``send(_:)`` blocks in a futex while the queue is full. No system call unless the receiver
/// sleeps.
@frozen
public struct Sender<Element: Shareable>: ~Copyable, @unchecked Sendable {
    @usableFromInline var core: QueueSenderCore
    /// How ``send(_:)`` waits.
    public var strategy: WaitStrategy

    @usableFromInline static var alignment: Int {
        @inlinable @inline(__always) get { RecordGeometry.alignment(for: MemoryLayout<Element>.alignment) }
    }
    @usableFromInline static var recordSize: Int {
        @inlinable @inline(__always) get { RecordGeometry.size(payload: MemoryLayout<Element>.stride, alignment: alignment) }
    }

    /// Opens the queue `name` as its sender; makes it if there is none.
    ///
    /// - Parameters:
    ///   - capacity: how many messages it takes, at least. An existing queue must have as many; nil accepts any, and makes one for 4,096.
    /// - Throws: ``InterprocessError``: `busy` if it has a living sender; `elementMismatch`, `kindMismatch`, `sizeMismatch`,
    ///   `versionMismatch` if it is not what is asked for;
    ///   `damaged`; `noSpace`; `invalidArgument` for a capacity that cannot be; `wrongOwner`, `wrongMode`, `nameMismatch`, `notASegment` for what stands under
    ///   the name; `nameTaken` or `notFound` if `options.existence` says so; `system`. Blocks for at most 5 s, while another process has the
    ///   queue alone, to open or remove it.
    public init(to name: ObjectName, capacity: Int? = nil, options: QueueOptions = QueueOptions(), strategy: WaitStrategy = .adaptive)
        throws(InterprocessError)
    {
        let element = ElementDescription(of: Element.self)
        let segment = try QueueSegment.open(name, element, capacity: capacity, options)
        try self.init(segment, strategy, options.overflow)
    }

    init(_ segment: Segment, _ strategy: WaitStrategy, _ overflow: QueueOverflow?) throws(InterprocessError) {
        core = try QueueSenderCore(
            try QueueSession(segment, .sender, overflow: overflow), alignment: Self.alignment, elementSize: MemoryLayout<Element>.stride)
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

    /// The segment that the queue lives in, with its peers and their deaths.
    public var segment: Segment { core.session.segment }

    /// Sends `element`; waits while the queue is full, or until `deadline`. Does what its ``QueueOverflow`` says if that is not to wait.
    ///
    /// O(1). Blocks while the queue is full, also while there is no receiver.
    ///
    /// - Throws: ``SendError`` with the element: `deadline`, `closed`, `peerDied`, `detached`, `damaged`.
    @inlinable @inline(__always)
    public mutating func send(_ element: Element, until deadline: Deadline = .never) throws(SendError<Element>) {
        if !append(element) { try sendSlowly(element, until: deadline) }
    }

    @inlinable @inline(never)
    mutating func sendSlowly(_ element: Element, until deadline: Deadline) throws(SendError<Element>) {
        repeat {
            if let reason = core.waitForRoom(Self.recordSize, strategy, until: deadline) {
                if reason == .full { return core.countDropped(1) }
                throw SendError(reason, element)
            }
        } while !append(element)
    }

    /// Sends `element` if there is room now. O(1), never blocks.
    ///
    /// - Throws: ``SendError`` with the element: `full`, or what ``send(_:until:)`` throws.
    @inlinable @inline(__always)
    public mutating func trySend(_ element: Element) throws(SendError<Element>) {
        if !append(element) {
            throw SendError(reasonForNoRoom(Self.recordSize), element)
        }
    }

    @inlinable @inline(__always)
    mutating func append(_ element: Element) -> Bool {
        guard let place = unsafe core.place(Self.recordSize, alignment: Self.alignment) else { return false }
        unsafe (place + Self.alignment).storeBytes(of: element, as: Element.self)
        return core.publish(
            RecordHeader(length: MemoryLayout<Element>.stride, sequence: core.sequence), size: Self.recordSize, alignment: Self.alignment,
            messages: 1)
    }

    /// Sends all `elements`; waits while the queue is full, or until `deadline`.
    ///
    /// What fits into half of the queue goes as one record, published by one store: the receiver gets all of it or nothing. More goes in
    /// pieces of that size. In a queue that drops the newest, what has room goes as one record, and the rest is dropped. O(count).
    ///
    /// - Throws: ``SendError`` with how many were sent: `deadline`, `closed`, `peerDied`, `detached`, `damaged`.
    @inlinable
    public mutating func send(contentsOf elements: Span<Element>, until deadline: Deadline = .never) throws(SendError<Int>) {
        var sent = 0
        while sent < elements.count {
            let count = min(elements.count &- sent, mostInOneRecord)
            if appendBatch(elements, from: sent, count: count) {
                sent &+= count
            } else if let reason = core.waitForRoom(Self.batchSize(count), strategy, until: deadline) {
                guard reason == .full else { throw SendError(reason, sent) }
                return try sendWhatFits(elements, from: sent)
            }
        }
    }

    /// Sends as many elements as there is room for, as one record, into a queue that drops the rest.
    @usableFromInline
    mutating func sendWhatFits(_ elements: Span<Element>, from start: Int) throws(SendError<Int>) {
        let rest = elements.extracting(droppingFirst: start)
        do throws(SendError<Int>) {
            core.countDropped(rest.count &- (try trySend(contentsOf: rest)))
        } catch {
            throw SendError(error.reason, start)
        }
    }

    /// Sends as many of `elements` as there is room for now, as one record. Returns how many. O(count), never blocks.
    ///
    /// - Throws: ``SendError``: `closed`, `peerDied`, `detached`, `damaged`, with how many were sent, which is none.
    @inlinable
    public mutating func trySend(contentsOf elements: Span<Element>) throws(SendError<Int>) -> Int {
        var count = min(elements.count, mostInOneRecord)
        while count > 0 {
            if appendBatch(elements, from: 0, count: count) { return count }
            let reason = reasonForNoRoom(Self.recordSize)
            if reason != .full { throw SendError(reason, 0) }
            // What fits now; it can only become more.
            count = min(count &- 1, core.freePayload / MemoryLayout<Element>.stride)
        }
        return 0
    }

    /// Elements that one record takes when there is room: half of the queue, so that the next can be written while it is read.
    @inlinable @inline(__always)
    var mostInOneRecord: Int { max(1, core.largestPayload / 2 / MemoryLayout<Element>.stride) }

    @inlinable @inline(__always)
    static func batchSize(_ count: Int) -> Int { RecordGeometry.size(payload: count &* MemoryLayout<Element>.stride, alignment: alignment) }

    @inlinable @inline(__always)
    mutating func appendBatch(_ elements: Span<Element>, from start: Int, count: Int) -> Bool {
        let bytes = count &* MemoryLayout<Element>.stride
        let size = Self.batchSize(count)
        guard let place = unsafe core.place(size, alignment: Self.alignment) else { return false }
        unsafe elements.withUnsafeBytes { source in
            unsafe (place + Self.alignment).copyMemory(
                from: source.baseAddress.unsafelyUnwrapped + start &* MemoryLayout<Element>.stride, byteCount: bytes)
        }
        return core.publish(
            RecordHeader(length: bytes, sequence: core.sequence), size: size, alignment: Self.alignment,
            messages: UInt64(truncatingIfNeeded: count))
    }

    /// Lets `body` write up to `count` elements where the receiver will read them, and sends what it has appended as one record. Waits for
    /// room, or until `deadline`.
    ///
    /// If `body` throws, or appends nothing, nothing is sent.
    ///
    /// - Parameter count: at least 1, which is a precondition, and at most the queue's capacity.
    ///
    /// - Throws: ``SendError``: `deadline`, `closed`, `peerDied`, `detached`, `damaged`; `tooLarge` if `count` elements never fit. An error
    ///   of `body`'s comes out of the result.
    @inlinable
    public mutating func publish<R, E: Error>(
        upTo count: Int, until deadline: Deadline = .never, _ body: (inout OutputSpan<Element>) throws(E) -> R
    ) throws(SendError<Void>) -> Result<R, E> {
        precondition(count > 0, "publish(upTo:): the count must be at least 1")
        let stride = MemoryLayout<Element>.stride
        let limit = core.largestPayload / stride
        guard count <= limit else { throw SendError(.tooLarge(limit: limit * stride), ()) }
        let most = RecordGeometry.size(payload: count * stride, alignment: Self.alignment)
        while true {
            if let place = unsafe core.place(most, alignment: Self.alignment) {
                let buffer = unsafe UnsafeMutableBufferPointer(
                    start: (place + Self.alignment).assumingMemoryBound(to: Element.self), count: count)
                var span = unsafe OutputSpan(buffer: buffer, initializedCount: 0)
                let result: R
                do throws(E) {
                    result = try body(&span)
                } catch {
                    span.removeAll()
                    _ = unsafe span.finalize(for: buffer)
                    return .failure(error)
                }
                let written = unsafe span.finalize(for: buffer)
                if written > 0 {
                    let isShared = core.publish(
                        RecordHeader(length: written * stride, sequence: core.sequence),
                        size: RecordGeometry.size(payload: written * stride, alignment: Self.alignment), alignment: Self.alignment,
                        messages: UInt64(written))
                    if !isShared { throw SendError(.detached, ()) }
                }
                return .success(result)
            }
            if let reason = core.waitForRoom(most, strategy, until: deadline) { throw SendError(reason, ()) }
        }
    }

    @usableFromInline
    mutating func reasonForNoRoom(_ size: Int) -> SendFailure { core.failure() ?? .full }

    /// Waits until the receiver has received everything that was sent, or until `deadline`.
    ///
    /// Received means that the receiver's call has returned it, or the body that reads it in place has come to its end. Blocks also while
    /// there is no receiver.
    ///
    /// - Throws: ``SendError``: `deadline`, `closed`, `peerDied`, `detached`, `damaged`; then something was not received.
    public mutating func waitUntilReceived(until deadline: Deadline = .never) throws(SendError<Void>) {
        if let reason = core.waitUntilTaken(strategy, until: deadline) { throw SendError(reason, ()) }
    }

    /// Waits until a receiver has joined, or until `deadline`; whether one has. Returns at once if there is one, and with false in a forked
    /// child.
    public mutating func waitForReceiver(until deadline: Deadline = .never) -> Bool { core.waitForReceiver(until: deadline) }
}

extension QueueSenderCore {
    /// The largest payload that one record ever takes.
    @inlinable var largestPayload: Int { RecordGeometry.largestPayload(ring: Int(ringSize), alignment: alignment) }

    /// Bytes of payload that one record takes now, as far as is known.
    @usableFromInline var freePayload: Int { max(0, Int(ringSize &- (position &- consumed)) - 3 * alignment) }
}
