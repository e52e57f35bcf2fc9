import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

@Suite("Worker pool")
struct WorkerPoolTests {
    private let directory: TemporaryDirectory
    private let jobs: SharedQueue<Int>
    private let done: SharedQueue<Int>

    init() throws {
        directory = try TemporaryDirectory()
        var options = SharedQueueOptions(directory: directory.objects)
        done = try SharedQueue(named: "done", capacity: 65_536, options: options)
        options.deliveryLimit = 3
        jobs = try SharedQueue(named: "jobs", capacity: 1024, options: options)
    }

    private func pool(
        _ workers: Int, _ arguments: [String], restart: RestartPolicy = RestartPolicy(),
        onEvent: @escaping @Sendable (WorkerEvent) -> Void = { _ in }
    ) throws -> WorkerPool {
        try WorkerPool(
            over: jobs, workers: workers, running: try PeerProcess.program, arguments: arguments, restart: restart, onEvent: onEvent)
    }

    /// How often each job was done.
    private func results() throws -> [Int: Int] {
        var found: [Int: Int] = [:]
        while let number = try done.tryReceive() { found[number, default: 0] += 1 }
        return found
    }

    private func kinds(_ events: AsyncStream<WorkerEvent>) async -> [WorkerEvent.Kind] {
        var found: [WorkerEvent.Kind] = []
        for await event in events { found.append(event.kind) }
        return found
    }

    // In functions of their own: an asynchronous test would choose the asynchronous forms.
    private func send(_ numbers: some Sequence<Int>) throws { for number in numbers { try jobs.send(number, until: .after(watchdog)) } }
    private func end(_ pool: WorkerPool) throws { #expect(try pool.wait(until: .after(watchdog))) }
    private func stop(_ pool: WorkerPool, grace: Duration) { pool.stop(grace: grace) }

    @Test("C4 the end of a pool can be waited for later, by any thread")
    func afterwards() async throws {
        let pool = try pool(1, ["worker"])
        jobs.finish()
        try end(pool)
        // The system gives them the names of threads that have ended.
        for _ in 0..<20 {
            let thread = try TestThread { try pool.wait(until: .after(watchdog)) }
            #expect(try thread.join())
        }
    }

    @Test("C4 each job is done and the workers end when the queue is finished", arguments: ["worker", "worker-async"])
    func finished(_ how: String) async throws {
        let pool = try pool(3, [how])
        try send(1...500)
        jobs.finish()
        try end(pool)
        #expect(try results() == Dictionary(uniqueKeysWithValues: (1...500).map { ($0, 1) }))
        let events = await kinds(pool.events)
        #expect(events.filter { $0 == .started }.count == 3)
        #expect(events.filter { $0 == .ended(.exited(0)) }.count == 3)
        #expect(events.count == 6)
        #expect(pool.processes == [nil, nil, nil])
    }

    @Test("C4 L3 workers are killed again and again: each is replaced, and every job is done")
    func kills() throws {
        let ends = Lock<[WorkerEnding]>([])
        let pool = try pool(4, ["worker"], restart: RestartPolicy(limit: 1_000_000, firstDelay: .zero)) { event in
            if case .ended(let ending) = event.kind { ends.withLock { $0.append(ending) } }
        }
        var random = SeededRandom(seed: 7)
        var kills = 0
        var sent = 0
        while kills < 40 {
            for _ in 0..<20 {
                sent += 1
                try jobs.send(sent, until: .after(watchdog))
            }
            if let pid = pool.processes.randomElement(using: &random) ?? nil, kill(process: pid) { kills += 1 }
        }
        jobs.finish()
        try end(pool)
        // A message that three workers were killed with is a dead letter, and said to be one.
        var dead = 0
        while let letter = jobs.takeDeadLetter() {
            try letter.acknowledge()
            dead += 1
        }
        let found = try results()
        #expect(found.count + dead >= sent && found.count <= sent, "of \(sent) jobs \(found.count) were done, \(dead) are dead letters")
        // Killed between having done it and saying so.
        #expect(found.values.reduce(0) { $0 + $1 - 1 } <= kills)
        let killed = ends.withLock { $0.filter { $0 == .killed(signal: 9) }.count }
        #expect(killed <= kills && killed > 0)
        // One more for each that had ended well before a killed one's messages came back.
        #expect(ends.withLock { $0.filter { $0 == .exited(0) }.count } >= 4)
    }

    private func kill(process pid: Int32) -> Bool {
        guard let process = try? ProcessDescriptor(opening: pid) else { return false }
        return (try? process.send(signal: Signal.kill)) != nil
    }

    @Test("C4 a job that kills its workers is a dead letter after as many as the queue allows, and the others are done")
    func fatal() throws {
        let pool = try pool(2, ["worker", "fatal"])
        try send(1...150)
        jobs.finish()
        try end(pool)
        #expect(Set(try results().keys) == Set(1...150).subtracting([100]))
        let letter = try must(jobs.takeDeadLetter())
        let (number, count) = (letter.message, letter.count)
        #expect(number == 100 && count == 4)
        try letter.acknowledge()
    }

    @Test("C4 bytes")
    func bytes() throws {
        let bytes = try SharedByteQueue(
            named: "bytes", capacity: 16, maximumMessageSize: 100_000, options: SharedQueueOptions(directory: directory.objects))
        let pool = try WorkerPool(over: bytes, workers: 2, running: try PeerProcess.program, arguments: ["worker-bytes"])
        for size in [0, 1, 100_000] { try bytes.send(Array(repeating: 1, count: size), until: .after(watchdog)) }
        bytes.finish()
        try end(pool)
        #expect(try results() == [0: 1, 1: 1, 100_000: 1])
    }

    @Test("C4 a program that ends at once is tried again, later each time, and then given up")
    func givenUp() async throws {
        let policy = RestartPolicy(limit: 4, firstDelay: .milliseconds(2), longestDelay: .milliseconds(5))
        let pool = try pool(1, ["worker-exit", "3"], restart: policy)
        await #expect(throws: WorkerPoolError(givenUp: [0: .exited(3)])) { try await pool.wait() }
        let once: [WorkerEvent.Kind] = [.started, .ended(.exited(3))]
        let expected =
            once + once + [.waits(.milliseconds(2))] + once + [.waits(.milliseconds(4))] + once + [.waits(.milliseconds(5))] + once
            + [.gaveUp]
        #expect(await kinds(pool.events) == expected)
        #expect("\(WorkerPoolError(givenUp: [0: .exited(3)]))".contains("worker 0 exited with status 3"))
    }

    @Test("C4 a program that is not there, and one that fails at its first message")
    func failing() async throws {
        let missing = try WorkerPool(
            over: jobs, workers: 2, running: "/no/such/program", restart: RestartPolicy(limit: 1, firstDelay: .zero))
        await #expect(throws: WorkerPoolError(givenUp: [0: nil, 1: nil])) { try await missing.wait() }
        let events = await kinds(missing.events)
        #expect(events.filter { $0 == .failedToStart(.noSuchFileOrDirectory) }.count == 4)

        try send([1])
        let throwing = try pool(1, ["worker", "throw"], restart: RestartPolicy(limit: 2, firstDelay: .zero))
        await #expect(throws: WorkerPoolError(givenUp: [0: .exited(1)])) { try await throwing.wait() }
        #expect(jobs.statistics.deadLetters == 1)
    }

    @Test("C4 who ends well is replaced as long as the queue is not finished")
    func endsWell() async throws {
        let pool = try pool(1, ["worker-exit", "0"], restart: RestartPolicy(limit: 3, firstDelay: .zero))
        await #expect(throws: WorkerPoolError(givenUp: [0: .exited(0)])) { try await pool.wait() }
        #expect(await kinds(pool.events).filter { $0 == .started }.count == 4)
    }

    @Test("C4 a pool that stops lets its workers finish the job in hand")
    func stops() throws {
        let pool = try pool(2, ["worker", "slow"])
        let go = try SharedEvent(named: "go", options: SynchronizationOptions(directory: directory.objects))
        try send([1, 2, 3, 4, 5])
        // Two have one each.
        for _ in 0..<2 { #expect(try #require(try done.receive(until: .after(watchdog))) < 0) }
        let isStopped = Lock(false)
        try startServiceThread(named: "stopper") {
            pool.stop(grace: watchdog)
            isStopped.withLock { $0 = true }
        }
        // Wait until it was told: then nobody takes another one.
        #expect(!(try pool.wait(until: .after(.milliseconds(50)))))
        try go.set()
        try end(pool)
        try eventuallyBlocking("the stopper has come back") { isStopped.withLock { $0 } }
        let waiting = jobs.statistics.waiting
        #expect(waiting == 3 || waiting == 2 || waiting == 1)
        #expect(try results().count == 5 - waiting)
        #expect(pool.processes == [nil, nil])
    }

    @Test("C4 who does not end in time is killed, and its job comes again")
    func killsTheSlow() throws {
        let pool = try pool(1, ["worker", "slow"])
        try send([7])
        #expect(try done.receive(until: .after(watchdog)) == -7)
        stop(pool, grace: .milliseconds(20))
        let again = try must(jobs.take(until: .after(watchdog)))
        let (number, count) = (again.message, again.count)
        #expect(number == 7 && count == 2)
    }

    @Test("C4 L2 when the pool's process is killed its workers end by themselves")
    func orphans() async throws {
        let owner = try PeerProcess("worker-pool", [directory.path.string, "3", "-"])
        let pids = try await owner.line().split(separator: " ").compactMap { Int32($0) }
        #expect(pids.count == 3)
        let processes = try pids.map { pid in Held(try ProcessDescriptor(opening: pid)) }
        owner.kill()
        for process in processes {
            try await eventually("a worker without a pool ends") { try process.descriptor.hasEnded() }
        }
    }

    private final class Held {
        let descriptor: ProcessDescriptor
        init(_ descriptor: consuming ProcessDescriptor) { self.descriptor = descriptor }
    }

    @Test("C4 workers that do one job each and end well are replaced until none is left", arguments: [1, 3])
    func oneJobEach(_ workers: Int) throws {
        let pool = try pool(workers, ["worker", "one"], restart: RestartPolicy(limit: 1_000_000, firstDelay: .zero))
        try send(1...20)
        jobs.finish()
        try end(pool)
        let found = try results()
        // One that ends in its handler leaves its message to the next one, until it is a dead letter.
        #expect(Set(found.keys) == Set(1...20))
        // What the last one had in hand when it ended is given back, and is a dead letter then.
        try eventuallyBlocking("nothing is left") { jobs.statistics.waiting == 0 && jobs.statistics.taken == 0 }
    }

    @Test("C4 a pool that is told to stop from within onEvent stops, at whatever moment")
    func stopsItself() throws {
        for grace in [Duration.zero, .microseconds(1), .milliseconds(1)] {
            let box = Lock<WorkerPool?>(nil)
            let pool = try WorkerPool(
                over: jobs, workers: 3, running: try PeerProcess.program, arguments: ["worker", "deaf"],
                onEvent: { event in if event.kind == .started { box.withLock { $0 }?.stop(grace: grace) } })
            box.withLock { $0 = pool }
            pool.stop(grace: grace)
            try end(pool)
            #expect(pool.processes == [nil, nil, nil])
            box.withLock { $0 = nil }
        }
    }

    @Test("C4 the end of the value stops the workers, and nothing is left behind")
    func endsWithItsValue() async throws {
        var held: Held?
        do {
            let pool = try pool(1, ["worker"])
            try await eventually("the worker runs") { pool.processes[0] != nil }
            held = Held(try ProcessDescriptor(opening: try #require(pool.processes[0])))
        }
        try await eventually("the worker has ended") { try held?.descriptor.hasEnded() ?? true }
    }

    @Test("C4 what makes no sense is refused")
    func refused() throws {
        func refusal(_ body: () throws -> Void) -> String {
            do {
                try body()
                return "nothing"
            } catch { return "\(error)" }
        }
        #expect(refusal { _ = try pool(0, []) } == "cannot start workers over 'jobs': a pool has 1 to 1024 workers, not 0")
        #expect(
            refusal { _ = try pool(32, []) }
                == "cannot start workers over 'jobs': 32 processes may have it open at once, too few for 32 workers and this one; make it with a larger maximumPeers"
        )
        #expect(refusal { try Worker.run(Int.self) { _ in } }.contains("was not started by a WorkerPool"))
        #expect(!Worker.isWorker && Worker.number == nil)
        #expect(
            refusal { _ = try SharedQueue<Int>(existing: "nothing", in: directory.objects) }.contains("there is no such object"))
        #expect(refusal { _ = try SharedQueue<Double>(existing: "jobs", in: directory.objects) }.contains("Int"))
    }

    @Test("C3 a value that receives no more: its callers get nil, others go on")
    func stopReceiving() throws {
        let other = try SharedQueue<Int>(existing: "jobs", in: directory.objects, strategy: .park)
        #expect(other.capacity == 1024)
        let ended = Lock(0)
        for _ in 0..<3 {
            try startServiceThread(named: "receiver") {
                if (try? other.receive()) == nil { ended.withLock { $0 += 1 } }
            }
        }
        let here = jobs
        let got = Lock<[Int]>([])
        try startServiceThread(named: "receiver") {
            while let number = try? here.receive() { got.withLock { $0.append(number) } }
        }
        other.stopReceiving()
        try eventuallyBlocking("three have got nil") { ended.withLock { $0 } == 3 }
        try send([1, 2, 3])
        try eventuallyBlocking("the other one gets all") { got.withLock { $0 } == [1, 2, 3] }
        #expect(try other.receive() == nil)
        jobs.finish()
    }
}
