import InterprocessSystem

/// Something that has happened or not, for which processes wait.
///
/// ```swift
/// let ready = try SharedEvent(named: "ready")
/// try ready.wait()      // one process, or several
/// try ready.set()       // another
/// ```
///
/// An event that resets itself lets one caller through each time that it is set; one that does not lets all through until somebody resets it.
///
/// **Layout** `word` of "synchronization object": 0 or 1; of one that does not reset itself, twice the number of times that it was set, plus 1 while it is set.
/// **Memory order** `SYNC event.word`: release by ``set()`` ⇄ acquire by who comes through.
/// **Death** of who sets: it is set or not; who is killed before the wake-up wakes all by its death. Of who was woken and had not come through: the others look
/// again.
/// **Lifetime** of one with a name: until the last process that has it open leaves or dies, and then the next one is not set, unless ``SynchronizationOptions/lifetime`` says otherwise: keep the value of this type for as long as it is to last.
/// **Progress** of an event that resets itself: as ``SemaphoreCore``.
public final class SharedEvent: Sendable {
    /// What becomes of the event when a caller comes through.
    public enum Reset: Sendable, Hashable {
        /// It stays set, until ``SharedEvent/reset()``.
        case manual
        /// It is reset: one caller comes through.
        case automatic
    }

    let object: SynchronizationObject
    let core: SemaphoreCore
    /// What happens to it when somebody comes through.
    public let resetting: Reset
    /// How calls that block wait.
    public let strategy: WaitStrategy
    var word: SharedUInt32 { core.word }
    /// How often it was set, if it does not reset itself.
    var times: UInt32 { word.loadAcquire() / Self.time }
    static let isSetBit: UInt32 = 1 << ClaimWord.shift
    /// One time that it was set, by hand: so that who slept then comes through, also if it was reset before it could look.
    private static let time: UInt32 = isSetBit << 1

    /// Opens the event `name`, or makes it, not set.
    ///
    /// - Throws: ``InterprocessError`` as ``Segment/openOrCreate(_:size:in:lifetime:permissions:maximumPeers:)``, and `sizeMismatch` if the existing one resets
    ///   otherwise.
    public convenience init(
        named name: ObjectName, resetting: Reset = .manual, options: SynchronizationOptions = SynchronizationOptions(),
        strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        try self.init(SynchronizationObject.open(name, Self.plan(resetting), options), resetting, strategy)
    }

    /// Opens the event that stands `offset` bytes into the data of a plain segment, or makes it there.
    ///
    /// - Throws: ``InterprocessError`` as ``SharedMutex/init(in:at:initial:strategy:)``, and `sizeMismatch` if the existing one resets otherwise.
    public convenience init(
        in segment: Segment, at offset: Int, resetting: Reset = .manual, strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        try self.init(SynchronizationObject.open(in: segment, at: offset, Self.plan(resetting)), resetting, strategy)
    }

    /// Bytes that it takes in a segment.
    public static var byteCount: Int { SynchronizationWords.valueOffset(slots: 0) }

    private static func plan(_ resetting: Reset) -> SynchronizationPlan {
        SynchronizationPlan(kind: .event, limit: resetting == .automatic ? 1 : 0) {
            LockCore.initialize(word: $0.word, heir: $0.heir)
        }
    }

    private init(_ object: SynchronizationObject, _ resetting: Reset, _ strategy: WaitStrategy) {
        self.object = object
        self.resetting = resetting
        self.strategy = strategy
        core = SemaphoreCore(object.core)
    }

    /// The segment that it stands in, with its peers and their deaths.
    public var segment: Segment { object.segment }

    /// Whether it is set. May have changed when it is read.
    public var isSet: Bool { word.loadAcquire() & Self.isSetBit != 0 }

    /// Says that it has happened: lets all through who wait, or one if the event resets itself. Nothing if it was set already. O(1); no system call unless
    /// somebody sleeps.
    ///
    /// - Throws: ``WaitError`` `detached`, `damaged`.
    public func set() throws(WaitError) {
        while true {
            let seen = word.loadSequential()
            guard ClaimWord.isOpen(seen) else { throw failure }
            if resetting == .automatic {
                guard core.raise() else { throw failure }
                return
            }
            if seen & Self.isSetBit != 0 {
                // Not a look alone: whoever takes it away after this sees what was done before this.
                guard word.compareExchange(seen, seen) else { continue }
                wakeAll(seen)
                return
            }
            let set = (seen &+ Self.time) | Self.isSetBit
            guard word.compareExchange(seen, set) else { continue }
            wakeAll(set)
            return
        }
    }

    /// Wakes those who sleep, if there are any, after the word was found or made `set`. The mark goes after the wake-up: while who has set the event is stopped before
    /// that, others who set it wake. Nobody goes to sleep on a word that is set.
    private func wakeAll(_ set: UInt32) {
        guard set & ClaimWord.marked != 0 else { return }
        unsafe Futex.wake(word.rawAddress)
        _ = word.compareExchange(set, set & ~ClaimWord.marked)
    }

    /// Says that it has not happened.
    ///
    /// - Throws: ``WaitError`` `detached`, `damaged`.
    public func reset() throws(WaitError) {
        guard ClaimWord.isOpen(word.clearBits(Self.isSetBit)) else { throw failure }
    }

    /// Comes through when the event is set; waits until it is, or until `deadline`. O(1); no system call if it is.
    ///
    /// - Throws: ``WaitError`` `deadline`, `detached`, `damaged`.
    public func wait(until deadline: Deadline = .never) throws(WaitError) {
        var call = WaitingCall(maySleep: true)
        var times: UInt32?
        try finish(WaitingCall.block(strategy, until: deadline, &call) { look(&$0, &times) }, &call)
    }

    /// Comes through if the event is set. Never blocks.
    ///
    /// - Returns: whether it was.
    /// - Throws: ``WaitError`` `detached`, `damaged`.
    public func tryWait() throws(WaitError) -> Bool {
        var call = WaitingCall(maySleep: false)
        var times: UInt32?
        guard case .done(let isThere) = look(&call, &times) else { return false }
        if !isThere { throw failure }
        return true
    }

    /// As ``wait(until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``WaitError`` `cancelled`, or what the blocking form throws.
    public func wait(until deadline: Deadline = .never) async throws(WaitError) {
        var call = WaitingCall(maySleep: true)
        var times: UInt32?
        try await finish(WaitingCall.suspend(object, until: deadline, &call) { look(&$0, &times) }, &call)
    }

    /// - Parameter times: how often it had been set when the call first looked.
    func look(_ call: inout WaitingCall, _ times: inout UInt32?) -> Look<Bool> {
        if resetting == .automatic { return core.look(&call) }
        while true {
            let deaths = object.table.deaths.loadAcquire()
            let seen = word.loadSequential()
            guard ClaimWord.isOpen(seen) else { return .done(false) }
            if seen & Self.isSetBit != 0 { return .done(true) }
            if let times, times != seen / Self.time { return .done(true) }
            times = seen / Self.time
            guard call.maySleep else { return .busy }
            if seen & ClaimWord.marked == 0, !word.compareExchange(seen, seen | ClaimWord.marked) { continue }
            return .sleep(SleepWords(event: word, eventSeen: seen | ClaimWord.marked, life: object.table.deaths, lifeSeen: deaths))
        }
    }

    private func finish(_ ending: WaitEnding<Bool>, _ call: inout WaitingCall) throws(WaitError) {
        switch ending {
        case .done(true): return
        case .done(false): throw failure
        case .deadline, .cancelled:
            if resetting == .automatic { core.giveUp(&call) }
            if case .cancelled = ending { throw .cancelled }
            throw .deadline
        }
    }

    var failure: WaitError { object.isDetached ? .detached : .damaged("word") }
}
