public import Interprocess

/// Serves calls of a service whose requests and replies are `Codable` values, which travel as JSON.
///
/// ```swift
/// try await CodableServer<Resize, Image>("resize").run(concurrency: 8) { request in try await image(request) }
/// ```
public final class CodableServer<Request: Decodable & Sendable, Reply: Encodable & Sendable>: Sendable {
    /// The service as one of bytes.
    public let bytes: ByteServer

    /// Opens the service `name`, or makes it.
    ///
    /// - Parameters: as `ByteClient`'s; the sizes are those of the JSON.
    /// - Throws: `InterprocessError` as `ByteClient`.
    public init(
        _ name: ObjectName, capacity: Int? = nil, maximumRequestSize: Int = ByteClient.defaultMaximumSize,
        maximumReplySize: Int = ByteClient.defaultMaximumSize, options: ServiceOptions = ServiceOptions(),
        strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        bytes = try ByteServer(
            name, capacity: capacity, maximumRequestSize: maximumRequestSize, maximumReplySize: maximumReplySize, options: options,
            strategy: strategy)
    }

    /// Takes no more calls; as `Server`'s.
    public func stop() { bytes.stop() }

    /// Replies to one call after the other with what `body` makes of the request, until the server is stopped. Blocks.
    ///
    /// A request that cannot be decoded, a reply that cannot be encoded, and what `body` throws reach the caller as `CallError.failed`.
    ///
    /// - Throws: `ServeError` as `Server`'s.
    public func serve(_ body: (Request) throws -> Reply) throws(ServeError) {
        try bytes.serve { request in try json(body(Self.decoded(unsafe request.withUnsafeBytes { unsafe Array($0) }))) }
    }

    /// Replies to calls, up to `concurrency` of them at once, each in a task of its own, which is cancelled when its caller is gone; until the server is stopped or this task is cancelled. Blocks no thread.
    ///
    /// - Throws: `ServeError` as `Server`'s.
    public func run(
        concurrency: Int = 1, _ body: @escaping @Sendable (Request) async throws -> Reply
    ) async throws(ServeError) {
        try await bytes.run(concurrency: concurrency) { request in try json(await body(Self.decoded(request))) }
    }

    /// As ``run(concurrency:_:)``; `body` sends any number of values, which the client reads as a stream. A client that does not read a stream gets a failure.
    ///
    /// - Throws: `ServeError` as `Server`'s.
    public func runStreams(
        concurrency: Int = 1, _ body: @escaping @Sendable (Request, _ send: (Reply) async throws -> Void) async throws -> Void
    ) async throws(ServeError) {
        try await bytes.runCalls(concurrency: concurrency) { call in
            guard call.isStreamed else { return try call.fail(ServiceFailure("the reply is a stream; read it as one")) }
            do {
                let request = try Self.decoded(call.withRequest { bytes in unsafe bytes.withUnsafeBytes { unsafe Array($0) } })
                try await Self.send(request, call, body)
            } catch {
                // Then the call ends without a reply.
                if error is CancellationError { return }
                return try call.fail(error as? ServiceFailure ?? ServiceFailure("\(error)"))
            }
            try call.finish()
        }
    }

    private static func send(
        _ request: Request, _ call: borrowing ByteServerCall, _ body: (Request, _ send: (Reply) async throws -> Void) async throws -> Void
    ) async throws {
        try await body(request) { reply in try await call.send(json(reply)) }
    }

    private static func decoded(_ bytes: [UInt8]) throws -> Request {
        do { return try value(bytes) } catch { throw ServiceFailure("the request cannot be decoded (\(error))") }
    }
}
