import Glibc
import Interprocess
import InterprocessSystem

/// Commands that open segments.
let segmentCommands: [String: Command] = [
    "attach": attach
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
        case "leave":
            segment = nil
            say("left")
        default: throw BadArguments()
        }
    }
}
