import ArgumentParser
import Interprocess
import InterprocessSystem
import SystemPackage

/// `ipc demo`.
struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what holds when processes are killed: a stream of messages, or a game of turns.",
        discussion: "Without another word 'ipc demo' is 'ipc demo queue'.", subcommands: [QueueDemo.self, HandoffDemo.self],
        defaultSubcommand: QueueDemo.self)
}

/// `ipc demo queue`, and `ipc demo` without another word.
struct QueueDemo: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "queue", abstract: "Stream a file through shared memory, kill the sender in the middle, and carry on.",
        discussion: """
            Starts a sender and a receiver as two processes and streams a file, repeated up to a gigabyte, from one to the other. \
            Half-way the sender is killed with SIGKILL. The receiver is told of its death, a second sender carries on behind the last \
            message that was published, and numbers and checksums show that nothing was lost, doubled or changed. Then the same stream \
            goes through shared memory, a pipe and a unix stream socket without a kill, each with the same checksums on both sides, three \
            times in turn; the table shows the middle one of each. Ratio is the speed in relation to shared memory.

            Exit status: 0 if all of that held, 1 if not.
            """)

    @Argument(help: "The file to stream (default: the tool itself).")
    var file: String?
    @OptionGroup var location: DirectoryOption
    @Option(
        parsing: .unconditional, help: ArgumentHelp("Repeat the file to at least so much: 64M, 2G (default: 1G).", valueName: "bytes"),
        transform: parseSize)
    var size: Int?
    @Option(
        help: ArgumentHelp("Also write the results as JSON to a file, or to standard output and nothing else there (-).", valueName: "file")
    )
    var json: String?

    func run() throws {
        let path = FilePath(file ?? ChildProcess.currentProgram.string)
        let plan = DemoPlan(fileSize: try DemoContent.fileSize(path), atLeast: size ?? 1 << 30)
        let destination = try JSONDestination(json)
        let queueInUse = DemoQueueName(in: location.objects)
        Interruption.prepare { queueInUse.clear() }
        try queueInUse.check()
        let run = DemoRun(file: path, plan: plan, directory: location.objects, queueInUse: queueInUse)
        let report = try DemoReport(of: run, named: file ?? ProcessIdentity.currentProgramName) { text in
            if !destination.isStandardOutput { try Output.write(text) }
        }
        try destination.write(report.json)
        for failure in report.failures { Output.standardError("ipc: demo: \(failure)\n") }
        if !report.failures.isEmpty { throw ExitCode(1) }
        if !destination.isStandardOutput { try Output.write("\nAll held.\n") }
    }
}

extension DemoReport {
    /// Does everything, and says it to `show` as it goes.
    init(of run: DemoRun, named file: String, _ show: (String) throws -> Void) throws {
        let expected = try run.expectedDigest()
        self.init(file: file, plan: run.plan, expectedDigest: expected)
        try show(heading)
        death = try run.withDeath()
        try show(story)
        // In turn, so that what else the machine does falls on all of them.
        var rounds: [DemoMedium: [DemoTransfer]] = [:]
        for _ in 0..<(plan.streamSize < 5 << 30 ? 3 : 1) {
            for medium in DemoMedium.allCases { rounds[medium, default: []].append(try run.once(by: medium)) }
        }
        transfers = DemoMedium.allCases.compactMap { medium in
            rounds[medium].map { $0.sorted { $0.seconds < $1.seconds }[$0.count / 2] }
        }
        all = rounds.values.flatMap(\.self)
        try show(table)
    }
}

/// Where the results go as JSON.
struct JSONDestination {
    private let path: FilePath?
    let isStandardOutput: Bool

    init(_ argument: String?) throws {
        isStandardOutput = argument == "-"
        path = argument.flatMap { $0 == "-" ? nil : FilePath($0) }
        guard let path else { return }
        do {
            try Self.check(path)
        } catch {
            throw CommandFailure("cannot write '\(path)': \(error)")
        }
    }

    /// Before the work: it should not end in a file that cannot be written.
    private static func check(_ path: FilePath) throws {
        do {
            try FileDescriptor.open(path, .writeOnly, options: .closeOnExec).close()
        } catch Errno.noSuchFileOrDirectory {
            let folder = path.removingLastComponent()
            _ = try Directory(opening: folder.isEmpty ? "." : folder)
        }
    }

    func write(_ value: JSONValue) throws {
        if isStandardOutput { return try Output.write("\(value)\n") }
        guard let path else { return }
        do {
            let file = try FileDescriptor.open(
                path, .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: [.ownerReadWrite, .groupRead, .otherRead])
            try file.closeAfter { _ = try file.writeAll("\(value)\n".utf8) }
        } catch {
            throw CommandFailure("cannot write '\(path)': \(error)")
        }
    }
}
