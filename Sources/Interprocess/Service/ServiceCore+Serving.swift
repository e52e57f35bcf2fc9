import InterprocessSystem
import Synchronization

/// How a server waits for calls, and ends them.
extension ServiceCore {
    /// What comes of waiting for a call.
    enum Serving {
        case call(index: Int, state: CallState)
        case stopped
        case failed(ServeError)
    }

    func take(_ strategy: WaitStrategy, until deadline: Deadline) -> Serving {
        if let found = takeNow() { return found }
        if deadline == .now { return .failed(.deadline) }
        var waiting = WaitingCall(maySleep: true)
        return finish(WaitingCall.block(strategy, until: deadline, &waiting, pauses: 1) { lookForCall(&$0) }, &waiting)
    }

    func take(until deadline: Deadline) async -> Serving {
        if let found = takeNow() { return found }
        var waiting = WaitingCall(maySleep: true)
        return finish(await WaitingCall.suspend(segment, until: deadline, &waiting) { lookForCall(&$0) }, &waiting)
    }

    /// A call if there is one.
    @inline(__always)
    func takeNow() -> Serving? {
        do throws(QueueDamage) {
            if isStopped.load(ordering: .sequentiallyConsistent) { return .stopped }
            while let (index, state) = try takeFirst() {
                if isRequestPossible(index) { return .call(index: index, state: state) }
                // What one client writes that cannot be is that client's error, and no reason not to serve the others.
                try? fail(index, state, ServiceFailure("the request cannot be read: its length is impossible"))
            }
        } catch {
            return .failed(serveFailure(error.field))
        }
        return nil
    }

    private func lookForCall(_ waiting: inout WaitingCall) -> Look<Serving> {
        let deaths = table.deaths.loadAcquire()
        if let found = takeNow() { return .done(found) }
        guard waiting.maySleep else { return .busy }
        let seen = items.prepare()
        if let found = takeNow() { return .done(found) }
        return .sleep(SleepWords(event: items.word, eventSeen: seen, life: table.deaths, lifeSeen: deaths))
    }

    private func finish(_ ending: WaitEnding<Serving>, _ waiting: inout WaitingCall) -> Serving {
        switch ending {
        case .done(let serving):
            // The wake-up may have been for a call that another server can take.
            if case .stopped = serving, waiting.hasSlept { items.notifyOne() }
            return serving
        case .deadline, .cancelled:
            if waiting.hasSlept { items.notifyOne() }
            if case .cancelled = ending { return .failed(.cancelled) }
            return .failed(.deadline)
        }
    }

    /// For who only wants to know: true when a call waits, or the server was stopped; false when that cannot be found out.
    func watch(_ waiting: inout WaitingCall) -> Look<Bool> {
        let deaths = table.deaths.loadAcquire()
        if let found = hasCall { return .done(found) }
        guard waiting.maySleep else { return .busy }
        let seen = items.prepare()
        if let found = hasCall { return .done(found) }
        return .sleep(SleepWords(event: items.word, eventSeen: seen, life: table.deaths, lifeSeen: deaths))
    }

    /// Nil: there is none now.
    private var hasCall: Bool? {
        do throws(QueueDamage) {
            if isStopped.load(ordering: .acquiring) { return true }
            return try sweep() ? nil : true
        } catch {
            return false
        }
    }

    /// A wake-up may have been for a call that another server can take.
    func passOn() { if hasCall == true { items.notifyOne() } }

    /// Ends this server's waiting for calls, in all threads. It counts as a server no more.
    func stop() {
        isStopped.store(true, ordering: .sequentiallyConsistent)
        items.notifyAll()
        leaveServers()
    }

    /// Ends a call with a failure.
    func fail(_ index: Int, _ mine: CallState, _ failure: ServiceFailure) throws(ServeError) {
        let text = unsafe UnsafeMutableRawBufferPointer(start: records.text(index), count: CallRecords.mostText)
        // Not in the middle of a character.
        var size = 0
        for scalar in failure.text.unicodeScalars {
            let bytes = UTF8.encode(scalar)
            guard let bytes, size + bytes.count <= CallRecords.mostText else { break }
            for byte in bytes {
                unsafe text[size] = byte
                size += 1
            }
        }
        records.textLength(index).storeRelaxed(UInt32(size))
        records.code(index).storeRelaxed(failure.code)
        try finish(index, mine, .failure)
    }

    // MARK: A client that is gone

    /// Waits until nobody waits for the call's reply any more, the call has ended, or the task is cancelled. Whether it was the first of these.
    func awaitAbandoned(_ index: Int, _ mine: CallState) async -> Bool {
        var waiting = WaitingCall(maySleep: true)
        let attention = records.attention(index)
        // Who watches does not have the call: it may be replied to meanwhile, and its record be another call's.
        func isAbandoned() -> Bool? {
            let seen = records.current(index)
            return seen == mine ? nil : seen == mine.abandoned()
        }
        let ending = await WaitingCall.suspend(segment, until: .never, &waiting) { _ -> Look<Bool> in
            let deaths = table.deaths.loadAcquire()
            if let found = isAbandoned() { return .done(found) }
            let seen = attention.prepare()
            if let found = isAbandoned() { return .done(found) }
            return .sleep(SleepWords(event: attention.word, eventSeen: seen, life: table.deaths, lifeSeen: deaths))
        }
        if case .done(let found) = ending { return found }
        return false
    }
}
