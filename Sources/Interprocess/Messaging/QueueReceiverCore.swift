import CInterprocess
import InterprocessSystem

/// The receiving side of a queue, for messages of any type: where the next message is, and taking it.
///
/// **Trust** a header is read once; the fast path compares it with the one value that the next single message must have, and everything
/// else is checked in ``look(_:)``.
@frozen @safe
@usableFromInline
struct QueueReceiverCore: ~Copyable {
    @usableFromInline let ring: UnsafeMutableRawPointer
    @usableFromInline let ringSize: UInt64
    /// Where the next message is: bytes since the queue was made, and the same in the ring.
    @usableFromInline var position: UInt64
    @usableFromInline var offset: UInt64
    /// The sequence number of the next message.
    @usableFromInline var sequence: UInt64
    /// Bytes left of the batch record that `position` is in; 0: a header stands there.
    @usableFromInline var remaining: UInt64
    @usableFromInline let consumed: SharedUInt64
    /// The progress entry that is to be written next; the other one is in force.
    @usableFromInline var next: ProgressEntry
    @usableFromInline var waker: Waker
    /// The length of the last batch that was received in place, which the next probably has too; never 0.
    @usableFromInline var usualLength: UInt64
    @usableFromInline let session: QueueSession
    @usableFromInline let alignment: Int
    let elementSize: Int
    /// If the queue drops the oldest: how records get into the ring that this core reads, which is then a private one.
    let dropping: DroppingReader?
    /// Of a lane: what its sleeping sender wants.
    private let laneWants: SharedUInt64?
    private var backOff: BackOff
    /// The session of the last control record.
    private var heard: UInt32?
    /// The sender's session whose ending this receiver has reported itself: it goes on reporting it until another sender comes.
    private var ended: (session: UInt32, ending: End)?

    init(_ session: QueueSession, alignment: Int, elementSize: Int) throws(InterprocessError) {
        self.session = session
        backOff = BackOff()
        usualLength = UInt64(max(elementSize, 1))
        self.alignment = alignment
        self.elementSize = elementSize
        ringSize = UInt64(session.words.ringRange.count)
        laneWants = session.words.isLane ? session.words.senderWants : nil
        waker = Waker(flags: session.words.senderFlags, event: session.words.senderEvent)
        do throws(QueueDamage) {
            let walk = QueueWalk(session.words, alignment: alignment, elementSize: elementSize)
            let (head, index) = try walk.head()
            position = head.position
            sequence = head.sequence
            remaining = head.remaining
            if session.overflow == .dropOldest {
                let dropping = DroppingReader(session.words, session.segment.mapping, walk, alignment: alignment)
                unsafe ring = dropping.ring
                consumed = dropping.unreadConsumed
                next = dropping.unreadEntry
                offset = 0
                self.dropping = dropping
            } else {
                unsafe ring = session.ring
                consumed = session.words.consumed
                next = session.words.progress(1 - index)
                offset = head.position % ringSize
                dropping = nil
            }
        } catch {
            session.close()
            throw InterprocessError(
                .damaged, "open", session.segment.name?.description ?? "anonymous queue",
                "the queue is damaged (field '\(error.field)'); remove it and create it anew")
        }
    }

    /// The header at the current place.
    @inlinable @inline(__always)
    func header(alignment: Int) -> RecordHeader {
        unsafe RecordHeader(word: SharedUInt64(at: ring + (Int(truncatingIfNeeded: offset) &+ alignment &- 8)).loadAcquire())
    }

    /// Takes what is before the new place: one store. The sender may write there from now on.
    ///
    /// - Parameters:
    ///   - bytes: from the current place to the new one.
    ///   - messages: how many messages they hold.
    ///   - remaining: bytes of the batch that the new place is in.
    @inlinable @inline(__always)
    mutating func take(bytes: UInt64, messages: UInt64, remaining: UInt64) {
        self.remaining = remaining
        moveOn(bytes: bytes, messages: messages, remaining: remaining)
    }

    /// The same, when the bytes that remain are known to be what they were: one store less for each message.
    @inlinable @inline(__always)
    mutating func moveOn(bytes: UInt64, messages: UInt64, remaining: UInt64) {
        position &+= bytes
        offset &+= bytes
        if offset >= ringSize { offset &-= ringSize }
        sequence &+= messages
        next.position.storeRelaxed(position)
        next.sequence.storeRelaxed(sequence)
        next.remaining.storeRelaxed(remaining)
        // SYNC queue.take: after everything that was read of the message.
        consumed.storeRelease(position)
        next.turn()
        ipc_compiler_fence()
        if waker.needsAttention { attend() }
    }

    /// After taking, when the sender sleeps: wakes it if it has what it wants.
    ///
    /// A lane's sender mostly sleeps, and wants much. Its sleep always begins with a barrier, between saying what it wants and looking at `consumed`: so a look without a fence that finds less taken than
    /// it wants is enough. Either it comes after the barrier and has seen what is wanted now, or `consumed` was stored before it, and the sender sees that.
    @usableFromInline
    mutating func attend() {
        if let laneWants {
            let seen = waker.flags.loadAcquire() & WaitFlags.stateMask
            if seen & (WaitFlags.sleeping | WaitFlags.fence) == WaitFlags.sleeping,
                Int64(bitPattern: position &- laneWants.loadRelaxed()) < 0
            {
                return
            }
        }
        wakeSender(at: position)
    }

    private mutating func wakeSender(at position: UInt64) {
        let wanted = session.words.senderWants
        _ = waker.attend { Int64(bitPattern: position &- wanted.loadRelaxed()) >= 0 }
    }

    /// Wakes a sender that waits until everything was taken or dropped, after `consumed` has moved without a message.
    private mutating func wakeSenderAfterDrops() {
        if waker.needsAttention { wakeSender(at: session.consumed) }
    }

    /// What is at the current place.
    @usableFromInline
    enum Found {
        /// A message, or the rest of a batch: this many bytes of payload at the current place plus `headerSize`.
        case payload(bytes: UInt64, headerSize: UInt64)
        case nothing
        case end(End)
        case damaged(String)
    }

    @usableFromInline
    enum End: Sendable { case closed, died(DeathNotice) }

    /// Looks at the current place, whatever is there. Passes control records. O(1) but for those.
    @usableFromInline
    mutating func look() -> Found {
        while true {
            if remaining > 0 { return .payload(bytes: remaining, headerSize: 0) }
            let header = header(alignment: alignment)
            if header.word == 0 {
                if let dropping {
                    offset = 0
                    switch dropping.next() {
                    case .record(let place, let end):
                        begin(place, end: end)
                        continue
                    case .control(let header, let seen, let after):
                        guard isPossible(header) else { return .damaged("header") }
                        let end = hearControl(header)
                        // If the sender has dropped it meanwhile, it says it again.
                        if !dropping.pass(seen, to: after) { heard = nil }
                        wakeSenderAfterDrops()
                        if let end { return .end(end) }
                        continue
                    case .damaged(let field): return .damaged(field)
                    case .nothing: wakeSenderAfterDrops()
                    }
                }
                if let end = endOfSession() { return .end(end) }
                // A message published before the ending was, and not yet seen above, comes first.
                if hasSomething { continue }
                return .nothing
            }
            guard header.isPublished else { return .damaged("header") }
            if header.isControl {
                guard isPossible(header) else { return .damaged("header") }
                let end = hearControl(header)
                take(bytes: UInt64(alignment), messages: 0, remaining: 0)
                if let end { return .end(end) }
                continue
            }
            guard header.check == sequence & RecordHeader.checkMask else { return .damaged("header.sequence") }
            let length = header.length
            guard length <= RecordGeometry.largestPayload(ring: Int(ringSize), alignment: alignment) else {
                return .damaged("header.length")
            }
            guard elementSize == 0 || length > 0 && length % elementSize == 0 else { return .damaged("header.length") }
            ended = nil
            return .payload(bytes: UInt64(length), headerSize: UInt64(alignment))
        }
    }

    /// A record that was taken into the private ring is the next one to read.
    private mutating func begin(_ place: QueueWalk.Place, end: UInt64) {
        position = place.position
        sequence = place.sequence
        ipc_compiler_fence()
        if waker.needsAttention { wakeSender(at: end) }
    }

    /// Whether this can be the next record that says that a session begins: one that had come by now, after the last one that was heard of, and
    /// that follows an ended one. So no pattern of bytes leads round the ring for ever.
    private func isPossible(_ control: RecordHeader) -> Bool {
        let session = UInt32(control.check)
        guard control.followsEnding, !session.isSession(after: self.session.other.current.session)
        else { return false }
        return heard.map { session.isSession(after: $0) } ?? true
    }

    /// Notes what the record that says that a session begins has to say; to be called before the record is taken. Returns the ending of the
    /// session before if nobody has been told.
    private mutating func hearControl(_ header: RecordHeader) -> End? {
        let session = UInt32(header.check)
        let previous = (session &- 1) & RoleWord.sessionMask
        heard = session
        ended = nil
        guard previous.isSession(after: reported) else { return nil }
        self.session.words.reported.storeRelease(UInt64(previous))
        return header.previousEnding == .died ? .died(self.session.notice(of: PeerID(rawValue: header.previousPeerBits))) : .closed
    }

    private var reported: UInt32 { UInt32(truncatingIfNeeded: session.words.reported.loadAcquire()) & RoleWord.sessionMask }

    /// The ending to report when nothing is left: of the last session, or of the one before if the new sender has not said so itself.
    private mutating func endOfSession() -> End? {
        _ = session.endDeadOther()
        let role = session.lookAtOther()
        guard role.session != 0 else { return nil }
        // What was published before the role's word was changed is visible now: it comes first.
        guard !hasSomething else { return nil }
        let ending: End
        let session: UInt32
        if role.ending != .none {
            (session, ending) = (role.session, role.ending == .died ? .died(self.session.notice(of: role.peer)) : .closed)
            if let ended, ended.session == session { return ended.ending }
        } else if role.before != .none {
            session = (role.session &- 1) & RoleWord.sessionMask
            // Who it was stands in the control record that the new sender owes; here only how it ended is known.
            ending = role.before == .died ? .died(self.session.notice(of: nil)) : .closed
        } else {
            return nil
        }
        guard session.isSession(after: reported) else { return nil }
        self.session.words.reported.storeRelease(UInt64(session))
        if role.ending != .none { ended = (session, ending) }
        return ending
    }

    /// Looks for a message for about a microsecond, before anything dearer, if the sender runs on another processor. Returns whether one is
    /// there.
    @usableFromInline
    mutating func pollBriefly(_ strategy: WaitStrategy) -> Bool {
        if strategy == .park || session.sharesProcessor { return false }
        let word = unsafe SharedUInt64(at: ring + (Int(truncatingIfNeeded: offset) &+ alignment &- 8))
        for _ in 0..<backOff.pauses(atEmpty: sequence) { Processor.pause() }
        for _ in 0..<32 {
            if word.loadRelaxed() != 0 || dropping?.hasSomething ?? false { return true }
            Processor.pause()
        }
        return false
    }

    @usableFromInline var hasSomething: Bool {
        remaining > 0 || header(alignment: alignment).word != 0 || dropping?.hasSomething ?? false
    }

    /// Messages that are published and not taken, and what this receiver has taken out of a queue that drops the oldest and not yet handed out;
    /// of a damaged queue none.
    var waiting: UInt64 {
        let walk = QueueWalk(session.words, alignment: alignment, elementSize: elementSize)
        guard let head = try? walk.head().place, let tail = try? walk.tail() else { return 0 }
        let published = tail.sequence > head.sequence ? tail.sequence - head.sequence : 0
        return dropping == nil ? published : published + taken
    }

    /// Messages in the private ring.
    private var taken: UInt64 {
        if remaining > 0 { return remaining / UInt64(elementSize) }
        let header = header(alignment: alignment)
        guard header.isPublished else { return 0 }
        return elementSize == 0 ? 1 : UInt64(header.length / elementSize)
    }

    /// One step of waiting for a message: nil to look again, or the reason to give up.
    mutating func waitForMessage(_ strategy: WaitStrategy, until deadline: Deadline) -> ReceiveError? {
        if session.isDetached { return .detached }
        if deadline.hasPassed { return .deadline }
        if session.poll(strategy, deadline, isReady: { hasSomething }) { return nil }
        if let words = prepareToSleep() {
            words.sleep(until: deadline)
            session.sleeper.cancel()
        }
        return nil
    }

    /// Announces a sleep until there is a message; nil if there is something to do first.
    func prepareToSleep() -> SleepWords? { session.prepareToSleep(isReady: { hasSomething }) }

    /// Waits until a sender has joined, or something is there to be received or told: also the ending of a sender that has come and gone
    /// meanwhile.
    mutating func waitForSender(until deadline: Deadline) -> Bool {
        while true {
            _ = session.endDeadOther()
            let role = session.lookAtOther()
            if hasSomething || role.holder != nil || role.session.isSession(after: reported) { return true }
            if deadline.hasPassed || session.isDetached { return false }
            if let words = prepareToSleep() {
                words.sleep(until: deadline)
                session.sleeper.cancel()
            }
        }
    }
}

/// How long to leave the sender alone after the queue was found empty.
///
/// A receiver that looks again at once takes each cache line from a sender that is still writing it; one that waits a little gets several
/// messages for one way of the line. That pays only while the sender sends without waiting for answers: so it is tried now and then, and
/// grows as long as several messages have come each time.
@frozen @usableFromInline
struct BackOff {
    private static let mostPauses: UInt32 = 16
    private static let severalMessages: UInt64 = 3
    private static let emptiesBetweenTries: UInt32 = 256

    private var sequenceAtEmpty: UInt64 = 0
    private var empties: UInt32 = 0
    private var pauses: UInt32 = 0

    init() {}

    /// Pauses to make now that nothing is there at `sequence`.
    mutating func pauses(atEmpty sequence: UInt64) -> UInt32 {
        let came = sequence &- sequenceAtEmpty
        sequenceAtEmpty = sequence
        empties &+= 1
        if came >= Self.severalMessages {
            pauses = min(Self.mostPauses, pauses &* 2 &+ 2)
        } else {
            pauses = empties % Self.emptiesBetweenTries == 0 ? 4 : 0
        }
        return pauses
    }
}
