import CrashLab
import Interprocess

/// Units that come back when their holder is killed.
let permitsScenarios: [Scenario] =
    [
        acquire(.blocking), acquire(.suspending).with(scribbled: nil), release, sleep(.blocking),
        sleep(.suspending).with(scribbled: scribbledWaits), giveUp(.blocking), giveUp(.cancelled), storm,
    ]
    + Scenario.schedules(
        "permits.schedule", "one that gives all units back, one that takes two of three and one that takes one", ["p"],
        players: [
            { victim in
                let permits = try open(victim.site, victim.site.lasting)
                let kept = Holder(try permits.acquire(units))
                try victim.step { kept.value = nil }
            }, { try play($0, 2) }, { try play($0, 1) },
        ],
        check: { site in
            let permits = try open(site, site.lasting)
            try Violation.unless(permits.available == units, "\(permits.available) of \(units) units are there")
        })

private let units = 3

private func open(_ site: Site, _ options: SynchronizationOptions? = nil) throws -> SharedPermits {
    try SharedPermits(named: "p", units: units, options: options ?? site.synchronization, strategy: .park)
}

extension SharedPermits {
    fileprivate func acquire(_ form: Form, _ count: Int, until deadline: @autoclosure () -> Deadline = .never) throws -> Permit {
        let kept = Holder<Permit>(nil)
        try form.call {
            kept.value = try acquire(count, until: deadline())
        } _: {
            kept.value = try await acquire(count, until: deadline())
        }
        guard let permit = kept.value.take() else { throw Violation("no permit came") }
        return permit
    }

    fileprivate func tryShortly() throws {
        try unlessLate { try acquire(2, until: .shortly).release() }
        if let permit = try tryAcquire(1) { permit.release() }
    }

    /// After a death: all units come back, and are there when nobody has them.
    fileprivate func settle(_ site: Site) throws {
        site.awaitSleepers()
        try acquire(units).release()
        hold { available == units }
    }
}

/// - Parameter isHolding: whether the survivor has all units when the victim comes.
private func survivor(_ site: Site, isHolding: Bool) throws -> Survivor {
    let permits = try open(site)
    let kept = Holder<SharedPermits.Permit>(nil)
    return Survivor(
        prepare: {
            site.begin()
            if isHolding { kept.value = try permits.acquire(units) }
        }, rouse: { kept.value = nil }, meanwhile: { try permits.tryShortly() },
        goOn: {
            kept.value = nil
            try permits.settle(site)
        })
}

private func sleeper(_ index: Int, _ count: Int, _ form: Form = .blocking) -> @Sendable (Bystander) throws -> Void {
    { process in
        let permits = try open(process.site)
        let kept = Holder<SharedPermits.Permit>(nil)
        try process.sleeping(index) { kept.value = try permits.acquire(form, count) }
        kept.value = nil
    }
}

private let third: @Sendable (Bystander) throws -> Void = { third in
    let permits = try open(third.site)
    try permits.tryShortly()
    third.awaitKill()
    try permits.tryShortly()
}

private func acquire(_ form: Form) -> Scenario {
    Scenario(
        "permits.acquire" + form.rawValue, "a process that takes two of three units", segments: ["p"],
        survivor: { try survivor($0, isHolding: false) }
    ) { victim in
        let permits = try open(victim.site)
        try permits.acquire(form, 2).release()
        let kept = Holder<SharedPermits.Permit>(nil)
        try victim.step(by: form) { kept.value = try permits.acquire(form, 2) }
    } third: { third in
        let permits = try open(third.site)
        try permits.tryShortly()
        third.awaitKill()
        // It waits for the death to be announced.
        try permits.acquire(units).release()
    } scribbled: { victim in
        let permits = try open(victim.site)
        let kept = Holder<SharedPermits.Permit>(nil)
        func all(_ deadline: Deadline) {
            kept.value = try? permits.acquire(2, until: deadline)
            (try? permits.acquire(1, until: deadline))?.release()
            _ = permits.available
            (try? permits.acquire(2, until: deadline == .never ? .shortly : deadline))?.release()
            kept.value = try? permits.tryAcquire(1)
            kept.value = nil
        }
        all(.now)
        try victim.step(by: form) { all(victim.deadline) }
    }
}

private let release = Scenario(
    "permits.release", "a process that gives three units back for which others wait", segments: ["p"],
    survivor: { try survivor($0, isHolding: false) }
) { victim in
    let permits = try open(victim.site)
    let kept = Holder(try permits.acquire(units))
    try victim.step { kept.value = nil }
} third: {
    try third($0)
}.with(sleepers: [sleeper(0, 1), sleeper(1, 2)])

private func sleep(_ form: Form) -> Scenario {
    Scenario(
        "permits.sleep" + form.rawValue, "a process that waits for two units", segments: ["p"], victimWaits: true,
        survivor: { try survivor($0, isHolding: true) }
    ) { victim in
        let permits = try open(victim.site)
        try unlessLate { try permits.acquire(form, 2, until: .shortly).release() }
        let kept = Holder<SharedPermits.Permit>(nil)
        try victim.step(by: form) { kept.value = try permits.acquire(form, 2) }
    } third: {
        try third($0)
    }.with(sleepers: [sleeper(0, 2, form), sleeper(1, 1)])
}

private func giveUp(_ form: Form) -> Scenario {
    Scenario(
        "permits.give-up" + form.rawValue, "a process that gives up waiting for units", segments: ["p"],
        survivor: { try survivor($0, isHolding: true) }
    ) { victim in
        let permits = try open(victim.site)
        try form.givesUp { try permits.acquire(form, 2, until: form.briefly).release() }
        try victim.step(by: form) { try form.givesUp { try permits.acquire(form, 2, until: form.soon).release() } }
    } third: {
        try third($0)
    }.with(sleepers: [sleeper(0, 2), sleeper(1, 1)])
}

private func scribbledWaits(_ victim: Victim) throws {
    let permits = try open(victim.site)
    let kept = Holder<SharedPermits.Permit>(nil)
    func all() {
        kept.value = try? permits.acquire(.suspending, 2, until: .now)
        (try? permits.acquire(.suspending, 2, until: Form.scribbled))?.release()
        (try? permits.acquire(.cancelled, 1, until: Form.scribbled))?.release()
        kept.value = nil
    }
    all()
    try victim.step { all() }
}

private func play(_ victim: Victim, _ count: Int) throws {
    let permits = try open(victim.site, victim.site.lasting)
    _ = try permits.tryAcquire(1)
    try victim.step { try permits.acquire(count).release() }
}

private let storm = Scenario(
    "permits.storm", "eight that take one to three of three units, killed at random",
    storm: Storm(
        workers: (0..<8).map { who in { try stormedPermits($0, who) } },
        check: { site in
            let permits = try open(site, site.lasting)
            hold { permits.available == units }
        }))

func stormedPermits(_ process: Bystander, _ who: Int) throws {
    let permits = try open(process.site, process.site.lasting)
    while !process.isOver {
        let permit = try permits.acquire(.of(who), 1 + who % units)
        try Violation.unless(
            (0...units - permit.count).contains(permits.available), "\(permits.available) units are there beside \(permit.count)")
        permit.release()
    }
}
