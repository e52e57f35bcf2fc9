import ArgumentParser
import CCrashLab
import InterprocessSystem
import SystemPackage

/// The command of a program that has scenarios: `list`, `run`, and `work`, which the lab starts itself.
///
/// ```swift
/// CrashLab.main(scenarios)
/// ```
public enum CrashLab {
    fileprivate static let scenarios = Lock<[Scenario]>([])

    /// Runs the program's command line and ends the process: 0 if everything held, 1 if not, 64 if the arguments make no sense.
    public static func main(_ scenarios: [Scenario]) -> Never {
        self.scenarios.withLock { $0 = scenarios }
        LabCommand.main()
        endProcessAtOnce(status: 0)
    }

    fileprivate static var all: [Scenario] { scenarios.withLock { $0 } }
}

struct LabCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: ProcessIdentity.currentProgramName,
        abstract: "Kill processes at every instruction of an operation, and see whether the others go on.",
        subcommands: [List.self, Run.self, Work.self])
}

extension LabCommand {
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Name the scenarios and the modes that each has.")

        func run() throws {
            let width = CrashLab.all.map(\.name.count).max() ?? 0
            for scenario in CrashLab.all {
                let modes = scenario.modes.map(\.rawValue).joined(separator: ",")
                try write(padded(scenario.name, width) + "  " + scenario.summary + "  [\(modes)]\n")
            }
        }
    }

    struct Run: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Run scenarios.", discussion: "Exit status: 0 if everything held, 1 if not, 64 if the arguments make no sense.")

        @Argument(help: "Scenarios; a name that ends in '.' or is a prefix up to one stands for all of them. None: all.")
        var names: [String] = []
        @Option(help: "\(Mode.allCases.map(\.rawValue).joined(separator: ", ")); may be given more than once. All by default.")
        var mode: [String] = []
        @Option(help: "Every k-th instruction. By default as many as make about 60 points of an operation.")
        var every: Int64?
        @Flag(help: "Every instruction of everything.")
        var all = false
        @Flag(help: "Step through calls of the runtime and the C library as well: ten times as many instructions.")
        var calls = false
        @Flag(
            help: "Step each operation from its beginning, and not from a breakpoint before the point: much slower.")
        var fromStart = false
        @Flag(help: "As many of everything else too as a release takes: storms, schedules, repetitions. With --all, the whole set.")
        var full = false
        @Option(help: "A point, as a failure prints it: i12, c3+5, i12/p4, f3/p0, o12:1. May be given more than once.")
        var point: [String] = []
        @Option(help: "Where samples begin and what is random; printed. A new one by default.")
        var seed: UInt64?
        @Option(help: "How many at once. As many as there are processors by default.")
        var workers: Int?
        @Option(help: "After how many milliseconds something that does not go on hangs.")
        var patience = 10_000
        @Option(help: "How many kills a storm has: 200, or 100,000 with --full.")
        var kills: Int?
        @Option(help: "How many random schedules a scenario has: 100, or 10,000 with --full.")
        var schedules: Int?
        @Option(help: "How many switches away from one that could go on an enumerated schedule has: 1, or 2 with --full.")
        var preemptions: Int?
        @Option(help: "How many schedules are enumerated of a scenario at most: 40, 1,000 with --all, or all with --full.")
        var orders: Int?
        @Flag(help: "Write the report as JSON.")
        var json = false
        @Option(help: "After how many seconds the run ends even if not everything was tried.")
        var seconds: Int?
        @Option(help: "How many failures of one scenario and mode are enough.")
        var failures = 3

        func validate() throws {
            for name in mode where Mode(rawValue: name) == nil { throw ValidationError("there is no mode '\(name)'") }
            for text in point where Point(text) == nil { throw ValidationError("'\(text)' is no point") }
            for name in names where selected(name).isEmpty { throw ValidationError("there is no scenario '\(name)'; see 'list'") }
            if let every, every < 1 { throw ValidationError("every 1st instruction is the most there is") }
            if [kills, schedules, preemptions, orders].contains(where: { $0.map { $0 < 0 } ?? false }) || failures < 1 || patience < 1
                || workers.map({ $0 < 1 }) ?? false
            {
                throw ValidationError("a number is too small")
            }
        }

        /// The first signal that would end the lab ends the run, as soon as what is being tried is over; the next one ends the process. Before there are other threads.
        ///
        /// - Returns: the signal that came, if one has.
        private func endWhenInterrupted(_ end: RunEnd, _ directory: FilePath) throws -> @Sendable () -> Int32? {
            let signals = [Signal.interrupt, Signal.terminate, Signal.hangUp].filter { !Signal.isIgnored($0) }
            guard !signals.isEmpty else { return { nil } }
            Signal.block(signals)
            let first = Lock<Int32?>(nil)
            try startServiceThread(named: "lab-signals") {
                let signal = Signal.wait(for: signals)
                first.withLock { $0 = signal }
                end.ask()
                let next = Signal.wait(for: signals)
                removeTree(directory)
                Signal.endProcess(by: next)
            }
            return { first.withLock { $0 } }
        }

        private func selected(_ name: String) -> [Scenario] {
            CrashLab.all.filter { $0.name == name || $0.name.hasPrefix(name.hasSuffix(".") ? name : name + ".") }
        }

        func run() throws {
            let seed = seed ?? randomUInt64() >> 16
            let end = RunEnd(after: seconds)
            let settings = RunSettings(
                modes: mode.isEmpty ? Mode.allCases : mode.compactMap { Mode(rawValue: $0) }, every: all ? 1 : every,
                points: point.compactMap { Point($0) }, stepsIntoCalls: calls, isFromStart: fromStart, seed: seed,
                workers: try workers ?? max(1, Processor.allowed().count),
                kills: kills ?? (full ? 100_000 : 200), schedules: schedules ?? (full ? 10_000 : 100),
                repetitions: all || full ? 1000 : 12, patience: .milliseconds(patience), mostFailures: failures,
                end: end, preemptions: preemptions ?? (full ? 2 : 1),
                orders: orders ?? (full ? .max : all ? 1000 : 40))
            let scenarios =
                names.isEmpty
                ? CrashLab.all
                : CrashLab.all.filter { scenario in
                    names.contains { selected($0).contains { $0.name == scenario.name } }
                }
            let directory = FilePath("/dev/shm/crashlab-\(String(randomUInt64(), radix: 36))")
            _ = try Directory.make(at: directory, mode: .ownerReadWriteExecute)
            defer { removeTree(directory) }
            let signal = try endWhenInterrupted(end, directory)
            if !json { try write("seed \(seed)\n") }
            if !fromStart, cl_can_step() != 0, cl_can_start_late() == 0 {
                try FileDescriptor.standardError.writeAll(
                    "crashlab: the system gives no breakpoints here, so every operation is stepped from its beginning, which takes several times as long\n"
                        .utf8)
            }
            var bar = ProgressLine()
            let start = MonotonicInstant.now
            let outcomes = try LabRun(scenarios, settings, in: directory).run { bar.update($0) }
            bar.clear()
            let report = Report(
                outcomes: outcomes, seed: seed, stepsIntoCalls: calls,
                milliseconds: MonotonicInstant.now.nanoseconds(since: start) / 1_000_000)
            try write(json ? report.json : report.text)
            if !report.isClean { throw ExitCode(1) }
            // Whoever names points wants them tried, and not to read that nothing has failed.
            if !point.isEmpty, report.total(\.count) == 0 {
                try FileDescriptor.standardError.writeAll(
                    "crashlab: nothing was tried: the operation ended before the point, or the mode has no such points\n".utf8)
                throw ExitCode(1)
            }
            if let signal = signal() {
                removeTree(directory)
                Signal.endProcess(by: signal)
            }
        }
    }

    struct Work: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Run the trials that standard input asks for.", shouldDisplay: false)

        @Argument var directory: String
        @Option var patience: Int
        @Option var parent: Int32
        @Flag var calls = false
        @Flag var fromStart = false

        func run() throws {
            guard endWithParent(parent, by: Signal.kill) else { return }
            // Whoever presses Ctrl-C means the lab, which then waits for what is being tried.
            Signal.block([Signal.interrupt, Signal.hangUp])
            let scenarios = CrashLab.all.map { scenario in
                var scenario = scenario
                scenario.stepsIntoCalls = scenario.stepsIntoCalls || calls
                return scenario
            }
            Storm.endEchoes()
            try Worker(scenarios: scenarios, directory: FilePath(directory), patience: .milliseconds(patience), isFromStart: fromStart)
                .run()
        }
    }
}

func write(_ text: String) throws { _ = try FileDescriptor.standardOutput.writeAll(text.utf8) }

func padded(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }
