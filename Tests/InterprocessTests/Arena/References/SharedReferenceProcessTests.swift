import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

extension ArenaSuite {
    @Suite("references between processes") struct ReferenceProcesses {
        private func line(_ process: PeerProcess) throws -> String {
            var found: String?
            try eventuallyBlocking("a line") {
                found = try process.takeLine()
                return found != nil
            }
            return found ?? ""
        }

        @Test("L2 L3 a killed holder's counts are dropped, and never another's; with the last one the value and its blocks are destroyed")
        func killed() throws {
            let scene = try ArenaScene()
            let arena = try scene.open()
            let maker = try scene.start("reference-make", ["7"])
            let ticket = try line(maker)
            let takers = try (0..<3).map { _ in try scene.start("reference-take", [ticket]) }
            for taker in takers { #expect(try line(taker) == "7") }
            #expect(arena.statistics().references == 1)
            maker.kill()
            takers[0].kill()
            try eventuallyBlocking("the repairs") { arena.statistics().heaps.count == 3 }
            // Two of them hold it still.
            #expect(arena.statistics().references == 1 && arena.heldContent > 100_000)
            let mine = try SharedReference(ReferenceTicket<HeldValue>(rawValue: UInt64(ticket) ?? 0), in: arena)
            takers[1].kill()
            try eventuallyBlocking("the repair") { arena.statistics().heaps.count == 2 }
            #expect(try mine.value.first == 7)
            withExtendedLifetime(mine) {}
        }

        @Test("L2 L3 the last holder is killed: a survivor that does nothing destroys the value, and its ticket is gone")
        func last() throws {
            let scene = try ArenaScene()
            let arena = try scene.open()
            let maker = try scene.start("reference-make", ["7"])
            let ticket = try line(maker)
            maker.kill()
            try eventuallyBlocking("the repair") { arena.statistics().references == 0 && arena.statistics().heaps.count == 1 }
            #expect(arena.heldContent == 0 && arena.statistics().inHand == 0 && arena.validate().isEmpty)
            #expect(try line(scene.start("reference-take", [ticket])) == "gone")
        }

        @Test("L1 a forked child is detached, and lets go of nothing")
        func forks() throws {
            let scene = try ArenaScene()
            let arena = try scene.open()
            let process = try scene.start("reference-fork")
            for call in ["value", "take", "make"] { #expect(try line(process) == "\(call) detached") }
            #expect(try line(process) == "parent 1 7")
            #expect(try line(process) == "parent 0")
            withExtendedLifetime(arena) {}
        }

        @Test(
            "A5 L2 L3 a storm: eight processes make, take and let go, and are killed at any moment; what one holds stays, and in the end the arena's used bytes are those that can be reached"
        )
        func storm() throws {
            let kills = SeededRandom.setting("IPC_STORM_KILLS", default: 300)
            var random = SeededRandom(for: "storm of references")
            let watch = try HangWatch("storm of references")
            defer { watch.end() }
            let server = try PeerServer()
            let scene = try ArenaScene()
            let record = try QueueRecord.create(in: scene.directory.objects)
            let arena = try scene.open()
            func start() throws -> Int32 {
                try server.start(["reference-storm", scene.directory.path.string, "\(UInt64.random(in: 1..<1 << 60, using: &random))"])
            }
            var pids = try (0..<8).map { _ in try start() }
            for kill in 0..<kills {
                watch.step("kill \(kill)")
                if Int.random(in: 0..<4, using: &random) > 0 { sleepThread(for: .microseconds(Int.random(in: 0...3000, using: &random))) }
                let victim = Int.random(in: 0..<pids.count, using: &random)
                try server.kill(pids[victim])
                if let failure = record.failure { throw TestFailure("after \(kill) kills: \(failure)") }
                pids[victim] = try start()
            }
            // One that the end must not take.
            let mine = try arena.makeReference(HeldValue(7))
            watch.step("the end")
            record[.stop] = 1
            for pid in pids {
                var ending = "running"
                for _ in 0..<48_000 where ending == "running" { ending = try server.wait(pid, .milliseconds(10)) }
                #expect(ending == "exited 0")
            }
            if let failure = record.failure { throw TestFailure(failure) }
            try eventuallyBlocking("the repairs") { arena.statistics().heaps.count == 1 }
            let (statistics, board) = (arena.statistics(), MemoryLayout<HeldBoard>.size)
            #expect(arena.validate().isEmpty && statistics.inHand == 0 && statistics.references == 1, "\(arena.validate())")
            #expect(try mine.value.first == 7 && arena.heldContent == board + 96)
            withExtendedLifetime(mine) {}
            print("storm of references: \(kills) kills, \(statistics.referenceRecords) records")
        }
    }
}
