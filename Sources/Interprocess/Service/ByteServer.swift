import InterprocessSystem

/// Serves calls of a service of bytes.
///
/// ```swift
/// let server = try ByteServer("render", maximumRequestSize: 1 << 20, maximumReplySize: 1 << 30)
/// while let call = try server.take() {
///     let page = call.withRequest { parse($0) }
///     try call.reply(upTo: page.size) { image in draw(page, into: &image) }.get()      // in place
/// }
/// ```
///
/// See ``Client`` for order and deaths, ``ByteClient`` for memory.
public final class ByteServer: AnyServer, @unchecked Sendable {
    /// Opens the service `name`, or makes it.
    ///
    /// - Parameters: as ``ByteClient/init(_:capacity:maximumRequestSize:maximumReplySize:policy:options:strategy:)``.
    /// - Throws: ``InterprocessError`` as there.
    public init(
        _ name: ObjectName, capacity: Int? = nil, maximumRequestSize: Int = ByteClient.defaultMaximumSize,
        maximumReplySize: Int = ByteClient.defaultMaximumSize, options: ServiceOptions = ServiceOptions(),
        strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        super.init(
            try ServiceCore(name, .bytes(maximumRequestSize, maximumReplySize), capacity: capacity, options, isServer: true), strategy)
    }

    /// The largest reply, and the largest part of a stream, in bytes.
    public var maximumReplySize: Int { core.largestReply }

    /// Takes the next call, which is to be ended by a reply or a failure; waits for one, or until `deadline`. Nil when the server was stopped. O(1).
    ///
    /// - Throws: ``ServeError`` `deadline`, `detached`, `damaged`.
    public func take(until deadline: Deadline = .never) throws(ServeError) -> ByteServerCall? {
        try typed(core.take(strategy, until: deadline))
    }

    /// As ``take(until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``ServeError`` `cancelled`, or what the blocking form throws.
    public func take(until deadline: Deadline = .never) async throws(ServeError) -> ByteServerCall? {
        try typed(await core.take(until: deadline))
    }

    /// Takes the next call if there is one now. O(1), never blocks.
    ///
    /// - Throws: ``ServeError`` `detached`, `damaged`.
    public func tryTake() throws(ServeError) -> ByteServerCall? {
        guard let serving = core.takeNow() else { return nil }
        return try typed(serving)
    }

    private func typed(_ serving: ServiceCore.Serving) throws(ServeError) -> ByteServerCall? {
        guard let call = try taken(serving) else { return nil }
        return try ByteServerCall(call)
    }

    /// Replies to one call after the other with a copy of what `body` makes of the request, which it reads where it stands, until the server is stopped. Blocks.
    ///
    /// If `body` throws, or makes a reply that is too large, the caller gets it as ``CallError/failed(_:)``; see ``Server/serve(_:)``.
    ///
    /// - Throws: ``ServeError`` `noSpace`, after the caller was told; `detached`, `damaged`.
    public func serve(_ body: (RawSpan) throws -> [UInt8]) throws(ServeError) {
        while true {
            do throws(ServeError) {
                guard let call = try take() else { return }
                let reply: [UInt8]
                do {
                    reply = try call.withRequest(body)
                    guard reply.count <= maximumReplySize else { throw ServeError.tooLarge(limit: maximumReplySize) }
                } catch {
                    try call.fail(ServiceFailure(of: error))
                    continue
                }
                try call.reply(reply)
            } catch {
                if error.concernsAll { throw error }
            }
        }
    }
}

/// A call of bytes that this server has; as ``ServerCall``.
@safe
public struct ByteServerCall: ~Copyable, @unchecked Sendable {
    private let call: ServedCall
    var index: Int { call.index }
    var state: CallState { call.state }
    /// Where it stands: the length was read once.
    private let request: UnsafeRawBufferPointer

    /// Bytes of the request.
    public var requestSize: Int { unsafe request.count }

    init(_ call: consuming ServedCall) throws(ServeError) {
        do throws(QueueDamage) {
            unsafe request = UnsafeRawBufferPointer(try call.core.requestBytes(call.index))
        } catch {
            throw call.core.callServeFailure(error.field)
        }
        self.call = call
    }

    /// Calls `body` with the request's bytes, where they stand.
    public func withRequest<R: ~Copyable, E: Error>(_ body: (RawSpan) throws(E) -> R) throws(E) -> R {
        try body(unsafe RawSpan(_unsafeBytes: request))
    }

    /// Whether nobody waits for the reply any more: the client gave up, ran out of time, or died. One load.
    public var isCancelled: Bool { call.isAbandoned }
    /// When the client gives up.
    public var deadline: Deadline { call.deadline }
    /// Whether the client takes a stream of parts; else it takes one reply.
    public var isStreamed: Bool { call.state.isStreamed }
    /// Who calls.
    public var caller: PeerID? { call.caller }

    /// Replies with a copy of `bytes`, which ends the call. Of a stream it is one part, and the end. O(bytes).
    ///
    /// - Throws: ``ServeError`` `tooLarge` (the caller gets `unanswered`), or what ``ServerCall/reply(_:)`` throws.
    public consuming func reply(_ bytes: RawSpan) throws(ServeError) {
        if isStreamed {
            try send(bytes)
            return try finish()
        }
        try check(bytes.byteCount)
        unsafe copyInPieces(bytes, to: try call.replyPlace(bytes.byteCount, 1))
        try call.finish(.reply)
    }

    /// Replies with a copy of `bytes` as ``reply(_:)`` does.
    public consuming func reply(_ bytes: [UInt8]) throws(ServeError) { try unsafe reply(bytes.span.bytes) }

    /// Lets `body` write a reply of at most `byteCount` bytes where the client will read it, which ends the call. Nothing is copied. Of a stream it is one part, and the end.
    ///
    /// If `body` throws, the caller gets that as ``CallError/failed(_:)``, and it comes out of the result.
    ///
    /// - Throws: ``ServeError`` as ``reply(_:)``.
    public consuming func reply<E: Error>(
        upTo byteCount: Int, _ body: (inout OutputRawSpan) throws(E) -> Void
    ) throws(ServeError) -> Result<Void, E> {
        precondition(byteCount >= 0, "the size of a reply is not negative")
        try check(byteCount)
        let isStreamed = isStreamed
        let place = unsafe isStreamed ? try call.part(byteCount, until: .never) : try call.replyPlace(byteCount, 1)
        let buffer = unsafe UnsafeMutableRawBufferPointer(start: place, count: byteCount)
        var span = unsafe OutputRawSpan(buffer: buffer, initializedCount: 0)
        do throws(E) {
            try body(&span)
        } catch {
            try call.fail(ServiceFailure(of: error))
            return .failure(error)
        }
        let size = unsafe span.finalize(for: buffer)
        if isStreamed { call.publishPart(size) } else { call.core.setLength(call.core.records.replyLength(call.index), size) }
        try call.finish(.reply)
        return .success(())
    }

    /// Says why there is no reply, which ends the call: the caller gets ``CallError/failed(_:)``. O(1).
    ///
    /// - Throws: ``ServeError`` `callerGone` if nobody waits for it any more, `detached`, `damaged`.
    public consuming func fail(_ failure: ServiceFailure) throws(ServeError) { try call.fail(failure) }

    /// Sends a copy of `part` as one part of a streamed reply; waits while the client has not read enough of those before, or until `deadline`. O(bytes).
    ///
    /// - Throws: ``ServeError`` `tooLarge`, or what ``ServerCall/send(_:until:)`` throws.
    public func send(_ part: RawSpan, until deadline: Deadline = .never) throws(ServeError) {
        unsafe copyInPieces(part, to: try call.part(part.byteCount, until: deadline))
        call.publishPart(part.byteCount)
    }

    /// Sends a copy of `part` as ``send(_:until:)`` does.
    public func send(_ part: [UInt8], until deadline: Deadline = .never) throws(ServeError) {
        try unsafe send(part.span.bytes, until: deadline)
    }

    /// As ``send(_:until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``ServeError`` `cancelled`, or what the blocking form throws.
    public func send(_ part: [UInt8], until deadline: Deadline = .never) async throws(ServeError) {
        let place = unsafe try await call.part(part.count, until: deadline)
        unsafe copyInPieces(part.span.bytes, to: place)
        call.publishPart(part.count)
    }

    /// Ends a streamed reply. O(1).
    ///
    /// - Throws: ``ServeError`` `callerGone`, `notStreamed`, `detached`, `damaged`.
    public consuming func finish() throws(ServeError) {
        guard isStreamed else { throw .notStreamed }
        try call.finish(.reply)
    }

    private func check(_ size: Int) throws(ServeError) {
        guard size <= call.core.largestReply else { throw .tooLarge(limit: call.core.largestReply) }
    }
}
