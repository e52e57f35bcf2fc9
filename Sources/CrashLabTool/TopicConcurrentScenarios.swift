import CrashLab
import Interprocess

/// Several at work at a topic at once: stepped in all orders, or killed at random. The log keeps two messages in the schedules, so that every message takes the place of another.
let topicConcurrentScenarios: [Scenario] =
    [storm]
    + Scenario.schedules(
        "topic.schedule", "two that publish two messages each, and a lossless subscriber", ["t"],
        players: [{ try publishTwo($0, 0) }, { try publishTwo($0, 1) }, { try receiveSome($0, .lossless, 3) }], check: check)
    + Scenario.schedules(
        "topic.schedule.lossy", "two that publish two messages each, and a lossy subscriber that holds one", ["t"],
        players: [{ try publishTwo($0, 0) }, { try publishTwo($0, 1) }, { try holdSome($0) }], check: check)
    + Scenario.schedules(
        "topic.schedule.join", "two that publish two messages each, and one that joins in between", ["t"],
        players: [{ try publishTwo($0, 0) }, { try publishTwo($0, 1) }, { try joinSome($0) }], check: check)

private let scheduled = 2

private func publishTwo(_ victim: Victim, _ who: Int) throws {
    var publisher = try openTopicPublisher(victim.site, lasting: true, capacity: scheduled)
    for _ in 0..<scheduled + 1 { try unlessLate { try publisher.publish(Numbered(500), until: .shortly) } }
    try victim.step {
        for number in 0..<2 as Range<UInt64> {
            // The subscriber may be killed, or have given up, before there is room.
            victim.site.ledger[Mark.intent + who] += 1
            if try !unlessLate({ try publisher.publish(Numbered(UInt64(who) * 10 + number), until: .after(.milliseconds(20))) }) {
                victim.site.undone(who)
            } else {
                victim.site.ledger[Mark.done + who] += 1
            }
        }
    }
}

/// Everything comes, in order, each publisher's messages too.
///
/// - Parameter mayBeginLater: the first message of the history may be just going.
private func follow(_ subscriber: inout TopicSubscriber, _ count: Int, mayBeginLater: Bool = false) throws {
    var last: [UInt64: UInt64] = [:]
    for index in 0..<count {
        var next = subscriber.nextSequence
        // A publisher may be killed before it publishes.
        var found: Numbered?
        if try !unlessLate({ found = try subscriber.receive(until: .after(.milliseconds(20))) }) { return }
        guard let found else { throw Violation("the topic has ended") }
        try Violation.unless(found.isWhole(found.number), "message \(found.number) is torn")
        if mayBeginLater, index == 0, subscriber.lastSequence == next + 1 { next += 1 }
        try Violation.unless(
            subscriber.lastSequence == next + subscriber.lastMissed && (subscriber.mode == .lossy || subscriber.lastMissed == 0),
            "message \(subscriber.lastSequence ?? 0) came where \(next) was the next, with \(subscriber.lastMissed) missed")
        guard found.number < 100 else { continue }
        if let before = last[found.number / 10] { try Violation.unless(before < found.number, "\(found.number) after \(before)") }
        last[found.number / 10] = found.number
    }
}

private func receiveSome(_ victim: Victim, _ mode: SubscriptionMode, _ count: Int) throws {
    var subscriber = try openTopicSubscriber(victim.site, mode, lasting: true, capacity: scheduled)
    try unlessLate { _ = try subscriber.receive(until: .shortly) }
    try victim.step { try follow(&subscriber, count) }
}

private func holdSome(_ victim: Victim) throws {
    var subscriber = try openTopicSubscriber(victim.site, .lossy, lasting: true, capacity: scheduled)
    try unlessLate { _ = try subscriber.receive(until: .shortly) }
    try victim.step {
        var sample: Sample<Numbered>?
        if try !unlessLate({ sample = try subscriber.take(until: .after(.milliseconds(20))) }) { return }
        guard let sample else { throw Violation("the topic has ended") }
        try follow(&subscriber, 2)
        let message = sample.message
        try Violation.unless(message.isWhole(message.number), "message \(message.number) has changed while it was held")
    }
}

private func joinSome(_ victim: Victim) throws {
    var subscriber = try openTopicSubscriber(victim.site, .lossless, lasting: true, capacity: scheduled)
    try unlessLate { _ = try subscriber.receive(until: .shortly) }
    try subscriber.rejoin(history: .none)
    // The publishers of the preparation must not wait for it; the first is this one's own.
    try victim.step {
        try subscriber.rejoin(history: .all)
        try follow(&subscriber, 3, mayBeginLater: true)
    }
}

/// What was published is what the log says, and no place is lost.
private func check(_ site: Site) throws {
    let ends = try TopicEnds(site, lasting: true, capacity: scheduled)
    try ends.publisher.segment.awaitPeers(TopicEnds.peers)
    var late = try openTopicSubscriber(site, .lossless, history: .all, lasting: true, capacity: scheduled)
    let found = try late.drain()
    try Violation.unless(found.count == scheduled, "\(found.count) messages are kept of \(scheduled)")
    late.close()
    for number in 0..<UInt64(6) {
        try ends.publisher.tryPublish(Numbered(1000 + number))
        try ends.drain()
    }
    try Violation.unless(ends.numbers.isEmpty, "messages came that nobody published: \(ends.numbers)")
    let published = Int(ends.publisher.statistics.published) - 6
    let least = site.count(0..<2).lowerBound, most = site.count(0..<2).upperBound
    // Before the operation each publisher has published as many as it could.
    try Violation.unless(
        (least...most + 2 * (scheduled + 1)).contains(published),
        "\(published) messages were published, \(least) to \(most) in the schedule")
    let statistics = ends.publisher.statistics
    try Violation.unless(statistics.places == scheduled + 1 && statistics.heldPlaces == 0, "places are lost: \(statistics)")
}

private let storm = Scenario(
    "topic.storm", "three that publish and five that subscribe in all ways, killed at random",
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
            let ends = try TopicEnds(site, lasting: true, capacity: 16)
            try ends.publisher.segment.awaitPeers(TopicEnds.peers)
            for number in 0..<40 as Range<UInt64> {
                try ends.publisher.tryPublish(Numbered(1000 + number))
                try Violation.unless(try ends.lossless.nextNumber() == 1000 + number, "message \(1000 + number) is not the next")
                _ = try ends.lossy.nextNumber()
            }
            let published = Int(ends.publisher.statistics.published) - 40
            try Violation.unless(
                site.count(0..<3).contains(published), "\(published) messages were published: it should be \(site.count(0..<3))")
            let statistics = ends.publisher.statistics
            try Violation.unless(statistics.places == 17 && statistics.heldPlaces == 0, "places are lost: \(statistics)")
        }))

private func stormPublishing(_ process: Bystander, _ who: Int) throws {
    let site = process.site
    var publisher = try openTopicPublisher(site, lasting: true, capacity: 16)
    var number: UInt64 = 0
    while !process.isOver {
        number += 1
        try stormPublish(&publisher, site, who, number)
    }
}

private func stormReceiving(_ process: Bystander, _ mode: SubscriptionMode, holding: Bool) throws {
    var subscriber = try openTopicSubscriber(process.site, mode, lasting: true, capacity: 16)
    var last: [UInt64: UInt64] = [:]
    try stormReceive(process, &subscriber, holding: holding) { message in
        let (who, number) = (message.number >> 32, message.number & 0xffff_ffff)
        // A publisher that was killed begins anew with 1.
        if let before = last[who], number != 1, mode == .lossless {
            try Violation.unless(number > before, "\(number) of \(who) after \(before)")
        }
        last[who] = number
    }
}

private func stormJoining(_ process: Bystander) throws {
    try stormJoin(process) { try openTopicSubscriber(process.site, .lossless, history: .all, lasting: true, capacity: 16) }
}
