import InterprocessSystem

/// The shared words of one side of an object that two processes use.
struct SideWords: Sendable {
    /// Who has the role; see ``RoleWord``.
    let role: SharedUInt64
    /// See ``WaitFlags``.
    let flags: SharedUInt32
    /// What this side sleeps on; counted up by the other.
    let event: SharedUInt32
    /// The processor that this side last waited on, plus 1.
    let cpu: SharedUInt32
    /// Who is told when somebody takes or leaves the role, if it is not the one other side.
    var toldTo: EventWords?
    /// See ``Sleeper/alwaysNeedsBarrier``.
    var alwaysNeedsBarrier = false
}

/// One of the two sides of an object, opened: what it needs outside of its fast path. The segment, both roles, and how it sleeps.
@usableFromInline
class Side: @unchecked Sendable {
    let segment: Segment
    let mine: Role
    let other: Role
    /// This side's role word while it has the role.
    final private(set) var role: RoleWord
    /// The role word as it was before this side joined.
    final private(set) var before: RoleWord
    let sleeper: Sleeper
    private let isFinal: Bool
    /// The role is another value's, which joined for both and closes for both.
    private let isBorrowed: Bool
    /// The other side's role as it was last looked at. Only the one side's own calls use it and `polling`, and they exclude one another.
    private final var lookedAt = RoleWord(word: 0)
    @exclusivity(unchecked) private final var polling = Polling()
    private let myCPU: SharedUInt32
    private let otherCPU: SharedUInt32

    /// Takes the role `mine`.
    ///
    /// - Parameters:
    ///   - claims: of this side and of the other.
    ///   - isFinal: as in ``Role/join(_:_:isFinal:)``.
    ///   - refusal: the error to throw if somebody who lives has the role.
    init(
        _ segment: Segment, _ mine: SideWords, _ other: SideWords, claims: (DeathNotice.Claims, DeathNotice.Claims), isFinal: Bool,
        refusal: (RoleHeld) -> InterprocessError
    ) throws(InterprocessError) {
        self.segment = segment
        self.mine = Role(mine, other, claims.0)
        self.other = Role(other, mine, claims.1)
        self.isFinal = isFinal
        isBorrowed = false
        sleeper = Sleeper(flags: mine.flags, event: mine.event, alwaysNeedsBarrier: mine.alwaysNeedsBarrier)
        (myCPU, otherCPU) = (mine.cpu, other.cpu)
        do throws(RoleHeld) {
            (before, role) = try self.mine.join(segment.peer, segment.attachment.table, isFinal: isFinal)
        } catch {
            throw refusal(error)
        }
        if !Barrier.isRegistered {
            // The other side's barriers do not reach this process, or this one can make none: both directions go by fences, for good.
            mine.flags.setBits(WaitFlags.fence)
            other.flags.setBits(WaitFlags.fence)
            // The other side may have looked at its flags just before, with what it has published still on its way: a millisecond is many times
            // what that takes, and only this first time, since from now on it fences.
            sleepThread(for: .milliseconds(1))
        }
        announce()
    }

    /// The role that `main` has, towards one of several other sides.
    init(borrowing main: Side, other words: SideWords, claim: DeathNotice.Claims) {
        (segment, mine, role, before, sleeper, isFinal) = (main.segment, main.mine, main.role, main.before, main.sleeper, main.isFinal)
        other = Role(words, words, claim)
        isBorrowed = true
        (myCPU, otherCPU) = (main.myCPU, words.cpu)
        if !Barrier.isRegistered { other.flags.setBits(WaitFlags.fence) }
    }

    /// Tells the other side that this one has come.
    private func announce() {
        myCPU.storeRelaxed(UInt32(truncatingIfNeeded: Processor.current + 1))
        mine.otherEvents.alarm()
    }

    final var isDetached: Bool { segment.attachment.isForeign }

    /// Gives the role up and takes it anew: a session of its own, which the other side's next one can meet.
    ///
    /// - Throws: the living holder, if somebody else has been quicker.
    final func rejoin() throws(RoleHeld) {
        sleeper.giveUp()
        mine.close(role)
        defer { sleeper.wakeOwn() }
        (before, role) = try mine.join(segment.peer, segment.attachment.table, isFinal: isFinal)
        sleeper.takeAgain()
        announce()
    }

    /// Confirms the role, if it was not final. False if this side has been refused.
    final func confirm() -> Bool {
        guard let confirmed = mine.confirm(role) else { return false }
        role = confirmed
        return true
    }

    /// The words to sleep on for one that may still be refused: it must not touch the flags, which another may have by then. Only an alarm
    /// wakes it.
    final func wordsBeforeConfirmation(isReady: () -> Bool) -> SleepWords? {
        let role = lookedAt
        let life = life(of: role.holder)
        let seen = sleeper.event.loadSequential()
        if isReady() || other.current != role || (life.map { PeerTable.isDead($0.1) || $0.1 == 0 } ?? false) { return nil }
        return SleepWords(event: sleeper.event, eventSeen: seen, life: life?.0, lifeSeen: life?.1 ?? 0)
    }

    /// Gives the role up; the other side is told.
    final func close() {
        guard !isDetached, !isBorrowed else { return }
        sleeper.giveUp()
        mine.close(role)
        sleeper.wakeOwn()
    }

    /// Whether this side still has its role.
    final var isOpen: Bool {
        let now = mine.current
        return !isDetached && now.holder == role.peer && now.session == role.session
    }

    /// The word and the value by which the other side's death is known while sleeping.
    final func life(of peer: PeerID?) -> (SharedUInt32, UInt32)? {
        let table = segment.attachment.table
        guard let peer, peer.slot < table.count else { return nil }
        let word = table.callerLife(peer.slot)
        return (word, word.loadAcquire())
    }

    /// If the holder of the other role has died: ends its session. Returns whether it has.
    final func endDeadOther() -> Bool {
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

    /// The notice of the death of who had the other role; nil: it is not known who that was.
    final func notice(of peer: PeerID?) -> DeathNotice {
        guard let peer else {
            return DeathNotice(peer: .unknown, pid: 0, userID: 0, program: "", held: other.claim, noticed: .now)
        }
        return segment.attachment.table.notice(of: peer, holding: other.claim)
    }

    /// Whether the other side was last seen on the processor that this thread runs on: then it can go on only if this one makes room.
    final var sharesProcessor: Bool { otherCPU.loadRelaxed() == UInt32(truncatingIfNeeded: Processor.current + 1) }

    /// Says which processor this side waits on, for the other side's decision how to wait.
    final func publishProcessor() {
        let processor = UInt32(truncatingIfNeeded: Processor.current + 1)
        if myCPU.loadRelaxed() != processor { myCPU.storeRelaxed(processor) }
    }

    /// Polls as the strategy says.
    final func poll(_ strategy: WaitStrategy, _ deadline: Deadline, isReady: () -> Bool) -> Bool {
        unsafe polling.run(
            strategy, deadline, mine: myCPU, other: otherCPU, mayEnd: { other.current.holder == nil || endDeadOther() }, isReady: isReady)
    }

    /// The other side's role. A change after this keeps the caller from sleeping.
    final func lookAtOther() -> RoleWord {
        lookedAt = other.current
        return lookedAt
    }

    /// Goes to sleep unless there is a reason not to: `isReady`, looked at after the sleep was announced, or a change of the other side
    /// since ``lookAtOther()``.
    ///
    /// - Returns: the words to sleep on, after which ``Sleeper/cancel()`` is to be called; nil if there is something to do.
    final func prepareToSleep(isReady: () -> Bool) -> SleepWords? {
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
