import InterprocessSystem
import QueueTestSupport
import SystemPackage
import Testing

@testable import Interprocess

#if arch(x86_64)
    extension QueueSuite {
        /// Only when asked for (`IPC_STEP=1`): a victim that shares its processor with a build takes longer than the watchdog allows.
        @Suite("kill after each instruction", .enabled(if: SeededRandom.setting("IPC_STEP", default: 0) != 0)) struct Steps {
            /// `IPC_EVERY=1` tries every instruction, `IPC_EVERY=k` every k-th; without it some of each operation are tried, and those that change the queue.
            static let every = SeededRandom.setting("IPC_EVERY", default: 0)

            @Test(
                "C5 L3 a sender killed after any instruction: each message is there wholly or not at all, and all goes on at once",
                arguments: [
                    "send", "trySend", "sendBatch", "publishBatch", "sendBytes", "publishBytes", "reserveBytes", "sendWaiting",
                    "joinSender", "closeSender",
                ])
            func sender(operation: String) throws {
                try sweep(operation) { try StepBench(operation, $0, $1) }
            }

            @Test(
                "C5 L3 a receiver killed after any instruction: each message is taken or still there, and all goes on at once",
                arguments: ["receive", "tryReceive", "receiveBatch", "receiveBytes", "receiveWaiting", "joinReceiver", "closeReceiver"])
            func receiver(operation: String) throws {
                try sweep(operation) { try StepBench(operation, $0, $1) }
            }

            private func sweep(_ operation: String, _ make: (ObjectDirectory, String) throws -> StepBench) throws {
                let scratch = try Scratch()
                defer { scratch.removeNames() }
                let bench = try make(scratch.directory, scratch.path)
                var point = KillPoint.none
                let watch = try HangWatch("stepping \(operation)")
                defer { watch.end() }
                do {
                    // Without a kill first, to learn how many there are.
                    let whole = try bench.run(.none)
                    print("stepping \(operation): \(whole.instructions) instructions, \(whole.changes) changes of the queue")
                    #expect(whole.instructions > 50 && whole.changes >= 1, "\(whole)")
                    var random = SeededRandom.forTest(UInt64(operation.utf8.reduce(0) { $0 &* 31 &+ Int($1) }))
                    for next in KillPoint.choose(whole, every: Self.every, &random) {
                        point = next
                        watch.step("killed at \(point)")
                        _ = try bench.run(point)
                    }
                    bench.end()
                } catch {
                    throw TestFailure("\(operation), killed at \(point), IPC_SEED=\(SeededRandom.runSeed): \(error). \(bench.state)")
                }
            }
        }
    }
#endif

/// When a stepped process is killed. Instructions are counted from the beginning, or after the n-th change of the queue's bytes.
struct KillPoint: CustomStringConvertible {
    let instruction: Int
    let change: Int
    let after: Int

    private init(_ instruction: Int, _ change: Int, _ after: Int) {
        (self.instruction, self.change, self.after) = (instruction, change, after)
    }

    init(instruction: Int) { self.init(instruction, -1, 0) }
    init(change: Int, after: Int = 0) { self.init(-1, change, after) }

    static let none = KillPoint(-1, -1, 0)
    var arguments: [String] { ["\(instruction)", "\(change)", "\(after)"] }
    var description: String {
        instruction >= 0 ? "instruction \(instruction)" : change >= 0 ? "change \(change) and \(after) instructions" : "the end"
    }

    /// The most steps that an operation's points may take together if not every instruction is asked for: joining takes a quarter of a million each time.
    private static let budget = 250_000

    static func choose(_ whole: (instructions: Int, changes: Int), every: Int, _ random: inout SeededRandom) -> [KillPoint] {
        // Between two changes nothing that others see differs but what the kernel knows: so the changes count most.
        let isLong = whole.instructions > budget / 20
        var points = (1...whole.changes).flatMap { change in
            [KillPoint(change: change), KillPoint(change: change, after: Int.random(in: 1...40, using: &random))]
        }
        if every > 0 {
            points += stride(from: 0, through: whole.instructions, by: isLong ? max(every, whole.instructions / 2000) : every).map {
                KillPoint(instruction: $0)
            }
        } else {
            if isLong { points = Array(points.shuffled(using: &random).prefix(2)) }
            let count = min(12, budget / whole.instructions)
            points += (0..<count).map { _ in KillPoint(instruction: Int.random(in: 0...whole.instructions, using: &random)) }
        }
        return points
    }
}
