/// What the tests of the queue start.
let queueCommands: [String: Command] = [
    "fork-server": { _ in try ForkServer.run() },
    "queue-storm": { try QueueStorm.run($0) },
    "queue-hold": { try QueueHold.run($0) },
]
