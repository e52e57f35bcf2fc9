import CrashLab
import Interprocess

/// A lock whose holder, or whoever waits for it, is killed.
let mutexScenarios: [Scenario] =
    lockScenarios("mutex", "m", SharedMutex<Halves>.self)
    + suspendingLockScenarios("mutex.async", "m", SuspendingMutex.self)
    + [opening, closing, storm]
    + Scenario.schedules(
        "mutex.schedule", "two that take a lock twice and one that waits for it for a moment", ["m"],
        players: [{ try play($0, 0, .never) }, { try play($0, 1, .never) }, { try play($0, 2, .after(.milliseconds(2))) }],
        check: { try checkChanges(name, SharedMutex<Halves>.self, $0) })

private let name: ObjectName = "m"

extension SharedMutex<Halves>: ExclusiveLock {
    static func open(_ name: ObjectName, _ options: SynchronizationOptions, _ strategy: WaitStrategy) throws -> SharedMutex<Halves> {
        try SharedMutex(named: name, initial: Halves(), options: options, strategy: strategy)
    }

    func take(until deadline: Deadline) throws { try acquire(until: deadline) }
    func letGo() { relinquish() }

    func change(until deadline: Deadline, _ body: (inout Halves) throws -> Void) throws { try withLock(until: deadline, body) }

    func mend(until deadline: Deadline, _ body: (inout Halves, DeathNotice) throws -> Void) throws -> Bool {
        try repair(until: deadline, body) != nil
    }

    func callEverything(until deadline: Deadline) {
        try? withLock(until: deadline) { $0.first &+= 1 }
        _ = try? withLockIfAvailable { $0.second &+= 1 }
        _ = try? repair(until: deadline) { value, _ in value = Halves() }
        try? withLock(until: deadline) { $0.first &+= 1 }
    }
}

/// A player of schedules: two changes.
private func play(_ victim: Victim, _ who: Int, _ deadline: Deadline) throws {
    let site = victim.site
    let mutex = try SharedMutex<Halves>.open(name, site.lasting)
    try mutex.pass()
    try victim.step {
        for _ in 0..<2 {
            site.ledger[Mark.intent + who] += 1
            if try unlessLate({ try mutex.pass(until: deadline) { $0.step(site) } }) {
                site.ledger[Mark.done + who] += 1
            } else {
                site.undone(who)
            }
        }
    }
}

private func attaching(_ scenario: String, _ summary: String, isClosed: Bool) -> Scenario {
    Scenario(scenario, summary, segments: ["m"]) { site in
        let mutex = try SharedMutex<Halves>.open(name, site.synchronization)
        return Survivor(
            meanwhile: { try mutex.tryShortly() },
            goOn: {
                try mutex.segment.awaitPeers(1)
                let another = try SharedMutex<Halves>.open(name, site.synchronization)
                try another.pass()
            })
    } victim: { victim in
        let kept = Holder(try SharedMutex<Halves>.open(isClosed ? name : "warm", victim.site.synchronization))
        if !isClosed { kept.value = nil }
        try victim.step { kept.value = isClosed ? nil : try SharedMutex.open(name, victim.site.synchronization) }
    } third: { third in
        let mutex = try SharedMutex<Halves>.open(name, third.site.synchronization)
        try mutex.tryShortly()
        third.awaitKill()
        try mutex.pass()
    }
}

private let opening = attaching("mutex.open", "a process that opens a mutex", isClosed: false)
private let closing = attaching("mutex.close", "a process that closes a mutex", isClosed: true)

private let storm = Scenario(
    "mutex.storm", "eight that change a value under a lock, killed at random",
    storm: Storm(
        workers: (0..<8).map { who in
            {
                if Form.of(who) == .suspending { return try stormed(name, SuspendingMutex.self, $0, who) }
                try stormed(name, SharedMutex<Halves>.self, $0, who)
            }
        },
        check: { try checkChanges(name, SharedMutex<Halves>.self, $0) }))
