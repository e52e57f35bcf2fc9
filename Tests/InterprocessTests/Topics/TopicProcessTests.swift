import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

/// A directory with one topic, and the processes that use it.
struct TopicScene {
    let directory: TemporaryDirectory
    let capacity: Int
    let publishers: TopicPublishers

    init(capacity: Int = 4, _ publishers: TopicPublishers = .any) throws {
        directory = try TemporaryDirectory()
        self.capacity = capacity
        self.publishers = publishers
    }

    var options: TopicOptions { TopicOptions(directory: directory.objects, publishers: publishers) }
    func publisher() throws -> Publisher<Int> { try Publisher(to: "t", capacity: capacity, options: options, strategy: .park) }
    func subscriber(_ mode: SubscriptionMode) throws -> Subscriber<Int> {
        try Subscriber(to: "t", mode, capacity: capacity, options: options, strategy: .park)
    }

    func start(_ command: String, _ more: [String] = []) throws -> PeerProcess {
        try PeerProcess(command, [directory.path.string] + more, environment: ["SWIFT_BACKTRACE": "enable=no"])
    }

    /// A process that has subscribed.
    func subscribed(_ mode: String) throws -> PeerProcess {
        let process = try start("topic-subscribe", [mode])
        try process.says("joined")
        return process
    }

    /// A process that has two loans or samples.
    func holder(_ what: String) throws -> PeerProcess {
        let process = try start("topic-hold", [what])
        try process.says("holding")
        return process
    }
}

extension MessagingSuite {
    @Suite("topic") struct Topics {
        @Test(
            "C6 L2 L4 a lossless subscriber that is stopped holds publishers up until it goes on, closes or is killed; then they go on at once"
        )
        func stopped() throws {
            let scene = try TopicScene()
            var publisher = try scene.publisher()
            for ending in ["reads", "is killed"] {
                let subscriber = try scene.subscribed("lossless")
                try subscriber.stop()
                let first = Int(publisher.statistics.published)
                for number in first..<first + 4 { try publisher.publish(number) }
                #expect(throws: PublishError(.full, 7)) { try publisher.tryPublish(7) }
                #expect(throws: PublishError(.deadline, 7)) { try publisher.publish(7, until: .after(.milliseconds(5))) }
                let other = try scene.start("topic-publish", ["\(first + 4)", "1"])
                try other.says("publishing")
                try other.becomesAsleep()
                if ending == "reads" {
                    subscriber.signal(Signal.continue)
                    try subscriber.send("read")
                    try subscriber.says("\(first)")
                    try other.says("published")
                    for number in first + 1..<first + 5 {
                        try subscriber.send("read")
                        try subscriber.says("\(number)")
                    }
                } else {
                    subscriber.kill()
                    try other.says("published")
                }
                subscriber.kill()
                try subscriber.ends()
            }
            #expect(publisher.statistics.published == 10)
        }

        @Test(
            "C6 neither a stopped nor a killed lossy subscriber, with samples or asleep, nor a stopped publisher with loans holds anybody up"
        )
        func lossy() throws {
            let scene = try TopicScene()
            var publisher = try scene.publisher()
            var lossless = try scene.subscriber(.lossless)
            let samples = try scene.holder("samples"), loans = try scene.holder("loans")
            let asleep = try scene.subscribed("lossy")
            try asleep.send("read")
            try asleep.becomesAsleep()
            for process in [samples, loans, asleep] { try process.stop() }
            for _ in 0..<2 { #expect(try lossless.tryReceive() != nil) }
            for number in 0..<1000 {
                try publisher.tryPublish(number)
                #expect(try lossless.tryReceive() == number)
            }
            // The log, what the two hold, and a spare for each of the publishers.
            #expect(publisher.statistics.heldPlaces == 2 && (8...10).contains(publisher.statistics.places), "\(publisher.statistics)")
            for process in [samples, loans, asleep] { process.signal(Signal.continue) }
            try samples.send("look")
            try samples.says("1 2")
            let line = try asleep.next()
            #expect(["996 after 996", "997 after 997", "998 after 998", "999 after 999"].contains(line), "\(line)")
        }

        @Test("L3 C5 loans and samples of a killed process come back", arguments: ["loans", "samples"])
        func comesBack(what: String) throws {
            let scene = try TopicScene()
            var publisher = try scene.publisher()
            for number in 0..<8 { try publisher.publish(number) }
            for _ in 0..<3 {
                let holder = try scene.holder(what)
                for number in 0..<8 { try publisher.publish(number) }
                #expect(publisher.statistics.places > 5)
                holder.kill()
                // The log, and this publisher's spare.
                try eventuallyBlocking("everything has come back") {
                    publisher.statistics.places == 5 && publisher.statistics.heldPlaces == 0 && publisher.statistics.publishers == 1
                }
            }
        }

        @Test(
            "C6 a subscriber asleep in another process is woken by each publisher, and told of the end",
            arguments: [TopicPublishers.any, .one])
        func woken(_ kind: TopicPublishers) throws {
            let scene = try TopicScene(kind)
            // Who makes it says how many publishers it has.
            let maker = try scene.subscriber(.lossy)
            let sleepers = [try scene.subscribed("lossless"), try scene.subscribed("lossy")]
            for number in 0..<3 {
                for sleeper in sleepers {
                    try sleeper.send("read")
                    try sleeper.becomesAsleep()
                }
                let publisher = try scene.start("topic-publish", ["\(number)", "1"])
                for sleeper in sleepers { try sleeper.says("\(number)") }
                publisher.kill()
                try publisher.ends()
            }
            for sleeper in sleepers {
                try sleeper.send("read")
                try sleeper.becomesAsleep()
            }
            let last = try scene.publisher()
            last.finish()
            for sleeper in sleepers { try sleeper.says("finished") }
            withExtendedLifetime(maker.capacity) {}
        }

        @Test(
            "X2 a forked child is told that it has no part in the topic, and its parent is not disturbed",
            arguments: [TopicPublishers.any, .one])
        func forked(_ kind: TopicPublishers) throws {
            let scene = try TopicScene(kind)
            let keeper = try scene.subscriber(.lossy)
            let process = try scene.start("topic-fork")
            for line in ["publish detached", "receive detached", "rejoin detached", "parent 1", "parent 3"] { try process.says(line) }
            let isFinished = keeper.isFinished
            #expect(!isFinished)
        }

        @Test(
            "X2 random words over a topic while it is used: no crash, no hang, and typed errors only",
            arguments: [TopicPublishers.any, .one])
        func scribbling(_ kind: TopicPublishers) throws {
            var random = SeededRandom(for: "scribbling over topics")
            let watch = try HangWatch("scribbling over topics")
            defer { watch.end() }
            var endings: [String: Int] = [:]
            func count(_ what: String, _ body: () throws -> Void) {
                watch.step(what)
                let ending: String
                do {
                    try body()
                    ending = "done"
                } catch let error as PublishError<Int> { ending = "\(error.reason)" } catch let error as PublishError<Void> {
                    ending = "\(error.reason)"
                } catch let error as SubscriptionError { ending = error.description } catch let error as InterprocessError {
                    ending = "\(error.code)"
                } catch {
                    Issue.record("\(what): \(error)")
                    return
                }
                endings[String(ending.prefix { $0 != "(" && $0 != "'" }), default: 0] += 1
            }
            for round in 0..<SeededRandom.setting("IPC_TOPIC_SCRIBBLES", default: 4) {
                let scene = try TopicScene(capacity: round % 2 == 0 ? 4 : 64, kind)
                let keeper = try scene.subscriber(.lossy)
                func useAll(
                    _ publisher: inout Publisher<Int>, _ lossless: inout Subscriber<Int>, _ lossy: inout Subscriber<Int>,
                    within limit: Duration
                ) {
                    func soon() -> Deadline { .after(limit) }
                    count("publish") { try publisher.publish(1, until: soon()) }
                    count("try") { try publisher.tryPublish(1) }
                    count("loan") {
                        var loan = try publisher.loan(until: soon())
                        loan.message = 3
                        try publisher.publish(&loan, until: soon())
                    }
                    count("lossless") { _ = try lossless.receive(until: soon()) }
                    count("lossy") { _ = try lossy.receive(until: soon()) }
                    count("take") { try lossy.take(until: soon())?.release() }
                    count("take lossless") { try lossless.take(until: soon())?.release() }
                    count("in place") { _ = try lossy.receive(until: soon()) { $0 }?.get() }
                    count("rejoin") { try lossless.rejoin(history: .all) }
                    count("statistics") { _ = publisher.statistics }
                }
                var publisher = try scene.publisher()
                var lossless = try scene.subscriber(.lossless), lossy = try scene.subscriber(.lossy)
                // Before the words come each of these calls succeeds.
                endings = [:]
                useAll(&publisher, &lossless, &lossy, within: watchdog)
                #expect(endings == ["done": 10])
                let scribbler = try scene.start("topic-scribble", ["\(random.next())"])
                try scribbler.says("ready")
                endings = [:]
                for _ in 0..<40 {
                    for _ in 0..<3 { useAll(&publisher, &lossless, &lossy, within: .milliseconds(2)) }
                    count("everything anew") {
                        // A topic of one publisher has none to spare.
                        if kind == .any { publisher = try scene.publisher() }
                        lossless = try scene.subscriber(.lossless)
                        lossy = try scene.subscriber(.lossy)
                    }
                }
                scribbler.kill()
                try scribbler.ends()
                withExtendedLifetime(keeper) {}
                print("scribbling: \(endings.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))")
            }
        }

        @Test("C9 a wait set watches subscribers, in this process and woken by another", arguments: [TopicPublishers.any, .one])
        func waitSet(_ kind: TopicPublishers) throws {
            let scene = try TopicScene(kind)
            var first: Publisher<Int>? = try scene.publisher()
            var lossless = try scene.subscriber(.lossless), lossy = try scene.subscriber(.lossy)
            var set = WaitSet()
            let names = [set.add(lossless): "lossless", set.add(lossy): "lossy"]
            #expect(try set.poll().isEmpty)
            try first?.publish(1)
            #expect(try told(set.wait(), names) == ["lossless", "lossy"])
            #expect(try lossless.tryReceive() == 1)
            #expect(try told(set.poll(), names) == ["lossy"])
            // Overtaken, it is ready as well.
            for number in 2..<8 {
                try first?.publish(number)
                #expect(try lossless.tryReceive() == number)
            }
            #expect(try told(set.poll(), names) == ["lossy"])
            while try lossy.tryReceive() != nil {}
            first = nil
            let process = try scene.start("topic-publish", ["9", "1"])
            #expect(try !set.wait(until: patiently).isEmpty)
            try process.says("publishing")
            try process.says("published")
            #expect(try told(set.poll(), names) == ["lossless", "lossy"])
            _ = try (lossless.receive(), lossy.receive())
            lossy.close()
            #expect(try told(set.poll(), names) == ["lossy closed"])
            process.kill()
            try process.ends()
            let publisher = try scene.publisher()
            publisher.finish()
            #expect(try told(set.wait(), names) == ["lossless"])
        }
    }
}
