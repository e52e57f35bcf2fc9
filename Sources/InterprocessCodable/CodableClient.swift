import FoundationEssentials
public import Interprocess

/// Calls a service whose requests and replies are `Codable` values, which travel as JSON.
///
/// ```swift
/// let image = try CodableClient<Resize, Image>("resize").call(Resize(path: "a.png", width: 100))
/// ```
///
/// Everything that `Client` says of order, deaths, deadlines and memory holds here; the bytes are those of a `ByteClient`, which any program may send. For values without references and of fixed size `Client` is many times as fast, since it
/// encodes nothing.
public final class CodableClient<Request: Encodable & Sendable, Reply: Decodable & Sendable>: Sendable {
    /// The service as one of bytes.
    public let bytes: ByteClient

    /// Opens the service `name`, or makes it.
    ///
    /// - Parameters: as `ByteClient`'s; the sizes are those of the JSON.
    /// - Throws: `InterprocessError` as `ByteClient`.
    public init(
        _ name: ObjectName, capacity: Int? = nil, maximumRequestSize: Int = ByteClient.defaultMaximumSize,
        maximumReplySize: Int = ByteClient.defaultMaximumSize, policy: CallPolicy = CallPolicy(),
        options: ServiceOptions = ServiceOptions(), strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        bytes = try ByteClient(
            name, capacity: capacity, maximumRequestSize: maximumRequestSize, maximumReplySize: maximumReplySize, policy: policy,
            options: options, strategy: strategy)
    }

    /// Sends `request` and returns the reply; waits for it, or until `deadline`. O(bytes).
    ///
    /// - Throws: ``CodableCallError``.
    public func call(_ request: Request, until deadline: Deadline = .never) throws(CodableCallError) -> Reply {
        let encoded = try CodableCallError.encoded(request)
        let reply: [UInt8]
        do throws(CallError) { reply = try bytes.call(encoded, until: deadline) } catch { throw .call(error) }
        return try CodableCallError.decoded(reply)
    }

    /// As ``call(_:until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``CodableCallError``; its call's error is `cancelled` when the task is, and the server is told.
    public func call(_ request: Request, until deadline: Deadline = .never) async throws(CodableCallError) -> Reply {
        let encoded = try CodableCallError.encoded(request)
        let reply: [UInt8]
        do throws(CallError) {
            reply = try await bytes.call(encoded, until: deadline)
        } catch {
            throw .call(error)
        }
        return try CodableCallError.decoded(reply)
    }

    /// Sends `request`, and gets the reply in as many values as the server makes of it.
    public func stream(
        _ request: Request, until deadline: Deadline = .never
    ) throws(CodableCallError) -> CodableReplyStream<Reply> {
        CodableReplyStream(parts: bytes.stream(try CodableCallError.encoded(request), until: deadline))
    }
}

/// The values of a streamed reply; as `ReplyStream`.
public struct CodableReplyStream<Reply: Decodable & Sendable>: AsyncSequence, Sendable {
    public typealias Element = Reply
    public typealias Failure = CodableCallError
    let parts: ByteReplyStream

    /// The next value; nil at the end. Waits for it.
    ///
    /// - Throws: ``CodableCallError``; after an error of its call, that has ended.
    public func next() throws(CodableCallError) -> Reply? {
        let part: [UInt8]?
        do throws(CallError) { part = try parts.next() } catch { throw .call(error) }
        guard let part else { return nil }
        return try CodableCallError.decoded(part)
    }

    /// As ``next()``, and suspends instead of blocking.
    public func next() async throws(CodableCallError) -> Reply? {
        let part: [UInt8]?
        do throws(CallError) { part = try await parts.next() } catch { throw .call(error) }
        guard let part else { return nil }
        return try CodableCallError.decoded(part)
    }

    public func makeAsyncIterator() -> Iterator { Iterator(stream: self) }

    public struct Iterator: AsyncIteratorProtocol {
        let stream: CodableReplyStream

        public mutating func next() async throws(CodableCallError) -> Reply? { try await stream.next() }
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(CodableCallError) -> Reply? {
            try await stream.next()
        }
    }
}

/// Why a call of `Codable` values has no reply.
public enum CodableCallError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The call had none.
    case call(CallError)
    /// The request cannot be encoded.
    case encoding(String)
    /// The reply is no JSON of the type that is expected.
    case decoding(String)

    public var description: String {
        switch self {
        case .call(let error): "\(error)"
        case .encoding(let reason): "not called: the request cannot be encoded (\(reason))"
        case .decoding(let reason): "the reply cannot be decoded (\(reason)); let client and server agree about its type"
        }
    }

    static func encoded(_ value: some Encodable) throws(CodableCallError) -> [UInt8] {
        do { return try json(value) } catch { throw .encoding("\(error)") }
    }

    static func decoded<Value: Decodable>(_ bytes: [UInt8]) throws(CodableCallError) -> Value {
        do { return try value(bytes) } catch { throw .decoding("\(error)") }
    }
}

func json(_ value: some Encodable) throws -> [UInt8] { Array(try JSONEncoder().encode(value)) }
func value<Value: Decodable>(_ bytes: [UInt8]) throws -> Value { try JSONDecoder().decode(Value.self, from: Data(bytes)) }
