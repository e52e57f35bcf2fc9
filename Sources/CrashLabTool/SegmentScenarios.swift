import CrashLab
import Interprocess
import InterprocessSystem

/// Making, opening and leaving segments, and repairing what the dead have left.
let segmentScenarios: [Scenario] = [
    Scenario("segment.create", "a process that makes a segment", segments: []) { site in
        Survivor(goOn: {
            let segment = try Segment.openOrCreate(name, size: 4096, in: site.directory)
            try segment.awaitPeers(1)
        })
    } victim: { victim in
        try victim.site.warmUp()
        let kept = Kept()
        try victim.step {
            do {
                kept.segment = try Segment.create(name, size: 4096, in: victim.site.directory)
            } catch let error as InterprocessError where error.code == .nameTaken {
                // The third was faster while this process stood still.
            }
        }
    } third: { third in
        let segment = try Segment.openOrCreate(name, size: 4096, in: third.site.directory)
        third.awaitKill()
        try segment.awaitPeers(1)
    },
    attaching("segment.open", "a process that opens a segment") { site, kept, step in
        try step { kept.segment = try Segment.open(name, in: site.directory) }
    },
    attaching("segment.close", "a process that leaves a segment") { site, kept, step in
        kept.segment = try Segment.open(name, in: site.directory)
        try step { kept.segment = nil }
    },
    leaveLast,
    onKeeper(
        attaching("keeper.open", "a process whose keeper joins a segment") { site, kept, step in
            try step { kept.segment = try Segment.open(name, in: site.directory) }
        }),
    onKeeper(
        attaching("keeper.close", "a process whose keeper leaves a segment") { site, kept, step in
            kept.segment = try Segment.open(name, in: site.directory)
            try step { kept.segment = nil }
        }),
    keeperRepair,
    Scenario("queue.recover", "a process that repairs a queue whose two sides are dead", segments: ["q"]) { site in
        Survivor(
            prepare: { _ = try? site.directory.remove(Site.queue) },
            goOn: {
                let receiver = try TypedReceiving(site)
                for _ in 0..<5 {
                    let told = try receiver.receive(until: .now)
                    try Violation.unless(told == .message, "instead of message \(receiver.next): \(told)")
                }
                let sender = try TypedSending(site)
                try Violation.unless(sender.next == 5, "the next message is \(sender.next)")
                try sender.send(until: .now)
                var told: [Told] = []
                while told.last != .message, told.count < 4 { told.append(try receiver.receive(until: .now)) }
                try Violation.unless(
                    told == [.died, .message] || told == [.died, .died, .message] || told == [.died, .closed, .message],
                    "the receiver was told \(told)")
                try receiver.segment.awaitPeers(2)
                _ = try QueueInspection.validate(receiver.segment)
            })
    } dead: { dead in
        let receiver = try TypedReceiving(dead.site)
        let sender = try TypedSending(dead.site)
        for _ in 0..<5 { try sender.send(until: .now) }
        withExtendedLifetime((receiver, sender)) { dead.die() }
    } victim: { victim in
        try victim.site.warmUp()
        let kept = Kept()
        try victim.step { kept.sender = try Sender<Numbered>(to: Site.queue, options: victim.site.options) }
    } third: { third in
        // Opens as well: whoever comes first repairs.
        let receiver = try TypedReceiving(third.site)
        third.awaitKill()
        withExtendedLifetime(receiver) {}
    },
]

private let name = ObjectName(stringLiteral: "s")

private func onKeeper(_ scenario: Scenario) -> Scenario {
    var scenario = scenario
    scenario.stepsKeeper = true
    return scenario
}

private let leaveLast: Scenario = {
    var scenario = Scenario("segment.leaveLast", "the last process leaves a segment", segments: []) { site in
        Survivor(goOn: { try Segment.openOrCreate(name, size: 4096, in: site.directory).awaitPeers(1) })
    } victim: { victim in
        try victim.site.warmUp()
        let kept = Kept()
        kept.segment = try Segment.openOrCreate(name, size: 4096, in: victim.site.directory)
        try victim.step { kept.segment = nil }
    } third: { third in
        let segment = try Segment.openOrCreate(name, size: 4096, in: third.site.directory)
        third.awaitKill()
        try segment.awaitPeers(1)
    }
    // Who is killed in leaving and has forked in it leaves the file's lock to its child: until that has ended or executes a program, others are told after 5 s that the segment is busy.
    scenario.excluded = [.fork]
    return scenario
}()

/// A peer dies, and the keeper that repairs after it is killed in that. Nobody else is there who could have done it before.
private let keeperRepair: Scenario = {
    var scenario = Scenario("keeper.repair", "a process whose keeper repairs after another's death", segments: ["q"]) { site in
        Survivor(
            prepare: { _ = try? site.directory.remove(Site.queue) },
            goOn: {
                let receiver = try TypedReceiving(site)
                for _ in 0..<3 {
                    let told = try receiver.receive(until: .now)
                    try Violation.unless(told == .message, "instead of message \(receiver.next): \(told)")
                }
                let told = try receiver.receive(until: .now)
                try Violation.unless(told == .died, "instead of the sender's death: \(told)")
                try receiver.segment.awaitPeers(1)
                _ = try QueueInspection.validate(receiver.segment)
            })
    } victim: { victim in
        var sender = try Sender<Numbered>(to: Site.queue, capacity: 20, options: victim.site.options, strategy: .park)
        for number in 0..<UInt64(3) { try sender.send(Numbered(number)) }
        let segment = sender.segment
        let seen = segment.deathCount
        try victim.step { while segment.deathCount == seen { sleepThread(for: .microseconds(100)) } }
    } third: { third in
        // Comes while the repair stands still, and has to finish it.
        do {
            let receiver = try TypedReceiving(third.site)
            third.awaitKill()
            try receiver.segment.awaitPeers(1)
        } catch let error as InterprocessError where error.code == .busy {
            // The dead one's role has not been given back yet.
        }
    }
    scenario.stepsKeeper = true
    scenario.dead = { dead in
        let receiver = try TypedReceiving(dead.site)
        withExtendedLifetime(receiver) { dead.die() }
    }
    return scenario
}()

private func attaching(
    _ scenarioName: String, _ summary: String,
    _ operation: @escaping @Sendable (Site, Kept, (_ body: () throws -> Void) throws -> Void) throws -> Void
) -> Scenario {
    Scenario(scenarioName, summary, segments: ["s"]) { site in
        let segment = try Segment.create(name, size: 4096, in: site.directory)
        return Survivor(goOn: {
            try segment.awaitPeers(1)
            // One more can come and go.
            let other = try Segment.open(name, in: site.directory)
            try other.awaitPeers(2)
        })
    } victim: { victim in
        try victim.site.warmUp()
        try operation(victim.site, Kept(), { try victim.step($0) })
    } third: { third in
        let segment = try Segment.open(name, in: third.site.directory)
        third.awaitKill()
        try segment.awaitPeers(2)
    }
}

extension Site {
    /// Everything that is made on first use, the keeper's thread among it.
    func warmUp() throws {
        _ = try Segment.openOrCreate("warm", size: 4096, in: directory)
        try Sender<Numbered>(to: "warm-queue", capacity: 20, options: options).close()
    }
}

extension Segment {
    /// Waits until the dead are off the table. That it is not done at all is found by the lab.
    func awaitPeers(_ count: Int) throws {
        while peers.count != count {
            try Violation.unless(peers.count >= count, "\(peers.count) peers instead of \(count)")
            sleepThread(for: .microseconds(200))
        }
    }
}
