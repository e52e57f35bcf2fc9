import CrashLab
import Interprocess
import InterprocessSystem

/// A topic of one publisher, while that one or a subscriber is killed. The publisher is the victim's: who survives takes over.
let topicOneScenarios: [Scenario] =
    [
        publish,
        publishing("topic.one.publish.async", "the publisher of a topic of one, in a task", form: .suspending) {
            try $0.publish($1, by: .suspending, until: $2)
        }.with(scribbled: { try useInTasks($0) }),
        loan,
        publishing("topic.one.publish.loan.async", "the publisher with loans, in a task", form: .suspending) {
            try publishInPlaceInTask(&$0, $1, until: $2)
        }.with(scribbled: nil),
        open, publishFull(.blocking), publishFull(.suspending), publishFullGivenUp(.suspending), publishFullGivenUp(.cancelled),
        receiveLossless,
        subscribing("topic.one.receive.async", "a lossless subscriber in a task", .lossless, messages: 2, form: .suspending) {
            try receiveAndTakeInTask(&$0)
        },
        receiveLossy, take, join, sleep(.blocking), sleep(.suspending),
    ] + topicOneConcurrentScenarios

func topicOneOptions(_ site: Site, lasting: Bool = false) -> TopicOptions {
    var options = topicOptions(site, lasting)
    options.publishers = .one
    return options
}

func openOnePublisher(_ site: Site, lasting: Bool = false, capacity: Int = topicCapacity) throws -> TopicPublisher {
    try Publisher(to: "o", capacity: capacity, options: topicOneOptions(site, lasting: lasting), strategy: .park)
}

func openOneSubscriber(
    _ site: Site, _ mode: SubscriptionMode, history: TopicHistory = .none, lasting: Bool = false, capacity: Int = topicCapacity
) throws -> TopicSubscriber {
    try Subscriber(to: "o", mode, history: history, capacity: capacity, options: topicOneOptions(site, lasting: lasting), strategy: .park)
}

/// Becomes the publisher, and does this; false if somebody is the publisher.
func withOnePublisher(
    _ site: Site, lasting: Bool = false, capacity: Int = topicCapacity, _ body: (inout TopicPublisher) throws -> Void
) throws -> Bool {
    do {
        var publisher = try openOnePublisher(site, lasting: lasting, capacity: capacity)
        try body(&publisher)
        return true
    } catch let error as InterprocessError where error.code == .busy { return false }
}

/// Two subscribers of a process that lives through the deaths of publishers.
final class TopicOneEnds {
    private let site: Site
    private let lasting: Bool
    private let capacity: Int
    var lossless: TopicSubscriber
    var lossy: TopicSubscriber
    /// What the first one has received since ``prepare()``, of a number below 100.
    private(set) var numbers: [UInt64] = []

    /// - Parameter gating: false: both are lossy, so that the victim is not held up.
    init(_ site: Site, lasting: Bool = false, capacity: Int = topicCapacity, gating: Bool = true) throws {
        (self.site, self.lasting, self.capacity) = (site, lasting, capacity)
        lossless = try openOneSubscriber(site, gating ? .lossless : .lossy, lasting: lasting, capacity: capacity)
        lossy = try openOneSubscriber(site, .lossy, lasting: lasting, capacity: capacity)
    }

    static let peers = 2

    func publishing(_ body: (inout TopicPublisher) throws -> Void) throws -> Bool {
        try withOnePublisher(site, lasting: lasting, capacity: capacity, body)
    }

    /// The log is full of what has been read: each message takes the place of one.
    func prepare(full: Bool = false) throws {
        site.begin()
        try drain()
        let isMine = try publishing { publisher in
            for number in 0..<UInt64(capacity) { try publisher.tryPublish(Numbered(400 + number)) }
            try drain()
            if full { for number in 0..<UInt64(capacity) { try publisher.tryPublish(Numbered(300 + number)) } }
        }
        try Violation.unless(isMine, "a dead publisher is in the way")
        numbers = []
    }

    func drain() throws {
        let found = try lossless.drain()
        _ = try lossy.drain()
        numbers += found.filter { $0 < 100 }
    }

    func readOne() throws {
        if let number = try lossless.nextNumber(), number < 100 { numbers.append(number) }
        _ = try lossy.nextNumber()
    }

    /// While the victim lives: it may be the publisher.
    func tryShortly() throws {
        _ = try publishing { publisher in try unlessLate { try publisher.publish(Numbered(500), until: .shortly) } }
        try drain()
    }

    /// Message 7 came as often as the victim says; everything that the dead had comes back, and the next publisher goes on.
    func settle() throws {
        try drain()
        let sevens = numbers.count { $0 == 7 }
        if site.slept == 0, lossless.mode == .lossless {
            try Violation.unless(site.count().contains(sevens), "message 7 was received \(sevens) times, published \(site.count())")
        }
        var isMine = true
        while site.asleep > 0, isMine {
            isMine = try publishing { publisher in try unlessLate { try publisher.publish(Numbered(200), until: .soon) } }
            try drain()
        }
        isMine =
            try isMine
            && publishing { publisher in
                try publisher.segment.awaitPeers(Self.peers + 1)
                try drain()
                for number in 0..<UInt64(3 * capacity) {
                    try publisher.tryPublish(Numbered(1000 + number))
                    try Violation.unless(lossless.nextNumber() == 1000 + number, "message \(1000 + number) is not the next")
                    try Violation.unless(lossy.nextNumber() == 1000 + number, "message \(1000 + number) is not the lossy subscriber's next")
                }
                let statistics = publisher.statistics
                try Violation.unless(
                    statistics.places == capacity && statistics.heldPlaces == 0, "places are lost: \(statistics)")
                try Violation.unless(
                    statistics.publishers == 1 && statistics.losslessSubscribers + statistics.lossySubscribers == 2,
                    "peers that are gone are there still: \(statistics)")
            }
        try Violation.unless(isMine, "a dead publisher is in the way")
    }
}

private func sleeper(_ index: Int, _ mode: SubscriptionMode, _ form: Form = .blocking) -> @Sendable (Bystander) throws -> Void {
    topicSleeper(index, form) { try openOneSubscriber($0, mode) }
}

private let third: @Sendable (Bystander) throws -> Void = { third in
    let ends = try TopicOneEnds(third.site)
    try ends.tryShortly()
    third.awaitKill()
    try ends.tryShortly()
}

private func scenario(
    _ name: String, _ summary: String, gating: Bool = true, full: Bool = false, victimWaits: Bool = false,
    rouse: (@Sendable (TopicOneEnds) throws -> Void)? = nil, _ body: @escaping @Sendable (Victim) throws -> Void
) -> Scenario {
    Scenario(
        name, summary, segments: ["o"], victimWaits: victimWaits,
        survivor: { site in
            let ends = try TopicOneEnds(site, gating: gating)
            return Survivor(
                prepare: { try ends.prepare(full: full) }, rouse: { try rouse?(ends) }, meanwhile: { try ends.tryShortly() },
                goOn: { try ends.settle() })
        }
    ) {
        try body($0)
    } third: {
        try third($0)
    }
}

private func useInTasks(_ victim: Victim) throws {
    var publisher = try openOnePublisher(victim.site)
    var lossless = try openOneSubscriber(victim.site, .lossless)
    useTopicInTasks(&publisher, &lossless)
    try victim.step { useTopicInTasks(&publisher, &lossless) }
}

private func publishing(
    _ name: String, _ summary: String, form: Form = .blocking,
    _ body: @escaping @Sendable (inout TopicPublisher, Numbered, Deadline) throws -> Void
) -> Scenario {
    var scenario = scenario(name, summary) { victim in
        var publisher = try openOnePublisher(victim.site)
        try body(&publisher, Numbered(500), .shortly)
        try victim.step(by: form) { try victim.site.doing { try body(&publisher, Numbered(7), victim.deadline) } }
    }
    scenario.scribbled = { victim in
        var publisher = try openOnePublisher(victim.site)
        var lossless = try openOneSubscriber(victim.site, .lossless)
        var lossy = try openOneSubscriber(victim.site, .lossy)
        func all(_ deadline: Deadline) { useTopic(&publisher, &lossless, &lossy, until: deadline) }
        all(.now)
        try victim.step { all(victim.deadline == .never ? .shortly : victim.deadline) }
    }
    return scenario
}

private let publish = publishing("topic.one.publish", "the publisher of a topic of one") { publisher, message, deadline in
    try publisher.publish(message, until: deadline)
}.with(sleepers: [sleeper(0, .lossless), sleeper(1, .lossy)])

private let loan = publishing("topic.one.publish.loan", "the publisher with loans, which writes in place") {
    try publishInPlace(&$0, $1, until: $2)
}

/// Becomes the publisher, publishes enough to look at what is held, and closes.
private let open = scenario("topic.one.open", "a process that becomes the publisher, and closes") { victim in
    func once() throws {
        _ = try withOnePublisher(victim.site) { publisher in
            // Not more: the survivor reads losslessly, and only afterwards.
            try publisher.tryPublish(Numbered(500))
        }
    }
    try once()
    let ends = try TopicOneEnds(victim.site)
    try ends.drain()
    try victim.step { try once() }
}.with(excluded: [.fork])

private func publishFull(_ form: Form) -> Scenario {
    scenario(
        "topic.one.publish.full" + form.rawValue, "the publisher, which waits for a lossless subscriber", full: true, victimWaits: true,
        rouse: { try $0.readOne() }
    ) { victim in
        var publisher = try openOnePublisher(victim.site)
        try unlessLate { try publisher.publish(Numbered(8), by: form, until: .shortly) }
        try victim.step(by: form) { try victim.site.doing { try publisher.publish(Numbered(7), by: form) } }
    }
}

private func publishFullGivenUp(_ form: Form) -> Scenario {
    scenario(
        "topic.one.publish.give-up" + form.rawValue, "the publisher, which gives up waiting for a lossless subscriber", full: true
    ) { victim in
        var publisher = try openOnePublisher(victim.site)
        try form.givesUp { try publisher.publish(Numbered(8), by: form, until: form.briefly) }
        try victim.step(by: form) { try publishOrGiveUp(&publisher, victim.site, form) }
    }
}

/// The victim subscribes, to what it publishes itself; when it is dead nobody waits for it, and what it held is free.
private func subscribing(
    _ name: String, _ summary: String, _ mode: SubscriptionMode, messages: Int, form: Form = .blocking,
    _ body: @escaping @Sendable (inout TopicSubscriber) throws -> Void
) -> Scenario {
    scenario(name, summary, gating: mode == .lossless) { victim in
        var subscriber = try openOneSubscriber(victim.site, mode)
        func feed() throws {
            _ = try withOnePublisher(victim.site) { publisher in
                for number in 0..<UInt64(messages) { try publisher.tryPublish(Numbered(300 + number)) }
            }
        }
        try feed()
        try body(&subscriber)
        try feed()
        try victim.step(by: form) { try body(&subscriber) }
    }
}

private let receiveLossless = subscribing("topic.one.receive", "a lossless subscriber", .lossless, messages: 2) {
    try receiveAndTake(&$0)
}

private let receiveLossy = subscribing("topic.one.receive.lossy", "a lossy subscriber", .lossy, messages: 6) { try receiveAndLook(&$0) }

private let take = subscribing("topic.one.take", "a lossy subscriber that holds two messages", .lossy, messages: 6) { try takeTwo(&$0) }

private let join = subscribing("topic.one.join", "a process that subscribes anew", .lossless, messages: 2) { subscriber in
    try subscriber.rejoin(history: .all)
    _ = try subscriber.drain()
}

private func sleep(_ form: Form) -> Scenario {
    scenario(
        "topic.one.receive.sleep" + form.rawValue, "a subscriber that waits", victimWaits: true,
        rouse: { ends in
            try ends.drain()
            _ = try ends.publishing { publisher in try unlessLate { try publisher.publish(Numbered(200), until: .soon) } }
        }
    ) { victim in
        var subscriber = try openOneSubscriber(victim.site, .lossless)
        try unlessLate { try subscriber.receiveWhole(form, until: .shortly) }
        try victim.step(by: form) { try subscriber.receiveWhole(form) }
    }.with(sleepers: [sleeper(0, .lossless, form)])
}
