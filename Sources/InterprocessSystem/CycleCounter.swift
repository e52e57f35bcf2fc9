public import CInterprocess

/// The processor's own counter, the cheapest clock there is: for durations that only decide what is tried next.
///
/// It counts at a constant rate on every processor of the last fifteen years, but two processors need not agree on it, so that a duration across a
/// move to another one may be anything. The instruction is `rdtsc`, or a read of `cntvct_el0`; elsewhere the monotonic clock.
public enum CycleCounter {
    @inlinable public static var now: UInt64 { ipc_processor_counter() }

    /// Counts in a microsecond, measured once per process against the monotonic clock, which takes 50 µs; at least 1.
    public static let perMicrosecond: UInt64 = {
        let begin = (clock: MonotonicInstant.now, count: now)
        var end = begin
        while end.clock.nanoseconds(since: begin.clock) < 50_000 { end = (clock: MonotonicInstant.now, count: now) }
        return max(1, (end.count &- begin.count) * 1000 / end.clock.nanoseconds(since: begin.clock))
    }()
}
