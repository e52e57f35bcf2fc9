import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("S9 file locks: deadlocks, deadlines, signals, cancellation")
struct FileLockWaitTests {
    private let file: FileLockFile

    init() throws { file = try FileLockFile() }

    @Test("S9 the kernel's report of a deadlock of record locks ends one wait, the other goes on", arguments: ["lock", "until"])
    func deadlock(_ verb: String) async throws {
        let first = try await file.peer(), second = try await file.peer()
        #expect(try await first.ask("lock", .record, .exclusive, 0..<1) == "locked")
        #expect(try await second.ask("lock", .record, .exclusive, 1..<2) == "locked")
        try first.order(verb, .record, .exclusive, 1..<2, 10_000_000)
        try await file.untilWaiting(1)
        #expect(try await second.ask(verb, .record, .exclusive, 0..<1, 10_000_000) == "\(FileLockError.deadlock)")
        #expect(try await second.ask("unlock", .record, .exclusive, 1..<2) == "unlocked")
        try await first.expect("locked")
    }

    @Test("S9 locks of openings that wait for each other are ended by a deadline", arguments: ["lock", "until"])
    func noReport(_ verb: String) async throws {
        let first = try await file.peer(), second = try await file.peer()
        let kind = FileLock.Kind.openFileDescription
        #expect(try await first.ask("lock", kind, .exclusive, 0..<1) == "locked")
        #expect(try await second.ask("lock", kind, .exclusive, 1..<2) == "locked")
        try first.order(verb, kind, .exclusive, 1..<2, 10_000_000)
        try await file.untilWaiting(1)
        #expect(try await second.ask("until", kind, .exclusive, 0..<1, 20) == "\(FileLockError.deadline)")
        #expect(try await second.ask("unlock", kind, .exclusive, 1..<2) == "unlocked")
        try await first.expect("locked")
    }

    @Test("S9 a deadline ends the wait, not before its time, and nothing waits or is held afterwards", arguments: FileLock.Kind.all)
    func deadline(_ kind: FileLock.Kind) async throws {
        let peer = try await file.peer()
        #expect(try await peer.ask("try", kind) == "true")
        let own = try file.open()
        let lock = kind.lock(own)
        for mode in [FileLock.Mode.shared, .exclusive] {
            let end = after(milliseconds: 20)
            #expect(throws: FileLockError.deadline) { try lockBlocking(lock, mode, until: end) }
            #expect(MonotonicInstant.now >= end)
            #expect(try file.waiting() == 0)
            await #expect(throws: FileLockError.deadline) { try await lock.lock(mode, until: after(milliseconds: 20)) }
            #expect(try file.waiting() == 0)
        }
        #expect(throws: FileLockError.deadline) { try lockBlocking(lock, .exclusive, until: .now) }
        #expect(try await peer.ask("unlock", kind) == "unlocked")
        #expect(try await peer.ask("try", kind) == "true", "nobody got it since")
    }

    @Test("S9 a wait that gets no thread says so, and the next one waits", arguments: FileLock.Kind.ofOpenings)
    func noThread(_ kind: FileLock.Kind) throws {
        let first = try file.open(), second = try file.open()
        #expect(try kind.lock(first).tryLock())
        let lock = kind.lock(second)
        #expect(throws: FileLockError.noThread) {
            try SystemCallFaults.withFault("pthread_create", .resourceTemporarilyUnavailable) {
                try lockBlocking(lock, .exclusive, until: after(milliseconds: 60_000))
            }
        }
        #expect(throws: FileLockError.deadline) { try lockBlocking(lock, .exclusive, until: after(milliseconds: 5)) }
    }

    @Test("S9 a lock that becomes free before the deadline is taken, from the one who died", arguments: FileLock.Kind.all)
    func beforeDeadline(_ kind: FileLock.Kind) async throws {
        let peer = try await file.peer(), other = try await file.peer()
        let own = try file.open()
        let lock = kind.lock(own)
        #expect(try await peer.ask("try", kind) == "true")
        let attempt = try Attempt { () throws(FileLockError) in try lock.lock(.exclusive, until: .after(.seconds(1000))) }
        try await file.untilWaiting(1)
        #expect(try await peer.ask("unlock", kind) == "unlocked")
        try await attempt.value()
        #expect(try await peer.ask("try", kind) == "false")
        try lock.unlock()
        #expect(try await other.ask("try", kind) == "true")
        let task = Task { try await lock.lock(.exclusive, until: .after(.seconds(1000))) }
        try await file.untilWaiting(1)
        other.kill()
        try await task.value
        #expect(try await peer.ask("try", kind) == "false")
    }

    @Test("S9 signals do not end a wait", arguments: FileLock.Kind.all, ["lock", "until"])
    func signals(_ kind: FileLock.Kind, _ verb: String) async throws {
        let peer = try await file.peer()
        let own = try file.open()
        let lock = kind.lock(own)
        #expect(try lock.tryLock())
        // A deadline that outlasts the watchdog, however busy the machine is.
        try peer.order(verb, kind, .exclusive, 0..<Int64.max, 10_000_000)
        try await file.untilWaiting(1)
        for _ in 0..<10 {
            peer.signal(SIGUSR1)
            try await peer.expect("signal")
        }
        try await file.untilWaiting(1)
        try lock.unlock()
        try await peer.expect("locked")
        #expect(try !lock.tryLock())
    }

    @Test("S9 a cancelled task stops waiting and holds nothing", arguments: FileLock.Kind.all)
    func cancellation(_ kind: FileLock.Kind) async throws {
        let peer = try await file.peer()
        #expect(try await peer.ask("try", kind) == "true")
        let own = try file.open()
        let lock = kind.lock(own)
        let task = Task { try await lock.lock(.exclusive) }
        try await file.untilWaiting(1)
        task.cancel()
        await #expect(throws: FileLockError.cancelled) { try await task.value }
        #expect(try file.waiting() == 0)
        let late = Task {
            while !Task.isCancelled { await Task.yield() }
            try await lock.lock(.exclusive)
        }
        late.cancel()
        await #expect(throws: FileLockError.cancelled) { try await late.value }
        #expect(try await peer.ask("unlock", kind) == "unlocked")
        #expect(try await peer.ask("try", kind) == "true", "nobody got it since")
    }

    @Test("S9 a cancelled conversion leaves the shared lock of bytes", arguments: FileLock.Kind.ofBytes)
    func cancelledConversion(_ kind: FileLock.Kind) async throws {
        let peer = try await file.peer()
        let own = try file.open()
        let lock = kind.lock(own)
        #expect(try lock.tryLock(.shared))
        #expect(try await peer.ask("try", kind, .shared) == "true")
        let task = Task { try await lock.lock(.exclusive) }
        try await file.untilWaiting(1)
        task.cancel()
        await #expect(throws: FileLockError.cancelled) { try await task.value }
        #expect(try await peer.ask("try", kind, .exclusive) == "false")
    }

    @Test(
        "S9 a deadline or a cancellation that meets the giving back leaves the lock held or free, never lost",
        arguments: FileLock.Kind.ofOpenings)
    func races(_ kind: FileLock.Kind) async throws {
        var random = SeededRandom(for: "file lock races, \(kind)")
        let first = try file.open(), second = try file.open()
        let theirs = kind.lock(first), mine = kind.lock(second)
        var taken = 0
        let rounds = 300
        for round in 0..<rounds {
            #expect(try theirs.tryLock(), "round \(round)")
            let wait = Int.random(in: 0...200, using: &random), pause = Int.random(in: 0...600, using: &random)
            let isAsynchronous = round % 2 == 1
            let task = Task.detached {
                let end = MonotonicInstant.after(.microseconds(wait))
                do {
                    if isAsynchronous { try await mine.lock(.exclusive) } else { try lockBlocking(mine, .exclusive, until: end) }
                    return true
                } catch FileLockError.deadline, FileLockError.cancelled {
                    return false
                }
            }
            sleepThread(for: .microseconds(pause))
            if isAsynchronous, round % 4 == 1 { task.cancel() }
            try theirs.unlock()
            if isAsynchronous, round % 4 == 3 { task.cancel() }
            let isTaken = try await task.value
            #expect(try theirs.tryLock() != isTaken, "round \(round)")
            if isTaken { taken += 1 }
            try theirs.unlock()
            try mine.unlock()
        }
        #expect(try file.waiting() == 0)
        print("file lock races, \(kind): \(taken) of \(rounds) taken")
    }
}
