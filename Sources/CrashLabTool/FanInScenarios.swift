import CrashLab
import Interprocess

/// A fan-in queue, of which a sender or the receiver is killed.
let fanInScenarios: [Scenario] =
    [
        send,
        killedSender("fanin.send.async", "a sender in send by a task") { victim in
            var sender = try openFanInSender(victim.site)
            try sender.send(Numbered(1))
            try victim.step(by: .suspending) { try sendIn(victim.site, &sender, 7, .suspending) }
        },
        waking(.blocking), waking(.suspending), sendFull(.blocking), sendFull(.suspending), sendFullCancelled, join, receive(.blocking),
        receive(.suspending).with(scribbled: { try receiveInTasks($0) }), sleep(.blocking), sleep(.suspending), receiveCancelled,
    ] + fanInConcurrentScenarios

let fanInLanes = 3

extension Site {
    func fanIn(lasting: Bool = false, lanes: Int = fanInLanes) -> FanInOptions {
        FanInOptions(directory: directory, lifetime: lasting ? .untilRemoved : .untilLastPeerLeaves, maximumSenders: lanes)
    }
}

func openFanInSender(_ site: Site, _ options: FanInOptions? = nil) throws -> Sender<Numbered> {
    try Sender(toFanIn: "q", capacity: 20, options: options ?? site.fanIn(), strategy: .park)
}

/// A receiver, and what it was told besides messages.
final class FanInEnd {
    private var end: FanInReceiver<Numbered>
    private(set) var deaths = 0
    private(set) var ends = 0

    init(_ site: Site, _ options: FanInOptions? = nil) throws {
        end = try FanInReceiver(from: "q", capacity: 20, options: options ?? site.fanIn(), strategy: .park)
    }

    var segment: Segment { end.segment }

    func begin() { (deaths, ends) = (0, 0) }

    /// The number of the next message; nil if it was told of something else, or the deadline passed.
    func receive(_ form: Form = .blocking, until deadline: @autoclosure () -> Deadline) throws -> UInt64? {
        do {
            let message = try form.call {
                try end.receive(until: deadline())
            } _: {
                try await end.receive(until: deadline())
            }
            return try told(message)
        } catch ReceiveError.peerDied {
            deaths += 1
            return nil
        } catch ReceiveError.deadline { return nil }
    }

    /// As ``receive(_:until:)`` in a task that runs already.
    func receiveInTask() async throws -> UInt64? {
        do { return try told(await end.receive()) } catch ReceiveError.peerDied {
            deaths += 1
            return nil
        }
    }

    private func told(_ message: Numbered?) throws -> UInt64? {
        guard let message else {
            ends += 1
            return nil
        }
        try Violation.unless(message.isWhole(message.number), "message \(message.number) is torn")
        return message.number
    }

    /// Everything that is there.
    func drain() throws -> [UInt64] {
        var found: [UInt64] = []
        while true {
            let (deaths, ends) = (deaths, ends)
            if let number = try receive(until: .now) {
                found.append(number)
            } else if deaths == self.deaths || ends != self.ends {
                return found
            }
        }
    }

    /// What has not been told of yet is told, all lanes can be had, and each passes messages.
    func settle(_ site: Site, _ options: FanInOptions? = nil) throws {
        _ = try drain()
        let senders = try (0..<(options ?? site.fanIn()).maximumSenders).map { _ in Holder(try openFanInSender(site, options)) }
        for (index, sender) in senders.enumerated() { try sender.value?.send(Numbered(1000 + UInt64(index)), until: .now) }
        let found = try drain()
        try Violation.unless(found.sorted() == senders.indices.map { 1000 + UInt64($0) }, "of \(senders.count) lanes came \(found)")
        for sender in senders { sender.value = nil }
        try Violation.unless(try receive(until: .now) == nil, "a message came out of nothing")
    }
}

private func sendIn(_ site: Site, _ sender: inout Sender<Numbered>, _ number: UInt64, _ form: Form = .blocking) throws {
    try site.doing { try sendBy(form, Numbered(number), &sender) }
}

private func sendBy(
    _ form: Form, _ message: Numbered, _ sender: inout Sender<Numbered>, until deadline: @autoclosure () -> Deadline = .never
) throws {
    try form.call {
        try sender.send(message, until: deadline())
    } _: {
        try await sender.send(message, until: deadline())
    }
}

private func receiveInTasks(_ victim: Victim) throws {
    let receiver = try FanInEnd(victim.site)
    var sender = try openFanInSender(victim.site)
    func all() {
        for number in 0..<24 as Range<UInt64> { try? sendBy(.suspending, Numbered(number), &sender, until: Form.scribbled) }
        for _ in 0..<24 { _ = try? receiver.receive(.suspending, until: Form.scribbled) }
        _ = try? receiver.receive(.cancelled, until: Form.scribbled)
    }
    all()
    try victim.step { all() }
}

/// What must hold when a sender was killed.
private func killedSender(
    _ name: String, _ summary: String, victimWaits: Bool = false, mayHaveClosed: Bool = false,
    victim: @escaping @Sendable (Victim) throws -> Void
) -> Scenario {
    Scenario(
        name, summary, segments: ["q"], victimWaits: victimWaits,
        survivor: { site in
            let receiver = try FanInEnd(site)
            return Survivor(
                prepare: {
                    site.begin()
                    receiver.begin()
                },
                rouse: { _ = try receiver.receive(until: .now) },
                meanwhile: {
                    if try receiver.receive(until: .shortly) == 7 { site.ledger[Mark.given] += 1 }
                    try Violation.unless(receiver.deaths == 0, "the sender lives, and the receiver was told of a death")
                },
                goOn: {
                    try receiver.segment.awaitPeers(1)
                    let found = try receiver.drain().filter { $0 == 7 }.count + Int(site.ledger[Mark.given])
                    if !victimWaits {
                        try Violation.unless(site.count().contains(found), "message 7 was received \(found) times, sent \(site.count())")
                    }
                    try Violation.unless(
                        receiver.deaths == 1 || mayHaveClosed && receiver.deaths <= 1, "\(receiver.deaths) deaths were told of")
                    try receiver.settle(site)
                })
        }
    ) {
        try victim($0)
    } third: { third in
        var sender = try openFanInSender(third.site)
        _ = try? sender.send(Numbered(500), until: .shortly)
        sender.close()
        third.awaitKill()
    }
}

private let send = {
    var scenario = killedSender("fanin.send", "a sender in send") { victim in
        var sender = try openFanInSender(victim.site)
        try sender.send(Numbered(1))
        try victim.step { try sendIn(victim.site, &sender, 7) }
    }
    scenario.scribbled = { victim in
        let receiver = try FanInEnd(victim.site)
        var first = try openFanInSender(victim.site)
        var second = try openFanInSender(victim.site)
        func all(_ deadline: Deadline) {
            for number in 0..<3 as Range<UInt64> {
                try? first.send(Numbered(number), until: deadline)
                try? second.trySend(Numbered(number))
            }
            for _ in 0..<8 { _ = try? receiver.receive(until: deadline) }
            (try? openFanInSender(victim.site))?.close()
        }
        all(.now)
        try victim.step { all(victim.deadline == .never ? .shortly : victim.deadline) }
    }
    return scenario
}()

private func sendFull(_ form: Form) -> Scenario {
    killedSender("fanin.send.full" + form.rawValue, "a sender that waits for room", victimWaits: true) { victim in
        var sender = try openFanInSender(victim.site)
        while (try? sender.trySend(Numbered(1))) != nil {}
        try unlessLate { try sendBy(form, Numbered(1), &sender, until: .shortly) }
        try victim.step(by: form) { try sendIn(victim.site, &sender, 7, form) }
    }
}

private let sendFullCancelled = killedSender(
    "fanin.send.full.cancel", "a sender that waits for room, and whose task is cancelled"
) { victim in
    var sender = try openFanInSender(victim.site)
    while (try? sender.trySend(Numbered(1))) != nil {}
    func once() throws {
        let site = victim.site
        site.ledger[Mark.intent] += 1
        // There may be room since this process stood still.
        if try Form.cancelled.givesUp({ try sendBy(.cancelled, Numbered(7), &sender) }) {
            site.ledger[Mark.done] += 1
        } else {
            site.undone()
        }
    }
    try once()
    try victim.step(by: .cancelled) { try once() }
}

private let join = killedSender("fanin.join", "a sender that joins and closes", mayHaveClosed: true) { victim in
    try openFanInSender(victim.site).close()
    let kept = Holder<Sender<Numbered>>(nil)
    try victim.step {
        kept.value = try openFanInSender(victim.site)
        kept.value = nil
    }
}

/// The receiver sleeps while the victim sends.
private func waking(_ form: Form) -> Scenario {
    Scenario(
        "fanin.send.waking" + form.rawValue, "a sender whose receiver sleeps\(form == .suspending ? " in a task" : "")", segments: ["q"],
        needsSleepers: true,
        survivor: { site in
            let kept = Holder(try openFanInSender(site))
            return Survivor(
                prepare: { site.begin() },
                goOn: {
                    // It is told of the message, or of the death.
                    site.awaitSleepers()
                    try (kept.value?.segment).map { try $0.awaitPeers(1) }
                    let receiver = try FanInEnd(site)
                    let found = try receiver.drain().filter { $0 == 7 }.count + Int(site.ledger[Mark.given])
                    try Violation.unless(site.count().contains(found), "message 7 was received \(found) times, sent \(site.count())")
                })
        }
    ) { victim in
        var sender = try openFanInSender(victim.site)
        try victim.step { try sendIn(victim.site, &sender, 7) }
    }.with(sleepers: [
        { process in
            let receiver = try FanInEnd(process.site)
            try process.sleeping(0) { if try receiver.receive(form, until: .never) == 7 { process.site.ledger[Mark.given] += 1 } }
        }
    ])
}

/// A sender that sleeps since its lane is full: it gets room, or is told of the receiver's end.
private func fullSender(_ index: Int) -> @Sendable (Bystander) throws -> Void {
    { process in
        var sender = try openFanInSender(process.site)
        while (try? sender.trySend(Numbered(300))) != nil {}
        try process.sleeping(index) {
            do throws(SendError<Numbered>) { try sender.send(Numbered(300)) } catch {
                switch error.reason {
                case .peerDied, .closed: break
                default: throw error
                }
            }
        }
    }
}

/// What must hold when the receiver was killed.
private func killedReceiver(
    _ name: String, _ summary: String, sleepers: [@Sendable (Bystander) throws -> Void], victimWaits: Bool = false, given: Bool = false,
    form: Form = .blocking, _ operation: @escaping @Sendable (FanInEnd, Site) throws -> Void
) -> Scenario {
    Scenario(
        name, summary, segments: ["q"], victimWaits: victimWaits,
        survivor: { site in
            let sender = Holder(try openFanInSender(site))
            func give() throws {
                site.ledger[Mark.given] += 1
                do throws(SendError<Numbered>) { try sender.value?.send(Numbered(7), until: .now) } catch {
                    switch error.reason {
                    case .peerDied, .closed: try sender.value?.trySend(Numbered(7))
                    default: throw error
                    }
                }
            }
            return Survivor(
                prepare: {
                    site.begin()
                    if given { try give() }
                },
                rouse: { if site.ledger[Mark.given] == 0 { try give() } },
                goOn: {
                    let receiver = try FanInEnd(site)
                    var found = 0
                    while site.asleep > 0 { if try receiver.receive(until: .shortly) == 7 { found += 1 } }
                    try (sender.value?.segment).map { try $0.awaitPeers(2) }
                    found += try receiver.drain().filter { $0 == 7 }.count
                    let (given, taken) = (Int(site.ledger[Mark.given]), site.count())
                    try Violation.unless(
                        taken.contains(given - found) || found == given,
                        "\(found) of \(given) messages were found, and the victim had \(taken)")
                    sender.value = nil
                    try receiver.settle(site)
                    sender.value = try openFanInSender(site)
                })
        }
    ) { victim in
        let receiver = try FanInEnd(victim.site)
        try victim.step(by: form) { try operation(receiver, victim.site) }
    }.with(sleepers: sleepers)
}

private func receive(_ form: Form) -> Scenario {
    killedReceiver("fanin.receive" + form.rawValue, "a receiver", sleepers: [fullSender(0), fullSender(1)], given: true, form: form) {
        try receiveSeven($0, $1, form)
    }
}

private func sleep(_ form: Form) -> Scenario {
    killedReceiver("fanin.receive.sleep" + form.rawValue, "a receiver that waits", sleepers: [], victimWaits: true, form: form) {
        try receiveSeven($0, $1, form)
    }
}

/// What others have sent before it may come first.
private func receiveSeven(_ receiver: FanInEnd, _ site: Site, _ form: Form) throws {
    try site.doing {
        try form.call {
            while try receiver.receive(until: .never) != 7 {}
        } _: {
            while try await receiver.receiveInTask() != 7 {}
        }
    }
}

private let receiveCancelled = killedReceiver(
    "fanin.receive.cancel", "a receiver that waits, and whose task is cancelled", sleepers: [], form: .cancelled
) { receiver, site in
    site.ledger[Mark.intent] += 1
    var number: UInt64?
    try Form.cancelled.givesUp { number = try receiver.receive(.cancelled, until: .never) }
    if number == 7 { site.ledger[Mark.done] += 1 } else { site.undone() }
}
