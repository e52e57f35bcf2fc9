import CrashLab
import Interprocess

/// A count that goes down to zero, while one that counts or waits is killed.
let latchScenarios: [Scenario] =
    [
        counting("latch.count-down", "a process that counts down, but not to zero", count: 2),
        counting("latch.open", "a process that counts down to zero", count: 1), wait(.blocking),
        wait(.suspending).with(scribbled: scribbledWaits), wait(.cancelled), storm,
    ]
    + Scenario.schedules(
        "latch.schedule", "two that count down, and one that waits", ["c"],
        players: [{ try play($0, 0) }, { try play($0, 1) }, { try play($0, 2) }],
        check: { site in
            let latch = try open(site, 2, site.lasting)
            try Violation.unless(site.count(0..<2).contains(2 - latch.count), "\(latch.count) are left")
        })

private let name: ObjectName = "c"
private let told = Mark.reached

private func open(_ site: Site, _ count: Int, _ options: SynchronizationOptions? = nil) throws -> SharedLatch {
    try SharedLatch(named: name, count: count, options: options ?? site.synchronization, strategy: .park)
}

extension SharedLatch {
    /// Waits until it is open, and says how many deaths it was told of.
    fileprivate func pass(_ site: Site, _ form: Form = .blocking) throws {
        while true {
            do {
                return try wait(form)
            } catch RendezvousError.peerDied {
                site.ledger[told] += 1
            }
        }
    }

    fileprivate func wait(_ form: Form, until deadline: @autoclosure () -> Deadline = .never) throws {
        try form.call {
            try wait(until: deadline())
        } _: {
            try await wait(until: deadline())
        }
    }
}

/// Makes a new latch for each victim, since it opens once.
private func survivor(_ site: Site, _ count: Int, isCounted: Bool) throws -> Survivor {
    let kept = Holder<SharedLatch>(nil)
    func rouse() throws { try kept.value?.countDown(by: count) }
    return Survivor(
        prepare: {
            site.begin()
            kept.value = nil
            _ = try? site.directory.remove(name)
            kept.value = try open(site, count)
        }, rouse: rouse,
        meanwhile: { try unlessLate { try kept.value?.wait(until: .shortly) } },
        goOn: {
            guard let latch = kept.value else { return }
            if isCounted {
                try Violation.unless(
                    site.count().contains(count - latch.count), "\(latch.count) of \(count) are left: the victim counted \(site.count())")
                // Who waits for one that has died is told.
                if latch.count == count { hold { site.asleep == 0 || site.ledger[told] > 0 } }
                if latch.count > 0 { try latch.countDown(by: latch.count) }
            } else {
                try rouse()
            }
            site.awaitSleepers()
            try Violation.unless(site.ledger[told] <= 1, "one death was told \(site.ledger[told]) times")
            try Violation.unless(!site.isDone || !isCounted || site.ledger[told] == 0, "the death of one that had counted down is told")
            try Violation.unless(latch.isOpen, "it is not open")
        })
}

/// It may sleep until the victim is dead.
private let third: @Sendable (Bystander) throws -> Void = { third in
    let latch = try open(third.site, Int(third.site.ledger[Mark.given]))
    try latch.waitShortly()
    third.awaitKill()
    try latch.waitShortly()
}

extension SharedLatch {
    fileprivate func waitShortly(_ form: Form = .blocking) throws {
        do {
            try unlessLate { try wait(form, until: .shortly) }
        } catch RendezvousError.peerDied {}
    }
}

private func counting(_ name: String, _ summary: String, count: Int) -> Scenario {
    Scenario(name, summary, segments: ["c"], survivor: { try survivor($0, count, isCounted: true) }) { victim in
        let latch = try open(victim.site, count)
        victim.site.ledger[Mark.given] = UInt64(count)
        // On another one: counting down by nothing is counting down as well.
        try SharedLatch(named: "warm", count: 2, options: victim.site.synchronization).countDown()
        try unlessLate { try latch.wait(until: .shortly) }
        try victim.step { try victim.site.doing { try latch.countDown() } }
    } sleepers: { process in
        let latch = try open(process.site, count)
        try process.sleeping(0) { try latch.pass(process.site) }
    } third: {
        try third($0)
    } scribbled: { victim in
        let latch = try open(victim.site, count)
        func all(_ deadline: Deadline) {
            try? latch.wait(until: deadline == .never ? .shortly : deadline)
            try? latch.countDown(by: deadline == .now ? 0 : 1)
            try? latch.wait(until: deadline == .never ? .shortly : deadline)
            _ = latch.isOpen
        }
        all(.now)
        try victim.step { all(victim.deadline) }
    }
}

private func wait(_ form: Form) -> Scenario {
    Scenario(
        "latch.wait" + form.rawValue, "a process that waits for a count", segments: ["c"], victimWaits: form != .cancelled,
        survivor: { try survivor($0, 1, isCounted: false) }
    ) { victim in
        let latch = try open(victim.site, 1)
        victim.site.ledger[Mark.given] = 1
        try form.givesUp { try latch.wait(form, until: form.briefly) }
        try victim.step(by: form) {
            // Nobody opens it while it is there, but for who rouses one that sleeps.
            let isThrough = try form.givesUp { try latch.wait(form) }
            try Violation.unless(isThrough == (form != .cancelled), "it came through a latch that is closed")
        }
    } sleepers: { process in
        let latch = try open(process.site, 1)
        try process.sleeping(0) { try latch.pass(process.site, form == .cancelled ? .blocking : form) }
    } third: {
        try third($0)
    }
}

private func scribbledWaits(_ victim: Victim) throws {
    let latch = try open(victim.site, 1)
    func all() {
        try? latch.wait(.suspending, until: Form.scribbled)
        try? latch.wait(.cancelled, until: Form.scribbled)
    }
    all()
    try victim.step { all() }
}

private func play(_ victim: Victim, _ who: Int) throws {
    let latch = try open(victim.site, 2, victim.site.lasting)
    try SharedLatch(named: "warm", count: 2, options: victim.site.synchronization).countDown()
    try unlessLate { try latch.wait(until: .now) }
    try victim.step {
        if who < 2 { return try victim.site.doing(who) { try latch.countDown() } }
        do throws(RendezvousError) {
            try latch.wait()
        } catch {
            guard case .peerDied = error else { throw error }
        }
    }
}

private let most = 1 << 24

private let storm = Scenario(
    "latch.storm", "eight that count down and wait for a moment, killed at random",
    storm: Storm(
        workers: (0..<8).map { who in { try stormedLatch($0, who) } },
        check: { site in
            let latch = try open(site, most, site.lasting)
            try Violation.unless(
                site.count().contains(most - latch.count), "\(most - latch.count) were counted: it should be \(site.count())")
        }))

func stormedLatch(_ process: Bystander, _ who: Int) throws {
    let latch = try open(process.site, most, process.site.lasting)
    while !process.isOver {
        try process.site.doing(who) { try latch.countDown() }
        try latch.waitShortly(.of(who))
    }
}
