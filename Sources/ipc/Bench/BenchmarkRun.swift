import CBenchmarkPeers
import InterprocessSystem

/// What of a suite is measured.
struct BenchmarkSelection {
    var metrics: Set<Metric>
    /// Nil: all.
    var cases: Set<String>?
    /// Nil: all.
    var sizes: Set<Int>?

    func includes(_ comparison: Comparison) -> Bool {
        metrics.contains(comparison.metric) && sizes?.contains(comparison.size) ?? true
            && comparison.contenders.contains(where: includes)
    }

    func includes(_ contender: Contender) -> Bool { cases?.contains(contender.name) ?? true }
}

/// How long and where a suite is measured.
struct BenchmarkSettings {
    /// Of the near and the far side; one core is the far side's, because the first processor has the most interrupts.
    var processors: (Int, Int)
    /// Of the sides of a group, in turn.
    var groupProcessors: [Int] = []
    /// Whether all sides run where the kernel puts them.
    var isUnpinned = false
    var selection: BenchmarkSelection
    var rounds: Int
    /// Of one contender in one round, nanoseconds.
    var roundTime: Double
}

/// What a run has brought.
struct BenchmarkOutcome {
    var measurements: [Measurement] = []
    /// Rivals that could not be measured here, and why, each in a sentence.
    var leftOut: [String] = []
}

/// Runs a suite: in each round every contender of every comparison in turn, so that what the machine does meanwhile falls on all alike.
struct BenchmarkRun {
    let suite: BenchmarkSuite
    let settings: BenchmarkSettings
    let progress: BenchmarkProgress

    /// One contender of one comparison with the turns that fill its time.
    private struct Entry {
        let group: WorkerGroup
        var turns = 0
        var measurement: Measurement
        /// Why a rival was left out.
        var failure: String?
    }

    /// Enough that beginning and end do not count.
    private static let turnsToCount = 5000

    func measure() throws -> BenchmarkOutcome {
        var entries = try makeEntries()
        var services = PeerServices()
        defer {
            services.end()
            progress.finish()
        }
        for index in entries.indices {
            progress.show("\(suite.name): sizing", done: index, of: entries.count, entries[index].group)
            try attempt(&entries[index]) { entry in
                if let service = entry.group.contender.service { try services.start(service) }
                entry.turns = try turnsToFill(settings.roundTime, entry.group)
            }
        }
        for round in 0..<settings.rounds {
            for index in entries.indices {
                let what = "\(suite.name): round \(round + 1) of \(settings.rounds)"
                progress.show(what, done: index, of: entries.count, entries[index].group)
                try attempt(&entries[index]) { $0.measurement.add(try $0.group.run(count: $0.turns)) }
            }
        }
        if let tracepoint = SystemCallTracepoint.number {
            for index in entries.indices {
                progress.show("\(suite.name): counting system calls", done: index, of: entries.count, entries[index].group)
                try attempt(&entries[index]) { entry in
                    let least = entry.group.comparison.metric.turnsPerSample(size: entry.group.comparison.size)
                    let turns = min(entry.turns, max(least, Self.turnsToCount))
                    entry.measurement.calls = try entry.group.run(count: turns, countingCallsAt: tracepoint).calls
                }
            }
        }
        return BenchmarkOutcome(measurements: entries.filter { $0.failure == nil }.map(\.measurement), leftOut: failures(of: entries))
    }

    /// A rival that fails is left out from then on: it is not ours, and minutes of measuring should not be lost with it.
    private func attempt(_ entry: inout Entry, _ body: (inout Entry) throws -> Void) throws {
        guard entry.failure == nil else { return }
        do {
            try body(&entry)
        } catch {
            guard entry.group.contender.isOptional else { throw error }
            entry.failure = "\(error)"
        }
    }

    private func makeEntries() throws -> [Entry] {
        let nanosecondsPerTick = bench_nanoseconds_per_tick()
        var entries: [Entry] = []
        for (index, var comparison) in suite.comparisons.enumerated() where settings.selection.includes(comparison) {
            let (first, second) = settings.processors
            if comparison.placement == .twoCores && first == second { continue }
            if settings.isUnpinned {
                if comparison.placement == .sameCore { continue }
                comparison.placement = .unpinned
            }
            for contender in comparison.contenders where settings.selection.includes(contender) {
                let group = WorkerGroup(
                    suite: suite.name, comparisonIndex: index, comparison: comparison, contender: contender,
                    processors: processors(WorkerGroup.size(of: comparison, contender), comparison), nanosecondsPerTick: nanosecondsPerTick)
                entries.append(Entry(group: group, measurement: Measurement(contender, in: comparison)))
            }
        }
        return entries
    }

    /// Where so many sides run.
    private func processors(_ count: Int, _ comparison: Comparison) -> [Int?] {
        let (first, second) = settings.processors
        return (0..<count).map { index in
            switch comparison.placement {
            case .twoCores: index < comparison.nearCount ? first : second
            case .sameCore, .oneProcess: second
            case .inTurn: settings.groupProcessors[index % settings.groupProcessors.count]
            case .unpinned: nil
            }
        }
    }

    /// One sentence for each rival that failed, with the first of its failures.
    private func failures(of entries: [Entry]) -> [String] {
        let failed = entries.filter { $0.failure != nil }
        var named: Set<String> = []
        return failed.filter { named.insert($0.group.contender.name).inserted }.map { first in
            let name = first.group.contender.name
            let others = failed.count { $0.group.contender.name == name } - 1
            return "\(name) is left out\(others == 0 ? "" : " of \(others + 1) comparisons"): \(first.failure ?? "")"
        }
    }

    /// Turns that take about `time`: tries more and more until a try has taken half of it.
    private func turnsToFill(_ time: Double, _ group: WorkerGroup) throws -> Int {
        let turnsPerSample = group.comparison.metric.turnsPerSample(size: group.comparison.size)
        // As many as there can be samples, and as few as leave something to average.
        let possible = max(4, turnsPerSample)...(1_000_000 * turnsPerSample)
        var turns = possible.lowerBound
        while true {
            let elapsed = max(1, try group.run(count: turns).elapsed)
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

    func show(_ what: String, done: Int, of all: Int, _ group: WorkerGroup) {
        guard isShown else { return }
        TextOutput.standardError("\r\u{1B}[K\(what), \(100 * done / all) %: \(group.label)")
    }

    func finish() {
        if isShown { TextOutput.standardError("\r\u{1B}[K") }
    }
}
