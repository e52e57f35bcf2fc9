import InterprocessSystem

extension Server {
    /// Replies to calls with what `body` makes of their requests, up to `concurrency` of them at once, each in a task of its own, until the server is stopped or this task is cancelled. Blocks no thread.
    ///
    /// When the caller of one is gone (it gave up, ran out of time, or died), its task is cancelled; when this task is, all of them are. If `body` throws, the caller gets it as ``CallError/failed(_:)``; see ``serve(_:)``. Of a
    /// `CancellationError` it gets ``CallError/unanswered``.
    ///
    /// - Throws: ``ServeError`` `cancelled`, `noSpace`, `detached`, `damaged`; after all tasks have ended. Who called when there was no room for the reply gets ``CallError/unanswered``.
    public func run(
        concurrency: Int = 1, _ body: @escaping @Sendable (Request) async throws -> Reply
    ) async throws(ServeError) {
        try await runCalls(concurrency: concurrency) { call in
            let reply: Reply
            do {
                reply = try await body(call.request)
            } catch {
                return try call.fail(error)
            }
            guard call.isStreamed else { return try call.reply(reply) }
            try await call.send(reply)
            try call.finish()
        }
    }

    /// As ``run(concurrency:_:)``, with the call itself, for streamed replies and whatever else it can do. If `body` throws before it has ended the call, the caller gets ``CallError/unanswered``.
    ///
    /// - Throws: ``ServeError`` as ``run(concurrency:_:)``; `noSpace`, `detached` and `damaged` also if `body` throws them.
    public func runCalls(
        concurrency: Int = 1, _ body: @escaping @Sendable (consuming ServerCall<Request, Reply>) async throws -> Void
    ) async throws(ServeError) {
        @Sendable func held(_ call: consuming ServerCall<Request, Reply>) -> HeldCall<ServerCall<Request, Reply>> {
            let watched = (call.call.index, call.call.state)
            return HeldCall(call, core, watched, body)
        }
        try await runLoop(concurrency) { () throws(ServeError) -> HeldCall<ServerCall<Request, Reply>>? in
            guard let call = try self.tryTake() else { return nil }
            return held(call)
        } next: { () async throws(ServeError) -> HeldCall<ServerCall<Request, Reply>>? in
            guard let call = try await self.take() else { return nil }
            return held(call)
        }
    }
}

extension ByteServer {
    /// Replies to calls with a copy of what `body` makes of a copy of their requests; as ``Server/run(concurrency:_:)``.
    ///
    /// - Throws: ``ServeError`` as there.
    public func run(
        concurrency: Int = 1, _ body: @escaping @Sendable ([UInt8]) async throws -> [UInt8]
    ) async throws(ServeError) {
        let limit = maximumReplySize
        try await runCalls(concurrency: concurrency) { call in
            let reply: [UInt8]
            do {
                reply = try await body(call.withRequest { bytes in unsafe bytes.withUnsafeBytes { unsafe Array($0) } })
                guard reply.count <= limit else { throw ServeError.tooLarge(limit: limit) }
            } catch {
                return try call.fail(error)
            }
            guard call.isStreamed else { return try call.reply(reply) }
            try await call.send(reply)
            try call.finish()
        }
    }

    /// As ``Server/runCalls(concurrency:_:)``.
    ///
    /// - Throws: ``ServeError`` as there.
    public func runCalls(
        concurrency: Int = 1, _ body: @escaping @Sendable (consuming ByteServerCall) async throws -> Void
    ) async throws(ServeError) {
        @Sendable func held(_ call: consuming ByteServerCall) -> HeldCall<ByteServerCall> {
            let watched = (call.index, call.state)
            return HeldCall(call, core, watched, body)
        }
        try await runLoop(concurrency) { () throws(ServeError) -> HeldCall<ByteServerCall>? in
            guard let call = try self.tryTake() else { return nil }
            return held(call)
        } next: { () async throws(ServeError) -> HeldCall<ByteServerCall>? in
            guard let call = try await self.take() else { return nil }
            return held(call)
        }
    }
}

extension AnyServer {
    fileprivate func runLoop<Call: ~Copyable & Sendable>(
        _ concurrency: Int, _ nextNow: () throws(ServeError) -> HeldCall<Call>?,
        next: @escaping @Sendable () async throws(ServeError) -> HeldCall<Call>?
    ) async throws(ServeError) {
        precondition(concurrency > 0, "a server runs at least one call at a time")
        // Why a call was not replied to that says as much of those after it.
        let failure = FirstFailure()
        let ending: ServeError? = await withTaskGroup(of: Void.self) { group in
            var running = 0
            var ending: ServeError?
            do throws(ServeError) {
                while true {
                    if running == concurrency {
                        await group.next()
                        running -= 1
                    }
                    if failure.error != nil { break }
                    let held: HeldCall<Call>
                    do throws(ServeError) {
                        var found = try nextNow()
                        if found == nil { found = try await wait(for: next, unless: failure) }
                        guard let found else { break }
                        held = found
                    } catch {
                        // One client's words are no reason not to serve the others.
                        if case .callDamaged = error { continue }
                        throw error
                    }
                    group.addTask { failure.note(await held.run()) }
                    running += 1
                }
            } catch {
                ending = error
            }
            await group.waitForAll()
            return ending
        }
        if let error = failure.error ?? ending { throw error }
    }
}

/// The next call; nil when the server was stopped, or when a call is told meanwhile what ends the loop.
private func wait<Call: ~Copyable & Sendable>(
    for next: @escaping @Sendable () async throws(ServeError) -> HeldCall<Call>?, unless failure: FirstFailure
) async throws(ServeError) -> HeldCall<Call>? {
    let waiting = Task { () async -> Result<HeldCall<Call>?, ServeError> in
        do throws(ServeError) { return .success(try await next()) } catch { return .failure(error) }
    }
    failure.whenNoted { waiting.cancel() }
    defer { failure.whenNoted(nil) }
    switch await withTaskCancellationHandler(operation: { await waiting.value }, onCancel: { waiting.cancel() }) {
    // Also one that came just then is served.
    case .success(let held): return held
    case .failure(.cancelled) where failure.error != nil: return nil
    case .failure(let error): throw error
    }
}

/// Why a server's loop ends, from the first call that was told.
private final class FirstFailure: Sendable {
    private struct State {
        var first: ServeError?
        var whenNoted: (@Sendable () -> Void)?
    }
    private let state = Lock(State())

    var error: ServeError? { state.withLock { $0.first } }

    func note(_ error: ServeError?) {
        guard let error else { return }
        let tell = state.withLock { state in
            if state.first == nil { state.first = error }
            return state.whenNoted
        }
        tell?()
    }

    /// Calls `tell` with the first error; at once if there is one. nil: nothing is to be called any more.
    func whenNoted(_ tell: (@Sendable () -> Void)?) {
        let isNoted = state.withLock { state in
            state.whenNoted = tell
            return state.first != nil
        }
        if isNoted { tell?() }
    }
}

extension ServerCall {
    fileprivate consuming func fail(_ error: any Error) throws(ServeError) {
        // Then the call ends without a reply.
        if !(error is CancellationError) { try fail(ServiceFailure(of: error)) }
    }
}

extension ByteServerCall {
    fileprivate consuming func fail(_ error: any Error) throws(ServeError) {
        if !(error is CancellationError) { try fail(ServiceFailure(of: error)) }
    }
}

/// A call that a task works on, and which another one watches.
private final class HeldCall<Call: ~Copyable & Sendable>: @unchecked Sendable {
    private let call: Lock<Box>
    private let core: ServiceCore
    private let watched: (index: Int, state: CallState)
    private let body: @Sendable (consuming Call) async throws -> Void

    /// What holds it until the task has begun.
    private final class Box: @unchecked Sendable {
        var call: Call?
        init(_ call: consuming Call) { self.call = consume call }
    }

    init(
        _ call: consuming Call, _ core: ServiceCore, _ watched: (Int, CallState),
        _ body: @escaping @Sendable (consuming Call) async throws -> Void
    ) {
        self.call = Lock(Box(call))
        self.core = core
        self.watched = watched
        self.body = body
    }

    /// What has ended.
    private enum Ended {
        case handler(ServeError?)
        case watch(callerIsGone: Bool)
    }

    /// Runs the handler, and cancels it when its caller is gone. What the server is to end with, if anything.
    func run() async -> ServeError? {
        await withTaskGroup(of: Ended.self) { group in
            group.addTask { .handler(await self.serve()) }
            group.addTask { .watch(callerIsGone: await self.core.awaitAbandoned(self.watched.index, self.watched.state)) }
            var failure: ServeError?
            for await ended in group {
                switch ended {
                case .handler(let error):
                    failure = error
                    group.cancelAll()
                case .watch(callerIsGone: true): group.cancelAll()
                // The handler may have replied, and go on.
                case .watch(callerIsGone: false): break
                }
            }
            return failure
        }
    }

    private func serve() async -> ServeError? {
        guard let call = call.withLock({ $0.call.take() }) else { return nil }
        do {
            try await body(call)
        } catch let error as ServeError {
            // The others say that the caller is gone or was told.
            return error.concernsAll ? error : nil
        } catch {}
        return nil
    }
}
