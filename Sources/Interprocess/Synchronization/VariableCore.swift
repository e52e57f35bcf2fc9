import InterprocessSystem

/// Who waits for a variable, and who is woken.
///
/// Who takes, swaps or changes waits until it is full, who puts until it is empty, both until nobody is changing it; who reads, until something was put. Each kind sleeps on
/// a ``WakeWord`` of its own. Whoever has published or taken wakes one of those who can use that, and all readers. Whoever was woken and goes without wakes another.
///
/// **Death** of a claimant: all sleep on the segment's `deaths` as well; whoever looks next takes its claim over, and finds the variable as it was before. Of who has
/// published or taken and not yet woken, and of a sleeper that was woken: all look again.
///
/// **Progress** sleepers are woken in the order in which they went to sleep. Whoever is running may overtake one that was woken; a sleeper that has been overtaken for
/// a millisecond becomes the *next*, as the heir of ``LockCore``: while it lives and waits, nobody else of its kind comes through but who was looking just then. While there is
/// a next all of its kind are woken, and the others go back to sleep.
///
/// **Source** model Models/variable.pml; ``WakeWord``.
@usableFromInline
struct VariableCore: Sendable {
    @usableFromInline let words: VariableWords
    /// This peer's claim, as it stands in `control`.
    @usableFromInline let claim: UInt64
    private let name: UInt32
    private let table: PeerTable
    private let deaths: SharedUInt32

    init(_ words: VariableWords, _ peer: PeerID, _ table: PeerTable) {
        (self.words, self.table) = (words, table)
        name = ClaimWord.of(peer)
        claim = UInt64(name) & VariableWords.claim
        deaths = table.deaths
    }

    /// What a call wants to find.
    @usableFromInline
    enum Wanted { case full, empty }

    /// How a call got on.
    enum Claiming: Equatable {
        /// `control` is this now.
        case claimed(UInt64)
        /// The object is not there any more.
        case impossible
        /// The calling thread itself is changing it.
        case held
    }

    /// Claims the variable if it is as wanted, and nobody sleeps for that or is changing it. 0: not.
    @inlinable @inline(__always)
    func claimFree(_ wanted: Wanted) -> UInt64 {
        let seen = words.control.loadAcquire()
        let isFull = wanted == .full
        guard VariableWords.isFree(seen, isFull ? VariableWords.full : 0), !(isFull ? words.takers : words.putters).isMarked,
            words.control.compareExchange(seen, seen | claim)
        else { return 0 }
        return seen | claim
    }

    /// One look for a call that wants to claim it.
    ///
    /// - Parameter isMine: whether the calling thread is changing it.
    func look(_ wanted: Wanted, _ call: inout WaitingCall, isMine: () -> Bool) -> Look<Claiming> {
        let (event, next) = (event(wanted), next(wanted))
        while true {
            // Before looking at who lives: a death that is announced after this ends the sleep.
            let deaths = deaths.loadAcquire()
            let seen = words.control.loadSequential()
            guard seen & VariableWords.open != 0 else { return .done(.impossible) }
            let holder = seen & VariableWords.claim == 0 ? nil : table.holder(ofClaim: UInt32(truncatingIfNeeded: seen))
            if holder == .alive, isMine() { return .done(.held) }
            var named = ClaimWord.free
            if holder != .alive, (seen & VariableWords.full != 0) == (wanted == .full) {
                named = call.isHeir ? ClaimWord.free : livingNext(next)
                if ClaimWord.isFree(named) {
                    if let holder { table.settle(holder) }
                    let mine = seen & ~VariableWords.claim | claim
                    guard words.control.compareExchange(seen, mine) else { continue }
                    if call.isHeir { stepBack(next, &call) }
                    return .done(.claimed(mine))
                }
            }
            if call.maySleep || call.isOutOfPatience(), becomeNext(next, &call) { continue }
            guard call.maySleep else { return .busy }
            let value = event.prepare()
            // Again, now that whoever changes anything sees the mark.
            guard words.control.loadSequential() == seen, ClaimWord.isFree(named) || next.loadSequential() == named else { continue }
            return .sleep(SleepWords(event: event.word, eventSeen: value, life: self.deaths, lifeSeen: deaths))
        }
    }

    /// One look for a call that wants to read what is there, or what was put after the value `number`. Nil: the object is not there any more.
    func lookForValue(after number: UInt64, _ call: inout WaitingCall) -> Look<UInt64?> {
        while true {
            let deaths = deaths.loadAcquire()
            let seen = words.control.loadSequential()
            guard seen & VariableWords.open != 0 else { return .done(nil) }
            if seen & VariableWords.full != 0 || VariableWords.number(seen) != number { return .done(seen) }
            guard call.maySleep else { return .busy }
            let value = words.readers.prepare()
            guard words.control.loadSequential() == seen else { continue }
            return .sleep(SleepWords(event: words.readers.word, eventSeen: value, life: self.deaths, lifeSeen: deaths))
        }
    }

    /// What to do after a call has ended without it: the wake-up that came together with the deadline was another's.
    func giveUp(_ wanted: Wanted, _ call: inout WaitingCall) {
        if call.isHeir { stepBack(next(wanted), &call) }
        if call.hasSlept { wakeOne(wanted) }
    }

    // MARK: Waking

    /// Whether anybody sleeps who waits for a value. Two loads.
    @inlinable @inline(__always)
    var isValueAwaited: Bool { words.takers.isMarked || words.readers.isMarked }

    /// After a value was published, or left as it was.
    @usableFromInline
    func wakeForValue() {
        words.readers.notifyAll()
        wakeOne(.full)
    }

    /// After one was taken.
    @usableFromInline
    func wakePutter() { wakeOne(.empty) }

    private func wakeOne(_ wanted: Wanted) {
        let event = event(wanted)
        guard event.isMarked else { return }
        if ClaimWord.isFree(livingNext(next(wanted))) { event.notifyOne() } else { event.notifyAll() }
    }

    // MARK: Who is next

    private func event(_ wanted: Wanted) -> WakeWord { wanted == .full ? words.takers : words.putters }
    private func next(_ wanted: Wanted) -> SharedUInt32 { wanted == .full ? words.nextTaker : words.nextPutter }

    /// The claim of who comes next, if it lives; else free.
    private func livingNext(_ next: SharedUInt32) -> UInt32 {
        let named = next.loadSequential()
        return ClaimWord.isFree(named) || !ClaimWord.isOpen(named) || table.holder(ofClaim: named) != .alive ? ClaimWord.free : named
    }

    /// Before a call sleeps: makes it the next if it is time. Returns whether it has just become that.
    private func becomeNext(_ next: SharedUInt32, _ call: inout WaitingCall) -> Bool {
        guard !call.isHeir, call.isOutOfPatience() else { return false }
        let named = next.loadSequential()
        guard ClaimWord.isFree(named) || table.holder(ofClaim: named) != .alive else { return false }
        guard next.compareExchange(named, name) else { return false }
        call.becameHeir()
        return true
    }

    private func stepBack(_ next: SharedUInt32, _ call: inout WaitingCall) {
        call.isHeir = false
        // If it is another's by now, this one was taken for dead: then it stays.
        _ = next.compareExchange(name, ClaimWord.free)
    }
}
