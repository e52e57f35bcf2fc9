import InterprocessSystem
import Synchronization
import TestSupport
import Testing

@testable import Interprocess

/// Two halves that belong together, and enough between them that a torn one shows.
struct Whole: Shareable, Equatable {
    var first: UInt64
    var between: InlineArray<14, UInt64>
    var last: UInt64

    init(_ number: UInt64 = 0) { (first, between, last) = (number, InlineArray(repeating: number), ~number) }
    var isWhole: Bool { first == ~last && between[0] == first && between[13] == first }
    static func == (a: Whole, b: Whole) -> Bool { a.first == b.first && a.last == b.last }
}

struct Tile: SharedKey, Equatable {
    var row: UInt16, column: UInt16
    static var sharedKeyIdentifier: String { "Tile" }
    func withKeyBytes<R>(_ body: (RawSpan) -> R) -> R { (UInt32(row) << 16 | UInt32(column)).withKeyBytes(body) }
    init(_ row: UInt16, _ column: UInt16) { (self.row, self.column) = (row, column) }
    init?(keyBytes: RawSpan) {
        guard let both = UInt32(keyBytes: keyBytes) else { return nil }
        (row, column) = (UInt16(both >> 16), UInt16(truncatingIfNeeded: both))
    }
}

/// A thread that does something until it is told to end.
final class Background: Sendable {
    private let (isOver, hasEnded) = (Flag(), Flag())

    init(_ body: @escaping @Sendable (_ isOver: Flag) -> Void) throws {
        let (isOver, hasEnded) = (isOver, hasEnded)
        try startServiceThread(named: "test") {
            body(isOver)
            hasEnded.raise()
        }
    }

    func end() throws {
        isOver.raise()
        try eventuallyBlocking("the end of the thread") { hasEnded.isRaised }
    }
}

extension SharedArena {
    /// Bytes of blocks, but for the records of names.
    var content: Int {
        let statistics = statistics()
        return statistics.used - statistics.records * 320
    }
}

extension ArenaSuite {
    @Suite("dictionaries") struct Dictionaries {
        @Test("A5 a dictionary is what it is in the standard library, for every opening of the arena")
        func lives() throws {
            let scene = try ArenaScene()
            let (arena, other) = (try scene.open(), try scene.open())
            let players = try SharedDictionary<String, Whole>("players", in: arena)
            let same = try SharedDictionary<String, Whole>("players", in: other)
            #expect(try players["anna"] == nil && players.isEmpty && players.elements().isEmpty)
            #expect(try players.updateValue(Whole(1), forKey: "anna") == nil)
            #expect(try same["anna"] == Whole(1) && same.count == 1 && same["Anna"] == nil && same[""] == nil)
            #expect(try same.updateValue(Whole(2), forKey: "anna") == Whole(1) && players.count == 1)
            #expect(
                try players.update("anna", default: Whole()) { (value) -> UInt64 in
                    value = Whole(value.first + 1)
                    return value.first
                } == 3)
            #expect(try players.update("", default: Whole(8)) { $0.first } == 8 && players[""] == Whole(8))
            struct Unwilling: Error {}
            #expect(throws: Unwilling.self) {
                try players.update("new", default: Whole()) { value in
                    value = Whole(99)
                    throw Unwilling()
                }
            }
            #expect(try players["new"] == nil && same["anna"] == Whole(3))
            #expect(try Dictionary(uniqueKeysWithValues: same.elements().map { ($0.key, $0.value.first) }) == ["anna": 3, "": 8])
            #expect(try same.removeValue(forKey: "anna") == Whole(3) && players["anna"] == nil && players.count == 1)
            #expect(try same.removeValue(forKey: "anna") == nil)
            try players.removeAll()
            #expect(try same.isEmpty && same[""] == nil && players.validate().isEmpty)
            #expect(try arena.objects().map(\.type) == ["SharedDictionary<String, Whole:128>"])
            // 672 bytes, rounded to their size of blocks.
            #expect(arena.content == 768 && arena.validate().isEmpty)
        }

        private final class Said: Sendable { let error = Mutex<ArenaError?>(nil) }

        @Test("A5 S3 what makes the default of an update may not ask for the same dictionary: it is told, and waits for nothing")
        func nestedDefault() throws {
            let arena = try ArenaScene().open()
            let numbers = try SharedDictionary<String, Int>("numbers", in: arena)
            try numbers.updateValue(1, forKey: "template")
            let thread = try TestThread {
                let said = Said()
                try numbers.update("new", default: fallback(numbers, said)) { $0 += 1 }
                return said.error.withLock { $0 }
            }
            let said = try thread.join()
            guard case .selfDeadlock? = said else { throw TestFailure("it was \(String(describing: said))") }
            #expect(try numbers["new"] == 8 && numbers["template"] == 1)
        }

        private func fallback(_ numbers: SharedDictionary<String, Int>, _ said: Said) -> Int {
            do throws(ArenaError) { return try numbers.removeValue(forKey: "template") ?? 0 } catch {
                said.error.withLock { $0 = error }
                return 7
            }
        }

        @Test("A5 A3 types are compared; a destroyed one says so, gives everything back, and is made anew by who opens it")
        func types() throws {
            let arena = try ArenaScene().open()
            let tiles = try SharedDictionary<Tile, UInt8>("tiles", in: arena)
            for row in 0..<40 as Range<UInt16> { try tiles.updateValue(UInt8(row), forKey: Tile(row, row)) }
            #expect(try tiles[Tile(3, 3)] == 3 && tiles[Tile(3, 4)] == nil)
            func isOtherType(_ body: () throws -> Void) -> Bool {
                if case .otherType(name: "tiles", found: let found, _)? = arenaError(body) {
                    return found.contains("SharedDictionary<Tile")
                }
                return false
            }
            #expect(isOtherType { _ = try SharedDictionary<Tile, UInt16>("tiles", in: arena) })
            #expect(isOtherType { _ = try SharedDictionary<UInt32, UInt8>("tiles", in: arena) })
            #expect(isOtherType { _ = try SharedArray<UInt8>("tiles", in: arena) })
            #expect(isOtherType { _ = try SharedString("tiles", in: arena) })
            #expect(isOtherType { _ = try arena.find("tiles", as: Row.self) })
            #expect(arenaError { _ = try SharedDictionary<Int, Int>("", in: arena) } == .invalidName(""))

            #expect(try arena.destroy("tiles") && !arena.destroy("tiles"))
            #expect(arena.content == 0 && arena.validate().isEmpty)
            #expect(arenaError { _ = try tiles[Tile(3, 3)] } == .destroyed("tiles"))
            #expect(arenaError { try tiles.updateValue(1, forKey: Tile(0, 0)) } == .destroyed("tiles"))
            let new = try SharedDictionary<[UInt8], Int>("tiles", in: arena)
            try new.updateValue(7, forKey: [0, 1, 0])
            #expect(try new[[0, 1, 0]] == 7 && new[[0, 1]] == nil && new.elements().first?.key == [0, 1, 0])
        }

        @Test("A5 L4 whatever is done to it, it holds what a Dictionary holds, and nothing of the arena is lost")
        func random() throws {
            var random = SeededRandom(for: "random changes of a dictionary")
            for keys in [3, 100, 5000] as [UInt64] {
                let arena = try ArenaScene().open()
                let shared = try SharedDictionary<UInt64, Whole>("d", in: arena)
                var model: [UInt64: UInt64] = [:]
                for turn in 0..<15_000 {
                    let (key, value) = (UInt64.random(in: 0..<keys, using: &random) << 32, random.next())
                    switch Int.random(in: 0..<10, using: &random) {
                    case 0..<5:
                        #expect(try shared.updateValue(Whole(value), forKey: key)?.first == model.updateValue(value, forKey: key))
                    case 5, 6: #expect(try shared.removeValue(forKey: key)?.first == model.removeValue(forKey: key))
                    case 7:
                        try shared.update(key, default: Whole(value)) { $0 = Whole($0.first &+ 1) }
                        model[key, default: value] &+= 1
                    default:
                        let found = try shared[key]
                        #expect(found?.first == model[key] && found?.isWhole ?? true)
                    }
                    #expect(shared.count == model.count)
                    if turn % 5000 == 4999 {
                        #expect(try shared.validate() == [])
                        #expect(try Dictionary(uniqueKeysWithValues: shared.elements().map { ($0.key, $0.value.first) }) == model)
                    }
                    if turn == 12_000 {
                        try shared.removeAll()
                        model = [:]
                    }
                }
                #expect(arena.statistics().inHand == 0 && arena.validate().isEmpty)
                try arena.destroy("d")
                #expect(arena.content == 0)
            }
        }

        @Test("A5 C4 who looks without the lock finds whole values of keys that are always there, while others change, add and remove")
        func readers() throws {
            let scene = try ArenaScene()
            let failures = Lock<[String]>([])
            let arena = try scene.open()
            let shared = try SharedDictionary<UInt64, Whole>("d", in: arena)
            for key in 0..<64 as Range<UInt64> { try shared.updateValue(Whole(key), forKey: key) }
            let reading = try (0..<2).map { number in
                try Background { isOver in
                    var key = UInt64(number)
                    while !isOver.isRaised {
                        key = (key + 1) % 64
                        do {
                            let found = try shared[key]
                            if found?.isWhole != true || found.map({ $0.first % 64 != key }) ?? true {
                                failures.withLock { $0.append("key \(key): \(String(describing: found))") }
                            }
                        } catch { failures.withLock { $0.append("key \(key): \(error)") } }
                    }
                }
            }
            var random = SeededRandom(for: "readers of a dictionary")
            for turn in 0..<20_000 as Range<UInt64> {
                let key = UInt64.random(in: 0..<64, using: &random)
                try shared.updateValue(Whole(turn * 64 + key), forKey: key)
                // Others of the same buckets come and go, and what was freed is used again.
                try shared.updateValue(Whole(turn), forKey: 1000 + turn % 100)
                if turn % 3 == 0 { try shared.removeValue(forKey: 1000 + (turn * 7) % 100) }
            }
            for thread in reading { try thread.end() }
            #expect(failures.withLock { $0.isEmpty }, "\(failures.withLock { $0.prefix(3) })")
        }

        @Test(
            "A5 X3 a key that is too long, no room, a lock that another has, and a thread that would wait for itself: errors, and it is as it was"
        )
        func errors() throws {
            let scene = try ArenaScene()
            let arena = try scene.open(limit: 1 << 20)
            let shared = try SharedDictionary<String, Whole>("d", in: arena)
            let long = String(repeating: "x", count: SharedDictionary<String, Whole>.maximumKeyLength)
            try shared.updateValue(Whole(5), forKey: long)
            #expect(try shared[long] == Whole(5))
            #expect(arenaError { try shared.updateValue(Whole(), forKey: long + "x") } == .keyTooLong(65537))
            #expect(arenaError { _ = try shared[long + "x"] } == .keyTooLong(65537))
            let inside = arenaError {
                try shared.update(long, default: Whole()) { _ in
                    // Looking is allowed.
                    let found = try shared[long]
                    #expect(found == Whole(5))
                    _ = try shared.removeValue(forKey: "")
                }
            }
            #expect(inside == .selfDeadlock("d"))
            // The process's other opening of the same arena.
            let other = try SharedDictionary<String, Whole>("d", in: scene.open(limit: 1 << 20))
            #expect(arenaError { try shared.update(long, default: Whole()) { _ in try other.removeAll() } } == .selfDeadlock("d"))
            let destroying = arenaError {
                try shared.update(long, default: Whole()) { _ in _ = try arena.destroy("d", until: .after(.milliseconds(1))) }
            }
            #expect(destroying == .selfDeadlock("d"))
            let late = Lock<ArenaError?>(nil)
            try shared.update("a", default: Whole()) { _ in
                let thread = try Background { _ in
                    let error = arenaError { try other.updateValue(Whole(), forKey: "b", until: .after(.milliseconds(1))) }
                    late.withLock { $0 = error }
                }
                try thread.end()
            }
            #expect(late.withLock { $0 } == .deadline)
            var count = 0
            let error = arenaError {
                while true {
                    try shared.updateValue(Whole(UInt64(count)), forKey: "\(count)")
                    count += 1
                }
            }
            #expect(error == .full && count > 1000 && shared.count == count + 2)
            #expect(try shared.validate() == [] && shared["0"] == Whole(0) && shared["\(count)"] == nil)
            #expect(arenaError { try shared.updateValue(Whole(1), forKey: "0") } == .full)
            #expect(try shared.removeValue(forKey: "7") == Whole(7))
            try shared.updateValue(Whole(1), forKey: "0")
            #expect(try shared["0"] == Whole(1) && arena.validate().isEmpty)
        }
    }
}
