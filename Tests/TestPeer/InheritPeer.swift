import Glibc
import Interprocess
import InterprocessSystem
import SystemPackage

/// Commands that get a segment by its descriptor.
let inheritCommands: [String: Command] = [
    "inherit": inherit,
    "make-and-pass": { _ in try makeAndPass() },
    "wait-for-maker": { _ in waitForMaker() },
]

/// inherit DESCRIPTOR: opens the segment behind it and does what it is told.
@Sendable private func inherit(_ arguments: [String]) throws {
    let descriptor = FileDescriptor(rawValue: CInt(try arguments.number(0)))
    let segment = try Segment.open(descriptor: descriptor)
    say("\(segment.peer)")
    try forEachLine { line in
        let words = line.split(separator: " ")
        switch words.first {
        case "store":
            guard let value = UInt64(words[1]) else { throw BadArguments() }
            unsafe segment.withBytes { unsafe $0.storeBytes(of: value, as: UInt64.self) }
            say("stored")
        case "truncate":
            guard let size = Int(words[1]) else { throw BadArguments() }
            say(ftruncate(descriptor.rawValue, size) == 0 ? "done" : "errno \(errno)")
        default: throw BadArguments()
        }
    }
}

/// make-and-pass: makes a segment, starts a child that has it, and waits to be killed.
private func makeAndPass() throws {
    let segment = try Segment.anonymous(size: 8)
    unsafe segment.withBytes { unsafe $0.storeBytes(of: 11, as: UInt64.self) }
    let child = try ChildProcess(
        starting: ChildProcess.currentProgram, arguments: ["wait-for-maker"], descriptors: [(segment.descriptor, 3)])
    try forEachLine { _ in }
    _ = (segment, child.pid)
}

/// wait-for-maker: says when the maker of the segment at descriptor 3 has died, and whether the segment is still there.
private func waitForMaker() {
    runBlocking {
        let segment = try Segment.open(descriptor: FileDescriptor(rawValue: 3))
        try FileDescriptor(rawValue: 3).close()
        let deaths = segment.deaths
        say("child joined")
        for await _ in deaths {
            say("the maker died")
            say(unsafe segment.withBytes { unsafe $0.load(as: UInt64.self) } == 11 ? "still there" : "gone")
            break
        }
    }
}
