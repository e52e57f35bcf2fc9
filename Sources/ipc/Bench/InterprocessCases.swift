/// The library's own cases of the queue suite.
///
/// Each is a ``Contender`` like those in `PeerCases.swift`; the suite puts them where they belong:
///
///     Contender(
///         name: "interprocess", area: .page, descriptors: { size in … },
///         near: { side in … }, far: { side in … })
///
/// - `descriptors` runs in the coordinator before every round: make the queue there (anonymous), and hand its descriptor to both sides as
///   `near: [queue]` and `far: [queue]`; a side finds it as `side.descriptor(0)`.
/// - The near side measures: it sends first in a round trip, receives a stream, sleeps in a wake-up.
/// - Round trip, switch: one `side.record(ticks)` for each turn, from one reading of `bench_ticks()` to the next.
/// - Stream of small messages: one for every `bench_messages_per_sample(size)` messages; of large ones: one for each, after `bench_sum`.
/// - Wake-up: near `announceSleep()`, receive, `recordWakeup()`; far `awaitSleeper()`, send, `endWakeup()`.
enum InterprocessCases {
    static func roundTrip(size: Int, capacity: Int) -> [Contender] { [] }
    /// `interprocess` and `interprocess-batch`.
    static func stream(size: Int, capacity: Int) -> [Contender] { [] }
    /// `interprocess` and `interprocess-in-place`.
    static func large(size: Int, capacity: Int) -> [Contender] { [] }
    /// `interprocess`, which parks at once, and `interprocess-async`.
    static func wakeup(capacity: Int) -> [Contender] { [] }
    static func `switch`(capacity: Int) -> [Contender] { [] }
}
