import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

extension MessagingSuite {
    /// `IPC_SOAK_MESSAGES=1000000` for the long form; `IPC_SEED` repeats one.
    @Suite("soak of a topic") struct TopicSoak {
        static let messages = SeededRandom.setting("IPC_SOAK_MESSAGES", default: 100_000)
        /// Milliseconds between two kills.
        static let pause = SeededRandom.setting("IPC_SOAK_PAUSE", default: 50)

        @Test(
            "C5 C6 L2 L3 three publishers and five subscribers, killed again and again: each lossless one gets every message in one order while it lives, each lossy one's gaps are counted, and all is given back",
            arguments: [(64, TopicPublishers.any), (1024, .any), (64, .one)])
        func soak(capacity: Int, kind: TopicPublishers) throws {
            let streams = kind == .any ? 3 : 1
            let name = "soak of a topic that keeps \(capacity), of \(kind) publishers"
            var random = SeededRandom(for: name)
            let watch = try HangWatch(name)
            defer { watch.end() }
            let directory = try TemporaryDirectory()
            let server = try PeerServer()
            let record = try QueueRecord.create(in: directory.objects)
            let account = try TopicAccount.create(in: directory.objects, last: Self.messages / 3)
            let options = TopicOptions(directory: directory.objects, lifetime: .untilRemoved, publishers: kind)
            let watcher = try Subscriber<SoakMessage>(to: "t", .lossy, capacity: capacity, options: options)
            let kinds = ["publish", "publish", "publish", "lossless", "lossless", "lossless", "lossy", "samples"]
            func start(_ index: Int) throws -> Int32 {
                try server.start(["topic-soak", directory.path.string, kinds[index], "\(index)"])
            }
            var pids = [Int32](repeating: 0, count: kinds.count)
            // The last one of the lossless subscribers lives, from the first message on: every message that was published comes to it.
            pids[5] = try start(5)
            try eventuallyBlocking("a lossless subscriber has joined") { watcher.statistics.losslessSubscribers == 1 }
            let mortal = Array(0..<streams) + [3, 4, 6, 7]
            for index in mortal { pids[index] = try start(index) }
            var kills = (publishers: 0, subscribers: 0)
            func check() throws {
                if let failure = record.failure { throw TestFailure("IPC_SEED=\(SeededRandom.runSeed): \(failure)") }
            }
            while (0..<streams).contains(where: { account.done($0) < account.last && account.intent($0) < account.last }) {
                sleepThread(for: .milliseconds(Int.random(in: 0...2 * Self.pause, using: &random)))
                let index = mortal[Int.random(in: mortal.indices, using: &random)]
                try server.kill(pids[index])
                if index < 3 { kills.publishers += 1 } else { kills.subscribers += 1 }
                pids[index] = try start(index)
                try check()
                watch.step("after \(kills) kills, with \((0..<streams).map { account.done($0) }) of \(account.last), \(watcher.statistics)")
            }
            try eventuallyBlocking("everything was received: \(watcher.statistics)") {
                try check()
                return account.received(5) == watcher.statistics.published
            }
            record[.stop] = 1
            for pid in pids where pid != 0 {
                let ending = try server.wait(pid, watchdog)
                guard ending == "exited 0" else { throw TestFailure("\(ending) \(record.failure ?? "")") }
            }
            try check()
            // What was published for certain was received, and has a number of its own; what else has one was published by a killed one.
            var numbers: Set<UInt64> = []
            var doubtful = 0
            for stream in 0..<streams {
                for number in 1...account.intent(stream) {
                    if let sequence = account.sequence(stream, number) {
                        #expect(numbers.insert(sequence).inserted, "number \(sequence) was given twice")
                        if account.isDoubtful(stream, number) { doubtful += 1 }
                    } else {
                        #expect(account.isDoubtful(stream, number), "message \(number) of stream \(stream) is lost")
                    }
                }
            }
            let published = watcher.statistics.published
            let about =
                "IPC_SEED=\(SeededRandom.runSeed), \(kills), \(published) published, \(doubtful) of them by killed ones, lossy: received "
                + "\(account.received(6)) and \(account.received(7)), missed \(account.missed(6)) and \(account.missed(7))"
            #expect(numbers.count == Int(published) && numbers.max() == published - 1, "\(about)")
            #expect(doubtful <= kills.publishers)
            // Nothing is left over: nobody is waited for, and all places are free but for the log's and this publisher's spare.
            var publisher = try Publisher<SoakMessage>(to: "t", options: options)
            for number in 0..<UInt64(2 * capacity) { try publisher.tryPublish(SoakMessage(0, number)) }
            #expect(
                watcher.statistics.places == capacity + (kind == .any ? 1 : 0) && watcher.statistics.heldPlaces == 0,
                "\(watcher.statistics)")
            print("\(name): \(about)")
        }
    }
}
