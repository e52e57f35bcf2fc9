/// Waiting for the next value, and storing without blocking a thread. See ``InterprocessExecutor``.
extension LatestValue {
    /// Waits until a value was stored after the one with the number `sequence`, or until `deadline`. Takes no value; a system call only if there is none yet.
    ///
    /// - Returns: the number of the newest value.
    /// - Throws: ``WaitError`` `deadline`, `detached`, `damaged`.
    public func wait(after sequence: UInt64, until deadline: Deadline = .never) throws(WaitError) -> UInt64 {
        var call = WaitingCall(maySleep: true)
        return try Self.finish(
            WaitingCall.block(strategy, until: deadline, &call) { call throws(WaitError) in try look(&call, after: sequence) })
    }

    /// As ``wait(after:until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``WaitError`` `cancelled`, or what the blocking form throws.
    public func wait(after sequence: UInt64, until deadline: Deadline = .never) async throws(WaitError) -> UInt64 {
        var call = WaitingCall(maySleep: true)
        let ending = try await WaitingCall.suspend(object, until: deadline, &call) { call throws(WaitError) in
            try look(&call, after: sequence)
        }
        return try Self.finish(ending)
    }

    /// The newest value, when one was stored after that with the number `sequence`; waits until then, or until `deadline`. Those between the two are gone.
    ///
    /// - Throws: ``WaitError`` `deadline`, or what ``load()`` throws.
    public func next(after sequence: UInt64, until deadline: Deadline = .never) throws(WaitError) -> Version {
        _ = try wait(after: sequence, until: deadline)
        return try newest(after: sequence)
    }

    /// As ``next(after:until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``WaitError`` `cancelled`, or what the blocking form throws.
    public func next(after sequence: UInt64, until deadline: Deadline = .never) async throws(WaitError) -> Version {
        _ = try await wait(after: sequence, until: deadline)
        return try newest(after: sequence)
    }

    /// As ``store(_:until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``WaitError`` `cancelled`: nothing was stored; or what the blocking form throws.
    @discardableResult
    public func store(_ value: Value, until deadline: Deadline = .never) async throws(WaitError) -> UInt64 {
        if !core.takeFree() { try await take(until: deadline) }
        return try finishStoring(value)
    }

    /// As ``update(until:_:)``, and suspends instead of blocking. `body` itself does not suspend.
    ///
    /// - Throws: ``WaitError`` `cancelled`, or what the blocking form throws.
    @discardableResult
    public func update<R>(until deadline: Deadline = .never, _ body: (inout Value) throws -> R) async throws -> R {
        if !core.takeFree() { try await take(until: deadline) }
        return try finishUpdating(body)
    }

    private func newest(after sequence: UInt64) throws(WaitError) -> Version {
        let version = try loadVersioned()
        // It was there a moment ago, and numbers only grow.
        guard version.sequence > sequence else { throw failure("stamp") }
        return version
    }

    /// As ``wait(after:until:)`` looks, for a wait set. True: there is a newer one. False: damaged, or this process has no part in it.
    func watch(_ call: inout WaitingCall, after sequence: UInt64) -> Look<Bool> {
        do throws(WaitError) {
            switch try look(&call, after: sequence) {
            case .done: return .done(true)
            case .busy: return .busy
            case .sleep(let words): return .sleep(words)
            }
        } catch {
            return .done(false)
        }
    }

    /// The number of the newest value; nil where a value is just being overtaken, or what stands there is impossible.
    var newestSequence: UInt64? {
        let seen = words.current.loadSequential()
        let stamp = words.stamp(LatestWords.number(seen)).loadAcquire()
        return LatestWords.isWhole(stamp, newestIn: seen) ? stamp >> 1 : nil
    }

    private func look(_ call: inout WaitingCall, after sequence: UInt64) throws(WaitError) -> Look<UInt64> {
        while true {
            // Before looking: a death that is announced after this ends the sleep.
            let deaths = object.table.deaths.loadAcquire()
            let seen = words.current.loadSequential()
            let stamp = words.stamp(LatestWords.number(seen)).loadAcquire()
            guard LatestWords.isWhole(stamp, newestIn: seen) else {
                try checkOvertaken(seen)
                // It has changed: the sleep ends at once, if the deadline has not passed.
                return call.maySleep ? .sleep(SleepWords(event: words.current, eventSeen: seen, life: nil, lifeSeen: 0)) : .busy
            }
            if stamp >> 1 > sequence { return .done(stamp >> 1) }
            guard call.maySleep else { return .busy }
            if seen & ClaimWord.marked == 0, !words.current.compareExchange(seen, seen | ClaimWord.marked) { continue }
            return .sleep(
                SleepWords(event: words.current, eventSeen: seen | ClaimWord.marked, life: object.table.deaths, lifeSeen: deaths))
        }
    }

    private static func finish(_ ending: WaitEnding<UInt64>) throws(WaitError) -> UInt64 {
        switch ending {
        case .done(let sequence): return sequence
        case .deadline: throw .deadline
        case .cancelled: throw .cancelled
        }
    }
}
