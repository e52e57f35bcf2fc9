import Histogram

/// What one round of one contender came to. Times in nanoseconds per operation.
struct RoundResult {
    /// The round's figure: see ``Metric/samplesPerAverage``.
    let time: Double
    /// Processor time of both sides together, user and system.
    let processorTime: Double
    /// How long the turns took, all of them.
    let elapsed: Double
    /// System calls of all sides per operation; nil: they were not counted.
    let calls: Double?
    /// All samples, in picoseconds: a message can cost little more than one nanosecond.
    let samples: Histogram<UInt64>

    init(
        metric: Metric, turns: Int, turnsPerSample: Int, nanosecondsPerTick: Double, ticks: UInt64, processorNanoseconds: UInt64,
        ticksPerReading: Double, samples: UnsafeBufferPointer<UInt64>, calls: Int?
    ) {
        let operations = Double(turns) * metric.operationsPerTurn
        let picosecondsPerTick = 1000 * nanosecondsPerTick / (Double(turnsPerSample) * metric.operationsPerTurn)
        var histogram = Histogram<UInt64>.picoseconds, averages = Histogram<UInt64>.picoseconds
        let group = metric.samplesPerAverage
        var sum = 0.0, summed = 0
        for index in 0..<samples.count {
            // The reading of the counter is part of every sample and of no message.
            let time = unsafe (Double(samples[index]) - ticksPerReading) * picosecondsPerTick
            histogram.record(UInt64(max(0, time)))
            sum += time
            summed += 1
            if summed == group {
                averages.record(UInt64(max(0, sum / Double(group))))
                (sum, summed) = (0, 0)
            }
        }
        elapsed = Double(ticks) * nanosecondsPerTick
        time = averages.totalCount == 0 ? elapsed / operations : Double(averages.median) / 1000
        processorTime = Double(processorNanoseconds) / operations
        self.calls = calls.map { Double($0) / operations }
        self.samples = histogram
    }
}

extension Histogram where Count == UInt64 {
    /// Up to 100 seconds, to three digits.
    static var picoseconds: Self { Self(highestTrackableValue: 100_000_000_000_000, numberOfSignificantValueDigits: .three) }
}
