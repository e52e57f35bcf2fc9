extension Handoff {
    /// Performs what the other side calls, by `body`, until that side has ended, or gives the turn with ``yield(_:until:)``, or until `deadline`.
    ///
    /// If this side has the turn when it begins, and no call has come with it, it gives the turn away. `body` gets the number of the method that is
    /// called, and answers with ``answer(_:_:)-(_,(Handoff,Method.Arguments)->Method.Output)``; a call that it does not answer is answered with `unknownMethod`.
    ///
    /// - Returns: how the other side has ended; nil if it has yielded: this side has the turn then, and ``value`` is what came with it.
    /// - Throws: ``HandoffCallError``: `deadline`, `outOfStep`, `notYourTurn`, `unpaired`, `detached`, `damaged`; and errors of `body`, after the caller
    ///   has been told that its call has failed, but for ``HandoffFailure`` and what a caller can bring about: those are the caller's alone.
    @_disfavoredOverload
    public mutating func serve(until deadline: Deadline = .never, _ body: (inout Handoff, UInt32) throws -> Void) throws -> HandoffEnd? {
        while let method = try awaitCall(until: deadline) {
            do { try perform(method, body) } catch HandoffCallError.ended(let end) { return end }
        }
        return end
    }

    /// Waits for the other side's next call, or until `deadline`, and returns the number of its method, to be answered with
    /// ``answer(_:_:)-(_,(Handoff,Method.Arguments)->Method.Output)``. For loops of one's own; else ``serve(until:_:)``.
    ///
    /// Gives the turn away if this side has it and no call has come with it. A call before, that was not answered, gets `unknownMethod` now. O(1).
    ///
    /// - Returns: nil if the other side has ended (``end``), or has given the turn with ``yield(_:until:)`` (``value``).
    /// - Throws: ``HandoffCallError``: `deadline`, `outOfStep` if a call of this side's own is not answered, `unpaired`, `detached`, `damaged`.
    public mutating func awaitCall(until deadline: Deadline = .never) throws(HandoffCallError) -> UInt32? {
        var event = try beginServing()
        while case .refused = event {
            guard try awaitCallTurn(until: deadline) else { return nil }
            event = try lookForCall()
        }
        guard case .called(let method) = event else { return nil }
        return method
    }

    /// Performs the method that was called: `body` gets the arguments, may call the other side itself, and returns the output, which is given to
    /// the caller with the turn. Arrays that it allocates are released then.
    ///
    /// If `body` throws a ``HandoffFailure`` the caller gets its code. An error of a call or an array inside of it (``HandoffCallError``) is the caller's too:
    /// as `refused` if arguments were not what they must be, else as a failure without a code.
    ///
    /// If the arguments or the output have another size than the caller's, `body` does not run and the caller gets `refused`.
    ///
    /// - Throws: other errors of `body`, after the caller has been told; ``HandoffCallError``: `ended`, `deadline`, `cancelled` if that is how a call inside
    ///   of `body` ended; `outOfStep` if there is no call to answer; `notYourTurn`, `unpaired`, `detached`.
    @inlinable
    public mutating func answer<Method: HandoffMethod>(
        _ method: Method.Type, _ body: (inout Handoff, Method.Arguments) throws -> Method.Output
    ) throws {
        guard let request = try takeRequest(MethodSignature(method)) else { return }
        inspect(method)
        let arguments = takeScalars(Method.Arguments.self)
        let output: Method.Output
        do { output = try body(&self, arguments) } catch { return try fail(request, error) }
        try checkOpen(request)
        unsafe callWords.scalars.storeBytes(of: output, as: Method.Output.self)
        try giveAnswer(to: request)
    }
}

// MARK: Steps, without waiting

extension Handoff {
    /// Runs `body` for a call that has come, while a call of this side's own is open.
    @usableFromInline
    mutating func performInside(_ method: UInt32, _ body: (inout Handoff, UInt32) throws -> Void) throws {
        let outer = calls.outstanding
        calls.outstanding = nil
        defer { calls.outstanding = outer }
        try perform(method, body)
    }

    /// For a call that has come while nobody answers any.
    @usableFromInline
    mutating func refuseInside() throws(HandoffCallError) {
        guard let request = calls.request.take() else { return }
        try reply(.unknownMethod, to: request)
    }

    mutating func perform(_ method: UInt32, _ body: (inout Handoff, UInt32) throws -> Void) throws {
        do { try body(&self, method) } catch { return try failUnanswered(error) }
        try refuseUnanswered()
    }

    mutating func failUnanswered(_ error: any Error) throws {
        guard let request = calls.request.take() else { throw error }
        try fail(request, error)
    }

    mutating func refuseUnanswered() throws(HandoffCallError) {
        guard let request = calls.request.take() else { return }
        try checkOpen(request)
        try reply(.unknownMethod, to: request)
    }

    mutating func beginServing() throws(HandoffCallError) -> CallEvent {
        // After the end nothing is open any more.
        if end != nil { return .refused }
        guard calls.outstanding == nil else { throw .outOfStep }
        if calls.request != nil { try refuseUnanswered() }
        guard value != nil else { return .refused }
        switch try calls.takeKind() {
        case .call: return try takeCall()
        case .value: try give(.value)
        default: throw .outOfStep
        }
        return .refused
    }

    mutating func lookForCall() throws(HandoffCallError) -> CallEvent {
        switch try calls.takeKind() {
        case .call: try takeCall()
        case .value: .isOver
        default: throw .outOfStep
        }
    }

    /// Takes the call that the turn came with.
    mutating func takeCall() throws(HandoffCallError) -> CallEvent {
        let request = HandoffRequest(
            method: callWords.method.loadRelaxed(), size: callWords.size.loadRelaxed(), outputSize: callWords.outputSize.loadRelaxed(),
            depth: callWords.depth.loadRelaxed(), used: calls.used, floor: calls.floor)
        guard request.depth == calls.depth + 1 else { throw .outOfStep }
        calls.depth = request.depth
        if request.depth > Self.maximumDepth { return try refuse(request, .depth) }
        if request.size > HandoffCallWords.scalarSize { return try refuse(request, .arguments) }
        if request.outputSize > HandoffCallWords.scalarSize { return try refuse(request, .output) }
        calls.floor = calls.used
        calls.request = request
        return .called(request.method)
    }

    private mutating func refuse(_ request: HandoffRequest, _ part: HandoffMismatch) throws(HandoffCallError) -> CallEvent {
        try reply(.refusal, to: request, code: part.rawValue)
        return .refused
    }

    /// The call to answer, whose method runs from now on; nil if it does not fit, and its caller has been told.
    @usableFromInline
    mutating func takeRequest(_ signature: MethodSignature) throws(HandoffCallError) -> HandoffRequest? {
        guard value != nil else { throw noTurn }
        guard let request = calls.request.take() else { throw .outOfStep }
        if request.method != signature.id {
            try reply(.unknownMethod, to: request)
        } else if request.size != signature.size {
            _ = try refuse(request, .arguments)
        } else if request.outputSize != signature.outputSize {
            _ = try refuse(request, .output)
        } else {
            return request
        }
        return nil
    }

    /// Whether the answer to `request` may be given: this side has the turn, and everything inside of it is over.
    @usableFromInline
    func checkOpen(_ request: HandoffRequest) throws(HandoffCallError) {
        guard value != nil else { throw noTurn }
        guard calls.depth == request.depth, calls.request == nil, calls.outstanding == nil, calls.kind == TurnKind.value.rawValue else {
            throw .outOfStep
        }
    }

    @usableFromInline
    mutating func giveAnswer(to request: HandoffRequest) throws(HandoffCallError) { try reply(.answer, to: request) }

    /// Gives the turn away with an answer, or with what stands for it.
    mutating func reply(_ kind: TurnKind, to request: HandoffRequest, code: UInt32 = 0) throws(HandoffCallError) {
        calls.depth = request.depth - 1
        calls.floor = request.floor
        use(request.used)
        callWords.depth.storeRelaxed(request.depth)
        callWords.size.storeRelaxed(kind == .answer ? request.outputSize : 0)
        callWords.code.storeRelaxed(code)
        try give(kind)
    }

    /// Tells the caller of `request` that its method has thrown `error`; throws it on unless it is the caller's alone.
    @usableFromInline
    mutating func fail(_ request: HandoffRequest, _ error: any Error) throws {
        guard (try? checkOpen(request)) != nil else { throw error }
        switch error {
        case let failure as HandoffFailure: try reply(.failure, to: request, code: failure.code)
        case let inner as HandoffCallError:
            switch inner {
            case .failed(let failure): try reply(.failure, to: request, code: failure.code)
            case .mismatch(let part): try reply(.refusal, to: request, code: part.rawValue)
            case .noRoom: try reply(.refusal, to: request, code: HandoffMismatch.room.rawValue)
            case .tooDeep: try reply(.refusal, to: request, code: HandoffMismatch.depth.rawValue)
            default: try reply(.failure, to: request)
            }
        default:
            try reply(.failure, to: request)
            throw error
        }
    }

    /// Waits for the turn; false if the other side has ended.
    mutating func awaitCallTurn(until deadline: Deadline) throws(HandoffCallError) -> Bool {
        do throws(HandoffError) { return try awaitTurn(until: deadline) != nil } catch { throw HandoffCallError(error) }
    }

    /// Waits for the answer to this side's call, or for a call of the other side's: returns its method.
    @usableFromInline
    mutating func awaitAnswerOrCall(until deadline: Deadline) throws(HandoffCallError) -> UInt32? {
        while true {
            guard try awaitCallTurn(until: deadline) else { throw noTurn }
            switch try lookForAnswer() {
            case .called(let method): return method
            case .isOver: return nil
            case .refused: continue
            }
        }
    }
}
