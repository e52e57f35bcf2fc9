// The processes that the tests start and kill: the first argument says for which test, the rest is that test's.

try runTopic(Array(CommandLine.arguments.dropFirst()))

func runTopic(_ arguments: [String]) throws {
    let rest = Array(arguments.dropFirst())
    switch arguments.first {
    case "fork-server": try ForkServer.run()
    case "queue-storm": try QueueStorm.run(rest)
    case "queue-step": try QueueStep.run(rest)
    case "queue-hold": try QueueHold.run(rest)
    default: preconditionFailure("TestPeer knows no test \(arguments)")
    }
}
