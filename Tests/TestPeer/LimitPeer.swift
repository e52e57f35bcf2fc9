import Glibc
import InterprocessSystem
import SystemPackage

/// Commands of processes that have the rights of any user, whoever has started them, or less of something than this machine has.
let limitCommands: [String: Command] = [
    "pipe-capacity": pipeCapacity, "queue-options": queueOptions, "descriptors-on-their-way": { _ in try descriptorsOnTheirWay() },
    "change-only": changeOnly, "terminals": { _ in terminals() }, "system-v-limits": { _ in try systemVLimits() },
    "first-wait": { _ in try firstWait() },
]

/// Gives up what only the system's own user may.
private func giveUpPrivileges() throws {
    let nobody: uid_t = 65534
    guard geteuid() == 0 else { return }
    guard setregid(nobody, nobody) == 0, setreuid(nobody, nobody) == 0 else { throw Errno(rawValue: errno) }
}

/// Says what `body` gives, or its error.
private func report(_ body: () throws(FacilityError) -> String) {
    do throws(FacilityError) { say(try body()) } catch { say("errno \(error.errno.rawValue); \(error.advice)") }
}

private func limitOpenFiles(to count: Int) throws -> rlimit {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { throw Errno(rawValue: errno) }
    let before = limit
    limit.rlim_cur = rlim_t(count)
    guard unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { throw Errno(rawValue: errno) }
    return before
}

/// pipe-capacity BYTES…: says of each what a pipe has then.
@Sendable private func pipeCapacity(_ arguments: [String]) throws {
    try giveUpPrivileges()
    for index in arguments.indices {
        let bytes = try arguments.number(index)
        report { () throws(FacilityError) in "\(try Pipe().setCapacity(bytes))" }
    }
}

/// queue-options (MESSAGES SIZE)…: makes queues of these options, and says "made".
@Sendable private func queueOptions(_ arguments: [String]) throws {
    try giveUpPrivileges()
    let name = "/interprocess-test-\(getpid())"
    for index in stride(from: 0, to: arguments.count, by: 2) {
        let options = PosixMessageQueue.Options(
            maximumMessages: try arguments.number(index), messageSize: try arguments.number(index + 1))
        report { () throws(FacilityError) in
            _ = try PosixMessageQueue.create(name, options: options)
            try PosixMessageQueue.remove(name)
            return "made"
        }
    }
}

/// descriptors-on-their-way: lets descriptors be on their way over a socket, until there are too many; says how many and the error, and, when one has been received, "again".
private func descriptorsOnTheirWay() throws {
    try giveUpPrivileges()
    let pair = try UnixStream.pair()
    _ = try limitOpenFiles(to: 30)
    var count = 0
    func sendOne() throws(FacilityError) { _ = try pair.first.send([1].span, with: [pair.first.descriptor]) }
    report { () throws(FacilityError) in
        while count < 1000 {
            do throws(FacilityError) { try sendOne() } catch {
                say("\(count)")
                throw error
            }
            count += 1
        }
        return "no end"
    }
    for _ in 0..<2 {
        var came = ReceivedDescriptors()
        var bytes: [UInt8] = [0]
        var span = bytes.mutableSpan
        _ = try pair.second.receive(into: &span, with: &came)
    }
    report { () throws(FacilityError) in
        try sendOne()
        return "again"
    }
}

/// change-only KEY: a set of two semaphores that others may change and not look at.
@Sendable private func changeOnly(_ arguments: [String]) throws {
    try giveUpPrivileges()
    let key = SystemVKey(Int32(try arguments.number(0)))
    report { () throws(FacilityError) in "\(try SystemVSemaphoreSet.open(key).count)" }
    // The permissions are also what is asked for where there is a set already.
    let set = try SystemVSemaphoreSet.openOrCreate(key, count: 2, permissions: .ownerWrite)
    report { () throws(FacilityError) in "\(try set.values())" }
    report { () throws(FacilityError) in
        try set.operate([.add(3, to: 0), .add(1, to: 1)])
        try set.operate([.take(1, from: 0)], until: .after(.seconds(60)))
        let isTaken = try set.tryOperate([.take(9, from: 0)])
        return "\(isTaken)"
    }
    report { () throws(FacilityError) in
        try set.remove()
        return "removed"
    }
}

/// terminals: makes as many as it can; says how many and the error, and, when one has ended, "again".
private func terminals() {
    /// As deep as there are terminals.
    func next(_ count: Int) throws(FacilityError) {
        do throws(FacilityError) {
            let terminal = try Pseudoterminal.create()
            try next(count + 1)
            _ = terminal.descriptor
        } catch let error where error.errno == .noSpace && count > 0 {
            say("\(count)")
            report { () throws(FacilityError) in throw error }
        }
    }
    report { () throws(FacilityError) in
        try next(0)
        _ = try Pseudoterminal.create()
        return "again"
    }
}

/// system-v-limits: makes message queues, then sets of semaphores, as many as it can, and says each time how many and the error; and says of memory of the largest size, and of one byte more, "made".
private func systemVLimits() throws {
    func count(_ make: () throws(FacilityError) -> Void) {
        var made = 0
        report { () throws(FacilityError) in
            while made < 1000 {
                do throws(FacilityError) { try make() } catch {
                    say("\(made)")
                    throw error
                }
                made += 1
            }
            return "no end"
        }
    }
    count { () throws(FacilityError) in _ = try SystemVMessageQueue.create(.private) }
    count { () throws(FacilityError) in _ = try SystemVSemaphoreSet.create(.private, count: 1) }
    guard let size = SystemVSharedMemory.Limits.size else { throw BadArguments() }
    for more in 0...1 {
        report { () throws(FacilityError) in
            try SystemVSharedMemory.create(.private, size: size + more).remove()
            return "made"
        }
    }
}

/// first-wait: the first wait of a task in this process, while it may open no more files; then again, when it may.
private func firstWait() throws {
    let pipe = WaitedPipe(try Pipe())
    let isDone = DispatchlessResult()
    Task {
        // The runtime needs descriptors of its own before it can sleep, and ends the process where it gets none.
        try await Task.sleep(for: .milliseconds(1))
        let before = try limitOpenFiles(to: 3)
        report { () throws(FacilityError) in "opened \(try Pipe().capacity())" }
        say(await pipe.outcome())
        var limit = before
        unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        say(await pipe.outcome())
        isDone.set(0)
    }
    while isDone.value < 0 { sleepThread(for: .milliseconds(1)) }
}

private final class WaitedPipe: Sendable {
    let pipe: Pipe
    init(_ pipe: consuming Pipe) { self.pipe = pipe }

    /// How a task's wait of a few milliseconds ends.
    func outcome() async -> String {
        do throws(FacilityError) {
            try await pipe.reading.waitUntilReady(for: .reading, until: .after(.milliseconds(5)))
            return "ready"
        } catch {
            return error.isDeadline ? "deadline" : "errno \(error.errno.rawValue); \(error.advice)"
        }
    }
}
