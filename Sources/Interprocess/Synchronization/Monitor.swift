import InterprocessSystem
import Synchronization

/// Several words that change together: what each peer holds stands in a word of its own, and is the truth; sums and turns are changed under a lock, and
/// made anew from the truth after a death.
///
/// **Layout** `word` (the lock), `changes` (what those sleep on who wait), `taken`, `writer`, `next`, `deaths_seen` and the slots of "synchronization object".
///
/// **Memory order** `SYNC lock.word`. All words but `word`, `heir` and `changes` are read and written by the holder of `word` only; but for `writer`, `next` and what a
/// peer holds, which it may give back beside the lock, and `given_back`, which says that it did: these are read with acquire.
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
        /// Whether it becomes that when it has waited for long: not where all wait for the same.
        let mayBeNext: Bool

        init(mayBeNext: Bool = true) { self.mayBeNext = mayBeNext }
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
        let isNobodyNext = words.next.loadRelaxed() == 0
        if monitorCall.mayBeNext, !monitorCall.isNext, isNobodyNext, call.isOutOfPatience() {
            words.next.storeRelease(me.rawValue)
            monitorCall.isNext = true
        }
        guard call.maySleep else {
            leave(before)
            return .busy
        }
        // Read in the lock: who changes something after this, and who dies after this, wakes.
        let deaths = deaths.loadAcquire()
        let seen = words.changes.setBits(ClaimWord.marked) | ClaimWord.marked
        guard ClaimWord.isOpen(seen) else {
            lock.letGo()
            return .done(nil)
        }
        if words.deathsSeen.loadRelaxed() != deaths || !hasCountedAll {
            // Somebody has died since the sums were made, or given something back beside the lock: not to be slept on.
            lock.letGo()
            return nil
        }
        lock.letGo()
        var sleepWords = SleepWords(event: words.changes, eventSeen: seen, life: self.deaths, lifeSeen: deaths)
        // Those who hold it may take turns so that it never becomes free, and nobody is woken: then this call has to become the next by itself.
        if monitorCall.mayBeNext, !monitorCall.isNext, isNobodyNext { sleepWords.lookAgain = call.endOfPatience }
        // All others stand back for the next: it must not depend on the wake-up of one that was stopped before it.
        if monitorCall.isNext { sleepWords.lookAgain = .now.advanced(by: .milliseconds(NextCall.pause)) }
        return .sleep(sleepWords)
    }

    /// What to do after a call has ended without having got anything.
    func giveUp(_ monitorCall: inout Call) {
        lock.giveUp(&monitorCall.entry)
        guard monitorCall.isNext else { return }
        monitorCall.isNext = false
        // Not in the lock, since a deadline has passed and another process may be stopped in it.
        guard words.next.compareExchange(me.rawValue, 0) else { return }
        // Whoever stood back may be asleep, or stopped on its way there.
        if access(until: Self.shortly, { change() }) == nil { changeBesideLock() }
    }

    /// Gives back what this peer holds, all but `left` of it, for calls that never wait. Usually in the lock, where `inLock` makes the sum right. If another has
    /// been in the lock for ``shortly``, as one that was stopped, beside it: then whoever is in the lock next makes the sum anew.
    ///
    /// - Parameter left: how much is left of what is held. May be called more than once.
    func giveBack(_ left: (UInt32) -> UInt32, inLock: (_ givenBack: UInt32) -> Void) {
        let isDone: Void? = access(until: Self.shortly) {
            // More than is held only if somebody wrote there who should not.
            let (before, after) = changeMine { min($0, left($0)) }
            inLock(before - after)
        }
        if isDone == nil, Holdings(words, me.slot).giveBack(left, by: me) { changeBesideLock() }
    }

    /// Does something in the lock, for calls that wait for nothing but the lock. Nil: the object is not there any more, or the deadline has passed.
    ///
    /// - Parameter deadline: not looked at, and no clock read, if nobody is in the lock.
    @discardableResult
    func access<R>(until deadline: @autoclosure () -> Deadline, _ body: () -> R) -> R? {
        if let before = enterFree() {
            let result = body()
            leave(before)
            return result
        }
        var call = WaitingCall(maySleep: true)
        let ending = WaitingCall.block(.adaptive, until: deadline(), &call) { lock.look(&$0, isMine: { false }) }
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

    /// The same by a peer that is not in the lock, after what it has changed. All look again, and sleep for the lock while somebody is in it.
    func changeBesideLock() {
        // SYNC monitor.given_back: whoever sees this sees what was changed. Who is about to sleep and does not see it yet has read the old number of changes.
        words.givenBack.add(1)
        var seen = words.changes.loadSequential()
        while ClaimWord.isOpen(seen), !words.changes.compareExchange(seen, (seen &+ (1 << ClaimWord.shift)) & ~ClaimWord.marked) {
            seen = words.changes.loadSequential()
        }
        unsafe Futex.wake(words.changes.rawAddress)
    }

    /// Lets go of the lock, and wakes those who waited for a change if there was one.
    @inline(__always)
    func leave(_ before: UInt32) {
        let isChanged = before & ClaimWord.marked != 0 && words.changes.loadRelaxed() & ClaimWord.marked == 0
        lock.letGo()
        if isChanged { unsafe Futex.wake(words.changes.rawAddress) }
    }

    /// What this peer holds.
    var mine: UInt32 { Holdings(words, me.slot).held(by: me) }

    /// Changes what this peer holds, with one store. Returns what it held and holds.
    @discardableResult
    func changeMine(_ new: (UInt32) -> UInt32) -> (before: UInt32, after: UInt32) { Holdings(words, me.slot).change(new, by: me) }

    /// What all who live hold, one after the other.
    func forEachHolder(_ body: (PeerID, UInt32) -> Void) {
        for index in 0..<words.slots {
            let holdings = Holdings(words, index)
            if let peer = holdings.peer { body(peer, holdings.held(by: peer)) }
        }
    }

    /// Takes from the dead what they held and makes the sum anew, if anybody has died since that was last done.
    @inline(__always)
    private func remake(isAbandoned: Bool) {
        let deaths = deaths.loadAcquire()
        if isAbandoned || deaths != words.deathsSeen.loadRelaxed() || !hasCountedAll { remake(deaths) }
    }

    /// Whether the sums hold all that was given back without the lock.
    private var hasCountedAll: Bool { words.givenBack.loadAcquire() == words.givenBackSeen.loadRelaxed() }

    private func remake(_ deaths: UInt32) {
        let table = object.table
        // Before the slots: what is given back after this is counted by the next one.
        let givenBack = words.givenBack.loadAcquire()
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
            let holdings = Holdings(words, index)
            if let peer = holdings.peer, holdings.held(by: peer) != 0 { lose(words, peer) }
            // In this order: alone, the second says nothing.
            words.slot(index).storeRelease(0)
            words.givenBack(index).storeRelease(0)
        }
        // Another of its threads may have let go beside the lock before it stopped: then the value is whole.
        if hasLostWriter, let writer, words.writer.loadAcquire() == writer.rawValue {
            words.inconsistent.storeRelease(writer.rawValue)
            words.writer.storeRelease(0)
        }
        if hasLostNext { words.next.storeRelease(0) }
        var sum: UInt32 = 0
        forEachHolder { _, held in sum &+= held }
        words.taken.storeRelease(sum)
        let seen = words.changes.loadRelaxed()
        words.changes.storeRelease(((seen &+ (1 << ClaimWord.shift)) & ~ClaimWord.marked) | ClaimWord.open)
        words.givenBackSeen.storeRelease(givenBack)
        words.deathsSeen.storeRelease(deaths)
        unsafe Futex.wake(words.changes.rawAddress)
    }
}

/// The call that is next at permits, a reader-writer lock or a shared variable.
package enum NextCall {
    private static let milliseconds = Atomic<Int64>(50)

    /// After how many milliseconds it looks again, although nobody has woken it.
    static var pause: Int64 { milliseconds.load(ordering: .relaxed) }

    /// For the crash lab, in this process and those that it forks: one that is stepped takes longer than that to fall asleep.
    package static func looksAgain(afterMilliseconds pause: Int64) { milliseconds.store(pause, ordering: .relaxed) }
}
