import Interprocess
import InterprocessSystem
import SystemPackage

/// A dictionary in a file: shared by all programs that have it open, and still there when the last of them has ended, however it did.
///
///     swift run Scores /tmp add ada 3 && swift run Scores /tmp add ada 4
///     swift run Scores /tmp show
///     swift run Scores /tmp remove
///
/// On a disk it survives a restart of the machine too, as far as the kernel had written it.
@main
struct Scores {
    static let name: ObjectName = "example-scores"

    static func main() {
        do {
            try run()
        } catch {
            _ = try? FileDescriptor.standardError.writeAll("\(error)\n".utf8)
            endProcessAtOnce(status: 1)
        }
    }

    static func run() throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        switch (arguments.count, arguments.dropFirst().first) {
        case (4, "add"):
            guard let points = Int(arguments[3]) else { return usage() }
            // As one step: whoever is killed in it has added all or nothing.
            try open(arguments[0]).update(arguments[2], default: 0) { $0 += points }
        case (2, "show"):
            let scores = try open(arguments[0]).elements()
            for (player, score) in scores.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) { print("\(player): \(score)") }
        case (2, "remove"): try directory(arguments[0]).remove(name)
        default: usage()
        }
    }

    static func usage() { print("usage: Scores DIRECTORY add PLAYER POINTS | show | remove") }

    static func directory(_ path: String) -> ObjectDirectory { ObjectDirectory(at: FilePath(path)) }

    static func open(_ path: String) throws -> SharedDictionary<String, Int> {
        let arena = try SharedArena(named: name, options: ArenaOptions(directory: directory(path), lifetime: .untilRemoved, limit: 1 << 20))
        return try SharedDictionary("scores", in: arena)
    }
}
