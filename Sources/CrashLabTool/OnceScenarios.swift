import CrashLab
import Interprocess
import InterprocessSystem

/// Something that is done once, while one that does it or waits for it is killed.
let onceScenarios: [Scenario] =
    [
        run(.blocking), run(.suspending).with(scribbled: scribbledRuns), finish, wait(.blocking), wait(.suspending), giveUp(.blocking),
        giveUp(.cancelled), onceStorm,
    ]
    + Scenario.schedules(
        "once.schedule", "three that want it done", ["o"], players: [{ try play($0, 0) }, { try play($0, 1) }, { try play($0, 2) }],
        check: { site in
            try Violation.unless(try open(site, site.lasting).isDone, "it is not done")
            try Violation.unless((1...2).contains(site.count().lowerBound), "it was done \(site.count()) times")
        })

private let name: ObjectName = "o"

private func open(_ site: Site, _ options: SynchronizationOptions? = nil) throws -> SharedOnce {
    try SharedOnce(named: name, options: options ?? site.synchronization, strategy: .park)
}

extension SharedOnce {
    /// Whoever does it says so.
    fileprivate func execute(_ site: Site, _ form: Form = .blocking, until deadline: @autoclosure () -> Deadline = .never) throws {
        func body(_ dead: DeathNotice?) throws {
            try Violation.unless(dead == nil || site.ledger[Mark.intent] > 0, "the death of one is told that had not begun")
            site.ledger[Mark.reached] += 1
        }
        _ = try form.call {
            try run(until: deadline(), body)
        } _: {
            try await run(until: deadline(), body)
        }
    }
}

/// Makes it anew for each victim.
private func survivor(_ site: Site) throws -> Survivor {
    let kept = Holder<SharedOnce>(nil)
    let begun = try SharedEvent(named: "begun", options: site.synchronization)
    return Survivor(
        prepare: {
            site.begin()
            try begun.reset()
            kept.value = nil
            _ = try? site.directory.remove(name)
            kept.value = try open(site)
        }, rouse: {},
        meanwhile: { try unlessLate { try kept.value?.execute(site, until: .shortly) } },
        goOn: {
            try begun.set()
            guard let once = kept.value else { return }
            try Violation.unless(!site.isDone || once.isDone, "it was done, and is not")
            try once.execute(site)
            try Violation.unless(once.isDone, "it is not done")
            site.awaitSleepers()
            let times = site.ledger[Mark.reached]
            try Violation.unless((1...2).contains(times) && (!site.isDone || times == 1), "it was done \(times) times")
        })
}

private let third: @Sendable (Bystander) throws -> Void = { third in
    let once = try open(third.site)
    try unlessLate { try once.execute(third.site, until: .shortly) }
    third.awaitKill()
    try once.execute(third.site)
}

/// Bound on first use.
private func warm(_ site: Site, _ form: Form = .blocking) throws {
    let once = try SharedOnce(named: "warm", options: site.synchronization)
    func body(_: DeathNotice?) {}
    _ = try form.call {
        try once.run(body)
    } _: {
        try await once.run(body)
    }
}

private func run(_ form: Form) -> Scenario {
    Scenario(
        "once.run" + form.rawValue, "a process that does it", segments: ["o"], survivor: { try survivor($0) }
    ) { victim in
        let site = victim.site
        let once = try open(site)
        try warm(site, form)
        try victim.step(by: form) { try site.doing { try once.execute(site, form) } }
    } third: {
        try third($0)
    } scribbled: { victim in
        let once = try open(victim.site)
        func all(_ deadline: Deadline) {
            _ = try? once.run(until: deadline) { (_: DeathNotice?) in throw Violation("not now") }
            _ = try? once.run(until: deadline) { (_: DeathNotice?) in }
            _ = once.isDone
            _ = try? once.run(until: deadline) { (_: DeathNotice?) in }
        }
        try warm(victim.site)
        try victim.step(by: form) { all(victim.deadline) }
    }
}

/// The others come when it is begun, and sleep when it is finished.
private let finish = Scenario(
    "once.finish", "a process that does it, with others waiting", segments: ["o"], needsSleepers: true, survivor: { try survivor($0) }
) { victim in
    let site = victim.site
    let once = try open(site)
    try warm(site)
    let begun = try SharedEvent(named: "begun", options: site.synchronization)
    try victim.step {
        try site.doing {
            _ = try once.run { (_: DeathNotice?) in
                site.ledger[Mark.reached] += 1
                try begun.set()
                // Where they do not sleep yet they come later: that holds as well.
                sleepThread(for: .milliseconds(2))
            }
        }
    }
}.with(sleepers: [sleeper(0), sleeper(1)])

private func sleeper(_ index: Int) -> @Sendable (Bystander) throws -> Void {
    { process in
        let once = try open(process.site)
        let begun = try SharedEvent(named: "begun", options: process.site.synchronization, strategy: .park)
        try process.sleeping(index) {
            try begun.wait()
            try once.execute(process.site)
        }
    }
}

/// A thread of the survivor's is at it until the victim sleeps.
private func busy(_ site: Site) throws -> Survivor {
    let survivor = Busy(site)
    return Survivor(
        prepare: { try survivor.begin() }, rouse: { try survivor.end() },
        meanwhile: { try unlessLate { try survivor.kept.value?.execute(site, until: .shortly) } },
        goOn: {
            try survivor.end()
            hold { survivor.kept.value?.isDone ?? true }
            site.awaitSleepers()
            try Violation.unless(site.ledger[Mark.reached] == 0, "it was done twice")
        })
}

private final class Busy: Sendable {
    let site: Site
    let kept = Holder<SharedOnce>(nil)
    let gate = Holder<SharedEvent>(nil)
    init(_ site: Site) { self.site = site }

    func begin() throws {
        site.begin()
        (kept.value, gate.value) = (nil, nil)
        _ = try? site.directory.remove(name)
        let once = try open(site)
        let gate = try SharedEvent(named: "gate", options: site.synchronization)
        try gate.reset()
        let isBegun = try SharedEvent(named: "is-begun", options: site.synchronization)
        try isBegun.reset()
        (kept.value, self.gate.value) = (once, gate)
        try startServiceThread(named: "once") {
            _ = try? once.run { (_: DeathNotice?) in
                try isBegun.set()
                try gate.wait()
            }
        }
        try isBegun.wait()
    }

    func end() throws { try gate.value?.set() }
}

private func waitingSleeper(_ index: Int, _ form: Form) -> @Sendable (Bystander) throws -> Void {
    { process in
        let once = try open(process.site)
        try process.sleeping(index) { try once.execute(process.site, form) }
    }
}

/// It is done by the survivor, afterwards.
private func waitingThird(_ third: Bystander) throws {
    let once = try open(third.site)
    try unlessLate { try once.execute(third.site, until: .shortly) }
    third.awaitKill()
}

private func wait(_ form: Form) -> Scenario {
    Scenario(
        "once.wait" + form.rawValue, "a process that waits until it is done", segments: ["o"], victimWaits: true, survivor: { try busy($0) }
    ) { victim in
        let once = try open(victim.site)
        try warm(victim.site, form)
        try victim.step(by: form) { try once.execute(victim.site, form) }
    } third: {
        try waitingThird($0)
    }.with(sleepers: [waitingSleeper(0, form), waitingSleeper(1, .blocking)])
}

private func giveUp(_ form: Form) -> Scenario {
    Scenario(
        "once.give-up" + form.rawValue, "a process that gives up waiting until it is done", segments: ["o"], survivor: { try busy($0) }
    ) { victim in
        let once = try open(victim.site)
        try warm(victim.site, form)
        try victim.step(by: form) { try form.givesUp { try once.execute(victim.site, form, until: form.soon) } }
    } third: {
        try waitingThird($0)
    }.with(sleepers: [waitingSleeper(0, .blocking)])
}

private func scribbledRuns(_ victim: Victim) throws {
    let site = victim.site
    let once = try open(site)
    try warm(site, .suspending)
    try victim.step {
        try? once.execute(site, .suspending, until: Form.scribbled)
        try? once.execute(site, .cancelled, until: Form.scribbled)
    }
}

private func play(_ victim: Victim, _ who: Int) throws {
    let site = victim.site
    let once = try open(site, site.lasting)
    try warm(site)
    try victim.step { _ = try once.run { (_: DeathNotice?) in site.doing(who) {} } }
}
