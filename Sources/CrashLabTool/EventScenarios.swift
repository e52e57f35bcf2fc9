import CrashLab
import Interprocess

/// Something that happens, while one that says so or waits for it is killed.
let eventScenarios: [Scenario] =
    [
        setting("event.set", "a process that sets an event", .manual),
        setting("event.set-automatic", "a process that sets an event that resets itself", .automatic),
        waiting("event.wait", "a process that waits for an event", .manual),
        waiting("event.wait-automatic", "a process that waits for an event that resets itself", .automatic),
        waiting("event.wait", "a process that waits for an event", .manual, .suspending).with(scribbled: scribbledWaits),
        waiting("event.wait-automatic", "a process that waits for an event that resets itself", .automatic, .suspending), resetting,
        giveUp(.blocking), giveUp(.cancelled), storm,
        Scenario(
            "event.schedule", "one that sets an event, and two that wait", ["e"],
            Schedule(
                players: [
                    { try play($0, .manual) { try $0.set() } }, { try play($0, .manual) { try $0.wait() } },
                    { try play($0, .manual) { try $0.wait() } },
                ], check: { site in try Violation.unless(try open(site, .manual, site.lasting).isSet, "it is not set") })),
        Scenario(
            "event.schedule-automatic", "one that sets an event that resets itself, and two that pass it on", ["e"],
            Schedule(
                players: [
                    { try play($0, .automatic) { try $0.set() } }, { try play($0, .automatic) { try $0.passOn() } },
                    { try play($0, .automatic) { try $0.passOn() } },
                ], check: { site in try Violation.unless(try open(site, .automatic, site.lasting).isSet, "it was set, and is not") })),
        Scenario(
            "event.schedule.kill", "two that set an event that resets itself, of which one may be killed, and one that waits", ["e"],
            Schedule(
                players: [
                    { try play($0, .automatic) { try $0.set() } }, { try play($0, .automatic) { try $0.set() } },
                    { try play($0, .automatic) { try $0.wait() } },
                ], mayKill: true, check: { site in _ = try open(site, .automatic, site.lasting).tryWait() })),
    ]

private func open(_ site: Site, _ kind: SharedEvent.Reset, _ options: SynchronizationOptions? = nil) throws -> SharedEvent {
    try SharedEvent(named: "e", resetting: kind, options: options ?? site.synchronization, strategy: .park)
}

extension SharedEvent {
    fileprivate func wait(_ form: Form, until deadline: @autoclosure () -> Deadline = .never) throws {
        try form.call {
            try wait(until: deadline())
        } _: {
            try await wait(until: deadline())
        }
    }

    fileprivate func passOn() throws {
        try wait()
        try set()
    }

    /// Without letting anybody through who would not have come through.
    fileprivate func tryShortly() throws { if try unlessLate({ try wait(until: .shortly) }), resetting == .automatic { try set() } }

    /// After a death: who can come through does, and the others when it is set.
    fileprivate func settle(_ site: Site) throws {
        func isIdle() -> Bool { site.asleep == 0 || !isSet }
        hold { isIdle() }
        while site.asleep > 0 {
            try set()
            hold { isIdle() }
        }
        try reset()
        try Violation.unless(try !tryWait(), "it was reset, and lets one through")
    }
}

private func survivor(_ site: Site, _ kind: SharedEvent.Reset, isRoused: Bool = false, isSetter: Bool = false) throws -> Survivor {
    let event = try open(site, kind)
    func rouse() throws {
        if isRoused { try event.set() }
        site.ledger[Mark.given] = 1
    }
    return Survivor(
        prepare: { site.begin() }, rouse: rouse, meanwhile: { try event.tryShortly() },
        goOn: {
            try Violation.unless(!isSetter || !site.isDone || event.isSet || site.slept > 0, "it was set, and is not")
            if isSetter, !event.isSet, kind == .manual { try Violation.unless(!site.isDone, "it was set, and is not") }
            if site.ledger[Mark.given] == 0 { try rouse() }
            try event.settle(site)
        })
}

private func sleeper(_ index: Int, _ kind: SharedEvent.Reset, _ form: Form = .blocking) -> @Sendable (Bystander) throws -> Void {
    { process in
        let event = try open(process.site, kind)
        try process.sleeping(index) { try event.wait(form) }
    }
}

private func third(_ kind: SharedEvent.Reset) -> @Sendable (Bystander) throws -> Void {
    { third in
        let event = try open(third.site, kind)
        try event.tryShortly()
        third.awaitKill()
        try event.tryShortly()
    }
}

private func setting(_ name: String, _ summary: String, _ kind: SharedEvent.Reset) -> Scenario {
    Scenario(name, summary, segments: ["e"], survivor: { try survivor($0, kind, isSetter: true) }) { victim in
        let event = try open(victim.site, kind)
        try event.set()
        try event.reset()
        try victim.step { try victim.site.doing { try event.set() } }
    } third: {
        try third(kind)($0)
    } scribbled: { victim in
        let event = try open(victim.site, kind)
        func all(_ deadline: Deadline) {
            try? event.set()
            try? event.wait(until: deadline)
            try? event.reset()
            try? event.wait(until: deadline == .never ? .shortly : deadline)
            try? event.set()
            _ = try? event.tryWait()
        }
        all(.now)
        try victim.step { all(victim.deadline) }
    }.with(sleepers: [sleeper(0, kind), sleeper(1, kind)])
}

private func waiting(_ name: String, _ summary: String, _ kind: SharedEvent.Reset, _ form: Form = .blocking) -> Scenario {
    Scenario(name + form.rawValue, summary, segments: ["e"], victimWaits: true, survivor: { try survivor($0, kind, isRoused: true) }) {
        victim in
        let event = try open(victim.site, kind)
        try unlessLate { try event.wait(form, until: .shortly) }
        try victim.step(by: form) { try event.wait(form) }
    } third: {
        try third(kind)($0)
    }.with(sleepers: [sleeper(0, kind), sleeper(1, kind, form)])
}

private let resetting = Scenario(
    "event.reset", "a process that resets an event", segments: ["e"],
    survivor: { site in
        let event = try open(site, .manual)
        return Survivor(
            prepare: {
                site.begin()
                try event.set()
            },
            goOn: {
                try Violation.unless(!site.isDone || !event.isSet, "it was reset, and is set")
                try event.settle(site)
            })
    }
) { victim in
    let event = try open(victim.site, .manual)
    try event.reset()
    try event.set()
    try victim.step { try victim.site.doing { try event.reset() } }
} third: {
    try third(.manual)($0)
}

private func giveUp(_ form: Form) -> Scenario {
    Scenario(
        "event.give-up" + form.rawValue, "a process that gives up waiting for an event that resets itself, just when it comes",
        segments: ["e"],
        survivor: { try survivor($0, .automatic) }
    ) { victim in
        let event = try open(victim.site, .automatic)
        try form.givesUp { try event.wait(form, until: form.briefly) }
        try victim.step(by: form) { try form.givesUp { try event.wait(form, until: form.soon) } }
    } third: { third in
        try open(third.site, .automatic).set()
        third.awaitKill()
    }.with(sleepers: [sleeper(0, .automatic)])
}

private func scribbledWaits(_ victim: Victim) throws {
    let event = try open(victim.site, .manual)
    func all() {
        try? event.wait(.suspending, until: Form.scribbled)
        try? event.wait(.cancelled, until: Form.scribbled)
    }
    all()
    try victim.step { all() }
}

private func play(_ victim: Victim, _ kind: SharedEvent.Reset, _ body: (SharedEvent) throws -> Void) throws {
    let event = try open(victim.site, kind, victim.site.lasting)
    try event.set()
    try event.reset()
    try victim.step { try body(event) }
}

private let storm = Scenario(
    "event.storm", "four that set an event that resets itself and four that wait for it, killed at random",
    storm: Storm(
        workers: (0..<8).map { who in { try stormedEvent($0, who) } },
        check: { site in
            let event = try open(site, .automatic, site.lasting)
            try event.set()
            try Violation.unless(try event.tryWait(), "it was set, and lets nobody through")
        }))

func stormedEvent(_ process: Bystander, _ who: Int) throws {
    let event = try open(process.site, .automatic, process.site.lasting)
    while !process.isOver {
        if who % 2 == 0 { try event.set() } else { try unlessLate { try event.wait(.of(who / 2), until: .after(.milliseconds(20))) } }
    }
}
