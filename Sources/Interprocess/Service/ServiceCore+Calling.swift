import InterprocessSystem

/// How a client waits: for a record, and for the end of its call.
extension ServiceCore {
    /// Claims a record; waits for one. The request is to be written next, then ``perform(_:_:_:until:)`` or ``end(_:_:)`` called.
    @usableFromInline
    func open(_ strategy: WaitStrategy, _ policy: CallPolicy, until deadline: Deadline, isStreamed: Bool = false) throws(CallError)
        -> OpenCall
    {
        if policy.whenNoServer == .fail, servers == 0 { throw .noServer }
        if let call = claim(isStreamed: isStreamed) { return call }
        if deadline == .now {
            guard let found = lookForSpace(policy, isStreamed) else { throw .full }
            return try found.get()
        }
        var waiting = WaitingCall(maySleep: true)
        return try opened(WaitingCall.block(strategy, until: deadline, &waiting) { look(&$0, policy, isStreamed) }, &waiting)
    }

    func open(_ policy: CallPolicy, until deadline: Deadline, isStreamed: Bool = false) async throws(CallError) -> OpenCall {
        if policy.whenNoServer == .fail, servers == 0 { throw .noServer }
        if let call = claim(isStreamed: isStreamed) { return call }
        var waiting = WaitingCall(maySleep: true)
        return try opened(
            await WaitingCall.suspend(segment, until: deadline, &waiting) { look(&$0, policy, isStreamed) }, &waiting)
    }

    private typealias Opening = Result<OpenCall, CallError>

    private func lookForSpace(_ policy: CallPolicy, _ isStreamed: Bool) -> Opening? {
        if segment.attachment.isForeign { return .failure(.detached) }
        if policy.whenNoServer == .fail, servers == 0 { return .failure(.noServer) }
        do throws(QueueDamage) {
            if let call = try claimOrSweep(isStreamed: isStreamed) { return .success(call) }
        } catch {
            return .failure(callFailure(error.field))
        }
        return nil
    }

    private func look(_ waiting: inout WaitingCall, _ policy: CallPolicy, _ isStreamed: Bool) -> Look<Opening> {
        let deaths = table.deaths.loadAcquire()
        if let found = lookForSpace(policy, isStreamed) { return .done(found) }
        guard waiting.maySleep else { return .busy }
        let seen = space.prepare()
        if let found = lookForSpace(policy, isStreamed) { return .done(found) }
        return .sleep(SleepWords(event: space.word, eventSeen: seen, life: table.deaths, lifeSeen: deaths))
    }

    private func opened(_ ending: WaitEnding<Opening>, _ waiting: inout WaitingCall) throws(CallError) -> OpenCall {
        switch ending {
        case .done(let opening): return try opening.get()
        case .deadline, .cancelled:
            if waiting.hasSlept { space.notifyOne() }
            if case .cancelled = ending { throw .cancelled }
            throw .deadline
        }
    }

    // MARK: The end of a call

    /// Sends the call, and waits until it is replied to; sends it again as the policy says. When it throws the call has ended; else the reply stands in the record, and ``end(_:_:)`` is to be called.
    @usableFromInline
    func perform(_ call: inout OpenCall, _ strategy: WaitStrategy, _ policy: CallPolicy, until deadline: Deadline) throws(CallError) {
        try send(call, until: deadline)
        var attempts = CallAttempts(policy)
        while true {
            let sent = call
            var waiting = WaitingCall(maySleep: true)
            let ending = WaitingCall.block(strategy, until: deadline, &waiting, pauses: 1) { look(sent, policy, &$0) }
            if try isOver(ending, &call, &attempts, deadline) { return }
        }
    }

    func perform(_ call: inout OpenCall, _ policy: CallPolicy, until deadline: Deadline) async throws(CallError) {
        try send(call, until: deadline)
        var attempts = CallAttempts(policy)
        while true {
            let sent = call
            var waiting = WaitingCall(maySleep: true)
            let ending = await WaitingCall.suspend(segment, until: deadline, &waiting) { look(sent, policy, &$0) }
            if try isOver(ending, &call, &attempts, deadline) { return }
        }
    }

    /// What a client is told of its call.
    enum CallNews {
        /// Replied or failed.
        case ended(CallState)
        case noServer
        /// The state is impossible.
        case damaged
    }

    @inline(__always)
    func news(_ call: OpenCall) -> CallNews? {
        let seen = records.current(call.index)
        if seen == call.state { return nil }
        guard seen.generation == call.state.generation else { return .damaged }
        switch seen.kind {
        case .serving: return nil
        case .replied, .failed: return .ended(seen)
        case .free, .sending, .withdrawn, .abandoned, nil: return .damaged
        }
    }

    @inline(__always)
    private func look(_ call: OpenCall, _ policy: CallPolicy, _ waiting: inout WaitingCall) -> Look<CallNews> {
        if let found = news(call) { return .done(found) }
        guard waiting.maySleep else { return waiting.looksAround && isWithoutServer(call, policy) ? .done(.noServer) : .busy }
        return lookBeforeSleep(call, policy)
    }

    /// Whether the call waits for a server, and is not to.
    func isWithoutServer(_ call: OpenCall, _ policy: CallPolicy) -> Bool {
        policy.whenNoServer == .fail && records.current(call.index).isSending && servers == 0
    }

    private func lookBeforeSleep(_ call: OpenCall, _ policy: CallPolicy) -> Look<CallNews> {
        let deaths = table.deaths.loadAcquire()
        let answer = records.answer(call.index)
        let seen = answer.prepare()
        if let found = news(call) { return .done(found) }
        if isWithoutServer(call, policy) { return .done(.noServer) }
        return .sleep(SleepWords(event: answer.word, eventSeen: seen, life: table.deaths, lifeSeen: deaths))
    }

    /// Whether the reply is there; false: the call goes on, perhaps with another server.
    private func isOver(
        _ ending: WaitEnding<CallNews>, _ call: inout OpenCall, _ attempts: inout CallAttempts, _ deadline: Deadline
    ) throws(CallError) -> Bool {
        switch ending {
        case .done(.ended(let seen)):
            if try sendAgain(&call, seen, &attempts, deadline) { return false }
            try check(&call, seen)
        case .done(.noServer):
            try endWithoutServer(call, attempts)
            return false
        case .done(.damaged): throw callFailure("state")
        case .deadline: try giveUp(&call, .deadline)
        case .cancelled: try giveUp(&call, .cancelled)
        }
        return true
    }

    func giveUp(_ call: inout OpenCall, _ reason: CallError) throws(CallError) {
        guard let seen = try giveUp(call) else { throw reason }
        try check(&call, seen)
    }

    /// Ends a call that no server has taken, since there is none. Returns if one has come and taken it: that is waited for.
    func endWithoutServer(_ call: OpenCall, _ attempts: CallAttempts) throws(CallError) {
        guard try withdraw(call) else { return }
        throw attempts.death.map { .peerDied($0) } ?? .noServer
    }

    /// Sends a call again whose server died with it. False: that is not so, or it is not to be.
    func sendAgain(
        _ call: inout OpenCall, _ seen: CallState, _ attempts: inout CallAttempts, _ deadline: Deadline
    ) throws(CallError) -> Bool {
        guard seen.kind == .failed, attempts.retries > 0, !deadline.hasPassed else { return false }
        attempts.retries -= 1
        attempts.death = seen.peer.map { death(of: $0) }
        let again = seen.sending(by: me, isStreamed: seen.isStreamed)
        guard records.change(call.index, seen, again) else { throw callFailure("state") }
        call.state = again
        try send(call, until: deadline)
        return true
    }

    private func death(of server: PeerID) -> DeathNotice { table.notice(of: server, holding: .calls) }

    /// Returns if the call has a reply; else ends it, and says why.
    func check(_ call: inout OpenCall, _ seen: CallState) throws(CallError) {
        let failure: CallError
        switch (seen.kind, seen.outcome) {
        case (.replied, .reply):
            call.state = seen
            return
        case (.replied, .failure): failure = .failed(serviceFailure(call.index))
        case (.replied, .nothing): failure = .unanswered
        case (.failed, _):
            failure = seen.peer.map { .peerDied(death(of: $0)) } ?? callFailure("state")
        default: failure = callFailure("state")
        }
        end(call.index, seen)
        throw failure
    }

    private func serviceFailure(_ index: Int) -> ServiceFailure {
        let size = min(Int(records.textLength(index).loadRelaxed()), CallRecords.mostText)
        let bytes = unsafe UnsafeRawBufferPointer(start: records.text(index), count: size)
        return ServiceFailure(unsafe String(decoding: bytes, as: UTF8.self), code: records.code(index).loadRelaxed())
    }
}

/// What a client remembers of its call from one server to the next.
struct CallAttempts: Sendable {
    /// How often it may still be sent again.
    var retries: Int
    /// The death of the last server that had it: what it asks for may have been done.
    var death: DeathNotice?

    init(_ policy: CallPolicy) { retries = policy.retries }
}
