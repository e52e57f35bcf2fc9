import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

#if arch(x86_64)
    extension QueueSuite {
        @Suite("kill after each instruction") struct Steps {
            /// `IPC_EVERY=k` tries every k-th instruction; 0: one of each operation, and those that change the queue. `IPC_STEP_ONLY=send` does one operation.
            static let every = SeededRandom.setting("IPC_EVERY", default: 0)

            @Test(
                "C5 L3 a sender killed after any instruction: each message is there wholly or not at all, and all goes on at once",
                arguments: [
                    "send", "trySend", "sendBatch", "publishBatch", "sendBytes", "publishBytes", "reserveBytes", "sendWaiting",
                    "sendDropping",
                    "joinSender", "closeSender",
                ])
            func sender(operation: String) throws {
                try sweep(operation) { try StepBench(operation, $0, $1) }
            }

            @Test(
                "C5 L3 a receiver killed after any instruction: each message is taken or still there, and all goes on at once",
                arguments: [
                    "receive", "tryReceive", "receiveBatch", "receiveBytes", "receiveWaiting", "receiveDropping", "joinReceiver",
                    "closeReceiver",
                ])
            func receiver(operation: String) throws {
                try sweep(operation) { try StepBench(operation, $0, $1) }
            }

            private func sweep(_ operation: String, _ make: (ObjectDirectory, String) throws -> StepBench) throws {
                if let only = environmentVariable("IPC_STEP_ONLY"), only != operation { return }
                let scratch = try Scratch()
                defer { scratch.removeNames() }
                let bench = try make(scratch.directory, scratch.path)
                var point = KillPoint.none
                do {
                    // Without a kill first, to learn how many there are.
                    let isCoarse = Self.every == 0
                    let whole = try bench.run(.none, wholeCalls: isCoarse)
                    #expect(whole.instructions > 50 && whole.changes >= 1, "\(whole)")
                    var random = SeededRandom.forTest(operation.utf8.reduce(0) { $0 &* 31 &+ UInt64($1) })
                    let points = KillPoint.choose(whole, every: Self.every, &random)
                    print(
                        "stepping \(operation): \(points.count) kills in \(whole.instructions) instructions with \(whole.changes) changes of the queue,",
                        "IPC_SEED=\(SeededRandom.runSeed)")
                    for next in points {
                        point = next
                        _ = try bench.run(point, wholeCalls: isCoarse)
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

    /// More instructions than this has only joining.
    private static let mostShort = 100_000

    /// The most instructions that the changes of one operation may take together if not every instruction is asked for.
    private static let budget = 40_000

    static func choose(_ whole: (instructions: Int, changes: Int), every: Int, _ random: inout SeededRandom) -> [KillPoint] {
        let isLong = whole.instructions > mostShort
        // Between two changes nothing that others see differs but what the kernel knows: so the changes count most.
        var points = (1...max(1, whole.changes)).map { KillPoint(change: $0) }
        let distance: Int
        if every > 0 {
            points += (1...max(1, whole.changes)).map { KillPoint(change: $0, after: Int.random(in: 1...40, using: &random)) }
            // A joining is a quarter of a million instructions if calls are stepped through.
            distance = isLong ? max(every, whole.instructions / 2000) : every
        } else {
            // Of the longer ones, other changes each time.
            points = Array(points.shuffled(using: &random).prefix(max(2, Self.budget / whole.instructions)))
            distance = whole.instructions
        }
        let offset = Int.random(in: 0..<distance, using: &random)
        return points + stride(from: offset, through: whole.instructions, by: distance).map { KillPoint(instruction: $0) }
    }
}
