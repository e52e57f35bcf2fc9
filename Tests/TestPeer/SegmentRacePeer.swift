import Glibc
import Interprocess
import InterprocessSystem
import SystemPackage
import TestSupport

/// Commands in which processes race for a name, or are killed on the way to it.
let segmentRaceCommands: [String: Command] = [
    "race": race,
    "churn": churn,
    "kill-sweep": killSweep,
    "make-often": makeOften,
]

/// A word in a segment at which a number of processes meet again and again.
private struct MeetingPoint {
    private let segment: Segment
    private let word: SharedUInt32
    private let count: UInt32
    private var round: UInt32 = 0

    init(_ directory: ObjectDirectory, count: Int) throws {
        segment = try Segment.open("meeting", in: directory)
        word = unsafe segment.withBytes { unsafe SharedUInt32(at: $0.baseAddress!) }
        self.count = UInt32(count)
    }

    /// Returns when all have called it.
    mutating func meet() throws {
        round += 1
        if word.add(1) == round * count {
            unsafe Futex.wake(word.rawAddress)
            return
        }
        while true {
            let value = word.loadSequential()
            if value >= round * count { return }
            _ = try unsafe Futex.wait(word.rawAddress, while: value)
        }
    }
}

/// race DIRECTORY PROCESSES ROUNDS: all open or create one name at the same moment, in each round another, and say which object they got.
@Sendable private func race(_ arguments: [String]) throws {
    let directory = ObjectDirectory(at: FilePath(arguments[0]))
    var meeting = try MeetingPoint(directory, count: try arguments.number(1))
    for round in 0..<(try arguments.number(2)) {
        try meeting.meet()
        let segment = try Segment.openOrCreate(ObjectName("round-\(round)"), size: 5000, in: directory, maximumPeers: 64)
        say("\(segment.header.incarnation) \(segment.peers.contains { $0.id == segment.peer })")
        try meeting.meet()
        _ = consume segment
    }
}

/// churn DIRECTORY NAME SECONDS LIFETIME: opens or creates the name and leaves, again and again.
@Sendable private func churn(_ arguments: [String]) throws {
    let (directory, name) = try arguments.place()
    let deadline = MonotonicInstant.now.advanced(by: .milliseconds(try arguments.number(2)))
    var rounds = 0
    repeat {
        let segment = try Segment.openOrCreate(name, size: 5000, in: directory)
        guard segment.peers.contains(where: { $0.id == segment.peer && $0.isAlive }) else { throw BadArguments() }
        rounds += 1
    } while MonotonicInstant.now < deadline
    say("rounds \(rounds)")
}

/// kill-sweep DIRECTORY NAME ROUNDS SEED LIFETIME: kills a process that creates, opens and leaves at a random moment, and looks whether another can do
/// the same afterwards.
///
/// This process never opens anything itself: its children are forks, which cost little, and have the library to themselves.
@Sendable private func killSweep(_ arguments: [String]) throws {
    let (directory, name) = try arguments.place()
    let rounds = try arguments.number(2)
    var random = SeededRandom(seed: UInt64(try arguments.number(3)))
    guard let lifetime = Lifetime(rawValue: UInt32(try arguments.number(4))) else { throw BadArguments() }
    for round in 0..<rounds {
        let victim = try forkChild {
            while true { _ = try Segment.openOrCreate(name, size: 5000, in: directory, lifetime: lifetime) }
        }
        sleepThread(for: .microseconds(Int.random(in: 0..<2500, using: &random)))
        kill(victim, SIGKILL)
        waitpid(victim, nil, 0)
        let survivor = try forkChild {
            let segment = try Segment.openOrCreate(name, size: 5000, in: directory, lifetime: lifetime)
            guard segment.peers.map(\.id) == [segment.peer] else {
                throw PeersDiffer(found: segment.peers.map { "\($0)" }.joined(separator: " "))
            }
            // Every second time nobody leaves in order.
            if round % 2 == 1 { kill(getpid(), SIGKILL) }
        }
        var status: CInt = 0
        unsafe waitpid(survivor, &status, 0)
        say(status == 0 || (round % 2 == 1 && status == SIGKILL) ? "ok" : "round \(round): status \(status)")
    }
}

struct PeersDiffer: Error { let found: String }

/// make-often DIRECTORY NAME PEERS: creates the name and removes it until its input ends.
@Sendable private func makeOften(_ arguments: [String]) throws {
    let (directory, name) = try arguments.place()
    let maximumPeers = try arguments.number(2)
    say("ready")
    while true { _ = try Segment.create(name, size: 1 << 20, in: directory, maximumPeers: maximumPeers) }
}
