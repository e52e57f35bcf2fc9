import InterprocessSystem

/// A word that counts units which nobody owns: the heart of the semaphore and of the event that resets itself.
///
/// **States** of `word`, a ``ClaimWord``: the number of units in bits 2–31; marked if somebody sleeps.
///
/// **Memory order** `SYNC semaphore.word`: release by who gives ⇄ acquire by who takes.
///
/// **Death** of who gives: the units are there or not, by one store. Of one who had not yet woken, and of who was woken and had not yet taken: all others who
/// sleep look again, since they sleep on the segment's `deaths` as well. Units that a process had taken are gone with it.
///
/// **Progress** as ``LockCore``: who has been overtaken for a millisecond is next.
@usableFromInline
struct SemaphoreCore: Sendable {
    let word: SharedUInt32
    let lock: LockCore
    @usableFromInline static let step: UInt32 = 4
    /// The most that is given without looking further.
    @usableFromInline static let mostAtOnce = 511
    /// A word below this has room for so many.
    @usableFromInline static let plenty: UInt32 = 1 << 30
    /// Far below what the word holds, so that all peers at once cannot exceed that between looking and adding.
    static let maximum = (1 << 29) - 1

    /// - Parameter lock: of the same object: its heir, its peer and its table.
    init(_ lock: LockCore) {
        word = lock.word
        self.lock = lock
    }

    /// Takes a unit if there is one and nobody sleeps.
    @inlinable @inline(__always)
    static func takeFree(_ word: SharedUInt32) -> Bool {
        let seen = word.loadRelaxed()
        return seen & ~ClaimWord.open >= step && seen & (ClaimWord.marked | ClaimWord.open) == ClaimWord.open
            && word.compareExchangeAcquire(seen, seen &- step)
    }

    /// Gives few units if nobody sleeps and there is room for sure.
    @inlinable @inline(__always)
    static func giveUnmarked(_ word: SharedUInt32, _ count: Int) -> Bool {
        let seen = word.loadRelaxed()
        return (0...mostAtOnce).contains(count) && seen & (ClaimWord.marked | ClaimWord.open) == ClaimWord.open && seen < plenty
            && word.compareExchangeRelease(seen, seen &+ UInt32(truncatingIfNeeded: count) &* step)
    }

    /// One look for a call that wants a unit. False: the object is not there any more.
    func look(_ call: inout WaitingCall) -> Look<Bool> {
        while true {
            // As ``LockCore/look(_:isMine:)``.
            lock.listen(call)
            let deaths = lock.table.deaths.loadAcquire()
            let seen = word.loadSequential()
            guard ClaimWord.isOpen(seen) else { return .done(false) }
            let isMarked = seen & ClaimWord.marked != 0
            if seen >= Self.step {
                if isMarked, let wait = lock.deferToHeir(&call, deaths) { return wait.map { .sleep($0) } ?? .busy }
                let left = seen &- Self.step
                guard word.compareExchange(seen, call.hasSlept ? left | ClaimWord.marked : left) else { continue }
                let stoodInTheWay = call.isHeir
                if stoodInTheWay { lock.resign(&call) }
                // Those who sleep while units are left that only the heir was told of, also of such as were given since it took its own; or those who slept on
                // while units were given to a word that had lost its mark.
                let areLeft = stoodInTheWay ? word.loadSequential() >= Self.step : left >= Self.step && call.hasSlept && !isMarked
                if areLeft { unsafe Futex.wake(word.rawAddress) }
                return .done(true)
            }
            guard call.maySleep || call.isHeir || call.isOutOfPatience() else { return .busy }
            if lock.becomeHeir(&call) { continue }
            if !isMarked, !word.compareExchange(seen, seen | ClaimWord.marked) { continue }
            return call.maySleep ? .sleep(lock.sleepWords(call, seen, deaths)) : .busy
        }
    }

    /// As ``look(_:)`` for who takes nothing: true when there is a unit that whoever comes may take.
    func watch(_ call: inout WaitingCall) -> Look<Bool> {
        while true {
            let deaths = lock.table.deaths.loadAcquire()
            let seen = word.loadSequential()
            guard ClaimWord.isOpen(seen) else { return .done(false) }
            let isMarked = seen & ClaimWord.marked != 0
            if seen >= Self.step {
                if isMarked, let wait = lock.deferToHeir(&call, deaths) { return wait.map { .sleep($0) } ?? .busy }
                return .done(true)
            }
            guard call.maySleep else { return .busy }
            if !isMarked, !word.compareExchange(seen, seen | ClaimWord.marked) { continue }
            return .sleep(lock.sleepWords(call, seen, deaths))
        }
    }

    /// What to do after a call has ended without a unit.
    func giveUp(_ call: inout WaitingCall) {
        if call.isHeir { lock.resign(&call) }
        guard call.hasSlept else { return }
        // As ``LockCore/giveUp(_:)``.
        if word.setBits(ClaimWord.marked) >= Self.step { unsafe Futex.wake(word.rawAddress) }
    }

    enum Giving { case done, tooMany, impossible }

    /// Adds `count` units and wakes as many sleepers.
    func give(_ count: Int, upTo limit: Int) -> Giving {
        guard count > 0 else { return .done }
        while true {
            let seen = word.loadSequential()
            guard ClaimWord.isOpen(seen) else { return .impossible }
            guard count <= limit - Int(ClaimWord.number(seen)) else { return .tooMany }
            guard word.compareExchange(seen, seen &+ UInt32(count) &* Self.step) else { continue }
            if seen & ClaimWord.marked != 0 { wake(count) }
            return .done
        }
    }

    /// Makes it one unit if there is none, and wakes a sleeper. False: the object is not there any more.
    func raise() -> Bool {
        while true {
            let seen = word.loadSequential()
            guard ClaimWord.isOpen(seen) else { return false }
            if seen >= Self.step {
                // Not a look alone: whoever takes the unit after this sees what was done before this.
                guard word.compareExchange(seen, seen) else { continue }
                // Who made it that may be stopped before it wakes.
                if seen & ClaimWord.marked != 0 { wake(1) }
                return true
            }
            guard word.compareExchange(seen, seen | Self.step) else { continue }
            if seen & ClaimWord.marked != 0 { wake(1) }
            return true
        }
    }

    /// After units were given to a marked word. An heir gets one, and sees to it that others who sleep get what is left.
    private func wake(_ count: Int) {
        if lock.tellHeir() { return }
        if unsafe Futex.wake(word.rawAddress, count: count) == 0 { unmark() }
    }

    /// Takes the mark away after nobody was found asleep, unless a heir relies on it.
    private func unmark() {
        guard ClaimWord.isFree(lock.heir.loadSequential()) else { return }
        let seen = word.loadSequential()
        // Who is about to sleep compares the whole word and will find that it has changed.
        if seen & ClaimWord.marked != 0, seen >= Self.step { _ = word.compareExchange(seen, seen & ~ClaimWord.marked) }
    }
}
