import InterprocessSystem
import SystemPackage

/// Programs share three tools by a System V set of semaphores. What a program has taken the kernel gives back when it ends, also by SIGKILL.
///
///     swift run Undo work      # takes two tools at once, and keeps them until it ends
///     swift run Undo look      # how many there are
///     swift run Undo remove
@main
struct Undo {
    static let key = SystemVKey(0x1DC_0004)

    static func main() {
        do {
            try run()
        } catch {
            _ = try? FileDescriptor.standardError.writeAll("\(error)\n".utf8)
            endProcessAtOnce(status: 1)
        }
    }

    static func run() throws {
        switch CommandLine.arguments.dropFirst().first {
        case "work": try work()
        case "look": print("tools: \(try open().values()[0])")
        case "remove": try open().remove()
        default: print("usage: Undo work | look | remove")
        }
    }

    /// Whoever comes first makes the set, and puts the tools in.
    static func open() throws -> SystemVSemaphoreSet {
        let set = try SystemVSemaphoreSet.openOrCreate(key, count: 2)
        // The second semaphore says that it is done: both at once, so that whoever is killed in between has done neither.
        _ = try set.tryOperate([.waitForZero(1), .add(1, to: 1), .add(3, to: 0)])
        return set
    }

    static func work() throws {
        let set = try open()
        // Both or none: nobody waits for one with the other in hand.
        try set.operate([.take(2, from: 0, undo: true)], until: .after(.seconds(60)))
        print("has two tools; kill it, and look")
        _ = Signal.wait(for: [Signal.terminate, Signal.interrupt])
    }
}
