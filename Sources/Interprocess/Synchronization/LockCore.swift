import CInterprocess
import InterprocessSystem

/// A word that one peer at a time holds: the heart of the mutex, and of all objects whose words change under a lock.
///
/// **Layout** `word` and `heir` of "synchronization object".
///
/// **States** of `word`, a ``ClaimWord``: free; free and marked; held; held and marked. Whoever takes it keeps the mark. Whoever has slept sets it, when it takes the
/// word and when it goes without: others may have gone to sleep meanwhile on a word whose mark was just taken away since nobody slept.
///
/// **Memory order** `SYNC lock.word`: release by who lets go ⇄ acquire by who takes it.
///
/// **Death** of the holder: whoever looks next takes the word over, and is told. Of who has let go and not yet woken, and of a sleeper that was woken: all others
/// sleep on the segment's `deaths` as well, and look again. Letting go is a compare-exchange and then a wake-up, not one `FUTEX_WAKE_OP`: a store
/// that the kernel makes for a dead process can come after ``Barrier/afterDeath(reachesAll:)``, which stops only what is not in the kernel, when the word is
/// somebody else's.
///
/// **Progress** no order in general: who is running may overtake who sleeps. A sleeper that has been overtaken for a millisecond becomes the *heir*:
/// while it lives and waits, nobody else takes a marked word, but who was looking at it just then, once. Several that have waited so long become heirs one
/// after the other, in the order in which the kernel wakes them.
///
/// The heir and those who stand back for it sleep on `heir`, not on `word`: a word that comes back to a value that it had before would let them sleep
/// on though it was free meanwhile. Whoever lets go while there is an heir tells it: marks `heir`, and wakes. The heir takes that mark away before it
/// looks, so that it sleeps only if nobody has let go since. Those who stand back sleep while the mark is there; an heir that resigns wakes them.
///
/// **Source** the three states are those of U. Drepper, "Futexes are tricky" (2004); the heir is the starving waiter of Go's mutex, named by a claim
/// so that its death is seen. Decision record 0005, model Models/lock.pml.
@usableFromInline
struct LockCore: Sendable {
    @usableFromInline let word: SharedUInt32
    /// This peer's claim.
    @usableFromInline let claim: UInt32
    let heir: SharedUInt32
    let table: PeerTable
    private let deaths: SharedUInt32

    init(word: SharedUInt32, heir: SharedUInt32, _ peer: PeerID, _ table: PeerTable) {
        (self.word, self.heir, self.table) = (word, heir, table)
        claim = ClaimWord.of(peer)
        deaths = table.deaths
    }

    /// Before anybody else can see it.
    static func initialize(word: SharedUInt32, heir: SharedUInt32) {
        word.storeRelaxed(ClaimWord.free)
        heir.storeRelaxed(ClaimWord.free)
    }

    /// How the word came to the caller.
    enum Taking: Equatable {
        case free
        /// From a peer that had it when it died, or closed its segment.
        case abandoned(PeerID)
        /// Not at all: this process was forked from the one that opened the object, or the word is impossible.
        case impossible
        /// Not at all: `isMine` says that the calling thread holds it.
        case held
    }

    /// Takes the word if it is free and nobody sleeps.
    @inlinable @inline(__always)
    func takeFree() -> Bool { word.compareExchangeAcquire(ClaimWord.free, claim) }

    /// Lets go if nobody sleeps.
    @inlinable @inline(__always)
    func letGoUnmarked() -> Bool { word.compareExchangeRelease(claim, ClaimWord.free) }

    /// Lets go of the word, which the caller holds, and wakes a sleeper.
    @inlinable @inline(__always)
    func letGo() { if !letGoUnmarked() { letGoMarked() } }

    @usableFromInline
    func letGoMarked() {
        // Else it is not this peer's any more: a forked child, or somebody wrote there who should not.
        guard word.compareExchange(claim | ClaimWord.marked, ClaimWord.free | ClaimWord.marked), !tellHeir() else { return }
        let woken = unsafe Futex.wake(word.rawAddress, count: 1)
        // Nobody slept, so that the mark can go; a heir that was not asleep relies on it.
        if woken == 0, ClaimWord.isFree(heir.loadSequential()) {
            _ = word.compareExchange(ClaimWord.free | ClaimWord.marked, ClaimWord.free)
        }
    }

    /// One look for a call that wants the word.
    ///
    /// - Parameter isMine: whether the calling thread holds the word, as this peer or through another opening of it.
    func look(_ call: inout WaitingCall, isMine: () -> Bool) -> Look<Taking> {
        while true {
            listen(call)
            // Before looking at who lives: a death that is announced after this ends the sleep.
            let deaths = deaths.loadAcquire()
            let seen = word.loadSequential()
            guard ClaimWord.isOpen(seen), !ClaimWord.isFinal(seen) else { return .done(.impossible) }
            if ClaimWord.isFree(seen) {
                if seen & ClaimWord.marked != 0, let wait = deferToHeir(&call, deaths) { return wait.map { .sleep($0) } ?? .busy }
                let mark = call.hasSlept ? ClaimWord.marked : seen & ClaimWord.marked
                guard word.compareExchange(seen, claim | mark) else { continue }
                if call.isHeir { resign(&call) }
                return .done(.free)
            }
            let holder = table.holder(ofClaim: seen)
            switch holder {
            case .dead(let peer), .gone(let peer):
                table.settle(holder)
                guard word.compareExchange(seen, claim | ClaimWord.marked) else { continue }
                if call.isHeir { resign(&call) }
                return .done(.abandoned(peer))
            case .alive: break
            }
            if isMine() { return .done(.held) }
            guard call.maySleep || call.isHeir || call.isOutOfPatience() else { return .busy }
            // Who let go before it was the heir has not told it.
            if becomeHeir(&call) { continue }
            if seen & ClaimWord.marked == 0, !word.compareExchange(seen, seen | ClaimWord.marked) { continue }
            return call.maySleep ? .sleep(sleepWords(call, seen, deaths)) : .busy
        }
    }

    /// What to do after a call has ended without the word: whoever it stood in the way of goes on.
    func giveUp(_ call: inout WaitingCall) {
        if call.isHeir { resign(&call) }
        guard call.hasSlept else { return }
        // Others may sleep on a word that has lost its mark, counting on this call, which would have set it; and the wake-up that came together with the
        // deadline was this call's.
        if ClaimWord.isFree(word.setBits(ClaimWord.marked)) { unsafe Futex.wake(word.rawAddress) }
    }
}

// MARK: The heir

extension LockCore {
    /// Before a call looks at the word: an heir is told anew by whoever lets go after this.
    func listen(_ call: WaitingCall) {
        if call.isHeir { _ = heir.compareExchange(claim | ClaimWord.marked, claim) }
    }

    /// What a call sleeps on that has found the word, `seen`, not to be had, and marked it.
    func sleepWords(_ call: WaitingCall, _ seen: UInt32, _ deaths: UInt32) -> SleepWords {
        call.isHeir
            ? SleepWords(event: heir, eventSeen: claim, life: self.deaths, lifeSeen: deaths)
            : SleepWords(event: word, eventSeen: seen | ClaimWord.marked, life: self.deaths, lifeSeen: deaths)
    }

    /// If another call is the heir of a word that could be taken: what to sleep on instead, or nil inside for a call that only polls. The heir is told first,
    /// since the wake-up that was this call's was meant for it.
    func deferToHeir(_ call: inout WaitingCall, _ deaths: UInt32) -> SleepWords?? {
        if call.isHeir { return nil }
        while true {
            let named = heir.loadSequential()
            if ClaimWord.isFree(named) || !ClaimWord.isOpen(named) { return nil }
            guard table.holder(ofClaim: named) == .alive else {
                if heir.compareExchange(named, ClaimWord.free) { return nil }
                continue
            }
            guard call.maySleep else { return .some(nil) }
            guard tell(named) else { continue }
            return SleepWords(event: heir, eventSeen: named | ClaimWord.marked, life: self.deaths, lifeSeen: deaths)
        }
    }

    /// After letting go: tells the heir that it can take the word. False: there is none that lives, and others are to be woken.
    func tellHeir() -> Bool {
        while true {
            let named = heir.loadSequential()
            guard !ClaimWord.isFree(named), ClaimWord.isOpen(named), table.holder(ofClaim: named) == .alive else { return false }
            if tell(named) { return true }
        }
    }

    /// In one call: who is stopped between a mark and its wake-up would keep all others from waking, since they take a marked heir for one that was woken. If the
    /// heir has changed meanwhile, the mark does no harm: a new one takes it away before it looks, and a free word with it is free.
    ///
    /// - Returns: false if it is not the heir any more.
    private func tell(_ named: UInt32) -> Bool {
        if named & ClaimWord.marked != 0 { return true }
        unsafe Futex.change(heir.rawAddress, .or(Int32(ClaimWord.marked)), waking: .max)
        return heir.loadSequential() & ~ClaimWord.marked == named
    }

    /// Before a call sleeps: makes it the heir if it is time. Returns whether it has just become that.
    func becomeHeir(_ call: inout WaitingCall) -> Bool {
        guard !call.isHeir, call.isOutOfPatience() else { return false }
        let named = heir.loadSequential()
        guard ClaimWord.isFree(named) || table.holder(ofClaim: named) != .alive else { return false }
        guard heir.compareExchange(named, claim) else { return false }
        call.becameHeir()
        return true
    }

    func resign(_ call: inout WaitingCall) {
        call.isHeir = false
        // Marked or not. If it is another's by now, this one was taken for dead: then it stays.
        _ = heir.compareExchange(claim, ClaimWord.free) || heir.compareExchange(claim | ClaimWord.marked, ClaimWord.free)
        // Those who stood back for it.
        unsafe Futex.wake(heir.rawAddress)
    }
}
