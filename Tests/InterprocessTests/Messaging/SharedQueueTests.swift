import InterprocessSystem
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

/// `#require` for what cannot be copied.
func must<Value: ~Copyable>(_ value: consuming Value?) throws -> Value {
    switch consume value {
    case .some(let value): return value
    case nil: throw Missing()
    }
}

struct Missing: Error {}

@Suite("Shared queue between threads")
struct SharedQueueTests {
    private let directory: TemporaryDirectory
    private var deadline: Deadline { .after(watchdog) }

    init() throws { directory = try TemporaryDirectory() }

    private func options(_ change: (inout SharedQueueOptions) -> Void = { _ in }) -> SharedQueueOptions {
        var options = SharedQueueOptions(directory: directory.objects)
        change(&options)
        return options
    }

    struct Item: Shareable, Equatable {
        var sender: Int
        var number: Int
    }

    @Test("C1 messages come in order, and the queue says what is in it")
    func order() throws {
        let queue = try SharedQueue<Int>(named: "q", capacity: 4, options: options())
        for round in 0..<100 {
            for number in 0..<4 { try queue.send(round * 4 + number, until: deadline) }
            #expect(queue.statistics.waiting == 4)
            #expect(throws: SendError(.full, 7)) { try queue.trySend(7) }
            #expect(throws: SendError(.deadline, 7)) { try queue.send(7, until: .after(.milliseconds(1))) }
            for number in 0..<4 { #expect(try queue.receive(until: deadline) == round * 4 + number) }
            #expect(try queue.tryReceive() == nil)
            #expect(throws: ReceiveError.deadline) { try queue.receive(until: .after(.milliseconds(1))) }
            #expect(queue.statistics.waiting == 0)
        }
    }

    @Test(
        "C1 many senders, many receivers: each message once, those of one sender in order for one receiver", arguments: [1, 3], [1, 3, 64])
    func many(_ receivers: Int, _ capacity: Int) throws {
        let kept = try SharedQueue<Item>(named: "q", capacity: capacity, options: options())
        let (senders, count) = (4, 5000)
        let seen = Lock<[[Int]]>(Array(repeating: [], count: senders))
        let left = Atomic<Int>(senders + receivers)
        let names = options()
        func start(_ body: @escaping @Sendable (SharedQueue<Item>) throws -> Void) throws {
            try startServiceThread(named: "user") {
                do { try body(SharedQueue<Item>(named: "q", capacity: capacity, options: names)) } catch { Issue.record(error) }
                left.subtract(1, ordering: .sequentiallyConsistent)
            }
        }
        for sender in 0..<senders {
            try start { queue in for number in 0..<count { try queue.send(Item(sender: sender, number: number)) } }
        }
        for _ in 0..<receivers {
            try start { queue in
                while let item = try queue.receive() { seen.withLock { $0[item.sender].append(item.number) } }
            }
        }
        try eventuallyBlocking("all was sent and received") { seen.withLock { $0.allSatisfy { $0.count == count } } }
        kept.finish()
        try eventuallyBlocking("all have ended") { left.load(ordering: .sequentiallyConsistent) == 0 }
        for numbers in seen.withLock({ $0 }) {
            if receivers == 1 { #expect(numbers == Array(0..<count)) } else { #expect(numbers.sorted() == Array(0..<count)) }
        }
        #expect(kept.statistics == SharedQueueStatistics(kept.core.words, peers: kept.core.table.count))
        #expect(kept.statistics.waiting == 0 && kept.statistics.taken == 0)
        #expect(throws: SendError(.closed, Item(sender: 0, number: 0))) { try kept.send(Item(sender: 0, number: 0)) }
    }

    @Test("C4 what is not acknowledged comes again, at the front, until it is a dead letter")
    func acknowledgement() throws {
        let queue = try SharedQueue<Int>(named: "q", capacity: 8, options: options { $0.deliveryLimit = 3 })
        for number in 0..<4 { try queue.send(number) }
        func take() throws -> (Int, Int, UInt64) {
            let delivery = try must(try queue.tryTake())
            return (delivery.message, delivery.count, delivery.sequence)
        }
        #expect(try take() == (0, 1, 0))
        #expect(try take() == (0, 2, 0))
        let held = try must(try queue.tryTake())
        let (message, count) = (held.message, held.count)
        #expect((message, count) == (0, 3))
        #expect(try queue.tryReceive() == 1)
        #expect(queue.statistics.taken == 1)
        held.giveBack()
        #expect(queue.statistics.deadLetters == 1)
        #expect(try queue.tryReceive() == 2)
        let third = try must(try queue.tryTake())
        try third.acknowledge()
        #expect(try queue.tryReceive() == nil)
        let letter = try must(queue.takeDeadLetter())
        let (lost, deliveries) = (letter.message, letter.count)
        #expect((lost, deliveries) == (0, 4))
        try letter.acknowledge()
        if let more = queue.takeDeadLetter() { Issue.record("\(more.message) is there still") }
        #expect(queue.statistics.waiting == 0 && queue.statistics.taken == 0 && queue.statistics.deadLetters == 0)
        for number in 0..<8 { try queue.trySend(number) }
    }

    @Test("C4 who takes too long to acknowledge loses the message to another")
    func overdue() throws {
        let queue = try SharedQueue<Int>(named: "q", capacity: 8, options: options { $0.acknowledgeWithin = .milliseconds(20) })
        try queue.send(1)
        let slow = try must(try queue.take())
        let again = try must(try queue.take(until: deadline))
        let (message, count) = (again.message, again.count)
        #expect((message, count) == (1, 2))
        do throws(AcknowledgementError) {
            try slow.acknowledge()
            Issue.record("it was not too late")
        } catch {
            #expect(error == .tooLate)
        }
        try again.acknowledge()
        #expect(queue.statistics.taken == 0 && queue.statistics.waiting == 0)
    }

    @Test("C4 one that keeps a message it was woken for loses it in time to another that slept all the while", arguments: [false, true])
    func overdueAsleep(inSet: Bool) throws {
        let options = options { $0.acknowledgeWithin = .milliseconds(50) }
        let queue = try SharedQueue<Int>(named: "q", capacity: 8, options: options, strategy: .park)
        let isAgain = Mutex(false)
        let threads = try (0..<2).map { _ in
            try TestThread {
                var set = WaitSet(strategy: .park)
                _ = set.add(queue)
                while true {
                    if inSet { _ = try set.wait(until: .after(watchdog)) }
                    guard let delivery = try inSet ? queue.tryTake() : queue.take(until: .after(watchdog)) else { continue }
                    let count = delivery.count
                    if count > 1 {
                        isAgain.withLock { $0 = true }
                        try? delivery.acknowledge()
                    } else {
                        try eventuallyBlocking("the other gets it") { isAgain.withLock { $0 } }
                    }
                    return count
                }
            }
        }
        // Both sleep: each has said that it looks again.
        try eventuallyBlocking("they sleep") { queue.core.items.isMarked }
        sleepThread(for: .milliseconds(10))
        try queue.send(1)
        let counts = try threads.map { try $0.join() }
        #expect(counts.sorted() == [1, 2])
    }

    @Test("C4 a message whose time is up stays what it was for who has it; read in place, it is said to be too late")
    func overdueAndReplaced() throws {
        let options = options { $0.acknowledgeWithin = .milliseconds(20) }
        let queue = try SharedQueue<Int>(named: "q", capacity: 1, options: options)
        try queue.send(1)
        let slow = try must(try queue.take())
        let again = try must(try queue.take(until: deadline))
        try again.acknowledge()
        try queue.send(2)
        #expect(slow.message == 1)
        slow.giveBack()
        let next = try queue.receive(until: deadline)
        #expect(next == 2)
        let bytes = try SharedByteQueue(named: "b", capacity: 1, maximumMessageSize: 8, options: options)
        try bytes.send([1])
        #expect(throws: ReceiveError.tooLate) {
            _ = try bytes.receive { _ in takeAndAcknowledge(bytes) }
        }
    }

    private func takeAndAcknowledge(_ queue: SharedByteQueue) {
        do {
            let delivery = try must(try queue.take(until: deadline))
            try delivery.acknowledge()
        } catch {
            Issue.record("\(error)")
        }
    }

    @Test("C4 who has stopped receiving gets nothing more, also by trying; others do")
    func stoppedReceiving() throws {
        let queue = try SharedQueue<Int>(named: "q", capacity: 8, options: options())
        let other = try SharedQueue<Int>(named: "q", capacity: 8, options: options())
        try queue.send(1)
        var set = WaitSet()
        _ = set.add(queue)
        queue.stopReceiving()
        #expect(try set.wait().map(\.condition) == [.ready])
        #expect(throws: ReceiveError.closed) { try queue.tryReceive() }
        #expect(throws: ReceiveError.closed) { _ = try queue.tryTake() }
        let received = try other.tryReceive()
        #expect(received == 1)
    }

    @Test("C4 what was given back before the queue was finished comes to who has seen that it is finished")
    func givenBackBeforeTheEnd() throws {
        let queue = try SharedQueue<Int>(named: "q", capacity: 8, options: options())
        try queue.send(1)
        let held = try must(try queue.tryTake())
        // One that had looked for what has come back before this goes on from here.
        held.giveBack()
        queue.finish()
        guard case .message(let taken) = try queue.core.takeAfterFinish() else { throw TestFailure("it was left in the queue") }
        #expect(queue.core.done(taken))
        #expect(throws: ReceiveError.closed) { try queue.tryReceive() }
    }

    @Test("C1 higher priorities come first")
    func priorities() throws {
        let queue = try SharedQueue<Int>(named: "q", capacity: 16, options: options { $0.priorities = 3 })
        for number in 0..<9 { try queue.send(number, priority: number % 3) }
        var order: [Int] = []
        while let number = try queue.tryReceive() { order.append(number) }
        #expect(order == [2, 5, 8, 1, 4, 7, 0, 3, 6])
    }

    @Test("C3 a full queue drops the newest or the oldest, and counts them")
    func drops() throws {
        let newest = try SharedQueue<Int>(named: "newest", capacity: 4, options: options { $0.overflow = .dropNewest })
        for number in 0..<10 { try newest.send(number) }
        #expect(newest.statistics.dropped == 6)
        #expect(throws: SendError(.full, 7)) { try newest.trySend(7) }
        for number in 0..<4 { #expect(try newest.tryReceive() == number) }
        let oldest = try SharedQueue<Int>(named: "oldest", capacity: 4, options: options { $0.overflow = .dropOldest })
        for number in 0..<10 { try oldest.send(number) }
        #expect(oldest.statistics.dropped == 6)
        for number in 6..<10 { #expect(try oldest.tryReceive() == number) }
        #expect(try oldest.tryReceive() == nil)
    }

    @Test("C1 C2 bytes of any size, in place and copied")
    func bytes() throws {
        let queue = try SharedByteQueue(named: "q", capacity: 4, maximumMessageSize: 1 << 20, options: options())
        for size in [0, 1, 4095, 4096, 4097, 100_000, 1 << 20] {
            let message = [UInt8]((0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) })
            try queue.send(message)
            #expect(try queue.receive(until: deadline) == message)
            try queue.publish(upTo: size) { span in for byte in message { span.append(byte) } }?.get()
            let isEqual = try queue.receive(until: deadline) { bytes in copyOf(bytes) == message }?.get()
            #expect(isEqual == true)
        }
        #expect(throws: SendError<Void>.self) { try queue.send([UInt8](repeating: 0, count: queue.maximumMessageSize + 1)) }
        struct Refused: Error {}
        try queue.send([1, 2, 3])
        _ = try queue.receive { (_) throws(Refused) in throw Refused() }
        let delivery = try must(try queue.take(until: deadline))
        let (count, copy) = (delivery.count, delivery.withBytes { copyOf($0) })
        #expect(count == 2)
        #expect(copy == [1, 2, 3])
        try delivery.acknowledge()
    }

    @Test("L2 C1 the death of one that had filled a large queue is told soon, and its messages stay")
    func deathOfOneThatFilled() async throws {
        let count = 60_000
        let queue = try SharedQueue<UInt64>(named: "q", capacity: count, options: options { $0.priorities = 16 })
        let peer = try PeerProcess("shared-fill", [directory.path.string, "\(count)"])
        try await peer.expect("filled")
        #expect(queue.statistics.waiting == count)
        peer.kill()
        // Where each message is looked for anew among all of them, this takes many minutes.
        try await eventually("its death is told") { queue.segment.deathCount == 1 }
        #expect(queue.statistics.waiting == count)
        let first = try await queue.receive(until: deadline)
        #expect(first == 15)
    }

    @Test("C8 P1 asynchronous forms wait without a thread, and a cancelled task leaves the message")
    func asynchronous() async throws {
        let queue = try SharedQueue<Int>(named: "q", capacity: 2, options: options())
        let receiver = Task { () async throws -> [Int] in
            var seen: [Int] = []
            for try await number in queue.messages() { seen.append(number) }
            return seen
        }
        for number in 0..<200 { try await queue.send(number) }
        queue.finish()
        #expect(try await receiver.value == Array(0..<200))
        let other = try SharedQueue<Int>(named: "other", capacity: 2, options: options())
        let cancelled = Task { try await other.receive() }
        cancelled.cancel()
        await #expect(throws: ReceiveError.cancelled) { try await cancelled.value }
        try await other.send(1)
        let number = try await other.receive()
        #expect(number == 1)
    }

    @Test("the queue's footprint is what its documentation says", arguments: [(1, 1, 8), (1000, 3, 24), (65_536, 16, 4096)])
    func footprint(_ capacity: Int, _ priorities: Int, _ size: Int) throws {
        func pages(_ bytes: Int) -> Int { (bytes + 4095) / 4096 * 4096 }
        let peers = 5
        let shape = SharedQueueShape(
            slots: capacity, priorities: priorities, overflow: .wait, deliveryLimit: 0, acknowledgeNanoseconds: 0, messageSize: size)
        var entries = 64
        while entries < capacity { entries *= 2 }
        let hints = ((capacity + 31) / 32 * 4 + 63) / 64 * 64
        let control = 512 + 64 * peers + priorities * (256 + 8 * entries) + capacity * 64 + hints
        #expect(shape.objectSize(peers: peers) == control)
        #expect(shape.ringSize == entries)
        if size == 24 {
            struct Small: Shareable { var a = 0, b = 0, c = 0 }
            let queue = try SharedQueue<Small>(
                named: "q", capacity: capacity, options: options { ($0.priorities, $0.maximumPeers) = (priorities, peers) })
            #expect(queue.segment.header.size == 4096 + pages(peers * 128) + pages(control) + pages(capacity * size))
        }
    }

    @Test("bytes are reserved as they are needed")
    func reserved() throws {
        let queue = try SharedByteQueue(named: "q", capacity: 64, maximumMessageSize: 1 << 20, options: options())
        func used() throws -> Int { try FileStatus(of: queue.segment.file.descriptor).reservedBytes }
        let before = try used()
        #expect(before < 1 << 17)
        try queue.send([UInt8](repeating: 1, count: 10_000))
        #expect(try used() == before + 12_288)
        _ = try queue.receive(until: deadline)
        #expect(try used() == before + 12_288)
    }
}
