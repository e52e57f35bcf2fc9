import ArgumentParser
import Interprocess
import InterprocessSystem

/// The tool.
@main
struct IPC: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ipc", abstract: "Interprocess communication: try it, look at it, measure it.",
        discussion: """
            Objects have their names in a directory of the user's own, /dev/shm/interprocess-UID, or in the one that --directory or the \
            environment variable INTERPROCESS_DIRECTORY names. Every error is one line on standard error and a status that is not 0; \
            'ipc help send' lists the statuses of send and receive.
            """,
        version: toolVersion,
        groupedSubcommands: [
            CommandGroup(name: "Try:", subcommands: [Demo.self]),
            CommandGroup(
                name: "Send and receive:",
                subcommands: [Send.self, Receive.self, Publish.self, Subscribe.self, Call.self, Serve.self]),
            CommandGroup(
                name: "Look and clean up:",
                subcommands: [List.self, Who.self, Inspect.self, Remove.self, CollectGarbage.self, Layout.self, HandoffCommand.self]),
            CommandGroup(name: "Compare and measure:", subcommands: [Facilities.self, Bench.self]),
            CommandGroup(
                name: "Started by others:",
                subcommands: [
                    BenchWorker.self, BenchVictim.self, DemoSender.self, DemoReceiver.self, DemoJudge.self, DemoContestant.self,
                    FacilityPeer.self,
                ]),
        ])

    /// Parses and runs; every failure ends in one line and a status.
    ///
    /// On the first thread, which goes to wait for signals, unblocked, as soon as something is awaited: see ``BenchWorker/runHere()``.
    @MainActor
    static func main() async {
        StandardStreams.prepare()
        // The runtime reads them from /proc.
        if CommandLine.arguments.isEmpty { CommandFailure("the arguments cannot be read; is /proc mounted?").end() }
        do {
            var command = try parseAsRoot()
            if let worker = command as? BenchWorker {
                try await worker.runHere()
            } else if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch {
            end(with: error)
        }
    }

    /// Prints what `error` says, in one line unless it is the help that was asked for, and ends the process with its status.
    private static func end(with error: any Error) -> Never {
        if let failure = error as? CommandFailure { failure.end() }
        if let code = error as? ExitCode { exit(withError: code) }
        if let error = error as? InterprocessError, error.code == .invalidName {
            CommandFailure("\(error)", status: ExitCode.validationFailure.rawValue).end()
        }
        let code = exitCode(for: error)
        if code.isSuccess {
            do {
                try Output.write(fullMessage(for: error) + "\n")
            } catch {
                end(with: error)
            }
            exit()
        }
        if code == .validationFailure {
            CommandFailure("\(oneLine(message(for: error))); see '\(helpCommand)'", status: code.rawValue).end()
        }
        CommandFailure("\(error)").end()
    }

    /// The help for what was asked for.
    private static var helpCommand: String {
        let names = [
            Demo.self, Send.self, Receive.self, List.self, Who.self, Inspect.self, Remove.self, CollectGarbage.self, Layout.self,
            HandoffCommand.self, Facilities.self, Bench.self, Publish.self, Subscribe.self, Call.self, Serve.self,
        ]
        .map { ($0 as any ParsableCommand.Type)._commandName }
        let first = CommandLine.arguments.dropFirst().first ?? ""
        return names.contains(first) ? "ipc help \(first)" : "ipc help"
    }

    private static func oneLine(_ text: String) -> String {
        let joined = text.split(whereSeparator: \.isNewline).joined(separator: " ")
        return joined.prefix(1).lowercased() + joined.dropFirst()
    }
}

/// The tool's version, and that of the shared layout.
private let toolVersion = "ipc 0.1.0 (layout \(layoutVersion))"
