import CrashLab
import Interprocess

/// A queue of any number of senders and receivers, a receiver killed.
let sharedQueueReceiveScenarios: [Scenario] = [
    receive(.blocking), receive(.suspending), take(.blocking), take(.suspending), giveBack, sleep(.blocking), sleep(.suspending),
    giveUp(.blocking), giveUp(.suspending), giveUp(.cancelled),
]

extension Ledger {
    fileprivate func value(_ index: Int) -> Int { Int(self[index]) }
}

/// The victim receives a message that is there.
private func receive(_ form: Form) -> Scenario {
    receiving("shared.receive" + form.rawValue, "a receiver", form) { queue, site in
        try site.doing { try queue.receive(by: form) }
    } isLost: { site, found in
        // It may have been received although the call had not returned.
        found == 0 || !site.isDone && found == 1
    }
}

/// The victim takes a message and acknowledges it.
private func take(_ form: Form) -> Scenario {
    receiving("shared.take" + form.rawValue, "a receiver that acknowledges", form) { queue, site in
        try site.doing { try queue.takeAndAcknowledge(form, site) }
    } isLost: { site, found in
        site.isDone ? found == 0 : site.ledger[Mark.reached] == 1 ? found <= 1 : found == 1
    }
}

private let giveBack = receiving("shared.give-back", "a receiver that gives a message back") { queue, site in
    try site.doing {
        guard let delivery = try queue.take() else { throw Violation("the queue has ended") }
        delivery.giveBack()
    }
} isLost: { _, found in
    found == 1
}

private func receiving(
    _ name: String, _ summary: String, _ form: Form = .blocking,
    _ body: @escaping @Sendable (SharedQueue<Numbered>, Site) throws -> Void,
    isLost isRight: @escaping @Sendable (Site, Int) -> Bool
) -> Scenario {
    Scenario(
        name, summary, segments: ["q"],
        survivor: { site in
            let queue = try openSharedQueue(site)
            return Survivor(
                prepare: {
                    site.begin()
                    try queue.send(Numbered(7), priority: 1)
                }, meanwhile: { _ = queue.statistics },
                goOn: {
                    try queue.segment.awaitPeers(1)
                    let found = try drainSharedQueue(queue).filter { $0 == 7 }.count
                    try Violation.unless(
                        isRight(site, found),
                        "message 7 was found \(found) times; received \(site.count()), step \(site.ledger[Mark.reached])")
                    try queue.settle()
                })
        }
    ) { victim in
        let queue = try openSharedQueue(victim.site)
        try victim.step(by: form) { try body(queue, victim.site) }
    } third: { third in
        let queue = try openSharedQueue(third.site)
        // Of lower priority: the victim's message is not touched.
        try unlessLate { try queue.send(Numbered(500), until: .shortly) }
        third.awaitKill()
        try unlessLate { try queue.send(Numbered(500), until: .shortly) }
    }
}

/// The victim sleeps until there is a message.
private func sleep(_ form: Form) -> Scenario {
    Scenario(
        "shared.receive.sleep" + form.rawValue, "a receiver that waits", segments: ["q"], victimWaits: true,
        survivor: { site in
            let queue = try openSharedQueue(site)
            func rouse() throws {
                if queue.statistics.waiting == 0 {
                    site.ledger[Mark.given] += 1
                    try queue.send(Numbered(7))
                }
            }
            return Survivor(
                prepare: { site.begin() }, rouse: rouse, meanwhile: { try queue.tryShortly() },
                goOn: {
                    // Each message wakes a sleeper, or is found.
                    while site.asleep > 0 {
                        hold { queue.statistics.waiting == 0 || site.asleep == 0 }
                        if site.asleep > 0 { try rouse() }
                    }
                    try queue.segment.awaitPeers(1)
                    let found = try drainSharedQueue(queue).filter { $0 == 7 }.count + site.slept
                    let sent = site.ledger.value(Mark.given)
                    try Violation.unless(
                        site.slept > 0 || site.count().contains(sent - found) || sent - found == 0,
                        "\(found) of \(sent) messages were found, and the victim had \(site.count())")
                    try queue.settle()
                })
        }
    ) { victim in
        let queue = try openSharedQueue(victim.site)
        try unlessLate { try queue.receive(by: form, until: .shortly) }
        try victim.step(by: form) { try victim.site.doing { try queue.receive(by: form) } }
    } third: {
        try sharedQueueThird($0)
    }.with(sleepers: [sharedQueueSleeper(0, form)])
}

/// The victim gives up waiting, just when a message comes.
private func giveUp(_ form: Form) -> Scenario {
    Scenario(
        "shared.receive.give-up" + form.rawValue, "a receiver that gives up waiting, just when a message comes", segments: ["q"],
        survivor: { site in
            let queue = try openSharedQueue(site)
            return Survivor(
                prepare: { site.begin() }, meanwhile: { try queue.tryShortly() },
                goOn: {
                    while site.asleep > 0 {
                        hold { queue.statistics.waiting == 0 || site.asleep == 0 }
                        if site.asleep > 0 { try queue.send(Numbered(200)) }
                    }
                    while try queue.next() != nil {}
                    try queue.settle()
                })
        }
    ) { victim in
        let queue = try openSharedQueue(victim.site)
        try form.givesUp { try queue.receive(by: form, until: form.briefly) }
        try victim.step(by: form) { try form.givesUp { try queue.receive(by: form, until: form.soon) } }
    } third: { third in
        let queue = try openSharedQueue(third.site)
        try unlessLate { try queue.send(Numbered(200), until: .shortly) }
        third.awaitKill()
    }.with(sleepers: [sharedQueueSleeper(0)])
}
