import InterprocessSystem
import QueueTestSupport
import TestSupport
import Testing

@testable import Interprocess

extension LatestSuite {
    @Suite("storms") struct Storms {
        /// In all arguments together; `IPC_LATEST_KILLS` asks for more.
        private static let kills = SeededRandom.setting("IPC_LATEST_KILLS", default: 400)

        @Test(
            "C7 L2 L3 three writers and three readers, killed at random moments: whole values only, none lost, and nobody hangs",
            arguments: [(SyncPlace.Kind.placed, 8), (.named, 64), (.placed, 4104), (.named, 131_072)])
        func storm(kind: SyncPlace.Kind, size: Int) throws {
            var random = SeededRandom(for: "storm of a latest value, \(kind), \(size) bytes")
            let watch = try HangWatch("storm of a latest value, \(kind), \(size) bytes")
            defer { watch.end() }
            let server = try PeerServer()
            let scene = try LatestScene(kind)
            let record = try QueueRecord.create(in: scene.directory.objects)
            let latest = try SizedLatest(size, scene.place)
            let roles = ["latest-change", "latest-change", "latest-change", "latest-read", "latest-wait", "latest-wait"]
            func start(_ role: String) throws -> Int32 { try server.start(scene.arguments(role, ["\(size)"])) }
            var pids = try roles.map(start)
            var last: UInt64 = 0
            for kill in 0..<Self.kills / 4 {
                watch.step("kill \(kill)")
                if Int.random(in: 0..<4, using: &random) > 0 { sleepThread(for: .microseconds(Int.random(in: 0...3000, using: &random))) }
                let worker = Int.random(in: 0..<pids.count, using: &random)
                try server.kill(pids[worker])
                // At once, and after everything that was there before.
                let number = try latest.load()
                #expect(number >= last)
                last = number
                if kill % 8 == 0 {
                    try latest.change(patiently)
                    #expect(try latest.load() > last)
                }
                if let failure = record.failure { throw TestFailure("after \(kill) kills: \(failure)") }
                pids[worker] = try start(roles[worker])
            }
            watch.step("the end")
            record[.stop] = 1
            for (worker, pid) in pids.enumerated() {
                let ending = try latest.awaitEnd(of: pid, server)
                #expect(ending == "exited 0", "\(roles[worker]): \(ending)")
            }
            #expect(record.failure == nil, "\(record.failure ?? "")")
            print("storm of a latest value, \(kind), \(size) bytes: \(Self.kills / 4) kills, \(try latest.load()) stores")
        }

        @Test("C7 L2 sleepers of several processes, killed while they sleep and as they are woken: the others come through")
        func sleepers() throws {
            for round in 0..<10 {
                let scene = try LatestScene(round % 2 == 0 ? .named : .placed)
                let latest = try scene.pairs()
                let all = try (0..<4).map { _ in try scene.sleeper() }
                all[0].kill()
                try latest.store([round, round])
                all[1].kill()
                try all[2].says("got \(round)")
                try all[3].says("got \(round)")
            }
        }

        @Test("C7 X2 random words over it while it is used: no crash, no hang, and typed errors only")
        func scribbling() throws {
            let scene = try LatestScene(.placed)
            let latest = try scene.pairs(.adaptive)
            let watch = try HangWatch("scribbling over a latest value")
            defer { watch.end() }
            func soon() -> Deadline { .after(.milliseconds(2)) }
            let calls: [(String, () throws -> Void)] = [
                ("load", { _ = try latest.load() }), ("sequence", { _ = try latest.sequence }),
                ("store", { try latest.store([1, 2], until: soon()) }), ("update", { try latest.update(until: soon()) { $0[0] &+= 1 } }),
                ("wait", { _ = try latest.wait(after: 1 << 61, until: soon()) }),
                ("next", { _ = try latest.next(after: 3, until: soon()) }),
                ("open again", { _ = try scene.pairs() }),
            ]
            try callWhileScribbled("a latest value", calls, eachRound: 400, watch: watch) { try scene.start("latest-scribble", ["\($0)"]) }
        }
    }
}
