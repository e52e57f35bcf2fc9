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
    /// About the cost of waking a sleeper on another processor, in microseconds: polling for longer than that cannot pay.
    private static let budget: UInt64 = 20
    private static let mostYields = 64
    /// Microseconds. A yield that took longer ran somebody else, who uses up the time slices; or the other side, which has long work: then a
    /// yield saves nothing that counts.
    private static let dearYield: UInt64 = 200
    /// How many times as long as a dear yield took no other is tried: what they cost together is then a few hundredths.
    private static let abstinence: UInt64 = 32
    private static let pollsPerCount = 32

    /// No yield is tried before the counter is so far; 0: one may be tried now.
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
        let perMicrosecond = CycleCounter.perMicrosecond
        // A yield that comes back sooner ran nobody: the other side is not ready to run here.
        let emptyYield = perMicrosecond &* 7 / 10
        var before = CycleCounter.now
        let start = before
        var emptyYields = 0
        for round in 0... {
            let processor = UInt32(truncatingIfNeeded: Processor.current + 1)
            if mine.loadRelaxed() != processor { mine.storeRelaxed(processor) }
            if other.loadRelaxed() == processor {
                // The other side can only go on if this one makes room.
                if strategy == .adaptive, isAbstaining(before) { return false }
                Processor.yield()
                let after = CycleCounter.now
                let took = after &- before
                before = after
                let isDear = took > Self.dearYield &* perMicrosecond
                if isDear { noYieldUntil = after &+ took &* Self.abstinence }
                if isReady() { return true }
                emptyYields = took < emptyYield ? emptyYields + 1 : 0
                if strategy == .adaptive, emptyYields >= 2 || isDear || round >= Self.mostYields { return false }
            } else {
                for _ in 0..<Self.pollsPerCount {
                    Processor.pause()
                    if isReady() { return true }
                }
                before = CycleCounter.now
                if strategy == .adaptive, before &- start > Self.budget &* perMicrosecond { return false }
            }
            if deadline.hasPassed { return isReady() }
            if strategy == .spin, round % 64 == 63, mayEnd() { return isReady() }
        }
        return false
    }

    private mutating func isAbstaining(_ now: UInt64) -> Bool {
        if noYieldUntil == 0 { return false }
        // Further ahead than any yield can be: the counter of another processor.
        if now < noYieldUntil, noYieldUntil &- now < Self.longestAbstinence &* CycleCounter.perMicrosecond { return true }
        noYieldUntil = 0
        return false
    }

    /// Microseconds.
    private static let longestAbstinence: UInt64 = 10_000_000
}
