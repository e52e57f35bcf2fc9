import InterprocessSystem
import QueueTestSupport
import TestSupport
import Testing

@testable import Interprocess

extension SharedArena {
    /// Bytes of blocks, but for the records of names and of references.
    var heldContent: Int {
        let statistics = statistics()
        let record = ReferenceRecord.size(peers: core.segment.header.maximumPeers)
        return statistics.used - statistics.records * 320 - statistics.referenceRecords * record
    }
}

extension ArenaSuite {
    @Suite("references") struct References {
        @Test(
            "A1 L3 a value is there until the last one lets go, and is then destroyed with what its links name; its ticket is gone, also when another value stands in its place"
        )
        func values() throws {
            let scene = try ArenaScene()
            let (arena, other) = (try scene.open(), try scene.open())
            var first: SharedReference<HeldValue>? = try arena.makeReference(HeldValue(7), links: 2)
            let ticket = try #require(first?.ticket)
            let block = try arena.allocate(byteCount: 100_000)
            try arena.publish(block, into: #require(first?.link(1)))
            var second: SharedReference<HeldValue>? = try SharedReference(ticket, in: other)
            #expect(try second?.value.first == 7 && second?.linkCount == 2 && arena.statistics().references == 1)
            #expect(try arena.load(#require(second?.link(1))) == block && arena.load(#require(second?.link(0))) == nil)
            try first?.withValue { $0 = HeldValue(8) }
            first = nil
            #expect(try second?.value.first == 8 && second?.value.isWhole ?? false && arena.heldContent > 100_000)
            // Taken anew from who is left.
            first = try SharedReference(ticket, in: arena)
            second = nil
            #expect(try first?.value.first == 8)
            first = nil
            #expect(arena.statistics().references == 0 && arena.heldContent == 0 && arena.statistics().inHand == 0)
            #expect(arenaError { _ = try SharedReference(ticket, in: other) } == .gone)
            // In the same record, by and by.
            let records = arena.statistics().referenceRecords
            for number in 0..<UInt64(records * 2) {
                let next = try arena.makeReference(HeldValue(number))
                #expect(next.ticket != ticket && arenaError { _ = try SharedReference(ticket, in: other) } == .gone)
            }
            #expect(arena.statistics().referenceRecords == records && arena.heldContent == 0 && arena.validate().isEmpty)
        }

        @Test("A1 any number of values, taken and let go of in any order, are what an array of strong references is")
        func model() throws {
            let scene = try ArenaScene()
            let arenas = [try scene.open(), try scene.open()]
            var random = SeededRandom(for: "references")
            var (held, tickets) = ([] as [(SharedReference<UInt64>, UInt64)], [] as [(ReferenceTicket<UInt64>, UInt64)])
            for number in 0..<10_000 as Range<UInt64> {
                let arena = arenas[Int.random(in: 0...1, using: &random)]
                switch Int.random(in: 0..<8, using: &random) {
                case 0...1:
                    let reference = try arena.makeReference(number)
                    held.append((reference, number))
                    tickets.append((reference.ticket, number))
                case 2...4:
                    guard let (ticket, number) = tickets.randomElement(using: &random) else { continue }
                    let isHeld = held.contains { $0.1 == number }
                    do {
                        let reference = try SharedReference(ticket, in: arena)
                        #expect(try isHeld && reference.value == number)
                        held.append((reference, number))
                    } catch ArenaError.gone { #expect(!isHeld) }
                default: if !held.isEmpty { held.remove(at: Int.random(in: 0..<held.count, using: &random)) }
                }
                if tickets.count > 300 { tickets.removeFirst(100) }
            }
            #expect(arenas[0].statistics().references == Set(held.map(\.1)).count)
            for (reference, number) in held { #expect(try reference.value == number) }
            held = []
            #expect(arenas[0].heldContent == 0 && arenas[0].validate().isEmpty && arenas[0].statistics().inHand == 0)
        }

        @Test("A1 threads of one process that take and let go of the same values: each is destroyed once, and not before")
        func threads() throws {
            let arena = try ArenaScene().open()
            let board = Lock<[ReferenceTicket<HeldValue>]>([])
            let problems = Lock(0)
            let threads = try (0..<4).map { seed in
                try Background { isOver in
                    var random = SeededRandom(seed: UInt64(seed + 1))
                    var held: [(SharedReference<HeldValue>, UInt64)] = []
                    for _ in 0..<3000 {
                        let number = random.next()
                        if number % 4 == 0, let reference = try? arena.makeReference(HeldValue(number)) {
                            held.append((reference, (try? reference.value.first) ?? 0))
                            board.withLock { $0 = $0.suffix(7) + [reference.ticket] }
                        } else if let ticket = board.withLock({ $0.randomElement(using: &random) }),
                            let reference = try? SharedReference(ticket, in: arena)
                        {
                            held.append((reference, (try? reference.value.first) ?? 0))
                        }
                        while held.count > Int.random(in: 0..<6, using: &random) {
                            let (reference, number) = held.removeFirst()
                            let value = try? reference.value
                            if value?.first != number || value?.isWhole != true { problems.withLock { $0 += 1 } }
                        }
                    }
                }
            }
            for thread in threads { try thread.end() }
            #expect(problems.withLock { $0 } == 0 && arena.statistics().references == 0)
            #expect(arena.heldContent == 0 && arena.validate().isEmpty)
        }

        @Test("A7 another type, a ticket of nothing, an arena that is full: an error, and nothing is left")
        func errors() throws {
            let arena = try ArenaScene().open(limit: 4 << 20)
            let reference = try arena.makeReference(HeldValue(7))
            let other = ReferenceTicket<UInt64>(rawValue: reference.ticket.rawValue)
            guard case .otherType? = arenaError({ _ = try SharedReference(other, in: arena) }) else { throw TestFailure("another type") }
            for raw in [0, 1, 1 << 32, 1 << 33, 5 | 1 << 32, 0xffff_ffff | 1 << 32, .max, 1 << 63] as [UInt64] {
                let ticket = ReferenceTicket<HeldValue>(rawValue: raw)
                #expect(arenaError { _ = try SharedReference(ticket, in: arena) } == .gone || ticket == reference.ticket)
            }
            #expect(arenaError { _ = try arena.makeReference(HeldValue(7), links: -1) } == .invalidSize)
            for _ in 0..<40 { #expect(arenaError { _ = try arena.makeReference(HeldValue(7), links: 524_000) } == .full) }
            #expect(arena.statistics().references == 1 && arena.validate().isEmpty && arena.statistics().inHand == 0)
            #expect(try reference.value.isWhole && arena.heldContent == 96)
        }

        @Test("X1 X2 a record that was scribbled over: an error or gone, no crash; and validate says what cannot be")
        func hostile() throws {
            let arena = try ArenaScene().open()
            let reference = try arena.makeReference(HeldValue(7), links: 1)
            let table = arena.references
            let record = try #require(try table.record(reference.ticket.index))
            func word(_ place: Int) -> SharedUInt64 { unsafe SharedUInt64(at: record.base + place) }
            let cases: [(place: Int, value: UInt64, field: String?)] = [
                (0, 0, "value"), (0, .max, "state"), (0, 1 << 32 | 5, "state"), (8, 0, "value"), (8, 77, "value"), (8, .max >> 1, "value"),
                (16, 1, nil), (24, .max, nil), (32, 0xffff_ffff, nil), (64 + 31 * 8, .max, "holds"), (64 + 5 * 8, 1, "holds"),
            ]
            for (place, value, field) in cases {
                let before = word(place).loadRelaxed()
                word(place).storeRelease(value)
                let problems = arena.validate()
                #expect(field == nil || problems.contains { $0.field == field }, "\(place): \(problems)")
                _ = arenaError { _ = try SharedReference(reference.ticket, in: arena) }
                word(place).storeRelease(before)
                #expect(arena.validate().isEmpty, "\(place): \(arena.validate())")
            }
            // A count of a peer that there never was holds nothing.
            word(64 + 9 * 8).storeRelease(ReferenceHold(ClaimWord.of(PeerID(slot: 9, generation: 3)), 5).raw)
            #expect(!table.beginEnding(record, arena.core.claim))
            var random = SeededRandom(for: "hostile references")
            for _ in 0..<2000 {
                let index = Int.random(in: 0..<16, using: &random)
                let place = [0, 8, 8, 32, 64, 24][Int.random(in: 0..<6, using: &random)]
                guard let found = try? table.record(index) else { continue }
                unsafe SharedUInt64(at: found.base + place).storeRelease(random.next() >> UInt64.random(in: 0..<64, using: &random))
                let made = try? arena.makeReference(HeldValue(1), links: Int.random(in: 0...2, using: &random))
                if let made { _ = try? SharedReference(made.ticket, in: arena).value }
                if Int.random(in: 0..<500, using: &random) == 0 { _ = (arena.validate(), arena.statistics()) }
            }
            let link = arena.core.memory.word64(Int(arena.core.memory.referencesOffset(0)))
            link.storeRelease(1)
            #expect(arenaError { _ = try arena.makeReference(HeldValue(1)) } == .damaged("references"))
            #expect(arena.validate().contains { $0.field == "references" })
        }
    }
}
