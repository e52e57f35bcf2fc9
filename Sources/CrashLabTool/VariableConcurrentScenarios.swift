import CrashLab
import Interprocess

/// Several at once: who goes without, schedules, and storms.
let variableConcurrentScenarios: [Scenario] =
    [
        takingGivenUp(.blocking), takingGivenUp(.suspending), takingGivenUp(.cancelled), puttingGivenUp(.blocking),
        puttingGivenUp(.suspending), puttingGivenUp(.cancelled), variableStorm,
    ]
    + [
        Scenario(
            "variable.schedule", "one that puts three values, one that takes two, and one that reads", ["v"],
            Schedule(
                // The third stays: a reader that comes last finds it, where an empty variable would let it wait for ever.
                players: [
                    { try play($0) { variable, site in for _ in 0..<3 { try variable.give(site, 0) } } },
                    { try play($0) { variable, site in for _ in 0..<2 { try variable.fetch(site, 0) } } },
                    { try play($0) { variable, _ in _ = try variable.read().check() } },
                ], check: { try openVariable($0, $0.lasting).checkBalance($0) })),
        Scenario(
            "variable.schedule.put", "two that put a value, and one that takes two", ["v"],
            Schedule(
                players: [
                    { try play($0) { variable, site in try variable.give(site, 0) } },
                    { try play($0) { variable, site in try variable.give(site, 1) } },
                    { try play($0) { variable, site in for _ in 0..<2 { try variable.fetch(site, 0) } } },
                ], check: { try openVariable($0, $0.lasting).checkBalance($0) })),
        Scenario(
            "variable.schedule.take", "two that take a value, and one that puts two", ["v"],
            Schedule(
                players: [
                    { try play($0) { variable, site in try variable.fetch(site, 0) } },
                    { try play($0) { variable, site in try variable.fetch(site, 1) } },
                    { try play($0) { variable, site in for _ in 0..<2 { try variable.give(site, 0) } } },
                ], check: { try openVariable($0, $0.lasting).checkBalance($0) })),
        changing(mayKill: false), changing(mayKill: true),
    ]

private func play(_ victim: Victim, _ body: (SharedVariable<LatestRecord>, Site) throws -> Void) throws {
    let variable = try openVariable(victim.site, victim.site.lasting)
    try SharedVariable<LatestRecord>.warm(victim.site)
    try victim.step { try body(variable, victim.site) }
}

/// Whoever is killed, the others come to their end: the value stays.
private func changing(mayKill: Bool) -> Scenario {
    Scenario(
        "variable.schedule.modify" + (mayKill ? ".kill" : ""),
        "two that change the value, and one that looks at it" + (mayKill ? ", of which one is killed" : ""), ["v"],
        Schedule(
            players: [{ try playChange($0, 0) }, { try playChange($0, 1) }, { try playLook($0) }], mayKill: mayKill,
            check: { site in
                let variable = try openChanged(site)
                let number = Int(try variable.take().check())
                try Violation.unless(site.count().contains(number), "it was changed \(number) times: it should be \(site.count())")
            }))
}

private func openChanged(_ site: Site) throws -> SharedVariable<LatestRecord> {
    try SharedVariable(named: "v", initial: LatestRecord(), options: site.lasting, strategy: .park)
}

private func playChange(_ victim: Victim, _ who: Int) throws {
    let variable = try openChanged(victim.site)
    try SharedVariable<LatestRecord>.warm(victim.site)
    try victim.step { try victim.site.doing(who) { try variable.modify { $0.step() } } }
}

private func playLook(_ victim: Victim) throws {
    let variable = try openChanged(victim.site)
    try SharedVariable<LatestRecord>.warm(victim.site)
    try victim.step {
        let first = try variable.read().check()
        let second = try variable.withValue { try $0.check() }
        try Violation.unless(second >= first, "\(second) after \(first)")
    }
}

private func takingGivenUp(_ form: Form) -> Scenario {
    Scenario(
        "variable.take.give-up" + form.rawValue, "a process that gives up waiting for a value, just when one comes", segments: ["v"],
        survivor: { try variableSurvivor($0, isFull: false, .takers) }
    ) { victim in
        let variable = try openVariable(victim.site)
        try SharedVariable<LatestRecord>.warm(victim.site)
        try victim.step(by: form) { try variable.fetch(victim.site, VariablePlace.victim, form.soon, by: form) }
    } third: { third in
        try openVariable(third.site).give(third.site, VariablePlace.third)
        third.awaitKill()
    }.with(sleepers: [variableSleeper(0, .takers)])
}

private func puttingGivenUp(_ form: Form) -> Scenario {
    Scenario(
        "variable.put.give-up" + form.rawValue, "a process that gives up waiting to put a value, just when one is taken", segments: ["v"],
        survivor: { try variableSurvivor($0, isFull: true, .putters) }
    ) { victim in
        let variable = try openVariable(victim.site)
        try SharedVariable<LatestRecord>.warm(victim.site)
        try victim.step(by: form) { try variable.give(victim.site, VariablePlace.victim, 7, form.soon, by: form) }
    } third: { third in
        try openVariable(third.site).fetch(third.site, VariablePlace.third)
        third.awaitKill()
    }.with(sleepers: [variableSleeper(0, .putters)])
}

private let variableStorm = Scenario(
    "variable.storm", "three that put, three that take, one that reads and one that changes or swaps, killed at random",
    storm: Storm(
        workers: (0..<8).map { who in { try stormedVariable($0, who) } },
        check: { try openVariable($0, $0.lasting).checkBalance($0) }))

func stormedVariable(_ process: Bystander, _ who: Int) throws {
    let site = process.site
    let variable = try openVariable(site, site.lasting)
    func soon() -> Deadline { .after(.milliseconds(20)) }
    while !process.isOver {
        switch who {
        case 0..<3: try variable.give(site, who, UInt64(who), soon(), by: .of(who))
        case 3..<6: try variable.fetch(site, who - 3, soon(), by: .of(who))
        case 6: try unlessLate { _ = try variable.read(until: soon()).check() }
        default:
            try unlessLate { try variable.modify(until: soon()) { $0.step() } }
            try unlessLate { _ = try variable.swap(LatestRecord(9), until: soon()).check() }
        }
    }
}
