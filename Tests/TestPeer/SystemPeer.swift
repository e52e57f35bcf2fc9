import Glibc
import InterprocessSystem
import SystemPackage

/// Commands about the kernel's facilities.
let systemCommands: [String: Command] = [
    "exit": { exit(CInt(try $0.number(0))) },
    "sleep": { _ in while readLine() != nil {} },
    "identity": { _ in
        let me = ProcessIdentity.current()
        say("\(me.pid) \(me.startTime) \(me.pidNamespace) \(me.userID) \(me.program)")
    },
    "environment": { for name in $0 { say(environmentVariable(name) ?? "nil") } },
    "lock": holdLock,
    "descriptors": { _ in say(try openDescriptors().map { "\($0)" }.joined(separator: " ")) },
    "exchange": { _ in try exchange() },
    "say-files": { _ in for number in [3, 4] as [CInt] { say("\(number) \(try contents(of: FileDescriptor(rawValue: number)))") } },
    "spawn-with-blocked-signals": { _ in try spawnWithBlockedSignals() },
    "say-signals": { _ in try saySignals() },
    "take-units": takeUnits,
]

/// take-units KEY: takes two units of the first semaphore of a set, to be undone, adds one to the second, says "took", and waits to be killed.
@Sendable private func takeUnits(_ arguments: [String]) throws {
    try SystemVSemaphoreSet.open(SystemVKey(Int32(try arguments.number(0)))).operate([.take(2, from: 0, undo: true), .add(1, to: 1)])
    say("took")
    while true { pause() }
}

/// lock DIRECTORY FILE: locks the file until it is killed.
@Sendable private func holdLock(_ arguments: [String]) throws {
    let file = try Directory(opening: FilePath(arguments[0])).open(arguments[1])
    guard try FileLock.tryLock(file.descriptor, .exclusive) else { throw BadArguments() }
    _ = file.release()  // open, and locked, until the process ends
    say("locked")
    while true { pause() }
}

private func openDescriptors() throws -> [Int] {
    // The list holds the descriptor by which it was read; that one is closed again by now.
    try Directory(opening: "/proc/self/fd").names().compactMap { Int($0) }.filter { fcntl(CInt($0), F_GETFD) != -1 && !isListing($0) }
        .sorted()
}

private func isListing(_ number: Int) -> Bool {
    var status = stat(), listing = stat()
    return unsafe fstat(CInt(number), &status) == 0 && stat("/proc/self/fd", &listing) == 0 && status.st_ino == listing.st_ino
}

/// Starts a child of its own whose descriptors 3 and 4 are this process's 4 and 3.
private func exchange() throws {
    for (number, text) in [(3, "first"), (4, "second")] as [(CInt, String)] {
        let file = try MemoryFile.make(named: text, size: 0)
        _ = try file.descriptor.writeAll(text.utf8)
        guard dup2(file.descriptor.rawValue, number) == number || file.descriptor.rawValue == number else { throw BadArguments() }
        if file.descriptor.rawValue == number { _ = file.release() }
    }
    var child = try ChildProcess(
        starting: ChildProcess.currentProgram, arguments: ["say-files"],
        descriptors: [(FileDescriptor(rawValue: 3), 4), (FileDescriptor(rawValue: 4), 3)])
    exit(try child.wait() == .exited(0) ? 0 : 1)
}

private func contents(of file: FileDescriptor) throws -> String {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = unsafe try buffer.withUnsafeMutableBytes { unsafe try file.readAll(into: $0, at: 0) }
    return String(decoding: buffer[..<count], as: UTF8.self)
}

/// Starts a child from a thread that blocks all signals, in a process that ignores some.
private func spawnWithBlockedSignals() throws {
    var all = sigset_t()
    unsafe sigfillset(&all)
    unsafe pthread_sigmask(SIG_SETMASK, &all, nil)
    for number in [SIGPIPE, SIGINT, SIGUSR1] { signal(number, SIG_IGN) }
    var child = try ChildProcess(starting: ChildProcess.currentProgram, arguments: ["say-signals"])
    exit(try child.wait() == .exited(0) ? 0 : 1)
}

private func saySignals() throws {
    let file = unsafe try FileDescriptor.open("/proc/self/status", .readOnly)
    for line in try contents(of: file).split(separator: "\n") {
        let fields = line.split(whereSeparator: \.isWhitespace)
        if line.hasPrefix("SigBlk:") { say("blocked \(fields[1])") }
        // Two signals are the C library's own, which it lets its children ignore.
        if line.hasPrefix("SigIgn:") { say("ignored \(String((UInt64(fields[1], radix: 16) ?? .max) & ~0x1_8000_0000, radix: 16))") }
    }
}
