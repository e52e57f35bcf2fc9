import CrashLab
import Interprocess

/// A lock that many read under, or one writes, one of them killed.
let readWriteLockScenarios: [Scenario] =
    lockScenarios("rw", "l", Lock.self) + suspendingLockScenarios("rw.async", "l", SuspendingReadWriteLock.self)
    + [reading(.blocking), reading(.suspending), readRelease, readWait(.blocking), readWait(.suspending), writeBehindReader, storm]
    + Scenario.schedules(
        "rw.schedule", "one that reads twice, and two that write", ["l"],
        players: [{ try play($0, 0, isWriting: false) }, { try play($0, 1, isWriting: true) }, { try play($0, 2, isWriting: true) }],
        check: { try checkChanges(name, Lock.self, $0) })

private typealias Lock = SharedReadWriteLock<Halves>
private let name: ObjectName = "l"

extension SharedReadWriteLock<Halves>: ExclusiveLock {
    static func open(_ name: ObjectName, _ options: SynchronizationOptions, _ strategy: WaitStrategy) throws -> SharedReadWriteLock<Halves>
    {
        try SharedReadWriteLock(named: name, initial: Halves(), options: options, strategy: strategy)
    }

    func take(until deadline: Deadline) throws { try acquire(forWriting: true, until: deadline) }
    func letGo() { relinquish(forWriting: true) }

    func change(until deadline: Deadline, _ body: (inout Halves) throws -> Void) throws { try withWriteLock(until: deadline, body) }

    func mend(until deadline: Deadline, _ body: (inout Halves, DeathNotice) throws -> Void) throws -> Bool {
        try repair(until: deadline, body) != nil
    }

    func callEverything(until deadline: Deadline) {
        try? withWriteLock(until: deadline) { $0.first &+= 1 }
        try? withReadLock(until: deadline) { value in try withReadLock(until: deadline) { _ = ($0, value) } }
        _ = try? withWriteLockIfAvailable { $0.second &+= 1 }
        _ = try? withReadLockIfAvailable { $0 }
        _ = try? repair(until: deadline) { value, _ in value = Halves() }
        try? withReadLock(until: deadline) { _ in }
    }

    /// Reads, after having repaired the value if a dead writer has left it.
    fileprivate func read(_ form: Form = .blocking, until deadline: Deadline = .never) throws {
        while true {
            do {
                return try withReadLock(form, until: deadline) { try $0.check() }
            } catch LockError.inconsistent {
                _ = try mend(until: deadline) { value, _ in value.second = value.first }
            }
        }
    }
}

extension SharedReadWriteLock<Halves> {
    fileprivate func withReadLock(_ form: Form, until deadline: Deadline = .never, _ body: (Halves) throws -> Void) throws {
        try form.call {
            try withReadLock(until: deadline, body)
        } _: {
            try await withReadLock(until: deadline, body)
        }
    }
}

private func open(_ site: Site) throws -> Lock { try Lock.open(name, site.synchronization) }

/// - Parameter held: what the survivor has when the victim comes; nil: nothing.
private func survivor(_ site: Site, held: Bool? = nil) throws -> Survivor {
    let lock = try open(site)
    var isHolding = false
    func rouse() {
        if isHolding, let held { lock.relinquish(forWriting: held) }
        isHolding = false
    }
    return Survivor(
        prepare: {
            site.begin()
            if let held { try lock.acquire(forWriting: held) }
            isHolding = true
        }, rouse: rouse, meanwhile: { try lock.tryBoth() },
        goOn: {
            rouse()
            try lock.settle(site)
            try lock.read()
        })
}

extension SharedReadWriteLock<Halves> {
    fileprivate func tryBoth() throws {
        try unlessLate { try withReadLock(until: .shortly) { try $0.check() } }
        try tryShortly()
    }
}

private func sleeper(_ index: Int, isWriting: Bool, _ form: Form = .blocking) -> @Sendable (Bystander) throws -> Void {
    { process in
        let lock = try open(process.site)
        try process.sleeping(index) { if isWriting { try lock.pass() } else { try lock.read(form) } }
    }
}

/// - Parameter isPatient: whether the survivor keeps the lock until all is over.
private func third(isPatient: Bool = false) -> @Sendable (Bystander) throws -> Void {
    { third in
        let lock = try Lock.open(name, third.site.synchronization, .spin)
        do {
            try lock.tryBoth()
        } catch LockError.inconsistent {
            // The victim was killed before.
        }
        third.awaitKill()
        if isPatient { return }
        try lock.read()
        try lock.pass()
    }
}

/// Of a reader nobody is told.
private func reading(_ form: Form) -> Scenario {
    Scenario(
        "rw.read" + form.rawValue, "a process that reads", segments: ["l"], survivor: { try survivor($0) }
    ) { victim in
        let lock = try open(victim.site)
        try lock.read(form)
        try victim.step(by: form) { try lock.withReadLock(form) { value in try lock.withReadLock { _ in try value.check() } } }
    } third: {
        try third()($0)
    }
}

private let readRelease = Scenario(
    "rw.release-read", "a reader that lets go, with writers and a reader waiting", segments: ["l"], survivor: { try survivor($0) }
) { victim in
    let lock = try open(victim.site)
    try lock.read()
    try lock.acquire(forWriting: false)
    try victim.step { lock.relinquish(forWriting: false) }
} third: {
    try third()($0)
}.with(sleepers: [sleeper(0, isWriting: true), sleeper(1, isWriting: true)])

private func readWait(_ form: Form) -> Scenario {
    Scenario(
        "rw.wait-read" + form.rawValue, "a process that waits to read while another writes", segments: ["l"], victimWaits: true,
        survivor: { try survivor($0, held: true) }
    ) { victim in
        let lock = try open(victim.site)
        try unlessLate { try lock.read(form, until: .shortly) }
        try victim.step(by: form) { try lock.withReadLock(form) { try $0.check() } }
    } third: {
        try third(isPatient: true)($0)
    }.with(sleepers: [sleeper(0, isWriting: true), sleeper(1, isWriting: false, form)])
}

private let writeBehindReader = Scenario(
    "rw.wait-write", "a process that waits to write while another reads", segments: ["l"], victimWaits: true,
    survivor: { try survivor($0, held: false) }
) { victim in
    let site = victim.site
    let lock = try open(site)
    try unlessLate { try lock.change(until: .shortly) { _ in } }
    try victim.step { try site.doing { try lock.withWriteLock { $0.step(site) } } }
} third: {
    try third(isPatient: true)($0)
}.with(sleepers: [sleeper(0, isWriting: true)])

private func play(_ victim: Victim, _ who: Int, isWriting: Bool) throws {
    let site = victim.site
    let lock = try Lock.open(name, site.lasting)
    try lock.pass()
    try lock.read()
    try victim.step {
        if isWriting {
            try site.doing(who) { try lock.pass { $0.step(site) } }
        } else {
            for _ in 0..<2 { try lock.read() }
        }
    }
}

private let storm = Scenario(
    "rw.storm", "four that read and four that write, killed at random",
    storm: Storm(
        workers: (0..<8).map { who in
            { process in
                if who % 4 == 2 { return try stormed(name, SuspendingReadWriteLock.self, process, who) }
                if who % 2 == 0 { return try stormed(name, Lock.self, process, who) }
                let lock = try Lock.open(name, process.site.lasting)
                while !process.isOver { try lock.read(.of(who)) }
            }
        }, check: { try checkChanges(name, Lock.self, $0) }))
