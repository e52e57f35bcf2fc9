import InterprocessSystem
import TestSupport
import Testing

@testable import Interprocess

extension ArenaSuite {
    @Suite("arrays and strings") struct ArraysAndStrings {
        @Test("A5 an array is what it is in the standard library, for every opening of the arena, and errors leave it as it was")
        func arrays() throws {
            let scene = try ArenaScene()
            let (arena, other) = (try scene.open(limit: 1 << 20), try scene.open(limit: 1 << 20))
            let array = try SharedArray<Whole>("a", in: arena)
            let same = try SharedArray<Whole>("a", in: other)
            #expect(try array.isEmpty && same.popLast() == nil)
            #expect(arenaError { _ = try array[0] } == .outOfRange(index: 0, count: 0))
            try array.append(Whole(0))
            try same.append(contentsOf: (1..<10).map { Whole($0) })
            try same.append(contentsOf: [])
            #expect(try array.elements().map(\.first) == Array(0..<10) && array[9] == Whole(9))
            try same.set(3, to: Whole(33))
            #expect(
                try array.update(4) { (element) -> UInt64 in
                    element = Whole(44)
                    return 5
                } == 5)
            #expect(try array.elements().map(\.first) == [0, 1, 2, 33, 44, 5, 6, 7, 8, 9])
            for index in [-1, 10, .max, .min] {
                #expect(arenaError { _ = try array[index] } == .outOfRange(index: index, count: 10))
                #expect(arenaError { try array.set(index, to: Whole()) } == .outOfRange(index: index, count: 10))
                #expect(arenaError { try array.update(index) { _ in } } == .outOfRange(index: index, count: 10))
            }
            struct Unwilling: Error {}
            #expect(throws: Unwilling.self) {
                try array.update(4) { element in
                    element = Whole(1)
                    throw Unwilling()
                }
            }
            #expect(arenaError { try array.update(4) { _ in try same.append(Whole()) } } == .selfDeadlock("a"))
            #expect(try array[4] == Whole(44) && same.popLast() == Whole(9) && array.count == 9)
            #expect(arenaError { try array.reserveCapacity(1 << 20) } == .full)
            #expect(arenaError { try array.reserveCapacity(.max) } == .full)
            #expect(arenaError { try array.append(contentsOf: [Whole](repeating: Whole(), count: 10_000)) } == .full)
            #expect(try array.count == 9 && array.validate() == [] && arena.validate().isEmpty)
            try array.removeAll()
            #expect(try same.isEmpty && same.elements().isEmpty)
            // 400 bytes and the draft, rounded to their size of blocks.
            #expect(arena.content == 640)
            try same.append(Whole(1))
            try arena.destroy("a")
            #expect(arena.content == 0)
            #expect(arenaError { _ = try array[0] } == .destroyed("a") && arenaError { try same.append(Whole()) } == .destroyed("a"))
        }

        @Test("A5 elements of any size are where they belong: one byte, three, a page and more", arguments: [1, 3, 24, 70_000])
        func sizes(_ size: Int) throws {
            func check<Element: Shareable>(_ count: Int, _ make: (Int) -> Element, _ isEqual: (Element, Element) -> Bool) throws {
                let arena = try ArenaScene().open()
                let array = try SharedArray<Element>("a", in: arena)
                for index in 0..<count { try array.append(make(index)) }
                for index in stride(from: 0, to: count, by: 7) { try array.set(index, to: make(index + 1)) }
                for index in 0..<count { #expect(try isEqual(array[index], make(index % 7 == 0 ? index + 1 : index))) }
                #expect(try array.validate() == [] && arena.validate().isEmpty)
                try arena.destroy("a")
                #expect(arena.content == 0 && arena.statistics().inHand == 0)
            }
            switch size {
            case 1: try check(100_000, { UInt8(truncatingIfNeeded: $0) }, ==)
            case 3:
                try check(10_000, { InlineArray<3, UInt8>(repeating: UInt8(truncatingIfNeeded: $0)) }, { $0[0] == $1[0] && $0[2] == $1[2] })
            case 24: try check(10_000, { InlineArray<3, Int>(repeating: $0) }, { $0[0] == $1[0] && $0[2] == $1[2] })
            default:
                try check(40, { InlineArray<70_000, UInt8>(repeating: UInt8($0)) }, { $0[0] == $1[0] && $0[69_999] == $1[69_999] })
            }
        }

        @Test("A5 C4 who looks without the lock finds whole elements, while others overwrite, append and take away")
        func readers() throws {
            let failures = Lock<[String]>([])
            let arena = try ArenaScene().open()
            let array = try SharedArray<Whole>("a", in: arena)
            let string = try SharedString("s", in: arena)
            for number in 0..<64 as Range<UInt64> { try array.append(Whole(number)) }
            let reading = try (0..<2).map { number in
                try Background { isOver in
                    var index = number
                    while !isOver.isRaised {
                        index = (index + 1) % 80
                        do {
                            let found = try array[index]
                            if !found.isWhole || found.first % 64 != UInt64(index % 64) {
                                failures.withLock { $0.append("index \(index): \(found)") }
                            }
                            let text = try string.value
                            if Set(text.utf8).count > 1 { failures.withLock { $0.append(text) } }
                        } catch ArenaError.outOfRange where index >= 64 {
                        } catch { failures.withLock { $0.append("index \(index): \(error)") } }
                    }
                }
            }
            for turn in 0..<20_000 as Range<UInt64> {
                let index = turn * 7 % 64
                try array.set(Int(index), to: Whole(turn * 64 + index))
                if array.count < 80 {
                    try array.append(Whole(turn * 64 + UInt64(array.count % 64)))
                } else {
                    while array.count > 64 { try array.popLast() }
                }
                try string.set(String(repeating: turn % 2 == 0 ? "a" : "b", count: Int(turn * 31 % 300)))
            }
            for thread in reading { try thread.end() }
            #expect(failures.withLock { $0.isEmpty }, "\(failures.withLock { $0.prefix(3) })")
        }

        @Test("A5 L4 elements that a killed process was taking away are gone, and who still reads one of them is told by the stamp")
        func takenAway() throws {
            let arena = try ArenaScene().open()
            let array = try SharedArray<Whole>("a", in: arena)
            try array.append(contentsOf: (0..<5).map { Whole($0) })
            let object = try #require(try arena.objects().first)
            let words = unsafe ContainerWords(at: arena.core.memory.base + Int(object.offset.rawValue), object.offset.rawValue)
            // As it is between `planned` and `count`, and between `count` and `stamp`.
            for count in [5, 3] as [UInt64] {
                words.planned.storeRelease(4)
                words.count.storeRelease(count)
                let stamp = words.stamp.loadRelaxed()
                try array.append(Whole(9))
                #expect(words.stamp.loadRelaxed() > stamp && words.planned.loadRelaxed() == 0)
                #expect(try array.elements().map(\.first) == [0, 1, 2, 9])
                try array.append(Whole(4))
            }
            for impossible in [7, .max, 1 << 63] as [UInt64] {
                words.planned.storeRelease(impossible)
                #expect(try array.elements().count == 5 && array.validate() == [])
            }
        }

        @Test("A5 a string is replaced as a whole, of any length, by every opening of the arena")
        func strings() throws {
            let scene = try ArenaScene()
            let (arena, other) = (try scene.open(limit: 4 << 20), try scene.open(limit: 4 << 20))
            let title = try SharedString("title", in: arena)
            let same = try SharedString("title", in: other)
            #expect(try title.value == "")
            for text in ["Tuesday", "", "Ärger in 日本 🎉", String(repeating: "long ", count: 100_000), "short"] {
                try title.set(text)
                #expect(try same.value == text && title.value == text)
            }
            #expect(arenaError { try title.set(String(repeating: "x", count: 5 << 20)) } == .full)
            #expect(try same.value == "short" && arena.content == 32 && arena.statistics().inHand == 0)
            try same.set("")
            #expect(arena.content == 16)
            try same.set("again")
            #expect(try arena.destroy("title") && arena.content == 0)
            #expect(arenaError { _ = try title.value } == .destroyed("title") && arenaError { try same.set("x") } == .destroyed("title"))
            #expect(arena.content == 0 && arena.statistics().inHand == 0)
            #expect(try SharedString("title", in: arena).value == "")
        }
    }
}
