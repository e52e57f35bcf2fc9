import Glibc
import Interprocess
import InterprocessSystem
import SystemPackage
import TestSupport

/// Workers of a pool. What they have done they send to the queue "done".
let workerCommands: [String: Command] = [
    "worker": work, "worker-bytes": workBytes, "worker-async": workAsync, "worker-exit": workerExit, "worker-pool": workerPool,
]

private func results() throws -> SharedQueue<Int> {
    guard let directory = environmentVariable("INTERPROCESS_WORKER_DIRECTORY") else { throw BadArguments() }
    return try SharedQueue(existing: "done", in: ObjectDirectory(at: FilePath(directory)))
}

/// worker HOW: works; `fatal`: a message that is a multiple of 100 kills its worker; `slow`: says when it has a message, and is done with it when the event "go" is set; `throw`: fails at the first message; `one`: ends well in the
/// first; `deaf`: does not end.
@Sendable private func work(_ arguments: [String]) throws {
    let done = try results()
    let how = arguments.first ?? ""
    try Worker.run(Int.self, strategy: .park) { delivery in
        let number = delivery.message
        if how == "fatal", number % 100 == 0 { kill(getpid(), SIGKILL) }
        if how == "throw" { throw BadArguments() }
        if how == "slow" {
            try done.send(-number)
            let directory = ObjectDirectory(at: FilePath(environmentVariable("INTERPROCESS_WORKER_DIRECTORY") ?? ""))
            try SharedEvent(named: "go", options: SynchronizationOptions(directory: directory)).wait()
        }
        try done.send(number)
        if how == "one" { exit(0) }
    }
    while how == "deaf" { pause() }
}

/// worker-bytes: the same with bytes, of which it counts.
@Sendable private func workBytes(_ arguments: [String]) throws {
    let done = try results()
    try Worker.run { delivery in try done.send(delivery.byteCount) }
}

/// worker-async: the same, asynchronously.
@Sendable private func workAsync(_ arguments: [String]) throws {
    runBlocking {
        let done = try results()
        try await Worker.run(Int.self) { delivery in
            let number = delivery.message
            await Task.yield()
            try await done.send(number)
        }
    }
}

/// worker-exit STATUS: ends at once.
@Sendable private func workerExit(_ arguments: [String]) throws { exit(Int32(try arguments.number(0))) }

/// worker-pool DIRECTORY COUNT HOW: a pool of its own; says the workers' processes.
@Sendable private func workerPool(_ arguments: [String]) throws {
    let queue = try SharedQueue<Int>(existing: "jobs", in: ObjectDirectory(at: FilePath(arguments[0])))
    let pool = try WorkerPool(
        over: queue, workers: try arguments.number(1), running: WorkerPool.currentProgram, arguments: ["worker", arguments[2]])
    try eventuallyBlocking("all workers run") { pool.processes.allSatisfy { $0 != nil } }
    say(pool.processes.compactMap { $0 }.map { "\($0)" }.joined(separator: " "))
    try forEachLine { _ in }
}
