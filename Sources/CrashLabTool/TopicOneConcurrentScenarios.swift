import CrashLab
import Interprocess
import InterprocessSystem

/// Several at work at a topic of one publisher: stepped in all orders, or killed at random. The log keeps two messages in the schedules, so that every message takes the place of another.
let topicOneConcurrentScenarios: [Scenario] =
    [storm]
    + Scenario.schedules(
        "topic.one.schedule", "one that publishes four messages, and a lossless subscriber that holds some", ["o"],
        players: [{ try publishFour($0) }, { try holdSome($0, .lossless) }], check: check)
    + Scenario.schedules(
        "topic.one.schedule.lossy", "one that publishes four messages, and a lossy subscriber that holds some", ["o"],
        players: [{ try publishFour($0) }, { try holdSome($0, .lossy) }], check: check)
    + Scenario.schedules(
        "topic.one.schedule.join", "one that publishes four messages, and one that joins in between", ["o"],
        players: [{ try publishFour($0) }, { try joinSome($0) }], check: check)
    + Scenario.schedules(
        "topic.one.schedule.open", "two that become the publisher, or are refused, and publish", ["o"],
        players: [{ try openAndPublish($0, 0) }, { try openAndPublish($0, 1) }], check: check)

private let scheduled = 2

private func publish(_ publisher: inout TopicPublisher, _ victim: Victim, _ who: Int, _ count: UInt64) throws {
    for number in 0..<count {
        // The subscriber may be killed, or have given up, before there is room.
        victim.site.ledger[Mark.intent + who] += 1
        if try !unlessLate({ try publisher.publish(Numbered(number), until: .after(.milliseconds(20))) }) {
            victim.site.undone(who)
        } else {
            victim.site.ledger[Mark.done + who] += 1
        }
    }
}

private func publishFour(_ victim: Victim) throws {
    var publisher = try openOnePublisher(victim.site, lasting: true, capacity: scheduled)
    for _ in 0..<scheduled + 1 { try unlessLate { try publisher.publish(Numbered(500), until: .shortly) } }
    try victim.step { try publish(&publisher, victim, 0, 4) }
}

private func openAndPublish(_ victim: Victim, _ who: Int) throws {
    // Everything is bound once.
    _ = try withOnePublisher(victim.site, lasting: true, capacity: scheduled) { try $0.tryPublish(Numbered(500)) }
    let watcher = try openOneSubscriber(victim.site, .lossy, lasting: true, capacity: scheduled)
    try victim.step {
        _ = try withOnePublisher(victim.site, lasting: true, capacity: scheduled) { try publish(&$0, victim, who, 2) }
    }
    watcher.close()
}

/// Takes what comes, one message longer than the next comes.
private func holdSome(_ victim: Victim, _ mode: SubscriptionMode) throws {
    var subscriber = try openOneSubscriber(victim.site, mode, lasting: true, capacity: scheduled)
    try unlessLate { _ = try subscriber.receive(until: .shortly) }
    try victim.step {
        for _ in 0..<2 {
            var sample: Sample<Numbered>?
            let next = subscriber.nextSequence
            if try !unlessLate({ sample = try subscriber.take(until: .after(.milliseconds(20))) }) { return }
            guard let sample else { throw Violation("the topic has ended") }
            let sequence = sample.sequence, missed = sample.missed, before = sample.message
            try Violation.unless(
                sequence == next + missed && (mode == .lossy || missed == 0),
                "message \(sequence) came where \(next) was the next, with \(missed) missed")
            try Violation.unless(before.isWhole(before.number), "message \(before.number) is torn")
            _ = try subscriber.nextNumber()
            let after = sample.message
            try Violation.unless(
                after.number == before.number && after.isWhole(after.number), "message \(before.number) has changed while it was held")
        }
    }
}

private func joinSome(_ victim: Victim) throws {
    var subscriber = try openOneSubscriber(victim.site, .lossless, lasting: true, capacity: scheduled)
    try unlessLate { _ = try subscriber.receive(until: .shortly) }
    try subscriber.rejoin(history: .none)
    try victim.step {
        try subscriber.rejoin(history: .all)
        for index in 0..<3 {
            let next = subscriber.nextSequence
            var found: Numbered?
            if try !unlessLate({ found = try subscriber.receive(until: .after(.milliseconds(20))) }) { return }
            guard let found else { throw Violation("the topic has ended") }
            try Violation.unless(found.isWhole(found.number), "message \(found.number) is torn")
            // The first message of the history may be just going.
            let sequence = subscriber.lastSequence ?? 0
            try Violation.unless(
                sequence == next || index == 0 && sequence == next + 1, "message \(sequence) came where \(next) was the next")
        }
    }
}

/// What was published is what the log says, and no place is lost.
private func check(_ site: Site) throws {
    let ends = try TopicOneEnds(site, lasting: true, capacity: scheduled)
    var kept = 0
    var published: UInt64 = 0
    let isMine = try ends.publishing { publisher in
        try publisher.segment.awaitPeers(TopicOneEnds.peers + 1)
        published = publisher.statistics.published
        var late = try openOneSubscriber(site, .lossless, history: .all, lasting: true, capacity: scheduled)
        kept = try late.drain().count
        late.close()
        for number in 0..<UInt64(6) {
            try publisher.tryPublish(Numbered(1000 + number))
            try Violation.unless(try ends.lossless.nextNumber() == 1000 + number, "message \(1000 + number) is not the next")
            try Violation.unless(
                try ends.lossy.nextNumber() == 1000 + number, "message \(1000 + number) is not the lossy subscriber's next")
        }
        let statistics = publisher.statistics
        try Violation.unless(statistics.places == scheduled && statistics.heldPlaces == 0, "places are lost: \(statistics)")
    }
    try Violation.unless(isMine, "a dead publisher is in the way")
    try Violation.unless(kept == min(Int(published), scheduled), "\(kept) messages are kept of \(published)")
    let least = site.count(0..<2).lowerBound, most = site.count(0..<2).upperBound
    // Before the operation the publishers have published as many as they could.
    try Violation.unless(
        (least...most + scheduled + 1).contains(Int(published)), "\(published) messages were published, \(least) to \(most) in the schedule"
    )
}

private let storm = Scenario(
    "topic.one.storm", "three of which one publishes at a time, and five that subscribe in all ways, killed at random",
    storm: Storm(
        workers: (0..<8).map { who in
            { process in
                switch who {
                case 0..<3: try stormPublishing(process, who)
                case 3, 4: try stormReceiving(process, .lossless, holding: who == 4)
                case 5, 6: try stormReceiving(process, .lossy, holding: who == 6)
                default: try stormJoining(process)
                }
            }
        },
        check: { site in
            let ends = try TopicOneEnds(site, lasting: true, capacity: 16)
            let isMine = try ends.publishing { publisher in
                try publisher.segment.awaitPeers(TopicOneEnds.peers + 1)
                let published = Int(publisher.statistics.published)
                for number in 0..<40 as Range<UInt64> {
                    try publisher.tryPublish(Numbered(1000 + number))
                    try Violation.unless(try ends.lossless.nextNumber() == 1000 + number, "message \(1000 + number) is not the next")
                    _ = try ends.lossy.nextNumber()
                }
                try Violation.unless(
                    site.count(0..<3).contains(published), "\(published) messages were published: it should be \(site.count(0..<3))")
                let statistics = publisher.statistics
                try Violation.unless(statistics.places == 16 && statistics.heldPlaces == 0, "places are lost: \(statistics)")
            }
            try Violation.unless(isMine, "a dead publisher is in the way")
        }))

private func stormPublishing(_ process: Bystander, _ who: Int) throws {
    let site = process.site
    var number: UInt64 = 0
    while !process.isOver {
        let isMine = try withOnePublisher(site, lasting: true, capacity: 16) { publisher in
            // Then it is another's turn.
            for _ in 0..<2000 where !process.isOver {
                number += 1
                try stormPublish(&publisher, site, who, number)
            }
        }
        if !isMine { sleepThread(for: .microseconds(200)) }
    }
}

private func stormReceiving(_ process: Bystander, _ mode: SubscriptionMode, holding: Bool) throws {
    var subscriber = try openOneSubscriber(process.site, mode, lasting: true, capacity: 16)
    try stormReceive(process, &subscriber, holding: holding)
}

private func stormJoining(_ process: Bystander) throws {
    try stormJoin(process) { try openOneSubscriber(process.site, .lossless, history: .all, lasting: true, capacity: 16) }
}
