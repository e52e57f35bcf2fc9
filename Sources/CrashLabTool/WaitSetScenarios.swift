import CrashLab
import Interprocess

/// A wait on two queues, a semaphore and a notifier at once, while one of those who take part is killed.
let waitSetScenarios: [Scenario] = [
    waiting(.blocking), waiting(.suspending), waiting(.cancelled),
    Scenario(
        "waitset.schedule", "a sender into each of two queues, and one that waits on both", ["a", "b"],
        Schedule(players: [{ try send($0, "a") }, { try send($0, "b") }, receive], check: { _ in })),
    Scenario(
        "waitset.schedule.kill", "the same, with one of them killed", ["a", "b"],
        Schedule(players: [{ try send($0, "a") }, { try send($0, "b") }, receive], mayKill: true, check: { _ in })),
    Scenario(
        "waitset.schedule-semaphore", "one that gives a unit, one that waits for it, and one that has it in a set and takes nothing",
        ["s"],
        Schedule(
            players: [give, take, watch],
            check: { site in
                try Violation.unless(try semaphore(site, site.lasting).value == 0, "the unit was not taken")
            })),
]

private func options(_ site: Site) -> QueueOptions { QueueOptions(directory: site.directory) }
private func lasting(_ site: Site) -> QueueOptions { QueueOptions(directory: site.directory, lifetime: .untilRemoved) }

private func semaphore(_ site: Site, _ options: SynchronizationOptions? = nil) throws -> SharedSemaphore {
    try SharedSemaphore(named: "s", value: 0, options: options ?? site.synchronization, strategy: .park)
}

/// The senders of the survivor, which lives through all kills of the one that waits.
private final class Senders {
    var a: Sender<Numbered>
    var b: Sender<Numbered>

    init(_ site: Site) throws {
        a = try Sender(to: "a", capacity: 20, options: options(site), strategy: .park)
        b = try Sender(to: "b", capacity: 20, options: options(site), strategy: .park)
    }

    /// The receiver may be dead, or stand still.
    func send() {
        _ = try? a.trySend(Numbered(a.nextSequence))
        _ = try? b.trySend(Numbered(b.nextSequence))
    }
}

/// Takes all that is there of one queue: how many messages. Ends are nothing.
private func takeAll(_ receiver: inout Receiver<Numbered>) throws -> Int {
    var count = 0
    while true {
        let number = receiver.nextSequence
        do throws(ReceiveError) {
            guard let message = try receiver.tryReceive() else { return count }
            guard message.isWhole(number) else { throw ReceiveError.damaged("message \(number)") }
            count += 1
        } catch {
            if case .damaged = error { throw error }
            if case .detached = error { throw error }
        }
    }
}

private func wait(_ set: inout WaitSet, _ form: Form, until deadline: @autoclosure () -> Deadline) throws -> [WaitSet.Event] {
    try form.call {
        try set.wait(until: deadline())
    } _: {
        try await set.wait(until: deadline())
    }
}

private func waiting(_ form: Form) -> Scenario {
    Scenario(
        "waitset.wait" + form.rawValue, "a process that waits on two queues, a semaphore and a notifier", segments: ["a", "b", "s", "n"],
        victimWaits: form != .cancelled,
        survivor: { site in
            let senders = try Senders(site)
            let units = try semaphore(site)
            let notifier = try SharedNotifier(named: "n", ids: 4, options: site.synchronization, strategy: .park)
            return Survivor(
                prepare: { site.begin() }, rouse: { senders.send() }, meanwhile: { senders.send() },
                goOn: {
                    // Whoever sleeps at the semaphore gets the unit, although one that was killed watched it too.
                    if site.asleep > 0 { try units.signal() }
                    site.awaitSleepers()
                    var a = try Receiver<Numbered>(from: "a", options: options(site)),
                        b = try Receiver<Numbered>(from: "b", options: options(site))
                    _ = (try takeAll(&a), try takeAll(&b))
                    var set = WaitSet(strategy: .park)
                    let sources = [set.add(a), set.add(b)]
                    senders.send()
                    var left = Set(sources)
                    while !left.isEmpty {
                        for event in try set.wait() {
                            try Violation.unless(event.condition == .ready, "\(event.condition)")
                            let isA = event.source == sources[0]
                            if try isA ? takeAll(&a) > 0 : takeAll(&b) > 0 { left.remove(event.source) }
                        }
                    }
                    try Violation.unless(
                        a.nextSequence == senders.a.nextSequence && b.nextSequence == senders.b.nextSequence, "messages are missing")
                    while try units.tryWait() {}
                    withExtendedLifetime(notifier) {}
                })
        }
    ) { victim in
        let site = victim.site
        var a = try Receiver<Numbered>(from: "a", options: options(site)), b = try Receiver<Numbered>(from: "b", options: options(site))
        _ = (try takeAll(&a), try takeAll(&b))
        let units = try semaphore(site)
        let notifier = try SharedNotifier(named: "n", ids: 4, options: site.synchronization, strategy: .park)
        let listener = notifier.listen()
        var set = WaitSet(strategy: .park)
        _ = (set.add(a), set.add(b), set.add(units), set.add(listener))
        try form.givesUp { _ = try wait(&set, form, until: form.briefly) }
        _ = (try takeAll(&a), try takeAll(&b))
        try victim.step(by: form) {
            // A passed deadline of the lab's own, or what this form gives up with.
            try unlessLate { try form.givesUp { _ = try wait(&set, form, until: victim.deadline) } }
            _ = (try takeAll(&a), try takeAll(&b))
        }
    }.with(sleepers: [
        { process in
            let units = try semaphore(process.site)
            try process.sleeping(0) { try units.wait() }
        }
    ])
}

// MARK: Schedules

private func send(_ victim: Victim, _ name: ObjectName) throws {
    var sender = try Sender<Numbered>(to: name, capacity: 20, options: lasting(victim.site), strategy: .park)
    try sender.send(Numbered(sender.nextSequence))
    try victim.step {
        do {
            try sender.send(Numbered(sender.nextSequence))
        } catch let error as SendError<Numbered> {
            guard case .peerDied = error.reason else { throw error }
        }
    }
}

/// Until each of the queues has brought its second message, or its end.
private let receive: @Sendable (Victim) throws -> Void = { victim in
    let site = victim.site
    var a = try Receiver<Numbered>(from: "a", capacity: 20, options: lasting(site), strategy: .park)
    var b = try Receiver<Numbered>(from: "b", capacity: 20, options: lasting(site), strategy: .park)
    var set = WaitSet(strategy: .park)
    let (first, second) = (set.add(a), set.add(b))
    _ = (try takeAll(&a), try takeAll(&b))
    try victim.step {
        while set.count > 0 {
            for event in try set.wait() {
                do throws(ReceiveError) {
                    let message = event.source == first ? try a.tryReceive() : try b.tryReceive()
                    if message != nil { set.remove(event.source) }
                } catch {
                    guard case .peerDied = error else { throw error }
                    set.remove(event.source)
                }
            }
        }
        _ = second
    }
}

private let give: @Sendable (Victim) throws -> Void = { victim in
    let units = try semaphore(victim.site, victim.site.lasting)
    try units.signal()
    try units.wait()
    try victim.step { try units.signal() }
}

private let take: @Sendable (Victim) throws -> Void = { victim in
    let units = try semaphore(victim.site, victim.site.lasting)
    try units.signal()
    try units.wait()
    try victim.step { try units.wait() }
}

private let watch: @Sendable (Victim) throws -> Void = { victim in
    let units = try semaphore(victim.site, victim.site.lasting)
    var set = WaitSet(strategy: .park)
    let source = set.add(units)
    try unlessLate { _ = try set.wait(until: .shortly) }
    // Whether it is told depends on who is first.
    try victim.step { try unlessLate { _ = try set.wait(until: .after(.milliseconds(2))) } }
    _ = source
}
