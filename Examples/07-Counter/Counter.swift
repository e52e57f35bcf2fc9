import Interprocess
import InterprocessSystem
import SystemPackage

/// Programs that count together: no step is lost, however many count at once, and whichever of them is killed.
///
///     swift run Counter add 1000000 & swift run Counter add 1000000; wait
///     swift run Counter show
///     swift run Counter remove
@main
struct Counter {
    static let name: ObjectName = "example-counter"

    static func main() {
        do {
            try run()
        } catch {
            _ = try? FileDescriptor.standardError.writeAll("\(error)\n".utf8)
            endProcessAtOnce(status: 1)
        }
    }

    static func run() throws {
        switch (CommandLine.arguments.dropFirst().first, CommandLine.arguments.dropFirst(2).first.flatMap { Int($0) }) {
        case ("add", let count?):
            let counter = try open()
            for _ in 0..<count { try counter.withLock { $0 += 1 } }
        case ("show", nil): print(try open().withLock { $0 })
        case ("remove", nil): try ObjectDirectory.user.remove(name)
        default: print("usage: Counter add COUNT | show | remove")
        }
    }

    /// Whoever comes first makes it. It stays when nobody has it open, until it is removed.
    static func open() throws -> SharedMutex<Int> {
        try SharedMutex(named: name, initial: 0, options: SynchronizationOptions(lifetime: .untilRemoved))
    }
}
