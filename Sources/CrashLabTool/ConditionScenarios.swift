import CrashLab
import Interprocess

/// Some who wait for a value to change, and one that changes it and notifies, one of them killed.
let conditionScenarios: [Scenario] =
    [
        notify("condition.notify-one", "a process that changes a value for one that waits", count: 1),
        notify("condition.notify-all", "a process that changes a value for all that wait", count: 2), wait(.blocking),
        wait(.suspending).with(scribbled: scribbledWaits),
        giveUp(.blocking), giveUp(.cancelled), storm,
    ]
    + Scenario.schedules(
        "condition.schedule", "one that notifies, and two that wait", ["m", "c"],
        players: [
            { victim in
                let pair = try Pair(victim.site, victim.site.lasting)
                try pair.change { _ in }
                try victim.step { for _ in 0..<2 { try pair.give() } }
            }, { try play($0) }, { try play($0) },
        ], check: { site in try Pair(site, site.lasting).change { _ in } })

/// What was put there, and what was taken away.
struct Stock: Shareable {
    var put: UInt64 = 0
    var taken: UInt64 = 0
}

/// A value and the condition that goes with it.
private final class Pair: Sendable {
    let mutex: SharedMutex<Stock>
    let condition: SharedCondition

    init(_ site: Site, _ options: SynchronizationOptions? = nil) throws {
        mutex = try SharedMutex(named: "m", initial: Stock(), options: options ?? site.synchronization, strategy: .park)
        condition = try SharedCondition(named: "c", options: options ?? site.synchronization)
    }

    private func repairing<R>(_ body: () throws -> R) throws -> R {
        while true {
            do {
                return try body()
            } catch LockError.inconsistent {
                // Each change is one store.
                _ = try mutex.repair { _, _ in }
            }
        }
    }

    func change(_ body: (inout Stock) throws -> Void) throws { try repairing { try mutex.withLock { try body(&$0) } } }
    var stock: Stock { get throws { try repairing { try mutex.withLock { $0 } } } }

    /// Puts one there, and tells one.
    func give(all: Bool = false, _ count: UInt64 = 1) throws {
        try change { $0.put &+= count }  // Bytes of the segment: they may be scribbled over.
        if all { try condition.notifyAll() } else { try condition.notifyOne() }
    }

    /// Waits for one; or until somebody has died, if `isSatisfiedByDeath`.
    func take(_ form: Form = .blocking, until deadline: @autoclosure () -> Deadline = .never, isSatisfiedByDeath: Bool = false) throws {
        func isReady(_ stock: Stock) -> Bool { stock.put > stock.taken || isSatisfiedByDeath && condition.segment.deathCount > 0 }
        func body(_ stock: inout Stock) { if stock.put > stock.taken { stock.taken &+= 1 } }
        try repairing {
            try form.call {
                try mutex.withLock(when: isReady, on: condition, until: deadline(), body)
            } _: {
                try await mutex.withLock(when: isReady, on: condition, until: deadline(), body)
            }
        }
    }

    /// After a death: whoever can go on does, without another notification, and the others with one.
    func settle(_ site: Site) throws {
        func isIdle() -> Bool { site.asleep == 0 || ((try? stock).map { $0.put == $0.taken } ?? false) }
        hold { isIdle() }
        while site.asleep > 0 {
            try give()
            hold { isIdle() }
        }
        try change { $0 = Stock() }
    }
}

private func survivor(_ site: Site, isRoused: Bool = false) throws -> Survivor {
    let pair = try Pair(site)
    /// Another one may have taken the last.
    func rouse() throws {
        guard isRoused else { return }
        site.ledger[Mark.given] = 1
        try pair.give()
    }
    return Survivor(
        prepare: { site.begin() }, rouse: rouse, meanwhile: { try pair.tryShortly() },
        goOn: {
            if site.ledger[Mark.given] == 0 { try rouse() }
            try pair.settle(site)
        })
}

extension Pair {
    fileprivate func tryShortly(_ form: Form = .blocking) throws {
        try unlessLate { try mutex.withLock(until: .shortly) { _ in } }
        try form.givesUp {
            try form.call {
                try mutex.withLock(when: { _ in false }, on: condition, until: form.briefly) { _ in }
            } _: {
                try await mutex.withLock(when: { _ in false }, on: condition, until: form.briefly) { _ in }
            }
        }
    }

    /// For who may sleep until the victim is dead.
    fileprivate func tryWhateverComes() throws {
        do {
            try tryShortly()
        } catch LockError.inconsistent {}
    }
}

private func sleeper(_ index: Int, _ form: Form = .blocking) -> @Sendable (Bystander) throws -> Void {
    { process in
        let pair = try Pair(process.site)
        try process.sleeping(index) { try pair.take(form) }
    }
}

private let third: @Sendable (Bystander) throws -> Void = { third in
    let pair = try Pair(third.site)
    try pair.tryWhateverComes()
    third.awaitKill()
    try pair.change { _ in }
}

private func notify(_ name: String, _ summary: String, count: UInt64) -> Scenario {
    Scenario(name, summary, segments: ["m", "c"], survivor: { try survivor($0) }) { victim in
        let pair = try Pair(victim.site)
        try pair.give(all: count > 1)
        try pair.take()
        try victim.step { try pair.give(all: count > 1, count) }
    } third: {
        try third($0)
    } scribbled: { victim in
        let pair = try Pair(victim.site)
        func all(_ deadline: Deadline) {
            try? pair.mutex.withLock(until: deadline) { $0.put &+= 1 }
            try? pair.condition.notifyOne()
            try? pair.mutex.withLock(when: { $0.put != $0.taken }, on: pair.condition, until: deadline) { $0.taken = $0.put }
            try? pair.mutex.withLock(when: { _ in false }, on: pair.condition, until: deadline == .never ? .shortly : deadline) { _ in }
            try? pair.condition.notifyOne()
            try? pair.condition.notifyAll()
        }
        all(.now)
        try victim.step { all(victim.deadline) }
    }.with(sleepers: [sleeper(0), sleeper(1)])
}

private func wait(_ form: Form) -> Scenario {
    Scenario(
        "condition.wait" + form.rawValue, "a process that waits for a change", segments: ["m", "c"], victimWaits: true,
        survivor: { try survivor($0, isRoused: true) }
    ) { victim in
        let pair = try Pair(victim.site)
        try pair.tryShortly(form)
        try victim.step(by: form) { try pair.take(form) }
    } third: {
        try third($0)
    }.with(sleepers: [sleeper(0, form), sleeper(1)])
}

private func giveUp(_ form: Form) -> Scenario {
    Scenario(
        "condition.give-up" + form.rawValue, "a process that gives up waiting for a change, just when it comes", segments: ["m", "c"],
        survivor: { try survivor($0) }
    ) { victim in
        let pair = try Pair(victim.site)
        try pair.tryShortly(form)
        try victim.step(by: form) { try form.givesUp { try pair.take(form, until: form.soon) } }
    } third: { third in
        let pair = try Pair(third.site)
        do {
            try unlessLate { try pair.mutex.withLock(until: .shortly) { $0.put &+= 1 } }
        } catch LockError.inconsistent {}
        try pair.condition.notifyOne()
        third.awaitKill()
    }.with(sleepers: [sleeper(0)])
}

private func scribbledWaits(_ victim: Victim) throws {
    let pair = try Pair(victim.site)
    func all() {
        try? pair.take(.suspending, until: Form.scribbled)
        try? pair.take(.cancelled, until: Form.scribbled)
        try? pair.give()
        try? pair.take(.suspending, until: .now)
    }
    all()
    try victim.step { all() }
}

private func play(_ victim: Victim) throws {
    let pair = try Pair(victim.site, victim.site.lasting)
    try pair.tryShortly()
    try victim.step { try pair.take(isSatisfiedByDeath: true) }
}

private let storm = Scenario(
    "condition.storm", "two that put something there and four that wait for it, killed at random",
    storm: Storm(
        workers: (0..<6).map { who in { try stormedCondition($0, who) } },
        check: { site in
            let stock = try Pair(site, site.lasting).stock
            try Violation.unless(stock.taken <= stock.put, "\(stock.taken) were taken of \(stock.put)")
        }))

func stormedCondition(_ process: Bystander, _ who: Int) throws {
    let pair = try Pair(process.site, process.site.lasting)
    while !process.isOver {
        if who < 2 {
            try pair.give(all: who == 0)
        } else {
            try unlessLate { try pair.take(.of(who), until: .after(.milliseconds(20))) }
        }
    }
}
