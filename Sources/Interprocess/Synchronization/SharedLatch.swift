import InterprocessSystem
import Synchronization

/// A count that goes down to zero once, and those who wait for that.
///
/// ```swift
/// let ready = try SharedLatch(named: "workers-ready", count: 4)
/// try ready.countDown()       // each of four workers
/// try ready.wait()            // who needs them all
/// ```
///
/// Nobody waits for the dead: when a peer dies that has not counted down, each value that waits is told once, by ``RendezvousError/peerDied(_:)``. It may have been one
/// that was waited for, or not: who was told decides, and may wait again. Of deaths before this value was opened it is not told: open it before those start who count down, or wait with a deadline.
///
/// **Layout** `word` of "synchronization object", and a slot for each peer: whether it has counted down.
/// **Memory order** `SYNC latch.word`: what was done before counting down is seen by all who waited.
/// **Death** of who counts down: it has or has not, by one store; between this and the note that it has, the others are told of its death though it has; and likewise if more than 31 others have had its place among the peers and counted down before the death is looked at.
/// **Lifetime** of one with a name: until the last process that has it open leaves or dies, and then the next one counts from the beginning, unless ``SynchronizationOptions/lifetime`` says otherwise: keep the value of this type for as long as it is to last.
/// **Progress** counting down never blocks. Waiting blocks until the count is zero.
public final class SharedLatch: Sendable {
    private let object: SynchronizationObject
    /// How calls that block wait.
    public let strategy: WaitStrategy
    /// The deaths that this value has been told of.
    private let toldDeaths: Atomic<UInt32>
    private var word: SharedUInt32 { object.words.word }
    private static let step: UInt32 = 1 << ClaimWord.shift

    /// The largest count: 1,073,741,823.
    public static let maximum = (1 << 30) - 1

    /// Opens the latch `name`, or makes it.
    ///
    /// - Parameter count: the same in all programs.
    /// - Throws: ``InterprocessError`` as ``Segment/openOrCreate(_:size:in:lifetime:permissions:maximumPeers:)``, and `sizeMismatch` if it was made with another
    ///   count, `invalidArgument` for a count below 0 or above ``maximum``.
    public convenience init(
        named name: ObjectName, count: Int, options: SynchronizationOptions = SynchronizationOptions(), strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        try self.init(SynchronizationObject.open(name, Self.plan(count, name.description), options), strategy)
    }

    /// Opens the latch that stands `offset` bytes into the data of a plain segment, or makes it there.
    ///
    /// - Throws: ``InterprocessError`` as ``SharedMutex/init(in:at:initial:strategy:)``, and as ``init(named:count:options:strategy:)``.
    public convenience init(in segment: Segment, at offset: Int, count: Int, strategy: WaitStrategy = .adaptive) throws(InterprocessError) {
        try self.init(SynchronizationObject.open(in: segment, at: offset, Self.plan(count, "latch")), strategy)
    }

    /// Bytes that it takes in `segment`.
    public static func byteCount(in segment: Segment) -> Int { SynchronizationWords.valueOffset(slots: segment.header.maximumPeers) }

    private static func plan(_ count: Int, _ label: String) throws(InterprocessError) -> SynchronizationPlan {
        guard (0...maximum).contains(count) else {
            throw InterprocessError(.invalidArgument, "create", label, "a latch counts from 0 to \(maximum), not from \(count)")
        }
        return SynchronizationPlan(kind: .latch, limit: count, hasSlots: true) { words in
            words.word.storeRelaxed(ClaimWord.open | UInt32(count) << ClaimWord.shift)
        }
    }

    private init(_ object: SynchronizationObject, _ strategy: WaitStrategy) {
        self.object = object
        self.strategy = strategy
        toldDeaths = Atomic(object.table.deaths.loadAcquire())
    }

    /// The segment that it stands in, with its peers and their deaths.
    public var segment: Segment { object.segment }

    /// What is left of the count. May have changed when it is read.
    public var count: Int { Int(ClaimWord.number(word.loadAcquire())) }

    /// Counts down by `amount`, to zero at least; lets all through who wait when it is zero. Never blocks. O(1); no system call but for the last one, if
    /// somebody sleeps.
    ///
    /// - Throws: ``WaitError`` `impossible` for an amount below 0; `detached`, `damaged`.
    public func countDown(by amount: Int = 1) throws(WaitError) {
        guard amount >= 0 else { throw .impossible("a latch cannot count down by \(amount)") }
        while true {
            let seen = word.loadSequential()
            guard ClaimWord.isOpen(seen) else { throw object.isDetached ? .detached : .damaged("word") }
            let left = max(0, Int(ClaimWord.number(seen)) - amount)
            if left > 0 || seen & ClaimWord.marked == 0 {
                let kept = seen & (ClaimWord.marked | ClaimWord.open)
                guard word.compareExchange(seen, UInt32(left) << ClaimWord.shift | kept) else { continue }
            } else {
                // It only goes down: what others have counted meanwhile changes nothing.
                unsafe Futex.change(word.rawAddress, .set(Int32(ClaimWord.open)), waking: .max)
            }
            if amount == 0 { return }
            noteThatCounted()
            return
        }
    }

    /// Comes through when the count is zero; waits until it is, or until `deadline`. O(1); no system call if it is.
    ///
    /// - Throws: ``RendezvousError`` `deadline`, `peerDied`, `detached`, `damaged`.
    public func wait(until deadline: Deadline = .never) throws(RendezvousError) {
        var call = WaitingCall(maySleep: true)
        try finish(WaitingCall.block(strategy, until: deadline, &call) { call throws(RendezvousError) in try look(&call) })
    }

    /// Whether the count is zero.
    public var isOpen: Bool { word.loadAcquire() & ~ClaimWord.marked == ClaimWord.open }

    /// As ``wait(until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``RendezvousError`` `cancelled`, or what the blocking form throws.
    public func wait(until deadline: Deadline = .never) async throws(RendezvousError) {
        var call = WaitingCall(maySleep: true)
        try await finish(WaitingCall.suspend(object, until: deadline, &call) { call throws(RendezvousError) in try look(&call) })
    }

    private func look(_ call: inout WaitingCall) throws(RendezvousError) -> Look<Void> {
        while true {
            let deaths = object.table.deaths.loadAcquire()
            let seen = word.loadSequential()
            guard ClaimWord.isOpen(seen) else { throw object.isDetached ? .detached : .damaged("word") }
            if ClaimWord.number(seen) == 0 { return .done(()) }
            if let notice = newLoss(before: deaths) { throw .peerDied(notice) }
            guard call.maySleep else { return .busy }
            if seen & ClaimWord.marked == 0, !word.compareExchange(seen, seen | ClaimWord.marked) { continue }
            return .sleep(SleepWords(event: word, eventSeen: seen | ClaimWord.marked, life: object.table.deaths, lifeSeen: deaths))
        }
    }

    /// The first of those who have died since this value was last told, without having counted down. Those behind it are left for the next calls.
    func newLoss(before deaths: UInt32) -> DeathNotice? {
        var told = toldDeaths.load(ordering: .relaxed)
        // Another thread or task may have been told of later ones since the caller read the count.
        while Int32(bitPattern: deaths &- told) > 0 {
            // Of more than have records the last ones are told.
            let number = PeerTable.firstRecord(since: told, before: deaths)
            let exchange = toldDeaths.compareExchange(expected: told, desired: number &+ 1, ordering: .relaxed)
            guard exchange.exchanged else {
                told = exchange.original
                continue
            }
            told = number &+ 1
            if let notice = object.table.notice(number), !hasCountedDown(notice.peer) { return notice }
        }
        return nil
    }

    /// In the slot: the last peer that had it and has counted down, and in bits 32–63 which of the 32 generations up to that one have.
    private func noteThatCounted() {
        let (slot, mine) = (object.words.slot(object.peer.slot), UInt64(object.peer.rawValue))
        var seen = slot.loadAcquire()
        while seen & 0xffff_ffff != mine {
            let age = PeerID(rawValue: UInt32(truncatingIfNeeded: seen)).map { object.peer.generation &- $0.generation }
            let before = age.map { $0 < 32 ? ((seen >> 32) << UInt64($0)) & 0xffff_ffff : 0 } ?? 0
            // Another thread of this process may do the same.
            if slot.compareExchange(seen, mine | (before | 1) << 32) { return }
            seen = slot.loadAcquire()
        }
    }

    private func hasCountedDown(_ peer: PeerID) -> Bool {
        guard peer.slot < object.words.slots else { return false }
        let seen = object.words.slot(peer.slot).loadAcquire()
        guard let last = PeerID(rawValue: UInt32(truncatingIfNeeded: seen)) else { return false }
        let age = last.generation &- peer.generation
        return age < 32 && seen >> (32 + UInt64(age)) & 1 != 0
    }

    private func finish(_ ending: WaitEnding<Void>) throws(RendezvousError) {
        switch ending {
        case .done: return
        case .deadline: throw .deadline
        case .cancelled: throw .cancelled
        }
    }
}
