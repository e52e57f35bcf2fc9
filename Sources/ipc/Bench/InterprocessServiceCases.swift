import CBenchmarkPeers
import Interprocess

/// Request and reply by a service: one client, one server.
enum InterprocessServiceCases {
    static func requests(size: Int, polls: Bool) -> [Contender] {
        let strategy: WaitStrategy = polls ? .spin : .park
        return [
            Contender(
                name: "interprocess-service", area: .elsewhere(capacity: 64 << 10),
                near: { size == 8 ? try ask($0, strategy) : try askBytes($0, strategy) },
                far: { size == 8 ? try serve($0, strategy) : try serveBytes($0, strategy) })
        ] + (size > 8 ? [untouched(strategy)] : [])
    }

    /// In place, and only the first word is written and read: what a call costs besides its contents.
    private static func untouched(_ strategy: WaitStrategy) -> Contender {
        Contender(
            name: "interprocess-service-in-place", area: .elsewhere(capacity: 64 << 10), near: { try askInPlace($0, strategy) },
            far: { try serveInPlace($0, strategy) })
    }

    // MARK: 8 bytes

    @inline(never)
    private static func ask(_ side: BenchmarkSide, _ strategy: WaitStrategy) throws {
        let client = try Client<UInt64, UInt64>(try InterprocessLoops.own(side, "service"), strategy: strategy)
        side.meet()
        try side.measureRequests { try client.call($0) }
        side.leave()
    }

    @inline(never)
    private static func serve(_ side: BenchmarkSide, _ strategy: WaitStrategy) throws {
        let server = try Server<UInt64, UInt64>(try InterprocessLoops.own(side, "service"), strategy: strategy)
        side.meet()
        try side.measureReplies {
            guard let call = try server.take() else { throw stopped }
            let request = call.request
            try call.reply(~request)
            return request
        }
        side.leave()
    }

    // MARK: Bytes

    private static func client(_ side: BenchmarkSide, _ strategy: WaitStrategy) throws -> ByteClient {
        try ByteClient(
            try InterprocessLoops.own(side, "service"), maximumRequestSize: side.size, maximumReplySize: side.size, strategy: strategy)
    }

    private static func server(_ side: BenchmarkSide, _ strategy: WaitStrategy) throws -> ByteServer {
        try ByteServer(
            try InterprocessLoops.own(side, "service"), maximumRequestSize: side.size, maximumReplySize: side.size, strategy: strategy)
    }

    /// From the caller's memory into the request, and the reply read where it stands: one copy each way, as the rivals' shortest.
    @inline(never)
    private static func askBytes(_ side: BenchmarkSide, _ strategy: WaitStrategy) throws {
        let client = try client(side, strategy)
        side.meet()
        var message = [UInt64](repeating: 1, count: side.size / 8)
        try side.measureRequests { number in
            message[0] = number
            return try client.call(upTo: side.size) { request in
                unsafe message.withUnsafeBytes { source in
                    unsafe request.withUnsafeMutableBytes { bytes, count in
                        unsafe bytes.copyMemory(from: source)
                        count = source.count
                    }
                }
            } reading: { reply in
                unsafe reply.withUnsafeBytes { unsafe side.look(at: $0) }
            }.get()
        }
        side.leave()
    }

    @inline(never)
    private static func serveBytes(_ side: BenchmarkSide, _ strategy: WaitStrategy) throws {
        let server = try server(side, strategy)
        side.meet()
        var message = [UInt64](repeating: 1, count: side.size / 8)
        try side.measureReplies {
            guard let call = try server.take() else { throw stopped }
            let request = call.withRequest { bytes in unsafe bytes.withUnsafeBytes { unsafe side.look(at: $0) } }
            message[0] = ~request
            try unsafe call.reply(message.span.bytes)
            return request
        }
        side.leave()
    }

    // MARK: In place

    @inline(never)
    private static func askInPlace(_ side: BenchmarkSide, _ strategy: WaitStrategy) throws {
        let client = try client(side, strategy)
        side.meet()
        try side.measureRequests { number in
            try client.call(upTo: side.size) { request in
                unsafe request.withUnsafeMutableBytes { bytes, count in
                    unsafe bytes.storeBytes(of: number, as: UInt64.self)
                    count = side.size
                }
            } reading: { reply in
                unsafe reply.unsafeLoadUnaligned(as: UInt64.self)
            }.get()
        }
        side.leave()
    }

    @inline(never)
    private static func serveInPlace(_ side: BenchmarkSide, _ strategy: WaitStrategy) throws {
        let server = try server(side, strategy)
        side.meet()
        try side.measureReplies {
            guard let call = try server.take() else { throw stopped }
            let request = call.withRequest { bytes in unsafe bytes.unsafeLoadUnaligned(as: UInt64.self) }
            try call.reply(upTo: side.size) { reply in
                unsafe reply.withUnsafeMutableBytes { bytes, count in
                    unsafe bytes.storeBytes(of: ~request, as: UInt64.self)
                    count = side.size
                }
            }.get()
            return request
        }
        side.leave()
    }

    private static var stopped: BenchmarkError { BenchmarkError("the server was stopped") }
}
