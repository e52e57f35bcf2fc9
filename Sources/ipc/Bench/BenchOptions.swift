import ArgumentParser
import InterprocessSystem
import SystemPackage

/// The options of every suite.
struct BenchOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Write JSON Lines to a file, or to standard output and nothing else there (-).", valueName: "file"))
    var json: String?

    @Option(help: ArgumentHelp("The two processors to run on (default: the first two that this process may use).", valueName: "a,b"))
    var pin: String?

    @Option(help: ArgumentHelp("How often every case is measured, in turn (default: 15, quick: 3).", valueName: "n"))
    var rounds: String?

    @Option(help: ArgumentHelp("Measure only these, separated by commas (\(Metric.names)).", valueName: "metrics"))
    var metric: String?

    @Option(
        name: .customLong("case"),
        help: ArgumentHelp("Measure only these cases, separated by commas (the names in the table).", valueName: "names"))
    var cases: String?

    @Option(help: ArgumentHelp("Measure only messages of so many bytes, separated by commas.", valueName: "bytes"))
    var size: String?

    @Flag(help: "Three short rounds: to see that all works, not for figures.")
    var quick = false

    /// The settings that the arguments ask for, or an end in one line.
    func settings() throws -> BenchmarkSettings {
        var count = quick ? 3 : 15
        if let rounds {
            guard let given = Int(rounds), (1...10_000).contains(given) else {
                throw usageFailure("--rounds \(rounds): a number from 1 to 10000 is needed")
            }
            count = given
        }
        let processors = try processors()
        return BenchmarkSettings(
            processors: processors, groupProcessors: pin == nil ? try Processor.allowed() : [processors.0, processors.1],
            selection: BenchmarkSelection(metrics: try metrics(), cases: names(of: cases), sizes: try sizes()), rounds: count,
            roundTime: quick ? 15e6 : 60e6)
    }

    private func names(of list: String?) -> Set<String>? {
        list.map { Set($0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)) }
    }

    private func sizes() throws -> Set<Int>? {
        guard let size else { return nil }
        return Set(
            try size.split(separator: ",", omittingEmptySubsequences: false).map { number in
                guard let number = Int(number), number >= 0 else {
                    throw usageFailure("--size \(size): numbers of bytes are needed, as in --size 8,64")
                }
                return number
            })
    }

    private func metrics() throws -> Set<Metric> {
        guard let metric else { return Set(Metric.allCases) }
        return Set(
            try metric.split(separator: ",", omittingEmptySubsequences: false).map { name in
                guard let metric = Metric(rawValue: String(name)) else {
                    throw usageFailure("--metric \(metric): \"\(name)\" is none of \(Metric.names)")
                }
                return metric
            })
    }

    private func processors() throws -> (Int, Int) {
        let allowed = try Processor.allowed()
        guard let pin else { return (allowed[0], allowed[min(1, allowed.count - 1)]) }
        let numbers = pin.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        guard numbers.count == 2, let first = numbers[0], let second = numbers[1], first != second else {
            throw usageFailure("--pin \(pin): the numbers of two different processors are needed, as in --pin 0,1")
        }
        for number in [first, second] where !allowed.contains(number) {
            let list = allowed.count > 8 ? "\(allowed[0]) … \(allowed[allowed.count - 1])" : allowed.map { "\($0)" }.joined(separator: ", ")
            throw usageFailure("--pin \(pin): this process may not run on processor \(number), only on \(list)")
        }
        return (first, second)
    }
}

/// Where the results go. Checked before the run: minutes of measuring should not end in a path that cannot be written.
struct BenchDestination {
    private let path: FilePath?
    private let isStandardOutput: Bool
    private static let permissions: FilePermissions = [.ownerReadWrite, .groupRead, .otherRead]

    init(json: String?) throws {
        isStandardOutput = json == "-"
        path = try json.flatMap { $0 == "-" ? nil : try Self.file($0, of: "--json") }
    }

    /// A path that an option names, where a file can be written.
    static func file(_ text: String, of option: String) throws -> FilePath {
        let path = FilePath(text)
        do {
            try check(path)
        } catch let error as Errno {
            throw usageFailure("\(option) \(text): \(error)")
        }
        return path
    }

    /// Opens the file for writing; one that was not there before is gone again afterwards, so that an interrupted run leaves nothing.
    private static func check(_ path: FilePath) throws {
        do {
            try FileDescriptor.open(path, .writeOnly, options: .closeOnExec).close()
        } catch Errno.noSuchFileOrDirectory {
            guard let name = path.lastComponent else { throw Errno.noSuchFileOrDirectory }
            let file = try FileDescriptor.open(
                path, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec], permissions: permissions)
            try file.close()
            let folder = path.removingLastComponent()
            try Directory(opening: folder.isEmpty ? "." : folder).unlink(name.string)
        }
    }

    static func write(_ text: String, to path: FilePath) throws {
        let file = try FileDescriptor.open(path, .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: permissions)
        try file.closeAfter { _ = try file.writeAll(text.utf8) }
    }

    func write(_ report: BenchmarkReport) throws { try write(tables: report.tables, jsonLines: report.jsonLines) }

    func write(tables: String, jsonLines: String) throws {
        if isStandardOutput {
            try FileDescriptor.standardOutput.writeAll(jsonLines.utf8)
            return
        }
        if let path { try Self.write(jsonLines, to: path) }
        try FileDescriptor.standardOutput.writeAll(tables.utf8)
    }
}
