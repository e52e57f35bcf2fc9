import InterprocessSystem
import Synchronization
import TestSupport
import Testing

@testable import Interprocess

struct Resize: Shareable, Equatable {
    var image: Int
    var width: Int32 = 0
}

struct Thumbnail: Shareable, Equatable {
    var image: Int
    var bytes: InlineArray<100, UInt8> = InlineArray(repeating: 7)

    static func == (a: Self, b: Self) -> Bool { a.image == b.image && a.bytes.indices.allSatisfy { a.bytes[$0] == b.bytes[$0] } }
}

/// A service between threads of this process.
@Suite("Service between threads") struct ServiceTests {
    let directory: TemporaryDirectory
    var deadline: Deadline { .after(watchdog) }
    var options: ServiceOptions { ServiceOptions(directory: directory.objects) }

    init() throws { directory = try TemporaryDirectory() }

    func client(
        _ policy: CallPolicy = CallPolicy(), capacity: Int = 8, strategy: WaitStrategy = .adaptive
    ) throws -> Client<Resize, Thumbnail> {
        try Client("resize", capacity: capacity, policy: policy, options: options, strategy: strategy)
    }
    func server(capacity: Int = 8) throws -> Server<Resize, Thumbnail> { try Server("resize", capacity: capacity, options: options) }

    /// Runs `body` in a thread; what comes of it.
    func inThread<R: Sendable>(_ body: @escaping @Sendable () throws -> R) throws -> Pending<R> {
        let pending = Pending<R>()
        try startServiceThread(named: "test") {
            let result = Result { try body() }
            pending.result.withLock { $0 = result }
        }
        return pending
    }

    final class Pending<R: Sendable>: Sendable {
        let result = Mutex<Result<R, any Error>?>(nil)
        func value() throws -> R {
            try eventuallyBlocking("a thread's end") { result.withLock { $0 != nil } }
            return try result.withLock { $0 }!.get()
        }
    }

    @Test("R1 R2 each call gets its own reply, from whichever server has taken it")
    func own() throws {
        let client = try client()
        let servers = try (0..<2).map { _ in try server() }
        #expect(client.servers == 2)
        let serving = try servers.map { server in
            try inThread {
                let count = Mutex(0)
                try server.serve { request in
                    count.withLock { $0 += 1 }
                    return Thumbnail(image: request.image + 1)
                }
                return count.withLock { $0 }
            }
        }
        let calling = try (0..<4).map { who in
            try inThread {
                for number in 0..<2_000 {
                    let image = who * 100_000 + number
                    guard try client.call(Resize(image: image)).image == image + 1 else { throw TestFailure("a foreign reply") }
                }
            }
        }
        for pending in calling { try pending.value() }
        for server in servers { server.stop() }
        #expect(try serving.map { try $0.value() }.reduce(0, +) == 8_000)
        #expect(client.statistics.inFlight == 0)
    }

    @Test("R2 as many calls as the service takes are in flight at once, and no more")
    func many() throws {
        let client = try client(capacity: 5)
        let server = try server(capacity: 5)
        let calling = try (0..<5).map { number in try inThread { try client.call(Resize(image: number)).image } }
        try eventuallyBlocking("five calls wait") { client.statistics.waiting == 5 }
        #expect(throws: CallError.full) { try client.tryCall(Resize(image: 9)) }
        #expect(throws: CallError.deadline) { try client.call(Resize(image: 9), until: .after(.milliseconds(2))) }
        let sixth = try inThread { try client.call(Resize(image: 5)).image }
        for _ in 0..<6 {
            let call = try must(try server.take(until: deadline))
            let image = call.request.image
            try call.reply(Thumbnail(image: image * 2))
        }
        for (number, pending) in calling.enumerated() { #expect(try pending.value() == number * 2) }
        #expect(try sixth.value() == 10)
        #expect(client.statistics.inFlight == 0)
    }

    @Test("R3 what a server throws reaches the caller, and so does a call that ends without a reply")
    func failures() throws {
        let (client, server) = (try client(), try server())
        struct Odd: Error, CustomStringConvertible { var description: String { "odd: \(String(repeating: "ö", count: 200))" } }
        let serving = try inThread {
            try server.serve { request in
                switch request.image {
                case 1: throw ServiceFailure("no such image", code: 404)
                case 2: throw Odd()
                default: Thumbnail(image: 0)
                }
            }
        }
        #expect(throws: CallError.failed(ServiceFailure("no such image", code: 404))) { try client.call(Resize(image: 1)) }
        // 120 bytes, whole characters.
        #expect(throws: CallError.failed(ServiceFailure("odd: " + String(repeating: "ö", count: 57)))) { try client.call(Resize(image: 2)) }
        #expect(try client.call(Resize(image: 3)) == Thumbnail(image: 0))
        server.stop()
        try serving.value()
        let other = try self.server()
        let pending = try inThread { try client.call(Resize(image: 4)) }
        do { _ = try must(try other.take(until: deadline)) }
        #expect(throws: CallError.unanswered) { try pending.value() }
        #expect(client.statistics.inFlight == 0)
    }

    @Test("R5 a deadline ends the call, and the server sees it")
    func deadlines() throws {
        let (client, server) = (try client(), try server())
        #expect(throws: CallError.deadline) { try client.call(Resize(image: 1), until: .after(.milliseconds(5))) }
        #expect(try server.tryTake() == nil)
        let end = Deadline.after(.milliseconds(50))
        let pending = try inThread { try client.call(Resize(image: 2), until: end) }
        let call = try must(try server.take(until: deadline))
        let seen = call.deadline
        #expect(seen == end)
        while !call.isCancelled { sleepThread(for: .microseconds(100)) }
        do throws(ServeError) {
            try call.reply(Thumbnail(image: 2))
            Issue.record("it was replied to")
        } catch {
            #expect(error == .callerGone)
        }
        #expect(throws: CallError.deadline) { try pending.value() }
        #expect(client.statistics.inFlight == 0)
    }

    @Test("R2 R5 calls that time out behind one that waits take up neither the ring nor, once that is served, the records")
    func withdrawn() throws {
        let client = try client(capacity: 4)
        let waiting = try inThread { try client.call(Resize(image: 1)).image }
        try eventuallyBlocking("it waits") { client.statistics.waiting == 1 }
        for _ in 0..<200 {
            #expect(throws: CallError.deadline) { try client.call(Resize(image: 2), until: .after(.microseconds(50))) }
        }
        #expect(client.statistics.waiting == 1)
        let server = try server(capacity: 4)
        let call = try must(try server.take(until: deadline))
        #expect(client.statistics.abandoned == 0, "what was withdrawn is free as soon as what stood before it is taken")
        try call.reply(Thumbnail(image: 1))
        #expect(try waiting.value() == 1)
        #expect(client.statistics.inFlight == 0)
    }

    @Test("R3 without a server a call waits, or fails at once, or when the last one leaves")
    func noServer() throws {
        let (patient, hasty) = (try client(), try client(CallPolicy(whenNoServer: .fail)))
        #expect(patient.servers == 0)
        #expect(throws: CallError.noServer) { try hasty.call(Resize(image: 1)) }
        let pending = try inThread { try patient.call(Resize(image: 2)).image }
        try eventuallyBlocking("it waits") { patient.statistics.waiting == 1 }
        var leaving: Server<Resize, Thumbnail>? = try server()
        #expect(patient.servers == 1)
        do {
            let call = try must(try leaving!.take(until: deadline))
            try call.reply(Thumbnail(image: 2))
        }
        #expect(try pending.value() == 2)
        let left = try inThread { try hasty.call(Resize(image: 3)) }
        try eventuallyBlocking("it waits") { patient.statistics.waiting == 1 }
        leaving = nil
        #expect(throws: CallError.noServer) { try left.value() }
        #expect(patient.servers == 0)
        #expect(try server().tryTake() == nil)
    }

    @Test(
        "R3 a call that waits for a server ends when the last one leaves, however it waits",
        arguments: WaitStrategy.allCases, [false, true])
    func lastServerLeaves(_ strategy: WaitStrategy, isStreamed: Bool) throws {
        let (client, server) = (try client(CallPolicy(whenNoServer: .fail), strategy: strategy), try server())
        let end = Deadline.after(.seconds(20))
        let pending = try inThread {
            try isStreamed ? client.stream(Resize(image: 1), until: end).next() : client.call(Resize(image: 1), until: end)
        }
        try eventuallyBlocking("it waits") { client.statistics.waiting == 1 }
        server.stop()
        #expect(throws: CallError.noServer) { try pending.value() }
        #expect(client.statistics.inFlight == 0)
    }

    @Test("R3 a call that a server has taken is not taken back because there seemed to be none")
    func takenMeanwhile() throws {
        let (client, server) = (try client(CallPolicy(whenNoServer: .fail)), try server())
        let core = client.core
        var opened = try core.open(.adaptive, client.policy, until: deadline)
        try client.write(Resize(image: 1), &opened)
        try core.send(opened, until: deadline)
        do {
            let call = try must(try server.tryTake())
            // What a client does that saw its call untaken and no server, just before this one came.
            try core.endWithoutServer(opened, CallAttempts(client.policy))
            let isCancelled = call.isCancelled
            #expect(!isCancelled)
            try call.reply(Thumbnail(image: 1))
        }
        let ended = try must(core.giveUp(opened))
        #expect(ended.kind == .replied)
        core.end(opened.index, ended)
    }

    @Test("R5 a streamed reply comes part by part, in order, and its server waits for a slow client", arguments: [0, 1, 10_000])
    func stream(_ count: Int) throws {
        let (client, server) = (try client(), try server())
        let serving = try inThread {
            let call = try must(try server.take())
            guard call.isStreamed else { throw TestFailure("no stream") }
            for number in 0..<count { try call.send(Thumbnail(image: number)) }
            try call.finish()
        }
        let stream = client.stream(Resize(image: 1))
        var next = 0
        while let part = try stream.next() {
            #expect(part == Thumbnail(image: next))
            next += 1
        }
        #expect(next == count)
        #expect(try stream.next() == nil)
        try serving.value()
        #expect(client.statistics.inFlight == 0)
        // One reply is a stream of one part.
        let replying = try inThread {
            let call = try must(try server.take())
            try call.reply(Thumbnail(image: 77))
        }
        let single = client.stream(Resize(image: 1))
        #expect(try single.next() == Thumbnail(image: 77))
        #expect(try single.next() == nil)
        try replying.value()
    }

    @Test("R5 a stream that is let go of, or fails, ends on both sides")
    func streamEnds() throws {
        let (client, server) = (try client(), try server())
        let serving = try inThread {
            let call = try must(try server.take())
            while true { try call.send(Thumbnail(image: 1)) }
        }
        do {
            let stream = client.stream(Resize(image: 1))
            #expect(try stream.next() == Thumbnail(image: 1))
        }
        #expect(throws: ServeError.callerGone) { try serving.value() }
        let failing = try inThread {
            let call = try must(try server.take())
            try call.send(Thumbnail(image: 1))
            try call.fail(ServiceFailure("no more", code: 3))
        }
        let stream = client.stream(Resize(image: 1))
        #expect(try stream.next() == Thumbnail(image: 1))
        #expect(throws: CallError.failed(ServiceFailure("no more", code: 3))) { try stream.next() }
        try failing.value()
        let late = client.stream(Resize(image: 1), until: .after(.milliseconds(5)))
        #expect(throws: CallError.deadline) { try late.next() }
        let plain = try inThread { try client.call(Resize(image: 1)) }
        let call = try must(try server.take(until: deadline))
        do throws(ServeError) { try call.send(Thumbnail(image: 1)) } catch { #expect(error == .notStreamed) }
        try call.reply(Thumbnail(image: 5))
        #expect(try plain.value() == Thumbnail(image: 5))
        #expect(client.statistics.inFlight == 0)
    }

    @Test("C9 R1 a wait set says that a call waits, and that a server was stopped")
    func waitSet() throws {
        let (client, server) = (try client(), try server())
        var set = WaitSet()
        let source = set.add(server)
        #expect(throws: WaitError.deadline) { try set.wait(until: .after(.milliseconds(2))) }
        for number in 0..<3 {
            let calling = try inThread { try client.call(Resize(image: number)).image }
            #expect(try set.wait(until: deadline).map(\.source) == [source])
            let call = try must(try server.tryTake())
            try call.reply(Thumbnail(image: number))
            #expect(try calling.value() == number)
            #expect(throws: CallError.deadline) { try client.call(Resize(image: 9), until: .after(.milliseconds(1))) }
            #expect(throws: WaitError.deadline) { try set.wait(until: .after(.milliseconds(2))) }
        }
        server.stop()
        #expect(try set.wait(until: deadline).map(\.source) == [source])
    }

    @Test("R1 programs that disagree are told")
    func mismatch() throws {
        _ = try client()
        let keep = try client()
        func code(_ body: () throws -> Void) -> InterprocessError.Code? {
            do { try body() } catch { return (error as? InterprocessError)?.code }
            return nil
        }
        #expect(code { _ = try Client<Resize, Int>("resize", options: options) } == .elementMismatch)
        #expect(code { _ = try Client<Int, Thumbnail>("resize", options: options) } == .elementMismatch)
        #expect(code { _ = try ByteServer("resize", options: options) } == .elementMismatch)
        #expect(code { _ = try client(capacity: 9) } == .sizeMismatch)
        #expect(code { _ = try client(capacity: 0) } == .invalidArgument)
        for size in [Int.max, .max - 7, -1] {
            #expect(code { _ = try ByteServer("sizes", maximumReplySize: size, options: options) } == .invalidArgument)
            #expect(code { _ = try ByteServer("sizes", maximumRequestSize: size, options: options) } == .invalidArgument)
        }
        #expect(code { _ = try Client<Resize, Thumbnail>("resize", options: options) } == nil)
        _ = keep
    }
}
