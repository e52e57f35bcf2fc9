import ArgumentParser

/// The tool.
@main
struct IPC: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ipc", abstract: "Interprocess communication: measure it, look at it, try it.",
        subcommands: [Bench.self, BenchWorker.self])
}
