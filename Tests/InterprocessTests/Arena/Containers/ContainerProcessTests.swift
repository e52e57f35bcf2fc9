import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

extension ArenaSuite {
    @Suite("containers between processes") struct ContainerProcesses {
        @Test("L1 a forked child is detached from dictionary, array, string and queue, and changes nothing")
        func forks() throws {
            let scene = try ArenaScene()
            let arena = try scene.open()
            let process = try scene.start("container-fork")
            for call in ["look", "put", "update", "remove", "clear", "list", "validate", "open"] {
                #expect(try process.nextLine() == "dictionary \(call) detached")
            }
            for call in ["look", "append", "set", "pop", "clear", "list"] { #expect(try process.nextLine() == "array \(call) detached") }
            for call in ["look", "set", "set nothing"] { #expect(try process.nextLine() == "string \(call) detached") }
            for call in ["look", "count", "append", "pop", "try", "clear"] { #expect(try process.nextLine() == "queue \(call) detached") }
            for name in ["d", "a", "s", "q"] { #expect(try process.nextLine() == "destroy \(name) detached") }
            #expect(try process.nextLine() == "parent 1 2 [1] text [1]")
            withExtendedLifetime(arena) {}
        }

        @Test(
            "A5 L2 L3 L4 a storm: eight processes change and read a dictionary, an array and a string, and are killed at any moment; what each was told is done is there, and nothing is lost or torn"
        )
        func storm() throws {
            let storm = try ArenaStorm("storm of containers", "container-storm")
            let arena = storm.arena
            let logs = try (0..<8).map { try ContainerLog.create($0, in: storm.scene.directory.objects) }
            let dictionary = try SharedDictionary<String, ContainerValue>("d", in: arena)
            let array = try SharedArray<ContainerValue>("a", in: arena)
            let string = try SharedString("s", in: arena)
            try array.append(contentsOf: (0..<8).map { ContainerValue(slot: $0, place: ContainerLog.element, number: 0) })
            try string.set("9 0 ")
            try storm.run()
            try storm.end()
            try storm.settle()
            #expect(try dictionary.validate() == [] && array.validate() == [])

            // What is there is what the eight have written down, and nothing else.
            var (entries, changes) = (0, 0 as UInt64)
            for (slot, log) in logs.enumerated() {
                for place in 0..<ContainerLog.keys {
                    let found = try dictionary[ContainerLog.key(slot, place)]
                    #expect(found?.isWhole(slot: slot, place: place) ?? true && found?.number ?? 0 == log.done(place), "\(slot), \(place)")
                    if found != nil { entries += 1 }
                }
                #expect(try array[slot] == ContainerValue(slot: slot, place: ContainerLog.element, number: log.done(ContainerLog.element)))
                changes += (0..<ContainerLog.places).map { log.done($0) }.max() ?? 0
            }
            #expect(try dictionary.count == entries && dictionary.elements().count == entries)
            for name in ["d", "a", "s"] { #expect(try arena.destroy(name)) }
            #expect(arena.content == 0 && arena.statistics().inHand == 0 && arena.validate().isEmpty, "\(arena.statistics())")
            print("storm of containers: \(storm.kills) kills, at least \(changes) changes, \(entries) entries in the end")
        }
    }
}
