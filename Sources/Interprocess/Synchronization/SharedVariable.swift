import InterprocessSystem

/// A place for one value, which is there or not: who takes waits for it, and who puts waits for room.
///
/// ```swift
/// let job = try SharedVariable<Job>(named: "job")
/// try job.put(Job(1))                   // one process: waits while there is one
/// let next = try job.take()             // another: waits until there is one, which is then its own
/// try job.modify { $0.priority += 1 }   // changes it in its place; nobody sees it half changed
/// ```
///
/// Also known as an MVar. A full one is a lock whose holder takes the value with it, an empty one is a signal, and both together a queue of one.
///
/// **Layout** "synchronization object", "variable", two values: ``byteCount``.
/// **States** and **Memory order** see ``VariableWords``: `SYNC variable.control`, `SYNC variable.claim`. What was done before a put is seen by who gets that value.
/// **Death** of who puts: the whole value is there or it was never put, by one compare-exchange. Of who takes: it has the value, which is gone with it, or it is still there.
/// Of who swaps, changes (``modify(until:_:)``) or looks (``withValue(until:_:)``): the value is as it was, unless the change was complete. Whoever comes next goes on at once.
/// Of a reader: nothing.
/// **Fork** A child without `exec` has no part in it, and gets `detached`.
/// **Progress** see ``VariableCore``. Taking what is there and reading are lock-free; a process that is stopped while it puts or changes holds the others up until it
/// goes on: a deadline lets them go.
/// **Trust** words are checked whenever they are read. The value is as good as those who may write to the segment.
/// **Source** S. Peyton Jones, A. Gordon, S. Finne, "Concurrent Haskell" (1996), for the operations, and GHC's `Control.Concurrent.MVar` for which wait: a reader
/// comes through with the next put, whoever takes that. What differs: a change does not empty it meanwhile. Decision record 0012.
@safe
public final class SharedVariable<Value: Shareable>: @unchecked Sendable {
    @usableFromInline let words: VariableWords
    @usableFromInline let core: VariableCore
    /// See ``HeldLocks``.
    @usableFromInline let identity: UInt64
    let object: SynchronizationObject
    /// How calls that block wait.
    public let strategy: WaitStrategy

    /// Opens the variable `name`, or makes it, with `initial` in it or empty. One that is there already stays as it is.
    ///
    /// - Throws: ``InterprocessError`` as ``Segment/openOrCreate(_:size:in:lifetime:permissions:maximumPeers:)``, and `elementMismatch` if it holds another
    ///   type, `invalidArgument` if the type is aligned to more than 64 bytes.
    public convenience init(
        named name: ObjectName, initial: Value? = nil, options: SynchronizationOptions = SynchronizationOptions(),
        strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        try self.init(SynchronizationObject.open(name, Self.plan(initial), options), strategy)
    }

    /// Opens the variable that stands `offset` bytes into the data of a plain segment, or makes it there if nothing but zeroes stands in its ``byteCount`` bytes.
    ///
    /// - Parameter offset: a multiple of 64.
    /// - Throws: ``InterprocessError`` as ``SharedMutex/init(in:at:initial:strategy:)``.
    public convenience init(
        in segment: Segment, at offset: Int, initial: Value? = nil, strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        try self.init(SynchronizationObject.open(in: segment, at: offset, Self.plan(initial)), strategy)
    }

    /// Bytes that it takes in a segment: 160 (192, if the value is aligned to 64) and twice the value's stride.
    public static var byteCount: Int { SynchronizationWords.valueOffset(slots: 0) + VariableWords.size(Value.self) }

    private static func plan(_ initial: Value?) -> SynchronizationPlan {
        SynchronizationPlan(
            kind: .variable, element: ElementDescription(of: Value.self), valueSize: VariableWords.size(Value.self),
            limit: VariableWords.places
        ) { words in
            LockCore.initialize(word: words.word, heir: words.heir)
            unsafe VariableWords(at: words.value, Value.self).initialize(initial)
        }
    }

    private init(_ object: SynchronizationObject, _ strategy: WaitStrategy) {
        self.object = object
        self.strategy = strategy
        identity = object.identity
        words = unsafe VariableWords(at: object.words.value, Value.self)
        core = VariableCore(words, object.peer, object.table)
    }

    /// The segment that it stands in, with its peers and their deaths.
    public var segment: Segment { object.segment }

    /// Whether there is no value. May have changed when it is read.
    public var isEmpty: Bool { words.control.loadAcquire() & VariableWords.full == 0 }

    @usableFromInline
    var failure: WaitError { object.isDetached ? .detached : .damaged("control") }

    // MARK: Put

    /// Puts `value` there; waits while there is one, until `deadline`. O(size of the value): one copy; no system call unless somebody waits.
    ///
    /// - Throws: ``WaitError`` `deadline`: it was not put; `impossible` inside of ``modify(until:_:)`` of the same object; `detached`, `damaged`.
    @inlinable
    public func put(_ value: Value, until deadline: Deadline = .never) throws(WaitError) {
        var claimed = core.claimFree(.empty)
        if claimed == 0 { claimed = try claim(.empty, until: deadline) }
        try publish(value, claimed)
    }

    /// Puts `value` there if it is empty, and nobody is just putting one. Never blocks. Returns whether it did.
    ///
    /// - Throws: ``WaitError`` as ``put(_:until:)``, but for `deadline`.
    @inlinable
    public func tryPut(_ value: Value) throws(WaitError) -> Bool {
        var claimed = core.claimFree(.empty)
        if claimed == 0 { claimed = try tryClaim(.empty) }
        if claimed == 0 { return false }
        try publish(value, claimed)
        return true
    }

    // MARK: Take

    /// Takes the value; waits until there is one, or until `deadline`. O(size of the value): one copy, two if it is overtaken; no system call unless it has to
    /// wait, or somebody waits to put.
    ///
    /// - Throws: ``WaitError`` `deadline`: nothing was taken; `impossible` inside of ``modify(until:_:)`` of the same object; `detached`, `damaged`.
    @inlinable
    public func take(until deadline: Deadline = .never) throws(WaitError) -> Value {
        if let value = takeFree() { return value }
        return try takeClaimed(claim(.full, until: deadline))
    }

    /// Takes the value if there is one, and nobody is just changing it. Never blocks.
    ///
    /// - Throws: ``WaitError`` as ``take(until:)``, but for `deadline`.
    @inlinable
    public func tryTake() throws(WaitError) -> Value? {
        if let value = takeFree() { return value }
        let claimed = try tryClaim(.full)
        return claimed == 0 ? nil : try takeClaimed(claimed)
    }

    /// Without a claim: copies the value, and takes it away if it is still there.
    @inlinable @inline(__always)
    func takeFree() -> Value? {
        let seen = words.control.loadAcquire()
        guard VariableWords.isFree(seen, VariableWords.full), !words.takers.isMarked else { return nil }
        // It may be overwritten meanwhile, and is not looked at before that is known.
        let value = unsafe words.value(VariableWords.number(seen)).load(as: Value.self)
        // SYNC variable.control
        guard words.empty(seen) else { return nil }
        if words.putters.isMarked { core.wakePutter() }
        return value
    }

    @inlinable @inline(__always)
    func takeClaimed(_ claimed: UInt64) throws(WaitError) -> Value {
        let value = unsafe words.value(VariableWords.number(claimed)).load(as: Value.self)
        guard words.empty(claimed) else { throw failure }
        if words.putters.isMarked { core.wakePutter() }
        return value
    }

    // MARK: Swap

    /// Puts `value` in the place of the one that is there, and returns that, as one step; waits until there is one, or until `deadline`. O(size of the value): two copies.
    ///
    /// - Throws: ``WaitError`` as ``take(until:)``.
    @inlinable
    public func swap(_ value: Value, until deadline: Deadline = .never) throws(WaitError) -> Value {
        var claimed = core.claimFree(.full)
        if claimed == 0 { claimed = try claim(.full, until: deadline) }
        return try exchange(value, claimed)
    }

    /// As ``swap(_:until:)`` if there is a value, and nobody is just changing it; nil otherwise. Never blocks.
    ///
    /// - Throws: ``WaitError`` as ``take(until:)``, but for `deadline`.
    @inlinable
    public func trySwap(_ value: Value) throws(WaitError) -> Value? {
        var claimed = core.claimFree(.full)
        if claimed == 0 { claimed = try tryClaim(.full) }
        return claimed == 0 ? nil : try exchange(value, claimed)
    }

    @inlinable @inline(__always)
    func exchange(_ value: Value, _ claimed: UInt64) throws(WaitError) -> Value {
        let old = unsafe words.value(VariableWords.number(claimed)).load(as: Value.self)
        try publish(value, claimed)
        return old
    }

    // MARK: Change and look, while it stays

    /// Changes the value: calls `body` with a copy, which takes its place when `body` has returned. Meanwhile nobody else takes, swaps or changes it, and readers get it as it
    /// was. Waits until there is one and nobody else changes it, or until `deadline`. O(size of the value): one copy, within the shared memory.
    ///
    /// If `body` throws, or this process dies in it, nothing has happened.
    ///
    /// - Throws: ``WaitError`` as ``take(until:)``; and what `body` throws.
    @inlinable
    @discardableResult
    public func modify<R: ~Copyable>(until deadline: Deadline = .never, _ body: (inout Value) throws -> R) throws -> R {
        var claimed = core.claimFree(.full)
        if claimed == 0 { claimed = try claim(.full, until: deadline) }
        return try change(claimed, body)
    }

    /// Calls `body` with the value, which stays there, and which nobody else takes, swaps or changes meanwhile. Waits until there is one and nobody else changes it, or
    /// until `deadline`. For a look at a copy, ``read(until:)`` holds nobody up.
    ///
    /// - Throws: ``WaitError`` as ``take(until:)``; and what `body` throws.
    @inlinable
    public func withValue<R: ~Copyable>(until deadline: Deadline = .never, _ body: (Value) throws -> R) throws -> R {
        var claimed = core.claimFree(.full)
        if claimed == 0 { claimed = try claim(.full, until: deadline) }
        return try look(claimed, body)
    }

    @inlinable @inline(__always)
    func change<R: ~Copyable>(_ claimed: UInt64, _ body: (inout Value) throws -> R) throws -> R {
        let place = unsafe words.value(words.begin(claimed))
        unsafe place.copyMemory(from: words.value(VariableWords.number(claimed)), byteCount: MemoryLayout<Value>.size)
        let result: R
        do {
            result = try HeldLocks.adding(identity) { try unsafe body(&place.assumingMemoryBound(to: Value.self).pointee) }
        } catch {
            release(claimed)
            throw error
        }
        try finish(claimed)
        return result
    }

    @inlinable @inline(__always)
    func look<R: ~Copyable>(_ claimed: UInt64, _ body: (Value) throws -> R) throws -> R {
        defer { release(claimed) }
        let place = unsafe words.value(VariableWords.number(claimed))
        return try HeldLocks.adding(identity) { try unsafe body(place.assumingMemoryBound(to: Value.self).pointee) }
    }

    // MARK: The claimant's last steps

    @inlinable @inline(__always)
    func publish(_ value: Value, _ claimed: UInt64) throws(WaitError) {
        unsafe words.value(words.begin(claimed)).storeBytes(of: value, as: Value.self)
        try finish(claimed)
    }

    @inlinable @inline(__always)
    func finish(_ claimed: UInt64) throws(WaitError) {
        guard words.publish(claimed) else { throw failure }
        if core.isValueAwaited { core.wakeForValue() }
    }

    /// In a forked child, or where somebody wrote who should not, there is nothing to release: the next call says so.
    @usableFromInline
    func release(_ claimed: UInt64) { if words.release(claimed), core.isValueAwaited { core.wakeForValue() } }
}
