import InterprocessSystem

/// Random numbers that can be had again: the seed is printed, and `TEST_SEED` sets it.
public struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    public init(for test: String) {
        let seed = environmentVariable("TEST_SEED").flatMap { UInt64($0) } ?? randomUInt64()
        print("\(test): TEST_SEED=\(seed)")
        state = seed
    }

    public init(seed: UInt64) { state = seed }

    /// SplitMix64 (Steele, Lea, Flood 2014).
    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
