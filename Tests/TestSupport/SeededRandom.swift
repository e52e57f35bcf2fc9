import InterprocessSystem

/// Random numbers that a seed repeats (SplitMix64, by Steele, Lea and Flood).
public struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// The seed of this run: `IPC_SEED`, else a new one, which the failing test prints.
    public static let runSeed: UInt64 = environmentVariable("IPC_SEED").flatMap { UInt64($0) } ?? randomUInt64() >> 16

    /// The random numbers of a test of this name, which prints the seed.
    public init(for test: String) {
        print("\(test): IPC_SEED=\(Self.runSeed)")
        self.init(seed: test.utf8.reduce(Self.runSeed) { $0 &* 31 &+ UInt64($1) })
    }

    /// The random numbers of one test, by the run's seed and the test's own number.
    public static func forTest(_ number: UInt64) -> SeededRandom { SeededRandom(seed: runSeed &* 31 &+ number) }

    /// A number of the environment: how many kills, every how many instructions …
    public static func setting(_ name: String, default value: Int) -> Int { environmentVariable(name).flatMap { Int($0) } ?? value }
}
