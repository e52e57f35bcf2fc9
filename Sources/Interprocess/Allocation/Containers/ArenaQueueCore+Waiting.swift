import InterprocessSystem

/// Waiting for an element: asleep on `items`, and for the lock as anybody.
extension ArenaQueueCore {
    /// What a call remembers that waits.
    struct Waiting {
        fileprivate var call = WaitingCall(maySleep: true)
        /// For the lock.
        fileprivate var entry = WaitingCall(maySleep: true)
    }

    /// One look for a call that wants an element.
    private func look<R>(
        _ call: inout WaitingCall, _ entry: inout WaitingCall, _ body: (UnsafeRawPointer) -> R
    ) throws(ArenaError) -> Look<R> {
        let deaths = core.arena.core.segment.attachment.table.deaths
        for _ in 0..<10_000 {
            try core.arena.core.check()
            let deathsSeen = deaths.loadAcquire()
            // Who has slept for the lock takes it, also if there is nothing any more: the wake-up that it had goes on to the next when it leaves.
            let isThere = try self.isThere()
            if isThere || entry.hasSlept {
                entry.maySleep = call.maySleep
                switch try core.lock.look(&entry) {
                case .busy: return .busy
                case .sleep(let words):
                    entry.willSleep()
                    return .sleep(words)
                case .done: break
                }
                entry = WaitingCall(maySleep: true)
                let taken = try core.inLock(mend: mend) { () throws(ArenaError) in try unsafe takeFirst(body) }
                if let taken { return .done(taken) }
                continue
            }
            guard call.maySleep else { return .busy }
            let seen = items.prepare()
            // Again, now that whoever appends sees the mark.
            if try self.isThere() { continue }
            return .sleep(SleepWords(event: items.word, eventSeen: seen, life: deaths, lifeSeen: deathsSeen))
        }
        // Each time another has taken it meanwhile: hardly anybody can.
        throw .damaged("taken")
    }

    func waitForFirst<R>(until deadline: Deadline, _ body: (UnsafeRawPointer) -> R) throws(ArenaError) -> R {
        var waiting = Waiting()
        do throws(ArenaError) {
            return try ended(
                WaitingCall.block(.adaptive, until: deadline, &waiting.call) { call throws(ArenaError) in
                    try unsafe look(&call, &waiting.entry, body)
                })
        } catch { throw givenUp(&waiting, error) }
    }

    func waitForFirst<R>(until deadline: Deadline, _ body: (UnsafeRawPointer) -> R) async throws(ArenaError) -> R {
        var waiting = Waiting()
        do throws(ArenaError) {
            return try ended(
                await WaitingCall.suspend(core.arena.core, until: deadline, &waiting.call) { call throws(ArenaError) in
                    try unsafe look(&call, &waiting.entry, body)
                })
        } catch { throw givenUp(&waiting, error) }
    }

    private func ended<R>(_ ending: WaitEnding<R>) throws(ArenaError) -> R {
        switch ending {
        case .done(let result): return result
        case .deadline: throw .deadline
        case .cancelled: throw .cancelled
        }
    }

    /// The wake-up that came together with the end of the wait was another's.
    private func givenUp(_ waiting: inout Waiting, _ error: ArenaError) -> ArenaError {
        // Of one that is destroyed nothing is to be written.
        guard error != .destroyed(core.name), error != .detached else { return error }
        core.lock.giveUp(&waiting.entry)
        if waiting.call.hasSlept { items.notifyOne() }
        return error
    }
}
