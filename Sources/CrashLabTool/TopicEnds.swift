import CrashLab
import Interprocess

/// The ends of a topic that scenarios use.
typealias TopicPublisher = Publisher<Numbered>
typealias TopicSubscriber = Subscriber<Numbered>

let topicCapacity = 4

func openTopicPublisher(_ site: Site, lasting: Bool = false, capacity: Int = topicCapacity) throws -> TopicPublisher {
    try Publisher(to: "t", capacity: capacity, options: topicOptions(site, lasting), strategy: .park)
}

func openTopicSubscriber(
    _ site: Site, _ mode: SubscriptionMode, history: TopicHistory = .none, lasting: Bool = false, capacity: Int = topicCapacity
) throws -> TopicSubscriber {
    try Subscriber(to: "t", mode, history: history, capacity: capacity, options: topicOptions(site, lasting), strategy: .park)
}

func topicOptions(_ site: Site, _ lasting: Bool) -> TopicOptions {
    TopicOptions(directory: site.directory, lifetime: lasting ? .untilRemoved : .untilLastPeerLeaves, maximumPeers: 12, maximumHeld: 2)
}

extension Subscriber<Numbered> {
    /// The number of the next message, if there is one; it must be whole.
    mutating func nextNumber() throws -> UInt64? {
        guard let message = try tryReceive() else { return nil }
        try Violation.unless(message.isWhole(message.number), "message \(message.number) is torn")
        return message.number
    }

    /// Everything that is there, as numbers. The sequence numbers have no gap but those that are told.
    mutating func drain() throws -> [UInt64] {
        var found: [UInt64] = []
        var next = nextSequence
        while let number = try nextNumber() {
            found.append(number)
            try Violation.unless(
                lastSequence == next + lastMissed, "message \(lastSequence ?? 0) came where \(next) was the next, with \(lastMissed) missed"
            )
            next = nextSequence
        }
        return found
    }
}

/// A publisher and two subscribers of a process that lives through the deaths of others.
final class TopicEnds {
    var publisher: TopicPublisher
    /// Lossy as well where the victim must not be held up.
    var lossless: TopicSubscriber
    var lossy: TopicSubscriber
    /// What the lossless one has received since ``prepare(_:)``, of a number below 100.
    private(set) var numbers: [UInt64] = []

    init(_ site: Site, lasting: Bool = false, capacity: Int = topicCapacity, gating: Bool = true) throws {
        publisher = try openTopicPublisher(site, lasting: lasting, capacity: capacity)
        lossless = try openTopicSubscriber(site, gating ? .lossless : .lossy, lasting: lasting, capacity: capacity)
        lossy = try openTopicSubscriber(site, .lossy, lasting: lasting, capacity: capacity)
    }

    static let peers = 3

    /// The log is full of what has been read: each message takes the place of one.
    func prepare(_ site: Site) throws {
        site.begin()
        try drain()
        for number in 0..<UInt64(topicCapacity) { try publisher.tryPublish(Numbered(400 + number)) }
        try drain()
        numbers = []
    }

    /// Both get the same, but for what the lossy one has missed.
    func drain() throws {
        let found = try lossless.drain()
        let last = try lossy.drain()
        // One of them may have been further than the other before.
        let common = min(found.count, last.count)
        let isSame = lossless.nextSequence == lossy.nextSequence && found.suffix(common).elementsEqual(last.suffix(common))
        try Violation.unless(isSame || lossless.mode == .lossy, "the lossless subscriber has \(found), the lossy one \(last)")
        numbers += found.filter { $0 < 100 }
    }

    /// How often message 7 was received.
    var sevens: Int { numbers.count { $0 == 7 } }

    func readOne() throws {
        if let number = try lossless.nextNumber(), number < 100 { numbers.append(number) }
        _ = try lossy.nextNumber()
    }

    func tryShortly() throws {
        try unlessLate { try publisher.publish(Numbered(500), until: .shortly) }
        try drain()
        try unlessLate {
            if let message = try lossless.receive(until: .shortly), message.number < 100 { numbers.append(message.number) }
        }
        try unlessLate { _ = try lossy.receive(until: .shortly) }
    }

    /// The dead are repaired: nobody holds up anybody, and every place is free that is not in the log, or a publisher's spare.
    func settle(_ site: Site) throws {
        while site.asleep > 0 {
            try unlessLate { try publisher.publish(Numbered(200), until: .soon) }
            try drain()
        }
        try publisher.segment.awaitPeers(Self.peers)
        try drain()
        for number in 0..<UInt64(3 * topicCapacity) {
            try publisher.tryPublish(Numbered(1000 + number))
            try Violation.unless(lossless.nextNumber() == 1000 + number, "message \(1000 + number) is not the next")
            try Violation.unless(lossy.nextNumber() == 1000 + number, "message \(1000 + number) is not the lossy subscriber's next")
        }
        let statistics = publisher.statistics
        try Violation.unless(
            statistics.places == topicCapacity + 1 && statistics.heldPlaces == 0, "places are lost: \(statistics)")
        try Violation.unless(
            statistics.publishers == 1 && statistics.losslessSubscribers + statistics.lossySubscribers == 2,
            "peers that are gone are there still: \(statistics)")
    }
}
