import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

/// A service with processes of its own that are killed.
@Suite("Service between processes") struct ServiceProcessTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func start(_ command: String, _ arguments: [String] = []) throws -> PeerProcess {
        try PeerProcess(command, [directory.path.string] + arguments)
    }

    private func call(_ client: SoakService.Caller, _ number: UInt64) async throws -> UInt64 {
        let reply = try await client.call(SoakMessage(0, number), until: .after(watchdog))
        #expect(reply.isWhole)
        return reply.number
    }

    @Test("R1 L2 R3 the caller of a killed server is told who died; the next call goes to another server")
    func serverDies() async throws {
        let client = try SoakService.client(in: directory.objects)
        let holding = try start("service-hold")
        try await holding.expect("ready")
        let calling = Task { try await call(client, 7) }
        try await holding.expect("took 7")
        holding.kill()
        do {
            _ = try await calling.value
            Issue.record("there was a reply")
        } catch CallError.peerDied(let notice) {
            #expect(notice.pid == holding.pid)
            #expect(notice.held == .calls)
        }
        #expect(client.statistics.inFlight == 0)
        let answering = try start("service-answer")
        try await answering.expect("ready")
        #expect(try await call(client, 8) == 8 + 1_000_000_007)
        #expect(client.servers == 1)
    }

    @Test("R3 a call whose server is killed is sent again, and the reply is another server's")
    func retried() async throws {
        let client = try SoakService.client(in: directory.objects, retries: 1)
        let holding = try start("service-hold")
        try await holding.expect("ready")
        let calling = Task { try await call(client, 7) }
        try await holding.expect("took 7")
        let answering = try start("service-answer")
        try await answering.expect("ready")
        holding.kill()
        #expect(try await calling.value == 7 + 1_000_000_007)
        #expect(client.statistics.inFlight == 0)
    }

    @Test(
        "R3 a call that its only server died with may have been done, also if there is none to send it to again", arguments: [false, true])
    func noneIsLeft(isStreamed: Bool) async throws {
        let client = try SoakService.client(in: directory.objects, retries: 3, whenNoServer: .fail)
        let holding = try start("service-hold", ["silent"])
        try await holding.expect("ready")
        let calling = Task {
            guard isStreamed else { return _ = try await call(client, 7) }
            _ = try await client.stream(SoakMessage(0, 7), until: .after(watchdog)).next()
        }
        try await holding.expect("took 7")
        holding.kill()
        do {
            try await calling.value
            Issue.record("there was a reply")
        } catch CallError.peerDied(let notice) {
            #expect(notice.pid == holding.pid)
            #expect(notice.held == .calls)
        }
        #expect(client.statistics.waiting == 0)
    }

    @Test("R3 L3 a server whose caller is killed sees it, and a call that waited is taken by nobody")
    func clientDies() async throws {
        let client = try SoakService.client(in: directory.objects)
        let holding = try start("service-hold")
        try await holding.expect("ready")
        let served = try start("service-ask", ["7"])
        try await holding.expect("took 7")
        let waiting = try start("service-ask", ["8"])
        try await eventually("it waits") { client.statistics.waiting == 1 }
        waiting.kill()
        try await eventually("it is dropped") { client.statistics.waiting == 0 }
        served.kill()
        try await holding.expect("caller gone")
        try await eventually("nothing is left") { client.statistics.inFlight == client.statistics.abandoned }
        let calling = Task { try await call(client, 9) }
        try await holding.expect("took 9")
        calling.cancel()
        await #expect(throws: CallError.cancelled) { try await calling.value }
        try await holding.expect("caller gone")
        #expect(client.statistics.inFlight == 0)
    }

    @Test("R3 R5 a stream whose server is killed brings what was sent, then the death; one whose client is killed ends at the server")
    func streams() async throws {
        let client = try SoakService.client(in: directory.objects)
        let holding = try start("service-hold")
        try await holding.expect("ready")
        let reading = try start("service-read")
        try await holding.expect("took 1")
        try await reading.expect("read")
        reading.kill()
        try await holding.expect("caller gone")
        let stream = client.stream(SoakMessage(0, 2), until: .after(watchdog))
        let first = Task { try await stream.next()?.number }
        try await holding.expect("took 2")
        #expect(try await first.value == 2 + 1_000_000_007)
        holding.kill()
        await #expect(throws: CallError.self) { try await stream.next() }
        #expect(try await stream.next() == nil)
        #expect(client.statistics.inFlight == 0)
    }
}

/// Blocks the threads that it runs on.
@Suite("Service, soak", .serialized) struct ServiceSoakTests {
    /// Rounds of R4; `IPC_SERVICE_KILLS=1000` for the long form.
    static let rounds = SeededRandom.setting("IPC_SERVICE_KILLS", default: 40)
    /// Seconds of the soak.
    static let seconds = SeededRandom.setting("IPC_SERVICE_SECONDS", default: 4)

    @Test("R4 both sides killed and restarted again and again: no stale reply, no hang")
    func restarts() throws {
        var random = SeededRandom(for: "service restarts")
        let watch = try HangWatch("service restarts")
        defer { watch.end() }
        let directory = try TemporaryDirectory()
        let processes = try PeerServer()
        let record = try QueueRecord.create(in: directory.objects)
        let account = try ServiceAccount.create(in: directory.objects)
        for round in 0..<Self.rounds {
            watch.step("round \(round): \(account.summary)")
            let before = account[.answered]
            let server = try processes.start(["service-soak", directory.path.string, "answer", "0", "0"])
            let client = try processes.start(["service-soak", directory.path.string, "ask", "1", "0"])
            try eventuallyBlocking("calls are answered, \(account.summary)") {
                if let failure = record.failure { throw TestFailure("IPC_SEED=\(SeededRandom.runSeed): \(failure)") }
                return account[.answered] > before + 3
            }
            sleepThread(for: .microseconds(Int.random(in: 0...3000, using: &random)))
            let serverFirst = Bool.random(using: &random)
            for pid in serverFirst ? [server, client] : [client, server] { try processes.kill(pid) }
        }
        if let failure = record.failure { throw TestFailure(failure) }
        let client = try SoakService.client(in: directory.objects)
        try eventuallyBlocking("nothing is left of the dead: \(client.statistics)") {
            _ = try? client.call(SoakMessage(0, 1), until: .after(.microseconds(10)))
            return client.statistics.inFlight == 0
        }
        print("service restarts: \(Self.rounds) rounds, \(account.summary)")
    }

    @Test("R2 R3 R4 L3 four clients and four servers, one killed every 50 ms: every call gets its own reply, or the error of its policy")
    func soak() throws {
        var random = SeededRandom(for: "service soak")
        let watch = try HangWatch("service soak")
        defer { watch.end() }
        let directory = try TemporaryDirectory()
        let processes = try PeerServer()
        let record = try QueueRecord.create(in: directory.objects)
        let account = try ServiceAccount.create(in: directory.objects)
        func start(_ index: Int) throws -> Int32 {
            // Two clients have their calls sent again, two are told.
            try processes.start([
                "service-soak", directory.path.string, index < 4 ? "ask" : "answer", "\(index)", index < 2 ? "1000000" : "0",
            ])
        }
        var pids = try (0..<8).map { try start($0) }
        let client = try SoakService.client(in: directory.objects)
        let end = MonotonicInstant.now.advanced(by: .seconds(Self.seconds))
        var kills = 0
        while MonotonicInstant.now < end {
            sleepThread(for: .milliseconds(Int.random(in: 0...100, using: &random)))
            let index = Int.random(in: 0..<8, using: &random)
            try processes.kill(pids[index])
            pids[index] = try start(index)
            kills += 1
            if let failure = record.failure { throw TestFailure("IPC_SEED=\(SeededRandom.runSeed): \(failure)") }
            watch.step("after \(kills) kills: \(account.summary), \(client.statistics)")
        }
        // The clients first: each ends when its call is answered.
        record[.stop] = 1
        for pid in pids[..<4] {
            let ending = try processes.wait(pid, watchdog)
            guard ending == "exited 0" else { throw TestFailure("\(ending) \(record.failure ?? "")") }
        }
        record[.stop] = 2
        for pid in pids[4...] {
            let ending = try processes.wait(pid, watchdog)
            guard ending == "exited 0" else { throw TestFailure("\(ending) \(record.failure ?? "")") }
        }
        let about = "IPC_SEED=\(SeededRandom.runSeed), \(kills) kills: \(account.summary), \(client.statistics)"
        if let failure = record.failure { throw TestFailure("\(about): \(failure)") }
        #expect(account[.answered] > 100, "\(about)")
        try eventuallyBlocking("nothing is left: \(about)") { client.statistics.inFlight == 0 }
        print("service soak: \(about)")
    }
}
