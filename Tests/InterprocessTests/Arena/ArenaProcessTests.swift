import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

extension ArenaSuite {
    @Suite("between processes") struct Processes {
        private func offsets(_ line: String) -> [Offset] {
            line.split(separator: " ").compactMap { UInt64($0).flatMap(Offset.init(rawValue:)) }
        }

        @Test(
            "A2 A5 L2 L3 a process with blocks in hand is killed: they are freed, what it kept and published stays, and its death says so")
        func killedHolder() async throws {
            let scene = try ArenaScene()
            let arena = try scene.open()
            for _ in 0..<5 {
                let holder = try scene.start("arena-hold")
                let kept = offsets(try holder.nextLine())
                #expect(kept.count == 5 && arena.statistics().inHand > 1_000_000 && arena.statistics().heaps.count == 3)
                var deaths = arena.segment.deaths.makeAsyncIterator()
                holder.kill()
                let notice = await deaths.next()
                #expect(notice?.held == .blocks)
                try eventuallyBlocking("the repair") { arena.statistics().heaps.count == 1 }
                #expect(arena.statistics().inHand == 0 && arena.validate().isEmpty, "\(arena.validate())")
                #expect(try arena.load(arena.root(0)) == kept[4])
                #expect(try unsafe arena.withBytes(at: kept[4]) { unsafe $0.load(as: Int.self) }.get() == 77)
                try arena.free(kept[4], from: arena.root(0))
                for offset in kept.prefix(4) { try arena.free(offset) }
                try arena.trim()
                #expect(arena.statistics().used == 0, "\(arena.statistics())")
            }
        }

        @Test("A2 A5 a process that closes: what it had in hand is freed, what it kept stays, and others free it")
        func closed() throws {
            let scene = try ArenaScene()
            let arena = try scene.open()
            let freer = try scene.start("arena-free")
            #expect(try freer.nextLine() == "ready")
            do {
                let other = try scene.open()
                let block = try other.allocate(byteCount: 100)
                let run = try other.allocate(byteCount: 100_000)
                _ = try other.allocate(byteCount: 100)
                try other.keep(block)
                try other.keep(run)
                for offset in [block, run] {
                    try freer.send("\(offset.rawValue)")
                    #expect(try freer.nextLine() == "freed")
                    try freer.send("\(offset.rawValue)")
                    #expect(try freer.nextLine().contains("notAllocated"))
                }
            }
            #expect(arena.statistics().used == 0 && arena.statistics().heaps.count == 2 && arena.validate().isEmpty)
        }

        @Test("L1 a forked child is detached, and changes nothing")
        func forks() throws {
            let scene = try ArenaScene()
            let arena = try scene.open()
            let process = try scene.start("arena-fork")
            for call in ["free", "allocate", "large", "free", "bytes", "load"] { #expect(try process.nextLine() == "\(call) detached") }
            #expect(try process.nextLine() == "parent 0")
            withExtendedLifetime(arena) {}
        }

        @Test(
            "A2 A5 L2 L3 a storm: eight processes allocate, publish, replace, take and free, and are killed at any moment; nothing is lost, and nothing is two's"
        )
        func storm() throws {
            let storm = try ArenaStorm("storm of an arena", "arena-storm")
            try storm.run()
            try storm.end()
            try storm.settle()
            let arena = storm.arena
            // What is allocated is what can be found.
            var found = Set<Offset>()
            var bytes = 0
            for index in 0..<64 {
                guard let offset = try arena.load(arena.root(index)) else { continue }
                #expect(found.insert(offset).inserted, "block \(offset) is published twice")
                bytes += try unsafe arena.withBytes(at: offset) { bytes in
                    #expect(unsafe bytes.load(as: UInt64.self) == offset.rawValue)
                    return bytes.count
                }.get()
            }
            #expect(arena.statistics().used == bytes, "\(bytes) of \(arena.statistics())")
            for index in 0..<64 { if let offset = try arena.load(arena.root(index)) { try arena.free(offset, from: arena.root(index)) } }
            try arena.trim()
            #expect(arena.statistics().used == 0)
            print("storm of an arena: \(storm.kills) kills, \(found.count) blocks found, grown to \(arena.statistics().grown >> 20) MiB")
        }

        @Test("X2 random words over it while it is used: no crash, no hang, typed errors only")
        func scribbling() throws {
            let watch = try HangWatch("scribbling over an arena")
            defer { watch.end() }
            var random = SeededRandom(for: "scribbled arena")
            var endings: [String: Int] = [:]
            for round in 0..<SeededRandom.setting("IPC_SYNC_SCRIBBLES", default: 6) {
                let scene = try ArenaScene()
                let arena = try scene.open(limit: 8 << 20)
                let process = try scene.start("arena-scribble", ["\(random.next())"])
                #expect(try process.nextLine() == "ready")
                var live: [Offset] = []
                for call in 0..<2000 {
                    let what = Int.random(in: 0..<16, using: &random)
                    watch.step("round \(round), call \(call): \(what)")
                    do {
                        try Self.use(arena, what, &live, &random)
                        endings["done", default: 0] += 1
                    } catch let error as ArenaError {
                        endings[String("\(error)".prefix { $0 != "(" }), default: 0] += 1
                    } catch is InterprocessError { endings["busy", default: 0] += 1 }
                }
                process.kill()
            }
            print("scribbling over an arena: \(endings.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))")
            #expect(endings["done", default: 0] > 0 && endings["invalid", default: 0] > 0)
        }

        private static func use(_ arena: SharedArena, _ what: Int, _ live: inout [Offset], _ random: inout SeededRandom) throws {
            let root = arena.root(3)
            switch what {
            case 0...2: live.append(try arena.allocate(byteCount: Int.random(in: 1...1000, using: &random)))
            case 3: live.append(try arena.allocate(byteCount: Int.random(in: 1...300_000, using: &random)))
            case 4...5: if let offset = live.popLast() { try arena.free(offset) }
            case 6: if let offset = live.last { try arena.keep(offset) }
            case 7: if let offset = live.last { try arena.publish(offset, into: root) }
            case 8: if let offset = try arena.load(root) { try arena.free(offset, from: root) }
            case 9:
                guard let offset = live.randomElement(using: &random) else { return }
                try unsafe arena.withBytes(at: offset) { for index in [0, $0.count - 1] { unsafe $0[index] = 1 } }.get()
            case 10: try arena.trim()
            case 11: try arena.findOrConstruct("object", as: Row.self, until: .after(.milliseconds(1))) { _ in }
            case 12: try arena.destroy("object", until: .after(.milliseconds(1)))
            case 13: _ = try arena.find("object", as: Row.self)
            case 14: _ = try arena.objects()
            default:
                _ = (arena.statistics(), arena.validate())
                try arena.makeAllocator().close()
            }
        }
    }
}
