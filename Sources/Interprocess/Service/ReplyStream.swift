import InterprocessSystem

/// The parts of a streamed reply, of values; see ``Client/stream(_:until:)``.
///
/// The call is sent with the first look for a part. It is given up, and its server told, if this value ends before the reply does, or when a task that waits for a part is cancelled. Parts that the server had sent before it died come first.
/// Read by one task or thread at a time.
public struct ReplyStream<Reply: Shareable>: AsyncSequence, Sendable {
    public typealias Element = Reply
    public typealias Failure = CallError
    let call: StreamedCall

    /// The next part; nil at the end. Waits for it.
    ///
    /// - Throws: ``CallError``; the call has ended then.
    public func next() throws(CallError) -> Reply? { try call.next(Self.read) }

    /// As ``next()``, and suspends instead of blocking.
    public func next() async throws(CallError) -> Reply? { try await call.next(Self.read) }

    private static func read(_ bytes: RawSpan) throws(CallError) -> Reply {
        guard bytes.byteCount == MemoryLayout<Reply>.stride else { throw .damaged("part") }
        return unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(as: Reply.self) }
    }

    public func makeAsyncIterator() -> Iterator { Iterator(stream: self) }

    public struct Iterator: AsyncIteratorProtocol {
        let stream: ReplyStream

        public mutating func next() async throws(CallError) -> Reply? { try await stream.next() }
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(CallError) -> Reply? { try await stream.next() }
    }
}

/// The parts of a streamed reply, of bytes; as ``ReplyStream``.
public struct ByteReplyStream: AsyncSequence, Sendable {
    public typealias Element = [UInt8]
    public typealias Failure = CallError
    let call: StreamedCall

    /// A copy of the next part; nil at the end. Waits for it.
    ///
    /// - Throws: ``CallError``; the call has ended then.
    public func next() throws(CallError) -> [UInt8]? { try call.next(Self.copy) }

    /// As ``next()``, and suspends instead of blocking.
    public func next() async throws(CallError) -> [UInt8]? { try await call.next(Self.copy) }

    /// Lets `body` read the next part where it stands, and frees it; nil at the end. Waits for it.
    public func next<R>(_ body: (RawSpan) -> R) throws(CallError) -> R? {
        try call.next { (bytes) throws(CallError) in body(bytes) }
    }

    private static func copy(_ bytes: RawSpan) throws(CallError) -> [UInt8] { unsafe bytes.withUnsafeBytes { unsafe Array($0) } }

    public func makeAsyncIterator() -> Iterator { Iterator(stream: self) }

    public struct Iterator: AsyncIteratorProtocol {
        let stream: ByteReplyStream

        public mutating func next() async throws(CallError) -> [UInt8]? { try await stream.next() }
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(CallError) -> [UInt8]? { try await stream.next() }
    }
}

extension Client {
    /// Sends `request`, and gets the reply in as many parts as the server makes of it.
    ///
    /// ```swift
    /// for try await line in log.stream(Query(since: yesterday)) { print(line) }
    /// ```
    ///
    /// - Parameter deadline: for all of it.
    public func stream(_ request: Request, until deadline: Deadline = .never) -> ReplyStream<Reply> {
        ReplyStream(
            call: StreamedCall(core, policy, strategy, deadline) { (core, call) throws(CallError) in
                unsafe try core.placeRequest(call, MemoryLayout<Request>.stride, MemoryLayout<Request>.alignment)
                    .storeBytes(of: request, as: Request.self)
            })
    }
}
