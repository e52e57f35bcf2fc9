/// A value that processes share, and that many threads read at a time or one changes.
///
/// ```swift
/// let routes = try SharedReadWriteLock<Routes>(named: "routes", initial: Routes())
/// let next = try routes.withReadLock { $0.next(for: address) }
/// try routes.withWriteLock { $0.add(route) }
/// ```
///
/// If a process dies while it changes the value, the others get `LockError.inconsistent` until one of them has put it right with ``repair(until:_:)``.
///
/// **Layout** "synchronization object" with a slot for each peer (how many of its threads read), then the value.
/// **Memory order** `SYNC lock.word`: everything that a writer did, the next reader or writer sees.
/// **Death** of readers and of the writer lets the others go on as soon as it is announced; the value as with ``SharedMutex``. Of who was woken, or is next: the others look again.
/// **Progress** readers do not wait for one another. Nobody starves: who has waited for a millisecond, to read or to write, is next, and those who come then wait.
/// A thread may read in what it does while it reads; changing then is an error, since it would wait for itself.
@safe
public final class SharedReadWriteLock<Value: Shareable>: @unchecked Sendable {
    @usableFromInline let core: ReadWriteLockCore
    @usableFromInline let value: UnsafeMutablePointer<Value>
    /// How calls that block wait.
    public let strategy: WaitStrategy

    /// Opens the lock `name`, or makes it, with `initial` as its value. Of one that is there already, the value stays what it is.
    ///
    /// - Throws: ``InterprocessError`` as ``SharedMutex/init(named:initial:options:strategy:)``.
    public convenience init(
        named name: ObjectName, initial: Value, options: SynchronizationOptions = SynchronizationOptions(),
        strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        try self.init(SynchronizationObject.open(name, Self.plan(initial), options), strategy)
    }

    /// Opens the lock that stands `offset` bytes into the data of a plain segment, or makes it there.
    ///
    /// - Throws: ``InterprocessError`` as ``SharedMutex/init(in:at:initial:strategy:)``.
    public convenience init(
        in segment: Segment, at offset: Int, initial: Value, strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        try self.init(SynchronizationObject.open(in: segment, at: offset, Self.plan(initial)), strategy)
    }

    /// Bytes that it takes in `segment`.
    public static func byteCount(in segment: Segment) -> Int {
        SynchronizationWords.valueOffset(slots: segment.header.maximumPeers) + MemoryLayout<Value>.stride
    }

    private static func plan(_ initial: Value) -> SynchronizationPlan {
        SynchronizationPlan(kind: .readWriteLock, element: ElementDescription(of: Value.self), hasSlots: true) { words in
            Monitor.initialize(words)
            unsafe words.value.storeBytes(of: initial, as: Value.self)
        }
    }

    private init(_ object: SynchronizationObject, _ strategy: WaitStrategy) {
        self.strategy = strategy
        core = ReadWriteLockCore(object, strategy)
        unsafe value = object.words.value.assumingMemoryBound(to: Value.self)
    }

    /// The segment that it stands in, with its peers and their deaths.
    public var segment: Segment { core.segment }

    /// Whether the value was left whole by everybody who changed it. May have changed when it is read.
    public var isConsistent: Bool { core.isConsistent }

    // MARK: Reading

    /// Calls `body` with the value, which nobody changes meanwhile. Blocks while somebody changes it, or has waited to for a millisecond, until `deadline`.
    ///
    /// - Throws: ``LockError`` `deadline`, `selfDeadlock` if this thread is changing it, `inconsistent`, `detached`, `damaged`; and what `body` throws.
    @inlinable
    public func withReadLock<R: ~Copyable>(until deadline: Deadline = .never, _ body: (Value) throws -> R) throws -> R {
        try core.take(.reading, until: deadline)
        return try reading(body)
    }

    /// As ``withReadLock(until:_:)`` if nobody changes the value; nil otherwise. Does not block, but for 10 ms at most while another process is stopped in the
    /// middle of taking the lock or letting go of it.
    ///
    /// - Throws: ``LockError`` `selfDeadlock` if this thread is changing it, `inconsistent`, `detached`, `damaged`; and what `body` throws.
    @inlinable
    public func withReadLockIfAvailable<R: ~Copyable>(_ body: (Value) throws -> R) throws -> R? {
        guard try core.tryTake(.reading) else { return nil }
        return try reading(body)
    }

    /// As ``withReadLock(until:_:)``, and suspends instead of blocking. What is done with the value does not suspend.
    ///
    /// - Throws: ``LockError`` `cancelled`, or what the blocking form throws.
    public func withReadLock<R>(until deadline: Deadline = .never, _ body: (Value) throws -> R) async throws -> R {
        try await core.take(.reading, until: deadline)
        return try reading(body)
    }

    @inlinable @inline(__always)
    func reading<R: ~Copyable>(_ body: (Value) throws -> R) throws -> R {
        defer { core.stopReading() }
        try core.checkConsistency()
        return try HeldLocks.adding(core.readingKey) { try unsafe body(value.pointee) }
    }

    // MARK: Changing

    /// Calls `body` with the value, which nobody else has meanwhile. Blocks while others have it, until `deadline`.
    ///
    /// - Throws: ``LockError`` `deadline`, `selfDeadlock` if this thread has the lock, `inconsistent`, `detached`, `damaged`; and what `body` throws.
    @inlinable
    public func withWriteLock<R: ~Copyable>(until deadline: Deadline = .never, _ body: (inout Value) throws -> R) throws -> R {
        try core.take(.changing, until: deadline)
        return try changing(body)
    }

    /// As ``withWriteLock(until:_:)`` if nobody else has the value; nil otherwise. Does not block, but as ``withReadLockIfAvailable(_:)``.
    ///
    /// - Throws: ``LockError`` `selfDeadlock` if this thread has the lock, `inconsistent`, `detached`, `damaged`; and what `body` throws.
    @inlinable
    public func withWriteLockIfAvailable<R: ~Copyable>(_ body: (inout Value) throws -> R) throws -> R? {
        guard try core.tryTake(.changing) else { return nil }
        return try changing(body)
    }

    /// As ``withWriteLock(until:_:)``, and suspends instead of blocking. What is done with the value does not suspend.
    ///
    /// - Throws: ``LockError`` `cancelled`, or what the blocking form throws.
    public func withWriteLock<R>(until deadline: Deadline = .never, _ body: (inout Value) throws -> R) async throws -> R {
        try await core.take(.changing, until: deadline)
        return try changing(body)
    }

    /// Calls `body` with a value that a writer left when it died, and with that death; nothing if the value is consistent. When `body` returns, the value is
    /// declared consistent; when it throws, it is not. Blocks as ``withWriteLock(until:_:)``.
    ///
    /// - Returns: what `body` returns; nil if the value was consistent.
    /// - Throws: ``LockError`` `deadline`, `selfDeadlock`, `detached`, `damaged`; and what `body` throws.
    public func repair<R: ~Copyable>(until deadline: Deadline = .never, _ body: (inout Value, DeathNotice) throws -> R) throws -> R? {
        try core.take(.changing, until: deadline)
        return try repairing(body)
    }

    /// As ``repair(until:_:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``LockError`` `cancelled`, or what the blocking form throws.
    public func repair<R>(until deadline: Deadline = .never, _ body: (inout Value, DeathNotice) throws -> R) async throws -> R? {
        try await core.take(.changing, until: deadline)
        return try repairing(body)
    }

    @inlinable @inline(__always)
    func changing<R: ~Copyable>(_ body: (inout Value) throws -> R) throws -> R {
        defer { core.stopChanging() }
        try core.checkConsistency()
        return try HeldLocks.adding(core.changingKey) { try unsafe body(&value.pointee) }
    }

    private func repairing<R: ~Copyable>(_ body: (inout Value, DeathNotice) throws -> R) throws -> R? {
        defer { core.stopChanging() }
        guard let notice = core.inconsistency else { return nil }
        let result = try HeldLocks.adding(core.changingKey) { try unsafe body(&value.pointee, notice) }
        // After the last store to the value, before the lock is let go.
        core.declareConsistent()
        return result
    }
}
