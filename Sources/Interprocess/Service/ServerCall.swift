import CInterprocess
import InterprocessSystem

/// A call that this server has. It ends with ``reply(_:)``, ``fail(_:)`` or, of a stream, ``finish()``; if the value ends without, the caller gets ``CallError/unanswered``; if this process dies, `peerDied`, or another server gets the call.
public struct ServerCall<Request: Shareable, Reply: Shareable>: ~Copyable, Sendable {
    let call: ServedCall
    /// What is asked for: a copy of what the client wrote.
    public let request: Request

    init(_ call: consuming ServedCall) throws(ServeError) {
        let bytes: UnsafeMutableRawBufferPointer
        do throws(QueueDamage) {
            unsafe bytes = try call.core.requestBytes(call.index)
            guard bytes.count == MemoryLayout<Request>.stride else { throw QueueDamage(field: "request_length") }
        } catch {
            throw call.core.callServeFailure(error.field)
        }
        request = unsafe bytes.load(as: Request.self)
        self.call = call
    }

    /// Whether nobody waits for the reply any more: the client gave up, ran out of time, or died. One load.
    public var isCancelled: Bool { call.isAbandoned }
    /// When the client gives up.
    public var deadline: Deadline { call.deadline }
    /// Whether the client takes a stream of parts; else it takes one reply.
    public var isStreamed: Bool { call.state.isStreamed }
    /// Who calls.
    public var caller: PeerID? { call.caller }

    /// Replies, which ends the call. Of a stream it is one part, and the end. O(1), but for a stream whose client has not made room.
    ///
    /// - Throws: ``ServeError`` `callerGone` if nobody waits for it any more, `noSpace` (the caller gets `unanswered`), `detached`, `damaged`.
    public consuming func reply(_ reply: Reply) throws(ServeError) {
        if isStreamed {
            try send(reply)
            return try finish()
        }
        unsafe try call.replyPlace(MemoryLayout<Reply>.stride, MemoryLayout<Reply>.alignment).storeBytes(of: reply, as: Reply.self)
        try call.finish(.reply)
    }

    /// Says why there is no reply, which ends the call: the caller gets ``CallError/failed(_:)``. O(1).
    ///
    /// - Throws: ``ServeError`` `callerGone` if nobody waits for it any more, `detached`, `damaged`.
    public consuming func fail(_ failure: ServiceFailure) throws(ServeError) { try call.fail(failure) }

    /// Sends one part of a streamed reply; waits while the client has not read enough of those before, or until `deadline`. O(1).
    ///
    /// - Throws: ``ServeError`` `callerGone`, `deadline`, `notStreamed`, `noSpace`, `detached`, `damaged`.
    public func send(_ part: Reply, until deadline: Deadline = .never) throws(ServeError) {
        unsafe try call.part(MemoryLayout<Reply>.stride, until: deadline).storeBytes(of: part, as: Reply.self)
        call.publishPart(MemoryLayout<Reply>.stride)
    }

    /// As ``send(_:until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``ServeError`` `cancelled`, or what the blocking form throws.
    public func send(_ part: Reply, until deadline: Deadline = .never) async throws(ServeError) {
        unsafe try await call.part(MemoryLayout<Reply>.stride, until: deadline).storeBytes(of: part, as: Reply.self)
        call.publishPart(MemoryLayout<Reply>.stride)
    }

    /// Ends a streamed reply. O(1).
    ///
    /// - Throws: ``ServeError`` `callerGone`, `notStreamed`, `detached`, `damaged`.
    public consuming func finish() throws(ServeError) {
        guard isStreamed else { throw .notStreamed }
        try call.finish(.reply)
    }
}

/// A call that a server has taken, whatever stands in it. Ends without a reply if it was not ended.
struct ServedCall: ~Copyable, Sendable {
    let core: ServiceCore
    let index: Int
    let state: CallState
    private var isEnded = false

    init(_ core: ServiceCore, _ index: Int, _ state: CallState) {
        self.core = core
        self.index = index
        self.state = state
    }

    deinit { if !isEnded { try? core.finish(index, state, .nothing) } }

    var isAbandoned: Bool { core.isAbandoned(index, state) }
    var caller: PeerID? { PeerID(rawValue: core.records.client(index).loadRelaxed()) }

    var deadline: Deadline {
        let nanoseconds = core.records.deadline(index).loadRelaxed()
        return nanoseconds == 0 ? .never : .at(MonotonicInstant(nanoseconds: nanoseconds))
    }

    func replyPlace(_ size: Int, _ alignment: Int) throws(ServeError) -> UnsafeMutableRawPointer {
        do { return unsafe try core.replyPlace(index, size: size, alignment: alignment) } catch { throw .noSpace }
    }

    consuming func finish(_ outcome: CallOutcome) throws(ServeError) {
        isEnded = true
        try core.finish(index, state, outcome)
    }

    consuming func fail(_ failure: ServiceFailure) throws(ServeError) {
        isEnded = true
        try core.fail(index, state, failure)
    }
}
