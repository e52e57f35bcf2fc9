import InterprocessSystem
import TestSupport
import Testing

@testable import Interprocess

/// A dictionary, an array, a string and a queue of an arena, and calls of all kinds.
private struct HostileContainers {
    let arena: SharedArena
    var dictionary: SharedDictionary<String, Whole>
    var array: SharedArray<Whole>
    var string: SharedString
    var queue: ArenaQueue<Whole>

    init(_ arena: SharedArena, until deadline: Deadline = .never) throws(ArenaError) {
        self.arena = arena
        dictionary = try SharedDictionary("d", in: arena, until: deadline)
        array = try SharedArray("a", in: arena, until: deadline)
        string = try SharedString("s", in: arena, until: deadline)
        queue = try ArenaQueue("q", in: arena, until: deadline)
    }

    func fill() throws {
        for number in 0..<40 as Range<UInt64> { try dictionary.updateValue(Whole(number), forKey: "key \(number)") }
        try array.append(contentsOf: (0..<40).map { Whole($0) })
        try string.set(String(repeating: "text", count: 50))
        try queue.append(contentsOf: (0..<40).map { Whole($0) })
    }

    /// Where they stand: their words, parts, entries.
    func ranges() throws -> [(offset: Int, size: Int)] {
        let memory = arena.core.memory
        func word(_ offset: UInt64) -> UInt64 { memory.word64(Int(offset)).loadRelaxed() }
        func block(_ link: UInt64) throws -> (offset: Int, size: Int)? {
            let offset = ArenaLinkWord.offset(word(link))
            return offset == 0 ? nil : (Int(offset), try memory.allocated(offset).size)
        }
        var ranges: [(offset: Int, size: Int)] = []
        for object in try arena.objects() {
            let offset = object.offset.rawValue
            // Their words more often than the many entries.
            for _ in 0..<8 { ranges.append((Int(offset), object.byteCount)) }
            switch object.name {
            case "d":
                for part in 1..<40 as Range<UInt64> { if let found = try block(offset + 96 + part * 8) { ranges.append(found) } }
                var node = offset + 416
                while case let next = ArenaLinkWord.offset(word(node)), next != 0 {
                    if DictionaryNode.isEntry(word(next + 8)) { ranges.append((Int(next), try memory.allocated(next).size)) }
                    node = next
                }
            case "a": for part in 0..<40 as Range<UInt64> { if let found = try block(offset + 80 + part * 8) { ranges.append(found) } }
            case "q":
                for word in [80, 88] as [UInt64] { if let found = try block(offset + word) { ranges.append(found) } }
            default: if let found = try block(offset) { ranges.append(found) }
            }
        }
        return ranges
    }

    mutating func call(_ random: inout SeededRandom) throws -> String {
        let soon = Deadline.after(.milliseconds(2))
        let key = "key \(Int.random(in: 0..<60, using: &random))"
        let (index, number) = (Int.random(in: 0..<50, using: &random), UInt64.random(in: 0..<1000, using: &random))
        switch Int.random(in: 0..<30, using: &random) {
        case 0...2: _ = try dictionary[key]
        case 3...5: try dictionary.updateValue(Whole(number), forKey: key, until: soon)
        case 6: try dictionary.update(key, default: Whole(), until: soon) { $0 = Whole($0.first &+ 1) }
        case 7...8: try dictionary.removeValue(forKey: key, until: soon)
        case 9: if number % 8 == 0 { try dictionary.removeAll(until: soon) }
        case 10: _ = try dictionary.elements(until: soon)
        case 11: return try "\((dictionary.count, dictionary.validate(until: soon)))"
        case 12...13: _ = try array[index]
        case 14: try array.append(contentsOf: (0..<number % 4).map { Whole($0) }, until: soon)
        case 15: try array.set(index, to: Whole(number), until: soon)
        case 16: try array.update(index, until: soon) { $0 = Whole($0.first &+ 1) }
        case 17: try array.popLast(until: soon)
        case 18: if number % 8 == 0 { try array.removeAll(until: soon) } else { try array.reserveCapacity(index * 10, until: soon) }
        case 19: return try "\((array.elements(until: soon).count, array.count, array.validate(until: soon)))"
        case 20: _ = try string.value
        case 21: try string.set(String(repeating: "x", count: Int(number)))
        case 24: _ = try (queue.first, queue.count)
        case 25: try queue.append(contentsOf: (0..<number % 12).map { Whole($0) }, until: soon)
        case 26: _ = try queue.popFirst(until: soon)
        case 27: _ = try queue.tryPopFirst(until: soon)
        case 28: if number % 8 == 0 { try queue.removeAll(until: soon) }
        case 29: return try "\((queue.elements(until: soon).count, queue.validate(until: soon)))"
        case 22: self = try HostileContainers(arena, until: soon)
        default:
            if number % 16 == 0 { for name in ["d", "a", "s", "q"] { try arena.destroy(name, until: soon) } }
            return "\((arena.validate(), arena.statistics()))"
        }
        return ""
    }
}

extension ArenaSuite {
    @Suite("containers, scribbled over") struct HostileContainerTests {
        private func field(_ body: () throws -> Void) -> String? {
            guard case .damaged(let field)? = arenaError(body) else { return nil }
            return field
        }

        /// How the calls ended, and how long the longest took.
        private struct Endings {
            var counts: [String: Int] = [:]
            var longest: Duration = .zero

            mutating func count(_ containers: inout HostileContainers, _ random: inout SeededRandom) {
                let begin = ContinuousClock.now
                do {
                    _ = try containers.call(&random)
                    counts["done", default: 0] += 1
                } catch let error as ArenaError {
                    counts[String("\(error)".prefix { $0 != "(" }), default: 0] += 1
                } catch { Issue.record("\(error)") }
                longest = max(longest, ContinuousClock.now - begin)
            }

            func report(_ what: String) {
                let counts = counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
                print("\(what): \(counts.joined(separator: ", ")); longest \(longest)")
            }
        }

        @Test("X1 X2 a list tied to a ring, keys that end nowhere, buckets and parts that are none: an error with the field's name")
        func words() throws {
            let arena = try ArenaScene().open()
            let containers = try HostileContainers(arena)
            try containers.fill()
            let dictionary = containers.dictionary
            let memory = arena.core.memory
            let object = try #require(try arena.objects().first { $0.name == "d" }).offset.rawValue
            func word(_ offset: UInt64) -> SharedUInt64 { memory.word64(Int(offset)) }
            func look() throws { for number in 0..<60 { _ = try dictionary["key \(number)"] } }
            var (entries, node) = ([] as [UInt64], object + 416)
            while case let next = ArenaLinkWord.offset(word(node).loadRelaxed()), next != 0 {
                if DictionaryNode.isEntry(word(next + 8).loadRelaxed()) { entries.append(next) }
                node = next
            }
            #expect(entries.count == 40)
            let (early, late) = (entries[10], entries[30])
            let cases: [(place: UInt64, value: UInt64, field: String)] = [
                (late, ArenaLinkWord.naming(late), "order"), (late, ArenaLinkWord.naming(early), "order"),
                (late, ArenaLinkWord.naming(16), "next"), (late, ArenaLinkWord.naming(1 << 39), "next"),
                (late + 16, 1 << 17, "key_length"), (late + 16, .max, "key_length"), (late + 16, 1 << 63, "key_length"),
                (object + 72, 0, "buckets"), (object + 72, 48, "buckets"), (object + 72, 1 << 40, "buckets"),
                (object + 104, ArenaLinkWord.naming(1 << 39), "parts"),
            ]
            for (place, value, wanted) in cases {
                let before = word(place).loadRelaxed()
                word(place).storeRelaxed(value)
                let isList = entries.contains(place) || entries.contains(place &- 16)
                if isList { #expect(field { _ = try dictionary.elements() } == wanted, "\(place &- object): \(value)") }
                if isList { #expect(field { _ = try dictionary.validate() } == wanted) }
                // Who looks for a key may not come as far as that.
                if !isList || wanted == "key_length" { #expect(field { try look() } == wanted) } else { _ = field { try look() } }
                word(place).storeRelaxed(before)
                try look()
            }
            // Two entries that are rings of one another, at the same place in the order.
            let order = word(early + 8).loadRelaxed()
            let (next, other) = (word(early).loadRelaxed(), entries[11])
            let (otherNext, otherOrder) = (word(other).loadRelaxed(), word(other + 8).loadRelaxed())
            word(other + 8).storeRelaxed(order)
            word(other).storeRelaxed(ArenaLinkWord.naming(early))
            word(early).storeRelaxed(ArenaLinkWord.naming(other))
            #expect(field { _ = try dictionary.elements() } == "order")
            word(early).storeRelaxed(next)
            word(other).storeRelaxed(otherNext)
            word(other + 8).storeRelaxed(otherOrder)
            try look()
            #expect(try arena.destroy("d"))
        }

        @Test("X2 random words over a dictionary, an array, a string and a queue: no crash, no hang, typed errors only")
        func scribbling() throws {
            let watch = try HangWatch("scribbling over containers")
            defer { watch.end() }
            var random = SeededRandom(for: "scribbled containers")
            var endings = Endings()
            for round in 0..<SeededRandom.setting("IPC_SYNC_SCRIBBLES", default: 20) {
                let arena = try ArenaScene().open(limit: ContainerScribble.limit)
                var containers = try HostileContainers(arena)
                try containers.fill()
                var scribble = ContainerScribble(seed: random.next(), ranges: try containers.ranges())
                let me = UInt64(ClaimWord.of(arena.segment.peer))
                for call in 0..<300 {
                    watch.step("round \(round), call \(call)")
                    for _ in 0..<Int.random(in: 0..<3, using: &random) {
                        let (place, value) = scribble.next(peers: [me, me << 32, me | 0x100])
                        arena.core.memory.word64(place).storeRelaxed(value)
                    }
                    endings.count(&containers, &random)
                }
            }
            endings.report("scribbling over containers")
            #expect(endings.counts["done", default: 0] > 0 && endings.counts["damaged", default: 0] > 0)
        }

        @Test("X2 another process writes random words over them while they are used: no crash, no hang, typed errors only")
        func scribblingMeanwhile() throws {
            let watch = try HangWatch("scribbling over containers meanwhile")
            defer { watch.end() }
            var random = SeededRandom(for: "containers that are scribbled over")
            var endings = Endings()
            for round in 0..<SeededRandom.setting("IPC_SYNC_SCRIBBLES", default: 4) {
                let scene = try ArenaScene()
                let arena = try scene.open(limit: ContainerScribble.limit)
                var containers = try HostileContainers(arena)
                try containers.fill()
                let ranges = try containers.ranges().map { "\($0.offset):\($0.size)" }
                let process = try scene.start("container-scribble", ["\(random.next())"] + ranges)
                var ready: String?
                try eventuallyBlocking("the process") {
                    ready = try process.takeLine()
                    return ready != nil
                }
                #expect(ready == "ready")
                for call in 0..<1000 {
                    watch.step("round \(round), call \(call)")
                    endings.count(&containers, &random)
                    if call % 50 == 49, let fresh = try? HostileContainers(arena, until: .after(.milliseconds(2))) { containers = fresh }
                }
                process.kill()
            }
            endings.report("scribbling over containers meanwhile")
            #expect(endings.counts["done", default: 0] > 0 && endings.counts["damaged", default: 0] > 0)
        }
    }
}
