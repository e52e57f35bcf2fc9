import InterprocessSystem

/// The last value that was stored, for any number of processes to read while others store the next one.
///
/// ```swift
/// let position = try LatestValue<Position>(named: "position", initial: Position())
/// try position.store(Position(x: 1, y: 2))                       // one process, or several
/// let now = try position.load()                                  // any number of others
/// for try await change in position.changes() { show(change.value, change.missed) }
/// ```
///
/// What is read is always whole, of whatever size, and no older than what was the newest when the call began. Nobody has to read: who stores neither waits for readers
/// nor is told of them, and a value that nobody has read is gone when the next are stored. Each value that is stored has a number, so that a reader sees what it missed.
///
/// **Layout** "synchronization object", "latest value", four times "version of a latest value" with the value: ``byteCount``.
/// **States** and **Memory order** see ``LatestWords``: `SYNC latest.current`, `SYNC latest.stamp`. What was done before storing is seen by who reads that value or a
/// later one.
/// **Death** of who stores: the value is the newest or it is not, by one exchange; what it had half written is no version, and the next who stores writes it over. Of who has
/// stored and not yet woken those who sleep: they look again, since its death wakes them. Of a reader: nothing.
/// **Fork** A child without `exec` has no part in it, and gets `detached`.
/// **Progress** Storing blocks only while another process stores; it takes a system call only if somebody sleeps. Reading never blocks, writes nothing into the shared
/// memory, and takes no system call; it begins anew if three whole values, and a part of the next, were stored while it copied. So one of all readers and writers always
/// gets on, but a reader that takes several times as long for a copy as a writer that stores without a pause may be overtaken again and again: after 5 s of that it says so.
/// **Trust** numbers and places are checked whenever they are read. The value is as good as those who may write to the segment: of an untrusted one, take numbers, and
/// check them.
/// **Source** see ``LatestWords`` and ``LockCore``.
@safe
public final class LatestValue<Value: Shareable>: @unchecked Sendable {
    /// A value with its number.
    public struct Version: Sendable {
        public let value: Value
        /// How many values had been stored when this one was, itself among them; 0 for the one that the object was made with.
        public let sequence: UInt64

        @usableFromInline init(_ value: Value, _ sequence: UInt64) { (self.value, self.sequence) = (value, sequence) }
    }

    @usableFromInline let words: LatestWords
    @usableFromInline let core: LockCore
    /// See ``HeldLocks``.
    @usableFromInline let identity: UInt64
    let object: SynchronizationObject
    /// How calls that block wait.
    public let strategy: WaitStrategy

    /// Opens the latest value `name`, or makes it, with `initial` as its version 0. Of one that is there already, the value stays what it is.
    ///
    /// - Throws: ``InterprocessError`` as ``Segment/openOrCreate(_:size:in:lifetime:permissions:maximumPeers:)``, and `elementMismatch` if it holds another
    ///   type, `invalidArgument` if the type is aligned to more than 64 bytes.
    public convenience init(
        named name: ObjectName, initial: Value, options: SynchronizationOptions = SynchronizationOptions(),
        strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        try self.init(SynchronizationObject.open(name, Self.plan(initial), options), strategy)
    }

    /// Opens the latest value that stands `offset` bytes into the data of a plain segment, or makes it there if nothing but zeroes stands in its ``byteCount`` bytes.
    ///
    /// - Parameter offset: a multiple of 64.
    /// - Throws: ``InterprocessError`` as ``SharedMutex/init(in:at:initial:strategy:)``.
    public convenience init(
        in segment: Segment, at offset: Int, initial: Value, strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        try self.init(SynchronizationObject.open(in: segment, at: offset, Self.plan(initial)), strategy)
    }

    /// Bytes that it takes in a segment: 256, and four times the value, to each of which 8 bytes are added (or its alignment, if that is more), rounded up to a multiple of 64.
    public static var byteCount: Int { SynchronizationWords.valueOffset(slots: 0) + LatestWords.size(Value.self) }

    private static func plan(_ initial: Value) -> SynchronizationPlan {
        SynchronizationPlan(
            kind: .latestValue, element: ElementDescription(of: Value.self), valueSize: LatestWords.size(Value.self),
            limit: Int(LatestWords.count)
        ) { words in
            LockCore.initialize(word: words.word, heir: words.heir)
            unsafe LatestWords(at: words.value, Value.self).initialize(initial)
        }
    }

    private init(_ object: SynchronizationObject, _ strategy: WaitStrategy) {
        self.object = object
        self.strategy = strategy
        core = object.core
        identity = object.identity
        words = unsafe LatestWords(at: object.words.value, Value.self)
    }

    /// The segment that it stands in, with its peers and their deaths.
    public var segment: Segment { object.segment }

    @usableFromInline
    func failure(_ field: String) -> WaitError { object.isDetached ? .detached : .damaged(field) }

    // MARK: Storing

    /// Makes `value` the newest. Blocks while another stores, until `deadline`. O(size of the value): one copy.
    ///
    /// - Returns: its number.
    /// - Throws: ``WaitError`` `deadline`: nothing was stored; `impossible` inside of ``update(until:_:)`` of the same object; `detached`, `damaged`.
    @inlinable
    @discardableResult
    public func store(_ value: Value, until deadline: Deadline = .never) throws(WaitError) -> UInt64 {
        if !core.takeFree() { try take(until: deadline) }
        return try finishStoring(value)
    }

    /// Changes the newest value: calls `body` with a copy, which is the newest when `body` has returned. Others store nothing meanwhile, and readers get the value as
    /// it was. Blocks while another stores, until `deadline`. O(size of the value): one copy, from the shared memory into the shared memory; so it is also how to store a
    /// value that is too large for the stack.
    ///
    /// If `body` throws, or this process dies in it, nothing has happened.
    ///
    /// - Throws: ``WaitError`` `deadline`; `impossible` if `body` itself stores here; `detached`, `damaged`; and what `body` throws.
    @inlinable
    @discardableResult
    public func update<R: ~Copyable>(until deadline: Deadline = .never, _ body: (inout Value) throws -> R) throws -> R {
        if !core.takeFree() { try take(until: deadline) }
        return try finishUpdating(body)
    }

    /// The caller has just taken the word.
    @inlinable @inline(__always)
    func finishStoring(_ value: Value) throws(WaitError) -> UInt64 {
        guard let next = words.begin() else { throw letGoDamaged() }
        unsafe words.value(next).storeBytes(of: value, as: Value.self)
        try finish(next)
        return next
    }

    @inlinable @inline(__always)
    func finishUpdating<R: ~Copyable>(_ body: (inout Value) throws -> R) throws -> R {
        guard let next = words.begin() else { throw letGoDamaged() }
        let place = unsafe words.value(next)
        unsafe place.copyMemory(from: words.value(next &- 1), byteCount: MemoryLayout<Value>.size)
        let result: R
        do {
            result = try HeldLocks.adding(identity) { try unsafe body(&place.assumingMemoryBound(to: Value.self).pointee) }
        } catch {
            core.letGo()
            throw error
        }
        try finish(next)
        return result
    }

    @inlinable @inline(__always)
    func finish(_ next: UInt64) throws(WaitError) {
        let before = words.publish(next)
        core.letGo()
        if before & (ClaimWord.marked | ClaimWord.open) != ClaimWord.open { try wake(before) }
    }

    @usableFromInline
    func wake(_ before: UInt32) throws(WaitError) {
        // A child that was forked in the body of an update; or somebody wrote there who should not.
        guard ClaimWord.isOpen(before) else { throw failure("current") }
        // In one call: others do not depend on one that was stopped between the two.
        unsafe Futex.change(words.current.rawAddress, .clear(Int32(ClaimWord.marked)), waking: .max)
    }

    @usableFromInline
    func letGoDamaged() -> WaitError {
        core.letGo()
        return failure("stamp")
    }

    // MARK: Taking the word

    @usableFromInline
    func take(until deadline: Deadline) throws(WaitError) {
        var call = WaitingCall(maySleep: true)
        try finish(
            WaitingCall.block(strategy, until: deadline, &call, look: { call throws(WaitError) in try look(&call) }), &call)
    }

    func take(until deadline: Deadline) async throws(WaitError) {
        var call = WaitingCall(maySleep: true)
        let ending = try await WaitingCall.suspend(object, until: deadline, &call) { call throws(WaitError) in try look(&call) }
        try finish(ending, &call)
    }

    private func look(_ call: inout WaitingCall) throws(WaitError) -> Look<Void> {
        switch core.look(&call, isMine: { HeldLocks.contains(identity) }) {
        // What a dead one has half written is nothing.
        case .done(.free), .done(.abandoned): return .done(())
        case .done(.impossible): throw failure("word")
        case .done(.held):
            throw .impossible("what updates a value cannot store it, since it would wait for itself: change the value that it is given")
        case .busy: return .busy
        case .sleep(let words): return .sleep(words)
        }
    }

    private func finish(_ ending: WaitEnding<Void>, _ call: inout WaitingCall) throws(WaitError) {
        if case .done = ending { return }
        core.giveUp(&call)
        if case .cancelled = ending { throw .cancelled }
        throw .deadline
    }
}
