/// A number of units that processes give and take.
///
/// ```swift
/// let filled = try SharedSemaphore(named: "filled", value: 0)
/// try filled.wait()         // takes a unit, and waits while there is none
/// try filled.signal()       // gives one
/// ```
///
/// Nobody owns a unit: what a process has taken is gone if it is killed before it gives it back. For units that come back see ``SharedPermits``.
///
/// **Layout** `word` of "synchronization object".
/// **Lifetime** of one with a name: until the last process that has it open leaves or dies, and then the next one begins with its first value, unless ``SynchronizationOptions/lifetime`` says otherwise: keep the value of this type for as long as it is to last.
/// **Memory order** what was done before a unit was given is seen by who takes it.
/// **Death** of who gives: the units are there or not, by one store. Of who was woken and has not taken: another gets the unit. Units that a process had taken are gone with it.
/// **Progress** giving never blocks. Waiting blocks while there is none. Not first come, first served; who has been overtaken for a millisecond is next.
@safe
public final class SharedSemaphore: Sendable {
    @usableFromInline let word: SharedUInt32
    let object: SynchronizationObject
    let core: SemaphoreCore
    /// How calls that block wait.
    public let strategy: WaitStrategy

    /// The most units that a semaphore holds: 536,870,911.
    public static let maximum = SemaphoreCore.maximum

    /// Opens the semaphore `name`, or makes it with `value` units. One that is there already has the units that it has.
    ///
    /// - Throws: ``InterprocessError`` as ``Segment/openOrCreate(_:size:in:lifetime:permissions:maximumPeers:)``, and `invalidArgument` for a value below 0 or
    ///   above ``maximum``.
    public convenience init(
        named name: ObjectName, value: Int, options: SynchronizationOptions = SynchronizationOptions(), strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        try self.init(SynchronizationObject.open(name, Self.plan(value, name.description), options), strategy)
    }

    /// Opens the semaphore that stands `offset` bytes into the data of a plain segment, or makes it there.
    ///
    /// - Throws: ``InterprocessError`` as ``SharedMutex/init(in:at:initial:strategy:)``, and `invalidArgument` for an impossible value.
    public convenience init(in segment: Segment, at offset: Int, value: Int, strategy: WaitStrategy = .adaptive) throws(InterprocessError) {
        try self.init(SynchronizationObject.open(in: segment, at: offset, Self.plan(value, "semaphore")), strategy)
    }

    /// Bytes that it takes in a segment.
    public static var byteCount: Int { SynchronizationWords.valueOffset(slots: 0) }

    private static func plan(_ value: Int, _ label: String) throws(InterprocessError) -> SynchronizationPlan {
        guard (0...maximum).contains(value) else {
            throw InterprocessError(.invalidArgument, "create", label, "a semaphore has 0 to \(maximum) units, not \(value)")
        }
        return SynchronizationPlan(kind: .semaphore) { words in
            LockCore.initialize(word: words.word, heir: words.heir)
            words.word.storeRelaxed(ClaimWord.open | UInt32(value) << ClaimWord.shift)
        }
    }

    private init(_ object: SynchronizationObject, _ strategy: WaitStrategy) {
        self.object = object
        self.strategy = strategy
        core = SemaphoreCore(object.core)
        word = core.word
    }

    /// The segment that it stands in, with its peers and their deaths.
    public var segment: Segment { object.segment }

    /// The units that are there. May have changed when it is read.
    public var value: Int { Int(ClaimWord.number(core.word.loadAcquire())) }

    /// Takes a unit; waits while there is none, until `deadline`. O(1); no system call if there is one.
    ///
    /// - Throws: ``WaitError`` `deadline`, `detached`, `damaged`.
    @inlinable
    public func wait(until deadline: Deadline = .never) throws(WaitError) {
        if !SemaphoreCore.takeFree(word) { try waitLonger(until: deadline) }
    }

    @usableFromInline
    func waitLonger(until deadline: Deadline) throws(WaitError) {
        var call = WaitingCall(maySleep: true)
        let ending = WaitingCall.block(strategy, until: deadline, &call) { core.look(&$0) }
        try finish(ending, &call)
    }

    /// Takes a unit if there is one. Never blocks. O(1).
    ///
    /// - Returns: whether there was one.
    /// - Throws: ``WaitError`` `detached`, `damaged`.
    @inlinable
    public func tryWait() throws(WaitError) -> Bool {
        if SemaphoreCore.takeFree(word) { return true }
        return try tryLonger()
    }

    @usableFromInline
    func tryLonger() throws(WaitError) -> Bool {
        var call = WaitingCall(maySleep: false)
        guard case .done(let isThere) = core.look(&call) else { return false }
        if !isThere { throw failure }
        return true
    }

    /// Gives `count` units and wakes as many who wait. O(1); no system call unless somebody sleeps.
    ///
    /// - Throws: ``WaitError`` `impossible` if the semaphore would have more than ``maximum`` units; `detached`, `damaged`.
    @inlinable
    public func signal(_ count: Int = 1) throws(WaitError) {
        if !SemaphoreCore.giveUnmarked(word, count) { try signalMarked(count) }
    }

    @usableFromInline
    func signalMarked(_ count: Int) throws(WaitError) {
        guard count >= 0 else { throw .impossible("\(count) units cannot be given") }
        switch core.give(count, upTo: Self.maximum) {
        case .done: return
        case .tooMany: throw .impossible("the semaphore would have more than \(Self.maximum) units")
        case .impossible: throw failure
        }
    }

    /// As ``wait(until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``WaitError`` `cancelled`, or what the blocking form throws.
    public func wait(until deadline: Deadline = .never) async throws(WaitError) {
        if SemaphoreCore.takeFree(word) { return }
        var call = WaitingCall(maySleep: true)
        let ending = await WaitingCall.suspend(object, until: deadline, &call) { core.look(&$0) }
        try finish(ending, &call)
    }

    private func finish(_ ending: WaitEnding<Bool>, _ call: inout WaitingCall) throws(WaitError) {
        switch ending {
        case .done(true): return
        case .done(false): throw failure
        case .deadline:
            core.giveUp(&call)
            throw .deadline
        case .cancelled:
            core.giveUp(&call)
            throw .cancelled
        }
    }

    var failure: WaitError { object.isDetached ? .detached : .damaged("word") }
}
