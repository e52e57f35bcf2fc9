import Glibc
import Interprocess
import InterprocessSystem
import SystemPackage

/// Commands of processes that die in one way or another, and of those that are told.
let deathCommands: [String: Command] = [
    "die": die,
    "watch": watch,
    "crowd": crowd,
    "reuse-pid": reusePID,
    "await-other": awaitOther,
]

/// die DIRECTORY NAME CAUSE [MEBIBYTES]: is a peer of the segment, with as much memory in use, and ends so when it is told to.
@Sendable private func die(_ arguments: [String]) throws {
    let (directory, name) = try arguments.place()
    let segment = try Segment.open(name, in: directory)
    let memory = unsafe useMemory(arguments.count > 3 ? try arguments.number(3) : 0)
    say("joined \(segment.peer)")
    guard readLine() != nil else { return }
    switch arguments[2] {
    case "exit": exit(0)
    case "_exit": _exit(3)
    case "abort": abort()
    case "fault": unsafe UnsafeMutablePointer<Int>(bitPattern: 8)!.pointee = 1
    case "terminate": kill(getpid(), SIGTERM)
    case "kill": kill(getpid(), SIGKILL)
    case "exec": becomeAnotherProgram()
    case "exec from another thread":
        try startServiceThread(named: "exec") { becomeAnotherProgram() }
        while true { pause() }
    case "out of memory": while true { unsafe _ = useMemory(8) }
    default: throw BadArguments()
    }
    unsafe withExtendedLifetime((segment, memory)) {}
}

/// So many MiB, each page of them written.
private func useMemory(_ mebibytes: Int) -> UnsafeMutableRawPointer? {
    guard mebibytes > 0 else { return nil }
    let memory = UnsafeMutableRawPointer.allocate(byteCount: mebibytes << 20, alignment: 4096)
    for offset in stride(from: 0, to: mebibytes << 20, by: 4096) { unsafe memory.storeBytes(of: 1, toByteOffset: offset, as: UInt8.self) }
    return unsafe memory
}

/// The process id stays; nothing of the program does.
func becomeAnotherProgram() {
    // Ends when the test does, which has the other end of its input.
    var arguments: [UnsafeMutablePointer<CChar>?] = unsafe [strdup("cat"), nil]
    unsafe execv("/bin/cat", &arguments)
}

/// watch DIRECTORY NAME: says each death that it is told of, until it is killed.
@Sendable private func watch(_ arguments: [String]) throws {
    let (directory, name) = try arguments.place()
    runBlocking {
        let segment = try Segment.open(name, in: directory)
        let deaths = segment.deaths
        say("joined \(segment.peer)")
        for await notice in deaths { say("death \(notice.peer)") }
    }
}

/// crowd DIRECTORY NAME COUNT: as many processes, each of them a peer. Each line holds the pids of those to be killed at once.
@Sendable private func crowd(_ arguments: [String]) throws {
    let (directory, name) = try arguments.place()
    for _ in 0..<(try arguments.number(2)) {
        _ = try forkChild {
            let segment = try Segment.open(name, in: directory)
            say("joined \(segment.peer)")
            while true { pause() }
        }
    }
    try forEachLine { line in
        let victims = line.split(separator: " ").compactMap { Int32($0) }
        for victim in victims { kill(victim, SIGKILL) }
        for victim in victims { waitpid(victim, nil, 0) }
        say("killed")
    }
}

/// reuse-pid DIRECTORY NAME: a child that is a peer; when told to, kills it and makes another of the same pid, which is a peer too. In a pid namespace of its
/// own, where nobody else takes that pid.
@Sendable private func reusePID(_ arguments: [String]) throws {
    let (directory, name) = try arguments.place()
    func startChild() throws -> Int32 {
        try forkChild {
            let segment = try Segment.open(name, in: directory)
            say("joined \(segment.peer) \(getpid())")
            while true { pause() }
        }
    }
    let first = try startChild()
    guard readLine() != nil else { return }
    kill(first, SIGKILL)
    waitpid(first, nil, 0)
    let lastPID = try FileDescriptor.open(FilePath("/proc/sys/kernel/ns_last_pid"), .writeOnly)
    _ = try lastPID.closeAfter { try lastPID.writeAll("\(first - 1)".utf8) }
    let second = try startChild()
    guard second == first else { throw BadArguments() }
    try forEachLine { _ in }
}
