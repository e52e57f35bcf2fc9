import InterprocessSystem

/// A call whose reply comes in parts, from its client's side. It begins with the first look for a part, and is given up if this value ends before it does.
final class StreamedCall: Sendable {
    /// Writes the request, and says where the call is to end if it cannot.
    typealias Request = @Sendable (ServiceCore, OpenCall) throws(CallError) -> Void

    private enum State {
        case new
        case open(Reading)
        /// Somebody is at it.
        case busy
        case ended
    }

    /// A call that is going on.
    private struct Reading {
        var call: OpenCall
        var attempts: CallAttempts
    }

    private let core: ServiceCore
    private let policy: CallPolicy
    private let strategy: WaitStrategy
    private let deadline: Deadline
    private let request: Request
    private let state = Lock(State.new)

    init(_ core: ServiceCore, _ policy: CallPolicy, _ strategy: WaitStrategy, _ deadline: Deadline, _ request: @escaping Request) {
        self.core = core
        self.policy = policy
        self.strategy = strategy
        self.deadline = deadline
        self.request = request
    }

    deinit {
        guard case .open(let reading) = state.withLock({ $0 }) else { return }
        if let ended = try? core.giveUp(reading.call) { core.end(reading.call.index, ended) }
    }

    /// What a look came to.
    private enum News {
        case part
        case ended(CallState)
        case noServer
        case failed(CallError)
    }

    private func take() -> State {
        state.withLock { state in
            if case .busy = state { preconditionFailure("the parts of one stream are read by one task or thread at a time") }
            defer { state = .busy }
            return state
        }
    }

    private func put(_ new: State) { state.withLock { $0 = new } }

    private func start(_ call: OpenCall) throws(CallError) -> Reading {
        try request(core, call)
        try core.send(call, until: deadline)
        return Reading(call: call, attempts: CallAttempts(policy))
    }

    /// Lets `body` read the next part where it stands, and frees it; nil: there is none, and the reply is over. When it throws, the call has ended.
    func next<R>(_ body: (RawSpan) throws(CallError) -> R) throws(CallError) -> R? {
        let state = take()
        do throws(CallError) {
            var reading: Reading
            switch state {
            case .new: reading = try start(core.open(strategy, policy, until: deadline, isStreamed: true))
            case .open(let open):
                reading = open
                // While parts come, no look would ask.
                if deadline.hasPassed { throw giveUp(reading.call, .deadline) }
            case .busy, .ended:
                put(.ended)
                return nil
            }
            while true {
                let sent = reading.call
                var waiting = WaitingCall(maySleep: true)
                let ending = WaitingCall.block(strategy, until: deadline, &waiting) { look(sent, &$0) }
                if let found = try step(ending, &reading, body) { return found.part }
            }
        } catch {
            put(.ended)
            throw error
        }
    }

    /// As ``next(_:)``, and suspends instead of blocking.
    func next<R>(_ body: (RawSpan) throws(CallError) -> R) async throws(CallError) -> R? {
        let state = take()
        do throws(CallError) {
            var reading: Reading
            switch state {
            case .new: reading = try start(await core.open(policy, until: deadline, isStreamed: true))
            case .open(let open):
                reading = open
                // While parts come, no look would ask.
                if deadline.hasPassed { throw giveUp(reading.call, .deadline) }
                if Task.isCancelled { throw giveUp(reading.call, .cancelled) }
            case .busy, .ended:
                put(.ended)
                return nil
            }
            while true {
                let sent = reading.call
                var waiting = WaitingCall(maySleep: true)
                let ending = await WaitingCall.suspend(core.segment, until: deadline, &waiting) { look(sent, &$0) }
                if let found = try step(ending, &reading, body) { return found.part }
            }
        } catch {
            put(.ended)
            throw error
        }
    }

    /// The state before the parts: what was written before the call ended comes first.
    private func news(_ call: OpenCall) -> News? {
        let news = core.news(call)
        do throws(QueueDamage) {
            if case .damaged = news { throw QueueDamage(field: "state") }
            if unsafe try core.nextPart(call.index) != nil { return .part }
        } catch {
            return .failed(core.callFailure(error.field))
        }
        if case .ended(let seen) = news { return .ended(seen) }
        return nil
    }

    private func look(_ call: OpenCall, _ waiting: inout WaitingCall) -> Look<News> {
        let deaths = core.table.deaths.loadAcquire()
        if let found = news(call) { return .done(found) }
        guard waiting.maySleep else { return waiting.looksAround && core.isWithoutServer(call, policy) ? .done(.noServer) : .busy }
        let answer = core.records.answer(call.index)
        let seen = answer.prepare()
        if let found = news(call) { return .done(found) }
        if core.isWithoutServer(call, policy) { return .done(.noServer) }
        return .sleep(SleepWords(event: answer.word, eventSeen: seen, life: core.table.deaths, lifeSeen: deaths))
    }

    /// Nil: the call goes on, perhaps with another server. A part that is nil: the reply is over.
    private func step<R>(
        _ ending: WaitEnding<News>, _ reading: inout Reading, _ body: (RawSpan) throws(CallError) -> R
    ) throws(CallError) -> (part: R?, Void)? {
        let call = reading.call
        switch ending {
        case .done(.part):
            do throws(QueueDamage) {
                guard let bytes = unsafe try core.nextPart(call.index) else { throw QueueDamage(field: "read") }
                let result: R
                do throws(CallError) {
                    result = try body(unsafe RawSpan(_unsafeBytes: bytes))
                } catch {
                    throw QueueDamage(field: "part")
                }
                core.partIsRead(call.index, bytes.count)
                // What was read is not read again.
                reading.attempts.retries = 0
                put(.open(reading))
                return (result, ())
            } catch {
                // The server is told that nobody reads any more.
                giveUp(call)
                throw core.callFailure(error.field)
            }
        case .done(.ended(let seen)):
            if try core.sendAgain(&reading.call, seen, &reading.attempts, deadline) { return nil }
            try core.check(&reading.call, seen)
            core.end(reading.call)
            put(.ended)
            return (nil, ())
        case .done(.failed(let error)):
            giveUp(call)
            throw error
        case .done(.noServer):
            try core.endWithoutServer(call, reading.attempts)
            return nil
        case .deadline: throw giveUp(call, .deadline)
        case .cancelled: throw giveUp(call, .cancelled)
        }
    }

    @discardableResult
    private func giveUp(_ call: OpenCall, _ reason: CallError = .cancelled) -> CallError {
        do throws(CallError) {
            if let seen = try core.giveUp(call) { core.end(call.index, seen) }
            return reason
        } catch {
            return error
        }
    }
}
