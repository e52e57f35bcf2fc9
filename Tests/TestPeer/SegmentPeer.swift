import CTestSystem
import Glibc
import Interprocess
import InterprocessSystem

/// Commands that open segments.
let segmentCommands: [String: Command] = [
    "attach": attach,
    "create": create,
    "fork-names": { try sayNamesAfterFork(count: $0.number(0)) },
]

/// attach DIRECTORY NAME: is a peer of the segment and answers questions until its input ends.
@Sendable private func attach(_ arguments: [String]) throws {
    let (directory, name) = try arguments.place()
    var segment: Segment? = try Segment.open(name, in: directory)
    guard let peer = segment?.peer else { return }
    say("joined \(peer)")
    try forEachLine { line in
        switch line {
        case "peers": say((segment?.peers ?? []).map(\.id.description).joined(separator: " "))
        case "count": say("\(segment?.deathCount ?? 0)")
        case "leave":
            segment = nil
            say("left")
        case let store where store.hasPrefix("store "):
            guard let value = UInt64(store.dropFirst(6)) else { throw BadArguments() }
            unsafe segment?.withBytes { unsafe $0.storeBytes(of: value, as: UInt64.self) }
            say("stored")
        default: throw BadArguments()
        }
    }
}

/// create DIRECTORY NAME SIZE LIFETIME: creates a segment, says its incarnation, and has it open until its input ends.
@Sendable private func create(_ arguments: [String]) throws {
    let (directory, name) = try arguments.place()
    guard let lifetime = Lifetime(rawValue: UInt32(try arguments.number(3))) else { throw BadArguments() }
    let segment = try Segment.create(name, size: try arguments.number(2), in: directory, lifetime: lifetime)
    unsafe segment.withBytes { unsafe $0.storeBytes(of: 0x1234_5678, as: UInt64.self) }
    say("\(segment.header.incarnation)")
    try forEachLine { _ in }
    _ = segment
}

/// fork-names COUNT: unique names of two children, and of this process between and after.
private func sayNamesAfterFork(count: Int) throws {
    func sayNames() { say((0..<count).map { _ in ObjectName.unique().description }.joined(separator: "\n")) }
    for _ in 0..<2 {
        try forkAndWait { sayNames() }
    }
    sayNames()
}
