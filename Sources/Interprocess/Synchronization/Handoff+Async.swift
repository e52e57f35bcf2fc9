/// The asynchronous forms: no thread is blocked, and a cancelled task gets `cancelled` at once. See ``InterprocessExecutor``.
extension Handoff {
    /// As ``yield(_:until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``HandoffError`` `cancelled`, or what the blocking form throws.
    public mutating func yield(_ value: UInt64 = 0, until deadline: Deadline = .never) async throws(HandoffError) -> UInt64? {
        if case .turn(let back) = try tryYield(value) { return back }
        return try await awaitTurn(until: deadline)
    }

    /// As ``awaitTurn(until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``HandoffError`` `cancelled`, or what the blocking form throws.
    public mutating func awaitTurn(until deadline: Deadline = .never) async throws(HandoffError) -> UInt64? {
        while true {
            if let outcome = try look() { return outcome.value }
            if deadline.hasPassed { throw .deadline }
            guard let words = prepareToSleep() else { continue }
            let outcome = await InterprocessExecutor.shared.wait(on: words, of: side, until: deadline)
            side.sleeper.cancel()
            if outcome == .cancelled { throw .cancelled }
        }
    }
}
