import Glibc

/// A command of this program: what a test wants a process of its own for. It ends with the process's end or by returning.
typealias Command = @Sendable ([String]) throws -> Void

// One dictionary for each topic, in a file of its own.
let commands: [String: Command] = [
    segmentCommands, segmentRaceCommands, accessCommands, inheritCommands, systemCommands, queueCommands, deathCommands, forkCommands,
    streamCommands, handoffCommands, callCommands, fileLockCommands, sandboxCommands, syncCommands, syncStormCommands,
    sharedQueueCommands, notifierCommands, waitSetCommands, latestCommands, variableCommands, workerCommands, topicCommands,
    serviceCommands, fanInCommands, arenaCommands, arenaObjectCommands, containerCommands, referenceCommands,
    signalCommands, memoryCommands, limitCommands,
].reduce(into: [:]) { all, some in
    all.merge(some) { _, _ in preconditionFailure("two commands of one name") }
}

/// Runs the command that `arguments` begin with.
func runTopic(_ arguments: [String]) throws {
    guard let name = arguments.first, let command = commands[name] else { preconditionFailure("there is no command \(arguments)") }
    try command(Array(arguments.dropFirst()))
}

guard CommandLine.arguments.count > 1, commands[CommandLine.arguments[1]] != nil else {
    say("usage: TestPeer COMMAND [ARGUMENT …]; commands: \(commands.keys.sorted().joined(separator: " "))")
    exit(64)
}
do {
    try runTopic(Array(CommandLine.arguments.dropFirst()))
} catch {
    say("error \(error)")
    exit(1)
}
