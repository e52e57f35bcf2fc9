import InterprocessSystem

/// What clients of values (``Client``), of bytes (``ByteClient``) have in common.
public class AnyClient: @unchecked Sendable {
    @usableFromInline let core: ServiceCore
    /// How calls that block wait.
    public let strategy: WaitStrategy
    /// What becomes of calls when servers die, or are not there.
    public let policy: CallPolicy

    init(_ core: ServiceCore, _ policy: CallPolicy, _ strategy: WaitStrategy) {
        precondition(policy.retries >= 0, "the number of retries is not negative")
        self.core = core
        self.policy = policy
        self.strategy = strategy
    }

    /// How many calls may be in flight, of all clients together.
    public var capacity: Int { core.shape.calls }

    /// How many servers there are. O(peers). May have changed when it is read.
    public var servers: Int { core.servers }

    /// The segment that the service lives in, with its peers and their deaths.
    public var segment: Segment { core.segment }

    /// What is in flight. O(capacity). May have changed when it is read.
    public var statistics: ServiceStatistics { ServiceStatistics(core.records) }
}

/// The calls of a service.
public struct ServiceStatistics: Sendable, Equatable {
    /// Calls that no server has taken yet, those that are being written included.
    public private(set) var waiting = 0
    /// Calls that a server has.
    public private(set) var serving = 0
    /// Calls that have ended and whose clients have not read how.
    public private(set) var ended = 0
    /// Calls that a server has and nobody waits for any more, and calls that were withdrawn behind one that waits.
    public private(set) var abandoned = 0

    init(_ records: CallRecords) {
        for index in 0..<records.count {
            switch records.current(index).kind {
            case .sending: waiting += 1
            case .serving: serving += 1
            case .replied, .failed: ended += 1
            case .abandoned, .withdrawn: abandoned += 1
            case .free, nil: break
            }
        }
    }

    /// Calls that take a place of the service's capacity.
    public var inFlight: Int { waiting + serving + ended + abandoned }
}

/// Calls a service of values: sends a request, and gets the reply that one of the service's servers gives to it.
///
/// ```swift
/// let resize = try Client<Resize, Thumbnail>("resize")
/// let thumbnail = try resize.call(Resize(image: 7, width: 100))                            // waits
/// let other = try await resize.call(Resize(image: 8, width: 100), until: .after(.seconds(2)))  // suspends
/// ```
///
/// Any number of processes may be clients of a service, any number of them its ``Server``s, in any order of coming and going; each call goes to one server. The reply is that of this very call, whatever was killed or restarted. If the server dies with the call, the
/// caller gets `peerDied` at once, or ``CallPolicy/retries`` has the call sent to another one. If the caller gives up or dies, the server is told.
///
/// One value is one peer; it may be used by any number of threads and tasks, each with calls of its own.
///
/// **Layout** "service", "call". It takes 4,096 bytes for the header, 128 for each peer, and, rounded up to pages: 512 + 4 × peers + 256 + 8 × entries + capacity × 384.125 for the calls
/// (entries: the capacity rounded up to a power of two, 64 at least). Requests up to 32 bytes and replies up to 48 need no more; larger ones take their size, rounded up to pages, for each record that has had one.
/// **Memory order** `SYNC call.state`: what the client did before the call, the server sees; what the server did before the reply, the client sees.
/// **Death** of the server: `peerDied`, or the call is sent again; what it was asked for may have been done or not. Of the client: the call is dropped if no server has it, else the server is told.
/// **Progress** lock-free; waits block in a futex. No system call unless somebody sleeps. No order among clients that wait for a free record; calls that wait are taken in their order.
/// **Source** decision record 0010.
public final class Client<Request: Shareable, Reply: Shareable>: AnyClient, @unchecked Sendable {
    /// Opens the service `name`, or makes it.
    ///
    /// - Parameters:
    ///   - capacity: how many calls may be in flight, 1 to 65,536. An existing service must take as many; nil accepts any, and makes one for 64.
    ///   - policy: what becomes of calls when servers die, or are not there.
    /// - Throws: ``InterprocessError`` as ``SharedQueue/init(named:capacity:options:strategy:)``.
    public init(
        _ name: ObjectName, capacity: Int? = nil, policy: CallPolicy = CallPolicy(), options: ServiceOptions = ServiceOptions(),
        strategy: WaitStrategy = .adaptive
    ) throws(InterprocessError) {
        super.init(
            try ServiceCore(name, .init(Request.self, Reply.self), capacity: capacity, options, isServer: false), policy, strategy)
    }

    /// Sends `request` and returns the reply; waits for it, or until `deadline`. O(1).
    ///
    /// - Throws: ``CallError``: `deadline`, `peerDied`, `failed`, `unanswered`, `noServer`, `noSpace`, `detached`, `damaged`.
    @inlinable
    public func call(_ request: Request, until deadline: Deadline = .never) throws(CallError) -> Reply {
        var call = try core.open(strategy, policy, until: deadline)
        try write(request, &call)
        try core.perform(&call, strategy, policy, until: deadline)
        return try core.readReply(call)
    }

    /// As ``call(_:until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``CallError``: `cancelled` when the task is, and the server is told; or what the blocking form throws.
    public func call(_ request: Request, until deadline: Deadline = .never) async throws(CallError) -> Reply {
        var call = try await core.open(policy, until: deadline)
        try write(request, &call)
        try await core.perform(&call, policy, until: deadline)
        return try core.readReply(call)
    }

    /// As ``call(_:until:)``, but does not wait for a place among the calls in flight.
    ///
    /// - Throws: ``CallError``: `full`, or what ``call(_:until:)`` throws.
    @inlinable
    public func tryCall(_ request: Request, until deadline: Deadline = .never) throws(CallError) -> Reply {
        var call = try core.open(strategy, policy, until: .now)
        try write(request, &call)
        try core.perform(&call, strategy, policy, until: deadline)
        return try core.readReply(call)
    }

    @inlinable @inline(__always)
    func write(_ request: Request, _ call: inout OpenCall) throws(CallError) {
        unsafe try core.placeRequest(call, MemoryLayout<Request>.stride, MemoryLayout<Request>.alignment)
            .storeBytes(of: request, as: Request.self)
    }
}

extension ServiceCore {
    /// Where a request is to be written. If it throws, the call has ended.
    @usableFromInline
    func placeRequest(_ call: OpenCall, _ size: Int, _ alignment: Int) throws(CallError) -> UnsafeMutableRawPointer {
        do {
            return unsafe try requestPlace(call, size: size, alignment: alignment)
        } catch {
            end(call.index, call.state)
            throw .noSpace
        }
    }

    /// The reply of a call that has one, which ends with this.
    @inlinable @inline(__always)
    func readReply<Reply: Shareable>(_ call: OpenCall) throws(CallError) -> Reply {
        let place = unsafe try replyPlace(of: call, MemoryLayout<Reply>.stride)
        let reply = unsafe place.load(as: Reply.self)
        end(call)
        return reply
    }

    @usableFromInline
    func replyPlace(of call: OpenCall, _ size: Int) throws(CallError) -> UnsafeMutableRawPointer {
        do throws(QueueDamage) {
            let bytes = unsafe try replyBytes(call.index)
            guard bytes.count == size, let place = bytes.baseAddress else { throw QueueDamage(field: "reply_length") }
            return unsafe place
        } catch {
            end(call)
            throw callFailure(error.field)
        }
    }

    @usableFromInline
    func end(_ call: OpenCall) { end(call.index, call.state) }
}
