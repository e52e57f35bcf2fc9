import CrashLab
import Interprocess

/// Units that are given and taken, one of those who do it killed.
let semaphoreScenarios: [Scenario] =
    [
        signal, wait(.blocking), wait(.suspending), sleep(.blocking), sleep(.suspending).with(scribbled: scribbledWaits), giveUp(.blocking),
        giveUp(.suspending),
        giveUp(.cancelled), storm,
        Scenario(
            "semaphore.schedule", "one that gives two units, and two that wait", ["s"],
            Schedule(
                players: [
                    { try play($0, 0) { try $0.signal(2) } }, { try play($0, 1) { try $0.wait() } }, { try play($0, 2) { try $0.wait() } },
                ], check: { try check(value: 0...0, $0) })),
        Scenario(
            "semaphore.schedule.async", "the same, with one of those that wait in a task", ["s"],
            Schedule(
                players: [
                    { try play($0, 0) { try $0.signal(2) } }, { try play($0, 1) { try $0.wait(.suspending) } },
                    { try play($0, 2) { try $0.wait() } },
                ], check: { try check(value: 0...0, $0) })),
        Scenario(
            "semaphore.schedule.kill", "two that give a unit, of which one may be killed, and one that waits", ["s"],
            Schedule(
                players: [
                    { try play($0, 0) { try $0.signal() } }, { try play($0, 1) { try $0.signal() } }, { try play($0, 2) { try $0.wait() } },
                ], mayKill: true, check: { try check(value: 0...2, $0) })),
    ]

private func open(_ site: Site, _ options: SynchronizationOptions? = nil, _ value: Int = 0) throws -> SharedSemaphore {
    try SharedSemaphore(named: "s", value: value, options: options ?? site.synchronization, strategy: .park)
}

extension SharedSemaphore {
    fileprivate func wait(_ form: Form, until deadline: @autoclosure () -> Deadline = .never) throws {
        try form.call {
            try wait(until: deadline())
        } _: {
            try await wait(until: deadline())
        }
    }

    /// One unit more, written down before.
    fileprivate func give(_ site: Site) throws {
        site.ledger[Mark.given] += 1
        try signal()
    }

    fileprivate func tryShortly() throws { if try unlessLate({ try wait(until: .shortly) }) { try signal() } }

    /// After a death: every unit that is there wakes a sleeper, and none has gone but what the victim may have taken, or come but what it may have given.
    fileprivate func settle(_ site: Site, isGiver: Bool, sleepers: Int) throws {
        while site.asleep > 0 {
            hold { value == 0 || site.asleep == 0 }
            if site.asleep > 0 { try give(site) }
        }
        let surplus = value + sleepers - Int(site.ledger[Mark.given])
        try Violation.unless(
            site.count().contains(isGiver ? surplus : -surplus),
            "\(value) units are left of \(site.ledger[Mark.given]), and \(sleepers) slept: the victim had \(site.count())")
        while try tryWait() {}
    }
}

private func survivor(_ site: Site, units: Int = 0, isGiver: Bool = false, isRoused: Bool = false) throws -> Survivor {
    let semaphore = try open(site)
    /// Another one may have taken the last unit.
    func rouse() throws { if isRoused { try semaphore.give(site) } }
    return Survivor(
        prepare: {
            site.begin()
            for _ in 0..<units { try semaphore.give(site) }
        }, rouse: rouse, meanwhile: { try semaphore.tryShortly() },
        goOn: {
            // Before anything is given: what the victim gave has woken whom it should.
            hold { semaphore.value == 0 || site.asleep == 0 }
            if site.ledger[Mark.given] == 0 { try rouse() }
            try semaphore.settle(site, isGiver: isGiver, sleepers: site.slept)
        })
}

private func sleeper(_ index: Int, _ form: Form = .blocking) -> @Sendable (Bystander) throws -> Void {
    { process in
        let semaphore = try open(process.site)
        try process.sleeping(index) { try semaphore.wait(form) }
    }
}

private let third: @Sendable (Bystander) throws -> Void = { third in
    let semaphore = try open(third.site)
    try semaphore.tryShortly()
    third.awaitKill()
    try semaphore.tryShortly()
}

private let signal = Scenario(
    "semaphore.signal", "a process that gives two units", segments: ["s"], survivor: { try survivor($0, isGiver: true) }
) { victim in
    let semaphore = try open(victim.site)
    try semaphore.signal(2)
    for _ in 0..<2 { try semaphore.wait() }
    try victim.step { try victim.site.doing(0, 2) { try semaphore.signal(2) } }
} third: {
    try third($0)
} scribbled: { victim in
    let semaphore = try open(victim.site)
    func all(_ deadline: Deadline) {
        try? semaphore.signal(2)
        try? semaphore.wait(until: deadline)
        try? semaphore.wait(until: deadline)
        try? semaphore.wait(until: deadline == .never ? .shortly : deadline)
        _ = try? semaphore.tryWait()
        try? semaphore.signal(1000)
    }
    all(.now)
    try victim.step { all(victim.deadline) }
}.with(sleepers: [sleeper(0), sleeper(1)])

private func wait(_ form: Form) -> Scenario {
    Scenario(
        "semaphore.wait" + form.rawValue, "a process that takes a unit", segments: ["s"], survivor: { try survivor($0, units: 1) }
    ) { victim in
        let semaphore = try open(victim.site)
        try semaphore.wait(form)
        try semaphore.signal()
        try victim.step(by: form) { try victim.site.doing { try semaphore.wait(form) } }
    } third: {
        try third($0)
    }
}

private func sleep(_ form: Form) -> Scenario {
    Scenario(
        "semaphore.sleep" + form.rawValue, "a process that waits for a unit", segments: ["s"], victimWaits: true,
        survivor: { try survivor($0, isRoused: true) }
    ) { victim in
        let semaphore = try open(victim.site)
        try unlessLate { try semaphore.wait(form, until: .shortly) }
        try victim.step(by: form) { try victim.site.doing { try semaphore.wait(form) } }
    } third: {
        try third($0)
    }.with(sleepers: [sleeper(0, form)])
}

private func giveUp(_ form: Form) -> Scenario {
    Scenario(
        "semaphore.give-up" + form.rawValue, "a process that gives up waiting for a unit, just when one comes", segments: ["s"],
        survivor: { try survivor($0) }
    ) { victim in
        let semaphore = try open(victim.site)
        try form.givesUp { try semaphore.wait(form, until: form.briefly) }
        try victim.step(by: form) {
            victim.site.ledger[Mark.intent] = 1
            if try form.givesUp({ try semaphore.wait(form, until: form.soon) }) {
                victim.site.ledger[Mark.done] = 1
            } else {
                victim.site.undone()
            }
        }
    } third: { third in
        let semaphore = try open(third.site)
        try semaphore.give(third.site)
        third.awaitKill()
    }.with(sleepers: [sleeper(0)])
}

private func scribbledWaits(_ victim: Victim) throws {
    let semaphore = try open(victim.site)
    func all() {
        try? semaphore.wait(.suspending, until: Form.scribbled)
        try? semaphore.wait(.cancelled, until: Form.scribbled)
        try? semaphore.signal(1)
        try? semaphore.wait(.suspending, until: .now)
    }
    all()
    try victim.step { all() }
}

private func play(_ victim: Victim, _ who: Int, _ body: (SharedSemaphore) throws -> Void) throws {
    let semaphore = try open(victim.site, victim.site.lasting)
    try semaphore.signal()
    try semaphore.wait()
    try victim.step { try victim.site.doing(who) { try body(semaphore) } }
}

private func check(value: ClosedRange<Int>, _ site: Site) throws {
    let semaphore = try open(site, site.lasting)
    try Violation.unless(value.contains(semaphore.value), "\(semaphore.value) units are left")
}

private let storm = Scenario(
    "semaphore.storm", "four that give and four that take, killed at random",
    storm: Storm(
        workers: (0..<8).map { who in { try stormedSemaphore($0, who, isGiver: who % 2 == 0) } },
        check: { site in
            let semaphore = try open(site, site.lasting)
            let (given, taken) = (site.count(0..<5), site.count(5..<10))
            let expected = given.lowerBound - taken.upperBound...given.upperBound - taken.lowerBound
            try Violation.unless(expected.contains(semaphore.value), "\(semaphore.value) units are left: it should be \(expected)")
        }))

func stormedSemaphore(_ process: Bystander, _ who: Int, isGiver: Bool) throws {
    let site = process.site
    let semaphore = try open(site, site.lasting)
    let place = who / 2 + (isGiver ? 0 : 5)
    while !process.isOver {
        if isGiver {
            if semaphore.value < 1000 { try site.doing(place, 2) { try semaphore.signal(2) } }
        } else {
            site.ledger[Mark.intent + place] += 1
            if try unlessLate({ try semaphore.wait(.of(who / 2), until: .after(.milliseconds(20))) }) {
                site.ledger[Mark.done + place] += 1
            } else {
                site.undone(place)
            }
        }
    }
}
