import CInterprocess
import InterprocessSystem

/// The sending side of a queue, for messages of any type: where the ring is, what is free, and publishing.
///
/// **Source** the record ring of decision record 0001. `SYNC queue.publish`: release of the header ⇄ acquire in ``QueueReceiverCore``.
/// `SYNC queue.take`: release of `consumed` there
/// ⇄ acquire here.
@frozen @safe
@usableFromInline
struct QueueSenderCore: ~Copyable {
    @usableFromInline let ring: UnsafeMutableRawPointer
    @usableFromInline let ringSize: UInt64
    /// Where the next record goes: bytes since the queue was made, and the same in the ring.
    @usableFromInline var position: UInt64
    @usableFromInline var offset: UInt64
    /// The sequence number of the next message.
    @usableFromInline var sequence: UInt64
    /// What is known of the receiver's progress; it may be further.
    @usableFromInline var consumed: UInt64
    @usableFromInline var waker: Waker
    /// True when the receiver has been seen to end; then ``consumed`` is such that nothing has room, so that each call looks.
    var mustLook = false
    @usableFromInline let session: QueueSession
    @usableFromInline let alignment: Int
    let elementSize: Int
    /// The receiver's session when this sender came, or whose ending is known; later ones are news.
    var knownReceiver: UInt32
    /// The record that says that this session begins is still to be written: there was no room.
    var owesControl = true
    /// The impossible field that was found when the oldest messages were to be dropped.
    var damage: String?

    init(_ session: QueueSession, alignment: Int, elementSize: Int) throws(InterprocessError) {
        self.session = session
        self.alignment = alignment
        self.elementSize = elementSize
        unsafe ring = session.ring
        ringSize = UInt64(session.words.ringRange.count)
        waker = Waker(
            flags: session.words.receiverFlags, event: session.words.receiverEvent, isOneOfMany: session.words.isLane)
        let walk = QueueWalk(session.words, alignment: alignment, elementSize: elementSize)
        let tail: QueueWalk.Place
        do throws(QueueDamage) {
            tail = try walk.tail()
        } catch {
            session.close()
            throw InterprocessError(
                .damaged, "open", session.segment.name?.description ?? "anonymous queue",
                "the queue is damaged (field '\(error.field)'); remove it and create it anew")
        }
        position = tail.position
        offset = tail.position % ringSize
        sequence = tail.sequence
        consumed = walk.consumed
        let receiver = session.other.current
        knownReceiver = receiver.holder == nil ? receiver.session : (receiver.session &- 1) & RoleWord.sessionMask
        payControl()
    }

    /// A place for a record of `size` bytes, or nil if there is no room yet. The record is published by ``publish(_:_:)``.
    @inlinable @inline(__always)
    mutating func place(_ size: Int, alignment: Int) -> UnsafeMutableRawPointer? {
        let end = position &+ UInt64(truncatingIfNeeded: size &+ alignment)
        if end &- consumed > ringSize {
            guard makeRoom(size) else { return nil }
        }
        return unsafe ring + Int(truncatingIfNeeded: offset)
    }

    /// Publishes the record at ``place(_:alignment:)``: its payload is written. False in a forked child, where nobody else sees it.
    @inlinable @inline(__always) @discardableResult
    mutating func publish(_ header: RecordHeader, size: Int, alignment: Int, messages: UInt64) -> Bool {
        let record = unsafe ring + Int(truncatingIfNeeded: offset)
        // The place after this record first: what stands there of old must not be taken for a header.
        unsafe SharedUInt64(at: record + (size &+ alignment &- 8)).storeRelaxed(0)
        unsafe SharedUInt64(at: record + (alignment &- 8)).storeRelease(header.word)
        position &+= UInt64(truncatingIfNeeded: size)
        offset &+= UInt64(truncatingIfNeeded: size)
        if offset >= ringSize { offset &-= ringSize }
        sequence &+= messages
        ipc_compiler_fence()
        return waker.needsAttention ? attend() : true
    }

    /// After publishing, when the receiver sleeps or has ended, or the flags are not the queue's but a forked child's zeroes: then false.
    @usableFromInline
    mutating func attend() -> Bool {
        let seen = waker.attend()
        let isShared = seen & WaitFlags.open != 0
        if !isShared || seen & WaitFlags.ended != 0 { lookNextTime() }
        return isShared
    }

    /// Makes the next call look at the receiver first.
    private mutating func lookNextTime() {
        mustLook = true
        consumed = position &- ringSize
    }

    /// Looks at the receiver's progress. True if a record of `size` bytes has room and nothing else needs attention.
    @usableFromInline
    mutating func makeRoom(_ size: Int) -> Bool {
        if mustLook {
            if session.isDetached { return false }
            guard lookAtReceiver() == nil else { return false }
            mustLook = false
        }
        consumed = session.consumed
        if owesControl { payControl() }
        if session.overflow == .dropOldest { dropOldest(for: size) }
        return !owesControl && hasRoom(size)
    }

    func hasRoom(_ size: Int) -> Bool { position &+ UInt64(size + alignment) &- consumed <= ringSize }

    /// Publishes the record that says that this session begins and how the one before ended.
    mutating func payControl() {
        guard owesControl, hasRoom(alignment) else { return }
        owesControl = false
        if session.before.session == 0 { return }  // the first session of all follows none
        publish(RecordHeader(session: session.role.session, previous: session.before), size: alignment, alignment: alignment, messages: 0)
    }

    /// The failure to report because of the receiver's end; nil while it is there, or has not come yet.
    mutating func lookAtReceiver() -> EndedReceiver? {
        let isLane = session.words.isLane
        // The flag goes first: an ending after this sets it again. That of all lanes stays until there is a receiver.
        if !isLane || session.other.current.holder != nil { session.words.receiverFlags.clearBits(WaitFlags.ended) }
        _ = session.endDeadOther()
        let role = session.lookAtOther()
        // It has ended since the flag was taken away, which another lane's sender may not have seen.
        if isLane && role.ending != .none { session.words.receiverFlags.setBits(WaitFlags.ended) }
        if role.holder != nil || role.session == 0 || !role.session.isSession(after: knownReceiver) { return nil }
        return role.ending == .died ? .died(session.notice(of: role.peer)) : .closed
    }

    enum EndedReceiver { case closed, died(DeathNotice) }

    /// Why there is no room for `size` bytes, when it is not simply that the queue is full.
    mutating func failure() -> SendFailure? {
        if session.isDetached { return .detached }
        switch lookAtReceiver() {
        case .closed:
            lookNextTime()
            return .closed
        case .died(let notice):
            lookNextTime()
            return .peerDied(notice)
        case nil: break
        }
        if let damage { return .damaged(damage) }
        if position &- session.consumed > ringSize { return .damaged("consumed") }
        return nil
    }

    /// The point that `consumed` must reach before a sleeping sender is woken: enough for the record, and half of the queue if there is
    /// that much to wait for.
    private func wanted(for size: Int) -> UInt64 {
        let consumed = session.consumed
        let full = position &- consumed
        guard full <= ringSize else { return position }
        let control = owesControl ? alignment : 0
        let needed = position &+ UInt64(size + alignment + control) &- ringSize
        let isNeeded = Int64(bitPattern: needed &- consumed) > 0 ? needed : consumed
        // Many lanes' senders share the processors: each wake-up is to let one send for long.
        let enough = consumed &+ (session.words.isLane ? full / 8 &* FanInSegment.eighthsWanted : full / 2)
        return Int64(bitPattern: enough &- isNeeded) > 0 ? enough : isNeeded
    }

    /// Messages that are published and not taken; of a damaged queue none.
    var waiting: UInt64 {
        let walk = QueueWalk(session.words, alignment: alignment, elementSize: elementSize)
        guard let head = try? walk.head().place else { return 0 }
        return head.sequence > sequence ? 0 : sequence - head.sequence
    }

    private func hasReached(_ wanted: UInt64) -> Bool { Int64(bitPattern: session.consumed &- wanted) >= 0 }

    /// One step of waiting for room: nil to try again, or a reason to give up: `full` only if the queue drops the newest.
    @usableFromInline
    mutating func waitForRoom(_ size: Int, _ strategy: WaitStrategy, until deadline: Deadline) -> SendFailure? {
        if let failure = failure() { return failure }
        mustLook = false
        if makeRoom(size) { return nil }
        if session.overflow != .wait { return failure() ?? .full }
        if deadline.hasPassed { return .deadline }
        let least = position &+ UInt64(size + alignment + (owesControl ? alignment : 0)) &- ringSize
        // A full queue is waited for until an eighth of it is free: to follow the receiver message by message would cost both of them a
        // cache
        // line's way for each.
        let consumed = session.consumed
        let eighth = consumed &+ (position &- consumed) / 8
        let eager = Int64(bitPattern: eighth &- least) > 0 ? eighth : least
        if strategy == .spin || !session.words.isCrowded,
            session.poll(strategy, deadline, isReady: { hasReached(eager) }) || hasReached(least)
        {
            return nil
        }
        if let words = prepareToSleep(size) {
            words.sleep(until: deadline)
            session.sleeper.cancel()
        }
        return nil
    }

    /// Announces a sleep until there is room; nil if there is something to do first.
    func prepareToSleep(_ size: Int) -> SleepWords? {
        let wanted = wanted(for: size)
        session.words.senderWants.storeRelaxed(wanted)
        return session.prepareToSleep(isReady: { hasReached(wanted) })
    }

    /// Waits until the receiver has taken everything that was published; nil when it has, or the reason why that will not be.
    mutating func waitUntilTaken(_ strategy: WaitStrategy, until deadline: Deadline) -> SendFailure? {
        while true {
            if owesControl { payControl() }
            let isComplete = !owesControl
            if isComplete && hasReached(position) { return nil }
            if let failure = failure() { return isComplete && hasReached(position) ? nil : failure }
            if deadline.hasPassed { return .deadline }
            if session.poll(strategy, deadline, isReady: { hasReached(position) }) { continue }
            session.words.senderWants.storeRelaxed(position)
            if let words = session.prepareToSleep(isReady: { hasReached(position) }) {
                words.sleep(until: deadline)
                session.sleeper.cancel()
            }
        }
    }

    /// Waits until a receiver has joined.
    mutating func waitForReceiver(until deadline: Deadline) -> Bool {
        while true {
            _ = session.endDeadOther()
            let role = session.lookAtOther()
            if role.holder != nil {
                knownReceiver = (role.session &- 1) & RoleWord.sessionMask
                mustLook = false
                return true
            }
            if deadline.hasPassed || session.isDetached { return false }
            if let words = session.prepareToSleep(isReady: { false }) {
                words.sleep(until: deadline)
                session.sleeper.cancel()
            }
        }
    }
}
