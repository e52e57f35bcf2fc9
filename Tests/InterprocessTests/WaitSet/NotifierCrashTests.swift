import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

extension SyncSuite {
    /// `IPC_NOTIFIER_KILLS=100000` for the long form; `IPC_SEED` repeats one.
    @Suite("notifier, killed") struct NotifierDeaths {
        /// A thread that listens all the time, and what it has got of each id.
        private func listening(_ listener: SharedNotifier.Listener, _ account: NotifierAccount) throws -> TestThread<[Int]> {
            try TestThread {
                var counts = [Int](repeating: 0, count: NotifierAccount.ids)
                func add(_ some: [SharedNotifier.Notification]) { for one in some { counts[one.id] += one.count } }
                while !account.isOver {
                    do throws(WaitError) { add(try listener.wait(until: .after(.milliseconds(50)))) } catch {
                        guard error == .deadline else { throw error }
                    }
                }
                return counts
            }
        }

        @Test("C8 no notification is lost or counted twice while six processes notify as fast as they can")
        func contention() throws {
            let directory = try TemporaryDirectory()
            let account = try NotifierAccount(in: directory.objects)
            let notifier = try NotifierAccount.notifier(in: directory.objects, strategy: .park)
            let (often, once) = (notifier.listen(), notifier.listen())
            let thread = try listening(often, account)
            let workers = try (0..<6).map { try PeerProcess("notifier-notify", [directory.path.string, "\($0)", "\($0 + 77)", "20000"]) }
            for worker in workers {
                try worker.says("ready")
                try worker.says("done")
            }
            account.isOver = true
            var counts = try thread.join()
            for one in try often.poll() { counts[one.id] += one.count }
            let total = try once.poll()
            for id in 0..<NotifierAccount.ids {
                let expected = account.count(id)
                #expect(expected.lowerBound == expected.upperBound && counts[id] == expected.lowerBound, "id \(id)")
                #expect(total.first { $0.id == id }?.count ?? 0 == expected.lowerBound, "id \(id) of who looked once")
            }
        }

        @Test(
            "C8 L2 L3 processes that notify are killed at any moment: listeners lose nothing that was done, and hear of the rest at most once"
        )
        func killed() throws {
            var random = SeededRandom(for: "killed notifiers")
            let watch = try HangWatch("killed notifiers")
            defer { watch.end() }
            let directory = try TemporaryDirectory()
            let account = try NotifierAccount(in: directory.objects)
            let notifier = try NotifierAccount.notifier(in: directory.objects, strategy: .park)
            let (often, once) = (notifier.listen(), notifier.listen())
            let thread = try listening(often, account)
            let server = try PeerServer()
            func start(_ worker: Int) throws -> Int32 {
                // Every third listens, and is killed in its sleep.
                let command =
                    worker % 3 == 2
                    ? ["notifier-listen", directory.path.string]
                    : ["notifier-notify", directory.path.string, "\(worker)", "\(random.next() >> 16)", "0"]
                return try server.start(command)
            }
            var pids = try (0..<6).map { try start($0) }
            for kill in 0..<SeededRandom.setting("IPC_NOTIFIER_KILLS", default: 300) {
                watch.step("kill \(kill)")
                let victim = Int.random(in: 0..<pids.count, using: &random)
                sleepThread(for: .microseconds(Int.random(in: 0...3000, using: &random)))
                try server.kill(pids[victim])
                pids[victim] = try start(victim)
            }
            watch.step("the end")
            for pid in pids { try server.kill(pid) }
            try eventuallyBlocking("all deaths are announced") { notifier.segment.peers.count == 1 }
            account.isOver = true
            var counts = try thread.join()
            for one in try often.poll() { counts[one.id] += one.count }
            let total = try once.poll()
            for id in 0..<NotifierAccount.ids {
                let found = total.first { $0.id == id }?.count ?? 0
                #expect(account.count(id).contains(found), "id \(id): \(found) of \(account.count(id)), IPC_SEED=\(SeededRandom.runSeed)")
                #expect(counts[id] == found, "id \(id): both listeners get the same")
            }
            #expect((0..<NotifierAccount.ids).reduce(0) { $0 + account.count($1).lowerBound } > 0)
        }

        @Test("C8 L2 one killed between a count and its group's changes, or before the wake-up: its death brings the notification")
        func halfWay() throws {
            let directory = try TemporaryDirectory()
            let notifier = try NotifierAccount.notifier(in: directory.objects, strategy: .park)
            for step in 0..<2 {
                let listener = notifier.listen()
                let sleeper = try PeerProcess("notifier-listen", [directory.path.string])
                try sleeper.says("waiting")
                try sleeper.becomesAsleep()
                let other = try PeerProcess("attach-notifier", [directory.path.string])
                _ = try other.next()
                // What it would have done.
                notifier.words.count(of: 100).add(1)
                if step == 1 { notifier.words.changes(ofGroup: 1).add(1) }
                other.kill()
                try sleeper.says("100:1")
                #expect(try text(listener.wait(until: patiently)) == "100:1")
            }
        }

        @Test("C8 L1 a forked child is detached from notifier and listener, and its parent goes on")
        func forked() throws {
            let directory = try TemporaryDirectory()
            let process = try PeerProcess("notifier-fork", [directory.path.string])
            try process.says("notify detached")
            try process.says("wait detached")
            try process.says("poll detached")
            try process.says("parent [2]")
        }

        @Test("C8 N8 random words over a notifier while it is used: no crash, no hang, and typed errors only")
        func hostile() throws {
            var random = SeededRandom(for: "scribbling over a notifier")
            let watch = try HangWatch("scribbling over a notifier")
            defer { watch.end() }
            let directory = try TemporaryDirectory()
            let segment = try Segment.create("place", size: SharedNotifier.byteCount(ids: 100), in: directory.objects)
            let notifier = try SharedNotifier(in: segment, at: 0, ids: 100)
            let scribbler = try PeerProcess("notifier-scribble", [directory.path.string, "\(random.next() >> 16)"])
            try scribbler.says("ready")
            var endings: [String: Int] = [:]
            var listener = notifier.listen()
            // As many more as it takes that something succeeds in between.
            for call in 0..<100_000 where call < 2000 || endings["got"] == nil {
                watch.step("call \(call)")
                let ending = syncOutcome {
                    switch random.next() % 4 {
                    case 0: try notifier.notify(Int(random.next() % 100), count: 3)
                    case 1: _ = try listener.poll()
                    case 2: _ = try listener.wait(until: .after(.microseconds(300)))
                    default: listener = notifier.listen()
                    }
                    return "got"
                }
                #expect(!ending.hasPrefix("error"), "\(ending)")
                endings[ending, default: 0] += 1
                // So that it goes on.
                if call % 20 == 0 { notifier.words.word.storeRelease(ClaimWord.open) }
            }
            #expect(endings["got", default: 0] > 0, "\(endings)")
            // What is damaged for certain is said to be.
            scribbler.kill()
            try scribbler.ends()
            notifier.words.word.storeRelease(0)
            #expect(syncOutcome { try notifier.listen().wait(until: .after(.microseconds(300))).isEmpty ? "empty" : "got" } == "damaged")
        }
    }
}
