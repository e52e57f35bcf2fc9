import Interprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport

let syncStormCommands: [String: Command] = ["sync-storm": syncStorm]

/// sync-storm DIRECTORY PLACE WORKER SEED: uses all objects at random until it is killed or told to stop, and checks what it finds.
@Sendable private func syncStorm(_ arguments: [String]) throws {
    let directory = ObjectDirectory(at: FilePath(arguments[0]))
    let record = try QueueRecord.open(in: directory)
    do {
        guard let seed = UInt64(arguments[3]) else { throw BadArguments() }
        var worker = try SyncWorker(
            try arguments.syncPlace(), try SyncAccount.open(in: directory), try arguments.number(2), SeededRandom(seed: seed))
        while record[.stop] == 0 { try worker.step() }
    } catch {
        record.fail("worker \(arguments[2]): \(error)")
        throw error
    }
}

private struct SyncWorker {
    private static var patience: Deadline { .after(watchdog) }
    private static var shortly: Deadline { .after(.microseconds(500)) }

    private let place: SyncPlace
    private let account: SyncAccount
    private let worker: Int
    private var random: SeededRandom
    private let mutex: SharedMutex<SyncPair>
    private let lock: SharedReadWriteLock<SyncPair>
    private let jobs: SharedMutex<SyncPair>
    private let condition: SharedCondition
    private let semaphore: SharedSemaphore
    private let permits: SharedPermits
    private let manual: SharedEvent
    private let automatic: SharedEvent
    private let latch: SharedLatch
    private let once: SharedOnce

    init(_ place: SyncPlace, _ account: SyncAccount, _ worker: Int, _ random: SeededRandom) throws {
        (self.place, self.account, self.worker, self.random) = (place, account, worker, random)
        let strategy: WaitStrategy = self.random.next() % 3 == 0 ? .adaptive : .park
        mutex = try place.mutex(strategy)
        lock = try place.readWriteLock(strategy)
        jobs = try place.jobs(strategy)
        condition = try place.condition()
        semaphore = try place.semaphore(strategy)
        permits = try place.permits(strategy)
        manual = try place.event(.manual, strategy)
        automatic = try place.event(.automatic, strategy)
        latch = try place.latch()
        once = try place.once()
        _ = try once.run(until: Self.patience) { (_: DeathNotice?) in Self.work(2000) }
    }

    private static func work(_ amount: UInt64) { for _ in 0..<amount { Processor.pause() } }

    mutating func step() throws {
        let amount = random.next() % 60
        switch random.next() % 20 {
        case 0..<4: try count(amount)
        case 4..<6: try read(amount)
        case 6..<8: try write(amount)
        case 8..<11: try passUnit(amount)
        case 11..<14: try holdPermits(Int(random.next() % UInt64(SyncPlace.permitUnits)) + 1, amount)
        case 14..<17: try passJob()
        case 17: try events()
        case 18:
            _ = syncOutcome {
                if random.next() % 4 == 0 { try latch.countDown() }
                try latch.wait(until: Self.shortly)
                return "got"
            }
        default: try meet()
        }
        account.word(worker, .steps).add(1)
    }

    /// Both numbers up by one; the half of it that a killed one did is reported and put right.
    private func count(_ amount: UInt64) throws {
        do {
            try mutex.withLock(until: Self.patience) { pair in
                guard pair[0] == pair[1] else { throw StormFailure(text: "the mutex gives a torn value \(pair[0]) \(pair[1])") }
                pair[0] += 1
                Self.work(amount)
                pair[1] += 1
            }
        } catch LockError.inconsistent {
            try mutex.repair(until: Self.patience) { pair, _ in
                guard pair[0] - pair[1] == 0 || pair[0] - pair[1] == 1 else {
                    throw StormFailure(text: "two were in the mutex: \(pair[0]) \(pair[1])")
                }
                Self.work(amount)
                pair[1] = pair[0]
            }
        }
    }

    private func read(_ amount: UInt64) throws {
        do {
            try lock.withReadLock(until: Self.patience) { pair in
                Self.work(amount)
                guard pair[0] == pair[1] else { throw StormFailure(text: "a reader finds a torn value") }
            }
        } catch LockError.inconsistent {
            try repairLock(amount)
        }
    }

    private func write(_ amount: UInt64) throws {
        do {
            try lock.withWriteLock(until: Self.patience) { pair in
                guard pair[0] == pair[1] else { throw StormFailure(text: "a writer finds a torn value") }
                pair[0] += 1
                Self.work(amount)
                pair[1] += 1
            }
        } catch LockError.inconsistent {
            try repairLock(amount)
        }
    }

    private func repairLock(_ amount: UInt64) throws {
        try lock.repair(until: Self.patience) { pair, _ in
            guard pair[0] - pair[1] == 0 || pair[0] - pair[1] == 1 else {
                throw StormFailure(text: "two were writing: \(pair[0]) \(pair[1])")
            }
            Self.work(amount)
            pair[1] = pair[0]
        }
    }

    /// Takes a unit and gives it back; the test knows from `unit` what a killed one may have taken along.
    private func passUnit(_ amount: UInt64) throws {
        let unit = account.word(worker, .unit)
        unit.storeRelease(SyncAccount.Unit.taking)
        try semaphore.wait(until: Self.patience)
        unit.storeRelease(SyncAccount.Unit.has)
        Self.work(amount)
        unit.storeRelease(SyncAccount.Unit.giving)
        try semaphore.signal()
        unit.storeRelease(SyncAccount.Unit.none)
    }

    /// Takes as many tokens as it has permits; one that a living process has is not to be had.
    private func holdPermits(_ count: Int, _ amount: UInt64) throws {
        let permit = try permits.acquire(count, until: Self.patience)
        let me = permits.segment.peer.rawValue
        var mine: [Int] = []
        // Several looks: others change their tokens while one looks from the first to the last.
        for look in 0..<8 * SyncPlace.permitUnits where mine.count < count {
            let index = look % SyncPlace.permitUnits
            let token = account.token(index)
            let owner = token.loadAcquire()
            let isFree = owner == 0 || owner != me && !permits.segment.peers.contains { $0.id.rawValue == owner && $0.isAlive }
            if isFree, token.compareExchange(owner, me) { mine.append(index) }
        }
        guard mine.count == count else { throw StormFailure(text: "\(count) permits were given, and only \(mine.count) are free") }
        Self.work(amount)
        for index in mine { _ = account.token(index).compareExchange(me, 0) }
        permit.release()
    }

    /// Puts a job in, and takes one out: there is one for everybody who waits, so that none waits for long.
    private func passJob() throws {
        try changeJobs(.putIntent, .put) { pair in pair[0] += 1 }
        if random(half: 1) { try condition.notifyOne() } else { try condition.notifyAll() }
        account.word(worker, .takeIntent).add(1)
        while true {
            do {
                try jobs.withLock(when: { $0[0] > 0 }, on: condition, until: Self.patience) { pair in
                    pair[0] -= 1
                    pair[1] += 1
                }
                break
            } catch LockError.inconsistent {
                try repairJobs()
            }
        }
        account.word(worker, .taken).add(1)
    }

    private func random(half: UInt64) -> Bool { account.word(worker, .steps).loadRelaxed() & 1 == half }

    private func changeJobs(_ intent: SyncAccount.Word, _ done: SyncAccount.Word, _ body: (inout SyncPair) -> Void) throws {
        account.word(worker, intent).add(1)
        while true {
            do {
                try jobs.withLock(until: Self.patience) { body(&$0) }
                break
            } catch LockError.inconsistent {
                try repairJobs()
            }
        }
        account.word(worker, done).add(1)
    }

    /// What there is stays; those who were woken for it, and found it inconsistent, look again.
    private func repairJobs() throws {
        _ = try jobs.repair(until: Self.patience) { _, _ in }
        try condition.notifyAll()
    }

    private mutating func events() throws {
        switch random.next() % 6 {
        case 0: try manual.set()
        case 1: try manual.reset()
        case 2, 3: try automatic.set()
        case 4:
            _ = syncOutcome {
                try manual.wait(until: Self.shortly); return ""
            }
        default:
            _ = syncOutcome {
                try automatic.wait(until: Self.shortly); return ""
            }
        }
    }

    /// Is a party of the barrier for a moment, if there is room.
    private func meet() throws {
        let barrier: SharedBarrier
        do { barrier = try place.barrier() } catch let error as InterprocessError where error.code == .busy { return }
        for _ in 0..<3 {
            switch syncOutcome({ try barrier.wait(until: Self.shortly) ? "last" : "together" }) {
            case "last", "together", "deadline": break
            case let text where text.hasPrefix("peerDied"): break
            case let text: throw StormFailure(text: "the barrier says \(text)")
            }
        }
    }
}
