import CrashLab
import Interprocess
import InterprocessSystem

/// A topic, while one that publishes to it or subscribes to it is killed.
let topicScenarios: [Scenario] =
    [publish, loan, publishFull, receiveLossless, receiveLossy, take, sleep, giveUp, join, close, bytes, repairChain]
    + topicConcurrentScenarios

private func sleeper(_ index: Int, _ mode: SubscriptionMode) -> @Sendable (Bystander) throws -> Void {
    topicSleeper(index) { try openTopicSubscriber($0, mode) }
}

private let third: @Sendable (Bystander) throws -> Void = { third in
    let ends = try TopicEnds(third.site)
    try ends.tryShortly()
    third.awaitKill()
    try ends.tryShortly()
}

/// Message 7 was published as often as the victim says.
private func publishing(
    _ name: String, _ summary: String, sleepers: [@Sendable (Bystander) throws -> Void] = [],
    _ body: @escaping @Sendable (inout TopicPublisher, Numbered, Deadline) throws -> Void
) -> Scenario {
    Scenario(
        name, summary, segments: ["t"],
        survivor: { site in
            let ends = try TopicEnds(site)
            return Survivor(
                prepare: { try ends.prepare(site) }, meanwhile: { try ends.tryShortly() },
                goOn: {
                    try ends.drain()
                    if site.slept == 0 {
                        try Violation.unless(
                            site.count().contains(ends.sevens), "message 7 was received \(ends.sevens) times, published \(site.count())")
                    }
                    try ends.settle(site)
                })
        }
    ) { victim in
        var publisher = try openTopicPublisher(victim.site)
        try body(&publisher, Numbered(500), .shortly)
        try victim.step { try victim.site.doing { try body(&publisher, Numbered(7), victim.deadline) } }
    } third: {
        try third($0)
    } scribbled: { victim in
        var publisher = try openTopicPublisher(victim.site)
        var lossless = try openTopicSubscriber(victim.site, .lossless)
        var lossy = try openTopicSubscriber(victim.site, .lossy)
        func all(_ deadline: Deadline) { useTopic(&publisher, &lossless, &lossy, until: deadline) }
        all(.now)
        try victim.step { all(victim.deadline == .never ? .shortly : victim.deadline) }
    }.with(sleepers: sleepers)
}

private let publish = publishing("topic.publish", "a publisher", sleepers: [sleeper(0, .lossless), sleeper(1, .lossy)]) {
    publisher, message, deadline in
    try publisher.publish(message, until: deadline)
}

private let loan = publishing("topic.publish.loan", "a publisher with loans, which writes in place") {
    try publishInPlace(&$0, $1, until: $2)
}

/// The victim waits for a lossless subscriber.
private let publishFull = Scenario(
    "topic.publish.full", "a publisher that waits for a lossless subscriber", segments: ["t"], victimWaits: true,
    survivor: { site in
        let ends = try TopicEnds(site)
        return Survivor(
            prepare: {
                try ends.prepare(site)
                for number in 0..<UInt64(topicCapacity) { try ends.publisher.tryPublish(Numbered(300 + number)) }
            }, rouse: { try ends.readOne() },
            meanwhile: { _ = try isTopicLate { try ends.publisher.publish(Numbered(500), until: .shortly) } },
            goOn: {
                try ends.drain()
                try Violation.unless(
                    site.count().contains(ends.sevens), "message 7 was received \(ends.sevens) times, published \(site.count())")
                try ends.settle(site)
            })
    }
) { victim in
    var publisher = try openTopicPublisher(victim.site)
    _ = try isTopicLate { try publisher.publish(Numbered(8), until: .shortly) }
    try victim.step { try victim.site.doing { try publisher.publish(Numbered(7)) } }
} third: { third in
    var publisher = try openTopicPublisher(third.site)
    _ = try isTopicLate { try publisher.publish(Numbered(500), until: .shortly) }
    third.awaitKill()
    _ = try isTopicLate { try publisher.publish(Numbered(500), until: .shortly) }
}

/// The victim subscribes; publishers must get on when it is dead, and what it held is free.
private func subscribing(
    _ name: String, _ summary: String, _ mode: SubscriptionMode, messages: Int,
    _ body: @escaping @Sendable (inout TopicSubscriber, Site) throws -> Void
) -> Scenario {
    Scenario(
        name, summary, segments: ["t"],
        survivor: { site in
            let ends = try TopicEnds(site, gating: mode == .lossless)
            return Survivor(
                prepare: { try ends.prepare(site) }, meanwhile: { try ends.tryShortly() },
                goOn: {
                    try ends.drain()
                    try ends.settle(site)
                })
        }
    ) { victim in
        var subscriber = try openTopicSubscriber(victim.site, mode)
        var publisher = try openTopicPublisher(victim.site)
        func feed() throws { for number in 0..<UInt64(messages) { try publisher.tryPublish(Numbered(300 + number)) } }
        try feed()
        try body(&subscriber, victim.site)
        try feed()
        try victim.step { try body(&subscriber, victim.site) }
    } third: {
        try third($0)
    }
}

private let receiveLossless = subscribing("topic.receive", "a lossless subscriber", .lossless, messages: 2) { subscriber, _ in
    try receiveAndTake(&subscriber)
}

private let receiveLossy = subscribing("topic.receive.lossy", "a lossy subscriber", .lossy, messages: 6) { subscriber, _ in
    try receiveAndLook(&subscriber)
}

private let take = subscribing("topic.take", "a lossy subscriber that holds two messages", .lossy, messages: 6) { subscriber, _ in
    try takeTwo(&subscriber)
}

/// The victim sleeps until there is a message.
private let sleep = Scenario(
    "topic.receive.sleep", "a subscriber that waits", segments: ["t"], victimWaits: true,
    survivor: { site in
        let ends = try TopicEnds(site)
        func rouse() throws {
            try ends.drain()
            _ = try isTopicLate { try ends.publisher.publish(Numbered(200), until: .soon) }
        }
        return Survivor(
            prepare: { try ends.prepare(site) }, rouse: rouse, meanwhile: { try ends.tryShortly() },
            goOn: {
                try ends.drain()
                try ends.settle(site)
            })
    }
) { victim in
    var subscriber = try openTopicSubscriber(victim.site, .lossless)
    _ = try isTopicLate { _ = try subscriber.receive(until: .shortly) }
    try victim.step { _ = try subscriber.receive() }
} third: {
    try third($0)
}.with(sleepers: [sleeper(0, .lossless)])

/// The victim gives up waiting, just when a message comes.
private let giveUp = Scenario(
    "topic.receive.give-up", "a subscriber that gives up waiting, just when a message comes", segments: ["t"],
    survivor: { site in
        let ends = try TopicEnds(site)
        return Survivor(
            prepare: { try ends.prepare(site) }, meanwhile: { try ends.tryShortly() },
            goOn: {
                try ends.drain()
                try ends.settle(site)
            })
    }
) { victim in
    var subscriber = try openTopicSubscriber(victim.site, .lossy)
    _ = try isTopicLate { _ = try subscriber.receive(until: .shortly) }
    try victim.step { _ = try isTopicLate { _ = try subscriber.receive(until: .soon) } }
} third: { third in
    var publisher = try openTopicPublisher(third.site)
    _ = try isTopicLate { try publisher.publish(Numbered(200), until: .shortly) }
    third.awaitKill()
}.with(sleepers: [sleeper(0, .lossy)])

/// The victim joins, and reads what was there before.
private let join = subscribing("topic.join", "a process that subscribes anew", .lossless, messages: 2) { subscriber, _ in
    try subscriber.rejoin(history: .all)
    _ = try subscriber.drain()
}

private let close = Scenario(
    "topic.close", "a process that closes a publisher and two subscribers", segments: ["t"],
    survivor: { site in
        let ends = try TopicEnds(site)
        return Survivor(
            prepare: { try ends.prepare(site) }, meanwhile: { try ends.tryShortly() },
            goOn: {
                try ends.drain()
                try ends.settle(site)
            })
    }
) { victim in
    func open() throws -> Holder<TopicEndsOfOne> { Holder(TopicEndsOfOne(try TopicEnds(victim.site))) }
    _ = try open()
    let ends = try open()
    try ends.value?.ends.tryShortly()
    try victim.step { ends.value = nil }
} third: {
    try third($0)
}.with(excluded: [.fork])

/// What ends when it is let go of.
private struct TopicEndsOfOne: ~Copyable {
    let ends: TopicEnds
    init(_ ends: TopicEnds) { self.ends = ends }
}

private final class TopicByteEnds {
    var publisher: BytePublisher
    var subscriber: ByteSubscriber

    static func publisher(_ site: Site) throws -> BytePublisher {
        try BytePublisher(to: "b", capacity: 2, maximumMessageSize: 8192, options: topicOptions(site, false), strategy: .park)
    }

    init(_ site: Site) throws {
        publisher = try Self.publisher(site)
        subscriber = try ByteSubscriber(to: "b", maximumMessageSize: 8192, options: topicOptions(site, false), strategy: .park)
    }
}

/// The victim publishes bytes for which the memory is to be reserved first.
private let bytes = Scenario(
    "topic.bytes.publish", "a publisher of bytes", segments: ["b"],
    survivor: { site in
        let ends = try TopicByteEnds(site)
        return Survivor(
            prepare: { site.begin() },
            goOn: {
                try ends.publisher.segment.awaitPeers(2)
                var found = 0
                while let isWhole = try ends.subscriber.tryReceive({ NumberedBytes.isWhole($0, 7) })?.get() {
                    try Violation.unless(isWhole, "the message is torn")
                    found += 1
                }
                try Violation.unless(site.count().contains(found), "the message was received \(found) times, published \(site.count())")
                let statistics = ends.publisher.statistics
                try Violation.unless(statistics.places <= 3 && statistics.heldPlaces == 0, "places are lost: \(statistics)")
            })
    }
) { victim in
    var publisher = try TopicByteEnds.publisher(victim.site)
    let message = NumberedBytes.make(7)
    try victim.step { try victim.site.doing { try publisher.publish(message) } }
}

/// A publisher dies with a loan, a subscriber with a sample; of four that repair after it, each is killed in that.
private let repairChain: Scenario = {
    var scenario = Scenario(
        "topic.repair-chain", "three processes, each killed while it repairs after the one before", segments: ["t"],
        survivor: { site in
            let ends = try TopicEnds(site)
            return Survivor(
                prepare: { try ends.prepare(site) },
                goOn: {
                    try ends.drain()
                    try ends.settle(site)
                })
        }
    ) { victim in
        let publisher = try openTopicPublisher(victim.site)
        let segment = publisher.segment
        let seen = segment.deathCount
        try victim.step { while segment.deathCount == seen { sleepThread(for: .microseconds(100)) } }
    }
    scenario.stepsKeeper = true
    scenario.victims = 3
    scenario.dead = { dead in
        var publisher = try openTopicPublisher(dead.site)
        var subscriber = try openTopicSubscriber(dead.site, .lossless)
        let loan = Holder<Loan<Numbered>>(try publisher.loan())
        for _ in 0..<2 { _ = try isTopicLate { try publisher.publish(Numbered(500), until: .shortly) } }
        let sample = Holder<Sample<Numbered>>(try subscriber.tryTake())
        withExtendedLifetime((loan, sample)) { dead.die() }
    }
    return scenario
}()
