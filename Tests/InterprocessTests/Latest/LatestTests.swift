import CInterprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

/// The tests of the latest value: one after the other, since many of them block the thread that they run on.
@Suite("Latest value", .serialized) enum LatestSuite {}

extension LatestSuite {
    @Suite("in one process") struct Local {
        private let directory: TemporaryDirectory
        private var options: SynchronizationOptions { SynchronizationOptions(directory: directory.objects) }
        init() throws { directory = try TemporaryDirectory() }

        private struct Reading: Shareable {
            var sensor: UInt32 = 0
            var celsius: Float = 0
        }
        private struct Wide: Shareable { var vector = SIMD8<Double>() }

        private func open(_ initial: Int = 5, _ strategy: WaitStrategy = .park) throws -> LatestValue<Int> {
            try LatestValue(named: "v", initial: initial, options: options, strategy: strategy)
        }

        private func error(_ body: () throws -> Void) -> WaitError? {
            do {
                try body()
                return nil
            } catch {
                return error as? WaitError
            }
        }

        @Test("C7 what is stored last is loaded, with its number, through every opening of it", arguments: SyncPlace.Kind.allCases)
        func basics(kind: SyncPlace.Kind) throws {
            let place = LatestPlace(kind, in: directory.objects)
            let latest = try place.open(Reading(sensor: 1, celsius: 20))
            let other = try place.open(Reading())
            #expect(try other.loadVersioned().sequence == 0 && other.load().celsius == 20, "what it was made with")
            for number in 1...9 as ClosedRange<UInt64> {
                #expect(try latest.store(Reading(sensor: UInt32(number), celsius: 1)) == number)
                let version = try other.loadVersioned()
                #expect(version.sequence == number && version.value.sensor == UInt32(number))
                #expect(try other.sequence == number)
                try other.update { $0.celsius += 1 }
                #expect(try latest.load().celsius == 2 && latest.load().sensor == UInt32(number))
                let now = try latest.store(latest.load())
                #expect(now == number + 2)
                // Back to the number of the loop.
                try rewind(latest.words, to: number)
            }
        }

        /// Makes the newest version one of another number: for numbers that no test lives to see.
        private func rewind(_ words: LatestWords, to number: UInt64) throws {
            let newest = LatestWords.number(words.current.loadAcquire())
            unsafe words.value(number).copyMemory(from: words.value(newest), byteCount: words.stride - words.valueOffset)
            words.stamp(number).storeRelease(number << 1)
            words.current.storeRelease(LatestWords.word(number))
        }

        @Test("C7 numbers go on past 2^30 stores, where the word of the waiters begins anew")
        func wrapping() throws {
            let latest = try open()
            for start in [(1 << 30) - 3, (1 << 40) - 3, (1 << 62) - 3] as [UInt64] {
                try rewind(latest.words, to: start)
                #expect(try latest.sequence == start)
                for step in 1...6 as ClosedRange<UInt64> {
                    let waiting = try TestThread { try latest.next(after: start + step - 1) }
                    try eventuallyBlocking("it sleeps") { latest.words.current.loadAcquire() & ClaimWord.marked != 0 }
                    #expect(try latest.store(Int(step)) == start + step)
                    let version = try waiting.join()
                    #expect(version.sequence == start + step && version.value == Int(step))
                }
            }
        }

        @Test("C7 an update that throws has not happened; storing inside of one is refused, not waited for")
        func updates() throws {
            let latest = try open()
            #expect(
                error {
                    try latest.update { value in
                        value = 77
                        throw WaitError.impossible("no")
                    }
                } == .impossible("no"))
            let untouched = try latest.loadVersioned()
            #expect(untouched.value == 5 && untouched.sequence == 0)
            let again = try open()
            for storing in [{ _ = try latest.store(1) }, { try latest.update { $0 = 1 } }, { _ = try again.store(1) }] {
                guard case .impossible? = error({ try latest.update { _ in try storing() } }) else {
                    throw TestFailure("storing inside of an update")
                }
            }
            // Readers get the value as it was.
            try latest.update { value in
                value = 6
                let seen = try again.load()
                #expect(seen == 5)
            }
            #expect(try again.load() == 6)
        }

        @Test("C7 waiting ends with its deadline, at once if there is something, and with any later number")
        func deadlines() throws {
            let latest = try open()
            #expect(error { _ = try latest.wait(after: 0, until: .now) } == .deadline)
            #expect(error { _ = try latest.next(after: 0, until: .after(.milliseconds(2))) } == .deadline)
            try latest.store(6)
            #expect(try latest.wait(after: 0, until: .now) == 1)
            #expect(try latest.next(after: 0).value == 6)
            for number in 7...9 { try latest.store(number) }
            let version = try latest.next(after: 1)
            #expect(version.value == 9 && version.sequence == 4)
            #expect(error { _ = try latest.wait(after: 4, until: .now) } == .deadline)
            #expect(error { _ = try latest.wait(after: 400, until: .now) } == .deadline, "of a future that has not come")
        }

        @Test("C7 its size is what the documentation says, and a place of just that size is enough")
        func footprint() throws {
            func formula<Value>(_ type: Value.Type) -> Int {
                256 + 4 * ((max(8, MemoryLayout<Value>.alignment) + MemoryLayout<Value>.stride + 63) / 64 * 64)
            }
            #expect(LatestValue<Int>.byteCount == 512 && formula(Int.self) == 512)
            #expect(LatestValue<UInt8>.byteCount == 512)
            #expect(LatestValue<InlineArray<7, Int>>.byteCount == 512)
            #expect(LatestValue<InlineArray<8, Int>>.byteCount == 768)
            #expect(LatestValue<Wide>.byteCount == 256 + 4 * 128 && formula(Wide.self) == LatestValue<Wide>.byteCount)
            #expect(LatestValue<InlineArray<131_072, Int>>.byteCount == 256 + 4 * ((1 << 20) + 64))
            let segment = try Segment.create("place", size: 64 + LatestValue<Wide>.byteCount, in: directory.objects)
            #expect(code { _ = try LatestValue(in: segment, at: 128, initial: Wide()) } == .sizeMismatch)
            #expect(code { _ = try LatestValue(in: segment, at: 32, initial: Wide()) } == .invalidArgument)
            let latest = try LatestValue(in: segment, at: 64, initial: Wide())
            for number in 1...9 {
                try latest.store(Wide(vector: SIMD8(repeating: Double(number))))
                #expect(try latest.load().vector == SIMD8(repeating: Double(number)))
            }
            #expect(code { _ = try LatestValue(in: segment, at: 64, initial: 5) } == .elementMismatch)
            #expect(code { _ = try SharedMutex(in: segment, at: 64, initial: 5) } == .kindMismatch)
        }

        @Test("C7 N4 another type, or another kind of object, is refused under its name")
        func mismatches() throws {
            let latest = try open()
            #expect(code { _ = try LatestValue(named: "v", initial: Reading(), options: options) } == .elementMismatch)
            #expect(code { _ = try SharedMutex(named: "v", initial: 5, options: options) } == .kindMismatch)
            let details = try #require(try directory.objects.status(of: "v").details)
            #expect(details.header.kind == .latestValue && details.header.element.identifier == "Int" && !details.isGarbage)
            #expect(try latest.load() == 5)
        }

        @Test("C7 X1 a stamp or a number that is impossible is an error that names the field, not a value and not a hang")
        func damage() throws {
            let latest = try open()
            try latest.store(6)
            let stamp = latest.words.stamp(1)
            let calls: [() throws -> Void] = [
                { _ = try latest.load() }, { _ = try latest.sequence }, { _ = try latest.wait(after: 0) }, { _ = try latest.store(1) },
                { try latest.update { $0 = 1 } },
            ]
            for impossible in [0, 1, 3, 4, .max] as [UInt64] {
                stamp.storeRelease(impossible)
                for call in calls { #expect(error(call) == .damaged("stamp"), "\(impossible)") }
            }
            stamp.storeRelease(2)
            #expect(try latest.load() == 6 && latest.store(7) == 2)
            latest.words.current.storeRelease(0)
            #expect(error { _ = try latest.load() } == .damaged("current"))
            #expect(error { _ = try latest.wait(after: 0) } == .damaged("current"))
        }

        @Test("C7 X2 words that never stand still end a call with an error, and a reader that is overtaken without end gives up")
        func overtaken() throws {
            let latest = try open()
            let words = latest.words
            let watch = try HangWatch("a reader that is overtaken")
            defer { watch.end() }
            let control = try Segment.create("over", size: 8, in: directory.objects)
            let isOver = unsafe control.withBytes { unsafe SharedUInt32(at: $0.baseAddress!) }
            // As of writers that are always far ahead.
            for version in 0..<4 as Range<UInt64> { words.stamp(version).storeRelease(100 << 1) }
            let ahead = try TestThread {
                var number: UInt64 = 1
                while isOver.loadAcquire() == 0 {
                    words.current.storeRelease(LatestWords.word(number % 50))
                    number += 1
                }
            }
            for _ in 0..<2000 {
                #expect(error { _ = try latest.load() } != nil)
                #expect(error { _ = try latest.wait(after: 1 << 40, until: .after(.microseconds(200))) } != nil)
            }
            isOver.storeRelease(1)
            try ahead.join()
            // By its time, and not by one bad moment.
            var overtaking = Overtaking()
            for _ in 0..<15 where overtaking.isTooMuch(.zero) { Issue.record("it gave up for one bad moment") }
            let hasGivenUp = overtaking.isTooMuch(.zero)
            #expect(hasGivenUp)
            var patient = Overtaking()
            for _ in 0..<10_000 where patient.isTooMuch(.seconds(1000)) { Issue.record("it gave up before its time") }
        }
    }
}
