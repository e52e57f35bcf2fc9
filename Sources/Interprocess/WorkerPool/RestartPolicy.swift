import InterprocessSystem

/// When a worker that has ended is replaced, and how often.
///
/// A worker that has lived for ``settledAfter`` is replaced at once. One that has ended sooner is replaced at once the first time, then after
/// ``firstDelay``, and after twice as long each time more, up to
/// ``longestDelay``; after ``limit`` times in a row it is given up.
public struct RestartPolicy: Sendable, Equatable {
    /// How often in a row a worker that ends too soon is replaced; 0: never.
    public var limit: Int
    /// How long the second replacement in a row waits.
    public var firstDelay: Duration
    /// How long a replacement waits at most.
    public var longestDelay: Duration
    /// How long a worker must have lived for its end not to count.
    public var settledAfter: Duration

    public init(
        limit: Int = 10, firstDelay: Duration = .milliseconds(100), longestDelay: Duration = .seconds(10),
        settledAfter: Duration = .seconds(10)
    ) {
        self.limit = limit
        self.firstDelay = firstDelay
        self.longestDelay = longestDelay
        self.settledAfter = settledAfter
    }

    /// How long to wait before the replacement that is the `count`th in a row of workers that ended too soon; 0: the worker had settled.
    func delay(beforeReplacement count: Int) -> Duration {
        guard count > 1 else { return .zero }
        var delay = firstDelay
        for _ in 2..<count where delay < longestDelay { delay *= 2 }
        return max(.zero, min(delay, longestDelay))
    }
}
