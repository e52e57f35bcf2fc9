import InterprocessSystem
import Synchronization
import TestSupport
import Testing

@testable import Interprocess

/// Calls that suspend, and servers that run tasks.
@Suite("Service, asynchronously") struct ServiceAsyncTests {
    let common: ServiceTests

    init() throws { common = try ServiceTests() }

    @Test("P1 R2 calls of many tasks are run at once, as many as the server says, and each gets its own reply")
    func run() async throws {
        let (client, server) = (try common.client(capacity: 64), try common.server(capacity: 64))
        let now = Mutex(0)
        let most = Mutex(0)
        let running = Task {
            try await server.run(concurrency: 8) { request in
                let count = now.withLock { now in
                    now += 1
                    return now
                }
                most.withLock { $0 = max($0, count) }
                try await Task.sleep(for: .microseconds(100))
                now.withLock { $0 -= 1 }
                if request.image == 13 { throw ServiceFailure("unlucky", code: 13) }
                return Thumbnail(image: request.image * 2)
            }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<200 where number != 13 {
                group.addTask {
                    let reply = try await client.call(Resize(image: number))
                    #expect(reply.image == number * 2)
                }
            }
            try await group.waitForAll()
        }
        await #expect(throws: CallError.failed(ServiceFailure("unlucky", code: 13))) { try await client.call(Resize(image: 13)) }
        #expect((2...8).contains(most.withLock { $0 }))
        server.stop()
        try await running.value
        #expect(client.statistics.inFlight == 0)
    }

    @Test("P1 R5 a cancelled caller's task at the server is cancelled")
    func cancelled() async throws {
        let (client, server) = (try common.client(), try common.server())
        let began = Mutex(false)
        let ended = Mutex(false)
        let running = Task {
            try await server.run(concurrency: 2) { request in
                if request.image == 1 { return Thumbnail(image: 1) }
                began.withLock { $0 = true }
                do { try await Task.sleep(for: watchdog) } catch { ended.withLock { $0 = true } }
                return Thumbnail(image: 0)
            }
        }
        let calling = Task { try await client.call(Resize(image: 0)) }
        try await eventually("the handler runs") { began.withLock { $0 } }
        calling.cancel()
        await #expect(throws: CallError.cancelled) { try await calling.value }
        try await eventually("the handler was cancelled") { ended.withLock { $0 } }
        try await eventually("nothing is left") { client.statistics.inFlight == 0 }
        #expect(try await client.call(Resize(image: 1)).image == 1)
        running.cancel()
        await #expect(throws: ServeError.cancelled) { try await running.value }
        // Before a server has it, and before there is a record.
        let waiting = Task { try await client.call(Resize(image: 0)) }
        try await eventually("it waits") { client.statistics.waiting == 1 }
        waiting.cancel()
        await #expect(throws: CallError.cancelled) { try await waiting.value }
        #expect(client.statistics.inFlight == 0)
    }

    @Test("P1 R5 a handler that goes on after its reply is not cancelled, whatever becomes of the next call in its record")
    func afterReply() async throws {
        let (client, server) = (try common.client(capacity: 1), try common.server(capacity: 1))
        let mayEnd = Flag(), secondBegan = Flag(), secondEnded = Flag()
        let wentOn = Mutex<Bool?>(nil)
        let running = Task {
            try await server.runCalls(concurrency: 2) { call in
                switch call.request.image {
                case 0:
                    try call.reply(Thumbnail(image: 0))
                    while !mayEnd.isRaised, !Task.isCancelled { try? await Task.sleep(for: .microseconds(100)) }
                    wentOn.withLock { $0 = !Task.isCancelled }
                case 1:
                    secondBegan.raise()
                    do { try await Task.sleep(for: watchdog) } catch { secondEnded.raise() }
                default: try call.reply(Thumbnail(image: 2))
                }
            }
        }
        #expect(try await client.call(Resize(image: 0)).image == 0)
        let second = Task { try await client.call(Resize(image: 1)) }
        try await eventually("the second handler runs") { secondBegan.isRaised }
        // It has the first one's record: who watches either is woken.
        second.cancel()
        await #expect(throws: CallError.cancelled) { try await second.value }
        try await eventually("the second handler was cancelled") { secondEnded.isRaised }
        #expect(try await client.call(Resize(image: 2)).image == 2)
        mayEnd.raise()
        try await eventually("the first handler has ended") { wentOn.withLock { $0 != nil } }
        #expect(wentOn.withLock { $0 } == true)
        server.stop()
        try await running.value
    }

    @Test("P1 R5 a server whose task is cancelled ends its calls without a reply")
    func cancelledServer() async throws {
        let (client, server) = (try common.client(), try common.server())
        let began = Mutex(false)
        let running = Task {
            try await server.run { _ in
                began.withLock { $0 = true }
                try await Task.sleep(for: watchdog)
                return Thumbnail(image: 0)
            }
        }
        let calling = Task { try await client.call(Resize(image: 0)) }
        try await eventually("the handler runs") { began.withLock { $0 } }
        running.cancel()
        await #expect(throws: CallError.unanswered) { try await calling.value }
        await #expect(throws: ServeError.cancelled) { try await running.value }
    }

    @Test("P1 C10 what concerns all calls ends the server with its error, what concerns one does not", arguments: [1, 3])
    func failing(concurrency: Int) async throws {
        let (client, server) = (try common.client(), try common.server())
        let running = Task {
            try await server.runCalls(concurrency: concurrency) { call in
                switch call.request.image {
                case 0: throw ServeError.noSpace
                case 1: throw ServeError.callerGone
                default: try call.reply(Thumbnail(image: 2))
                }
            }
        }
        await #expect(throws: CallError.unanswered) { try await client.call(Resize(image: 1)) }
        #expect(try await client.call(Resize(image: 2)).image == 2)
        await #expect(throws: CallError.unanswered) { try await client.call(Resize(image: 0)) }
        // Also where it waits for the next call, and none comes.
        await #expect(throws: ServeError.noSpace) { try await running.value }
    }

    /// So that there is always a next part.
    private func fallBehind() async { try? await Task.sleep(for: .milliseconds(1)) }

    @Test("P1 R5 the deadline of a stream, and the end of its task, hold also while parts keep coming")
    func endlessStream() async throws {
        let (client, server) = (try common.client(), try common.server())
        let running = Task {
            try await server.runCalls(concurrency: 2) { call in
                var number = 0
                while true {
                    try await call.send(Thumbnail(image: number))
                    number += 1
                }
            }
        }
        await #expect(throws: CallError.deadline) {
            for try await _ in client.stream(Resize(image: 1), until: .after(.milliseconds(50))) { await fallBehind() }
        }
        let reading = Task { for try await _ in client.stream(Resize(image: 1)) { await fallBehind() } }
        try await Task.sleep(for: .milliseconds(5))
        reading.cancel()
        await #expect(throws: CallError.cancelled) { try await reading.value }
        server.stop()
        try await running.value
    }

    @Test("P1 R5 a stream as an asynchronous sequence, with back-pressure, and let go of in the middle")
    func stream() async throws {
        let (client, server) = (try common.client(), try common.server())
        let gone = Mutex(0)
        let running = Task {
            try await server.runCalls(concurrency: 2) { call in
                do {
                    for number in 0..<call.request.image { try await call.send(Thumbnail(image: number)) }
                    try call.finish()
                } catch ServeError.callerGone { gone.withLock { $0 += 1 } } catch ServeError.cancelled { gone.withLock { $0 += 1 } }
            }
        }
        var next = 0
        for try await part in client.stream(Resize(image: 3_000)) {
            #expect(part.image == next)
            next += 1
        }
        #expect(next == 3_000)
        for try await _ in client.stream(Resize(image: .max)) { break }
        try await eventually("the server is told") { gone.withLock { $0 } == 1 }
        let reading = Task { for try await _ in client.stream(Resize(image: .max)) {} }
        try await eventually("it is served") { client.statistics.serving == 1 }
        reading.cancel()
        await #expect(throws: CallError.cancelled) { try await reading.value }
        try await eventually("the server is told") { gone.withLock { $0 } == 2 }
        server.stop()
        try await running.value
        #expect(client.statistics.inFlight == 0)
    }
}
