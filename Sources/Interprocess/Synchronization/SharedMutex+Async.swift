/// The asynchronous forms: no thread is blocked while somebody else has the lock, and a cancelled task gets `cancelled` at once. See ``InterprocessExecutor``.
///
/// What is done with the value does not suspend, so that the thread that took the lock is the one that lets go.
extension SharedMutex {
    /// As ``withLock(until:_:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``LockError`` `cancelled`, or what the blocking form throws.
    public func withLock<R>(until deadline: Deadline = .never, _ body: (inout Value) throws -> R) async throws -> R {
        if !core.takeFree() { try await take(until: deadline) }
        return try holding(body)
    }

    /// As ``repair(until:_:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``LockError`` `cancelled`, or what the blocking form throws.
    public func repair<R>(until deadline: Deadline = .never, _ body: (inout Value, DeathNotice) throws -> R) async throws -> R? {
        if !core.takeFree() { try await take(until: deadline) }
        return try repairing(body)
    }

    /// As ``withLock(when:on:until:_:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``LockError`` `cancelled`, or what the blocking form throws.
    public func withLock<R>(
        when isReady: (Value) -> Bool, on condition: SharedCondition, until deadline: Deadline = .never, _ body: (inout Value) throws -> R
    ) async throws -> R {
        var wait = ConditionWait(condition)
        while true {
            do throws(LockError) {
                if !core.takeFree() { try await take(until: deadline) }
            } catch {
                wait.passOn()
                throw error
            }
            if let result = try holding(when: isReady, &wait, body) { return result }
            guard let words = wait.words else { continue }
            if deadline.hasPassed { throw LockError.deadline }
            if await InterprocessExecutor.shared.wait(on: words, of: condition.object, until: deadline) == .cancelled {
                wait.passOn()
                throw LockError.cancelled
            }
        }
    }
}
