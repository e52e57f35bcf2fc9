import ArgumentParser
import InterprocessSystem
import SystemPackage

/// `ipc bench`.
struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure the library beside its rivals and the machine's floors.",
        discussion: """
            Every case runs in two fresh processes pinned to their processors. The cases take turns in every round, so that what else the \
            machine does falls on all of them: compare figures of one run, and ratios before figures.
            """,
        subcommands: [Queue.self, HandoffBench.self, DeathBench.self])

    /// `ipc bench queue`.
    struct Queue: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The 1:1 queue: latency, cost per message, throughput, wake-ups and switches.")

        @OptionGroup var options: BenchOptions

        func run() throws { try BenchmarkSuite.queue.runAndReport(options) }
    }

    /// `ipc bench handoff`.
    struct HandoffBench: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "handoff", abstract: "Two processes, one turn: the cost of a switch, on one processor and on two.")

        @OptionGroup var options: BenchOptions

        func run() throws { try BenchmarkSuite.handoff.runAndReport(options) }
    }
}

extension BenchmarkSuite {
    /// What every suite's command does.
    fileprivate func runAndReport(_ options: BenchOptions) throws {
        let settings = try options.settings()
        guard comparisons.contains(where: { settings.metrics.contains($0.metric) }) else {
            let measured = Set(comparisons.map(\.metric.rawValue)).sorted().joined(separator: ", ")
            throw usageFailure("--metric \(options.metric ?? ""): this suite measures \(measured)")
        }
        let destination = try BenchDestination(json: options.json)
        if isDebugBuild {
            TextOutput.standardError("ipc: this is a debug build; its figures say nothing (swift build -c release)\n")
        }
        if settings.processors.0 == settings.processors.1 {
            TextOutput.standardError("ipc: this process may run on one processor only; what needs two is left out\n")
        }
        do {
            let measurements = try BenchmarkRun(suite: self, settings: settings, progress: BenchmarkProgress()).measure()
            try destination.write(BenchmarkReport(suite: name, measurements: measurements))
        } catch {
            throw runFailure("\(error)")
        }
    }
}

/// Assertions run in debug builds only.
private var isDebugBuild: Bool {
    var result = false
    assert({ result = true }() == ())
    return result
}
