import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

extension SyncSuite {
    /// `IPC_SYNC_KILLS=100000` for the long form; `IPC_SEED` repeats one.
    @Suite("storms") struct Storms {
        static let kills = SeededRandom.setting("IPC_SYNC_KILLS", default: 400)
        /// Kills between two looks at everything with nobody at work.
        static let killsAtOnce = 200

        @Test(
            "S1–S8 L2 L3 up to 16 processes at all primitives, killed at random moments: no hang, no lost permit, no lost wake-up, no torn value",
            arguments: [(SyncPlace.Kind.placed, 3), (.named, 1)])
        func storm(kind: SyncPlace.Kind, share: Int) throws {
            var random = SeededRandom(for: "storm of synchronization objects, \(kind)")
            let watch = try HangWatch("storm of synchronization objects, \(kind)")
            defer { watch.end() }
            let kills = Self.kills * share / 4
            let server = try PeerServer()
            let began = MonotonicInstant.now
            var done = 0
            var steps = 0
            while done < kills {
                var storm = try SyncStorm(
                    kind, server, workers: Int.random(in: 2...SyncAccount.workers, using: &random), seed: random.next())
                do {
                    let some = min(Self.killsAtOnce, kills - done)
                    for kill in 0..<some {
                        watch.step("kill \(done + kill)")
                        try storm.round()
                    }
                    done += some
                    watch.step("the end after \(done) kills")
                    steps += try storm.finish()
                } catch {
                    throw TestFailure("IPC_SEED=\(SeededRandom.runSeed), \(kind), after \(done) kills: \(error)")
                }
            }
            let seconds = Double(MonotonicInstant.now.nanoseconds(since: began)) / 1e9
            print("storm of synchronization objects, \(kind): \(done) kills, \(steps) operations, \(Int(Double(done) / seconds)) kills/s")
        }
    }
}

/// Processes at one object of each kind, killed and replaced.
private struct SyncStorm {
    private let scene: SyncScene
    private let record: QueueRecord
    private let account: SyncAccount
    private let server: PeerServer
    private var random: SeededRandom
    private var pids: [Int32] = []
    private let semaphore: SharedSemaphore
    private let mutex: SharedMutex<SyncPair>
    private let lock: SharedReadWriteLock<SyncPair>
    private let jobs: SharedMutex<SyncPair>
    private let permits: SharedPermits
    private let kept: [any AnyObject]
    private static let units = 4
    /// Units of the semaphore: given by the test, and taken along by the killed, at least and at most.
    private var given = Self.units
    private var lost = 0...0
    private var kills = 0
    /// Jobs that a killed one may have put in or taken out without having written it down.
    private var doubtfulJobs = 0

    init(_ kind: SyncPlace.Kind, _ server: PeerServer, workers: Int, seed: UInt64) throws {
        scene = try SyncScene(kind)
        record = try QueueRecord.create(in: scene.directory.objects)
        account = try SyncAccount.create(in: scene.directory.objects)
        self.server = server
        random = SeededRandom(seed: seed)
        semaphore = try scene.place.semaphore()
        mutex = try scene.place.mutex()
        lock = try scene.place.readWriteLock()
        jobs = try scene.place.jobs()
        permits = try scene.place.permits()
        kept = [
            try scene.place.condition(), try scene.place.latch(), try scene.place.once(), try scene.place.event(),
            try scene.place.event(.automatic),
        ]
        try semaphore.signal(Self.units)
        for worker in 0..<workers { pids.append(try start(worker)) }
    }

    private mutating func start(_ worker: Int) throws -> Int32 {
        try server.start(["sync-storm", scene.directory.path.string, scene.place.kind.rawValue, "\(worker)", "\(random.next())"])
    }

    private func check() throws { if let failure = record.failure { throw TestFailure(failure) } }

    /// Kills one, at a random moment, and starts another in its place.
    mutating func round() throws {
        if Int.random(in: 0..<4, using: &random) > 0 { sleepThread(for: .microseconds(Int.random(in: 0...2500, using: &random))) }
        let worker = Int.random(in: 0..<pids.count, using: &random)
        try server.kill(pids[worker])
        kills += 1
        try settle(worker)
        try check()
        pids[worker] = try start(worker)
    }

    /// What the killed one had in its hands.
    private mutating func settle(_ worker: Int) throws {
        let unit = account.word(worker, .unit)
        switch unit.loadAcquire() {
        case SyncAccount.Unit.has:
            lost = lost.lowerBound + 1...lost.upperBound + 1
            try semaphore.signal()
            given += 1
        case SyncAccount.Unit.taking, SyncAccount.Unit.giving: lost = lost.lowerBound...lost.upperBound + 1
        default: break
        }
        unit.storeRelease(SyncAccount.Unit.none)
        // So many that may have been lost are given anew, lest all are: there are never fewer than the living need.
        while given - lost.upperBound < 1 {
            try semaphore.signal()
            given += 1
        }
        for (intent, done) in [(SyncAccount.Word.putIntent, SyncAccount.Word.put), (.takeIntent, .taken)] {
            let (intent, done) = (account.word(worker, intent), account.word(worker, done))
            if intent.loadAcquire() != done.loadAcquire() { doubtfulJobs += 1 }
            intent.storeRelease(done.loadAcquire())
        }
    }

    /// Ends the work; everything is where it belongs. Returns how many operations there were.
    mutating func finish() throws -> Int {
        record[.stop] = 1
        for (worker, pid) in pids.enumerated() {
            // Longer than any call of a worker's waits.
            let ending = try server.wait(pid, .seconds(60))
            try check()
            guard ending == "exited 0" else { throw TestFailure("worker \(worker) ended: \(ending). \(state)") }
        }
        let value = semaphore.value
        guard (given - lost.upperBound...given - lost.lowerBound).contains(value) else {
            throw TestFailure("\(given) units were given, \(lost) are lost with the killed, and \(value) are there")
        }
        guard permits.available == SyncPlace.permitUnits else { throw TestFailure("\(permits.available) permits came back. \(state)") }
        _ = try mutex.repair(until: patiently) { pair, _ in pair[1] = pair[0] }
        _ = try lock.repair(until: patiently) { pair, _ in pair[1] = pair[0] }
        _ = try jobs.repair(until: patiently) { _, _ in }
        for pair in [try mutex.withLock(until: patiently) { $0 }, try lock.withReadLock(until: patiently) { $0 }] where pair[0] != pair[1] {
            throw TestFailure("a torn value is left: \(pair[0]) \(pair[1])")
        }
        let left = try jobs.withLock(until: patiently) { $0[0] }
        let expected = account.sum(.put) - account.sum(.taken)
        guard abs(left - expected) <= doubtfulJobs else {
            throw TestFailure("\(left) jobs are left, \(expected) were put in and not taken out, \(doubtfulJobs) are in doubt")
        }
        return account.sum(.steps)
    }

    private var state: String {
        let words = [("mutex", mutex.object.words), ("semaphore", semaphore.object.words), ("jobs", jobs.object.words)]
        return words.map { name, words in
            "\(name): word \(String(words.word.loadAcquire(), radix: 16)) heir \(String(words.heir.loadAcquire(), radix: 16)) next \(words.next.loadAcquire())"
        }.joined(separator: "; ")
    }
}
