import InterprocessSystem

/// What one side of a queue needs outside of its fast path: the segment, both roles, and how it sleeps. One object for each open side.
@safe
@usableFromInline
final class QueueSession: @unchecked Sendable {
    let segment: Segment
    let words: QueueWords
    let mine: QueueRole
    let other: QueueRole
    /// This side's role word while it has the role.
    let role: RoleWord
    /// The role word as it was before this side joined.
    let before: RoleWord
    let sleeper: Sleeper
    let overflow: QueueOverflow
    /// The other side's role as it was last looked at. Only the one side's own calls use it, and they exclude one another.
    private var lookedAt = RoleWord(word: 0)
    private let myCPU: SharedUInt32
    private let otherCPU: SharedUInt32

    enum Side { case sender, receiver }

    /// - Parameter overflow: what the queue must do when it is full; nil accepts any.
    init(_ segment: Segment, _ side: Side, overflow expected: QueueOverflow?) throws(InterprocessError) {
        self.segment = segment
        let words = QueueWords(segment.mapping)
        self.words = words
        overflow = try Self.overflow(words, expected, segment.name?.description ?? "anonymous queue")
        let sender = QueueRole.sender(words)
        let receiver = QueueRole.receiver(words)
        switch side {
        case .sender:
            (mine, other) = (sender, receiver)
            sleeper = Sleeper(flags: words.senderFlags, event: words.senderEvent)
            (myCPU, otherCPU) = (words.senderCPU, words.receiverCPU)
        case .receiver:
            (mine, other) = (receiver, sender)
            sleeper = Sleeper(flags: words.receiverFlags, event: words.receiverEvent)
            (myCPU, otherCPU) = (words.receiverCPU, words.senderCPU)
        }
        do throws(RoleHeld) {
            (before, role) = try mine.join(segment.peer, segment.attachment.table)
        } catch {
            let name = segment.name?.description ?? "anonymous queue"
            let holder = segment.attachment.table.information(of: error.holder)
            throw InterprocessError(
                .busy, "open", name,
                "it has a \(side) already (\(holder.map { "\($0.program), pid \($0.pid)" } ?? "peer \(error.holder)")), and a queue has one; close that, or use another queue"
            )
        }
        if !Barrier.isRegistered {
            // The other side's barriers do not reach this process, or this one can make none: both directions go by fences, for good.
            words.senderFlags.setBits(WaitFlags.fence)
            words.receiverFlags.setBits(WaitFlags.fence)
            // The other side may have looked at its flags just before, with what it has published still on its way: a millisecond is many times
            // what that takes, and only this first time, since from now on it fences.
            sleepThread(for: .milliseconds(1))
        }
        myCPU.storeRelaxed(UInt32(truncatingIfNeeded: Processor.current + 1))
        Waker.alarm(mine.otherEvent)
    }

    private static func overflow(_ words: QueueWords, _ expected: QueueOverflow?, _ name: String) throws(InterprocessError) -> QueueOverflow
    {
        guard let overflow = words.overflow else {
            throw InterprocessError(.damaged, "open", name, "the queue is damaged (field 'overflow'); remove it and create it anew")
        }
        guard let expected, expected != overflow else { return overflow }
        throw InterprocessError(
            .overflowMismatch, "open", name,
            "when it is full it \(overflow), and this program expects one that \(expected); use the same on both sides, or another name")
    }

    /// The position up to which all is taken, or dropped.
    var consumed: UInt64 {
        let word = words.consumed.loadAcquire()
        return overflow == .dropOldest ? NamedProgress(word: word).position : word
    }

    var isDetached: Bool { segment.attachment.isForeign }

    /// Gives the role up; the other side is told.
    func close() {
        if !isDetached { mine.close(role) }
    }

    /// The word and the value by which the other side's death is known while sleeping.
    private func life(of peer: PeerID?) -> (SharedUInt32, UInt32)? {
        let table = segment.attachment.table
        guard let peer, peer.slot < table.count else { return nil }
        let word = table.callerLife(peer.slot)
        return (word, word.loadAcquire())
    }

    /// If the holder of the other role has died: ends its session. Returns whether it has.
    func endDeadOther() -> Bool {
        guard let holder = other.current.holder else { return false }
        let table = segment.attachment.table
        switch table.condition(of: holder) {
        case .alive: return false
        case .dead, .gone:
            if holder.slot < table.count {
                // The kernel woke one of those who slept on the word, perhaps this one: pass it on.
                unsafe Futex.wake(table.callerLife(holder.slot).rawAddress)
            }
            other.recover(holder)
            return true
        }
    }

    func notice(of role: RoleWord) -> DeathNotice { notice(ofPeerBits: role.peerBits) }

    func notice(ofPeerBits bits: UInt32) -> DeathNotice {
        // 0 is nobody's: then nothing is known but that somebody died.
        let peer = PeerID(rawValue: bits) ?? PeerID(slot: 0, generation: 1)
        return segment.attachment.table.notice(of: peer, holding: other.claim)
    }

    /// Whether the other side was last seen on the processor that this thread runs on: then it can go on only if this one makes room.
    var sharesProcessor: Bool { otherCPU.loadRelaxed() == UInt32(truncatingIfNeeded: Processor.current + 1) }

    /// Polls as the strategy says.
    func poll(_ strategy: WaitStrategy, _ deadline: Deadline, isReady: () -> Bool) -> Bool {
        Polling.run(
            strategy, deadline, mine: myCPU, other: otherCPU, mayEnd: { other.current.holder == nil || endDeadOther() }, isReady: isReady)
    }

    /// The other side's role. A change after this keeps the caller from sleeping.
    func lookAtOther() -> RoleWord {
        lookedAt = other.current
        return lookedAt
    }

    /// Goes to sleep unless there is a reason not to: `isReady`, looked at after the sleep was announced, or a change of the other side
    /// since ``lookAtOther()``.
    ///
    /// - Returns: the words to sleep on, after which ``Sleeper/cancel()`` is to be called; nil if there is something to do.
    func prepareToSleep(isReady: () -> Bool) -> SleepWords? {
        let role = lookedAt
        let life = life(of: role.holder)
        let seen = sleeper.prepare()
        if isReady() || other.current != role || (life.map { PeerTable.isDead($0.1) || $0.1 == 0 } ?? false) {
            sleeper.cancel()
            return nil
        }
        return SleepWords(event: sleeper.event, eventSeen: seen, life: life?.0, lifeSeen: life?.1 ?? 0)
    }
}
