import InterprocessSystem
import Synchronization

/// What a wait set asks of a shared queue: as a call that waits would look, but nothing is taken.
extension SharedQueueCore {
    /// True: a call that takes a message would come through, or say that there is an end or damage. False: this process has no part in it any more.
    func watchMessages(_ call: inout WaitingCall) -> Look<Bool> {
        let deaths = table.deaths.loadAcquire()
        if segment.attachment.isForeign { return .done(false) }
        if hasMessage { return .done(true) }
        guard call.maySleep else { return returnOverdueNowAndThen() && hasMessage ? .done(true) : .busy }
        let seen = items.prepare()
        if hasMessage { return .done(true) }
        var sleep = SleepWords(event: items.word, eventSeen: seen, life: table.deaths, lifeSeen: deaths)
        if shape.acknowledgeNanoseconds > 0 {
            // Before the look: what others take while this one sleeps is due later.
            let now = MonotonicInstant.now.nanoseconds
            let last = MonotonicInstant(nanoseconds: now).advanced(by: .nanoseconds(Int64(clamping: shape.acknowledgeNanoseconds)))
            sleep.lookAgain = returnOverdue(at: now) ?? last
            if hasMessage { return .done(true) }
        }
        return .sleep(sleep)
    }

    /// True: a call that sends would come through, or say why it never will.
    func watchRoom(_ call: inout WaitingCall) -> Look<Bool> {
        let deaths = table.deaths.loadAcquire()
        if segment.attachment.isForeign { return .done(false) }
        if hasRoom { return .done(true) }
        guard call.maySleep else { return .busy }
        let seen = space.prepare()
        if hasRoom { return .done(true) }
        return .sleep(SleepWords(event: space.word, eventSeen: seen, life: table.deaths, lifeSeen: deaths))
    }

    /// A wake-up is for one sleeper, and who watches takes nothing: it is passed on.
    func passOnMessage() { if hasMessage { items.notifyOne() } }
    func passOnRoom() { if hasRoom { space.notifyOne() } }

    /// O(1), but for messages that were taken in the middle; O(slots) while messages have come back.
    private var hasMessage: Bool {
        if isStopped.load(ordering: .sequentiallyConsistent) || words.finished.loadAcquire() != 0 { return true }
        if words.returns.loadAcquire() != words.searched.loadRelaxed(), slots.contains(where: { $0.kind == .returned }) { return true }
        do throws(QueueDamage) {
            for priority in 0..<shape.priorities where try ring(priority).hasMessage(slots.isWaiting) { return true }
            return false
        } catch {
            // The call says what is damaged.
            return true
        }
    }

    /// O(slots) while the queue is full.
    private var hasRoom: Bool {
        words.finished.loadAcquire() != 0 || shape.overflow != .wait || slots.contains { $0.isFree }
    }
}
