import CrashLab
import Interprocess

/// What a mutex and a reader-writer lock have in common.
protocol ExclusiveLock: AnyObject, Sendable, SendableMetatype {
    static func open(_ name: ObjectName, _ options: SynchronizationOptions, _ strategy: WaitStrategy) throws -> Self
    /// In which its operations are called.
    static var form: Form { get }
    var segment: Segment { get }
    var isConsistent: Bool { get }
    func take(until deadline: Deadline) throws
    func letGo()
    func change(until deadline: Deadline, _ body: (inout Halves) throws -> Void) throws
    func mend(until deadline: Deadline, _ body: (inout Halves, DeathNotice) throws -> Void) throws -> Bool
    /// Waits, and gives up before it has the lock.
    func giveUp() throws
    /// One call of everything, whatever comes of it.
    func callEverything(until deadline: Deadline)
}

extension ExclusiveLock {
    static func open(_ name: ObjectName, _ options: SynchronizationOptions) throws -> Self { try open(name, options, .park) }
    static var form: Form { .blocking }

    func giveUp() throws { try unlessLate { try change(until: .soon) { _ in } } }

    /// Changes the value, after having repaired it if a dead holder has left it; whether one had.
    @discardableResult
    func pass(until deadline: Deadline = .never, _ body: (inout Halves) throws -> Void = { _ in }) throws -> Bool {
        var hasRepaired = false
        while true {
            do {
                try change(until: deadline) {
                    try $0.check()
                    try body(&$0)
                }
                return hasRepaired
            } catch LockError.inconsistent(let notice) {
                try Violation.unless(notice.held.contains(.lock), "the notice does not say what the dead one had: \(notice)")
                if try mend(until: deadline, { value, _ in value.second = value.first }) { hasRepaired = true }
            }
        }
    }

    /// While another stands still and lives.
    func tryShortly() throws { try unlessLate { try change(until: .shortly) { try $0.check() } } }

    /// After a death: the lock is to be had, the value whole or known not to be.
    func settle(_ site: Site) throws {
        let wasConsistent = isConsistent
        let hasRepaired = try pass { value in
            try Violation.unless(
                site.count().contains(Int(value.first)), "the value was changed \(value.first) times: it should be \(site.count())")
        }
        if site.isDone {
            try Violation.unless(!hasRepaired && wasConsistent, "a death is told of that came after the lock was let go")
        }
        try pass { $0 = Halves() }
        site.awaitSleepers()
    }
}

/// The scenarios of both, for one of them.
func lockScenarios<L: ExclusiveLock>(_ prefix: String, _ name: ObjectName, _ type: L.Type) -> [Scenario] {
    let file = name.description
    @Sendable func open(_ site: Site) throws -> L { try L.open(name, site.synchronization) }
    /// Bound on first use.
    @Sendable func warm(_ site: Site) throws {
        let lock = try L.open("warm", site.synchronization)
        try lock.pass()
        _ = try lock.mend(until: .now) { _, _ in }
    }
    /// It does not sleep while it tries, so that the victim is mostly not killed before it has; if opening takes it long, the victim may be dead already. That nobody
    /// is told of a death while the victim lives is looked at by the survivor, in ``Mode/pause`` and ``Mode/leave``.
    let third: @Sendable (Bystander) throws -> Void = { third in
        let lock = try L.open(name, third.site.synchronization, .spin)
        try unlessInconsistent { try lock.tryShortly() }
        third.awaitKill()
        try lock.pass()
    }
    /// Where the survivor keeps the lock until all is over.
    let patient: @Sendable (Bystander) throws -> Void = { third in
        let lock = try L.open(name, third.site.synchronization, .spin)
        try unlessInconsistent { try lock.tryShortly() }
        third.awaitKill()
        try unlessInconsistent { try lock.tryShortly() }
    }
    @Sendable func sleeper(_ index: Int) -> @Sendable (Bystander) throws -> Void {
        { process in
            let lock = try open(process.site)
            try process.sleeping(index) { try lock.pass() }
        }
    }
    let simple: @Sendable (Site) throws -> Survivor = { site in
        let lock = try open(site)
        return Survivor(
            prepare: { site.begin() }, meanwhile: { try lock.tryShortly() }, goOn: { try lock.settle(site) })
    }
    /// Has the lock when the victim comes.
    let holding: @Sendable (Site) throws -> Survivor = { site in
        let lock = try open(site)
        var isHolding = false
        func rouse() {
            if isHolding { lock.letGo() }
            isHolding = false
        }
        return Survivor(
            prepare: {
                site.begin()
                try lock.take(until: .never)
                isHolding = true
            }, rouse: rouse, meanwhile: { try lock.tryShortly() },
            goOn: {
                rouse()
                try lock.settle(site)
            })
    }

    var waiting = Scenario(
        prefix + ".wait", "a process that waits for a lock that another has", segments: [file], victimWaits: true, survivor: holding
    ) { victim in
        let site = victim.site
        let lock = try open(site)
        try warm(site)
        _ = try? lock.take(until: .shortly)
        try victim.step(by: L.form) { try site.doing { try lock.change(until: .never) { $0.step(site) } } }
    } third: {
        try patient($0)
    }
    waiting.sleepers = [sleeper(0), sleeper(1)]

    return [
        Scenario(prefix + ".lock", "a process that takes a lock and lets go", segments: [file], survivor: simple) { victim in
            let site = victim.site
            let lock = try open(site)
            try lock.pass()
            try victim.step(by: L.form) { try site.doing { try lock.change(until: .never) { $0.step(site) } } }
        } third: {
            try third($0)
        } scribbled: { victim in
            let lock = try open(victim.site)
            lock.callEverything(until: .now)
            try victim.step { lock.callEverything(until: victim.deadline) }
        },
        Scenario(prefix + ".unlock", "a process that lets go of a lock for which others wait", segments: [file], survivor: simple) {
            victim in
            let site = victim.site
            let lock = try open(site)
            try lock.pass { $0.step(site) }
            site.ledger[Mark.intent] = 1
            try lock.take(until: .never)
            try victim.step {
                lock.letGo()
                site.ledger[Mark.done] = 1
            }
        } third: {
            try third($0)
        }.with(sleepers: [sleeper(0), sleeper(1)]),
        waiting,
        Scenario(prefix + ".give-up", "a process that gives up waiting for a lock", segments: [file], survivor: holding) { victim in
            let lock = try open(victim.site)
            try warm(victim.site)
            try victim.step(by: L.form) { try lock.giveUp() }
        } third: {
            try patient($0)
        }.with(sleepers: [sleeper(0)]),
        Scenario(
            prefix + ".repair", "a process that puts a value right that a dead one has left", segments: [file],
            survivor: { site in
                let lock = try open(site)
                return Survivor(
                    prepare: { site.begin() },
                    meanwhile: { try unlessInconsistent { try lock.tryShortly() } },
                    goOn: {
                        let isMended = site.ledger[Mark.reached] == 1
                        let hasRepaired = try lock.pass()
                        try Violation.unless(isMended || hasRepaired, "a value that nobody has repaired was given away")
                        if site.isDone { try Violation.unless(!hasRepaired, "a value that was repaired is not declared consistent") }
                        try lock.pass { $0 = Halves() }
                    })
            },
            dead: { dead in
                let lock = try open(dead.site)
                try lock.change(until: .never) {
                    $0.first += 1
                    dead.die()
                }
            }
        ) { victim in
            let site = victim.site
            let lock = try open(site)
            try warm(site)
            try victim.step(by: L.form) {
                try site.doing {
                    let hasRepaired = try lock.mend(until: .never) { value, _ in
                        value.second = value.first
                        site.ledger[Mark.reached] = 1
                    }
                    try Violation.unless(hasRepaired, "there was nothing to repair")
                }
            }
        } third: { third in
            let lock = try open(third.site)
            try unlessInconsistent { try lock.tryShortly() }
            third.awaitKill()
            do {
                try lock.change(until: .never) { try $0.check() }
            } catch LockError.inconsistent {}
        },
    ]
}

/// Throws what `body` throws, but for what a dead holder has left.
private func unlessInconsistent(_ body: () throws -> Void) throws {
    do {
        try body()
    } catch LockError.inconsistent {}
}

/// Changes the value until the storm is over.
func stormed<L: ExclusiveLock>(_ name: ObjectName, _ type: L.Type, _ process: Bystander, _ who: Int) throws {
    let lock = try L.open(name, process.site.lasting)
    while !process.isOver { try process.site.doing(who) { try lock.pass { $0.step(process.site) } } }
}

/// Every change was made, and those of the dead once or not at all.
func checkChanges<L: ExclusiveLock>(_ name: ObjectName, _ type: L.Type, _ site: Site, _ who: Range<Int> = 0..<10) throws {
    try L.open(name, site.lasting).pass { value in
        try Violation.unless(
            site.count(who).contains(Int(value.first)), "the value was changed \(value.first) times: it should be \(site.count(who))")
    }
}
