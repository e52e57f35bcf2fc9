import InterprocessSystem

/// How a blocking call spends the time until it can go on.
public enum WaitStrategy: Sendable, Hashable, CaseIterable {
    /// Polls without end: the shortest wait, and a processor's whole time. Only where each side has a processor of its own.
    case spin
    /// Polls for about as long as a wake-up costs if the other side runs on another processor, lets it run if it is on this one, then
    /// sleeps. The default.
    case adaptive
    /// Sleeps at once: the least processor time.
    case park
}

/// The part of a wait before sleeping. One value for each side of an object: it remembers whether making room has paid.
struct Polling: Sendable {
    /// About the cost of waking a sleeper on another processor: polling for longer than that cannot pay.
    static let budget: UInt64 = 20_000
    static let mostYields = 64
    /// A yield that comes back sooner ran nobody: the other side is not ready to run here.
    static let emptyYield: UInt64 = 700
    /// A yield that took longer ran somebody else, who uses up the time slices; or the other side, which has long work: then a yield saves
    /// nothing that counts.
    static let dearYield: UInt64 = 200_000
    /// How many times as long as a dear yield took no other is tried: what they cost together is then a few hundredths.
    static let abstinence: UInt64 = 32
    static let pollsPerClock = 32

    /// Until when no yield is tried, in nanoseconds of the monotonic clock.
    private var noYieldUntil: UInt64 = 0

    /// Polls until `isReady`, or until it does not pay any more. Returns whether it is ready.
    ///
    /// - Parameters:
    ///   - mine: where this side's processor is published, plus 1, for the other side's decision.
    ///   - other: where the other side's is.
    ///   - mayEnd: asked now and then by `.spin`, which has no other end.
    mutating func run(
        _ strategy: WaitStrategy, _ deadline: Deadline, mine: SharedUInt32, other: SharedUInt32, mayEnd: () -> Bool, isReady: () -> Bool
    ) -> Bool {
        if isReady() { return true }
        if strategy == .park { return false }
        let start = MonotonicInstant.now
        var emptyYields = 0
        for round in 0... {
            let processor = UInt32(truncatingIfNeeded: Processor.current + 1)
            if mine.loadRelaxed() != processor { mine.storeRelaxed(processor) }
            if other.loadRelaxed() == processor {
                // The other side can only go on if this one makes room.
                let before = MonotonicInstant.now
                if strategy == .adaptive, before.nanoseconds < noYieldUntil { return false }
                Processor.yield()
                let after = MonotonicInstant.now
                let took = after.nanoseconds(since: before)
                let isDear = took > Self.dearYield
                if isDear { noYieldUntil = after.nanoseconds &+ took &* Self.abstinence }
                if isReady() { return true }
                emptyYields = took < Self.emptyYield ? emptyYields + 1 : 0
                if strategy == .adaptive, emptyYields >= 2 || isDear || round >= Self.mostYields { return false }
            } else {
                for _ in 0..<Self.pollsPerClock {
                    Processor.pause()
                    if isReady() { return true }
                }
                if strategy == .adaptive, MonotonicInstant.now.nanoseconds(since: start) > Self.budget { return false }
            }
            if deadline.hasPassed { return isReady() }
            if strategy == .spin, round % 64 == 63, mayEnd() { return isReady() }
        }
        return false
    }
}
