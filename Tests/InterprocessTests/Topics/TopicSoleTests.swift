import InterprocessSystem
import Synchronization
import TestSupport
import Testing

@testable import Interprocess

extension MessagingSuite {
    /// What is different when a topic has one publisher at a time.
    @Suite("topic of one publisher") struct SoleTopics {
        private func refused(_ scene: TopicScene) throws -> InterprocessError? {
            do throws(InterprocessError) {
                _ = try Publisher<Int>(to: "t", capacity: 4, options: scene.options)
                return nil
            } catch {
                return error
            }
        }

        @Test("C6 a second publisher is refused while the first lives, with a sentence that says who that is; then it may come")
        func second() throws {
            let scene = try TopicScene(.one)
            let maker = try scene.subscriber(.lossy)
            defer { withExtendedLifetime(maker.capacity) {} }
            let other = try scene.start("topic-publish", ["1", "1"])
            try other.says("publishing")
            try other.says("published")
            let error = try must(try refused(scene))
            #expect(error.code == .busy)
            #expect(error.description.contains("has a publisher already (") && error.description.contains("pid \(other.pid)"), "\(error)")
            other.kill()
            try other.ends()
            // At once: whether or not it was repaired.
            do {
                var publisher = try scene.publisher()
                try publisher.publish(2)
                #expect(try refused(scene)?.code == .busy)
            }
            var publisher = try scene.publisher()
            try publisher.publish(3)
            var late = try Subscriber<Int>(to: "t", history: .all, options: scene.options)
            for number in 1...3 { #expect(try late.tryReceive() == number) }
            #expect(publisher.statistics.published == 3 && publisher.statistics.publishers == 1)
        }

        @Test("C6 whoever makes a topic says how many publishers it has; who says one finds no other")
        func mismatch() throws {
            let scene = try TopicScene(.one)
            let maker = try Subscriber<Int>(to: "t", options: TopicOptions(directory: scene.directory.objects))
            do throws(InterprocessError) {
                _ = try Publisher<Int>(to: "t", capacity: 4, options: scene.options)
                Issue.record("the topic has any number of publishers")
            } catch {
                #expect(error.code == .sizeMismatch && error.description.contains("any number of publishers"), "\(error)")
            }
            withExtendedLifetime(maker.capacity) {}
        }

        @Test("L3 C5 C6 a publisher is killed again and again: the next one goes on, and a lossless subscriber gets each message once")
        func takeOver() throws {
            let scene = try TopicScene(capacity: 8, .one)
            var subscriber = try scene.subscriber(.lossless)
            var next = 0
            for round in 0..<12 {
                let publisher = try scene.start("topic-publish", ["\(next)", "1000"])
                try publisher.says("publishing")
                for _ in 0..<10 + round {
                    #expect(try subscriber.receive(until: patiently) == next)
                    next += 1
                }
                publisher.kill()
                try publisher.ends()
                while let number = try subscriber.tryReceive() {
                    #expect(number == next)
                    next += 1
                }
                #expect(subscriber.missed == 0 && subscriber.lastSequence == UInt64(next - 1))
            }
            try eventuallyBlocking("all is given back") { subscriber.statistics.publishers == 0 && subscriber.statistics.places == 8 }
        }

        @Test("L3 C5 loans of a killed publisher come back", arguments: [0, 3])
        func loans(_ published: Int) throws {
            let scene = try TopicScene(.one)
            let maker = try scene.subscriber(.lossy)
            defer { withExtendedLifetime(maker.capacity) {} }
            for _ in 0..<3 {
                let holder = try scene.holder("loans")
                holder.kill()
                try holder.ends()
                var publisher = try scene.publisher()
                for number in 0..<published { try publisher.publish(number) }
            }
            var publisher = try scene.publisher()
            for number in 0..<200 { try publisher.tryPublish(number) }
            try eventuallyBlocking("all is given back") { publisher.statistics.places == 4 && publisher.statistics.heldPlaces == 0 }
        }

        @Test("C6 L3 what subscribers hold stays while others publish, and comes back from a killed one", arguments: ["lossless", "lossy"])
        func samples(_ mode: String) throws {
            let scene = try TopicScene(.one)
            let maker = try scene.subscriber(.lossy)
            defer { withExtendedLifetime(maker.capacity) {} }
            do {
                var first = try scene.publisher()
                try first.publish(1)
                try first.publish(2)
            }
            let holder = try scene.start("topic-take", [mode])
            try holder.says("holding")
            var publisher = try scene.publisher()
            for round in 0..<3 {
                // With each round the subscriber has read one message more.
                for number in 0..<(mode == "lossy" ? 500 : 1) { try publisher.publish(10 + round + number, until: patiently) }
                try holder.send("look")
                try holder.says("1 2")
            }
            #expect(publisher.statistics.heldPlaces == 2)
            holder.kill()
            try eventuallyBlocking("all is given back") { publisher.statistics.heldPlaces == 0 }
            for number in 0..<200 { try publisher.tryPublish(number) }
            #expect(publisher.statistics.places == 4)
        }

        @Test("C6 L2 a lossless subscriber that is stopped holds the publisher up until it goes on or is killed, a lossy one never")
        func stopped() throws {
            let scene = try TopicScene(.one)
            let maker = try scene.subscriber(.lossy)
            defer { withExtendedLifetime(maker.capacity) {} }
            for ending in ["reads", "is killed"] {
                let subscriber = try scene.subscribed("lossless"), lossy = try scene.subscribed("lossy")
                try subscriber.stop()
                try lossy.stop()
                let publisher = try scene.start("topic-publish", ["0", "5"])
                try publisher.says("publishing")
                try publisher.becomesAsleep()
                if ending == "reads" {
                    subscriber.signal(Signal.continue)
                    try subscriber.send("read")
                    try subscriber.says("0")
                } else {
                    subscriber.kill()
                }
                try publisher.says("published")
                lossy.signal(Signal.continue)
                try lossy.send("read")
                try lossy.says("1 after 1")
                for process in [subscriber, lossy, publisher] {
                    process.kill()
                    try process.ends()
                }
            }
        }

        @Test(
            "C2 C6 loans and samples outlive their publisher and subscriber, which stay peers until the last one has ended, on whatever thread"
        )
        func outlive() throws {
            let scene = try TopicScene(.one)
            var watcher = try scene.subscriber(.lossless)
            var samples = [Box(nil), Box(nil)]
            var loan: Loan<Int>?
            do {
                var publisher = try scene.publisher()
                var lent = try publisher.loan()
                lent.message = 77
                loan = consume lent
                var subscriber = try scene.subscriber(.lossless)
                for number in 1...2 { try publisher.publish(number) }
                for box in samples { box.sample = try subscriber.take() }
            }
            #expect(watcher.statistics.publishers == 0 && watcher.segment.peers.count == 3)
            var publisher = try scene.publisher()
            for number in 3..<100 {
                #expect(try watcher.tryReceive() == number - 2)
                try publisher.tryPublish(number)
            }
            let ending = try must(loan.take())
            #expect(ending.message == 77)
            ending.giveBack()
            let both = samples.map { $0.number }
            #expect(both == [1, 2])
            let last = samples.removeLast(), ended = Atomic<Bool>(false)
            try startServiceThread(named: "user") {
                last.sample = nil
                ended.store(true, ordering: .sequentiallyConsistent)
            }
            try eventuallyBlocking("one has ended") { ended.load(ordering: .sequentiallyConsistent) }
            #expect(samples[0].number == 1)
            samples[0].sample = nil
            try eventuallyBlocking("both have left") { watcher.segment.peers.count == 2 }
            #expect(watcher.statistics.heldPlaces == 0)
        }

        private final class Box: @unchecked Sendable {
            var sample: Sample<Int>?
            var number: Int {
                guard let taken = sample.take() else { return -1 }
                let number = taken.message
                sample = consume taken
                return number
            }
            init(_ sample: consuming Sample<Int>?) { self.sample = sample }
        }

        @Test("C6 samples that end on another thread while their subscriber closes are given back, all of them")
        func closing() throws {
            let scene = try TopicScene(.one)
            var publisher = try scene.publisher()
            for number in 0..<4 { try publisher.publish(number) }
            for _ in 0..<300 {
                let box = Box(nil), ended = Atomic<Bool>(false), mayEnd = Atomic<Bool>(false)
                do {
                    var subscriber = try Subscriber<Int>(to: "t", .lossy, history: .last(1), options: scene.options)
                    box.sample = try subscriber.take()
                    try startServiceThread(named: "user") {
                        while !mayEnd.load(ordering: .sequentiallyConsistent) {}
                        box.sample = nil
                        ended.store(true, ordering: .sequentiallyConsistent)
                    }
                    mayEnd.store(true, ordering: .sequentiallyConsistent)
                }
                try eventuallyBlocking("it has ended") { ended.load(ordering: .sequentiallyConsistent) }
                try eventuallyBlocking("it has left") { publisher.segment.peers.count == 1 }
            }
            #expect(publisher.statistics.heldPlaces == 0)
        }

        @Test("C6 as many loans and samples as may be, given back in any order, and not one message is lost or changed")
        func manyHeld() throws {
            var options = TopicOptions(directory: try TemporaryDirectory().objects, maximumPeers: 3, maximumHeld: 3, publishers: .one)
            options.lifetime = .untilLastPeerLeaves
            let scene = try TopicScene(.one)
            options.directory = scene.directory.objects
            var publisher = try Publisher<Int>(to: "m", capacity: 2, options: options)
            var lossless = try Subscriber<Int>(to: "m", .lossless, options: options)
            var lossy = try Subscriber<Int>(to: "m", .lossy, options: options)
            var random = SeededRandom(for: "many held")
            var held: [(Box, Int)] = [], loans: [LoanBox] = []
            var next = 0
            for _ in 0..<20_000 {
                switch Int.random(in: 0..<7, using: &random) {
                case 0, 1:
                    do { try publisher.tryPublish(next) } catch { continue }
                    next += 1
                case 2:
                    if loans.count < 3 { loans.append(LoanBox(try publisher.loan())) }
                case 3:
                    guard let index = loans.indices.randomElement(using: &random) else { continue }
                    let box = loans.remove(at: index)
                    if Bool.random(using: &random) { continue }
                    guard var loan = box.loan.take() else { continue }
                    loan.message = next
                    do { try publisher.publish(&loan, until: .now) } catch { continue }
                    next += 1
                case 4:
                    guard held.count < 3, let sample = try lossless.tryTake() else { continue }
                    let number = sample.message
                    held.append((Box(sample), number))
                case 5:
                    guard let sample = try lossy.tryTake() else { continue }
                    let number = sample.message
                    if number != Int(sample.sequence) { Issue.record("\(number) has the number \(sample.sequence)") }
                default:
                    guard let index = held.indices.randomElement(using: &random) else { continue }
                    let (box, number) = held.remove(at: index)
                    let now = box.number
                    if now != number { Issue.record("\(number) is \(now), IPC_SEED=\(SeededRandom.runSeed)") }
                }
            }
            #expect(lossless.missed == 0 && next > 1000)
            held = []
            loans = []
            #expect(publisher.statistics.places == 2 && publisher.statistics.heldPlaces == 0)
        }

        private final class LoanBox {
            var loan: Loan<Int>?
            init(_ loan: consuming Loan<Int>?) { self.loan = loan }
        }
    }
}
