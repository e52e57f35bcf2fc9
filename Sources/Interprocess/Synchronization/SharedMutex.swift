import InterprocessSystem

/// A value that processes share, and that one thread of one of them has at a time.
///
/// ```swift
/// let totals = try SharedMutex<Totals>(named: "totals", initial: Totals())
/// try totals.withLock { $0.count += 1 }
/// ```
///
/// If a process dies with the value in its hands, the value may be half changed. The others do not get it then, but `LockError.inconsistent`, until one of
/// them has put it right:
///
/// ```swift
/// do {
///     try totals.withLock { $0.count += 1 }
/// } catch LockError.inconsistent {
///     try totals.repair { totals, _ in totals.recount() }
/// }
/// ```
///
/// **Layout** "synchronization object", then the value.
/// **States** free, or held by a peer that the word names; with or without a mark that somebody sleeps.
/// **Memory order** `SYNC lock.word`: everything that one holder did before it let go, the next one sees.
/// **Death** of the holder lets the next one in at once. Of who waits: nothing. A process that ends in any way, `exec` included, has died; a thread that ends
/// while it has the lock has not: the lock stays taken until the process ends, and a deadline is what lets others go. A process that is stopped keeps the
/// lock.
/// **Fork** A child without `exec` has no part in the lock, whether it was held or not, and gets `detached`; what its parent held stays held by the parent.
/// **Progress** blocks while another has the lock. Not first come, first served: who has been overtaken for a millisecond is next.
/// **Trust** a word that no peer can have written is taken for one of a peer that has gone; the value is as good as those who may write to the segment.
/// **Lifetime** of one with a name: until the last process that has it open leaves or dies, and then the value begins anew, unless ``SynchronizationOptions/lifetime`` says otherwise: keep the value of this type for as long as it is to last.
/// **Source** the states of U. Drepper, "Futexes are tricky" (2004); who is next, as in Go's mutex; decision record 0005.
@safe
public final class SharedMutex<Value: Shareable>: @unchecked Sendable {
    @usableFromInline let core: LockCore
    /// See ``HeldLocks``.
    @usableFromInline let identity: UInt64
    @usableFromInline let value: UnsafeMutablePointer<Value>
    @usableFromInline let inconsistent: SharedUInt32
    let object: SynchronizationObject
    /// How calls that block wait.
    public let strategy: WaitStrategy

    /// Opens the mutex `name`, or makes it, with `initial` as its value. Of a mutex that is there already, the value stays what it is.
    ///
    /// - Throws: ``InterprocessError`` as ``Segment/openOrCreate(_:size:in:lifetime:permissions:maximumPeers:)``, and `elementMismatch` if it guards another
    ///   type, `invalidArgument` if the type is aligned to more than 64 bytes.
    public convenience init(
        named name: ObjectName, initial: Value, options: SynchronizationOptions = SynchronizationOptions(),
        strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        try self.init(SynchronizationObject.open(name, Self.plan(initial), options), strategy)
    }

    /// Opens the mutex that stands `offset` bytes into the data of a plain segment, or makes it there if nothing but zeroes stands in its ``byteCount`` bytes. Waits while another process is making it, for 5 s
    /// at most.
    ///
    /// - Parameter offset: a multiple of 64.
    /// - Throws: ``InterprocessError`` `invalidArgument`, `sizeMismatch` if it does not fit, `kindMismatch` and `elementMismatch` if something else stands there,
    ///   `busy` if one that is making it has been stopped in that; `detached`.
    public convenience init(
        in segment: Segment, at offset: Int, initial: Value, strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        try self.init(SynchronizationObject.open(in: segment, at: offset, Self.plan(initial)), strategy)
    }

    /// Bytes that it takes in a segment.
    public static var byteCount: Int { SynchronizationWords.valueOffset(slots: 0) + MemoryLayout<Value>.stride }

    private static func plan(_ initial: Value) -> SynchronizationPlan {
        SynchronizationPlan(kind: .mutex, element: ElementDescription(of: Value.self)) { words in
            LockCore.initialize(word: words.word, heir: words.heir)
            unsafe words.value.storeBytes(of: initial, as: Value.self)
        }
    }

    private init(_ object: SynchronizationObject, _ strategy: WaitStrategy) {
        self.object = object
        self.strategy = strategy
        core = object.core
        identity = object.identity
        inconsistent = object.words.inconsistent
        unsafe value = object.words.value.assumingMemoryBound(to: Value.self)
    }

    /// The segment that it stands in, with its peers and their deaths.
    public var segment: Segment { object.segment }

    /// Whether the value was left whole by everybody who had it. May have changed when it is read.
    public var isConsistent: Bool { inconsistent.loadAcquire() == 0 }

    /// Calls `body` with the value, which nobody else has meanwhile. Blocks while somebody else has it, until `deadline`. O(1); no system call unless somebody
    /// waits or sleeps.
    ///
    /// - Throws: ``LockError`` `deadline`, `selfDeadlock`, `inconsistent`, `detached`, `damaged`; and what `body` throws: then the value is what `body` made of it.
    @inlinable
    public func withLock<R: ~Copyable>(until deadline: Deadline = .never, _ body: (inout Value) throws -> R) throws -> R {
        if !core.takeFree() { try take(until: deadline) }
        return try holding(body)
    }

    /// As ``withLock(until:_:)`` if nobody else has the value; nil otherwise. Never blocks.
    ///
    /// - Throws: ``LockError`` `selfDeadlock`, `inconsistent`, `detached`, `damaged`; and what `body` throws.
    @inlinable
    public func withLockIfAvailable<R: ~Copyable>(_ body: (inout Value) throws -> R) throws -> R? {
        if !core.takeFree(), try !tryTake() { return nil }
        return try holding(body)
    }

    /// Calls `body` with a value that its holder left when it died, and with that death; nothing if the value is consistent. When `body` returns, the value is
    /// declared consistent; when it throws, it is not. Blocks as ``withLock(until:_:)``. If this process dies in it, the next one finds the value so.
    ///
    /// - Returns: what `body` returns; nil if the value was consistent.
    /// - Throws: ``LockError`` `deadline`, `selfDeadlock`, `detached`, `damaged`; and what `body` throws.
    public func repair<R: ~Copyable>(until deadline: Deadline = .never, _ body: (inout Value, DeathNotice) throws -> R) throws -> R? {
        if !core.takeFree() { try take(until: deadline) }
        return try repairing(body)
    }

    // MARK: Holding it

    /// Runs `body` with the value; the caller has just taken the word.
    @inlinable @inline(__always)
    func holding<R: ~Copyable>(_ body: (inout Value) throws -> R) throws -> R {
        defer { core.letGo() }
        if inconsistent.loadRelaxed() != 0 { throw inconsistency }
        return try HeldLocks.adding(identity) { try unsafe body(&value.pointee) }
    }

    func repairing<R: ~Copyable>(_ body: (inout Value, DeathNotice) throws -> R) throws -> R? {
        defer { core.letGo() }
        let bits = inconsistent.loadRelaxed()
        guard bits != 0 else { return nil }
        let result = try HeldLocks.adding(identity) { try unsafe body(&value.pointee, notice(bits)) }
        // After the last store to the value, before the lock is let go.
        inconsistent.storeRelease(0)
        return result
    }

    @usableFromInline
    var inconsistency: LockError { .inconsistent(notice(inconsistent.loadRelaxed())) }

    private func notice(_ bits: UInt32) -> DeathNotice {
        object.table.notice(of: PeerID(rawValue: bits) ?? .unknown, holding: .lock)
    }

    // MARK: Taking it

    @usableFromInline
    func take(until deadline: Deadline) throws(LockError) {
        var call = WaitingCall(maySleep: true)
        switch try WaitingCall.block(strategy, until: deadline, &call, look: { call throws(LockError) in try look(&call) }) {
        case .done: return
        case .deadline, .cancelled:
            core.giveUp(&call)
            throw .deadline
        }
    }

    @usableFromInline
    func tryTake() throws(LockError) -> Bool {
        var call = WaitingCall(maySleep: false)
        if case .done = try look(&call) { return true }
        return false
    }

    func take(until deadline: Deadline) async throws(LockError) {
        var call = WaitingCall(maySleep: true)
        let ending = try await WaitingCall.suspend(object, until: deadline, &call) { call throws(LockError) in try look(&call) }
        switch ending {
        case .done: return
        case .deadline, .cancelled:
            core.giveUp(&call)
            if case .cancelled = ending { throw .cancelled }
            throw .deadline
        }
    }

    private func look(_ call: inout WaitingCall) throws(LockError) -> Look<Void> {
        switch core.look(&call, isMine: { HeldLocks.contains(identity) }) {
        case .done(.free): return .done(())
        case .done(.abandoned(let dead)):
            // Before anything else: who dies now leaves it to the next one, who finds the word abandoned as well.
            inconsistent.storeRelaxed(dead.rawValue)
            return .done(())
        case .done(.impossible): throw object.isDetached ? .detached : .damaged("word")
        case .done(.held): throw .selfDeadlock
        case .busy: return .busy
        case .sleep(let words): return .sleep(words)
        }
    }
}
