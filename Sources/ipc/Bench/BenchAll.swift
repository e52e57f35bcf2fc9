import ArgumentParser
import InterprocessSystem
import SystemPackage

/// `ipc bench all`.
struct BenchAll: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "all", abstract: "Every suite, one after the other; as tables, as JSON Lines, and as a page to look at.",
        discussion: """
            The page is one file: plots on logarithmic scales, percentiles, ratios to the rivals and to what the machine itself asks, the \
            machine and the command. Rivals are measured where Benchmarks/Peers/build has built them.
            """)

    @Option(help: ArgumentHelp("Write a page with plots to a file.", valueName: "file"))
    var html: String?

    @OptionGroup var options: BenchOptions

    /// In the order of the page, each with the programs that are measured where they have been built.
    private static let suites: [(BenchmarkSuite, rivals: [PeerProgram])] = [
        (.queue, []), (.handoff, []), (.messaging, MessagingRival.programs), (.locks, [.boostLocks]),
        (.allocate, [.boostAllocate, .mimalloc]), (.facilities, []),
    ]

    func run() throws {
        var settings = try options.settings()
        guard options.cases == nil, options.size == nil else {
            throw usageFailure(
                "bench all measures every case and size; name those of one suite to its own command, as in ipc bench queue --size 8")
        }
        settings.selection.sizes = nil
        let destination = try BenchDestination(json: options.json)
        let page = try html.map { try BenchDestination.file($0, of: "--html") }
        warnOfDebugBuild()
        let machine = MachineDescription.current()
        let date = localTimeText(wallClockNanoseconds: wallClockNanoseconds())
        var reports: [BenchmarkReport] = []
        var leftOut: [String] = []
        do {
            for (suite, rivals) in Self.suites where suite.comparisons.contains(where: settings.selection.includes) {
                let (report, notMeasured) = try suite.report(settings, rivals: rivals)
                reports.append(report)
                leftOut += notMeasured.filter { !leftOut.contains($0) }
                if options.json != "-" { try FileDescriptor.standardOutput.writeAll("\n# \(suite.name)\n\(report.tables)".utf8) }
            }
            let lines = reports.map(\.jsonLines).joined()
            try destination.write(tables: "", jsonLines: lines)
            if let page {
                let content = ReportPage(date: date, machine: machine, command: Self.command, reports: reports, leftOut: leftOut)
                try BenchDestination.write(content.html, to: page)
            }
        } catch {
            throw runFailure("\(error)")
        }
        for sentence in leftOut { TextOutput.standardError("ipc: \(sentence)\n") }
    }

    /// What does the same from a clone of the repository.
    private static var command: String {
        let arguments = CommandLine.arguments.dropFirst().joined(separator: " ")
        return "Benchmarks/Peers/build\nswift run -c release ipc \(arguments)"
    }
}
