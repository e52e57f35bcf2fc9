import InterprocessSystem

/// Something that is done once among all processes.
///
/// ```swift
/// let once = try SharedOnce(named: "tables")
/// try once.run { buildTables() }      // the first does it, the others wait until it is done
/// ```
///
/// **Layout** `word` of "synchronization object": free; claimed by who is doing it; done, which is for good.
/// **Memory order** `SYNC once.word`: release when it is done ⇄ acquire by who finds it done.
/// **Death** of who is doing it: one of the others does it, and is told of the death, since half of it may be done.
/// **Progress** blocks while another is doing it. If that one's thread ends without the process, nobody does it: deadlines let the others go.
/// **Lifetime** of one with a name: until the last process that has it open leaves or dies, and then it is done anew by who comes next, unless ``SynchronizationOptions/lifetime`` says otherwise: keep the value of this type for as long as it is to last.
/// **Source** the lock of ``LockCore`` with one state more.
public final class SharedOnce: Sendable {
    let object: SynchronizationObject
    private let core: LockCore
    /// How calls that block wait.
    public let strategy: WaitStrategy

    /// Opens what is done once under `name`, or makes it, not done.
    ///
    /// - Throws: ``InterprocessError`` as ``Segment/openOrCreate(_:size:in:lifetime:permissions:maximumPeers:)``.
    public convenience init(
        named name: ObjectName, options: SynchronizationOptions = SynchronizationOptions(), strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        try self.init(SynchronizationObject.open(name, Self.plan, options), strategy)
    }

    /// Opens what stands `offset` bytes into the data of a plain segment, or makes it there.
    ///
    /// - Throws: ``InterprocessError`` as ``SharedMutex/init(in:at:initial:strategy:)``.
    public convenience init(in segment: Segment, at offset: Int, strategy: WaitStrategy = .adaptive) throws(InterprocessError) {
        try self.init(SynchronizationObject.open(in: segment, at: offset, Self.plan), strategy)
    }

    /// Bytes that it takes in a segment.
    public static var byteCount: Int { SynchronizationWords.valueOffset(slots: 0) }

    private static var plan: SynchronizationPlan {
        SynchronizationPlan(kind: .once) { LockCore.initialize(word: $0.word, heir: $0.heir) }
    }

    private init(_ object: SynchronizationObject, _ strategy: WaitStrategy) {
        self.object = object
        self.strategy = strategy
        core = object.core
    }

    /// The segment that it stands in, with its peers and their deaths.
    public var segment: Segment { object.segment }

    /// Whether it is done.
    public var isDone: Bool { ClaimWord.isFinal(core.word.loadAcquire()) }

    /// Runs `body` if nobody has done it; waits while somebody is at it, until `deadline`. One load if it is done.
    ///
    /// If `body` throws, it is not done, and the next one does it. `body` is given the death of the process that had begun with it before; nil if there is none. A
    /// death is told to one call: if its `body` throws, what the dead one left half done is its to remember.
    ///
    /// - Returns: whether this call has done it.
    /// - Throws: ``WaitError`` `deadline`; `impossible` if `body` itself calls this; `detached`, `damaged`; and what `body` throws.
    @discardableResult
    public func run(until deadline: Deadline = .never, _ body: (DeathNotice?) throws -> Void) throws -> Bool {
        if isDone { return false }
        var call = WaitingCall(maySleep: true)
        return try finish(
            try WaitingCall.block(strategy, until: deadline, &call) { call throws(WaitError) in try look(&call) }, &call, body)
    }

    /// As ``run(until:_:)`` for what needs no knowledge of who began with it before.
    @discardableResult
    public func run(until deadline: Deadline = .never, _ body: () throws -> Void) throws -> Bool {
        try run(until: deadline) { (_: DeathNotice?) in try body() }
    }

    /// As ``run(until:_:)``, and suspends instead of blocking while another is at it. `body` itself does not suspend.
    ///
    /// - Throws: ``WaitError`` `cancelled`, or what the blocking form throws.
    @discardableResult
    public func run(until deadline: Deadline = .never, _ body: (DeathNotice?) throws -> Void) async throws -> Bool {
        if isDone { return false }
        var call = WaitingCall(maySleep: true)
        let ending = try await WaitingCall.suspend(object, until: deadline, &call) { call throws(WaitError) in try look(&call) }
        return try finish(ending, &call, body)
    }

    /// As ``run(until:_:)`` for what needs no knowledge of who began with it before, and suspends instead of blocking while another is at it. Without this
    /// form a call in a task would be the blocking one.
    @discardableResult
    public func run(until deadline: Deadline = .never, _ body: () throws -> Void) async throws -> Bool {
        try await run(until: deadline) { (_: DeathNotice?) in try body() }
    }

    private enum Finding { case done, mine(PeerID?) }

    private func look(_ call: inout WaitingCall) throws(WaitError) -> Look<Finding> {
        if isDone { return .done(.done) }
        switch core.look(&call, isMine: { HeldLocks.contains(object.identity) }) {
        case .done(.free): return .done(.mine(nil))
        case .done(.abandoned(let dead)):
            return .done(.mine(dead))
        case .done(.impossible):
            if isDone { return .done(.done) }
            throw object.isDetached ? .detached : .damaged("word")
        case .done(.held): throw .impossible("what is done once waits for itself: run() was called in its own body")
        case .busy: return .busy
        case .sleep(let words): return .sleep(words)
        }
    }

    private func finish(_ ending: WaitEnding<Finding>, _ call: inout WaitingCall, _ body: (DeathNotice?) throws -> Void) throws -> Bool {
        switch ending {
        case .done(.done):
            // Those who stood back for it sleep until it resigns.
            core.giveUp(&call)
            return false
        case .done(.mine(let dead)):
            var isDone = false
            defer { if !isDone { core.letGo() } }
            let notice = dead.map { object.table.notice(of: $0, holding: .lock) }
            try HeldLocks.adding(object.identity) { try body(notice) }
            isDone = true
            // The claim and the mark go with it; all who sleep are through. Not by the kernel, see ``LockCore``. Marked or not: the mark may have been lost, and
            // who would have set it anew finds it done.
            if !core.word.compareExchange(core.claim, ClaimWord.final) {
                // Else it is not this peer's any more: a child that was forked in `body`, or somebody wrote there who should not.
                guard core.word.compareExchange(core.claim | ClaimWord.marked, ClaimWord.final) else {
                    throw object.isDetached ? WaitError.detached : .damaged("word")
                }
            }
            unsafe Futex.wake(core.word.rawAddress)
            _ = core.tellHeir()
            return true
        case .deadline, .cancelled:
            core.giveUp(&call)
            if case .cancelled = ending { throw WaitError.cancelled }
            throw WaitError.deadline
        }
    }
}
