import InterprocessSystem
import TestSupport
import Testing

@testable import Interprocess

/// What those got who waited.
private final class Got: Sendable {
    let results = Lock<[Result<UInt64, ArenaError>]>([])

    func waiter(_ queue: ArenaQueue<UInt64>, for time: Duration? = nil) throws -> Background {
        let deadline = time.map { Deadline.after($0) } ?? .never
        let thread = try Background { _ in
            let result = Result { () throws(ArenaError) in try queue.popFirst(until: deadline) }
            self.results.withLock { $0.append(result) }
        }
        try eventuallyBlocking("it sleeps") { queue.core.items.isMarked || results.withLock { !$0.isEmpty } }
        return thread
    }
}

extension ArenaSuite {
    @Suite("queues") struct Queues {
        @Test("A4 A5 a queue is what an array is that is appended to and taken from the front, for every opening of the arena")
        func values() throws {
            let scene = try ArenaScene()
            let (arena, other) = (try scene.open(), try scene.open())
            let queues = [try ArenaQueue<Whole>("q", in: arena), try ArenaQueue<Whole>("q", in: other)]
            var (expected, number) = ([] as [UInt64], 0 as UInt64)
            var random = SeededRandom(for: "queue of an arena")
            for _ in 0..<20_000 {
                let queue = queues[Int.random(in: 0...1, using: &random)]
                switch Int.random(in: 0..<200, using: &random) {
                case 0:
                    try queue.removeAll()
                    expected = []
                case 1: #expect(try queue.elements().map(\.first) == expected && queue.validate() == [])
                case 2..<12:
                    let several = (0..<UInt64.random(in: 0...20, using: &random)).map { number + $0 }
                    try queue.append(contentsOf: several.map { Whole($0) })
                    (expected, number) = (expected + several, number + 20)
                case 12..<50:
                    try queue.append(Whole(number))
                    (expected, number) = (expected + [number], number + 1)
                default:
                    #expect(try queue.first?.first == expected.first && queue.count == expected.count)
                    let found = try expected.isEmpty ? queue.tryPopFirst() : queue.popFirst()
                    #expect(found?.first == expected.first && found?.isWhole ?? true)
                    if !expected.isEmpty { expected.removeFirst() }
                }
            }
            #expect(try arena.validate().isEmpty && arena.statistics().inHand == 0 && arena.destroy("q"))
            #expect(arena.content == 0)
        }

        @Test("A4 elements of any size and alignment: one byte, three, a page and more", arguments: [1, 3, 24, 70_000])
        func sizes(_ size: Int) throws {
            func check<Element: Shareable>(_ count: Int, _ make: (Int) -> Element, _ isEqual: (Element, Element) -> Bool) throws {
                let arena = try ArenaScene().open()
                let queue = try ArenaQueue<Element>("q", in: arena)
                for index in 0..<count { try queue.append(make(index)) }
                #expect(try queue.validate() == [] && queue.count == count)
                for index in 0..<count { #expect(try isEqual(queue.popFirst(), make(index))) }
                // All but the last chunk are back.
                #expect(arena.content <= 112 + max(1024, 2 << 16))
                try arena.destroy("q")
                #expect(arena.content == 0 && arena.statistics().inHand == 0)
            }
            switch size {
            case 1: try check(10_000, { UInt8(truncatingIfNeeded: $0) }, ==)
            case 3:
                try check(10_000, { InlineArray<3, UInt8>(repeating: UInt8(truncatingIfNeeded: $0)) }, { $0[0] == $1[0] && $0[2] == $1[2] })
            case 24: try check(10_000, { InlineArray<3, Int>(repeating: $0) }, { $0[0] == $1[0] && $0[2] == $1[2] })
            default:
                try check(40, { InlineArray<70_000, UInt8>(repeating: UInt8($0)) }, { $0[0] == $1[0] && $0[69_999] == $1[69_999] })
            }
        }

        @Test("A5 errors leave a queue as it was; emptied chunks go back to the arena; one that was destroyed says so")
        func errors() throws {
            let scene = try ArenaScene()
            let (arena, other) = (try scene.open(limit: 1 << 20), try scene.open(limit: 1 << 20))
            let (queue, same) = (try ArenaQueue<Whole>("q", in: arena), try ArenaQueue<Whole>("q", in: other))
            #expect(try queue.isEmpty && queue.first == nil && same.tryPopFirst() == nil && queue.elements().isEmpty)
            #expect(arenaError { _ = try queue.popFirst(until: .now) } == .deadline)
            #expect(arenaError { _ = try ArenaQueue<UInt64>("q", in: arena) } != nil)
            try queue.append(contentsOf: (0..<5).map { Whole($0) })
            #expect(arenaError { try queue.append(contentsOf: [Whole](repeating: Whole(), count: 10_000)) } == .full)
            #expect(try same.elements().map(\.first) == [0, 1, 2, 3, 4] && queue.validate() == [] && arena.validate().isEmpty)
            // The chunks that were made for those are used.
            for number in 5..<1000 as Range<UInt64> { try same.append(Whole(number)) }
            for number in 0..<1000 as Range<UInt64> { #expect(try queue.popFirst(until: .now).first == number) }
            try queue.removeAll()
            #expect(arena.content == 112)
            // A thousand go through it, and it is no larger than one chunk and what it is waiting to free.
            for number in 0..<1000 as Range<UInt64> {
                try queue.append(Whole(number))
                #expect(try same.popFirst() == Whole(number) && arena.content <= 112 + 2 * 1024)
            }
            try queue.append(Whole(1))
            try arena.destroy("q")
            #expect(arena.content == 0)
            #expect(arenaError { try same.append(Whole()) } == .destroyed("q") && arenaError { _ = try queue.first } == .destroyed("q"))
            #expect(arenaError { _ = try queue.popFirst() } == .destroyed("q") && arenaError { _ = try queue.count } == .destroyed("q"))
        }

        @Test("A4 P1 who waits is woken by what is appended, one for each; a deadline and a cancelled task pass their wake-up on")
        func waiting() async throws {
            let watch = try HangWatch("waiting for elements")
            defer { watch.end() }
            let arena = try ArenaScene().open()
            let queue = try ArenaQueue<UInt64>("q", in: arena)
            for round in 0..<200 as Range<UInt64> {
                watch.step("round \(round)")
                let got = Got()
                let threads = try (0..<3).map { _ in try got.waiter(queue) }
                let late = Task { try? await queue.popFirst(until: .after(.microseconds(Int64(round) * 10))) }
                let cancelled = Task { try? await queue.popFirst() }
                let waiting = Task { try await queue.popFirst() }
                if round % 2 == 0 {
                    try queue.append(contentsOf: 0..<3)
                } else {
                    for number in 0..<3 as Range<UInt64> { try queue.append(number) }
                }
                cancelled.cancel()
                let taken = [await late.value, await cancelled.value].compactMap { $0 }
                for number in 0..<UInt64(1 + taken.count) { try queue.append(3 + number) }
                let last = try await waiting.value
                for thread in threads { try thread.end() }
                let all = try got.results.withLock { try $0.map { try $0.get() } } + taken + [last]
                #expect(all.sorted() == Array(0..<4 + UInt64(taken.count)))
            }
            let begin = ContinuousClock.now
            #expect(arenaError { _ = try queue.popFirst(until: .after(.milliseconds(20))) } == .deadline)
            await #expect(throws: ArenaError.deadline) { try await queue.popFirst(until: .after(.milliseconds(20))) }
            #expect(ContinuousClock.now - begin < .seconds(2))
            let got = Got()
            let thread = try got.waiter(queue)
            try arena.destroy("q")
            try thread.end()
            #expect(got.results.withLock { $0 } == [.failure(.destroyed("q"))])
        }

        @Test(
            "A5 a wake-up that comes to nothing, since the lock was held, goes to another; who has waited for the lock stands in nobody's way"
        )
        func passedOn() throws {
            let watch = try HangWatch("passing wake-ups on")
            defer { watch.end() }
            let arena = try ArenaScene().open()
            let queue = try ArenaQueue<UInt64>("q", in: arena)
            let (words, got) = (queue.core.core.words, Got())
            let taken = words.word(64)
            try queue.append(7)
            #expect(try queue.popFirst() == 7)
            let late = try got.waiter(queue, for: .milliseconds(300))
            sleepThread(for: .milliseconds(20))
            let waiting = try got.waiter(queue)
            sleepThread(for: .milliseconds(20))
            // One is woken for an element, and has no lock until its deadline.
            try queue.core.core.enter(until: .never)
            taken.storeRelease(0)
            queue.core.items.notifyOne()
            try late.end()
            queue.core.core.lock.leave()
            try waiting.end()
            #expect(got.results.withLock { $0 } == [.failure(.deadline), .success(7)])

            // One becomes the lock's heir, and then there is nothing any more.
            let threads = try (0..<2).map { _ in try got.waiter(queue) }
            sleepThread(for: .milliseconds(20))
            try queue.core.core.enter(until: .never)
            taken.storeRelease(0)
            queue.core.items.notifyAll()
            try eventuallyBlocking("one is the heir") {
                sleepThread(for: .milliseconds(5))
                unsafe Futex.wake(words.lock.rawAddress)
                return !ClaimWord.isFree(words.heir.loadSequential())
            }
            taken.storeRelease(1)
            queue.core.core.lock.leave()
            for number in 8...9 as ClosedRange<UInt64> {
                #expect(arenaError { try queue.append(number, until: .after(.seconds(5))) } == nil)
            }
            for thread in threads { try thread.end() }
            #expect(try got.results.withLock { try $0.dropFirst(2).map { try $0.get() } }.sorted() == [8, 9])
        }

        @Test("A5 L4 what a killed process has left in the middle of taking a chunk out is finished by the next one")
        func mended() throws {
            let arena = try ArenaScene().open()
            let queue = try ArenaQueue<Whole>("q", in: arena)
            let words = queue.core.core.words
            let (first, last) = (words.word(80), words.word(88))
            for isLast in [false, true] {
                for state in 0..<4 {
                    try queue.removeAll()
                    let there = UInt64(queue.core.capacity) - words.word(72).loadRelaxed() % UInt64(queue.core.capacity)
                    // So that the first chunk ends with the last of these; then one more.
                    try queue.append(contentsOf: (0..<there + (isLast ? 0 : 1)).map { Whole($0) })
                    for _ in 0..<there { _ = try queue.popFirst() }
                    let chunk = first.loadRelaxed()
                    let next = arena.core.memory.word64(Int(ArenaLinkWord.offset(chunk))).loadRelaxed()
                    if state > 0 { words.going.storeRelease(chunk) }
                    if state > 1 { first.storeRelease(next) }
                    if state > 2, isLast { last.storeRelease(next) }
                    #expect(try queue.elements().map(\.first) == (isLast ? [] : [there]), "\(isLast), \(state)")
                    #expect(try queue.validate() == [] && arena.validate().isEmpty && words.going.loadRelaxed() == 0)
                    #expect(arena.content == (isLast ? 112 : 112 + 1024))
                }
            }
            // A chunk that was added before `appended` changed.
            try queue.removeAll()
            let number = words.word(72).loadRelaxed()
            try queue.append(contentsOf: (0..<20).map { Whole($0) })
            words.word(72).storeRelease(number + 1)
            last.storeRelease(0)
            try queue.append(contentsOf: (1..<30).map { Whole($0) })
            #expect(try queue.elements().map(\.first) == Array(0..<30) && queue.validate() == [])
        }

        @Test("A5 C4 who looks without the lock finds a whole first element, never one that was taken before, while others append and take")
        func readers() throws {
            let failures = Lock<[String]>([])
            let arena = try ArenaScene().open()
            let queue = try ArenaQueue<Whole>("q", in: arena)
            let readers = try (0..<2).map { _ in
                try Background { isOver in
                    var seen: UInt64 = 0
                    while !isOver.isRaised {
                        do {
                            let (found, count) = (try queue.first, try queue.count)
                            guard let found else { continue }
                            if !found.isWhole || found.first < seen || count > 40 {
                                failures.withLock { $0.append("\(found), after \(seen); \(count)") }
                            }
                            seen = found.first
                        } catch { failures.withLock { $0.append("\(error)") } }
                    }
                }
            }
            var (appended, taken) = (0 as UInt64, 0 as UInt64)
            for turn in 0..<30_000 {
                if appended - taken < UInt64(turn * 7 % 40) {
                    try queue.append(Whole(appended))
                    appended += 1
                } else if try queue.tryPopFirst() != nil {
                    taken += 1
                }
                // What was freed is filled with something else.
                if turn % 16 == 0 { try arena.free(arena.allocate(byteCount: 1000)) }
                if turn % 1000 == 0 {
                    try queue.removeAll()
                    taken = appended
                }
            }
            for thread in readers { try thread.end() }
            #expect(failures.withLock { $0.isEmpty }, "\(failures.withLock { $0.prefix(3) })")
        }

        @Test("X1 X2 numbers and links of a queue that cannot be: an error with the field's name")
        func words() throws {
            let arena = try ArenaScene().open()
            let queue = try ArenaQueue<Whole>("q", in: arena)
            try queue.append(contentsOf: (0..<30).map { Whole($0) })
            let words = queue.core.core.words
            let chunk = ArenaLinkWord.offset(words.word(80).loadRelaxed())
            let second = ArenaLinkWord.offset(arena.core.memory.word64(Int(chunk)).loadRelaxed())
            func field(_ body: () throws -> Void) -> String? {
                guard case .damaged(let field)? = arenaError(body) else { return nil }
                return field
            }
            let cases: [(place: UInt64, value: UInt64, look: String?, list: String?, append: String?)] = [
                (words.offset + 64, 31, "taken", "taken", "taken"), (words.offset + 72, .max, "taken", "taken", "taken"),
                (words.offset + 72, 1 << 60, nil, "next", "next"),
                (words.offset + 80, 0, "first", "first", nil),
                (words.offset + 80, ArenaLinkWord.naming(1 << 39), "first", "first", "first"),
                (words.offset + 88, ArenaLinkWord.naming(16), nil, nil, "last"),
                (chunk, ArenaLinkWord.naming(1 << 39), nil, "next", nil), (chunk, ArenaLinkWord.naming(chunk), nil, "number", nil),
                (chunk, 0, nil, "next", nil), (chunk + 8, 1, "first", "first", nil), (second + 8, 7, nil, "number", nil),
            ]
            for (place, value, look, list, append) in cases {
                let word = arena.core.memory.word64(Int(place))
                let before = word.loadRelaxed()
                word.storeRelaxed(value)
                #expect(field { _ = try queue.first } == look, "\(place): \(value)")
                #expect(field { _ = try queue.elements() } == list, "\(place): \(value)")
                if let append { #expect(field { try queue.append(Whole()) } == append, "\(place): \(value)") }
                #expect(field { _ = try queue.validate() } != nil || list == nil)
                word.storeRelaxed(before)
                #expect(try queue.elements().count == 30 && queue.first == Whole(0))
            }
            #expect(try arena.destroy("q") && arena.content == 0)
        }
    }
}
