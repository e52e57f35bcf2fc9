import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

extension VariableSuite {
    @Suite("storms") struct Storms {
        /// In all arguments together; `IPC_VARIABLE_KILLS` asks for more (the requirement is 10,000).
        private static let kills = SeededRandom.setting("IPC_VARIABLE_KILLS", default: 300)
        private static let roles = ["put", "put", "take", "take", "read", "swap", "change"]

        @Test(
            "V2 L2 L3 readers, takers, putters, swappers and changers, killed at random: nobody hangs, and each value is taken exactly once",
            arguments: SyncPlace.Kind.allCases)
        func storm(kind: SyncPlace.Kind) throws {
            var random = SeededRandom(for: "storm of a variable, \(kind)")
            let watch = try HangWatch("storm of a variable, \(kind)")
            defer { watch.end() }
            let server = try PeerServer()
            let scene = try VariableScene(kind)
            let objects = scene.directory.objects
            let record = try QueueRecord.create(in: objects)
            let account = try VariableAccount.create(in: objects)
            let variable = try scene.place.open(StormValue.self, nil, .park)
            func start(_ worker: Int) throws -> Int32 {
                try server.start(["variable-storm", scene.directory.path.string, kind.rawValue, Self.roles[worker], "\(worker)"])
            }
            var pids = try Self.roles.indices.map(start)
            /// Values that a dead one may have put or not, and how many a dead one may have taken and not ticked off.
            var unsure = Set<[Int]>()
            var inHand = 0
            for kill in 0..<Self.kills / 2 {
                watch.step("kill \(kill)")
                if Int.random(in: 0..<4, using: &random) > 0 { sleepThread(for: .microseconds(Int.random(in: 0...3000, using: &random))) }
                let worker = Int.random(in: 0..<pids.count, using: &random)
                try server.kill(pids[worker])
                let intent = account.word(worker, .putIntent).loadAcquire()
                if intent > account.word(worker, .put).loadAcquire() { unsure.insert([worker, Int(intent)]) }
                if account.word(worker, .takeIntent).loadAcquire() > account.word(worker, .taken).loadAcquire() {
                    inHand += 1
                    account.word(worker, .taken).storeRelease(account.word(worker, .takeIntent).loadAcquire())
                }
                // Values are put and taken, whoever has just died.
                if kill % 16 == 0 { try variable.read(until: patiently).check() }
                if let failure = record.failure { throw TestFailure("after \(kill) kills: \(failure)") }
                pids[worker] = try start(worker)
            }
            watch.step("the end")
            record[.stop] = 1
            let mine = Self.roles.count
            var number: UInt64 = 0
            func drain() throws {
                while let value = try variable.tryTake() {
                    try value.check()
                    #expect(account.tick(value), "value \(value.number) of \(value.worker) was taken twice")
                }
            }
            for (worker, pid) in pids.enumerated() {
                var ending = "running"
                // Whatever it waits for comes.
                for _ in 0..<96_000 where ending == "running" {
                    ending = try server.wait(pid, .milliseconds(5))
                    try drain()
                    if try variable.tryPut(StormValue(mine, number + 1)) { number += 1 }
                }
                #expect(ending == "exited 0", "\(Self.roles[worker]): \(ending)")
            }
            try drain()
            #expect(record.failure == nil, "\(record.failure ?? "")")
            account.word(mine, .putIntent).storeRelease(number)
            var (put, lost) = (0, 0)
            for worker in 0...mine {
                for value in 1..<account.word(worker, .putIntent).loadAcquire() + 1 where !unsure.contains([worker, Int(value)]) {
                    put += 1
                    if !account.isTicked(worker, value) { lost += 1 }
                }
            }
            #expect(lost <= inHand, "\(lost) values are gone, and only \(inHand) can have been in the hands of the dead")
            #expect(put > Self.kills / 2)
            print("storm of a variable, \(kind): \(Self.kills / 2) kills, \(put) values put, \(lost) gone with \(inHand) takers")
        }

        @Test("V2 X2 random words over it while it is used: no crash, no hang, and typed errors only")
        func scribbling() throws {
            let scene = try VariableScene(.placed)
            let variable = try scene.pairs(.adaptive)
            let watch = try HangWatch("scribbling over a variable")
            defer { watch.end() }
            func soon() -> Deadline { .after(.milliseconds(2)) }
            let calls: [(String, () throws -> Void)] = [
                ("put", { try variable.put([1, 2], until: soon()) }), ("take", { _ = try variable.take(until: soon()) }),
                ("read", { _ = try variable.read(until: soon()) }), ("swap", { _ = try variable.swap([3, 4], until: soon()) }),
                ("modify", { try variable.modify(until: soon()) { $0[0] &+= 1 } }),
                ("look", { try variable.withValue(until: soon()) { _ = $0[0] } }),
                ("try", { if try variable.tryTake() == nil { _ = try variable.tryPut([5, 6]) } }),
                ("open again", { _ = try scene.pairs() }),
            ]
            try callWhileScribbled("a variable", calls, eachRound: 400, watch: watch) { try scene.start("variable-scribble", ["\($0)"]) }
        }
    }
}
