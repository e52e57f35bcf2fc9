import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

/// The messaging objects with processes of their own that are killed: one after the other, since they block the thread that they run on.
@Suite("Messages between processes", .serialized) enum MessagingSuite {}

extension MessagingSuite {
    /// `IPC_SOAK_MESSAGES=1000000` for the long form; `IPC_SEED` repeats one.
    @Suite("shared queue") struct SharedQueueSoak {
        static let messages = SeededRandom.setting("IPC_SOAK_MESSAGES", default: 200_000)
        /// Milliseconds between two kills.
        static let pause = SeededRandom.setting("IPC_SOAK_PAUSE", default: 10)

        @Test(
            "C1 C3 C4 L2 L3 four senders and four receivers, killed again and again: every message is received, or counted as dropped",
            arguments: [("take", QueueOverflow.wait), ("take", .dropOldest), ("take", .dropNewest), ("receive", .wait)])
        func soak(receivers: String, overflow: QueueOverflow) throws {
            let name = "soak of a shared queue, \(receivers), that \(overflow)"
            var random = SeededRandom(for: name)
            let watch = try HangWatch(name)
            defer { watch.end() }
            let directory = try TemporaryDirectory()
            let server = try PeerServer()
            let record = try QueueRecord.create(in: directory.objects)
            let account = try SoakAccount.create(in: directory.objects, limit: Self.messages / 4 + 2)
            let queue = try SharedQueue<SoakMessage>(
                named: "q", capacity: 64,
                options: SharedQueueOptions(directory: directory.objects, lifetime: .untilRemoved, overflow: overflow, priorities: 2))
            func start(_ index: Int) throws -> Int32 {
                try server.start(["shared-soak", directory.path.string, index < 4 ? "send" : receivers, "\(index)", "\(overflow.rawValue)"])
            }
            var pids = try (0..<8).map { try start($0) }
            var kills = (senders: 0, receivers: 0)
            func check() throws {
                if let failure = record.failure { throw TestFailure("IPC_SEED=\(SeededRandom.runSeed): \(failure)") }
            }
            let last = UInt64(account.limit - 1)
            while (0..<4).contains(where: { account.done($0) < last && account.intent($0) < last }) {
                sleepThread(for: .milliseconds(Int.random(in: 0...2 * Self.pause, using: &random)))
                let index = Int.random(in: 0..<8, using: &random)
                try server.kill(pids[index])
                if index < 4 { kills.senders += 1 } else { kills.receivers += 1 }
                pids[index] = try start(index)
                try check()
                watch.step("after \(kills) kills, with \((0..<4).map { account.done($0) }) of \(last) sent, \(queue.statistics)")
            }
            try eventuallyBlocking("everything was received: \(queue.statistics)") {
                try check()
                return queue.statistics.waiting == 0 && queue.statistics.taken == 0
            }
            record[.stop] = 1
            for pid in pids {
                let ending = try server.wait(pid, watchdog)
                guard ending == "exited 0" else { throw TestFailure("\(ending) \(record.failure ?? "")") }
            }
            try check()
            let (balance, statistics) = (account.balance, queue.statistics)
            let about = "IPC_SEED=\(SeededRandom.runSeed), \(kills): \(balance), \(statistics), \(account.repeated) repeated"
            let dropped = Int(statistics.dropped)
            if receivers == "take" {
                #expect(
                    (balance.missing...balance.missing + balance.doubtfulMissing).contains(dropped),
                    "\(about)")
            } else {
                // A receiver killed in receive() may have received what nobody has written down.
                #expect((0...kills.receivers).contains(balance.missing), "\(about)")
            }
            #expect(account.repeated <= kills.receivers, "\(about)")
            // Nothing is left over: all slots can be had.
            for number in 0..<64 as Range<UInt64> { try queue.trySend(SoakMessage(0, number)) }
            #expect(queue.statistics.waiting == 64)
            print("\(name): \(about)")
        }
    }
}
