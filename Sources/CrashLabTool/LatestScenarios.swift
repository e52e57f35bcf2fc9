import CrashLab
import Interprocess

/// A latest value, while one that stores it, changes it, waits for it or opens it is killed.
let latestScenarios: [Scenario] =
    [
        storing(.blocking), storing(.suspending).with(scribbled: { try callInTasks($0) }), changing(.blocking), changing(.suspending),
        waiting(.blocking), waiting(.suspending), waitingCancelled,
        attaching("latest.open", "a process that opens a latest value", isClosed: false),
        attaching("latest.close", "a process that closes a latest value", isClosed: true), storm,
    ]
    + Scenario.schedules(
        "latest.schedule", "two that change a latest value, and one that reads and waits", ["v"],
        players: [{ try playWriter($0, 0) }, { try playWriter($0, 1) }, { try playReader($0) }],
        check: { site in try openLatest(site, site.lasting).check(site) })

/// More than a cache line, so that it takes many instructions.
struct LatestRecord: Shareable {
    /// How often the value was changed, in every word.
    var numbers = InlineArray<12, UInt64>(repeating: 0)

    init(_ number: UInt64 = 0) { numbers = InlineArray(repeating: number) }

    mutating func step() { for index in numbers.indices { numbers[index] &+= 1 } }

    /// Its number, which every word says.
    func check() throws -> UInt64 {
        for index in numbers.indices {
            try Violation.unless(numbers[index] == numbers[0], "the value is torn: \(numbers[0]) and \(numbers[index])")
        }
        return numbers[0]
    }
}

private func openLatest(_ site: Site, _ options: SynchronizationOptions? = nil, _ name: ObjectName = "v") throws -> LatestValue<
    LatestRecord
> {
    try LatestValue(named: name, initial: LatestRecord(), options: options ?? site.synchronization, strategy: .park)
}

extension LatestValue<LatestRecord> {
    /// The newest value is whole, and is what its number says.
    @discardableResult
    fileprivate func look() throws -> UInt64 {
        let version = try loadVersioned()
        let number = try version.value.check()
        try Violation.unless(number == version.sequence, "version \(version.sequence) says that it is \(number)")
        return number
    }

    /// Each change was made once, and those of the dead once or not at all.
    fileprivate func check(_ site: Site, _ who: Range<Int> = 0..<10) throws {
        let number = Int(try look())
        try Violation.unless(site.count(who).contains(number), "it was changed \(number) times: it should be \(site.count(who))")
    }

    fileprivate func tryShortly() throws {
        try look()
        try unlessLate { _ = try wait(after: sequence, until: .shortly) }
    }

    /// Stores what it has read: for one that is the only writer.
    fileprivate func storeNext() throws { try store(LatestRecord(look() + 1)) }

    fileprivate func store(_ value: LatestRecord, by form: Form, until deadline: @autoclosure () -> Deadline = .never) throws {
        _ = try form.call {
            try store(value, until: deadline())
        } _: {
            try await store(value, until: deadline())
        }
    }

    fileprivate func step(_ form: Form, until deadline: @autoclosure () -> Deadline = .never) throws {
        try form.call {
            try update(until: deadline()) { $0.step() }
        } _: {
            try await update(until: deadline()) { $0.step() }
        }
    }

    /// The next version, which must be whole.
    fileprivate func awaitNext(after seen: UInt64, _ form: Form, until deadline: @autoclosure () -> Deadline = .never) throws {
        let version = try form.call {
            try next(after: seen, until: deadline())
        } _: {
            try await next(after: seen, until: deadline())
        }
        try Violation.unless(try version.value.check() == version.sequence && version.sequence > seen, "not the next version")
    }

    /// Once before the operation, on an object of its own, so that everything is bound.
    fileprivate static func warm(_ site: Site) throws {
        let latest = try openLatest(site, nil, "warm")
        try latest.storeNext()
        try latest.update { $0.step() }
        try latest.tryShortly()
        try latest.step(.suspending)
        try unlessLate { try latest.awaitNext(after: latest.sequence, .suspending, until: .shortly) }
    }
}

/// Counts the changes from the number that the value had before the victim.
private func survivor(_ site: Site, isCounted: Bool) throws -> Survivor {
    let latest = try openLatest(site)
    var before: UInt64 = 0
    func rouse() throws {
        site.ledger[Mark.given] += 1
        try latest.update { $0.step() }
    }
    return Survivor(
        prepare: {
            site.begin()
            before = try latest.look()
        }, rouse: isCounted ? nil : rouse, meanwhile: { try latest.tryShortly() },
        goOn: {
            let changed = Int(try latest.look() - before) - Int(site.ledger[Mark.given])
            try Violation.unless(
                site.count().contains(changed), "it was changed \(changed) times by the killed: it should be \(site.count())")
            // The next writer goes on at once, and who sleeps comes through.
            let next = try latest.look() + 1
            try latest.update { $0.step() }
            try Violation.unless(try latest.look() == next, "a change is lost")
            site.awaitSleepers()
        })
}

/// Waits for the next change.
private func sleeper(_ index: Int, _ form: Form = .blocking) -> @Sendable (Bystander) throws -> Void {
    { process in
        let latest = try openLatest(process.site)
        let seen = try latest.look()
        try process.sleeping(index) { try latest.awaitNext(after: seen, form) }
    }
}

/// Reads, and stores as far as it can, while the victim stands at its point.
private let third: @Sendable (Bystander) throws -> Void = { third in
    let latest = try openLatest(third.site)
    func change(_ deadline: Deadline) throws {
        try unlessLate {
            try latest.update(until: deadline) { $0.step() }
            third.site.ledger[Mark.given] += 1
        }
    }
    try latest.look()
    try change(.shortly)
    try latest.look()
    third.awaitKill()
    try latest.look()
    try change(.never)
    try latest.look()
}

private func callEverything(_ latest: LatestValue<LatestRecord>, _ deadline: Deadline) {
    _ = try? latest.load()
    _ = try? latest.store(LatestRecord(7), until: deadline)
    _ = try? latest.update(until: deadline) { $0.step() }
    _ = try? latest.wait(after: 1 << 40, until: deadline == .never ? .shortly : deadline)
    _ = try? latest.next(after: 0, until: deadline == .never ? .shortly : deadline)
    _ = try? latest.sequence
}

private func storing(_ form: Form) -> Scenario {
    Scenario(
        "latest.store" + form.rawValue, "a process that stores a latest value", segments: ["v"],
        survivor: { try survivor($0, isCounted: true) }
    ) { victim in
        let latest = try openLatest(victim.site)
        try LatestValue<LatestRecord>.warm(victim.site)
        // While a third changes it too, what is stored must be the number that it gets.
        let next = LatestRecord(try latest.look() + 1)
        try victim.step(by: form) { try victim.site.doing { try latest.store(next, by: form) } }
    } scribbled: { victim in
        let latest = try openLatest(victim.site)
        callEverything(latest, .now)
        try victim.step { callEverything(latest, victim.deadline) }
    }.with(sleepers: [sleeper(0), sleeper(1, form)])
}

private func changing(_ form: Form) -> Scenario {
    Scenario(
        "latest.update" + form.rawValue, "a process that changes a latest value while another does", segments: ["v"],
        survivor: { try survivor($0, isCounted: true) }
    ) { victim in
        let latest = try openLatest(victim.site)
        try LatestValue<LatestRecord>.warm(victim.site)
        try victim.step(by: form) { try victim.site.doing { try latest.step(form) } }
    } third: {
        try third($0)
    }.with(sleepers: [sleeper(0), sleeper(1, form)])
}

private func waiting(_ form: Form) -> Scenario {
    Scenario(
        "latest.wait" + form.rawValue, "a process that waits for the next version, and loads it", segments: ["v"], victimWaits: true,
        survivor: { try survivor($0, isCounted: false) }
    ) { victim in
        let latest = try openLatest(victim.site)
        try LatestValue<LatestRecord>.warm(victim.site)
        let seen = try latest.look()
        try victim.step(by: form) { try latest.awaitNext(after: seen, form) }
    } third: {
        try third($0)
    }.with(sleepers: [sleeper(0), sleeper(1, form)])
}

private let waitingCancelled = Scenario(
    "latest.wait.cancel", "a process that waits for the next version, and whose task is cancelled", segments: ["v"],
    survivor: { try survivor($0, isCounted: true) }
) { victim in
    let latest = try openLatest(victim.site)
    try LatestValue<LatestRecord>.warm(victim.site)
    let seen = try latest.look()
    try victim.step(by: .cancelled) { try Form.cancelled.givesUp { try latest.awaitNext(after: seen, .cancelled) } }
} third: {
    try third($0)
}.with(sleepers: [sleeper(0), sleeper(1)])

private func callInTasks(_ victim: Victim) throws {
    let latest = try openLatest(victim.site)
    func all() {
        try? latest.store(LatestRecord(7), by: .suspending, until: Form.scribbled)
        try? latest.step(.suspending, until: Form.scribbled)
        try? latest.awaitNext(after: 1 << 40, .suspending, until: Form.scribbled)
        try? latest.awaitNext(after: 1 << 40, .cancelled, until: Form.scribbled)
        try? latest.awaitNext(after: 0, .suspending, until: Form.scribbled)
    }
    all()
    try victim.step { all() }
}

private func attaching(_ scenario: String, _ summary: String, isClosed: Bool) -> Scenario {
    Scenario(scenario, summary, segments: ["v"]) { site in
        let latest = try openLatest(site)
        return Survivor(
            meanwhile: { try latest.tryShortly() },
            goOn: {
                try latest.segment.awaitPeers(1)
                try openLatest(site).update { $0.step() }
                try latest.look()
            })
    } victim: { victim in
        let kept = Holder(try openLatest(victim.site, nil, isClosed ? "v" : "warm"))
        if !isClosed { kept.value = nil }
        try victim.step { kept.value = isClosed ? nil : try openLatest(victim.site) }
    } third: { third in
        let latest = try openLatest(third.site)
        try latest.tryShortly()
        third.awaitKill()
        try latest.tryShortly()
    }
}

private func playWriter(_ victim: Victim, _ who: Int) throws {
    let latest = try openLatest(victim.site, victim.site.lasting)
    try LatestValue<LatestRecord>.warm(victim.site)
    try victim.step {
        for _ in 0..<2 { try victim.site.doing(who) { try latest.update { $0.step() } } }
    }
}

/// Loads while the writers are at it, and waits for what each of them does at least once.
private func playReader(_ victim: Victim) throws {
    let latest = try openLatest(victim.site, victim.site.lasting)
    try LatestValue<LatestRecord>.warm(victim.site)
    try victim.step {
        var last = try latest.look()
        for _ in 0..<2 {
            let number = try latest.look()
            try Violation.unless(number >= last, "version \(number) after \(last)")
            last = number
        }
        // Of two writers one is killed at most.
        let version = try latest.next(after: 1)
        try Violation.unless(try version.value.check() == version.sequence, "version \(version.sequence) is another")
    }
}

private let storm = Scenario(
    "latest.storm", "four that change a latest value, two that read and two that wait, killed at random",
    storm: Storm(
        workers: (0..<8).map { who in { try stormedLatest($0, who) } },
        check: { site in try openLatest(site, site.lasting).check(site) }))

func stormedLatest(_ process: Bystander, _ who: Int) throws {
    let latest = try openLatest(process.site, process.site.lasting)
    var last: UInt64 = 0
    while !process.isOver {
        switch who % 4 {
        case 0, 1: try process.site.doing(who) { try latest.step(.of(who)) }
        case 2:
            let number = try latest.look()
            try Violation.unless(number >= last, "version \(number) after \(last)")
            last = number
        default: try unlessLate { try latest.awaitNext(after: latest.sequence, .of(who / 2), until: .after(.milliseconds(20))) }
        }
    }
}
