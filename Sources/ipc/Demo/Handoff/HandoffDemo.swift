import ArgumentParser
import Interprocess
import InterprocessSystem
import SystemPackage

/// `ipc demo handoff`.
struct HandoffDemo: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "handoff", abstract: "Let a judge and programs that nobody trusts take turns, and kill those in the middle.",
        discussion: """
            Starts a judge and a contestant as two processes that have nothing but a handoff: after joining, each installs the filter of \
            system calls that 'ipc handoff --seccomp' prints, with which any other call ends it. The judge hides a number of 64 bits and the \
            contestant finds it by halving, guess and answer going with the turn, round after round. In some rounds the contestant is killed \
            with SIGKILL in the middle: the judge is told, meets the next contestant, and begins the round again. One contestant opens a \
            file, which is refused, then starts a program, for which its filter kills it.

            Exit status: 0 if every number was found and every end was told as it was, 1 if not.
            """)

    @Option(parsing: .unconditional, help: ArgumentHelp("How many numbers are to be found (default: 1000).", valueName: "count"))
    var rounds = 1000
    @Option(parsing: .unconditional, help: ArgumentHelp("How many contestants are killed (default: 5).", valueName: "count"))
    var kills = 5
    @OptionGroup var location: DirectoryOption
    @Option(
        help: ArgumentHelp("Also write the results as JSON to a file, or to standard output and nothing else there (-).", valueName: "file")
    )
    var json: String?

    private static let mostKills = HandoffDemoControl.mostContestants - 2

    func validate() throws {
        guard (0...Self.mostKills).contains(kills) else { throw ValidationError("--kills must be from 0 to \(Self.mostKills)") }
        guard rounds >= kills + 2, rounds <= 10_000_000 else {
            throw ValidationError("--rounds must be from \(kills + 2), two more than there are kills, to 10000000")
        }
    }

    func run() throws {
        let destination = try JSONDestination(json)
        let name = DemoQueueName(in: location.objects)
        Interruption.prepare { name.clear() }
        // What stands against an object there is said once, and by this process.
        _ = try Segment.create(name.new(), size: 1, in: location.objects)
        let run = HandoffDemoRun(rounds: rounds, kills: kills, directory: location.objects, nameInUse: name)
        func show(_ text: String) throws { if !destination.isStandardOutput { try Output.write(text) } }
        try show(HandoffDemoReport.heading(run))
        let outcome = try run.play { try show(HandoffDemoReport.line($0)) }
        let report = HandoffDemoReport(run: run, outcome: outcome)
        try show(report.table)
        try destination.write(report.json)
        for failure in report.failures { Output.standardError("ipc: demo handoff: \(failure)\n") }
        if !report.failures.isEmpty { throw ExitCode(1) }
        try show("\nAll held.\n")
    }
}
