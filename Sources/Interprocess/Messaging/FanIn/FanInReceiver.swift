import InterprocessSystem

/// The receiving side of a fan-in queue: many senders, each with a lane of its own, and one receiver; for values of one type.
///
/// ```swift
/// var receiver = try FanInReceiver<Reading>(from: "readings")
/// while let reading = try receiver.receive() { print(reading.celsius) }
///
/// var sender = try Sender<Reading>(toFanIn: "readings")      // in each of the other processes
/// try sender.send(Reading(sensor: 1, celsius: 21.5))
/// ```
///
/// No two senders write the same cache line, so that they do not hold each other up; what is sent by one comes in its order, and between senders no order is promised. The receiver goes round the
/// lanes, and takes at most half a lane before it goes on. Senders come and go; a lane that one has left is the next one's, also before everything in it was received.
///
/// A queue has one receiver at a time; another may follow when this one has closed or died, and goes on in each lane with the first message that was not received. When the value ends, the receiver closes.
///
/// **Layout** "fan-in queue". It takes 4,096 bytes for the header; rounded up to pages each, 128 for each of `maximumSenders` + 8 peers and 512 + 1,024 for each lane; and the lanes' rings, 64 KiB each unless
/// a capacity is given. A ring's memory is had when the first sender claims its lane.
/// **Memory order** `SYNC queue.publish`, `SYNC queue.take`, of each lane.
/// **Death** of a sender: what it had published will be received; then ``receive(until:)`` throws `peerDied`, once for each death, and goes on with the others. Of the receiver: a
/// message is received with the store of its lane's `consumed`, after it was copied or its body has returned; killed before, it is there for the next receiver.
/// **Progress** ``tryReceive()`` does not wait for anybody. ``receive(until:)`` blocks in a futex. No system call unless a sender sleeps.
/// **Trust** A lane whose words are impossible is reported once, as `damaged`, and left alone from then on; the others are received.
/// **Source** decision record 0013.
@safe
public struct FanInReceiver<Element: Shareable>: ~Copyable, @unchecked Sendable {
    @usableFromInline let lanes: FanInLanes
    /// The lane that is taken from, up to a position in it; nil before the first message.
    @usableFromInline var current: UnsafeMutablePointer<QueueReceiverCore>?
    @usableFromInline var limit: UInt64 = 0
    /// How ``receive(until:)`` waits.
    public var strategy: WaitStrategy

    /// Opens the fan-in queue `name` as its receiver; makes it if there is none. Parameters and errors are those of
    /// ``Sender/init(toFanIn:capacity:options:strategy:)``; `busy` if it has a living receiver.
    public init(
        from name: ObjectName, capacity: Int? = nil, options: FanInOptions = FanInOptions(), strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        let segment = try FanInSegment.open(name, ElementDescription(of: Element.self), capacity: capacity, options)
        lanes = try FanInLanes(
            segment, alignment: RecordGeometry.alignment(for: MemoryLayout<Element>.alignment), elementSize: MemoryLayout<Element>.stride)
        self.strategy = strategy
    }

    deinit { lanes.close() }

    /// Gives the role up: the senders are told. What was not received stays for the next receiver. Also done when the value ends.
    public consuming func close() {}

    /// How many senders there can be at once.
    public var maximumSenders: Int { lanes.words.shape.lanes }

    /// How many messages wait, in all lanes. O(messages): it walks over them; a moment later there may be more. Of a damaged queue none.
    public var waiting: UInt64 { lanes.waiting }

    /// The segment that the queue lives in, with its peers and their deaths.
    public var segment: Segment { lanes.segment }

    /// Receives the next message; waits until there is one, or until `deadline`. Nil when every sender that has come has closed or died, and everything was received.
    ///
    /// O(1) in a lane, O(lanes in use) from one lane to the next. After the end the same is said again until another sender joins. A receiver that comes when another one was told of
    /// the end waits for the next sender.
    ///
    /// - Throws: ``ReceiveError``: `deadline`; `peerDied`, once for each sender that has died, when all that it had published was received; `detached`; `damaged`.
    @inlinable @inline(__always)
    public mutating func receive(until deadline: Deadline = .never) throws(ReceiveError) -> Element? {
        if let element = takeSingle() { return element }
        return try receiveSlowly(until: deadline)
    }

    /// Receives the next message if there is one now; nil if not. Never blocks.
    ///
    /// - Throws: ``ReceiveError``: `closed` at the end that ``receive(until:)`` says nil for; `peerDied`, `damaged`, `detached`.
    @inlinable @inline(__always)
    public mutating func tryReceive() throws(ReceiveError) -> Element? {
        if let element = takeSingle() { return element }
        return try tryReceiveSlowly()
    }

    /// The usual case: the next message of the lane that is taken from.
    @inlinable @inline(__always)
    mutating func takeSingle() -> Element? {
        guard let core = unsafe current, unsafe Int64(bitPattern: limit &- core.pointee.position) > 0 else { return nil }
        return unsafe core.pointee.takeSingle(Element.self)
    }

    @usableFromInline
    mutating func receiveSlowly(until deadline: Deadline) throws(ReceiveError) -> Element? {
        guard try enter(lanes.wait(strategy, until: deadline)) else { return nil }
        return takeFromBatch()
    }

    @usableFromInline
    mutating func tryReceiveSlowly() throws(ReceiveError) -> Element? {
        guard let found = lanes.tryNext() else { return nil }
        guard try enter(found) else { throw .closed }
        return takeFromBatch()
    }

    /// Makes the lane of the message that was found the current one. False at the end.
    mutating func enter(_ found: FanInLanes.Found) throws(ReceiveError) -> Bool {
        switch found {
        case .payload(let core, let bytes, let headerSize):
            unsafe current = core
            limit = unsafe core.pointee.position &+ core.pointee.ringSize / FanInSegment.turn
            unsafe core.pointee.enter(bytes, after: headerSize)
            return true
        case .end: return false
        case .failed(let error): throw error
        }
    }

    func takeFromBatch() -> Element? { unsafe current?.pointee.takeFromBatch(Element.self) }

    /// Lets `body` read the next messages where they are, as many as were sent as one batch and at most `count`. They are received when `body` returns; if it throws, or the process is
    /// killed in it, they are still there. Waits until there is one, or until `deadline`; nil at the end.
    ///
    /// - Parameter count: at least 1, which is a precondition.
    /// - Throws: ``ReceiveError`` as ``receive(until:)``. An error of `body`'s comes out of the result.
    public mutating func receiveBatch<R, E: Error>(
        upTo count: Int = .max, until deadline: Deadline = .never, _ body: (Span<Element>) throws(E) -> R
    ) throws(ReceiveError) -> Result<R, E>? {
        precondition(count > 0, "receiveBatch(upTo:): the count must be at least 1")
        guard try enter(lanes.wait(strategy, until: deadline)), let core = unsafe current else { return nil }
        guard unsafe core.pointee.isShared else { throw .detached }
        let size = MemoryLayout<Element>.stride
        let number = unsafe min(count, Int(core.pointee.remaining) / size)
        let start = unsafe (core.pointee.ring + Int(core.pointee.offset)).assumingMemoryBound(to: Element.self)
        let span = unsafe Span(_unsafeStart: start, count: number)
        do throws(E) {
            let result = try body(span)
            unsafe core.pointee.takeFromBatch(
                bytes: UInt64(number * size), messages: UInt64(number), alignment: UInt64(core.pointee.alignment))
            return .success(result)
        } catch {
            return .failure(error)
        }
    }

    /// Receives the next message; suspends until there is one, or until `deadline`. Nil at the end.
    ///
    /// - Throws: ``ReceiveError``: `cancelled`, or what the blocking form throws.
    public mutating func receive(until deadline: Deadline = .never) async throws(ReceiveError) -> Element? {
        if let element = takeSingle() { return element }
        guard try enter(await lanes.suspend(until: deadline)) else { return nil }
        return takeFromBatch()
    }

    /// The messages as a sequence, which takes the receiver over: it ends when every sender that has come has closed, and throws ``ReceiveError/peerDied(_:)`` when one has died. To go on with the others
    /// after a death, call ``receive(until:)`` instead.
    public consuming func messages() -> some AsyncSequence<Element, ReceiveError> { MessageSequence(self) }
}

extension FanInReceiver: MessageSource {
    mutating func nextMessage() async throws(ReceiveError) -> Element? { try await receive() }
}

extension FanInLanes {
    /// Messages that wait in all lanes; of a damaged queue none.
    var waiting: UInt64 { (try? FanInSegment.statistics(segment.mapping, ""))?.waiting ?? 0 }
}
