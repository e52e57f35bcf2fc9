import CTestSystem
import Glibc
import Interprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage

/// Processes that hold a synchronization object, wait for one, and end in one way or another. Arguments: DIRECTORY PLACE WHAT ….
let syncCommands: [String: Command] = [
    "sync-hold": syncHold,
    "sync-wait": syncWait,
    "sync-change-and-die": syncChangeAndDie,
    "sync-signals": syncSignals,
    "sync-greedy": syncGreedy,
    "sync-scribble": syncScribble,
    "sync-make": syncMake,
    "sync-embrace": syncEmbrace,
]

extension [String] {
    func syncPlace() throws -> SyncPlace {
        guard count >= 2, let kind = SyncPlace.Kind(rawValue: self[1]) else { throw BadArguments() }
        return try SyncPlace(kind, in: ObjectDirectory(at: FilePath(self[0])))
    }
}

/// sync-hold … WHAT ["thread"]: has it, says so, and does what each line says. With "thread", a thread of its own has it.
@Sendable private func syncHold(_ arguments: [String]) throws {
    let place = try arguments.syncPlace()
    let what = arguments[2]
    if arguments.count > 3 {
        try startServiceThread(named: "holder") {
            do {
                try hold(what, place) { _ in
                    say("holding \(getpid())")
                    pthread_exit(nil)
                }
            } catch { say("error \(error)") }
        }
        return try forEachLine { _ in exit(0) }
    }
    try hold(what, place) { use in
        say("holding \(getpid())")
        try obey(use)
    }
    say("let go")
    try forEachLine { _ in }
}

private func obey(_ use: () throws -> Void) throws {
    while let line = readLine() {
        switch line {
        case "go": return
        case "throw": throw BadArguments()
        case "kill": kill(getpid(), SIGKILL)
        case "exit": exit(0)
        case "exec":
            // The process id stays; nothing of the program does. Ends when the test does.
            var arguments: [UnsafeMutablePointer<CChar>?] = unsafe [strdup("cat"), nil]
            unsafe execv("/bin/cat", &arguments)
        case "fork":
            try forkAndWait {
                say(
                    "child "
                        + syncOutcome {
                            try use(); return "got"
                        })
            }
            say("forked")
        default: throw BadArguments()
        }
    }
    exit(0)
}

/// Runs `body` while this thread has `what`; `body` is given a use of the same object, for a forked child.
private func hold(_ what: String, _ place: SyncPlace, _ body: (() throws -> Void) throws -> Void) throws {
    let deadline = Deadline.after(.seconds(1))
    switch what {
    case "mutex":
        let mutex = try place.mutex()
        try mutex.withLock { pair in
            pair[0] += 1
            try body { try mutex.withLock(until: deadline) { _ in } }
            pair[1] += 1
        }
    case "mutex-repair":
        let mutex = try place.mutex()
        _ = try mutex.repair { pair, _ in
            try body { try mutex.withLock(until: deadline) { _ in } }
            pair[1] = pair[0]
        }
    case "read":
        let lock = try place.readWriteLock()
        try lock.withReadLock { _ in try body { try lock.withReadLock(until: deadline) { _ in } } }
    case "write":
        let lock = try place.readWriteLock()
        try lock.withWriteLock { pair in
            pair[0] += 1
            try body { try lock.withWriteLock(until: deadline) { _ in } }
            pair[1] += 1
        }
    case "write-repair":
        let lock = try place.readWriteLock()
        _ = try lock.repair { pair, _ in
            try body { try lock.withWriteLock(until: deadline) { _ in } }
            pair[1] = pair[0]
        }
    case "permits":
        let permits = try place.permits()
        let permit = try permits.acquire(2)
        try body {
            let more = try permits.acquire(1, until: deadline)
            more.release()
        }
        permit.release()
    case "semaphore":
        let semaphore = try place.semaphore()
        try semaphore.wait()
        try body { try semaphore.signal() }
        try semaphore.signal()
    case "barrier":
        let barrier = try place.barrier()
        try body { try barrier.wait(until: deadline) }
    case "latch":
        let latch = try place.latch()
        try body { try latch.countDown() }
    case "deep-latch":
        let latch = try place.deepLatch()
        try body { try latch.countDown() }
    case "deep-latch-counted":
        let latch = try place.deepLatch()
        try latch.countDown()
        try body { try latch.wait(until: deadline) }
    case "latch-counted":
        let latch = try place.latch()
        try latch.countDown()
        try body { try latch.wait(until: deadline) }
    case "event":
        let event = try place.event()
        try body { try event.set() }
    case "event-automatic":
        let event = try place.event(.automatic)
        try body { try event.set() }
    case "condition":
        let condition = try place.condition()
        try body { try condition.notifyAll() }
    case "once":
        let once = try place.once()
        try once.run { (_: DeathNotice?) in try body { try once.run(until: deadline) {} } }
    default: throw BadArguments()
    }
}

/// sync-wait … WHAT: says "waiting", waits, says how that ended, and again for each line.
@Sendable private func syncWait(_ arguments: [String]) throws {
    let place = try arguments.syncPlace()
    let wait = try waiter(arguments[2], place)
    repeat {
        say("waiting")
        say(syncOutcome(wait))
    } while readLine() == "again"
}

/// - Parameter deadline: no passing test reaches that of 120 s.
func waiter(
    _ what: String, _ place: SyncPlace, _ deadline: Deadline = .after(.seconds(120))
) throws -> () throws -> String {
    switch what {
    case "mutex":
        let mutex = try place.mutex()
        return { try mutex.withLock(until: deadline) { _ in "got" } }
    case "mutex-repair":
        let mutex = try place.mutex()
        return {
            try mutex.repair(until: deadline) { pair, notice in
                pair[1] = pair[0]
                return "repaired \(notice.pid)"
            } ?? "consistent"
        }
    case "read":
        let lock = try place.readWriteLock()
        return { try lock.withReadLock(until: deadline) { _ in "got" } }
    case "write":
        let lock = try place.readWriteLock()
        return { try lock.withWriteLock(until: deadline) { _ in "got" } }
    case "permits":
        let permits = try place.permits()
        return {
            let permit = try permits.acquire(2, until: deadline)
            permit.release()
            return "got"
        }
    case "semaphore":
        let semaphore = try place.semaphore()
        return {
            try semaphore.wait(until: deadline)
            return "got"
        }
    case "condition":
        let mutex = try place.mutex()
        let condition = try place.condition()
        return {
            try mutex.withLock(when: { $0[0] > 0 }, on: condition, until: deadline) { pair in
                pair[0] -= 1
                pair[1] -= 1
                return "got"
            }
        }
    case "barrier":
        let barrier = try place.barrier()
        return { try barrier.wait(until: deadline) ? "last" : "together" }
    case "latch":
        let latch = try place.latch()
        return {
            try latch.wait(until: deadline)
            return "got"
        }
    case "event":
        let event = try place.event()
        return {
            try event.wait(until: deadline)
            return "got"
        }
    case "event-automatic":
        let event = try place.event(.automatic)
        return {
            try event.wait(until: deadline)
            return "got"
        }
    case "once":
        let once = try place.once()
        return {
            var told = "did"
            let isMine = try once.run(until: deadline) { (dead: DeathNotice?) in if let dead { told = "did after \(dead.pid)" } }
            return isMine ? told : "done"
        }
    default: throw BadArguments()
    }
}

/// sync-change-and-die: puts something in for who waits on the condition, and is killed before it can say so.
@Sendable private func syncChangeAndDie(_ arguments: [String]) throws {
    let place = try arguments.syncPlace()
    let condition = try place.condition()
    let mutex = try place.mutex()
    say("ready")
    _ = readLine()
    try mutex.withLock { pair in
        pair[0] += 1
        pair[1] += 1
    }
    kill(getpid(), SIGKILL)
    withExtendedLifetime(condition) {}
}
