import InterprocessSystem
import Synchronization
import TestSupport
import Testing

@testable import Interprocess

@Suite("Topic between threads")
struct TopicTests {
    private let directory: TemporaryDirectory
    private var deadline: Deadline { .after(watchdog) }

    init() throws { directory = try TemporaryDirectory() }

    private func options(_ publishers: TopicPublishers, _ change: (inout TopicOptions) -> Void = { _ in }) -> TopicOptions {
        var options = TopicOptions(directory: directory.objects, publishers: publishers)
        change(&options)
        return options
    }

    struct Item: Shareable, Equatable {
        var publisher: Int
        var number: Int
    }

    @Test(
        "C6 every subscriber gets every message in one order, from any number of publishers",
        arguments: [(1, 1, TopicPublishers.any), (4, 1, .any), (1, 3, .any), (4, 3, .any), (1, 1, .one), (1, 3, .one)], [1, 2, 64])
    func order(_ peers: (publishers: Int, subscribers: Int, TopicPublishers), _ capacity: Int) throws {
        let ((publishers, subscribers, kind), count) = (peers, 3000)
        let names = options(kind)
        let seen = Lock<[[Item]]>(Array(repeating: [], count: subscribers))
        let left = Atomic<Int>(subscribers)
        let ready = Atomic<Int>(0)
        for index in 0..<subscribers {
            try startServiceThread(named: "user") {
                do {
                    var subscriber = try Subscriber<Item>(to: "t", .lossless, capacity: capacity, options: names)
                    ready.add(1, ordering: .sequentiallyConsistent)
                    var items: [Item] = []
                    while let item = try subscriber.receive() {
                        if subscriber.lastSequence != UInt64(items.count) || subscriber.missed != 0 {
                            Issue.record("message \(subscriber.lastSequence ?? 0) after \(items.count), \(subscriber.missed) missed")
                        }
                        items.append(item)
                    }
                    seen.withLock { $0[index] = items }
                } catch { Issue.record(error) }
                left.subtract(1, ordering: .sequentiallyConsistent)
            }
        }
        try eventuallyBlocking("all have joined") { ready.load(ordering: .sequentiallyConsistent) == subscribers }
        var main = try Publisher<Item>(to: "t", capacity: capacity, options: names)
        let publishing = Atomic<Int>(publishers - 1)
        for index in 1..<publishers {
            try startServiceThread(named: "user") {
                do {
                    var publisher = try Publisher<Item>(to: "t", capacity: capacity, options: names)
                    for number in 0..<count { try publisher.publish(Item(publisher: index, number: number)) }
                } catch { Issue.record(error) }
                publishing.subtract(1, ordering: .sequentiallyConsistent)
            }
        }
        for number in 0..<count { try main.publish(Item(publisher: 0, number: number), until: deadline) }
        try eventuallyBlocking("all is published") { publishing.load(ordering: .sequentiallyConsistent) == 0 }
        main.finish()
        try eventuallyBlocking("all have ended") { left.load(ordering: .sequentiallyConsistent) == 0 }
        let all = seen.withLock { $0 }
        #expect(all.allSatisfy { $0 == all[0] })
        for index in 0..<publishers { #expect(all[0].filter { $0.publisher == index }.map(\.number) == Array(0..<count)) }
        #expect(throws: PublishError(.closed, Item(publisher: 0, number: 0))) { try main.publish(Item(publisher: 0, number: 0)) }
    }

    @Test(
        "C6 a publisher waits for a lossless subscriber, with a deadline, and not for a lossy one, which is told what it has missed",
        arguments: [TopicPublishers.any, .one])
    func modes(_ kind: TopicPublishers) throws {
        var lossy = try Subscriber<Int>(to: "t", .lossy, capacity: 8, options: options(kind))
        var publisher = try Publisher<Int>(to: "t", options: options(kind))
        for number in 0..<20 { try publisher.publish(number) }
        #expect(try lossy.tryReceive() == 12)
        #expect(lossy.lastMissed == 12 && lossy.missed == 12 && lossy.lastSequence == 12 && lossy.nextSequence == 13)
        for number in 13..<20 {
            #expect(try lossy.tryReceive() == number)
            #expect(lossy.lastMissed == 0 && lossy.missed == 12)
        }
        #expect(try lossy.tryReceive() == nil)
        var lossless = try Subscriber<Int>(to: "t", .lossless, options: options(kind))
        for number in 20..<28 { try publisher.tryPublish(number) }
        #expect(throws: PublishError(.full, 28)) { try publisher.tryPublish(28) }
        #expect(throws: PublishError(.deadline, 28)) { try publisher.publish(28, until: .after(.milliseconds(1))) }
        #expect(publisher.statistics.mostBehind == 8 && publisher.statistics.published == 28)
        for number in 20..<28 { #expect(try lossless.tryReceive() == number) }
        #expect(throws: SubscriptionError.deadline) { try lossless.receive(until: .after(.milliseconds(1))) }
        try publisher.tryPublish(28)
        #expect(try lossy.tryReceive() == 21)
        #expect(lossy.lastMissed == 1)
        #expect(publisher.statistics.losslessSubscribers == 1 && publisher.statistics.lossySubscribers == 1)
        #expect(publisher.statistics.publishers == 1 && publisher.statistics.missed == 13)
        lossless.close()
        for number in 0..<20 { try publisher.tryPublish(number) }
    }

    @Test(
        "C6 who comes late gets the history that it asks for",
        arguments: [(SubscriptionMode.lossless, TopicPublishers.any), (.lossy, .any), (.lossless, .one), (.lossy, .one)], [0, 3, 8, 30])
    func history(_ how: (mode: SubscriptionMode, kind: TopicPublishers), _ published: Int) throws {
        let (mode, kind) = how
        var publisher = try Publisher<Int>(to: "t", capacity: 8, options: options(kind))
        for number in 0..<published { try publisher.publish(number) }
        func all(_ history: TopicHistory) throws -> [Int] {
            var subscriber = try Subscriber<Int>(to: "t", mode, history: history, options: options(kind))
            var found: [Int] = []
            while let number = try subscriber.tryReceive() { found.append(number) }
            #expect(subscriber.missed == 0 && subscriber.lastMissed == 0)
            return found
        }
        #expect(try all(.none) == [])
        #expect(try all(.all) == Array(0..<published).suffix(8))
        #expect(try all(.last(2)) == Array(0..<published).suffix(2))
        #expect(try all(.last(1000)) == Array(0..<published).suffix(8))
        publisher.finish()
        var late = try Subscriber<Int>(to: "t", mode, history: .last(1), options: options(kind))
        if published > 0 { #expect(try late.receive() == published - 1) }
        #expect(try late.receive() == nil)
        #expect(throws: SubscriptionError.closed) { try late.tryReceive() }
    }

    @Test("C2 C6 messages are written and read in place, on loan and as samples", arguments: [TopicPublishers.any, .one])
    func inPlace(_ kind: TopicPublishers) throws {
        var subscriber = try Subscriber<Item>(to: "t", capacity: 2, options: options(kind) { $0.maximumHeld = 2 })
        var publisher = try Publisher<Item>(to: "t", options: options(kind) { $0.maximumHeld = 2 })
        try publisher.publish { item in item = Item(publisher: 1, number: 2) }.get()
        #expect(try subscriber.receive { $0.number }?.get() == 2)
        struct Refused: Error {}
        #expect(throws: Refused.self) { try publisher.publish { (_: inout Item) throws(Refused) in throw Refused() }.get() }
        #expect(try subscriber.tryReceive() == nil)
        var first = try publisher.loan(), second = try publisher.loan()
        do throws(PublishError<Void>) {
            _ = try publisher.loan()
            Issue.record("a third loan of two")
        } catch {
            #expect(error.reason == .tooManyLoans(limit: 2))
        }
        first.message = Item(publisher: 0, number: 1)
        second.message = Item(publisher: 0, number: 0)
        second.message.number = 2
        try publisher.publish(&second)
        second.giveBack()
        try publisher.publish(&first)
        first.giveBack()
        #expect(try subscriber.receive { (_) throws(Refused) in throw Refused() }.map { $0 } != nil)
        let sample = try must(try subscriber.take())
        let other = try must(try subscriber.tryTake())
        if try subscriber.tryTake() != nil { Issue.record("there is nothing") }
        for number in 10..<20 {
            try publisher.publish(Item(publisher: 1, number: number), until: deadline)
            #expect(try subscriber.tryReceive()?.number == number)
        }
        #expect(sample.message.number == 2 && other.message.number == 1)
        #expect(sample.sequence == 1 && other.sequence == 2 && sample.missed == 0)
        try publisher.publish(Item(publisher: 0, number: 5))
        do throws(SubscriptionError) {
            _ = try subscriber.take()
            Issue.record("a third sample of two")
        } catch {
            #expect(error == .tooManySamples(limit: 2))
        }
        sample.release()
        let third = try must(try subscriber.take())
        #expect(third.message.number == 5)
    }

    /// What a subscriber does with a message that it has begun anew to get again while it holds a sample of it.
    enum Again: CaseIterable { case takes, letsFirstGo, reads, copies }

    struct Large: Shareable {
        var number: Int
        var filling = InlineArray<100, Int>(repeating: 0)
    }

    @Test(
        "C2 C6 a sample stays whole when its subscriber begins anew and gets the same message again",
        arguments: Again.allCases,
        [(SubscriptionMode.lossless, TopicPublishers.any), (.lossy, .any), (.lossless, .one), (.lossy, .one)])
    func again(_ again: Again, _ how: (mode: SubscriptionMode, kind: TopicPublishers)) throws {
        var subscriber = try Subscriber<Large>(to: "t", how.mode, capacity: 2, options: options(how.kind))
        var publisher = try Publisher<Large>(to: "t", options: options(how.kind))
        try publisher.publish(Large(number: 1))
        var first = try must(try subscriber.take())
        for _ in 0..<2 {
            try subscriber.rejoin(history: .last(1))
            switch again {
            case .takes: try must(try subscriber.take()).release()
            case .letsFirstGo: first = try must(try subscriber.take())
            case .reads: #expect(try subscriber.receive { $0.number }?.get() == 1)
            case .copies: #expect(try subscriber.receive()?.number == 1)
            }
        }
        func publishMore() throws {
            for number in 2..<40 {
                try publisher.publish(Large(number: number), until: deadline)
                #expect(try subscriber.receive(until: deadline)?.number == number)
            }
        }
        try publishMore()
        let number = first.message.number
        #expect(number == 1)
        #expect(publisher.statistics.heldPlaces == 1)
        first.release()
        #expect(publisher.statistics.heldPlaces == 0)
        try publishMore()
    }

    @Test("C2 C6 a sample of a message of which another one is just being let go, in another thread, stays whole")
    func againWhileLettingGo() throws {
        var subscriber = try Subscriber<Int>(to: "t", .lossy, capacity: 2, options: options(.any))
        var publisher = try Publisher<Int>(to: "t", options: options(.any))
        final class Held: @unchecked Sendable {
            let sample: Sample<Int>
            init(_ sample: consuming Sample<Int>) { self.sample = sample }
        }
        let handed = Lock<Held?>(nil)
        let (isOver, hasEnded) = (Flag(), Flag())
        try startServiceThread(named: "user") {
            while !isOver.isRaised { handed.withLock { $0 = nil } }
            hasEnded.raise()
        }
        func hand() throws {
            let held = Held(try must(try subscriber.take()))
            handed.withLock { $0 = held }
        }
        for number in 0..<5_000 {
            try publisher.publish(number)
            try hand()
            try subscriber.rejoin(history: .last(1))
            let again = try must(try subscriber.take())
            for _ in 0..<6 { try publisher.publish(-1) }
            guard again.message == number else { throw TestFailure("message \(number) has become \(again.message)") }
            again.release()
            try subscriber.rejoin(history: .none)
        }
        isOver.raise()
        try eventuallyBlocking("the thread has ended") { hasEnded.isRaised }
        handed.withLock { $0 = nil }
        #expect(publisher.statistics.heldPlaces == 0)
    }

    @Test(
        "C2 C6 messages of bytes of any size, copied and in place, to lossless and lossy subscribers",
        arguments: [TopicPublishers.any, .one])
    func bytes(_ kind: TopicPublishers) throws {
        let most = 1 << 20
        var lossless = try ByteSubscriber(to: "t", capacity: 4, maximumMessageSize: most, options: options(kind))
        var lossy = try ByteSubscriber(to: "t", .lossy, maximumMessageSize: most, options: options(kind))
        var publisher = try BytePublisher(to: "t", maximumMessageSize: most, options: options(kind))
        for size in [0, 1, 4095, 4096, 4097, 100_000, 1 << 20] {
            let message = [UInt8]((0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) })
            try publisher.publish(message, until: deadline)
            #expect(try lossless.receive(until: deadline) == message)
            #expect(try lossy.receive(until: deadline) == message)
            try publisher.publish(upTo: size) { span in for byte in message { span.append(byte) } }.get()
            #expect(try lossless.receive(until: deadline) { copyOf($0) == message }?.get() == true)
            #expect(try lossy.tryReceive { copyOf($0) == message }?.get() == true)
            var loan = try publisher.loan(upTo: size + 10 > most ? size : size + 10)
            loan.byteCount = size
            loan.withMutableBytes { span in
                for (index, byte) in message.enumerated() { span.storeBytes(of: byte, toByteOffset: index, as: UInt8.self) }
            }
            try publisher.publish(&loan)
            let first = try must(try lossless.take(until: deadline))
            let second = try must(try lossy.take(until: deadline))
            #expect(first.byteCount == size && first.withBytes { copyOf($0) } == message)
            #expect(second.withBytes { copyOf($0) } == message && second.sequence == first.sequence)
        }
        do throws(PublishError<Void>) {
            try publisher.publish([UInt8](repeating: 0, count: most + 1))
            Issue.record("it is too large")
        } catch {
            #expect(error.reason == .tooLarge(limit: most))
        }
    }

    @Test(
        "C3 P1 asynchronous forms wait without a thread, with back-pressure, and a cancelled task leaves the message",
        arguments: [TopicPublishers.any, .one])
    func asynchronous(_ kind: TopicPublishers) async throws {
        var publisher = try Publisher<Int>(to: "t", capacity: 2, options: options(kind))
        let names = options(kind)
        let ready = Atomic<Bool>(false)
        let receiver = Task { () async throws -> [TopicMessage<Int>] in
            let subscriber = try Subscriber<Int>(to: "t", options: names)
            ready.store(true, ordering: .sequentiallyConsistent)
            var seen: [TopicMessage<Int>] = []
            for try await message in subscriber.messages() { seen.append(message) }
            return seen
        }
        try await eventually("it has joined") { ready.load(ordering: .sequentiallyConsistent) }
        for number in 0..<200 { try await publisher.publish(number) }
        publisher.finish()
        let seen = try await receiver.value
        #expect(seen.map(\.message) == Array(0..<200) && seen.map(\.sequence) == Array(0..<200) && seen.allSatisfy { $0.missed == 0 })
        let cancelled = Task {
            var subscriber = try Subscriber<Int>(to: "other", options: names)
            return try await subscriber.receive()
        }
        cancelled.cancel()
        await #expect(throws: SubscriptionError.cancelled) { try await cancelled.value }
        // A publisher that waits for room is cancelled as well, and has its message back.
        var behind = try Subscriber<Int>(to: "full", capacity: 1, options: names)
        let waiting = Task {
            var publisher = try Publisher<Int>(to: "full", options: names)
            try await publisher.publish(1)
            try await publisher.publish(2)
        }
        let watcher = try Subscriber<Int>(to: "full", .lossy, options: names)
        try await eventually("one is published") { watcher.statistics.published == 1 }
        waiting.cancel()
        await #expect(throws: PublishError(.cancelled, 2)) { try await waiting.value }
        let number = try await behind.receive()
        #expect(number == 1)
    }

    @Test(
        "C5 P1 loans and messages written in place wait without a thread, and one whose task is cancelled stays a loan",
        arguments: [TopicPublishers.any, .one])
    func asynchronousLoans(_ kind: TopicPublishers) async throws {
        let names = options(kind)
        var publisher = try Publisher<Int>(to: "t", capacity: 2, options: names)
        var bytes = try BytePublisher(to: "b", capacity: 2, maximumMessageSize: 100, options: names)
        let numbersAreOpen = Flag(), textsAreOpen = Flag()
        let receiver = Task { () async throws -> [Int] in
            let numbers = try Subscriber<Int>(to: "t", options: names)
            numbersAreOpen.raise()
            var seen: [Int] = []
            for try await message in numbers.messages() { seen.append(message.message) }
            return seen
        }
        let reader = Task { () async throws -> [[UInt8]] in
            let texts = try ByteSubscriber(to: "b", maximumMessageSize: 100, options: names)
            textsAreOpen.raise()
            var seen: [[UInt8]] = []
            for try await message in texts.messages() { seen.append(message.message) }
            return seen
        }
        try await eventually("both have joined") { numbersAreOpen.isRaised && textsAreOpen.isRaised }
        for number in 0..<200 {
            if number % 2 == 0 {
                var loan = try await publisher.loan()
                loan.message = number
                try await publisher.publish(&loan)
            } else {
                try await publisher.publish { $0 = number }.get()
            }
            var loan = try await bytes.loan(upTo: 8)
            loan.withMutableBytes { $0.storeBytes(of: UInt8(number), as: UInt8.self) }
            loan.byteCount = 1
            try await bytes.publish(&loan)
        }
        publisher.finish()
        bytes.finish()
        #expect(try await receiver.value == Array(0..<200))
        #expect(try await reader.value == (0..<200).map { [$0] })
        // One that waits for room.
        var behind = try Subscriber<Int>(to: "full", capacity: 1, options: names)
        let waiting = Task {
            var publisher = try Publisher<Int>(to: "full", options: names)
            try await publisher.publish(1)
            var loan = try await publisher.loan()
            loan.message = 2
            do {
                try await publisher.publish(&loan)
                return "published"
            } catch let error as PublishError<Void> {
                let kept = loan.message
                return "\(error.reason), \(kept)"
            }
        }
        let watcher = try Subscriber<Int>(to: "full", .lossy, options: names)
        try await eventually("one is published") { watcher.statistics.published == 1 }
        waiting.cancel()
        #expect(try await waiting.value == "cancelled, 2")
        let number = try await behind.receive()
        #expect(number == 1)
    }
}
