import CTestSystem
import Glibc
import Interprocess
import InterprocessSystem

/// Commands that open segments.
let segmentCommands: [String: Command] = [
    "attach": attach,
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
        default: throw BadArguments()
        }
    }
}

/// fork-names COUNT: unique names of two children, and of this process between and after.
private func sayNamesAfterFork(count: Int) throws {
    func sayNames() { say((0..<count).map { _ in ObjectName.unique().description }.joined(separator: "\n")) }
    for _ in 0..<2 {
        try forkAndWait { sayNames() }
    }
    sayNames()
}
