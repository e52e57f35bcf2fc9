import InterprocessSystem

/// The receiving side of a queue from one sender, for values of one type.
///
/// ```swift
/// var receiver = try Receiver<Reading>(from: "readings")
/// while let reading = try receiver.receive() { print(reading.celsius) }
/// ```
///
/// A queue has one receiver at a time; another may follow when this one has closed or died, and goes on with the first message that was not
/// received. When the value ends, the receiver closes.
///
/// **Memory order** `SYNC queue.take`: release of `consumed` ⇄ acquire by the sender.
/// **Death** Killed before the store of `consumed`, the message is there for the next receiver; after it, it has been received. What the
/// sender is told: `peerDied`.
/// **Progress** ``tryReceive()`` is wait-free but for the ends of sessions. ``receive(until:)`` blocks in a futex. No system call unless
/// the sender sleeps.
@frozen
public struct Receiver<Element: Shareable>: ~Copyable, @unchecked Sendable {
    @usableFromInline var core: QueueReceiverCore
    /// How ``receive(until:)`` waits.
    public var strategy: WaitStrategy

    @usableFromInline static var alignment: Int {
        @inlinable @inline(__always) get { RecordGeometry.alignment(for: MemoryLayout<Element>.alignment) }
    }
    @usableFromInline static var recordSize: Int {
        @inlinable @inline(__always) get { RecordGeometry.size(payload: MemoryLayout<Element>.stride, alignment: alignment) }
    }

    /// Opens the queue `name` as its receiver; makes it if there is none. Parameters and errors are those of
    /// ``Sender/init(to:capacity:options:strategy:)``.
    public init(from name: ObjectName, capacity: Int? = nil, options: QueueOptions = QueueOptions(), strategy: WaitStrategy = .adaptive)
        throws(InterprocessError)
    {
        let segment = try QueueSegment.open(name, ElementDescription(of: Element.self), capacity: capacity, options)
        try self.init(segment, strategy, options.overflow)
    }

    init(_ segment: Segment, _ strategy: WaitStrategy, _ overflow: QueueOverflow?) throws(InterprocessError) {
        core = try QueueReceiverCore(
            try QueueSession(segment, .receiver, overflow: overflow), alignment: Self.alignment, elementSize: MemoryLayout<Element>.stride)
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

    /// Receives the next message; waits until there is one, or until `deadline`. Nil when the sender has closed and everything was
    /// received.
    ///
    /// O(1). After an end (nil or `peerDied`) the same is said again until another sender joins; ``waitForSender(until:)`` waits for that.
    ///
    /// - Throws: ``ReceiveError``: `deadline`, `peerDied`, `detached`, `damaged`.
    @inlinable @inline(__always)
    public mutating func receive(until deadline: Deadline = .never) throws(ReceiveError) -> Element? {
        if let element = takeSingle() { return element }
        if core.pollBriefly(strategy), let element = takeSingle() { return element }
        return try receiveSlowly(until: deadline)
    }

    /// Receives the next message if there is one now; nil if not. O(1), never blocks.
    ///
    /// - Throws: ``ReceiveError``: `closed`, `peerDied`, `damaged`, `detached`.
    @inlinable @inline(__always)
    public mutating func tryReceive() throws(ReceiveError) -> Element? {
        if let element = takeSingle() { return element }
        return try tryReceiveSlowly()
    }

    @inlinable @inline(__always)
    mutating func takeSingle() -> Element? { core.takeSingle(Element.self) }

    @inlinable
    mutating func takeFromBatch() -> Element? { core.takeFromBatch(Element.self) }

    @usableFromInline
    mutating func tryReceiveSlowly() throws(ReceiveError) -> Element? {
        switch core.look() {
        case .payload(let bytes, let headerSize):
            core.enter(bytes, after: headerSize)
            return takeFromBatch()
        case .nothing:
            if core.session.isDetached { throw .detached }
            return nil
        case .end(.closed): throw .closed
        case .end(.died(let notice)): throw .peerDied(notice)
        case .damaged(let field): throw .damaged(field)
        }
    }

    @usableFromInline
    mutating func receiveSlowly(until deadline: Deadline) throws(ReceiveError) -> Element? {
        guard try waitForPayload(until: deadline) else { return nil }
        return takeFromBatch()
    }

    /// Waits until there is a message at the current place, and enters its record. False at the sender's end.
    @inlinable @inline(__always)
    mutating func waitForPayload(until deadline: Deadline) throws(ReceiveError) -> Bool {
        if core.remaining != 0 && core.isShared { return true }
        let header = core.header(alignment: Self.alignment)
        // A batch as long as the last one, as its header says in one comparison. The place of the record after it then follows from what is known already, not
        // from the header: so the processor fetches the next header while this one is still on its way.
        let usual = core.usualLength
        if header == RecordHeader(length: Int(truncatingIfNeeded: usual), sequence: core.sequence) {
            core.enter(usual, after: UInt64(Self.alignment))
            return true
        }
        if let length = core.batchLength(header, elementSize: MemoryLayout<Element>.stride) {
            core.usualLength = length
            core.enter(length, after: UInt64(Self.alignment))
            return true
        }
        return try waitForPayloadSlowly(until: deadline)
    }

    @usableFromInline
    mutating func waitForPayloadSlowly(until deadline: Deadline) throws(ReceiveError) -> Bool {
        if !core.hasSomething { _ = core.pollBriefly(strategy) }
        while true {
            switch core.look() {
            case .payload(let bytes, let headerSize):
                core.enter(bytes, after: headerSize)
                return true
            case .nothing: if let error = core.waitForMessage(strategy, until: deadline) { throw error }
            case .end(.closed): return false
            case .end(.died(let notice)): throw .peerDied(notice)
            case .damaged(let field): throw .damaged(field)
            }
        }
    }

    /// Lets `body` read the next messages where they are, as many as were sent as one batch and at most `count`. They are received when
    /// `body` returns; if it throws, or the process is
    /// killed in it, they are still there. Waits until there is one, or until `deadline`; nil when the sender has closed.
    ///
    /// - Parameter count: at least 1, which is a precondition.
    /// - Throws: ``ReceiveError`` as ``receive(until:)``. An error of `body`'s comes out of the result.
    @inlinable
    public mutating func receiveBatch<R, E: Error>(
        upTo count: Int = .max, until deadline: Deadline = .never, _ body: (Span<Element>) throws(E) -> R
    ) throws(ReceiveError) -> Result<R, E>? {
        precondition(count > 0, "receiveBatch(upTo:): the count must be at least 1")
        guard try waitForPayload(until: deadline) else { return nil }
        let size = MemoryLayout<Element>.stride
        let number = min(count, Int(core.remaining) / size)
        let start = unsafe (core.ring + Int(core.offset)).assumingMemoryBound(to: Element.self)
        let span = unsafe Span(_unsafeStart: start, count: number)
        do throws(E) {
            let result = try body(span)
            core.takeFromBatch(bytes: UInt64(number * size), messages: UInt64(number), alignment: UInt64(Self.alignment))
            return .success(result)
        } catch {
            return .failure(error)
        }
    }

    /// Waits until a sender has joined or there is something to receive, or until `deadline`; whether it is so. False at once in a forked child.
    public mutating func waitForSender(until deadline: Deadline = .never) -> Bool { core.waitForSender(until: deadline) }
}

extension QueueReceiverCore {
    /// The usual case: a record of one message, as its header says in one comparison.
    @inlinable @inline(__always)
    mutating func takeSingle<Element: Shareable>(_ type: Element.Type) -> Element? {
        if remaining != 0 { return takeFromBatch(type) }
        let alignment = RecordGeometry.alignment(for: MemoryLayout<Element>.alignment)
        guard header(alignment: alignment) == RecordHeader(length: MemoryLayout<Element>.stride, sequence: sequence) else { return nil }
        let element = unsafe (ring + (Int(truncatingIfNeeded: offset) &+ alignment)).load(as: Element.self)
        let size = RecordGeometry.size(payload: MemoryLayout<Element>.stride, alignment: alignment)
        moveOn(bytes: UInt64(truncatingIfNeeded: size), messages: 1, remaining: 0)
        return element
    }

    /// The next message of the batch at the current place.
    @inlinable
    mutating func takeFromBatch<Element: Shareable>(_ type: Element.Type) -> Element? {
        guard isShared else { return nil }
        let size = MemoryLayout<Element>.stride
        let element = unsafe (ring + Int(truncatingIfNeeded: offset)).load(as: Element.self)
        let alignment = RecordGeometry.alignment(for: MemoryLayout<Element>.alignment)
        takeFromBatch(bytes: UInt64(size), messages: 1, alignment: UInt64(alignment))
        return element
    }

    /// Goes past the header of the record at the current place, in this process only: nothing is taken yet, and nobody sees it.
    ///
    /// - Parameter bytes: the payload's size as ``look()`` has checked it.
    @inlinable @inline(__always)
    mutating func enter(_ bytes: UInt64, after headerSize: UInt64) {
        position &+= headerSize
        offset &+= headerSize
        if offset >= ringSize { offset &-= ringSize }
        remaining = bytes
    }

    /// False in a forked child, where the rest of a batch that its parent was in is zeroes: it is left at once.
    @inlinable @inline(__always)
    var isShared: Bool {
        mutating get {
            if waker.flags.loadRelaxed() & WaitFlags.open != 0 { return true }
            remaining = 0
            return false
        }
    }

    /// The payload's size if `header` is that of the next data record, checked as ``look()`` does; nil for everything else.
    @inlinable @inline(__always)
    func batchLength(_ header: RecordHeader, elementSize: Int) -> UInt64? {
        let length = header.word & RecordHeader.lengthMask
        guard header.word &- length == RecordHeader(length: 0, sequence: sequence).word, length != 0, length <= UInt64(largestPayload),
            length % UInt64(truncatingIfNeeded: elementSize) == 0
        else { return nil }
        return length
    }

    @inlinable var largestPayload: Int { RecordGeometry.largestPayload(ring: Int(truncatingIfNeeded: ringSize), alignment: alignment) }

    /// Takes `bytes` of the batch at the current place; at its end, its padding too.
    @inlinable
    mutating func takeFromBatch(bytes: UInt64, messages: UInt64, alignment: UInt64) {
        let left = remaining &- bytes
        let padding = left == 0 ? (0 &- (position &+ bytes)) & (alignment &- 1) : 0
        take(bytes: bytes &+ padding, messages: messages, remaining: left)
    }
}
