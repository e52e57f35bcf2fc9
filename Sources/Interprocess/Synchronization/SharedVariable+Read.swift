import InterprocessSystem

/// Reading: the value stays there for others.
extension SharedVariable {
    /// The value that is there, or else the next that is put: waits for that, until `deadline`, and gets it also if another takes it first. O(size of the value): one copy,
    /// begun anew if two values were put meanwhile, of which it then gets the later; no system call unless it has to wait. Holds nobody up.
    ///
    /// - Throws: ``WaitError`` `deadline`; `impossible` if it was overtaken for 5 s; `detached`, `damaged`.
    @inlinable
    public func read(until deadline: Deadline = .never) throws(WaitError) -> Value {
        let seen = words.control.loadAcquire()
        let isThere = seen & (VariableWords.full | VariableWords.open) == VariableWords.full | VariableWords.open
        return try copy(isThere ? seen : awaitValue(after: seen, until: deadline))
    }

    /// As ``read(until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``WaitError`` `cancelled`, or what the blocking form throws.
    public func read(until deadline: Deadline = .never) async throws(WaitError) -> Value {
        let seen = words.control.loadAcquire()
        var call = WaitingCall(maySleep: true)
        let ending = await WaitingCall.suspend(object, until: deadline, &call) {
            core.lookForValue(after: VariableWords.number(seen), &$0)
        }
        return try copy(finish(ending))
    }

    /// The value that is there; nil if it is empty. Never blocks.
    ///
    /// - Throws: ``WaitError`` as ``read(until:)``, but for `deadline`.
    @inlinable
    public func tryRead() throws(WaitError) -> Value? {
        let seen = words.control.loadAcquire()
        guard seen & VariableWords.open != 0 else { throw failure }
        return seen & VariableWords.full == 0 ? nil : try copy(seen)
    }

    /// Copies the value that `first` names, or a later one.
    @inlinable @inline(__always)
    func copy(_ first: UInt64) throws(WaitError) -> Value {
        var seen = first
        var overtaking = Overtaking()
        while true {
            // It may be half written, and is not looked at before that is known.
            let value = unsafe words.value(VariableWords.number(seen)).load(as: Value.self)
            if words.isWhole(seen) { return value }
            seen = try wasOvertaken(&overtaking)
        }
    }

    /// What to copy instead.
    @usableFromInline
    func wasOvertaken(_ overtaking: inout Overtaking) throws(WaitError) -> UInt64 {
        let seen = words.control.loadAcquire()
        guard seen & VariableWords.open != 0 else { throw failure }
        if overtaking.isTooMuch() {
            throw .impossible("values are put faster than this process can copy one, for 5 s by now: put smaller values, or take them")
        }
        Processor.pause()
        return seen
    }

    @usableFromInline
    func awaitValue(after seen: UInt64, until deadline: Deadline) throws(WaitError) -> UInt64 {
        var call = WaitingCall(maySleep: true)
        let number = VariableWords.number(seen)
        return try finish(WaitingCall.block(strategy, until: deadline, &call) { core.lookForValue(after: number, &$0) })
    }

    private func finish(_ ending: WaitEnding<UInt64?>) throws(WaitError) -> UInt64 {
        switch ending {
        case .done(let seen?): return seen
        case .done(nil): throw failure
        case .deadline: throw .deadline
        case .cancelled: throw .cancelled
        }
    }
}
