import InterprocessSystem
import TestSupport
import Testing

@testable import Interprocess

/// Requests and replies of bytes.
@Suite("Service of bytes") struct ServiceByteTests {
    let common: ServiceTests
    var options: ServiceOptions { common.options }

    init() throws { common = try ServiceTests() }

    private static func bytes(_ size: Int) -> [UInt8] { (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ size) } }

    @Test("R1 requests and replies of any size, 0 included, keep their size, copied and in place")
    func sizes() throws {
        let client = try ByteClient("s", capacity: 4, maximumRequestSize: 100_000, maximumReplySize: 200_000, options: options)
        let server = try ByteServer("s", capacity: 4, maximumRequestSize: 100_000, maximumReplySize: 200_000, options: options)
        let serving = try common.inThread {
            while let call = try server.take() {
                let bytes = call.withRequest { request in unsafe request.withUnsafeBytes { unsafe Array($0) } }
                if bytes.count % 2 == 0 {
                    try call.reply(bytes + bytes)
                } else {
                    try call.reply(upTo: 2 * bytes.count) { reply in for byte in bytes + bytes { reply.append(byte) } }.get()
                }
            }
        }
        for size in [0, 1, 24, 25, 31, 32, 33, 48, 49, 4095, 4096, 4097, 65_535, 100_000] {
            let request = Self.bytes(size)
            #expect(try client.call(request) == request + request)
            let isEqual = try client.call(upTo: size + 5 <= 100_000 ? size + 5 : size) { span in
                for byte in request { span.append(byte) }
            } reading: { reply in
                unsafe reply.withUnsafeBytes { unsafe Array($0) } == request + request
            }.get()
            #expect(isEqual)
        }
        #expect(throws: CallError.tooLarge(limit: client.maximumRequestSize)) {
            try client.call([UInt8](repeating: 0, count: client.maximumRequestSize + 1))
        }
        struct Refused: Error {}
        let refused = try client.call(upTo: 10) { (_) throws(Refused) in
            throw Refused()
        } reading: { (_) throws(Refused) in
        }
        #expect(throws: Refused.self) { try refused.get() }
        #expect(client.statistics.inFlight == 0)
        server.stop()
        try serving.value()
    }

    @Test("R1 a reply that is too large is the server's error, and the caller is told")
    func tooLarge() throws {
        let client = try ByteClient("s", maximumRequestSize: 10, maximumReplySize: 10, options: options)
        let server = try ByteServer("s", maximumRequestSize: 10, maximumReplySize: 10, options: options)
        let limit = client.maximumReplySize
        let serving = try common.inThread { try server.serve { _ in [UInt8](repeating: 0, count: limit + 1) } }
        let text = String("\(ServeError.tooLarge(limit: limit))".prefix(120))
        #expect(throws: CallError.failed(ServiceFailure(text))) { try client.call([]) }
        server.stop()
        try serving.value()
    }

    @Test("R5 parts of any size go round the window, and a slow client's server waits", arguments: [200_000, 70_000])
    func parts(_ window: Int) throws {
        let client = try ByteClient("s", maximumRequestSize: 10, maximumReplySize: window, options: options)
        let server = try ByteServer("s", maximumRequestSize: 10, maximumReplySize: window, options: options)
        let largest = client.maximumReplySize
        let sizes = (0..<400).map { ($0 * 7919) % 30_000 } + [largest, 0, largest, 1, largest - 1]
        let serving = try common.inThread {
            let call = try must(try server.take())
            for size in sizes { try call.send(Self.bytes(size)) }
            do throws(ServeError) { try call.send(Self.bytes(largest + 1)) } catch {
                guard error == .tooLarge(limit: largest) else { throw error }
            }
            try call.finish()
        }
        let stream = client.stream([1])
        for size in sizes { #expect(try stream.next() == Self.bytes(size)) }
        #expect(try stream.next() == nil)
        try serving.value()
    }

    @Test("R1 L3 the footprint is what the documentation says, and windows are reserved as they are needed")
    func footprint() throws {
        func pages(_ bytes: Int) -> Int { (bytes + 4095) / 4096 * 4096 }
        let peers = 5
        for capacity in [1, 64, 1000] {
            var entries = 64
            while entries < capacity { entries *= 2 }
            let shape = ServiceShape(calls: capacity, requestSize: 0, replySize: 65_536, replyStride: 8)
            let control = 512 + (4 * peers + 63) / 64 * 64 + 256 + 8 * entries + capacity * 384 + ((capacity + 31) / 32 * 4 + 63) / 64 * 64
            #expect(shape.objectSize(peers: peers) == control)
            var options = options
            options.maximumPeers = peers
            let name = try ObjectName("n\(capacity)")
            let client = try Client<Int, Int>(name, capacity: capacity, options: options)
            #expect(client.segment.header.reservedSize == 4096 + pages(peers * 128) + pages(control))
            #expect(try used(client.segment) == client.segment.header.reservedSize)
        }
        let client = try ByteClient("s", capacity: 64, maximumRequestSize: 1 << 30, maximumReplySize: 1 << 30, options: options)
        let server = try ByteServer("s", capacity: 64, maximumRequestSize: 1 << 30, maximumReplySize: 1 << 30, options: options)
        let before = try used(client.segment)
        #expect(before < 1 << 17)
        let serving = try common.inThread {
            try server.serve { request in [UInt8](repeating: 1, count: request.byteCount == 32 ? 48 : 20_000) }
        }
        for _ in 0..<100 { #expect(try client.call(Self.bytes(32)).count == 48) }
        #expect(try used(client.segment) == before, "small ones stand in the record")
        for _ in 0..<100 { #expect(try client.call(Self.bytes(10_000)).count == 20_000) }
        #expect(try used(client.segment) == before + 12_288 + 20_480, "one client's calls, one after the other, need one record's windows")
        server.stop()
        try serving.value()
    }

    private func used(_ segment: Segment) throws -> Int { try FileStatus(of: segment.file.descriptor).reservedBytes }
}
