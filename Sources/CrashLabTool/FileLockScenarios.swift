import CrashLab
import Interprocess
import InterprocessSystem
import SystemPackage

/// Locks that the kernel keeps, of the three kinds, whose holder, or whoever waits for them, is killed.
let fileLockScenarios: [Scenario] =
    lockedFile("whole") { .wholeFile($0) } + lockedFile("record") { .record($0, 0..<8) }
    + lockedFile("open") { .openFileDescription($0, 0..<8) }

/// Whether the victim has the lock, and whether the survivor has.
private let inside = Mark.reached
private let held = Mark.between

private func lockedFile(_ kind: String, _ make: @escaping @Sendable (FileDescriptor) -> FileLock) -> [Scenario] {
    @Sendable func open(_ site: Site) throws -> FileLock {
        make(try FileDescriptor.open(site.path("f"), .readWrite, options: [.create, .closeOnExec], permissions: .ownerReadWrite))
    }
    let simple: @Sendable (Site) throws -> Survivor = { site in
        let lock = try open(site)
        return Survivor(
            prepare: { site.begin() }, meanwhile: { try lock.tryWhile(site) },
            goOn: {
                try lock.withLock {}
                site.awaitSleepers()
            })
    }
    let holding: @Sendable (Site) throws -> Survivor = { site in
        let lock = try open(site)
        func rouse() throws {
            site.ledger[held] = 0
            try lock.unlock()
        }
        return Survivor(
            prepare: {
                site.begin()
                try lock.lock()
                site.ledger[held] = 1
            }, rouse: rouse, meanwhile: rouse,
            goOn: {
                try rouse()
                try lock.withLock {}
                site.awaitSleepers()
            })
    }
    let sleeper: @Sendable (Bystander) throws -> Void = { process in
        let lock = try open(process.site)
        try process.sleeping(0) { try lock.withLock {} }
    }
    let third: @Sendable (Bystander) throws -> Void = { third in
        let lock = try open(third.site)
        try lock.tryWhile(third.site)
        third.awaitKill()
        _ = try lock.withLockIfAvailable {}
    }
    /// - Parameter startsThread: whether a thread waits in the kernel for it. While one is started all signals are blocked, also those by which the lab steps: it is killed asleep, and no other way.
    func scenario(
        _ name: String, _ summary: String, waits: Bool, startsThread: Bool = false, isAwaited: Bool = true,
        _ victim: @escaping @Sendable (FileLock, Victim) throws -> Void
    ) -> Scenario {
        var scenario = Scenario("filelock.\(kind).\(name)", summary, victimWaits: waits, survivor: waits ? holding : simple) { process in
            try victim(try open(process.site), process)
        } third: {
            try third($0)
        }.with(sleepers: isAwaited ? [sleeper] : [])
        // A child that stays has the opening, and with it the lock, as CAVEATS says.
        if kind != "record" { scenario.excluded = [.fork] }
        if startsThread { scenario.excluded = [.kill, .contended, .pause, .leave, .fork, .interrupt, .fault] }
        return scenario
    }
    return [
        scenario("withLock", "a process that takes a lock of a file and gives it back", waits: false, isAwaited: false) { lock, victim in
            try lock.withLock {}
            try victim.step { try lock.withLock { try victim.site.beInside() } }
        },
        scenario("unlock", "a process that gives a lock of a file back for which another waits", waits: false) { lock, victim in
            try lock.withLock {}
            try lock.lock()
            victim.site.ledger[inside] = 1
            try victim.step {
                victim.site.ledger[inside] = 0
                try lock.unlock()
            }
        },
        scenario("wait", "a process that waits for a lock of a file", waits: true) { lock, victim in
            try victim.step { try lock.withLock { try victim.site.beInside() } }
        },
        scenario("wait.async", "a process that waits for a lock of a file in a task", waits: true, startsThread: true) { lock, victim in
            do {
                try InterprocessExecutor.runHere { try await lock.lock(until: .now.advanced(by: .milliseconds(1))) }
            } catch FileLockError.deadline {}
            try victim.step { try InterprocessExecutor.runHere { try await lock.withLock { try victim.site.beInside() } } }
        },
        scenario("wait.deadline", "a process that waits for a lock of a file, but not for ever", waits: true, startsThread: true) {
            lock, victim in
            do {
                try lock.lock(until: .now.advanced(by: .milliseconds(1)))
            } catch FileLockError.deadline {}
            try victim.step { try lock.withLock(until: .now.advanced(by: .seconds(60))) { try victim.site.beInside() } }
        },
    ]
}

extension Site {
    fileprivate func beInside() throws {
        ledger[inside] = 1
        try Violation.unless(ledger[held] == 0, "a lock was given away while the survivor had it")
        ledger[inside] = 0
    }
}

extension FileLock {
    /// While another stands still that may have it.
    fileprivate func tryWhile(_ site: Site) throws {
        let isInside = site.ledger[inside] == 1
        let isTaken = try withLockIfAvailable {} != nil
        try Violation.unless(!isInside || !isTaken, "a lock was given away while its holder lived")
    }
}
