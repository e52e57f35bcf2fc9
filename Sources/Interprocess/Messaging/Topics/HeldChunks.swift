import InterprocessSystem
import Synchronization

/// What one peer of a topic of any number of publishers holds, as this process counts it: loans or samples.
///
/// In shared memory that a subscriber holds a message is one bit, however often it does. More than once it can only when it has begun anew with samples out: from then on the holds of each message are counted, and the end of the last one clears
/// the bit. All but the ends of loans and samples is done by the one thread that uses the peer.
///
/// **States** of `ends`
///
/// | bits | meaning |
/// |---|---|
/// | 0 | the holds of each message are counted |
/// | 1–31 | how many samples are just being let go |
/// | 32–63 | how many loans and samples have ended, modulo 2^32 |
///
/// **Memory order** `SYNC holds.counted`: who lets a sample go says so by the same change by which it sees whether holds are counted. Who begins to count them waits for those that have not seen it: they clear the bit as if it were theirs alone.
@safe
struct HeldChunks: ~Copyable, @unchecked Sendable {
    private let chunks: TopicChunks
    private let slot: Int
    /// How many loans and samples have begun, modulo 2^32.
    private let begun = Atomic<UInt32>(0)
    private let ends = Atomic<UInt64>(0)
    /// How many holds there are of a chunk besides the first, where there are any.
    private let more = Lock<[Int: Int]>([:])

    private static let counted: UInt64 = 1
    private static let ending: UInt64 = 2
    private static let ended: UInt64 = 1 << 32

    init(_ chunks: TopicChunks, slot: Int) { (self.chunks, self.slot) = (chunks, slot) }

    /// One more loan or sample. False: there are as many as may be.
    func begin(atMost limit: Int) -> Bool {
        guard count < limit else { return false }
        begun.store(begun.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
        return true
    }

    /// A loan has ended, or a sample that holds nothing.
    func end() { ends.wrappingAdd(Self.ended, ordering: .releasing) }

    /// Lets a sample go. In any thread.
    func end(_ chunk: Int) {
        letGo(chunk, ends.wrappingAdd(Self.ending, ordering: .acquiringAndReleasing).oldValue)
        ends.wrappingAdd(Self.ended &- Self.ending, ordering: .releasing)
    }

    private var count: Int { Int(begun.load(ordering: .relaxed) &- UInt32(ends.load(ordering: .acquiring) / Self.ended)) }

    // MARK: The bit

    @inline(__always)
    func hold(_ chunk: Int) {
        if ends.load(ordering: .relaxed) & Self.counted == 0 { chunks.hold(chunk, slot: slot) } else { holdOnceMore(chunk) }
    }

    @inline(__always)
    func letGo(_ chunk: Int) { letGo(chunk, ends.load(ordering: .relaxed)) }

    @inline(__always)
    private func letGo(_ chunk: Int, _ seen: UInt64) {
        if seen & Self.counted == 0 { chunks.letGo(chunk, slot: slot) } else { letGoOnce(chunk) }
    }

    private func holdOnceMore(_ chunk: Int) {
        more.withLock { more in
            if chunks.isHeld(chunk, slot: slot) { more[chunk, default: 0] += 1 } else { chunks.hold(chunk, slot: slot) }
        }
    }

    private func letGoOnce(_ chunk: Int) {
        more.withLock { more in
            guard let count = more[chunk] else { return _ = chunks.letGo(chunk, slot: slot) }
            more[chunk] = count == 1 ? nil : count - 1
        }
    }

    /// The subscriber is about to begin anew: it may come to messages that it holds.
    func beginAnew() {
        guard count > 0 else { return _ = ends.bitwiseAnd(~Self.counted, ordering: .relaxed) }
        // SYNC holds.counted
        var seen = ends.bitwiseOr(Self.counted, ordering: .acquiringAndReleasing).oldValue
        // Somebody is within a few instructions of the end.
        while seen / Self.ending % (Self.ended / Self.ending) != 0 {
            Processor.yield()
            seen = ends.load(ordering: .acquiring)
        }
    }
}
