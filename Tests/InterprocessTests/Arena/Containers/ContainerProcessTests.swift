import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

extension ArenaSuite {
    @Suite("containers between processes") struct ContainerProcesses {
        private func line(_ process: PeerProcess) throws -> String {
            var found: String?
            try eventuallyBlocking("a line") {
                found = try process.takeLine()
                return found != nil
            }
            return found ?? ""
        }

        @Test("L1 a forked child is detached from dictionary, array, string and queue, and changes nothing")
        func forks() throws {
            let scene = try ArenaScene()
            let arena = try scene.open()
            let process = try scene.start("container-fork")
            for call in ["look", "put", "update", "remove", "clear", "list", "validate", "open"] {
                #expect(try line(process) == "dictionary \(call) detached")
            }
            for call in ["look", "append", "set", "pop", "clear", "list"] { #expect(try line(process) == "array \(call) detached") }
            for call in ["look", "set", "set nothing"] { #expect(try line(process) == "string \(call) detached") }
            for call in ["look", "count", "append", "pop", "try", "clear"] { #expect(try line(process) == "queue \(call) detached") }
            for name in ["d", "a", "s", "q"] { #expect(try line(process) == "destroy \(name) detached") }
            #expect(try line(process) == "parent 1 2 [1] text [1]")
            withExtendedLifetime(arena) {}
        }

        @Test(
            "A5 L2 L3 L4 a storm: eight processes change and read a dictionary, an array and a string, and are killed at any moment; what each was told is done is there, and nothing is lost or torn"
        )
        func storm() throws {
            let kills = SeededRandom.setting("IPC_STORM_KILLS", default: 300)
            var random = SeededRandom(for: "storm of containers")
            let watch = try HangWatch("storm of containers")
            defer { watch.end() }
            let server = try PeerServer()
            let scene = try ArenaScene()
            let record = try QueueRecord.create(in: scene.directory.objects)
            let logs = try (0..<8).map { try ContainerLog.create($0, in: scene.directory.objects) }
            let arena = try scene.open()
            let dictionary = try SharedDictionary<String, ContainerValue>("d", in: arena)
            let array = try SharedArray<ContainerValue>("a", in: arena)
            let string = try SharedString("s", in: arena)
            try array.append(contentsOf: (0..<8).map { ContainerValue(slot: $0, place: ContainerLog.element, number: 0) })
            try string.set("9 0 ")
            func start(_ slot: Int) throws -> Int32 {
                let seed = UInt64.random(in: 1..<1 << 60, using: &random)
                return try server.start(["container-storm", scene.directory.path.string, "\(seed)", "\(slot)"])
            }
            var pids = try (0..<8).map { try start($0) }
            for kill in 0..<kills {
                watch.step("kill \(kill)")
                if Int.random(in: 0..<4, using: &random) > 0 { sleepThread(for: .microseconds(Int.random(in: 0...3000, using: &random))) }
                let victim = Int.random(in: 0..<pids.count, using: &random)
                try server.kill(pids[victim])
                if let failure = record.failure { throw TestFailure("after \(kill) kills: \(failure)") }
                pids[victim] = try start(victim)
            }
            watch.step("the end")
            record[.stop] = 1
            for pid in pids {
                var ending = "running"
                for _ in 0..<48_000 where ending == "running" { ending = try server.wait(pid, .milliseconds(10)) }
                #expect(ending == "exited 0")
            }
            #expect(record.failure == nil, "\(record.failure ?? "")")
            try eventuallyBlocking("the repairs") { arena.statistics().heaps.count == 1 }
            #expect(try arena.validate().isEmpty && dictionary.validate() == [] && array.validate() == [])

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
            #expect(try dictionary.count == entries && dictionary.elements().count == entries && arena.statistics().inHand == 0)
            for name in ["d", "a", "s"] { #expect(try arena.destroy(name)) }
            #expect(arena.content == 0 && arena.statistics().inHand == 0 && arena.validate().isEmpty, "\(arena.statistics())")
            print("storm of containers: \(kills) kills, at least \(changes) changes, \(entries) entries in the end")
        }
    }
}
