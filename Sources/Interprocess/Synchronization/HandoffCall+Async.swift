/// The asynchronous forms of calls: no thread is blocked, and a cancelled task gets `cancelled` at once; the other side then has the turn as after a
/// deadline. See ``InterprocessExecutor``.
extension Handoff {
    /// As ``call(_:_:until:)``, and suspends instead of blocking.
    public mutating func call<Method: HandoffMethod>(
        _ method: Method.Type, _ arguments: Method.Arguments, until deadline: Deadline = .never
    ) async throws(HandoffCallError) -> Method.Output {
        try place(arguments, of: method)
        return try await awaitAnswer(to: method, until: deadline)
    }

    /// As ``call(_:_:until:answering:)``, and suspends instead of blocking.
    public mutating func call<Method: HandoffMethod>(
        _ method: Method.Type, _ arguments: Method.Arguments, until deadline: Deadline = .never,
        answering body: (inout Handoff, UInt32) async throws -> Void
    ) async throws -> Method.Output {
        try place(arguments, of: method)
        return try await awaitAnswer(to: method, until: deadline, answering: body)
    }

    /// As ``awaitAnswer(to:until:)``, and suspends instead of blocking.
    public mutating func awaitAnswer<Method: HandoffMethod>(
        to method: Method.Type, until deadline: Deadline = .never
    ) async throws(HandoffCallError) -> Method.Output {
        try checkOutstanding(MethodSignature(method))
        while try await suspendForAnswerOrCall(until: deadline) != nil { try refuseInside() }
        return takeOutput(of: method)
    }

    /// As ``awaitAnswer(to:until:answering:)``, and suspends instead of blocking.
    public mutating func awaitAnswer<Method: HandoffMethod>(
        to method: Method.Type, until deadline: Deadline = .never, answering body: (inout Handoff, UInt32) async throws -> Void
    ) async throws -> Method.Output {
        try checkOutstanding(MethodSignature(method))
        while let called = try await suspendForAnswerOrCall(until: deadline) {
            let outer = calls.outstanding
            calls.outstanding = nil
            defer { calls.outstanding = outer }
            try await perform(called, body)
        }
        return takeOutput(of: method)
    }

    /// As ``serve(until:_:)``, and suspends instead of blocking.
    public mutating func serve(
        until deadline: Deadline = .never, _ body: (inout Handoff, UInt32) async throws -> Void
    ) async throws -> HandoffEnd? {
        while let method = try await awaitCall(until: deadline) {
            do { try await perform(method, body) } catch HandoffCallError.ended(let end) { return end }
        }
        return end
    }

    /// As ``awaitCall(until:)``, and suspends instead of blocking.
    public mutating func awaitCall(until deadline: Deadline = .never) async throws(HandoffCallError) -> UInt32? {
        var event = try beginServing()
        while case .refused = event {
            guard try await suspendForTurn(until: deadline) else { return nil }
            event = try lookForCall()
        }
        guard case .called(let method) = event else { return nil }
        return method
    }

    /// As the form that blocks, with a `body` that may suspend.
    public mutating func answer<Method: HandoffMethod>(
        _ method: Method.Type, _ body: (inout Handoff, Method.Arguments) async throws -> Method.Output
    ) async throws {
        guard let request = try takeRequest(MethodSignature(method)) else { return }
        inspect(method)
        let arguments = takeScalars(Method.Arguments.self)
        let output: Method.Output
        do { output = try await body(&self, arguments) } catch { return try fail(request, error) }
        try checkOpen(request)
        unsafe callWords.scalars.storeBytes(of: output, as: Method.Output.self)
        try giveAnswer(to: request)
    }

    private mutating func perform(_ method: UInt32, _ body: (inout Handoff, UInt32) async throws -> Void) async throws {
        do { try await body(&self, method) } catch { return try failUnanswered(error) }
        try refuseUnanswered()
    }

    private mutating func suspendForTurn(until deadline: Deadline) async throws(HandoffCallError) -> Bool {
        do throws(HandoffError) { return try await awaitTurn(until: deadline) != nil } catch { throw HandoffCallError(error) }
    }

    private mutating func suspendForAnswerOrCall(until deadline: Deadline) async throws(HandoffCallError) -> UInt32? {
        while true {
            guard try await suspendForTurn(until: deadline) else { throw noTurn }
            switch try lookForAnswer() {
            case .called(let method): return method
            case .isOver: return nil
            case .refused: continue
            }
        }
    }
}
