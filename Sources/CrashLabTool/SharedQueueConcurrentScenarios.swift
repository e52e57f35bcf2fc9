import CrashLab
import Interprocess

/// Several at work at a shared queue at once: stepped in all orders, or killed at random.
let sharedQueueConcurrentScenarios: [Scenario] =
    [storm]
    + Scenario.schedules(
        "shared.schedule", "two that send two messages each, and one that receives", ["q"],
        players: [{ try sendTwo($0, 0) }, { try sendTwo($0, 1) }, { try receiveSome($0, 2, 2) }],
        check: { try check($0, senders: 0..<2) })
    + Scenario.schedules(
        "shared.schedule.take", "one that sends two messages, and two that take and acknowledge", ["q"],
        players: [{ try sendTwo($0, 0) }, { try takeOne($0, 1) }, { try takeOne($0, 2) }], check: { try check($0, senders: 0..<1) })

private func sendTwo(_ victim: Victim, _ who: Int) throws {
    let queue = try openSharedQueue(victim.site, lasting: true)
    try queue.trySend(Numbered(500))
    _ = try queue.receive(until: .shortly)
    try victim.step {
        for number in 0..<2 as Range<UInt64> {
            // The receiver may be killed, or have given up, before there is room.
            victim.site.ledger[Mark.intent + who] += 1
            if try !unlessLate({ try queue.send(Numbered(UInt64(who) * 10 + number), until: .after(.milliseconds(20))) }) {
                victim.site.undone(who)
            } else {
                victim.site.ledger[Mark.done + who] += 1
            }
        }
    }
}

private func receiveSome(_ victim: Victim, _ who: Int, _ count: Int) throws {
    let queue = try openSharedQueue(victim.site, lasting: true)
    try queue.trySend(Numbered(500))
    _ = try queue.receive(until: .shortly)
    try victim.step {
        for _ in 0..<count {
            // One of the senders may be killed before it sends.
            victim.site.ledger[Mark.intent + who] += 1
            if try !unlessLate({ _ = try queue.receive(until: .after(.milliseconds(20))) }) {
                victim.site.undone(who)
            } else {
                victim.site.ledger[Mark.done + who] += 1
            }
        }
    }
}

private func takeOne(_ victim: Victim, _ who: Int) throws {
    let queue = try openSharedQueue(victim.site, lasting: true)
    try queue.trySend(Numbered(500))
    _ = try queue.receive(until: .shortly)
    try victim.step {
        victim.site.ledger[Mark.intent + who] += 1
        do {
            guard let delivery = try queue.take(until: .after(.milliseconds(20))) else { throw Violation("the queue has ended") }
            try delivery.acknowledge()
            victim.site.ledger[Mark.done + who] += 1
        } catch ReceiveError.deadline {
            victim.site.undone(who)
        }
    }
}

/// What was sent has been received or is there.
private func check(_ site: Site, senders: Range<Int>) throws {
    let queue = try openSharedQueue(site, lasting: true)
    var left = 0
    while let number = try queue.next() { if number < 100 { left += 1 } }
    let (sent, received) = (site.count(senders), site.count(senders.upperBound..<3))
    let expected = sent.lowerBound - received.upperBound...sent.upperBound - received.lowerBound
    try Violation.unless(expected.contains(left), "\(left) messages are left: sent \(sent), received \(received)")
    try queue.settle()
}

private let storm = Scenario(
    "shared.storm", "four that send and four that take and acknowledge, killed at random",
    storm: Storm(
        workers: (0..<8).map { who in { try storming($0, who / 2, isSender: who % 2 == 0) } },
        check: { site in
            let queue = try openSharedQueue(site, lasting: true, capacity: 64)
            var left = 0
            while try queue.next() != nil { left += 1 }
            let (sent, received) = (site.count(0..<4), site.count(4..<8))
            let expected = sent.lowerBound - received.upperBound...sent.upperBound - received.lowerBound
            try Violation.unless(expected.contains(left), "\(left) messages are left: sent \(sent), received \(received)")
            try queue.settle()
        }))

private func storming(_ process: Bystander, _ who: Int, isSender: Bool) throws {
    let site = process.site
    let queue = try openSharedQueue(site, lasting: true, capacity: 64)
    while !process.isOver {
        let place = isSender ? who : 4 + who
        site.ledger[Mark.intent + place] += 1
        let isDone: Bool
        if isSender {
            // One of them in tasks, whose form has no priority here.
            isDone = try unlessLate {
                if who == 3 {
                    try queue.send(Numbered(UInt64(who)), by: .suspending, until: .after(.milliseconds(20)))
                } else {
                    try queue.send(Numbered(UInt64(who)), priority: who % 2, until: .after(.milliseconds(20)))
                }
            }
        } else {
            isDone = try unlessLate { try queue.takeAndAcknowledge(.of(who), until: .after(.milliseconds(20))) }
        }
        if isDone { site.ledger[Mark.done + place] += 1 } else { site.undone(place) }
    }
}
