import CInterprocess
import InterprocessSystem

/// A turn that two processes give each other: only one of them runs at a time, and a 64-bit value goes with the turn.
///
/// ```swift
/// var judge = try Handoff.join("round-1", as: .parent)        // the first turn is the parent's
/// while let answer = try judge.yield(question) { … }          // nil: the other side is gone
/// ```
/// ```swift
/// var contestant = try Handoff.join("round-1", as: .child)    // returns with the parent's first turn
/// var question = contestant.value
/// while let asked = question { question = try contestant.yield(answer(to: asked)) }
/// ```
///
/// **Layout** "handoff" in Documentation/Layout: `turn` and the two values in one cache line.
/// **Memory order** `SYNC handoff.turn`: release of `turn` by who gives it ⇄ acquire by who gets it. Everything that one side did before it gave
/// the turn away, the other sees.
/// **Death** Killed before the store of `turn`, a side still has it, and the other is told that it has ended; after it, the turn has been given
/// and is had once before the end is told. There is nothing to repair but the role, which ends.
/// **Progress** ``yield(_:until:)`` blocks until the other side gives the turn back. Across processors it makes no system call, on one
/// processor one (`sched_yield`), while the other side answers soon; then it sleeps in a futex.
/// **Source** decision record 0004; model Models/handoff.pml.
public struct Handoff: ~Copyable, @unchecked Sendable {
    let side: Side
    let words: HandoffWords
    /// Which of the two sides this is.
    public let role: HandoffRole
    /// How calls that block wait.
    public var strategy: WaitStrategy
    /// What came with the turn that this side has; 0 with the parent's first one. Nil while the other side has the turn, and after the end.
    public internal(set) var value: UInt64?
    /// How the other side ended, once this one has been told.
    public internal(set) var end: HandoffEnd?

    /// See HandoffCall.swift.
    @usableFromInline let callWords: HandoffCallWords
    var calls = HandoffCalls()
    let used: (mine: SharedUInt64, other: SharedUInt64)

    private let turn: SharedUInt64
    private let given: SharedUInt64
    private let taken: SharedUInt64
    private var waker: Waker
    /// The pair, with the turn on this side and on the other.
    private var mine = Turn(word: 0)
    private var theirs = Turn(word: 0)
    /// The peer on the other side of the pair; nil if it had left before this side saw who it was.
    private var paired: PeerID?
    var isPaired: Bool { theirs != mine }

    init(_ segment: Segment, _ role: HandoffRole, _ strategy: WaitStrategy) throws(InterprocessError) {
        let words = HandoffWords(segment.mapping)
        self.words = words
        self.role = role
        self.strategy = strategy
        turn = words.turn
        given = words.value(of: role)
        taken = words.value(of: role.other)
        callWords = words.call
        used = (words.used(of: role), words.used(of: role.other))
        let other = words.side(role.other)
        // Whoever repairs after a death counts the events up as well, and may be stopped before it wakes.
        waker = Waker(flags: other.flags, event: other.event, isOneOfMany: true)
        let mine = words.role(role)
        side = try Side(segment, words.side(role), other, claims: (.handoff, .handoff), isFinal: false) { held in
            Self.refusal(held, mine, words, role, segment)
        }
    }

    deinit { side.close() }

    /// Gives the side up: the other is told. Also done when the value ends.
    public consuming func close() {}

    /// The segment that the handoff lives in, with its peers and their deaths.
    public var segment: Segment { side.segment }

    /// The process on the other side; nil if it has left.
    public var partner: PeerInformation? {
        side.other.current.holder.flatMap { side.segment.attachment.table.information(of: $0) }
    }

    /// Gives the turn away, with `value`, and waits until it comes back, or until `deadline`. Returns what came with it; nil if the other side
    /// has closed, exited or been killed: then ``end`` says how.
    ///
    /// After the deadline the other side still has the turn: go on with ``awaitTurn(until:)``. A signal never gives the turn away. O(1).
    ///
    /// - Throws: ``HandoffError`` `deadline`, `notYourTurn`, `unpaired`, `detached`, `damaged`.
    public mutating func yield(_ value: UInt64 = 0, until deadline: Deadline = .never) throws(HandoffError) -> UInt64? {
        try give(value)
        return try awaitTurn(until: deadline)
    }

    /// Waits until the other side gives the turn, or until `deadline`; at once if this one has it. Nil as ``yield(_:until:)``.
    ///
    /// - Throws: ``HandoffError`` `deadline`, `unpaired`, `detached`, `damaged`.
    public mutating func awaitTurn(until deadline: Deadline = .never) throws(HandoffError) -> UInt64? {
        if let value { return value }
        if case .some = end { return nil }
        guard isPaired else { throw .unpaired }
        while true {
            poll(until: deadline)
            if let outcome = try look() { return outcome.value }
            if deadline.hasPassed { throw .deadline }
            if let words = prepareToSleep() {
                words.sleep(until: deadline)
                side.sleeper.cancel()
            }
        }
    }

    /// Gives the turn away, with `value`, and does not wait.
    ///
    /// - Returns: what is known right afterwards; see ``tryTurn()``.
    /// - Throws: ``HandoffError`` `notYourTurn`, `unpaired`, `detached`, `damaged`.
    public mutating func tryYield(_ value: UInt64 = 0) throws(HandoffError) -> HandoffOutcome {
        try give(value)
        return try tryTurn()
    }

    /// Whether the turn is this side's by now. Never blocks. O(1).
    ///
    /// - Throws: ``HandoffError`` `unpaired`, `detached`, `damaged`.
    public mutating func tryTurn() throws(HandoffError) -> HandoffOutcome { try look() ?? .pending }

    /// - Parameter kind: what the turn is given with; the words that belong to it are written already.
    mutating func give(_ value: UInt64, _ kind: TurnKind = .value) throws(HandoffError) {
        guard self.value != nil else {
            // Told once more: the end, which the caller finds by waiting.
            if end != nil { return }
            throw isPaired ? .notYourTurn : .unpaired
        }
        given.storeRelaxed(value)
        callWords.kind.storeRelaxed(kind.rawValue)
        turn.storeRelease(theirs.word)
        self.value = nil
        ipc_compiler_fence()
        if waker.needsAttention, waker.attend() & WaitFlags.open == 0 { throw .detached }
    }

    /// The side is held by this value: nothing is counted for the call.
    @inline(__always)
    private func poll(until deadline: Deadline) {
        let (strategy, turn, theirs) = (strategy, turn, theirs.word)
        unsafe Unmanaged.passUnretained(side)._withUnsafeGuaranteedRef { side in
            _ = side.poll(strategy, deadline, isReady: { turn.loadAcquire() != theirs })
        }
    }

    private var hasChanged: Bool { turn.loadAcquire() != theirs.word }

    /// The turn if it has come, or the end; nil if there is nothing yet.
    mutating func look() throws(HandoffError) -> HandoffOutcome? {
        if let value { return .turn(value) }
        if case .some = end { return .ended }
        guard isPaired else { throw .unpaired }
        if try takeTurn(), let value { return .turn(value) }
        if side.isDetached { throw .detached }
        guard let found = partnersEnd() else { return nil }
        // A turn that was given before the end counts first.
        if try takeTurn(), let value { return .turn(value) }
        end = found
        return .ended
    }

    /// Takes the turn if it was given.
    private mutating func takeTurn() throws(HandoffError) -> Bool {
        let seen = turn.loadAcquire()
        if seen == theirs.word { return false }
        guard seen == mine.word else {
            if side.isDetached { throw .detached }
            throw .damaged("turn")
        }
        value = taken.loadRelaxed()
        calls.came(with: callWords.kind.loadRelaxed())
        return true
    }

    /// How the other side of this pair ended; nil if it has not.
    private func partnersEnd() -> HandoffEnd? {
        _ = side.endDeadOther()
        let other = side.lookAtOther()
        let session = theirs.session(of: role.other)
        if other.session == session, other.ending == .none { return nil }
        return hasPartnerDied(session, other) ? .died(side.notice(of: paired)) : .closed
    }

    /// - Parameter other: what the other role's word says, of this session or of one that has come since.
    private func hasPartnerDied(_ session: UInt32, _ other: RoleWord) -> Bool {
        if other.session == session { return other.ending == .died }
        if other.session == (session &+ 1) & RoleWord.sessionMask { return other.before == .died }
        // Several have come since. Of one that is not known it is said that it has died: so that nobody relies on its having closed.
        let table = side.segment.attachment.table
        return paired.map { table.condition(of: $0) == .dead || table.isPublished($0) } ?? true
    }

    /// Announces a sleep until the turn comes; nil if there is something to do first.
    func prepareToSleep() -> SleepWords? { side.prepareToSleep(isReady: { hasChanged }) }
}

// MARK: Meeting

extension Handoff {
    /// Takes one side of the handoff `name`, makes it if there is none, and waits until somebody has the other side, or until `deadline`. The
    /// child's call returns with the parent's first turn. A child that throws `deadline` while the parent holds the first turn has left: the parent is told.
    ///
    /// Blocks its thread; there is no asynchronous form.
    ///
    /// - Throws: ``InterprocessError`` `busy` if both sides are taken, or this one is and its pair is at work, or, after 5 s more than `deadline` at most, if a process was stopped while it made, opened or removed the handoff; `clash` if another process waits as
    ///   the same role (it gets the same error); `deadline`; `sizeMismatch` if it has less data than the options ask for; and as ``Segment/openOrCreate(_:size:in:lifetime:permissions:maximumPeers:)``.
    public static func join(
        _ name: ObjectName, as role: HandoffRole, options: HandoffOptions = HandoffOptions(), strategy: WaitStrategy = .adaptive,
        until deadline: Deadline = .never
    ) throws(InterprocessError) -> Handoff {
        guard options.dataSize >= 0, options.dataSize < SegmentPlan.maximumSize else {
            throw InterprocessError(
                .invalidArgument, "join", name.description, "the size of its data must be from 0 to 1 TiB, not \(options.dataSize) bytes")
        }
        let plan = SegmentPlan(
            kind: .handoff, objectSize: MemoryLayout<ipc_handoff>.size, dataSize: options.dataSize, mirrorsData: false,
            capacity: SegmentPlan.roundUpToPage(options.dataSize), element: .bytes, lifetime: options.lifetime,
            maximumPeers: HandoffOptions.maximumPeers)
        let segment = try Segment.make(
            .openOrCreate, plan, SegmentPlace(name: name, directory: options.directory), options.permissions,
            minimumCapacity: options.dataSize, recovery: .handoff, keepAbandoned: { _ in false },
            initialize: { HandoffWords($0).initialize() })
        var handoff = try Handoff(segment, role, strategy)
        try handoff.meet(until: deadline)
        return handoff
    }

    /// Leaves the pair, whether the other side has ended or not, and waits for the next one, as ``join(_:as:options:strategy:until:)``.
    ///
    /// - Throws: ``InterprocessError`` `busy` if somebody else has taken this side meanwhile; `clash`; `deadline`: then this side is free until it is taken anew; `detached`.
    public mutating func rejoin(until deadline: Deadline = .never) throws(InterprocessError) {
        value = nil
        end = nil
        mine = Turn(word: 0)
        theirs = mine
        try takeRoleAnew()
        do throws(InterprocessError) { try meet(until: deadline) } catch {
            // Whoever comes to the other side now does not meet one that does not wait any more.
            side.close()
            throw error
        }
    }

    private mutating func takeRoleAnew() throws(InterprocessError) {
        if side.isDetached { throw detached }
        do throws(RoleHeld) {
            try side.rejoin()
        } catch {
            throw Self.refusal(error, side.mine, words, role, side.segment)
        }
    }

    private mutating func meet(until deadline: Deadline) throws(InterprocessError) {
        while true {
            calls = HandoffCalls()
            try pair(until: deadline)
            if role == .parent {
                value = 0
                forgetArrays()
                return
            }
            do throws(HandoffError) {
                // A parent that leaves before its first turn was not there.
                if try awaitTurn(until: deadline) != nil {
                    forgetArrays()
                    return
                }
            } catch {
                switch error {
                case .deadline: throw notBegun
                case .detached: throw detached
                default: throw InterprocessError(.damaged, "join", label, "the handoff is damaged (\(error)); remove it")
                }
            }
            end = nil
            try takeRoleAnew()
        }
    }

    /// Waits until this session is one of a pair. Whoever of the two sees both makes it, by one compare-exchange.
    private mutating func pair(until deadline: Deadline) throws(InterprocessError) {
        while true {
            if side.isDetached { throw detached }
            _ = side.endDeadOther()
            let other = side.lookAtOther()
            let seen = Turn(word: turn.loadAcquire())
            if seen.session(of: role) == side.role.session {
                guard side.confirm() else { throw Self.clash(role, label) }
                mine = seen.given(to: role)
                theirs = seen.given(to: role.other)
                let partner = side.other.current
                paired = partner.session == seen.session(of: role.other) ? partner.peer : nil
                return
            }
            guard side.mine.current == side.role else { throw Self.clash(role, label) }
            if other.holder != nil, seen.session(of: role.other) != other.session {
                let sessions = role == .parent ? (side.role.session, other.session) : (other.session, side.role.session)
                if turn.compareExchange(seen.word, Turn(parent: sessions.0, child: sessions.1, of: .parent).word) {
                    side.mine.otherEvents.alarm()
                }
                continue
            }
            if deadline.hasPassed { throw missing }
            let isReady = { [turn, side] in turn.loadAcquire() != seen.word || side.mine.current != side.role }
            side.wordsBeforeConfirmation(isReady: isReady)?.sleep(until: deadline)
        }
    }

    private var label: String { side.segment.name?.description ?? "handoff" }
    private var detached: InterprocessError {
        InterprocessError(.detached, "join", label, "this process was forked from the one that opened it; join anew in the child")
    }
    private var missing: InterprocessError {
        InterprocessError(
            .deadline, "join", label, "nobody came as its \(role.other) before the deadline; start the other side, or wait longer")
    }

    private var notBegun: InterprocessError {
        InterprocessError(
            .deadline, "join", label,
            "its parent came and did not give its first turn before the deadline; wait longer, or see what the parent is doing")
    }

    /// Why the role cannot be had. If its holder waits for the other side, two were started as the same, and both are told.
    private static func refusal(
        _ held: RoleHeld, _ mine: Role, _ words: HandoffWords, _ role: HandoffRole, _ segment: Segment
    ) -> InterprocessError {
        let label = segment.name?.description ?? "handoff"
        let current = mine.current
        if current.holder == held.holder, mine.refuse(current) {
            // Who waits sleeps on an event of its own.
            Waker.alarm(words.side(role).event)
            return clash(role, label)
        }
        let holder = segment.attachment.table.information(of: held.holder)
        return InterprocessError(
            .busy, "join", label,
            "it has a \(role) already (\(holder.map { "\($0.program), pid \($0.pid)" } ?? "peer \(held.holder)")); wait until that has ended, or use another name"
        )
    }

    private static func clash(_ role: HandoffRole, _ label: String) -> InterprocessError {
        InterprocessError(
            .clash, "join", label,
            "two processes came as its \(role), and none as its \(role.other); start one of them as the \(role.other)")
    }
}
