import InterprocessSystem
import Synchronization

/// What servers of values (``Server``) and of bytes (``ByteServer``) have in common.
public class AnyServer: @unchecked Sendable {
    let core: ServiceCore
    /// How calls that block wait.
    public let strategy: WaitStrategy

    init(_ core: ServiceCore, _ strategy: WaitStrategy) {
        self.core = core
        self.strategy = strategy
    }

    /// How many calls may be in flight.
    public var capacity: Int { core.shape.calls }

    /// How many servers there are, this one included. O(peers).
    public var servers: Int { core.servers }

    /// The segment that the service lives in, with its peers and their deaths.
    public var segment: Segment { core.segment }

    /// What is in flight. O(capacity). May have changed when it is read.
    public var statistics: ServiceStatistics { ServiceStatistics(core.records) }

    /// Takes no more calls: all who wait for one with this value get nil, and its loops end. Calls that it has taken are to be ended as ever; those that wait stay for other servers. For good.
    public func stop() { core.stop() }

    /// Whether ``stop()`` has been called.
    public var isStopped: Bool { core.isStopped.load(ordering: .acquiring) }

    /// Nil when it was stopped.
    func taken(_ serving: ServiceCore.Serving) throws(ServeError) -> ServedCall? {
        switch serving {
        case .call(let index, let state): return ServedCall(core, index, state)
        case .stopped: return nil
        case .failed(let failure): throw failure
        }
    }
}

/// Serves calls of a service of values.
///
/// ```swift
/// let server = try Server<Resize, Thumbnail>("resize")
/// try server.serve { request in thumbnail(of: request) }                   // until somebody calls stop()
///
/// try await server.run(concurrency: 8) { request in await render(request) }    // cancelled when the caller is gone
/// ```
///
/// Any number of servers share the calls: each goes to one. See ``Client`` for order, deaths and memory.
public final class Server<Request: Shareable, Reply: Shareable>: AnyServer, @unchecked Sendable {
    /// Opens the service `name`, or makes it.
    ///
    /// - Parameter capacity: how many calls may be in flight, as in ``Client``.
    /// - Throws: ``InterprocessError`` as ``Client/init(_:capacity:policy:options:strategy:)``.
    public init(
        _ name: ObjectName, capacity: Int? = nil, options: ServiceOptions = ServiceOptions(), strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        super.init(try ServiceCore(name, .init(Request.self, Reply.self), capacity: capacity, options, isServer: true), strategy)
    }

    /// Takes the next call, which is to be ended by a reply or a failure; waits for one, or until `deadline`. Nil when the server was stopped. O(1).
    ///
    /// A call whose request cannot be one, since its client has written what it should not, is not handed out: its client gets ``CallError/failed(_:)``.
    ///
    /// - Throws: ``ServeError`` `deadline`, `detached`, `damaged`.
    public func take(until deadline: Deadline = .never) throws(ServeError) -> ServerCall<Request, Reply>? {
        try typed(core.take(strategy, until: deadline))
    }

    /// As ``take(until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``ServeError`` `cancelled`, or what the blocking form throws.
    public func take(until deadline: Deadline = .never) async throws(ServeError) -> ServerCall<Request, Reply>? {
        try typed(await core.take(until: deadline))
    }

    /// Takes the next call if there is one now. O(1), never blocks.
    ///
    /// - Throws: ``ServeError`` `detached`, `damaged`.
    public func tryTake() throws(ServeError) -> ServerCall<Request, Reply>? {
        guard let serving = core.takeNow() else { return nil }
        return try typed(serving)
    }

    private func typed(_ serving: ServiceCore.Serving) throws(ServeError) -> ServerCall<Request, Reply>? {
        guard let call = try taken(serving) else { return nil }
        return try ServerCall(call)
    }

    /// Replies to one call after the other with what `body` makes of the request, until the server is stopped. Blocks.
    ///
    /// If `body` throws, the caller gets it as ``CallError/failed(_:)``: a ``ServiceFailure`` as it is, any other error as its description. Replies that nobody waits for any more are dropped.
    ///
    /// - Throws: ``ServeError`` `noSpace`, after the caller was told; `detached`, `damaged`.
    public func serve(_ body: (Request) throws -> Reply) throws(ServeError) {
        while true {
            do throws(ServeError) {
                guard let call = try take() else { return }
                let reply: Reply
                do {
                    reply = try body(call.request)
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

extension ServiceFailure {
    /// What the caller gets of an error of its handler's.
    init(of error: any Error) { self = error as? ServiceFailure ?? ServiceFailure("\(error)") }
}
