import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

struct Scene: Shareable, Equatable {
    var width: UInt32 = 0
    var height: UInt32 = 0
    /// A link that names nothing, at first.
    var rows: UInt64 = 0
}

struct Row: Shareable {
    var number: UInt64 = 0
}

extension SharedArena {
    /// The record that has this name.
    func record(_ name: String) throws -> ArenaRecord? {
        let name = try ArenaName(name)
        return try ArenaNames(core).first(inBucket: name.bucket) { $0.stamp(ifNamed: name) == nil ? nil : $0 }
    }

    /// Whether somebody waits until the object is constructed.
    func isAwaited(_ name: String) throws -> Bool { try record(name).map { $0.changes.isMarked } ?? false }

    var recordCount: Int {
        get throws {
            var count = 0
            for index in 0..<ArenaUnit.buckets {
                _ = try ArenaNames(core).first(inBucket: index) { _ -> Void? in
                    count += 1
                    return nil
                }
            }
            return count
        }
    }
}

/// Names of one bucket.
func namesOfOneBucket(_ count: Int) throws -> [String] {
    let bucket = try ArenaName("0").bucket
    var found: [String] = []
    var number = 0
    while found.count < count {
        if try ArenaName("\(number)").bucket == bucket { found.append("\(number)") }
        number += 1
    }
    return found
}

/// A user's type, whose name begins as that of a container.
private struct SharedStringTable: Shareable {
    var count: UInt64 = 0
    var capacity: UInt64 = 0
}

extension ArenaSuite {
    @Suite("named objects") struct Objects {
        @Test("A3 an object whose type is named as a container begins is an object")
        func namedAlike() throws {
            let arena = try ArenaScene().open()
            _ = try arena.construct("table", as: SharedStringTable.self) { table in table = SharedStringTable(count: 5, capacity: 7) }
            #expect(try arena.destroy("table"))
            #expect(try arena.objects().isEmpty && arena.validate().isEmpty)
        }

        @Test(
            "A3 N8 construct, find, destroy: the object is found by its name, with its type, by every opening of the arena, until it is destroyed"
        )
        func lives() throws {
            let place = try ArenaScene()
            let arena = try place.open()
            #expect(try arena.find("scene", as: Scene.self) == nil && arena.objects().isEmpty)
            let scene = try arena.construct("scene", as: Scene.self) { scene in
                #expect(scene == Scene())
                scene = Scene(width: 640, height: 480)
                // Nobody finds it before it is constructed, and nobody destroys it.
                let (found, isDestroyed) = (try arena.find("scene", as: Scene.self), try arena.destroy("scene"))
                #expect(found == nil && !isDestroyed)
            }
            let other = try place.open()
            #expect(try other.find("scene", as: Scene.self) == scene && other.value(at: scene).height == 480)
            #expect(try other.findOrConstruct("scene", as: Scene.self) { _ in Issue.record("it is there") } == scene)
            try arena.publish(arena.allocate(byteCount: 8), into: ArenaLink(in: scene.offset, at: 8))
            let table = try other.construct("table", as: Row.self, count: 1000) { rows in
                for index in 0..<rows.count { rows[index].number = UInt64(index) }
            }
            let found = try arena.findArray("table", of: Row.self)
            #expect(found?.first == table && found?.count == 1000)
            #expect(try arena.withValues(at: table, count: 1000) { $0[999].number } == 999)
            #expect(try arena.findOrConstruct("table", as: Row.self, count: 1000) { _ in Issue.record("it is there") } == table)
            let objects = try arena.objects().sorted { $0.name < $1.name }
            #expect(objects.map(\.name) == ["scene", "table"] && objects.map(\.count) == [1, 1000])
            #expect(objects.map(\.byteCount) == [16, 8000] && objects.map(\.type) == ["Scene", "Row"])
            #expect(objects.map(\.offset) == [scene.offset, table.offset] && arena.validate().isEmpty)
            #expect(arena.statistics().inHand == 0)
            #expect(try other.destroy("table") && !arena.destroy("table"))
            #expect(try arena.findArray("table", of: Row.self) == nil && arena.objects().map(\.name) == ["scene"])
            #expect(arenaError { _ = try arena.value(at: table) } == .invalid(table.offset, .notAllocated))
        }

        @Test("A3 X1 what cannot be is an error that says what, and nothing happens")
        func errors() throws {
            let arena = try ArenaScene().open()
            let scene = try arena.construct("scene", as: Scene.self) { $0.width = 1 }
            #expect(arenaError { try arena.construct("scene", as: Scene.self) { _ in Issue.record("it is there") } } == .exists("scene"))
            let other = ArenaError.otherType(name: "scene", found: "Scene (16 bytes)", wanted: "Row (8 bytes)")
            #expect(arenaError { _ = try arena.find("scene", as: Row.self) } == other)
            #expect(arenaError { _ = try arena.findArray("scene", of: Row.self) } == other)
            #expect(arenaError { try arena.findOrConstruct("scene", as: Row.self) { _ in } } == other)
            #expect(
                arenaError { try arena.findOrConstruct("scene", as: Scene.self, count: 3) { _ in } }
                    == .otherType(name: "scene", found: "Scene (16 bytes)", wanted: "3 × Scene (16 bytes)"))
            for name in ["", "a\0b", String(repeating: "x", count: 193)] {
                #expect(arenaError { _ = try arena.find(name, as: Row.self) } == .invalidName(name))
                #expect(arenaError { try arena.destroy(name) } == .invalidName(name))
            }
            for name in ["é", String(repeating: "x", count: 192)] {
                let place = try arena.construct(name, as: Row.self) { $0.number = 7 }
                #expect(try arena.find(name, as: Row.self) == place && arena.objects().contains { $0.name == name })
                #expect(try arena.destroy(name))
            }
            let before = arena.statistics().used
            #expect(arenaError { try arena.construct("rows", as: Row.self, count: -1) { _ in } } == .invalidSize)
            #expect(arenaError { try arena.construct("rows", as: Row.self, count: .max) { _ in } } == .invalidSize)
            #expect(arenaError { try arena.construct("rows", as: Row.self, count: 1 << 30) { _ in } } == .full)
            #expect(arena.statistics().used <= before + 320 && arena.statistics().inHand == 0)
            // Its block, freed by who should not.
            try arena.free(scene)
            #expect(arenaError { _ = try arena.find("scene", as: Scene.self) } == .invalid(scene.offset, .notAllocated))
            #expect(arenaError { try arena.destroy("scene") } == .invalid(scene.offset, .notAllocated))
        }

        @Test("A3 a constructor that throws leaves nothing, and one that asks for its own object is told")
        func throwing() throws {
            let place = try ArenaScene()
            let (arena, other) = (try place.open(), try place.open())
            struct Unwilling: Error {}
            for _ in 0..<100 {
                #expect(throws: Unwilling.self) { try arena.construct("a", as: Scene.self) { _ in throw Unwilling() } }
                #expect(throws: Unwilling.self) { try other.findOrConstruct("a", as: Row.self, count: 9) { _ in throw Unwilling() } }
            }
            #expect(try arena.find("a", as: Scene.self) == nil && arena.objects().isEmpty && !arena.destroy("a"))
            #expect(arena.statistics().used == 320 && arena.statistics().inHand == 0 && arena.validate().isEmpty)
            try arena.construct("a", as: Scene.self) { _ in
                #expect(arenaError { try arena.findOrConstruct("a", as: Scene.self) { _ in } } == .selfDeadlock("a"))
                // Through another opening as well.
                #expect(arenaError { try other.construct("a", as: Scene.self, until: .now) { _ in } } == .selfDeadlock("a"))
                // Another object is none of its business.
                try other.construct("b", as: Row.self) { _ in }
            }
            #expect(try other.objects().map(\.name).sorted() == ["a", "b"])
        }

        @Test("A3 records are used again: ten thousand names, ten at a time, take no more than that many")
        func records() throws {
            let arena = try ArenaScene().open()
            let names = try namesOfOneBucket(500)
            for turn in 0..<20 {
                for index in 0..<names.count {
                    try arena.construct(names[index], as: Row.self) { row in
                        // Whatever stood there before.
                        #expect(row.number == 0)
                        row.number = UInt64(turn + 1)
                    }
                    if index >= 10 { #expect(try arena.destroy(names[index - 10])) }
                }
                for name in names.suffix(10) { #expect(try arena.destroy(name)) }
            }
            #expect(try arena.recordCount <= 11 && arena.objects().isEmpty)
            #expect(arena.statistics().used <= 11 * 320 && arena.validate().isEmpty)
        }

        @Test("A3 threads: one constructs, the others sleep until it has, and find it; a deadline lets one go", arguments: [true, false])
        func waiting(isOneOpening: Bool) throws {
            let place = try ArenaScene()
            let arena = try place.open()
            let other = isOneOpening ? arena : try place.open()
            let places = Lock<[TypedOffset<Scene>]>([])
            let failures = Lock<[String]>([])
            let done = Latch(4)
            let place0 = try arena.construct("scene", as: Scene.self) { scene in
                for _ in 0..<3 {
                    try startServiceThread(named: "finding") {
                        do {
                            let found = try other.findOrConstruct("scene", as: Scene.self) { _ in throw TestFailure("two constructors") }
                            places.withLock { $0.append(found) }
                        } catch { failures.withLock { $0.append("\(error)") } }
                        done.countDownAndWait()
                    }
                }
                try eventuallyBlocking("a sleeper") { try arena.isAwaited("scene") }
                #expect(places.withLock { $0 }.isEmpty)
                let late = Lock<ArenaError?>(nil)
                let isOver = Latch(2)
                try startServiceThread(named: "giving up") {
                    let error = arenaError { try other.construct("scene", as: Scene.self, until: .after(.milliseconds(1))) { _ in } }
                    late.withLock { $0 = error }
                    isOver.countDownAndWait()
                }
                isOver.countDownAndWait()
                #expect(late.withLock { $0 } == .deadline)
                scene.width = 5
            }
            done.countDownAndWait()
            #expect(failures.withLock { $0 } == [] && places.withLock { $0 } == [place0, place0, place0])
        }

        @Test(
            "A3 threads: a constructor throws, and one of those who wait runs its own; a sleeper is not kept by another name of its record")
        func nextConstructor() throws {
            let arena = try ArenaScene().open()
            struct Unwilling: Error {}
            let names = try namesOfOneBucket(2)
            let found = Lock<TypedOffset<Scene>?>(nil)
            let failures = Lock<[String]>([])
            let done = Latch(2)
            #expect(throws: Unwilling.self) {
                try arena.construct(names[0], as: Scene.self) { _ in
                    try startServiceThread(named: "next") {
                        do {
                            let place = try arena.findOrConstruct(names[0], as: Scene.self) { $0.width = 9 }
                            found.withLock { $0 = place }
                        } catch { failures.withLock { $0.append("\(error)") } }
                        done.countDownAndWait()
                    }
                    try eventuallyBlocking("a sleeper") { try arena.isAwaited(names[0]) }
                    throw Unwilling()
                }
            }
            // Perhaps in the same record.
            try arena.construct(names[1], as: Row.self) { _ in
                try eventuallyBlocking("the next one") { found.withLock { $0 } != nil || !failures.withLock { $0 }.isEmpty }
            }
            done.countDownAndWait()
            #expect(failures.withLock { $0 } == [])
            let place = try #require(try arena.find(names[0], as: Scene.self))
            #expect(try found.withLock { $0 } == place && arena.value(at: place).width == 9)
        }

        @Test("A3 tasks suspend until it is constructed, and can be cancelled")
        func asynchronous() async throws {
            let arena = try ArenaScene().open()
            let gate = Latch(2)
            try startServiceThread(named: "constructing") {
                _ = try? arena.construct("scene", as: Scene.self) { scene in
                    scene.height = 3
                    gate.countDownAndWait()
                }
            }
            try await eventually("a constructor") { try arena.record("scene") != nil }
            let cancelled = Task { try await arena.findOrConstruct("scene", as: Scene.self) { _ in } }
            try await eventually("a sleeper") { try arena.isAwaited("scene") }
            cancelled.cancel()
            await #expect(throws: ArenaError.cancelled) { try await cancelled.value }
            await #expect(throws: ArenaError.deadline) {
                try await arena.findOrConstruct("scene", as: Scene.self, until: .after(.milliseconds(1))) { _ in }
            }
            let waiting = Task { try await arena.findOrConstruct("scene", as: Scene.self) { _ in throw TestFailure("two constructors") } }
            gate.countDownAndWait()
            let place = try await waiting.value
            #expect(try arena.value(at: place).height == 3)
            let mine = try await arena.findOrConstruct("mine", as: Row.self) { $0.number = 4 }
            #expect(try arena.value(at: mine).number == 4)
        }
    }
}
