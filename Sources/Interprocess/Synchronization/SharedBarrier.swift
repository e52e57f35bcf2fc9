import Synchronization

/// Where a number of parties wait for one another, again and again.
///
/// ```swift
/// let barrier = try SharedBarrier(named: "step", parties: 4)      // each of four processes is a party
/// for step in 0..<100 {
///     compute(step)
///     try barrier.wait()                                           // returns when all four have come
/// }
/// ```
///
/// Nobody waits for the dead: when a party dies, each of the others is told once, by ``RendezvousError/peerDied(_:)`` from the call that waits or from its next
/// one; of several that died before it looked, of the last one only: ``members`` says how many are left. The phase that was broken so has not ended: who was
/// told calls again. From then on the parties that are left wait for one another, and a process that opens the barrier takes the place of the dead. A party that
/// is closed in order is not waited for any more either, and nobody is told.
///
/// One value is one party, to be used by one thread at a time.
///
/// **Layout** "synchronization object" with a slot for each peer: bit 31 that it is a party, and for which phase it has come.
/// **Memory order** `SYNC lock.word`: what any party did before it came, all see when they go on.
/// **Death** of a party: as above. Of one that has come and was killed before it woke the others: they look again, since each death wakes them. The end of a phase is one store.
/// **Progress** blocks until all have come.
public final class SharedBarrier: Sendable {
    let monitor: Monitor
    /// How many come together at first.
    public let parties: Int
    /// How calls that block wait.
    public let strategy: WaitStrategy
    /// How many losses this party has been told of.
    private let toldLosses = Atomic<UInt32>(0)
    private let hasJoined = Atomic<Bool>(false)
    /// The phase in which this party came before its deadline passed while another process was stopped in the lock, with bit 32 set: it may still count. 0: none.
    private let undecided = Atomic<UInt64>(0)

    private static let isParty: UInt32 = 1 << 31

    /// Opens the barrier `name`, or makes it, and becomes one of its parties.
    ///
    /// - Parameter parties: how many wait for one another; the same in all programs. The first phase ends when so many have opened it and come.
    /// - Throws: ``InterprocessError`` as ``Segment/openOrCreate(_:size:in:lifetime:permissions:maximumPeers:)``, and `busy` if it has all its parties,
    ///   `sizeMismatch` if it was made for another number, `invalidArgument` for a number below 1 or above that of the peers.
    public convenience init(
        named name: ObjectName, parties: Int, options: SynchronizationOptions = SynchronizationOptions(), strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        var options = options
        let plan = try Self.plan(parties, name.description)
        options.maximumPeers = max(options.maximumPeers, parties + 2)  // and some that are just leaving
        try self.init(SynchronizationObject.open(name, plan, options), parties, strategy)
    }

    /// Opens the barrier that stands `offset` bytes into the data of a plain segment, or makes it there, and becomes one of its parties. One value of
    /// `segment` can be one party.
    ///
    /// - Throws: ``InterprocessError`` as ``SharedMutex/init(in:at:initial:strategy:)``, and as ``init(named:parties:options:strategy:)``.
    public convenience init(in segment: Segment, at offset: Int, parties: Int, strategy: WaitStrategy = .adaptive) throws(InterprocessError)
    {
        let plan = try Self.plan(parties, "barrier")
        let peers = segment.header.maximumPeers
        guard parties <= peers else {
            throw InterprocessError(
                .invalidArgument, "create", "barrier",
                "its segment has room for \(peers) peers, so that \(parties) parties never come together; create the segment with more")
        }
        try self.init(SynchronizationObject.open(in: segment, at: offset, plan), parties, strategy)
    }

    /// Bytes that it takes in `segment`.
    public static func byteCount(in segment: Segment) -> Int { SynchronizationWords.valueOffset(slots: segment.header.maximumPeers) }

    private static func plan(_ parties: Int, _ label: String) throws(InterprocessError) -> SynchronizationPlan {
        guard (1...1000).contains(parties) else {
            throw InterprocessError(.invalidArgument, "create", label, "a barrier has 1 to 1000 parties, not \(parties)")
        }
        return SynchronizationPlan(kind: .barrier, limit: parties, hasSlots: true) { Monitor.initialize($0) }
    }

    private init(_ object: SynchronizationObject, _ parties: Int, _ strategy: WaitStrategy) throws(InterprocessError) {
        self.parties = parties
        self.strategy = strategy
        monitor = Monitor(object) { words, dead in Self.lose(dead, words) }
        try join()
    }

    deinit { if hasJoined.load(ordering: .relaxed) { leave() } }

    /// The segment that it stands in, with its peers and their deaths.
    public var segment: Segment { monitor.object.segment }

    /// How many phases have ended, modulo 2^32.
    public var phase: UInt32 { monitor.words.phase.loadAcquire() }

    /// How many parties there are now.
    public var members: Int { monitor.access(until: Monitor.shortly) { census().members } ?? census().members }

    /// Comes to the barrier, and waits until all have come, or until `deadline`. Then this party has not come, and may come again. O(peers).
    ///
    /// If another process is stopped in the middle of coming, a deadline passes up to 10 ms later, and this party may be counted as come until its next call,
    /// which returns at once if that has ended the phase.
    ///
    /// - Returns: true for the one of the parties that came last; for none if a phase ended since the last party that was waited for closed the barrier
    ///   instead, or if the one that came last was killed then.
    /// - Throws: ``RendezvousError`` `deadline`, `peerDied`, `detached`, `damaged`.
    @discardableResult
    public func wait(until deadline: Deadline = .never) throws(RendezvousError) -> Bool {
        var call = WaitingCall(maySleep: true)
        var arrival = begin()
        return try finish(WaitingCall.block(strategy, until: deadline, &call) { look(&$0, &arrival) }, &arrival)
    }

    /// As ``wait(until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``RendezvousError`` `cancelled`, or what the blocking form throws.
    @discardableResult
    public func wait(until deadline: Deadline = .never) async throws(RendezvousError) -> Bool {
        var call = WaitingCall(maySleep: true)
        var arrival = begin()
        return try await finish(WaitingCall.suspend(monitor.object, until: deadline, &call) { look(&$0, &arrival) }, &arrival)
    }

    // MARK: In the lock

    /// One call of ``wait(until:)``.
    private struct Arrival {
        var monitorCall = Monitor.Call(mayBeNext: false)
        /// The phase in which it came; nil: not yet.
        var phase: UInt32?
    }

    /// A call goes on with what the one before could not take back: if that has ended the phase, this party has come to it.
    private func begin() -> Arrival {
        let last = undecided.exchange(0, ordering: .relaxed)
        return Arrival(phase: last == 0 ? nil : UInt32(truncatingIfNeeded: last))
    }

    private enum Outcome { case together(isLast: Bool), lost(PeerID) }

    /// What a party that has come for the present phase has in its slot. Another number after each end of a phase and each loss, so that who had come has not
    /// any more.
    private var tag: UInt32 { (monitor.words.phase.loadRelaxed() &+ losses.count &+ 1) & ~Self.isParty }

    private var losses: (count: UInt32, last: UInt32) {
        let word = monitor.words.broken.loadRelaxed()
        return (UInt32(truncatingIfNeeded: word), UInt32(truncatingIfNeeded: word >> 32))
    }

    private func census() -> (members: Int, come: Int) {
        var (members, come) = (0, 0)
        let tag = tag
        monitor.forEachHolder { _, held in
            guard held & Self.isParty != 0 else { return }
            members += 1
            if held & ~Self.isParty == tag { come += 1 }
        }
        return (members, come)
    }

    /// Ends the phase if all have come.
    private func endPhaseIfAllHaveCome() -> Bool {
        let (members, come) = census()
        let needed = monitor.words.started.loadRelaxed() == 0 ? parties : members
        guard come > 0, come >= needed else { return false }
        // SYNC barrier.phase: the one store that ends it.
        monitor.words.phase.storeRelease(monitor.words.phase.loadRelaxed() &+ 1)
        monitor.change()
        return true
    }

    private func join() throws(InterprocessError) {
        let refusal: String?? = monitor.access(until: .after(SegmentFile.patience)) {
            if monitor.mine != 0 { return "this value of the segment is a party of it already; open the segment once for each party" }
            let members = census().members
            if members >= parties { return "it has all its \(parties) parties; wait until one has left" }
            toldLosses.store(losses.count, ordering: .relaxed)
            setMine(Self.isParty | (tag &- 1) & ~Self.isParty)
            if members + 1 == parties { monitor.words.started.storeRelease(1) }
            return nil
        }
        guard let refusal else {
            guard ClaimWord.isOpen(monitor.words.word.loadAcquire()) else {
                throw InterprocessError(.damaged, "open", monitor.object.label, "its lock is impossible; remove it")
            }
            throw InterprocessError(
                .busy, "open", monitor.object.label,
                "another process has been in the middle of coming for 5 s: it is probably stopped; let it go on, or end it")
        }
        if let refusal { throw InterprocessError(.busy, "open", monitor.object.label, refusal) }
        hasJoined.store(true, ordering: .relaxed)
    }

    /// If it is not counted in the lock, whoever looks next ends the phase.
    private func leave() { monitor.giveBack({ _ in 0 }) { _ in _ = endPhaseIfAllHaveCome() } }

    private func setMine(_ held: UInt32) { monitor.changeMine { _ in held } }

    /// A party has died: says so, before its slot is cleared. Counted again if who counts is killed before that: nobody has looked in between.
    private static func lose(_ dead: PeerID, _ words: SynchronizationWords) {
        let count = UInt32(truncatingIfNeeded: words.broken.loadRelaxed())
        words.broken.storeRelease(UInt64(count &+ 1) | UInt64(dead.rawValue) << 32)
    }

    private func look(_ call: inout WaitingCall, _ arrival: inout Arrival) -> Look<Outcome?> {
        var phase = arrival.phase
        defer { arrival.phase = phase }
        return monitor.look(&call, &arrival.monitorCall) { _ in
            let now = monitor.words.phase.loadRelaxed()
            if let phase, now != phase { return .together(isLast: false) }
            let losses = losses
            if losses.count != toldLosses.load(ordering: .relaxed) {
                toldLosses.store(losses.count, ordering: .relaxed)
                withdraw()
                return .lost(PeerID(rawValue: losses.last) ?? .unknown)
            }
            phase = now
            setMine(Self.isParty | tag)
            return endPhaseIfAllHaveCome() ? .together(isLast: true) : nil
        }
    }

    private func withdraw() {
        if monitor.mine == Self.isParty | tag { setMine(Self.isParty | (tag &- 1) & ~Self.isParty) }
    }

    private func finish(_ ending: WaitEnding<Outcome?>, _ arrival: inout Arrival) throws(RendezvousError) -> Bool {
        switch ending {
        case .done(.together(let isLast)): return isLast
        case .done(.lost(let dead)): throw .peerDied(monitor.object.table.notice(of: dead, holding: .party))
        case .done(.none): throw monitor.object.isDetached ? .detached : .damaged("word")
        case .deadline, .cancelled:
            monitor.giveUp(&arrival.monitorCall)
            // The others may have come just now. A deadline does not wait for one that was stopped in the lock.
            if let phase = arrival.phase {
                let isTogether = monitor.access(until: Monitor.shortly) {
                    if monitor.words.phase.loadRelaxed() != phase { return true }
                    withdraw()
                    return false
                }
                if isTogether ?? false { return false }
                if isTogether == nil { undecided.store(UInt64(phase) | 1 << 32, ordering: .relaxed) }
            }
            if case .cancelled = ending { throw .cancelled }
            throw .deadline
        }
    }
}
