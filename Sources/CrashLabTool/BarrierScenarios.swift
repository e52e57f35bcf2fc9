import CrashLab
import Interprocess

/// Parties that wait for one another, one of them killed.
let barrierScenarios: [Scenario] =
    [
        joining, last(.blocking), last(.suspending), closing, sleep(.blocking), sleep(.suspending).with(scribbled: scribbledWaits),
        cancelling, storm,
    ]
    + Scenario.schedules(
        "barrier.schedule", "two that come together twice", ["b"], players: [{ try play($0) }, { try play($0) }],
        check: { site in
            let barrier = try open(site, site.lasting)
            let deaths = site.count().upperBound - site.count().lowerBound
            try Violation.unless(
                barrier.phase == 2 || deaths > 0 && (2...3).contains(barrier.phase), "\(barrier.phase) phases have ended")
        })

private func open(_ site: Site, _ options: SynchronizationOptions? = nil, parties: Int = 2) throws -> SharedBarrier {
    try SharedBarrier(named: "b", parties: parties, options: options ?? site.synchronization, strategy: .park)
}

extension SharedBarrier {
    /// Waits until all who are left have come; how often a death was told.
    fileprivate func come(_ form: Form = .blocking) throws -> Int {
        var told = 0
        while true {
            do {
                try wait(form)
                return told
            } catch RendezvousError.peerDied(let notice) {
                told += 1
                try Violation.unless(notice.held.contains(.party), "the notice does not say what the dead one was: \(notice)")
            }
        }
    }
}

extension SharedBarrier {
    fileprivate func wait(_ form: Form, until deadline: @autoclosure () -> Deadline = .never) throws {
        _ = try form.call {
            try wait(until: deadline())
        } _: {
            try await wait(until: deadline())
        }
    }
}

/// Is a party, and sleeps until the victim has come, or is gone.
private let sleeper: @Sendable (Bystander) throws -> Void = { process in
    let site = process.site
    let barrier = try open(site)
    let phase = barrier.phase
    try process.sleeping(0) {
        let told = try barrier.come()
        try Violation.unless(told <= 1, "one death was told \(told) times")
        try Violation.unless(told == 0 || !site.isDone, "a death was told although the phase had ended before it")
        try Violation.unless(barrier.phase == phase &+ 1, "\(barrier.phase &- phase) phases have ended")
    }
}

private let third: @Sendable (Bystander) throws -> Void = { third in
    do {
        let barrier = try open(third.site)
        // The victim has left already, or has not come yet.
        third.awaitKill()
        withExtendedLifetime(barrier) {}
    } catch let error as InterprocessError where error.code == .busy {
        third.awaitKill()
    }
}

private let joining = Scenario(
    "barrier.open", "a process that becomes a party", segments: ["b"],
    survivor: { site in
        let barrier = try open(site)
        return Survivor(
            prepare: { site.begin() },
            meanwhile: { try unlessLate { _ = try barrier.wait(until: .shortly) } },
            goOn: {
                try barrier.segment.awaitPeers(1)
                hold { barrier.members == 1 }
                // Another one takes the place.
                do {
                    let fresh = try open(site)
                    try unlessLate { _ = try fresh.wait(until: .now) }
                }
                let told = try barrier.come()
                try Violation.unless(told == 1 || told == 0 && !site.isDone, "the death of a party was told \(told) times")
            })
    }
) { victim in
    do { _ = try SharedBarrier(named: "warm", parties: 2, options: victim.site.synchronization) }
    let kept = Holder<SharedBarrier>(nil)
    try victim.step {
        do {
            try victim.site.doing { kept.value = try open(victim.site) }
        } catch let error as InterprocessError where error.code == .busy {
            // The third was faster.
            victim.site.undone()
        }
    }
} third: {
    try third($0)
} scribbled: { victim in
    let barrier = try open(victim.site)
    let kept = Holder(try open(victim.site))
    func all(_ deadline: Deadline) {
        _ = try? barrier.wait(until: deadline)
        _ = barrier.members
        _ = try? kept.value?.wait(until: deadline)
        kept.value = nil
        _ = try? barrier.wait(until: deadline)
        kept.value = try? open(victim.site)
    }
    all(.now)
    try victim.step { all(victim.deadline == .never ? .shortly : victim.deadline) }
}

private func ending(
    _ name: String, _ summary: String, _ form: Form = .blocking, _ body: @escaping @Sendable (Site, Holder<SharedBarrier>) throws -> Void
) -> Scenario {
    Scenario(
        name, summary, segments: ["b"], needsSleepers: true,
        survivor: { site in Survivor(prepare: { site.begin() }, goOn: { site.awaitSleepers() }) }
    ) { victim in
        let kept = Holder(try open(victim.site))
        try unlessLate { try kept.value?.wait(form, until: .shortly) }
        try victim.step { try victim.site.doing { try body(victim.site, kept) } }
    } sleepers: { process in
        try sleeper(process)
    } third: {
        try third($0)
    }
}

private func last(_ form: Form) -> Scenario {
    ending("barrier.wait" + form.rawValue, "a party that comes last", form) { _, kept in _ = try kept.value?.come(form) }
}
private let closing = ending("barrier.close", "a party that leaves, with another waiting") { _, kept in kept.value = nil }

private func sleep(_ form: Form) -> Scenario {
    Scenario(
        "barrier.sleep" + form.rawValue, "a party that waits for another", segments: ["b"], victimWaits: true,
        survivor: { site in
            let barrier = try open(site)
            var isRoused = false
            var told = 0
            func rouse() throws {
                do {
                    // The victim may not have come yet.
                    if !isRoused { isRoused = try unlessLate { _ = try barrier.wait(until: .shortly) } }
                } catch RendezvousError.peerDied {
                    // It has stopped in the lock, and was killed there.
                    told += 1
                }
            }
            return Survivor(
                prepare: {
                    site.begin()
                    (isRoused, told) = (false, 0)
                }, rouse: rouse, meanwhile: rouse,
                goOn: {
                    let phase = barrier.phase
                    told += try barrier.come()
                    try Violation.unless(!site.isDone || isRoused, "a party came through alone")
                    try Violation.unless(barrier.phase == phase &+ 1, "\(barrier.phase &- phase) phases have ended")
                    // Who had come before it died has come, until its death is announced: then the next call tells of it.
                    if told == 0 {
                        told += try barrier.come()
                        try Violation.unless(barrier.phase == phase &+ 2, "\(barrier.phase &- phase) phases have ended after the next call")
                    }
                    try Violation.unless(told == 1, "the death of a party was told \(told) times")
                })
        }
    ) { victim in
        let barrier = try open(victim.site)
        try unlessLate { try barrier.wait(form, until: .now) }
        try victim.step { try victim.site.doing { _ = try barrier.come(form) } }
    } third: {
        try third($0)
    }
}

/// It has come for a moment, and takes that back.
private let cancelling = Scenario(
    "barrier.give-up.cancel", "a party that comes, and whose task is cancelled while it waits", segments: ["b"],
    survivor: { site in
        let barrier = try open(site)
        var (phase, ended) = (barrier.phase, UInt32(0))
        return Survivor(
            prepare: {
                site.begin()
                (phase, ended) = (barrier.phase, 0)
            },
            meanwhile: {
                // The victim may have come just now.
                if try unlessLate({ try barrier.wait(until: .shortly) }) { ended = 1 }
            },
            goOn: {
                try Violation.unless(
                    barrier.phase == phase &+ ended, "a party came through alone: \(barrier.phase &- phase) phases have ended")
                let told = try barrier.come() + barrier.come()
                try Violation.unless(told == 1, "the death of a party was told \(told) times")
                try Violation.unless(barrier.phase == phase &+ ended &+ 2, "\(barrier.phase &- phase) phases have ended")
            })
    }
) { victim in
    let barrier = try open(victim.site)
    try Form.cancelled.givesUp { try barrier.wait(.cancelled) }
    try victim.step { try Form.cancelled.givesUp { try barrier.wait(.cancelled) } }
} third: {
    try third($0)
}

private func scribbledWaits(_ victim: Victim) throws {
    let barrier = try open(victim.site)
    let other = try open(victim.site)
    func all() {
        _ = try? other.wait(until: .now)
        try? barrier.wait(.suspending, until: Form.scribbled)
        try? barrier.wait(.cancelled, until: Form.scribbled)
    }
    all()
    try victim.step { all() }
}

private func play(_ victim: Victim) throws {
    let barrier = try open(victim.site, victim.site.lasting)
    try unlessLate { _ = try barrier.wait(until: .now) }
    try victim.step { for _ in 0..<2 { try victim.site.doing { try Violation.unless(try barrier.come() <= 1, "told twice") } } }
}

private let storm = Scenario(
    "barrier.storm", "four parties that come together again and again, killed at random",
    storm: Storm(
        workers: (0..<4).map { who in { try stormedBarrier($0, who, parties: 4) } },
        check: { site in _ = try open(site, site.lasting, parties: 4).phase }))

func stormedBarrier(_ process: Bystander, _ who: Int, parties: Int) throws {
    let barrier: SharedBarrier
    while true {
        do {
            barrier = try open(process.site, process.site.lasting, parties: parties)
            break
        } catch let error as InterprocessError where error.code == .busy {
            // The one before is not off the table yet.
            if process.isOver { return }
        }
    }
    while !process.isOver {
        do {
            try unlessLate { try barrier.wait(.of(who), until: .after(.milliseconds(20))) }
        } catch RendezvousError.peerDied {}
    }
}
