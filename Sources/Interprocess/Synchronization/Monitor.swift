import InterprocessSystem

/// Several words that change together: what each peer holds stands in a word of its own, and is the truth; sums and turns are changed under a lock, and
/// made anew from the truth after a death.
///
/// **Layout** `word` (the lock), `changes` (what those sleep on who wait), `taken`, `writer`, `next`, `deaths_seen` and the slots of "synchronization object".
///
/// **Memory order** `SYNC lock.word`. All words but `word`, `heir` and `changes` are read and written by the holder of `word` only.
///
/// **Death** in the lock: the next one finds the word abandoned, and makes all sums anew. What the dead held is taken from its slot by whoever is first in the
/// lock after the death was announced; all who sleep are woken by that, since they sleep on `deaths` as well. Before a wake-up: the same.
///
/// **Progress** who has waited for a millisecond becomes the next: nobody else takes anything while it lives and waits.
final class Monitor: Sendable {
    let object: SynchronizationObject
    let lock: LockCore
    let words: SynchronizationWords
    let me: PeerID
    private let deaths: SharedUInt32

    /// What to do for each dead peer that held something, before its slot is cleared; in the lock.
    private let lose: @Sendable (SynchronizationWords, PeerID) -> Void

    init(_ object: SynchronizationObject, lose: @escaping @Sendable (SynchronizationWords, PeerID) -> Void = { _, _ in }) {
        self.object = object
        self.lose = lose
        lock = object.core
        words = object.words
        me = object.peer
        deaths = object.table.deaths
    }

    /// Before anybody else can see it.
    static func initialize(_ words: SynchronizationWords) {
        LockCore.initialize(word: words.word, heir: words.heir)
        words.changes.storeRelaxed(ClaimWord.open)
    }

    /// A call that waits for something that is looked at in the lock.
    struct Call {
        fileprivate var entry = WaitingCall(maySleep: true)
        /// Whether this call is the next.
        var isNext = false
    }

    /// Enters the lock if nobody is in it, for a call that does not wait. Then ``leave(_:)`` with what this returns; nil: it was not entered.
    @inline(__always)
    func enterFree() -> UInt32? {
        guard lock.takeFree() else { return nil }
        remake(isAbandoned: false)
        return words.changes.loadRelaxed()
    }

    /// Looks in the lock. `body` returns nil to wait for a change. The result is nil if the object is not there any more.
    func look<R>(_ call: inout WaitingCall, _ monitorCall: inout Call, _ body: (inout Call) -> R?) -> Look<R?> {
        while true {
            if let look = lookOnce(&call, &monitorCall, body) { return look }
        }
    }

    /// Nil: somebody died meanwhile; to be looked at anew.
    @inline(__always)
    private func lookOnce<R>(_ call: inout WaitingCall, _ monitorCall: inout Call, _ body: (inout Call) -> R?) -> Look<R?>? {
        // Whoever has slept for the lock has a mark to set, and may be its heir: only the long way does that.
        switch !monitorCall.entry.hasSlept && lock.takeFree() ? .done(.free) : lock.look(&monitorCall.entry, isMine: { false }) {
        case .done(.free): remake(isAbandoned: false)
        case .done(.abandoned): remake(isAbandoned: true)
        case .done(.impossible), .done(.held): return .done(nil)
        case .busy: return .busy
        case .sleep(let sleepWords):
            if !call.maySleep { return .busy }
            monitorCall.entry.willSleep()
            return .sleep(sleepWords)
        }
        if monitorCall.entry.hasSlept { monitorCall.entry = WaitingCall(maySleep: true) }
        let before = words.changes.loadRelaxed()
        if let result = body(&monitorCall) {
            leave(before)
            return .done(result)
        }
        guard call.maySleep else {
            leave(before)
            return .busy
        }
        if !monitorCall.isNext, call.isOutOfPatience(), words.next.loadRelaxed() == 0 {
            words.next.storeRelease(me.rawValue)
            monitorCall.isNext = true
        }
        // Read in the lock: who changes something after this, and who dies after this, wakes.
        let deaths = deaths.loadAcquire()
        let seen = words.changes.setBits(ClaimWord.marked) | ClaimWord.marked
        guard ClaimWord.isOpen(seen) else {
            lock.letGo()
            return .done(nil)
        }
        if words.deathsSeen.loadRelaxed() != deaths {
            // Somebody has died since the sums were made: not to be slept on.
            lock.letGo()
            return nil
        }
        lock.letGo()
        return .sleep(SleepWords(event: words.changes, eventSeen: seen, life: self.deaths, lifeSeen: deaths))
    }

    /// What to do after a call has ended without having got anything.
    func giveUp(_ monitorCall: inout Call) {
        lock.giveUp(&monitorCall.entry)
        guard monitorCall.isNext else { return }
        monitorCall.isNext = false
        // Not in the lock, since a deadline has passed and another process may be stopped in it.
        guard words.next.compareExchange(me.rawValue, 0) else { return }
        if access(until: Self.shortly, { change() }) == nil {
            // Whoever stood back let go of the lock before the one that is stopped took it, and is asleep by now.
            unsafe Futex.wake(words.changes.rawAddress)
        }
    }

    /// Does something in the lock, for calls that give back and never wait for anything but the lock. Blocks while another is in it, which is for a few
    /// instructions unless that one was stopped. Nil: the object is not there any more.
    @discardableResult
    func access<R>(until deadline: Deadline = .never, _ body: () -> R) -> R? {
        if let before = enterFree() {
            let result = body()
            leave(before)
            return result
        }
        var call = WaitingCall(maySleep: true)
        let ending = WaitingCall.block(.adaptive, until: deadline, &call) { lock.look(&$0, isMine: { false }) }
        switch ending {
        case .done(.free): remake(isAbandoned: false)
        case .done(.abandoned): remake(isAbandoned: true)
        case .done(.impossible), .done(.held): return nil
        case .deadline, .cancelled:
            lock.giveUp(&call)
            return nil
        }
        let before = words.changes.loadRelaxed()
        let result = body()
        leave(before)
        return result
    }

    /// How long a call that only tries waits for who is in the lock.
    static var shortly: Deadline { .after(.milliseconds(10)) }

    // MARK: In the lock

    /// Whether there is a call that is to be let through first.
    var isSomebodyNext: Bool { words.next.loadRelaxed() != 0 }

    /// After something was taken by the call that is the next: nobody is, from now on.
    func taken(by monitorCall: inout Call) {
        guard monitorCall.isNext else { return }
        monitorCall.isNext = false
        stepBack()
    }

    private func stepBack() {
        if words.next.loadRelaxed() == me.rawValue { words.next.storeRelease(0) }
        change()
    }

    /// Those who wait are to look again, as soon as the lock is let go.
    func change() {
        let seen = words.changes.loadRelaxed()
        if seen & ClaimWord.marked != 0 { words.changes.storeRelease((seen &+ (1 << ClaimWord.shift)) & ~ClaimWord.marked) }
    }

    /// Lets go of the lock, and wakes those who waited for a change if there was one.
    @inline(__always)
    func leave(_ before: UInt32) {
        let isChanged = before & ClaimWord.marked != 0 && words.changes.loadRelaxed() & ClaimWord.marked == 0
        lock.letGo()
        if isChanged { unsafe Futex.wake(words.changes.rawAddress) }
    }

    /// What this peer holds. A word that another peer left in the slot is cleared first.
    var mine: UInt32 {
        let slot = words.slot(me.slot).loadRelaxed()
        return UInt32(truncatingIfNeeded: slot) == me.rawValue ? UInt32(truncatingIfNeeded: slot >> 32) : 0
    }

    /// Says what this peer holds: the one store by which it has it, or has it no more.
    func setMine(_ held: UInt32) { words.slot(me.slot).storeRelease(held == 0 ? 0 : UInt64(me.rawValue) | UInt64(held) << 32) }

    /// What all who live hold, one after the other.
    func forEachHolder(_ body: (PeerID, UInt32) -> Void) {
        for index in 0..<words.slots {
            let slot = words.slot(index).loadRelaxed()
            if slot != 0, let peer = PeerID(rawValue: UInt32(truncatingIfNeeded: slot)) {
                body(peer, UInt32(truncatingIfNeeded: slot >> 32))
            }
        }
    }

    /// Takes from the dead what they held and makes the sum anew, if anybody has died since that was last done.
    @inline(__always)
    private func remake(isAbandoned: Bool) {
        let deaths = deaths.loadAcquire()
        if isAbandoned || deaths != words.deathsSeen.loadRelaxed() { remake(deaths) }
    }

    private func remake(_ deaths: UInt32) {
        let table = object.table
        // Those found dead here, before the barrier after which nothing that they still did can come.
        let dead = (0..<words.slots).filter { index in
            let slot = words.slot(index).loadAcquire()
            guard slot != 0 else { return false }
            guard let peer = PeerID(rawValue: UInt32(truncatingIfNeeded: slot)) else { return true }
            return table.condition(of: peer) != .alive
        }
        let writer = PeerID(rawValue: words.writer.loadAcquire())
        let hasLostWriter = writer.map { table.condition(of: $0) != .alive } ?? false
        let next = PeerID(rawValue: words.next.loadAcquire())
        let hasLostNext = next.map { table.condition(of: $0) != .alive } ?? false
        if !dead.isEmpty || hasLostWriter { Barrier.afterDeath() }
        for index in dead {
            if let peer = PeerID(rawValue: UInt32(truncatingIfNeeded: words.slot(index).loadAcquire())) { lose(words, peer) }
            words.slot(index).storeRelease(0)
        }
        if hasLostWriter, let writer {
            words.inconsistent.storeRelease(writer.rawValue)
            words.writer.storeRelease(0)
        }
        if hasLostNext { words.next.storeRelease(0) }
        var sum: UInt32 = 0
        forEachHolder { _, held in sum &+= held }
        words.taken.storeRelease(sum)
        let seen = words.changes.loadRelaxed()
        words.changes.storeRelease(((seen &+ (1 << ClaimWord.shift)) & ~ClaimWord.marked) | ClaimWord.open)
        words.deathsSeen.storeRelease(deaths)
        unsafe Futex.wake(words.changes.rawAddress)
    }
}
