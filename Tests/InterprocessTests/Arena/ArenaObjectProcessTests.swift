import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

extension ArenaSuite {
    @Suite("named objects between processes") struct ObjectProcesses {
        struct StormObject: Shareable {
            var first: UInt64 = 0
            var second: UInt64 = 0
        }

        @Test("A3 L2 L3 N8 a constructor is killed half-way: who waits runs its own, and all find that one's")
        func killedConstructor() throws {
            let scene = try ArenaScene()
            let arena = try scene.open()
            for turn in 0..<5 {
                let name = "object \(turn)"
                let half = try scene.start("arena-construct", [name, "1", "half"])
                #expect(try half.nextLine() == "half")
                #expect(try arena.find(name, as: StormObject.self) == nil && !arena.destroy(name))
                let next = try scene.start("arena-construct", [name, "2", "whole"])
                var third: PeerProcess?
                if turn % 2 == 0 { third = try scene.start("arena-construct", [name, "2", "whole"]) }
                try eventuallyBlocking("a sleeper") { try arena.isAwaited(name) }
                half.kill()
                // In every other turn it is alone, and nothing but the death wakes it.
                #expect(try next.nextLine() == "2 2")
                let last = try third ?? scene.start("arena-construct", [name, "2", "whole"])
                #expect(try last.nextLine() == "2 2")
                let place = try #require(try arena.find(name, as: StormObject.self))
                #expect(try arena.value(at: place).first == 2 && arena.value(at: place).second == 2)
                next.kill()
                last.kill()
                try eventuallyBlocking("the repairs") { arena.statistics().heaps.count == 1 }
                // A record and the object.
                #expect(arena.statistics().inHand == 0 && arena.statistics().used == (turn + 1) * 336)
                #expect(try arena.objects().count == turn + 1 && arena.validate().isEmpty, "\(arena.validate())")
            }
        }

        @Test("A3 L3 who comes after a constructor was killed, and after all have gone, constructs it")
        func afterAll() throws {
            let scene = try ArenaScene()
            let arena = try scene.open()
            let half = try scene.start("arena-construct", ["a", "1", "half"])
            #expect(try half.nextLine() == "half")
            half.kill()
            // At once, or after the repair.
            let place = try arena.findOrConstruct("a", as: StormObject.self) { $0.second = 3 }
            #expect(try arena.value(at: place).first == 0 && arena.value(at: place).second == 3)
        }

        @Test("L1 a child that is forked in a constructor is detached, and changes nothing")
        func forks() throws {
            let scene = try ArenaScene()
            let arena = try scene.open()
            let process = try scene.start("arena-object-fork")
            for call in ["find", "construct", "destroy", "objects"] { #expect(try process.nextLine() == "\(call) detached") }
            #expect(try process.nextLine() == "parent a b")
            withExtendedLifetime(arena) {}
        }

        @Test(
            "A3 L2 L3 N8 a storm: eight processes find or construct, destroy and list the same objects, and are killed at any moment; no two construct one at once"
        )
        func storm() throws {
            let storm = try ArenaStorm("storm of named objects", "arena-object-storm")
            try storm.run()
            try storm.end()
            try storm.settle()
            let arena = storm.arena
            // What is allocated are the records, and the objects that can be found.
            let objects = try arena.objects()
            for object in objects {
                let place = try #require(try arena.find(object.name, as: StormObject.self))
                #expect(try arena.value(at: place).first == arena.value(at: place).second)
            }
            let count = try arena.recordCount
            #expect(count <= 8 && Set(objects.map(\.name)).count == objects.count)
            #expect(arena.statistics().used == count * 320 + objects.count * 16)
            for index in 0..<8 {
                try arena.destroy("object \(index)")
                try arena.construct("object \(index)", as: StormObject.self) { _ in }
                #expect(try arena.destroy("object \(index)"))
            }
            #expect(arena.statistics().used == count * 320)
            print("storm of named objects: \(storm.kills) kills, \(objects.count) objects, \(count) records")
        }
    }
}
