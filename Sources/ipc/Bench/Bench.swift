import ArgumentParser
import InterprocessSystem
import SystemPackage

/// `ipc bench`.
struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure the library beside its rivals and the machine's floors.",
        discussion: """
            Every case runs in fresh processes, pinned to their processors. The cases take turns in every round, so that what else the \
            machine does falls on all of them: compare figures of one run, and ratios before figures.
            """,
        subcommands: [
            Queue.self, HandoffBench.self, Locks.self, Messaging.self, Allocate.self, FacilitiesBench.self, DeathBench.self, BenchAll.self,
        ])

    /// `ipc bench queue`.
    struct Queue: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The 1:1 queue: latency, cost per message, throughput, wake-ups and switches.")

        @OptionGroup var options: BenchOptions

        func run() throws { try BenchmarkSuite.queue.runAndReport(options.settings(), options) }
    }

    /// `ipc bench handoff`.
    struct HandoffBench: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "handoff", abstract: "Two processes, one turn: the cost of a switch, on one processor and on two.")

        @OptionGroup var options: BenchOptions

        func run() throws { try BenchmarkSuite.handoff.runAndReport(options.settings(), options) }
    }

    /// `ipc bench locks`.
    struct Locks: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Locks, alone and contended, condition variable and barrier: what the machine has, side by side.")

        @OptionGroup var options: BenchOptions

        func run() throws { try BenchmarkSuite.locks.runAndReport(options.settings(), options, rivals: [.boostLocks]) }
    }

    /// `ipc bench allocate`.
    struct Allocate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The arena: allocating and freeing, alone and two at once, beside another shared heap and private ones.")

        @OptionGroup var options: BenchOptions

        func run() throws { try BenchmarkSuite.allocate.runAndReport(options.settings(), options, rivals: [.boostAllocate, .mimalloc]) }
    }

    /// `ipc bench facilities`.
    struct FacilitiesBench: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "facilities",
            abstract:
                "What the kernel has: messages and signals of each kind, by the library's types and by bare calls, beside the library.")

        @OptionGroup var options: BenchOptions

        func run() throws { try BenchmarkSuite.facilities.runAndReport(options.settings(), options) }
    }

    /// `ipc bench messaging`.
    struct Messaging: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Several senders, several receivers, topics, request and reply, wake-ups: beside the rivals that are built here.",
            discussion:
                "Benchmarks/Peers/build installs the rivals' libraries and builds their cases. Those that are missing are named at the end."
        )

        @OptionGroup var options: BenchOptions

        @Flag(help: "Leave all processes where the kernel puts them, instead of pinning each to a processor.")
        var unpinned = false

        func run() throws {
            if unpinned && options.pin != nil { throw usageFailure("--unpinned and --pin exclude each other: leave one of them out") }
            var settings = try options.settings()
            settings.isUnpinned = unpinned
            try BenchmarkSuite.messaging.runAndReport(settings, options, rivals: MessagingRival.programs)
        }
    }
}

extension BenchmarkSuite {
    /// That there is something to measure, each case by its name.
    private func check(_ selection: BenchmarkSelection, _ options: BenchOptions) throws {
        func list<Name: Comparable>(_ names: some Sequence<Name>) -> String where Name: Hashable {
            Set(names).sorted().map { "\($0)" }.joined(separator: ", ")
        }
        guard comparisons.contains(where: { selection.metrics.contains($0.metric) }) else {
            throw usageFailure("--metric \(options.metric ?? ""): this suite measures \(list(comparisons.map(\.metric.rawValue)))")
        }
        let measured = comparisons.filter { selection.metrics.contains($0.metric) }
        for size in selection.sizes ?? [] where !measured.contains(where: { $0.size == size }) {
            throw usageFailure("--size \(size): here messages have \(list(measured.map(\.size))) bytes")
        }
        let names = measured.flatMap(\.contenders).map(\.name)
        for name in selection.cases ?? [] where !names.contains(name) {
            throw usageFailure("--case \(name): the cases here are \(list(names))")
        }
        guard comparisons.contains(where: selection.includes) else {
            throw usageFailure("--case \(options.cases ?? "") is not measured with --size \(options.size ?? "")")
        }
    }

    /// Measures; what could not be measured, and why, in sentences.
    func report(_ settings: BenchmarkSettings, rivals: [PeerProgram]) throws -> (BenchmarkReport, leftOut: [String]) {
        let outcome = try BenchmarkRun(suite: self, settings: settings, progress: BenchmarkProgress()).measure()
        return (
            BenchmarkReport(suite: name, measurements: outcome.measurements),
            outcome.leftOut + [PeerProgram.missing(rivals)].compactMap(\.self)
        )
    }

    /// What every suite's command does.
    ///
    /// - Parameter rivals: programs that are measured where they have been built.
    fileprivate func runAndReport(_ settings: BenchmarkSettings, _ options: BenchOptions, rivals: [PeerProgram] = []) throws {
        try check(settings.selection, options)
        let destination = try BenchDestination(json: options.json)
        warnOfDebugBuild()
        if settings.processors.0 == settings.processors.1 && !settings.isUnpinned {
            TextOutput.standardError("ipc: this process may run on one processor only; what needs two is left out\n")
        }
        do {
            let (report, leftOut) = try report(settings, rivals: rivals)
            try destination.write(report)
            for sentence in leftOut { TextOutput.standardError("ipc: \(sentence)\n") }
        } catch {
            throw runFailure("\(error)")
        }
    }
}

func warnOfDebugBuild() {
    if isDebugBuild { TextOutput.standardError("ipc: this is a debug build; its figures say nothing (swift build -c release)\n") }
}

/// Assertions run in debug builds only.
private var isDebugBuild: Bool {
    var result = false
    assert({ result = true }() == ())
    return result
}
