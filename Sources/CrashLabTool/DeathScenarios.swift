import CrashLab
import Interprocess
import InterprocessSystem

/// Several processes that have to do with each other's deaths.
let deathScenarios: [Scenario] = [repairChain, mutual]

private let name = ObjectName(stringLiteral: "s")

/// A peer dies; whoever repairs after it is killed at the same point of that, and whoever repairs after the two, and so on. The last one was stopped meanwhile,
/// and finishes everything.
private let repairChain: Scenario = {
    let length = 3
    var scenario = Scenario(
        "segment.repair-chain", "a chain of processes each of whose keepers is killed while it repairs after the one before",
        segments: ["s"]
    ) { site in
        let last = Last()
        return Survivor(
            prepare: {
                last.segment = nil
                _ = try? site.directory.remove(name)
                last.segment = try Segment.create(name, size: 4096, in: site.directory)
            },
            goOn: {
                guard let segment = last.segment else { return }
                try segment.awaitPeers(1)
                try Violation.unless(segment.deathCount == length + 1, "\(segment.deathCount) deaths are told of \(length + 1)")
                // Nothing of the dead is in the way of one more, nor of its death.
                let other = try Segment.open(name, in: site.directory)
                try other.awaitPeers(2)
            })
    } dead: { dead in
        let segment = try Segment.open(name, in: dead.site.directory)
        withExtendedLifetime(segment) { dead.die() }
    } victim: { victim in
        let segment = try Segment.open(name, in: victim.site.directory)
        let deaths = segment.deathCount + 1 + UInt32(victim.index)
        // One that does not come to the point dies when all before it are repaired.
        try victim.step { while segment.deathCount < deaths { sleepThread(for: .microseconds(100)) } }
    }
    scenario.stepsKeeper = true
    scenario.victims = length
    return scenario
}()

private final class Last {
    var segment: Segment?
}

/// Two processes, each asleep until the other sends or dies, over two queues.
private let mutual = Scenario(
    "peers.mutual", "one of two that wait for each other", segments: ["a", "b"], needsSleepers: true
) { site in
    // Nobody: what the two have left is looked at when both are gone.
    Survivor(goOn: {
        for name in [ObjectName(stringLiteral: "a"), "b"] {
            let receiver = try joinWhenFree(name, site)
            try receiver.segment.awaitPeers(1)
        }
    })
} victim: { victim in
    let kept = Kept()
    kept.sender = try Sender<Numbered>(to: "a", capacity: 20, options: victim.site.options, strategy: .park)
    var receiver = try Receiver<Numbered>(from: "b", capacity: 20, options: victim.site.options, strategy: .park)
    _ = try? receiver.receive(until: .after(.milliseconds(1)))
    try victim.step {
        do {
            _ = try receiver.receive(until: .after(.milliseconds(3)))
        } catch ReceiveError.deadline {
            // The other one waits as well.
        }
    }
    withExtendedLifetime(kept) {}
} sleepers: { sleeper in
    let sender = try Sender<Numbered>(to: "b", capacity: 20, options: sleeper.site.options, strategy: .park)
    var receiver = try Receiver<Numbered>(from: "a", capacity: 20, options: sleeper.site.options, strategy: .park)
    sleeper.willSleep()
    do {
        _ = try receiver.receive()
        throw Violation("something came that nobody sent, or an end that nobody made")
    } catch ReceiveError.peerDied {
        sender.close()
    }
}

/// The other one may be about to leave.
private func joinWhenFree(_ name: ObjectName, _ site: Site) throws -> Receiver<Numbered> {
    while true {
        do throws(InterprocessError) {
            return try Receiver(from: name, capacity: 20, options: site.options, strategy: .park)
        } catch {
            guard error.code == .busy else { throw error }
            sleepThread(for: .microseconds(200))
        }
    }
}
