import Glibc

/// A command of this program: what a test wants a process of its own for. It ends with the process's end or by returning.
typealias Command = @Sendable ([String]) throws -> Void

// One dictionary for each topic, in a file of its own.
let commands: [String: Command] = [segmentCommands, systemCommands].reduce(into: [:]) { all, some in
    all.merge(some) { _, _ in preconditionFailure("two commands of one name") }
}

guard CommandLine.arguments.count > 1, let command = commands[CommandLine.arguments[1]] else {
    say("usage: TestPeer COMMAND [ARGUMENT …]; commands: \(commands.keys.sorted().joined(separator: " "))")
    exit(64)
}
do {
    try command(Array(CommandLine.arguments.dropFirst(2)))
} catch {
    say("error \(error)")
    exit(1)
}
