import CBenchmarkPeers
import InterprocessSystem

/// How long and where a suite is measured.
struct BenchmarkSettings {
    /// Of the near and the far side; one core is the far side's, because the first processor has the most interrupts.
    var processors: (Int, Int)
    var metrics: Set<Metric>
    var rounds: Int
    /// Of one contender in one round, nanoseconds.
    var roundTime: Double
}

/// Runs a suite: in each round every contender of every comparison in turn, so that what the machine does meanwhile falls on all alike.
struct BenchmarkRun {
    let suite: BenchmarkSuite
    let settings: BenchmarkSettings
    let progress: BenchmarkProgress

    /// One contender of one comparison with the turns that fill its time.
    private struct Entry {
        let pair: WorkerPair
        var turns: Int
        var measurement: Measurement
    }

    func measure() throws -> [Measurement] {
        let nanosecondsPerTick = bench_nanoseconds_per_tick()
        var entries: [Entry] = []
        for (index, comparison) in suite.comparisons.enumerated() where settings.metrics.contains(comparison.metric) {
            let (first, second) = settings.processors
            if comparison.placement == .twoCores && first == second { continue }
            let processors = comparison.placement == .sameCore ? (second, second) : (first, second)
            for contender in comparison.contenders {
                let pair = WorkerPair(
                    suite: suite.name, comparisonIndex: index, comparison: comparison, contender: contender, processors: processors,
                    nanosecondsPerTick: nanosecondsPerTick)
                entries.append(Entry(pair: pair, turns: 0, measurement: Measurement(contender, in: comparison)))
            }
        }
        defer { progress.finish() }
        for index in entries.indices {
            progress.show("\(suite.name): sizing", done: index, of: entries.count, entries[index].pair)
            entries[index].turns = try turnsToFill(settings.roundTime, entries[index].pair)
        }
        for round in 0..<settings.rounds {
            for index in entries.indices {
                let what = "\(suite.name): round \(round + 1) of \(settings.rounds)"
                progress.show(what, done: index, of: entries.count, entries[index].pair)
                entries[index].measurement.add(try entries[index].pair.run(count: entries[index].turns))
            }
        }
        return entries.map(\.measurement)
    }

    /// Turns that take about `time`: tries more and more until a try has taken half of it.
    private func turnsToFill(_ time: Double, _ pair: WorkerPair) throws -> Int {
        let turnsPerSample = pair.comparison.metric.turnsPerSample(size: pair.comparison.size)
        // As many as there can be samples, and as few as leave something to average.
        let possible = max(4, turnsPerSample)...(1_000_000 * turnsPerSample)
        var turns = possible.lowerBound
        while true {
            let elapsed = max(1, try pair.run(count: turns).elapsed)
            let fitting = max(possible.lowerBound, min(possible.upperBound, Int(Double(turns) * time / elapsed)))
            if elapsed >= time / 2 || fitting <= turns { return fitting }
            // A short try is mostly beginning, and may have been disturbed: it does not decide how many.
            turns = min(fitting, turns * 32)
        }
    }
}

/// What is being measured, on the last line of a terminal; nothing where standard error is not one.
struct BenchmarkProgress {
    private let isShown: Bool

    init() { isShown = TextOutput.standardErrorIsTerminal }

    func show(_ what: String, done: Int, of all: Int, _ pair: WorkerPair) {
        guard isShown else { return }
        TextOutput.standardError("\r\u{1B}[K\(what), \(100 * done / all) %: \(pair.label)")
    }

    func finish() {
        if isShown { TextOutput.standardError("\r\u{1B}[K") }
    }
}
