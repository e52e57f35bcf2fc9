import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

extension ArenaSuite {
    @Suite("queues between processes") struct QueueProcesses {
        @Test(
            "A5 L2 L3 L4 C5 a storm: four processes append, four take and wait, and are killed at any moment; what was acknowledged is taken once, in its order, but for what killed takers had in hand"
        )
        func storm() throws {
            let kills = SeededRandom.setting("IPC_STORM_KILLS", default: 300)
            var random = SeededRandom(for: "storm of a queue in an arena")
            let watch = try HangWatch("storm of a queue in an arena")
            defer { watch.end() }
            let server = try PeerServer()
            let scene = try ArenaScene()
            let record = try QueueRecord.create(in: scene.directory.objects)
            let log = try ArenaQueueLog(creatingIn: scene.directory.objects)
            let arena = try scene.open()
            let queue = try ArenaQueue<ContainerValue>("q", in: arena)
            func start(_ slot: Int) throws -> Int32 {
                let seed = UInt64.random(in: 1..<1 << 60, using: &random)
                return try server.start(["arena-queue-storm", scene.directory.path.string, "\(seed)", "\(slot)"])
            }
            func end(_ pids: ArraySlice<Int32>) throws {
                for pid in pids {
                    var ending = "running"
                    for _ in 0..<48_000 where ending == "running" { ending = try server.wait(pid, .milliseconds(10)) }
                    #expect(ending == "exited 0")
                }
            }
            var pids = try (0..<ArenaQueueLog.appenders + ArenaQueueLog.takers).map { try start($0) }
            var inHand = 0
            for kill in 0..<kills {
                watch.step("kill \(kill)")
                if Int.random(in: 0..<4, using: &random) > 0 { sleepThread(for: .microseconds(Int.random(in: 0...3000, using: &random))) }
                let victim = Int.random(in: 0..<pids.count, using: &random)
                try server.kill(pids[victim])
                if let failure = record.failure { throw TestFailure("after \(kill) kills: \(failure)") }
                if log.isTaking(victim) { inHand += 1 }
                log.setTaking(victim, false)
                pids[victim] = try start(victim)
            }
            watch.step("the end of who appends")
            record[.stop] = 1
            try end(pids[..<ArenaQueueLog.appenders])
            // Who takes is asleep by and by, and no further death wakes anybody.
            watch.step("the end of who takes")
            for _ in 0..<ArenaQueueLog.takers { try queue.append(ArenaQueueLog.end) }
            try end(pids[ArenaQueueLog.appenders...])
            if let failure = record.failure { throw TestFailure(failure) }

            var (appended, doubtful, taken, lost) = (0, 0, 0, 0)
            for slot in 0..<ArenaQueueLog.appenders {
                for number in 0..<log.next(slot) {
                    let (isAppended, isTaken) = (log.contains(.appended, slot, number), log.contains(.taken, slot, number))
                    if isAppended { appended += 1 } else if log.contains(.begun, slot, number) { doubtful += 1 }
                    if isTaken { taken += 1 } else if isAppended { lost += 1 }
                }
            }
            #expect(lost <= inHand && taken > 1000)
            try eventuallyBlocking("the repairs") { arena.statistics().heaps.count == 1 }
            #expect(try queue.isEmpty && queue.validate() == [] && arena.validate().isEmpty && arena.statistics().inHand == 0)
            #expect(try arena.destroy("q") && arena.content == 0)
            print(
                "storm of a queue in an arena: \(kills) kills, \(appended) appended and \(doubtful) perhaps, \(taken) taken, \(lost) gone with \(inHand) takers that had perhaps one in hand"
            )
        }
    }
}
