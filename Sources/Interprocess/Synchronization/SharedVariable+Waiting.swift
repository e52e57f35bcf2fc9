/// Claiming a variable that is not as it is wanted yet, or that somebody waits for or changes.
extension SharedVariable {
    @usableFromInline
    func claim(_ wanted: VariableCore.Wanted, until deadline: Deadline) throws(WaitError) -> UInt64 {
        var call = WaitingCall(maySleep: true)
        let ending = WaitingCall.block(strategy, until: deadline, &call) { core.look(wanted, &$0, isMine: isMine) }
        return try finish(ending, wanted, &call)
    }

    /// 0: it is not to be had now.
    @usableFromInline
    func tryClaim(_ wanted: VariableCore.Wanted) throws(WaitError) -> UInt64 {
        var call = WaitingCall(maySleep: false)
        guard case .done(let claiming) = core.look(wanted, &call, isMine: isMine) else { return 0 }
        return try claimed(claiming)
    }

    func claim(_ wanted: VariableCore.Wanted, until deadline: Deadline) async throws(WaitError) -> UInt64 {
        let free = core.claimFree(wanted)
        if free != 0 { return free }
        var call = WaitingCall(maySleep: true)
        let ending = await WaitingCall.suspend(object, until: deadline, &call) { core.look(wanted, &$0, isMine: isMine) }
        return try finish(ending, wanted, &call)
    }

    private func isMine() -> Bool { HeldLocks.contains(identity) }

    private func finish(
        _ ending: WaitEnding<VariableCore.Claiming>, _ wanted: VariableCore.Wanted, _ call: inout WaitingCall
    ) throws(WaitError) -> UInt64 {
        if case .done(let claiming) = ending { return try claimed(claiming) }
        core.giveUp(wanted, &call)
        if case .cancelled = ending { throw .cancelled }
        throw .deadline
    }

    private func claimed(_ claiming: VariableCore.Claiming) throws(WaitError) -> UInt64 {
        switch claiming {
        case .claimed(let control): return control
        case .impossible: throw failure
        case .held:
            throw .impossible("what changes a variable or looks at it cannot wait for it: do it with the value that it was given")
        }
    }
}

/// The asynchronous forms: no thread is blocked, and a cancelled task gets `cancelled` at once, with nothing done. See ``InterprocessExecutor``. What is done with a value in
/// its place does not suspend.
extension SharedVariable {
    /// As ``put(_:until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``WaitError`` `cancelled`, or what the blocking form throws.
    public func put(_ value: Value, until deadline: Deadline = .never) async throws(WaitError) {
        try await publish(value, claim(.empty, until: deadline))
    }

    /// As ``take(until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``WaitError`` `cancelled`, or what the blocking form throws.
    public func take(until deadline: Deadline = .never) async throws(WaitError) -> Value {
        if let value = takeFree() { return value }
        return try await takeClaimed(claim(.full, until: deadline))
    }

    /// As ``swap(_:until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``WaitError`` `cancelled`, or what the blocking form throws.
    public func swap(_ value: Value, until deadline: Deadline = .never) async throws(WaitError) -> Value {
        try await exchange(value, claim(.full, until: deadline))
    }

    /// As ``modify(until:_:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``WaitError`` `cancelled`, or what the blocking form throws.
    @discardableResult
    public func modify<R>(until deadline: Deadline = .never, _ body: (inout Value) throws -> R) async throws -> R {
        try await change(claim(.full, until: deadline), body)
    }

    /// As ``withValue(until:_:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``WaitError`` `cancelled`, or what the blocking form throws.
    public func withValue<R>(until deadline: Deadline = .never, _ body: (Value) throws -> R) async throws -> R {
        try await look(claim(.full, until: deadline), body)
    }
}
