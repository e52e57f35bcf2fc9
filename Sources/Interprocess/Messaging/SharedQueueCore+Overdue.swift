import InterprocessSystem
import Synchronization

/// What receivers have had for too long, if the queue has a time to acknowledge.
///
/// Model: Models/shared_queue_overdue.pml. A look for it goes through all slots. Who is about to sleep looks, and again when the next is due; who polls, tries, or always finds a message looks now and then.
extension SharedQueueCore {
    /// Writes down when a message was taken; by who has just taken it.
    ///
    /// - Parameter before: the word that stood there before it was taken. If it is another by now, somebody who looked for what is overdue has said it.
    func noteTime(_ slot: Int, _ mine: SlotState, before: UInt64) {
        let now = MonotonicInstant.now.nanoseconds
        _ = slots.takenTime(slot).compareExchange(before, TakenTime(now, of: mine).word)
        returnOverdueIfTime(now)
    }

    /// The next message, for a call that does not wait.
    @usableFromInline
    func tryTake() -> Taking? {
        if isStopped.load(ordering: .relaxed) { return .finished }
        if let found = takeNow() { return found }
        return returnOverdueNowAndThen() ? takeNow() : nil
    }

    /// For who does not sleep: ``returnOverdue(at:)``, if nobody in this process has for an eighth of the time to acknowledge. Whether it was done.
    @discardableResult
    func returnOverdueNowAndThen() -> Bool {
        shape.acknowledgeNanoseconds > 0 && returnOverdueIfTime(MonotonicInstant.now.nanoseconds)
    }

    @discardableResult
    private func returnOverdueIfTime(_ now: UInt64) -> Bool {
        let next = nextLook.load(ordering: .relaxed)
        guard now >= next,
            nextLook.compareExchange(expected: next, desired: now &+ shape.acknowledgeNanoseconds / 8, ordering: .relaxed).exchanged
        else { return false }
        _ = returnOverdue(at: now)
        return true
    }

    /// Takes back what receivers have had for too long; when to look again. O(slots).
    func returnOverdue(at now: UInt64 = MonotonicInstant.now.nanoseconds) -> MonotonicInstant? {
        var next: UInt64?
        for slot in 0..<slots.count {
            let state = slots.current(slot)
            guard state.kind == .taken else { continue }
            let due = takenTime(slot, state).advanced(by: shape.acknowledgeNanoseconds)
            if due <= now { giveBack(slot, state) } else { next = min(next ?? due, due) }
        }
        return next.map { MonotonicInstant(nanoseconds: $0) }
    }

    /// Whether a message that this process took is still its own: with all that was read of it before.
    func stillHolds(_ taken: Taken) -> Bool {
        // Of one that lives, only the time to acknowledge takes a message away.
        guard shape.acknowledgeNanoseconds > 0 else { return true }
        fullFence()
        return slots.current(taken.slot) == taken.state
    }

    /// Since when who has the message has it, or at least since when that is known.
    private func takenTime(_ slot: Int, _ state: SlotState) -> TakenTime {
        let word = slots.takenTime(slot)
        let seen = TakenTime(word: word.loadAcquire())
        if seen.isOf(state) { return seen }
        // Just taken; but who took it may be stopped before it can say so. The clock is read after the state was: this one, too, may have been stopped.
        let present = TakenTime(MonotonicInstant.now.nanoseconds, of: state)
        _ = word.compareExchange(seen.word, present.word)
        return present
    }
}
