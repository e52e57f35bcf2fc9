import CrashLab
import Interprocess

/// Numbers of which processes notify and are notified, while one of them is killed.
let notifierScenarios: [Scenario] = [
    notifying, waiting(.blocking), waiting(.suspending).with(scribbled: { try waitInTasks($0) }), cancelled, storm,
    Scenario(
        "notifier.schedule", "two that notify, and one that waits for both", ["n"],
        Schedule(players: [{ try notify($0, 3) }, { try notify($0, 3) }, { try listen($0, for: 2) }], check: { site in try check(site) })),
    Scenario(
        "notifier.schedule-two", "one that notifies of two ids, and two that wait, one of them for the second", ["n"],
        Schedule(
            players: [{ try notify($0, 3, 70) }, { try listen($0, for: 1, of: [70]) }, { try listen($0, for: 2) }],
            check: { site in try check(site) })),
    Scenario(
        "notifier.schedule.kill", "two that notify, of which one may be killed, and one that waits for either", ["n"],
        Schedule(
            players: [{ try notify($0, 3) }, { try notify($0, 3) }, { try listen($0, for: 1) }], mayKill: true,
            check: { site in try check(site) })),
]

extension Mark {
    /// Of the notifier's ids, over all victims: how often somebody was about to notify, and has; what the survivor's listener got.
    fileprivate static let notifying = 50, notified = 51, got = 52
}

private func open(_ site: Site, _ options: SynchronizationOptions? = nil) throws -> SharedNotifier {
    try SharedNotifier(named: "n", ids: 100, options: options ?? site.synchronization, strategy: .park)
}

extension SharedNotifier {
    /// A notification that is accounted for.
    fileprivate func notify(_ site: Site, _ count: Int) throws {
        site.ledger[Mark.notifying] += UInt64(count)
        try notify(70, count: count)
        site.ledger[Mark.notified] += UInt64(count)
    }

    /// Of an id that nobody accounts for.
    fileprivate func touch() throws { try notify(1) }
}

extension SharedNotifier.Listener {
    fileprivate func wait(_ form: Form, until deadline: @autoclosure () -> Deadline = .never) throws -> [SharedNotifier.Notification] {
        try form.call {
            try wait(until: deadline())
        } _: {
            try await wait(until: deadline())
        }
    }

    /// What has come of the id that is accounted for.
    fileprivate func take() throws -> Int { try poll().first { $0.id == 70 }?.count ?? 0 }
}

private func survivor(_ site: Site, isRoused: Bool = false) throws -> Survivor {
    let notifier = try open(site)
    let listener = notifier.listen()
    return Survivor(
        prepare: { site.begin() }, rouse: { if isRoused { try notifier.touch() } },
        meanwhile: {
            let mine = try notifier.listen(to: [2])
            try notifier.notify(2)
            try Violation.unless(try mine.wait().count == 1, "its own notification did not come")
        },
        goOn: {
            try notifier.touch()
            // All that sleep listen already.
            site.awaitSleepers()
            site.ledger[Mark.got] += UInt64(try listener.take())
            let (least, most, got) = (site.ledger[Mark.notified], site.ledger[Mark.notifying], site.ledger[Mark.got])
            try Violation.unless(least <= got && got <= most, "\(got) notifications came: it should be \(least) to \(most)")
        })
}

private func sleeper(_ form: Form) -> @Sendable (Bystander) throws -> Void {
    { process in
        let listener = try open(process.site).listen()
        try process.sleeping(0) { _ = try listener.wait(form) }
    }
}

private let another: @Sendable (Bystander) throws -> Void = { process in
    let listener = try open(process.site).listen(to: [1, 70])
    try process.sleeping(1) { _ = try listener.wait() }
}

private let third: @Sendable (Bystander) throws -> Void = { third in
    let notifier = try open(third.site)
    let listener = try notifier.listen(to: [99])
    try notifier.notify(99)
    third.awaitKill()
    try notifier.notify(99)
    try Violation.unless(try listener.wait().first?.count == 2, "both of its own notifications came at once")
}

private let notifying = Scenario("notifier.notify", "a process that notifies", segments: ["n"], survivor: { try survivor($0) }) { victim in
    let notifier = try open(victim.site)
    try notifier.notify(victim.site, 1)
    try victim.step { try notifier.notify(victim.site, 3) }
} third: {
    try third($0)
} scribbled: { victim in
    let notifier = try open(victim.site)
    let listener = notifier.listen()
    func all(_ deadline: Deadline) {
        try? notifier.notify(70)
        _ = try? listener.wait(until: deadline)
        _ = try? listener.wait(until: .now)
        _ = try? notifier.listen().poll()
    }
    all(.now)
    try victim.step { all(victim.deadline == .never ? .shortly : victim.deadline) }
}.with(sleepers: [sleeper(.blocking), another])

private func waiting(_ form: Form) -> Scenario {
    Scenario(
        "notifier.wait" + form.rawValue, "a process that waits for notifications", segments: ["n"], victimWaits: true,
        survivor: { try survivor($0, isRoused: true) }
    ) { victim in
        let listener = try open(victim.site).listen()
        try unlessLate { _ = try listener.wait(form, until: .shortly) }
        try victim.step(by: form) { _ = try listener.wait(form) }
    } third: {
        try third($0)
    }.with(sleepers: [sleeper(form), another])
}

private let cancelled = Scenario(
    "notifier.wait.cancel", "a process that waits for notifications, and whose task is cancelled", segments: ["n"],
    survivor: { try survivor($0) }
) { victim in
    let listener = try open(victim.site).listen()
    try Form.cancelled.givesUp { _ = try listener.wait(.cancelled) }
    try victim.step(by: .cancelled) { try Form.cancelled.givesUp { _ = try listener.wait(.cancelled) } }
} third: {
    try third($0)
}.with(sleepers: [sleeper(.blocking), another])

private func waitInTasks(_ victim: Victim) throws {
    let notifier = try open(victim.site)
    let listener = notifier.listen()
    func all() {
        _ = try? listener.wait(.suspending, until: Form.scribbled)
        try? notifier.notify(70)
        _ = try? listener.wait(.suspending, until: Form.scribbled)
        _ = try? listener.wait(.cancelled, until: Form.scribbled)
    }
    all()
    try victim.step { all() }
}

private func notify(_ victim: Victim, _ ids: Int...) throws {
    let notifier = try open(victim.site, victim.site.lasting)
    try notifier.touch()
    try victim.step { for id in ids { try notifier.notify(id) } }
}

/// Waits until so many notifications have come.
private func listen(_ victim: Victim, for count: Int, of ids: [Int] = [3, 70]) throws {
    let listener = try open(victim.site, victim.site.lasting).listen(to: ids)
    _ = try listener.poll()
    try victim.step {
        var got = 0
        while got < count { for one in try listener.wait() { got += one.count } }
    }
}

/// Nothing that was left behind keeps others from being notified.
private func check(_ site: Site) throws {
    let notifier = try open(site, site.lasting)
    let listener = notifier.listen()
    for _ in 0..<3 {
        try notifier.notify(70)
        try Violation.unless(try listener.wait().map(\.count) == [1], "one notification is one")
    }
}

private let storm = Scenario(
    "notifier.storm", "four that notify and four that wait, killed at random",
    storm: Storm(workers: (0..<8).map { who in { try work($0, who) } }, check: { site in try check(site) }))

private func work(_ process: Bystander, _ who: Int) throws {
    let notifier = try open(process.site, process.site.lasting)
    let listener = notifier.listen()
    while !process.isOver {
        if who % 2 == 0 {
            try notifier.notify(who)
        } else {
            try unlessLate { _ = try listener.wait(.of(who / 2), until: .after(.milliseconds(20))) }
        }
    }
}
