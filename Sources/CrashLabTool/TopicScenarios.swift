import CrashLab
import Interprocess
import InterprocessSystem

/// A topic, while one that publishes to it or subscribes to it is killed.
let topicScenarios: [Scenario] =
    [
        publish,
        publishing("topic.publish.async", "a publisher in a task", form: .suspending) {
            try $0.publish($1, by: .suspending, until: $2)
        }.with(scribbled: { try useInTasks($0) }),
        loan,
        publishing("topic.publish.loan.async", "a publisher with loans, in a task", form: .suspending) {
            try publishInPlaceInTask(&$0, $1, until: $2)
        }.with(scribbled: nil),
        publishFull(.blocking), publishFull(.suspending), publishFullGivenUp(.suspending), publishFullGivenUp(.cancelled),
        receiveLossless,
        subscribing("topic.receive.async", "a lossless subscriber in a task", .lossless, messages: 2, form: .suspending) { subscriber, _ in
            try receiveAndTakeInTask(&subscriber)
        },
        receiveLossy, take, sleep(.blocking), sleep(.suspending), giveUp(.blocking), giveUp(.suspending), giveUp(.cancelled), join, close,
        bytes(.blocking), bytes(.suspending), repairChain,
    ]
    + topicConcurrentScenarios

private func sleeper(_ index: Int, _ mode: SubscriptionMode, _ form: Form = .blocking) -> @Sendable (Bystander) throws -> Void {
    topicSleeper(index, form) { try openTopicSubscriber($0, mode) }
}

private func useInTasks(_ victim: Victim) throws {
    var publisher = try openTopicPublisher(victim.site)
    var lossless = try openTopicSubscriber(victim.site, .lossless)
    useTopicInTasks(&publisher, &lossless)
    try victim.step { useTopicInTasks(&publisher, &lossless) }
}

private let third: @Sendable (Bystander) throws -> Void = { third in
    let ends = try TopicEnds(third.site)
    try ends.tryShortly()
    third.awaitKill()
    try ends.tryShortly()
}

/// Message 7 was published as often as the victim says.
private func publishing(
    _ name: String, _ summary: String, sleepers: [@Sendable (Bystander) throws -> Void] = [], form: Form = .blocking,
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
        try victim.step(by: form) { try victim.site.doing { try body(&publisher, Numbered(7), victim.deadline) } }
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
private func publishFull(_ form: Form) -> Scenario {
    publishFull("topic.publish.full" + form.rawValue, "a publisher that waits for a lossless subscriber", victimWaits: true) { victim in
        var publisher = try openTopicPublisher(victim.site)
        try unlessLate { try publisher.publish(Numbered(8), by: form, until: .shortly) }
        try victim.step(by: form) { try victim.site.doing { try publisher.publish(Numbered(7), by: form) } }
    }
}

private func publishFullGivenUp(_ form: Form) -> Scenario {
    publishFull("topic.publish.give-up" + form.rawValue, "a publisher that gives up waiting for a lossless subscriber") { victim in
        var publisher = try openTopicPublisher(victim.site)
        try form.givesUp { try publisher.publish(Numbered(8), by: form, until: form.briefly) }
        try victim.step(by: form) { try publishOrGiveUp(&publisher, victim.site, form) }
    }
}

private func publishFull(
    _ name: String, _ summary: String, victimWaits: Bool = false, _ victim: @escaping @Sendable (Victim) throws -> Void
) -> Scenario {
    Scenario(
        name, summary, segments: ["t"], victimWaits: victimWaits,
        survivor: { site in
            let ends = try TopicEnds(site)
            return Survivor(
                prepare: {
                    try ends.prepare(site)
                    for number in 0..<UInt64(topicCapacity) { try ends.publisher.tryPublish(Numbered(300 + number)) }
                }, rouse: { try ends.readOne() },
                meanwhile: { try unlessLate { try ends.publisher.publish(Numbered(500), until: .shortly) } },
                goOn: {
                    try ends.drain()
                    try Violation.unless(
                        site.count().contains(ends.sevens), "message 7 was received \(ends.sevens) times, published \(site.count())")
                    try ends.settle(site)
                })
        }
    ) {
        try victim($0)
    } third: { third in
        var publisher = try openTopicPublisher(third.site)
        try unlessLate { try publisher.publish(Numbered(500), until: .shortly) }
        third.awaitKill()
        try unlessLate { try publisher.publish(Numbered(500), until: .shortly) }
    }
}

/// The victim subscribes; publishers must get on when it is dead, and what it held is free.
private func subscribing(
    _ name: String, _ summary: String, _ mode: SubscriptionMode, messages: Int, form: Form = .blocking,
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
        try victim.step(by: form) { try body(&subscriber, victim.site) }
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
private func sleep(_ form: Form) -> Scenario {
    Scenario(
        "topic.receive.sleep" + form.rawValue, "a subscriber that waits", segments: ["t"], victimWaits: true,
        survivor: { site in
            let ends = try TopicEnds(site)
            func rouse() throws {
                try ends.drain()
                try unlessLate { try ends.publisher.publish(Numbered(200), until: .soon) }
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
        try unlessLate { try subscriber.receiveWhole(form, until: .shortly) }
        try victim.step(by: form) { try subscriber.receiveWhole(form) }
    } third: {
        try third($0)
    }.with(sleepers: [sleeper(0, .lossless, form)])
}

/// Has both ends, and reads what is there.
private func readsOn(_ site: Site) throws -> Survivor {
    let ends = try TopicEnds(site)
    return Survivor(
        prepare: { try ends.prepare(site) }, meanwhile: { try ends.tryShortly() },
        goOn: {
            try ends.drain()
            try ends.settle(site)
        })
}

/// The victim gives up waiting, just when a message comes.
private func giveUp(_ form: Form) -> Scenario {
    Scenario(
        "topic.receive.give-up" + form.rawValue, "a subscriber that gives up waiting, just when a message comes", segments: ["t"],
        survivor: readsOn
    ) { victim in
        var subscriber = try openTopicSubscriber(victim.site, .lossy)
        try form.givesUp { try subscriber.receiveWhole(form, until: form.briefly) }
        try victim.step(by: form) { try form.givesUp { try subscriber.receiveWhole(form, until: form.soon) } }
    } third: { third in
        var publisher = try openTopicPublisher(third.site)
        try unlessLate { try publisher.publish(Numbered(200), until: .shortly) }
        third.awaitKill()
    }.with(sleepers: [sleeper(0, .lossy)])
}

/// The victim joins, and reads what was there before.
private let join = subscribing("topic.join", "a process that subscribes anew", .lossless, messages: 2) { subscriber, _ in
    try subscriber.rejoin(history: .all)
    _ = try subscriber.drain()
}

private let close = Scenario(
    "topic.close", "a process that closes a publisher and two subscribers", segments: ["t"],
    survivor: readsOn
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
private func bytes(_ form: Form) -> Scenario {
    Scenario(
        "topic.bytes.publish" + form.rawValue, "a publisher of bytes", segments: ["b"],
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
                    try Violation.unless(
                        site.count().contains(found), "the message was received \(found) times, published \(site.count())")
                    let statistics = ends.publisher.statistics
                    try Violation.unless(statistics.places <= 3 && statistics.heldPlaces == 0, "places are lost: \(statistics)")
                })
        }
    ) { victim in
        var publisher = try TopicByteEnds.publisher(victim.site)
        let message = NumberedBytes.make(7)
        try victim.step(by: form) {
            try victim.site.doing {
                try form.call {
                    try publisher.publish(message)
                } _: {
                    try await publisher.publish(message)
                }
            }
        }
    }
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
        for _ in 0..<2 { try unlessLate { try publisher.publish(Numbered(500), until: .shortly) } }
        let sample = Holder<Sample<Numbered>>(try subscriber.tryTake())
        withExtendedLifetime((loan, sample)) { dead.die() }
    }
    return scenario
}()
