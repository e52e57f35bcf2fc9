import Histogram

/// All rounds of one contender.
struct Measurement {
    let metric: Metric
    let subject: String
    let size: Int
    let placement: Placement
    let contender: String
    let baseline: String
    /// See ``Contender/bare``.
    let bare: String?

    /// System calls of all sides per operation, in a short run of their own; nil: not counted.
    var calls: Double?
    private var times: [Double] = []
    private var processorTimes: [Double] = []
    private var samples = Histogram<UInt64>.picoseconds

    init(_ contender: Contender, in comparison: Comparison) {
        metric = comparison.metric
        subject = comparison.subject
        size = comparison.size
        placement = comparison.placement
        self.contender = contender.name
        baseline = comparison.baseline
        bare = contender.bare
    }

    mutating func add(_ round: RoundResult) {
        times.append(round.time)
        processorTimes.append(round.processorTime)
        samples.add(round.samples)
    }

    var rounds: Int { times.count }
    /// How many times the baseline's time this is: the middle of the rounds' ratios. What changes from round to round, such as the
    /// distance of the two processors in a virtual machine, falls on both and cancels out. Nil without a baseline.
    func ratio(to baseline: Measurement?) -> Double? {
        guard let baseline, baseline.rounds == rounds, !baseline.times.contains(0) else { return nil }
        return zip(times, baseline.times).map { $0 / $1 }.middle
    }

    /// Of the best round: the one that was disturbed least.
    var minimum: Double { times.min() ?? 0 }
    /// Of the middle round.
    var median: Double { times.middle }
    var processorTime: Double { processorTimes.middle }
    /// Over the samples of all rounds; nil where only the whole was measured.
    func percentile(_ percent: Double) -> Double? {
        guard samples.totalCount > 0 else { return nil }
        return Double(samples.valueAtPercentile(percent)) / 1000
    }
}

extension [Double] {
    /// The middle element in order, the mean of the middle two; 0 if there is none.
    fileprivate var middle: Double {
        guard !isEmpty else { return 0 }
        let sorted = sorted()
        return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2
    }
}
