import InterprocessSystem

/// What a reader remembers that was overtaken while it copied.
@usableFromInline
struct Overtaking {
    private var times = 0
    private var began: MonotonicInstant?

    @usableFromInline init() {}

    /// How long a reader is overtaken before it says so, and how often at least: one that was stopped meanwhile has been overtaken once.
    static let patience = SegmentFile.patience
    private static let leastTimes = 16

    /// Whether that has gone on for too long.
    mutating func isTooMuch(_ patience: Duration = patience) -> Bool {
        times += 1
        guard times % Self.leastTimes == 0 else { return false }
        let began = began ?? .now
        self.began = began
        return began.advanced(by: patience) <= .now
    }
}
