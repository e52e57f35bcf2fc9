/// A number of units that processes take and give back, and that come back by themselves when their holder dies.
///
/// ```swift
/// let slots = try SharedPermits(named: "gpu-slots", units: 4)
/// let permit = try slots.acquire()      // waits while all are taken
/// render()
/// permit.release()                      // or at the end of the value, or of the process
/// ```
///
/// **Layout** "synchronization object" with a slot for each peer: how many units it holds.
/// **Memory order** `SYNC lock.word`: what was done before a unit was given back is seen by who takes it.
/// **Death** of a holder gives its units back as soon as it is announced, those of all its threads: what each peer holds stands in a word of its own, from which the sums are made anew after a death. Of who was woken, or is next: the others look again.
/// **Progress** waits while there are too few. Not first come, first served; who has waited for a millisecond is next, whatever number of units it wants, and
/// nobody overtakes it. So a thread that holds some and waits for more may wait for one that waits for its units: take all in one call, or with a deadline.
/// **Source** System V semaphores with undo, where the kernel keeps what each process has taken; here it stands in the segment, and nothing is undone twice.
public final class SharedPermits: Sendable {
    let monitor: Monitor
    /// How many units there are, taken or not.
    public let units: Int
    /// How calls that block wait.
    public let strategy: WaitStrategy

    /// The most units that there can be: 1,000,000,000.
    public static let maximum = 1_000_000_000

    /// Opens the permits `name`, or makes them.
    ///
    /// - Parameter units: how many there are; the same in all programs.
    /// - Throws: ``InterprocessError`` as ``Segment/openOrCreate(_:size:in:lifetime:permissions:maximumPeers:)``, and `sizeMismatch` if they were made with another
    ///   number, `invalidArgument` for a number below 1 or above ``maximum``.
    public convenience init(
        named name: ObjectName, units: Int, options: SynchronizationOptions = SynchronizationOptions(), strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        try self.init(SynchronizationObject.open(name, Self.plan(units, name.description), options), units, strategy)
    }

    /// Opens the permits that stand `offset` bytes into the data of a plain segment, or makes them there.
    ///
    /// - Throws: ``InterprocessError`` as ``SharedMutex/init(in:at:initial:strategy:)``, and as ``init(named:units:options:strategy:)``.
    public convenience init(in segment: Segment, at offset: Int, units: Int, strategy: WaitStrategy = .adaptive) throws(InterprocessError) {
        try self.init(SynchronizationObject.open(in: segment, at: offset, Self.plan(units, "permits")), units, strategy)
    }

    /// Bytes that they take in `segment`.
    public static func byteCount(in segment: Segment) -> Int { SynchronizationWords.valueOffset(slots: segment.header.maximumPeers) }

    private static func plan(_ units: Int, _ label: String) throws(InterprocessError) -> SynchronizationPlan {
        guard (1...maximum).contains(units) else {
            throw InterprocessError(.invalidArgument, "create", label, "there can be 1 to \(maximum) permits, not \(units)")
        }
        return SynchronizationPlan(kind: .permits, limit: units, hasSlots: true) { Monitor.initialize($0) }
    }

    private init(_ object: SynchronizationObject, _ units: Int, _ strategy: WaitStrategy) {
        self.units = units
        self.strategy = strategy
        monitor = Monitor(object)
    }

    /// The segment that they stand in, with its peers and their deaths.
    public var segment: Segment { monitor.object.segment }

    /// How many units nobody holds. May have changed when it is read; of 10 ms ago while another process is stopped in the middle of taking or giving. O(1), O(peers) after a death.
    public var available: Int {
        let taken = monitor.access(until: Monitor.shortly) { monitor.words.taken.loadRelaxed() } ?? monitor.words.taken.loadRelaxed()
        return max(0, units - Int(taken))
    }

    /// Units that somebody holds. They are given back at the end of the value, and when the process ends in any way.
    public struct Permit: ~Copyable, Sendable {
        /// How many.
        public let count: Int
        private let permits: SharedPermits

        fileprivate init(_ permits: SharedPermits, _ count: Int) { (self.permits, self.count) = (permits, count) }

        /// Gives the units back. Never waits for another process, but for 10 ms at most for one that is stopped in the middle of taking or giving. O(1).
        public consuming func release() {}

        deinit { permits.giveBack(count) }
    }

    /// Takes `count` units; waits while there are too few, until `deadline`. O(1), O(peers) after a death; no system call if there are enough.
    ///
    /// - Throws: ``WaitError`` `deadline`, `impossible` if there can never be so many, `detached`, `damaged`.
    public func acquire(_ count: Int = 1, until deadline: Deadline = .never) throws(WaitError) -> Permit {
        try check(count)
        if takeFree(count) { return Permit(self, count) }
        var call = WaitingCall(maySleep: true)
        var monitorCall = Monitor.Call()
        let ending = WaitingCall.block(strategy, until: deadline, &call) { look(&$0, &monitorCall, count) }
        return try finish(ending, &monitorCall, count)
    }

    /// Takes `count` units if there are so many. Does not block, but for 10 ms at most while another process is stopped in the middle of taking or giving.
    ///
    /// - Returns: nil if there are too few.
    /// - Throws: ``WaitError`` `impossible`, `detached`, `damaged`.
    public func tryAcquire(_ count: Int = 1) throws(WaitError) -> Permit? {
        try check(count)
        let isTaken = monitor.access(until: Monitor.shortly) { take(count, isNext: false) }
        guard let isTaken else {
            if monitor.object.isDetached { throw .detached }
            if !ClaimWord.isOpen(monitor.words.word.loadAcquire()) { throw .damaged("word") }
            return nil
        }
        return isTaken ? Permit(self, count) : nil
    }

    /// As ``acquire(_:until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``WaitError`` `cancelled`, or what the blocking form throws.
    public func acquire(_ count: Int = 1, until deadline: Deadline = .never) async throws(WaitError) -> Permit {
        try check(count)
        if takeFree(count) { return Permit(self, count) }
        var call = WaitingCall(maySleep: true)
        var monitorCall = Monitor.Call()
        let ending = await WaitingCall.suspend(monitor.object, until: deadline, &call) { look(&$0, &monitorCall, count) }
        return try finish(ending, &monitorCall, count)
    }

    /// Takes them if there are enough and nobody is in the way.
    private func takeFree(_ count: Int) -> Bool {
        guard let before = monitor.enterFree() else { return false }
        let isTaken = take(count, isNext: false)
        monitor.leave(before)
        return isTaken
    }

    private func check(_ count: Int) throws(WaitError) {
        guard count >= 1 else { throw .impossible("1 permit is the least that can be asked for, not \(count)") }
        guard count <= units else { throw .impossible("\(count) of \(units) permits can never be had") }
    }

    private func look(_ call: inout WaitingCall, _ monitorCall: inout Monitor.Call, _ count: Int) -> Look<Void?> {
        monitor.look(&call, &monitorCall) { monitorCall in
            guard take(count, isNext: monitorCall.isNext) else { return nil }
            monitor.taken(by: &monitorCall)
            return ()
        }
    }

    /// In the lock.
    private func take(_ count: Int, isNext: Bool) -> Bool {
        let taken = Int(monitor.words.taken.loadRelaxed())
        guard isNext || !monitor.isSomebodyNext, taken <= units, units - taken >= count else { return false }
        // The truth first: who dies after it holds them, and the sum is made anew.
        monitor.changeMine { $0 &+ UInt32(count) }
        monitor.words.taken.storeRelease(UInt32(taken + count))
        return true
    }

    private func giveBack(_ count: Int) {
        // Less than that is held only if somebody wrote there who should not.
        monitor.giveBack({ $0 - min($0, UInt32(count)) }) { givenBack in
            monitor.words.taken.storeRelease(monitor.words.taken.loadRelaxed() &- givenBack)
            monitor.change()
        }
    }

    private func finish(_ ending: WaitEnding<Void?>, _ monitorCall: inout Monitor.Call, _ count: Int) throws(WaitError) -> Permit {
        switch ending {
        case .done(.some): return Permit(self, count)
        case .done(.none): throw monitor.object.isDetached ? .detached : .damaged("word")
        case .deadline:
            monitor.giveUp(&monitorCall)
            throw .deadline
        case .cancelled:
            monitor.giveUp(&monitorCall)
            throw .cancelled
        }
    }
}
