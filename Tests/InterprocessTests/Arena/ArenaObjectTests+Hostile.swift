import InterprocessSystem
import TestSupport
import Testing

@testable import Interprocess

extension ArenaSuite {
    @Suite("named objects, scribbled over") struct HostileObjects {
        private func fields(_ body: () throws -> Void) -> String? {
            guard case .damaged(let field)? = arenaError(body) else { return nil }
            return field
        }

        @Test("X1 X2 a list that was tied to a ring, or leads astray: an error with the field's name, and validate says so")
        func lists() throws {
            for ring in 1...3 {
                let arena = try ArenaScene().open()
                let names = try namesOfOneBucket(4)
                for name in names.prefix(3) { try arena.construct(name, as: Row.self) { _ in } }
                let records = try names.prefix(3).map { try #require(try arena.record($0)) }
                let last = records[2].next
                last.storeRelease(ArenaLinkWord.naming(records[3 - ring].offset))
                #expect(fields { _ = try arena.find(names[3], as: Row.self) } == "next")
                #expect(fields { try arena.construct(names[3], as: Row.self) { _ in } } == "next")
                #expect(fields { try arena.destroy(names[3]) } == "next")
                #expect(fields { _ = try arena.objects() } == "next")
                #expect(arena.validate().contains { $0.field == "next" } && arena.statistics().records > 0)
                for astray in [records[0].offset + 16, 16, 1 << 35, UInt64(arena.limit) * 2] {
                    last.storeRelease(ArenaLinkWord.naming(astray))
                    #expect(fields { _ = try arena.find(names[3], as: Row.self) } == "next")
                    #expect(arena.validate().contains { $0.field == "next" })
                }
                // What comes before is still found.
                #expect(try arena.find(names[2], as: Row.self) != nil)
                last.storeRelease(0)
                #expect(try arena.construct(names[3], as: Row.self) { _ in }.offset.rawValue > 0)
                #expect(arena.validate().isEmpty, "\(arena.validate())")
            }
        }

        @Test("X1 X2 impossible sizes, names and blocks in a record: an error with the field's name, and validate says so")
        func records() throws {
            let arena = try ArenaScene().open()
            try arena.construct("a", as: Row.self, count: 4) { _ in }
            let record = try #require(try arena.record("a"))
            func word(_ place: Int) -> SharedUInt64 { unsafe SharedUInt64(at: record.base + place) }
            let cases: [(place: Int, value: UInt64, field: String)] = [
                (48, 5, "count"), (48, .max, "count"), (48, 1 << 61, "count"), (40, 1 << 40, "count"),
                (8, ArenaLinkWord.naming(record.offset + 16), "object"), (8, ArenaLinkWord.naming(1 << 39), "object"),
                (56, 0, "name"), (56, .max, "name"), (64, 0, "name"), (16, 1, "stamp"),
            ]
            for (place, value, field) in cases {
                let before = word(place).loadRelaxed()
                word(place).storeRelease(value)
                let problems = arena.validate()
                #expect(problems.contains { $0.field == field }, "\(place): \(problems)")
                // Nothing of it is believed.
                let error = arenaError { _ = try arena.findArray("a", of: Row.self) }
                if field == "count" { #expect(error == .damaged("count") || place == 40) }
                if field == "object" { if case .invalid? = error {} else { Issue.record("\(String(describing: error))") } }
                _ = arenaError { _ = try arena.objects() }
                word(place).storeRelease(before)
                #expect(arena.validate().isEmpty)
            }
            #expect(try arena.findArray("a", of: Row.self)?.count == 4)
            // A claim of nobody's: it is taken; of somebody who lives: a deadline lets one go.
            try arena.destroy("a")
            record.claim.storeRelease(ClaimWord.of(arena.segment.peer))
            #expect(arenaError { try arena.construct("a", as: Row.self, until: .after(.milliseconds(1))) { _ in } } == .deadline)
            for claim: UInt32 in [0, .max, 0x12_3456_7a] {
                record.claim.storeRelease(claim)
                try arena.construct("a", as: Row.self) { _ in }
                try arena.destroy("a")
            }
            // The lock, in somebody's name who lives.
            arena.core.memory.namesWord.storeRelease(ClaimWord.of(arena.segment.peer))
            #expect(arenaError { try arena.destroy("a", until: .after(.milliseconds(1))) } == .deadline)
            #expect(try arena.find("a", as: Row.self) == nil && arena.objects().isEmpty)
            arena.core.memory.namesWord.storeRelease(0)
            #expect(arenaError { try arena.destroy("a") } == .damaged("names_word"))
        }

        @Test("X2 random words over the records and objects: no crash, no hang, typed errors only")
        func scribbling() throws {
            let watch = try HangWatch("scribbling over named objects")
            defer { watch.end() }
            var random = SeededRandom(for: "scribbled objects")
            var endings: [String: Int] = [:]
            for round in 0..<SeededRandom.setting("IPC_SYNC_SCRIBBLES", default: 20) {
                let arena = try ArenaScene().open(limit: 4 << 20)
                let names = try namesOfOneBucket(8)
                for name in names { try arena.construct(name, as: Row.self, count: Int.random(in: 0..<9, using: &random)) { _ in } }
                let records = try names.map { try #require(try arena.record($0)) }
                let links = records.map { ArenaLinkWord.naming($0.offset) }
                for call in 0..<500 {
                    watch.step("round \(round), call \(call)")
                    let record = records[Int.random(in: 0..<8, using: &random)]
                    let values = [0, .max, 1, 1 << 63, 2, UInt64.random(in: 0..<400, using: &random), random.next()] + links
                    let place = 8 * Int.random(in: 0..<(Bool.random(using: &random) ? 8 : 40), using: &random)
                    unsafe SharedUInt64(at: record.base + place).storeRelaxed(values[Int.random(in: 0..<values.count, using: &random)])
                    let name = names[Int.random(in: 0..<8, using: &random)]
                    let soon = Deadline.after(.microseconds(10))
                    do throws(ArenaError) {
                        switch Int.random(in: 0..<7, using: &random) {
                        case 0: _ = try arena.find(name, as: Row.self)
                        case 1:
                            _ = try arena.findArray(name, of: Row.self).map {
                                try? arena.withValues(at: $0.first, count: $0.count) { $0.count }
                            }
                        case 2: _ = try arena.objects().map { "\($0)" }
                        case 3: try arena.destroy(name, until: soon)
                        case 4: _ = (arena.validate(), arena.statistics())
                        default:
                            do { try arena.findOrConstruct(name, as: Row.self, count: 3, until: soon) { $0[2].number = 7 } } catch let error
                                as ArenaError
                            {
                                throw error
                            } catch { Issue.record("\(error)") }
                        }
                        endings["done", default: 0] += 1
                    } catch { endings[String("\(error)".prefix { $0 != "(" }), default: 0] += 1 }
                }
            }
            print(
                "scribbling over named objects: \(endings.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))"
            )
            #expect(endings["done", default: 0] > 0 && endings["damaged", default: 0] > 0)
        }
    }
}
