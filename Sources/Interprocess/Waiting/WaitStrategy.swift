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

/// The part of a wait before sleeping.
enum Polling {
    /// About the cost of waking a sleeper on another processor: polling for longer than that cannot pay.
    static let budget: UInt64 = 20_000
    static let mostYields = 64
    /// A yield that comes back sooner ran nobody: the other side is not ready to run here.
    static let emptyYield: UInt64 = 700
    /// A yield that took longer ran somebody else, who uses up the time slices.
    static let dearYield: UInt64 = 200_000
    static let pollsPerClock = 32

    /// Polls until `isReady`, or until it does not pay any more. Returns whether it is ready.
    ///
    /// - Parameters:
    ///   - mine: where this side's processor is published, plus 1, for the other side's decision.
    ///   - other: where the other side's is.
    ///   - mayEnd: asked now and then by `.spin`, which has no other end.
    static func run(
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
                Processor.yield()
                if isReady() { return true }
                let took = MonotonicInstant.now.nanoseconds(since: before)
                emptyYields = took < emptyYield ? emptyYields + 1 : 0
                if strategy == .adaptive, emptyYields >= 2 || took > dearYield || round >= mostYields { return false }
            } else {
                for _ in 0..<pollsPerClock {
                    Processor.pause()
                    if isReady() { return true }
                }
                if strategy == .adaptive, MonotonicInstant.now.nanoseconds(since: start) > budget { return false }
            }
            if deadline.hasPassed { return isReady() }
            if strategy == .spin, round % 64 == 63, mayEnd() { return isReady() }
        }
        return false
    }
}
