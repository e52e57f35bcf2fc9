import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

extension ArenaSuite {
    @Suite("references between processes") struct ReferenceProcesses {
        @Test("L2 L3 a killed holder's counts are dropped, and never another's; with the last one the value and its blocks are destroyed")
        func killed() throws {
            let scene = try ArenaScene()
            let arena = try scene.open()
            let maker = try scene.start("reference-make", ["7"])
            let ticket = try maker.nextLine()
            let takers = try (0..<3).map { _ in try scene.start("reference-take", [ticket]) }
            for taker in takers { #expect(try taker.nextLine() == "7") }
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
            let ticket = try maker.nextLine()
            maker.kill()
            try eventuallyBlocking("the repair") { arena.statistics().references == 0 && arena.statistics().heaps.count == 1 }
            #expect(arena.heldContent == 0 && arena.statistics().inHand == 0 && arena.validate().isEmpty)
            #expect(try scene.start("reference-take", [ticket]).nextLine() == "gone")
        }

        @Test("L1 a forked child is detached, and lets go of nothing")
        func forks() throws {
            let scene = try ArenaScene()
            let arena = try scene.open()
            let process = try scene.start("reference-fork")
            for call in ["value", "take", "make"] { #expect(try process.nextLine() == "\(call) detached") }
            #expect(try process.nextLine() == "parent 1 7")
            #expect(try process.nextLine() == "parent 0")
            withExtendedLifetime(arena) {}
        }

        @Test(
            "A5 L2 L3 a storm: eight processes make, take and let go, and are killed at any moment; what one holds stays, and in the end the arena's used bytes are those that can be reached"
        )
        func storm() throws {
            let storm = try ArenaStorm("storm of references", "reference-storm")
            let arena = storm.arena
            try storm.run()
            // One that the end must not take.
            let mine = try arena.makeReference(HeldValue(7))
            try storm.end()
            try storm.settle()
            let (statistics, board) = (arena.statistics(), MemoryLayout<HeldBoard>.size)
            #expect(statistics.references == 1)
            #expect(try mine.value.first == 7 && arena.heldContent == board + 96)
            withExtendedLifetime(mine) {}
            print("storm of references: \(storm.kills) kills, \(statistics.referenceRecords) records")
        }
    }
}
