import CInterprocess
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

/// What stands in a service's shared bytes is input; and what is very large goes through.
@Suite("Service, hostile and huge", .serialized) struct ServiceHostileTests {
    let common: ServiceTests

    init() throws { common = try ServiceTests() }

    @Test("R2 N4 random words over all of a service while it is used: no crash, no hang, typed errors only")
    func scribbled() throws {
        var random = SeededRandom(for: "scribbling over a service")
        let watch = try HangWatch("scribbling over a service")
        defer { watch.end() }
        for round in 0..<SeededRandom.setting("IPC_SERVICE_SCRIBBLES", default: 60) {
            let name = try ObjectName("s\(round)")
            let client = try ByteClient(name, capacity: 3, maximumRequestSize: 5000, maximumReplySize: 5000, options: common.options)
            let server = try ByteServer(name, capacity: 3, maximumRequestSize: 5000, maximumReplySize: 5000, options: common.options)
            let serving = try common.inThread {
                for _ in 0..<30 {
                    guard let call = try? server.take(until: .after(.milliseconds(2))) else { continue }
                    let count = call.withRequest { $0.byteCount }
                    if call.isStreamed { try? call.send([UInt8](repeating: 1, count: 100), until: .after(.milliseconds(2))) }
                    if count % 3 == 0 {
                        try? call.fail(ServiceFailure("no"))
                    } else {
                        _ = try? call.reply([UInt8](repeating: 1, count: 100))
                    }
                }
            }
            let object = SegmentPlan.page + 4096
            let size = client.segment.header.dataOffset - object
            for number in 0..<30 {
                watch.step("round \(round), call \(number)")
                for _ in 0..<Int.random(in: 0..<4, using: &random) {
                    let offset = object + Int.random(in: 0..<size / 8, using: &random) * 8
                    let value: UInt64 =
                        switch Int.random(in: 0..<4, using: &random) {
                        case 0: random.next()
                        case 1: random.next() & 0xff_ffff_ffff
                        case 2: .max
                        default: 0
                        }
                    client.segment.mapping.word64(offset).storeRelease(value)
                }
                if number % 3 == 0 {
                    let stream = client.stream([1, 2], until: .after(.milliseconds(2)))
                    _ = try? stream.next()
                    _ = try? stream.next()
                } else {
                    _ = try? client.call([UInt8](repeating: 0, count: number * 100), until: .after(.milliseconds(2)))
                }
                _ = (client.statistics, client.servers)
                ServiceRepair(client.core.words).recover(PeerID(slot: 1, generation: 1))
            }
            _ = try serving.value()
        }
    }

    @Test("R2 X1 a request whose length is impossible is its client's error: the others are served")
    func impossibleRequest() throws {
        let (typed, bytes) = (ObjectName("typed"), ObjectName("bytes")) as (ObjectName, ObjectName)
        let client = try Client<Int, Int>(typed, options: common.options), server = try Server<Int, Int>(typed, options: common.options)
        let byteClient = try ByteClient(bytes, options: common.options), byteServer = try ByteServer(bytes, options: common.options)
        defer {
            server.stop()
            byteServer.stop()
        }
        let serving = try common.inThread { try server.serve { $0 + 1 } }
        let servingBytes = try common.inThread { try byteServer.serve { [UInt8(truncatingIfNeeded: $0.byteCount)] } }
        let typedCall = { () throws in
            let reply = try client.call(1, until: .after(watchdog))
            #expect(reply == 2)
        }
        let bytesCall = { () throws in
            let reply = try byteClient.call([1, 2], until: .after(watchdog))
            #expect(reply == [2])
        }
        for (core, call) in [(client.core, typedCall), (byteClient.core, bytesCall)] {
            try call()
            for length: UInt64 in [.max, 1 << 40, 0x8000_0000_0010_0000] {
                let failure = try send(core, length: length)
                guard case .failed(let said) = failure else { throw TestFailure("\(String(describing: failure))") }
                #expect("\(said)".contains("its length is impossible"))
                try call()
            }
        }
        server.stop()
        byteServer.stop()
        _ = (try serving.value(), try servingBytes.value())
    }

    @Test("R2 X1 a stream whose client says that it has read what is impossible is that client's error: the others are served")
    func impossibleReading() throws {
        let name: ObjectName = "typed"
        let client = try Client<Int, Int>(name, options: common.options), server = try Server<Int, Int>(name, options: common.options)
        defer { server.stop() }
        let records = client.core.records
        let serving = try common.inThread {
            try server.serve { request in
                // What its client does meanwhile.
                if request < 0 { records.read(-1 - request).storeRelease(.max) }
                return request + 1
            }
        }
        for _ in 0..<3 {
            let policy = CallPolicy()
            let call = try client.core.open(.adaptive, policy, until: .after(watchdog), isStreamed: true)
            unsafe try client.core.placeRequest(call, 8, 8).storeBytes(of: -1 - call.index, as: Int.self)
            try client.core.send(call, until: .after(watchdog))
            // It ends without a reply.
            try eventuallyBlocking("its end") { if case .ended? = client.core.news(call) { true } else { false } }
            let reply = try client.call(1, until: .after(watchdog))
            #expect(reply == 2)
            if let ended = try client.core.giveUp(call) { client.core.end(call.index, ended) }
        }
        server.stop()
        _ = try serving.value()
    }

    /// What comes of a call whose request says that it has this length.
    private func send(_ core: ServiceCore, length: UInt64) throws -> CallError? {
        let policy = CallPolicy()
        var call = try core.open(.adaptive, policy, until: .after(watchdog))
        core.records.requestLength(call.index).storeRelaxed(length)
        do throws(CallError) { try core.perform(&call, .adaptive, policy, until: .after(watchdog)) } catch { return error }
        return nil
    }

    @Test("N4 a service whose shape is impossible is refused", arguments: [0, 4, 8, 16, 24])
    func shape(_ offset: Int) throws {
        let client = try common.client()
        let header = client.segment.header
        client.segment.mapping.word32(header.objectOffset + offset).storeRelease(0xffff_fff7)
        do {
            _ = try common.client()
            Issue.record("it was opened")
        } catch let error as InterprocessError {
            #expect(error.code == .damaged)
        }
    }

    @Test("C10 R1 a gigabyte there and back, in place")
    func gigabyte() throws {
        let size = 1 << 30
        // Twice that, and the machine must not swap for it.
        guard let free = memoryAvailable(), free > 6 << 30 else { return print("a gigabyte: left out, there is too little memory") }
        let options = ServiceOptions(directory: .user, existence: .mustBeNew)
        let name = ObjectName.unique()
        let client = try ByteClient(name, capacity: 2, maximumRequestSize: size, maximumReplySize: size, options: options)
        let server = try ByteServer(
            name, capacity: 2, maximumRequestSize: size, maximumReplySize: size, options: ServiceOptions(directory: .user))
        let serving = try common.inThread {
            let call = try must(try server.take())
            let last = call.withRequest { unsafe $0.unsafeLoad(fromByteOffset: size - 8, as: UInt64.self) }
            try call.reply(upTo: size) { reply in
                unsafe reply.append(repeating: last &+ 1, count: size / 8, as: UInt64.self)
            }.get()
        }
        do {
            let last = try client.call(upTo: size) { request in
                unsafe request.append(repeating: 41, count: size / 8, as: UInt64.self)
            } reading: { reply in
                reply.byteCount == size ? unsafe reply.unsafeLoad(fromByteOffset: size - 8, as: UInt64.self) : 0
            }.get()
            #expect(last == 42)
            try serving.value()
        } catch CallError.noSpace {
            print("a gigabyte: left out, there is no room for it")
            server.stop()
        }
    }

    private func memoryAvailable() -> Int? {
        guard let file = try? FileDescriptor.open(FilePath("/proc/meminfo"), .readOnly, options: .closeOnExec) else { return nil }
        defer { try? file.close() }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let read: Int? = try? unsafe bytes.withUnsafeMutableBytes { try unsafe file.read(into: $0) }
        let count = read ?? 0
        for line in String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n") where line.hasPrefix("MemAvailable:") {
            return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
        }
        return nil
    }
}
