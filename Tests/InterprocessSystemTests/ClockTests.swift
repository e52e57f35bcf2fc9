import InterprocessSystem
import Testing

@Suite("Instants")
struct ClockTests {
    @Test("sums and differences are exact")
    func arithmetic() {
        let start = MonotonicInstant(nanoseconds: 5_000_000_000)
        #expect(start.advanced(by: .nanoseconds(1)).nanoseconds == 5_000_000_001)
        #expect(start.advanced(by: .seconds(2)).nanoseconds == 7_000_000_000)
        #expect(start.advanced(by: .milliseconds(-1)).nanoseconds == 4_999_000_000)
        #expect(start.advanced(by: .seconds(2)).nanoseconds(since: start) == 2_000_000_000)
        #expect(start.nanoseconds(since: start.advanced(by: .seconds(2))) == 0, "the past is not negative")
    }

    @Test("sums saturate at both ends of time")
    func saturation() {
        let start = MonotonicInstant(nanoseconds: 5)
        #expect(start.advanced(by: .seconds(Int64.max)).nanoseconds == .max)
        #expect(start.advanced(by: .seconds(Int64.min)).nanoseconds == 0)
        #expect(start.advanced(by: .seconds(-1)).nanoseconds == 0)
        #expect(MonotonicInstant(nanoseconds: .max - 1).advanced(by: .nanoseconds(5)).nanoseconds == .max)
        #expect(start.advanced(by: .nanoseconds(-5)).nanoseconds == 0)
        #expect(start.advanced(by: .seconds(9_223_372_036)).nanoseconds == 9_223_372_036_000_000_005)
    }

    @Test("the clock does not go back, and instants compare by time")
    func order() {
        let first = MonotonicInstant.now
        let second = MonotonicInstant.now
        #expect(first <= second)
        #expect(first < second.advanced(by: .nanoseconds(1)))
    }

    @Test("a sleep lasts at least as long as asked")
    func sleep() {
        let start = MonotonicInstant.now
        sleepThread(for: .milliseconds(2))
        #expect(MonotonicInstant.now.nanoseconds(since: start) >= 2_000_000)
    }
}
