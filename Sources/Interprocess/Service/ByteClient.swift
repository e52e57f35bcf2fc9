import CInterprocess
import InterprocessSystem

/// Calls a service of bytes: requests and replies of any size, 0 and gigabytes included.
///
/// ```swift
/// let render = try ByteClient("render", maximumRequestSize: 1 << 20, maximumReplySize: 1 << 30)
/// let image = try render.call(Array(page.utf8))                                       // copied in and out
/// try render.call(upTo: 1 << 20) { page in write(into: &page) } reading: { image in show(image) }.get()      // in place
/// ```
///
/// Everything that ``Client`` says of order, deaths and progress holds here.
///
/// **Layout** as a ``Client``'s; each call has a window of the file for the largest request and one for the largest reply, and of these only the pages are reserved that its requests and replies have needed so far: capacity × (`maximumRequestSize` + `maximumReplySize` + 8) and the pages' rest at most, nothing
/// for requests up to 32 bytes and replies up to 48. A client prefers the call record that it had last, so that few have memory.
public final class ByteClient: AnyClient, @unchecked Sendable {
    /// Bytes of the largest request, and of the largest reply, if nothing is said.
    public static let defaultMaximumSize = 64 << 20

    /// Opens the service `name`, or makes it.
    ///
    /// - Parameters:
    ///   - capacity: how many calls may be in flight, as in ``Client``.
    ///   - maximumRequestSize: bytes of the largest request. An existing service must take as large ones.
    ///   - maximumReplySize: bytes of the largest reply, or of what a stream's client may be behind. An existing service must take as large ones.
    /// - Throws: ``InterprocessError`` as ``Client/init(_:capacity:policy:options:strategy:)``.
    public init(
        _ name: ObjectName, capacity: Int? = nil, maximumRequestSize: Int = ByteClient.defaultMaximumSize,
        maximumReplySize: Int = ByteClient.defaultMaximumSize, policy: CallPolicy = CallPolicy(),
        options: ServiceOptions = ServiceOptions(), strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        super.init(
            try ServiceCore(name, .bytes(maximumRequestSize, maximumReplySize), capacity: capacity, options, isServer: false), policy,
            strategy)
    }

    /// The largest request, in bytes: what was asked for, rounded up.
    public var maximumRequestSize: Int { core.largestRequest }
    /// The largest reply, and the largest part of a stream, in bytes.
    public var maximumReplySize: Int { core.largestReply }

    /// Sends a copy of `request` and returns a copy of the reply; waits for it, or until `deadline`. O(bytes).
    ///
    /// - Throws: ``CallError``: `tooLarge`, `noSpace`, or what ``Client/call(_:until:)`` throws.
    public func call(_ request: RawSpan, until deadline: Deadline = .never) throws(CallError) -> [UInt8] {
        var call = try begin(request, core.open(strategy, policy, until: checked(request.byteCount, deadline)))
        try core.perform(&call, strategy, policy, until: deadline)
        return try core.readReply(call) { bytes in unsafe bytes.withUnsafeBytes { unsafe Array($0) } }
    }

    /// Sends a copy of `request` as ``call(_:until:)`` does.
    public func call(_ request: [UInt8], until deadline: Deadline = .never) throws(CallError) -> [UInt8] {
        try unsafe call(request.span.bytes, until: deadline)
    }

    /// As ``call(_:until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``CallError``: `cancelled` when the task is, and the server is told; or what the blocking form throws.
    public func call(_ request: [UInt8], until deadline: Deadline = .never) async throws(CallError) -> [UInt8] {
        let open = try await core.open(policy, until: checked(request.count, deadline))
        var call = try unsafe begin(request.span.bytes, open)
        try await core.perform(&call, policy, until: deadline)
        return try core.readReply(call) { bytes in unsafe bytes.withUnsafeBytes { unsafe Array($0) } }
    }

    /// As ``call(_:until:)``, but does not wait for a place among the calls in flight.
    ///
    /// - Throws: ``CallError``: `full`, or what ``call(_:until:)`` throws.
    public func tryCall(_ request: [UInt8], until deadline: Deadline = .never) throws(CallError) -> [UInt8] {
        _ = try checked(request.count, deadline)
        var call = try unsafe begin(request.span.bytes, core.open(strategy, policy, until: .now))
        try core.perform(&call, strategy, policy, until: deadline)
        return try core.readReply(call) { bytes in unsafe bytes.withUnsafeBytes { unsafe Array($0) } }
    }

    /// Lets `write` write a request of at most `byteCount` bytes where a server will read it, and `read` read the reply where it stands. Nothing is copied. Waits for the reply, or until `deadline`.
    ///
    /// If `write` throws, nothing is sent; that error, or the one of `read`, comes out of the result.
    ///
    /// - Throws: ``CallError`` as ``call(_:until:)``.
    public func call<R, E: Error>(
        upTo byteCount: Int, until deadline: Deadline = .never, _ write: (inout OutputRawSpan) throws(E) -> Void,
        reading read: (RawSpan) throws(E) -> R
    ) throws(CallError) -> Result<R, E> {
        let open = try core.open(strategy, policy, until: checked(byteCount, deadline))
        var call: OpenCall
        switch try core.writeRequest(open, upTo: byteCount, write) {
        case .success: call = open
        case .failure(let error): return .failure(error)
        }
        try core.perform(&call, strategy, policy, until: deadline)
        return try core.readReply(call) { bytes in
            do throws(E) { return .success(try read(bytes)) } catch { return .failure(error) }
        }
    }

    /// As ``call(upTo:until:_:reading:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``CallError``: `cancelled` when the task is, and the server is told; or what the blocking form throws.
    public func call<R, E: Error>(
        upTo byteCount: Int, until deadline: Deadline = .never, _ write: (inout OutputRawSpan) throws(E) -> Void,
        reading read: (RawSpan) throws(E) -> R
    ) async throws(CallError) -> Result<R, E> {
        let open = try await core.open(policy, until: checked(byteCount, deadline))
        var call: OpenCall
        switch try core.writeRequest(open, upTo: byteCount, write) {
        case .success: call = open
        case .failure(let error): return .failure(error)
        }
        try await core.perform(&call, policy, until: deadline)
        return try core.readReply(call) { bytes in
            do throws(E) { return .success(try read(bytes)) } catch { return .failure(error) }
        }
    }

    /// Sends a copy of `request`, and gets the reply in as many parts as the server makes of it; see ``Client/stream(_:until:)``. A request that is too large is an error of the first look for a part.
    public func stream(_ request: [UInt8], until deadline: Deadline = .never) -> ByteReplyStream {
        ByteReplyStream(
            call: StreamedCall(core, policy, strategy, deadline) { (core, call) throws(CallError) in
                guard request.count <= core.largestRequest else {
                    core.end(call)
                    throw .tooLarge(limit: core.largestRequest)
                }
                unsafe copyInPieces(request.span.bytes, to: try core.placeRequest(call, request.count, 1))
            })
    }

    private func checked(_ size: Int, _ deadline: Deadline) throws(CallError) -> Deadline {
        precondition(size >= 0, "the size of a request is not negative")
        guard size <= core.largestRequest else { throw .tooLarge(limit: core.largestRequest) }
        return deadline
    }

    private func begin(_ request: RawSpan, _ call: OpenCall) throws(CallError) -> OpenCall {
        unsafe copyInPieces(request, to: try core.placeRequest(call, request.byteCount, 1))
        return call
    }
}

extension ServiceCore {
    var largestRequest: Int { max(shape.requestSize, Int(IPC_INLINE_REQUEST)) }

    /// Lets `body` write a request in place. If that throws, or this does, the call has ended.
    func writeRequest<E: Error>(
        _ call: OpenCall, upTo size: Int, _ body: (inout OutputRawSpan) throws(E) -> Void
    ) throws(CallError) -> Result<Void, E> {
        let buffer = unsafe UnsafeMutableRawBufferPointer(start: try placeRequest(call, size, 1), count: size)
        var span = unsafe OutputRawSpan(buffer: buffer, initializedCount: 0)
        do throws(E) {
            try body(&span)
        } catch {
            end(call)
            return .failure(error)
        }
        setLength(records.requestLength(call.index), unsafe span.finalize(for: buffer))
        return .success(())
    }

    /// Lets `body` read the reply of a call that has one, which ends with this.
    func readReply<R>(_ call: OpenCall, _ body: (RawSpan) -> R) throws(CallError) -> R {
        defer { end(call) }
        do throws(QueueDamage) {
            return body(unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(try replyBytes(call.index))))
        } catch {
            throw callFailure(error.field)
        }
    }
}
