import Glibc
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

extension QueueSuite {
    @Suite("storms") struct Storms {
        /// `IPC_STORM_KILLS=10000` for the long form; `IPC_SEED` repeats one; `IPC_STORM_ONLY=single-64` does one kind and capacity.
        static let kills = SeededRandom.setting("IPC_STORM_KILLS", default: 320)

        @Test(
            "C5 L2 L3 N8 both sides killed at random moments under load: nothing is lost, doubled or torn, and nobody hangs",
            arguments: [("single", 64), ("single", 1), ("batch", 200), ("batch", 20), ("bytes", 20_000), ("bytes", 300), ("suspended", 16)])
        func storm(kind: String, capacity: Int) throws { try run(kind, capacity) }

        @Test(
            "C3 C5 L2 L3 N8 both sides of a queue that drops the oldest killed at random moments: each message is whole and newer than the last",
            arguments: [("dropping", 64), ("dropping", 1), ("droppingBytes", 20_000), ("droppingBytes", 300)])
        func droppingStorm(kind: String, capacity: Int) throws { try run(kind, capacity) }

        /// Mappings of the storm's own files and descriptors of them; tests of other suites run meanwhile.
        private static func held(_ path: String) -> Int {
            let count = ResourceCount.now(path)
            return count.mappings.count { $0.contains(path) } + count.descriptors.count { $0.contains(path) }
        }

        private func run(_ kind: String, _ capacity: Int) throws {
            if let only = environmentVariable("IPC_STORM_ONLY"), only != "\(kind)-\(capacity)" { return }
            do {
                let scratch = try Scratch()
                var storm = try Storm(scratch.directory, scratch.path, kind: kind, capacity: capacity, seed: SeededRandom.runSeed)
                let before = Self.held(scratch.path)
                let watch = try HangWatch("storm of \(kind), capacity \(capacity)")
                defer { watch.end() }
                do {
                    try storm.begin()
                    for round in 0..<max(1, Self.kills / 7) {
                        watch.step("round \(round)")
                        try storm.round()
                    }
                    try storm.finish()
                } catch {
                    defer { scratch.removeNames() }
                    if environmentVariable("IPC_STORM_STAY") != nil {
                        watch.end()
                        print(storm.state)
                        sleepThread(for: .seconds(3600))
                    }
                    throw TestFailure("IPC_SEED=\(SeededRandom.runSeed), \(kind), capacity \(capacity): \(error). \(storm.state)")
                }
                #expect(scratch.names == ["q", "record"])
                unsafe unlink("\(scratch.path)/q")
                let after = Self.held(scratch.path)
                #expect(after <= before, "\(before) before, \(after) after")
            }
        }
    }
}

/// Two processes at a queue, killed and started again.
private struct Storm: ~Copyable {
    private let record: QueueRecord
    private let server: PeerServer
    private let directory: ObjectDirectory
    private let arguments: [String]
    private var random: SeededRandom
    private var pids: [Int32] = [0, 0]
    private var rounds = 0
    private var senderKills: UInt64 = 0
    private let element: ElementDescription
    /// What a side held at most when it was first looked at, and at most later.
    private var holdings: [Int: ProcessHoldings] = [:]

    init(_ directory: ObjectDirectory, _ path: String, kind: String, capacity: Int, seed: UInt64) throws {
        let record = try QueueRecord.create(in: directory)
        let server = try PeerServer()
        self.record = record
        self.server = server
        self.directory = directory
        arguments = [path, kind, "\(capacity)"]
        element = kind.lowercased().hasSuffix("bytes") ? .bytes : ElementDescription(of: Numbered.self)
        random = SeededRandom(seed: seed &+ UInt64(capacity))
    }

    mutating func begin() throws {
        for side in 0..<2 { try start(side) }
    }

    var state: String {
        var text = "After \(rounds) rounds: \(record.summary). \(record.failure ?? "")"
        if let segment = try? onlook() {
            text += " The queue: \((try? QueueInspection.validate(segment)).map { "\($0)" } ?? "damaged"), \(StormWords(segment))."
        }
        for (side, pid) in pids.enumerated() {
            text += " \(side == 0 ? "Sender" : "Receiver") \(pid): \((try? server.wait(pid, .zero)) ?? "?")."
        }
        return text
    }

    private mutating func start(_ side: Int) throws {
        pids[side] = try server.start(["queue-storm", side == 0 ? "send" : "receive"] + arguments + ["\(random.next())"])
    }

    /// The queue as an onlooker opens it.
    private func onlook() throws -> Segment {
        try QueueSegment.open("q", element, capacity: nil, QueueOptions(directory: directory, existence: .mustExist))
    }

    /// Kills one side, or both, at a random moment, and starts them again.
    mutating func round() throws {
        rounds += 1
        sleepThread(for: .microseconds(Int.random(in: 0...3000, using: &random)))
        let victims = [[0], [0], [1], [1], [0, 1]][Int.random(in: 0..<5, using: &random)]
        for side in victims {
            try checkHoldings(side)
            try server.kill(pids[side])
            if side == 0 { senderKills += 1 }
        }
        if Int.random(in: 0..<2, using: &random) == 0, record[.ready] > 0 || record[.sent] > 0 {
            do { _ = try QueueInspection.validate(try onlook()) } catch let error as InterprocessError where error.code == .notFound {}
        }
        for side in victims { try start(side) }
        guard Int.random(in: 0..<4, using: &random) > 0 else { return try check() }
        // Both must go on now: within a time that no scheduling explains.
        let (sent, received) = (record[.sent], record[.received])
        let goesOn = eventually(within: watchdog) { record.failure != nil || record[.sent] > sent && record[.received] > received }
        try check()
        guard goesOn else { throw TestFailure("no progress for \(watchdog)") }
    }

    private func check() throws {
        if let failure = record.failure { throw TestFailure(failure) }
        guard record[.deathsTold] <= senderKills else {
            throw TestFailure("\(record[.deathsTold]) deaths were told, \(senderKills) senders were killed")
        }
    }

    /// A side that lives through many deaths of the other must not gather descriptors or mappings.
    private mutating func checkHoldings(_ side: Int) throws {
        guard rounds % 4 == 0, let now = try? ProcessHoldings(of: "\(pids[side])"), now.descriptors > 3 else { return }
        guard let first = holdings[side] else {
            holdings[side] = now
            return
        }
        guard now.descriptors <= first.descriptors + 4, now.mappings <= first.mappings + 24 else {
            throw TestFailure("side \(side) held \(first) at first, and now \(now)")
        }
    }

    /// Ends the load: the sender closes, the receiver gets everything and then the end.
    mutating func finish() throws {
        record[.stop] = 1
        for side in 0..<2 {
            let ending = try server.wait(pids[side], watchdog)
            try check()
            guard ending == "exited 0" else { throw TestFailure("side \(side) ended: \(ending)") }
        }
        // A sender that was killed while it made room for a message has dropped others for one that never came.
        let isCutShort = arguments[1].hasPrefix("dropping") && record[.sendIntent] != record[.sent]
        guard record[.sent] == record[.received] || isCutShort else {
            throw TestFailure("\(record[.sent]) were sent, \(record[.received]) received")
        }
    }
}

/// The words of a queue's control block, for the report of a storm that hangs.
private struct StormWords: CustomStringConvertible {
    let description: String

    init(_ segment: Segment) {
        let words = QueueWords(segment.mapping)
        func role(_ word: SharedUInt64) -> String {
            let role = RoleWord(word: word.loadSequential())
            return "\(role.peer.map { "\($0)" } ?? "nobody") session \(role.session) before \(role.before) ending \(role.ending)"
        }
        description = """
            sender \(role(words.sender)), flags \(String(words.senderFlags.loadSequential(), radix: 16)), event \(words.senderEvent.loadSequential()), \
            wants \(words.senderWants.loadSequential()); receiver \(role(words.receiver)), flags \(String(words.receiverFlags.loadSequential(), radix: 16)), \
            event \(words.receiverEvent.loadSequential()), consumed \(words.consumed.loadSequential()), reported \(words.reported.loadSequential()); peers \
            \(segment.peers.map { "\($0.id) pid \($0.pid)\($0.isAlive ? "" : " dead")" })
            """
    }
}
