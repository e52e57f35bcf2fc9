import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

@Suite("Fan-in queue between threads")
struct FanInTests {
    private let directory: TemporaryDirectory
    private var deadline: Deadline { .after(watchdog) }

    init() throws { directory = try TemporaryDirectory() }

    private func options(_ change: (inout FanInOptions) -> Void = { _ in }) -> FanInOptions {
        var options = FanInOptions(directory: directory.objects)
        change(&options)
        return options
    }

    struct Item: Shareable, Equatable {
        var sender: Int
        var number: Int
    }

    private func sender(_ options: FanInOptions? = nil) throws -> FanInSending<Int> {
        FanInSending(try Sender<Int>(toFanIn: "q", options: options ?? self.options()))
    }
    private func receiver(_ options: FanInOptions? = nil) throws -> FanInReceiving<Int> {
        FanInReceiving(try FanInReceiver<Int>(from: "q", options: options ?? self.options()))
    }

    @Test("C1 messages of one sender come in order; a full lane is one sender's, and says so")
    func order() throws {
        let receiver = try receiver()
        #expect(try receiver.tryReceive() == nil)
        #expect(throws: ReceiveError.deadline) { try receiver.receive(until: .after(.milliseconds(1))) }
        let (first, second) = (try sender(), try sender())
        var sent = 0
        while (try? first.trySend(sent)) != nil { sent += 1 }
        // 64 KiB, and 16 bytes for each message.
        #expect((4094...4096).contains(sent))
        #expect(throws: SendError(.deadline, 7)) { try first.send(7, until: .after(.milliseconds(1))) }
        try second.trySend(-1)
        #expect(try receiver.waiting == UInt64(sent) + 1)
        var seen: [Int] = []
        while let number = try receiver.tryReceive() { seen.append(number) }
        #expect(seen.filter { $0 >= 0 } == Array(0..<sent))
        // No lane waits for more than half of another one.
        let place = try #require(seen.firstIndex(of: -1))
        #expect(place <= sent / 2 + 1)
        try first.send(1)
        #expect(try receiver.receive(until: deadline) == 1)
    }

    @Test("C1 many senders, one receiver: each message once, those of one sender in order", arguments: [1, 3, 8], [2, 4000])
    func many(_ senders: Int, _ capacity: Int) throws {
        let count = 20_000
        var receiver = try FanInReceiver<Item>(from: "q", capacity: capacity, options: options())
        let names = options()
        for index in 0..<senders {
            try startServiceThread(named: "sender") {
                do {
                    var sender = try Sender<Item>(toFanIn: "q", capacity: capacity, options: names)
                    for number in 0..<count { try sender.send(Item(sender: index, number: number), until: .after(watchdog)) }
                    // The others may not have come: the end is said when all that have come have ended.
                    try sender.waitUntilReceived(until: .after(watchdog))
                } catch { Issue.record(error) }
            }
        }
        var next = Array(repeating: 0, count: senders)
        while next.contains(where: { $0 < count }) {
            guard let item = try receiver.receive(until: deadline) else { continue }
            guard item.number == next[item.sender] else { throw TestFailure("\(item) instead of number \(next[item.sender])") }
            next[item.sender] += 1
        }
        while try receiver.receive(until: deadline) != nil {}
    }

    @Test("L1 the end comes when all senders have closed, is said again, and is over when another one joins")
    func end() throws {
        let receiver = try receiver()
        let first = try sender()
        let second = try sender()
        try first.send(1)
        first.close()
        try second.send(2)
        #expect(try Set([receiver.receive(until: deadline), receiver.receive(until: deadline)]) == [1, 2])
        #expect(throws: ReceiveError.deadline) { try receiver.receive(until: .after(.milliseconds(1))) }
        second.close()
        for _ in 0..<2 { #expect(try receiver.receive(until: deadline) == nil) }
        #expect(throws: ReceiveError.closed) { try receiver.tryReceive() }
        let third = try sender()
        #expect(try receiver.tryReceive() == nil)
        try third.send(3)
        #expect(try receiver.receive(until: deadline) == 3)
        receiver.close()
        #expect(throws: SendError(.closed, 4)) {
            try third.send(4)
            try third.send(4)
        }
        // What was sent before the receiver's end was seen is the next one's.
        let successor = try self.receiver()
        #expect(try third.waitForReceiver(until: deadline))
        try third.send(5)
        var found: [Int] = []
        while found.last != 5 { found.append(try #require(try successor.receive(until: deadline))) }
        #expect(found == [5] || found == [4, 5])
    }

    @Test("L3 a lane is claimed by one sender at a time, and free when it closes, also before it was read")
    func lanes() throws {
        let two = options { $0.maximumSenders = 2 }
        let receiver = try receiver(two)
        let first = try sender(two)
        let second = try sender(two)
        #expect(throws: InterprocessError.self) { _ = try sender(two) }
        for number in 0..<10 { try first.send(number) }
        first.close()
        let third = try sender(two)
        try third.send(10)
        try second.send(100)
        var seen: [Int] = []
        while let number = try receiver.tryReceive() { seen.append(number) }
        #expect(seen.filter { $0 < 100 } == Array(0...10))
        #expect(seen.count == 12)
    }

    @Test("C2 batches and messages in place")
    func batches() throws {
        var receiver = try FanInReceiver<Int>(from: "q", options: options())
        var first = try Sender<Int>(toFanIn: "q", options: options())
        var second = try Sender<Int>(toFanIn: "q", options: options())
        let numbers = [1, 2, 3]
        try first.send(contentsOf: numbers.span)
        try second.send(4)
        var seen: [[Int]] = []
        while seen.reduce(0, { $0 + $1.count }) < 4 {
            let batch = try receiver.receiveBatch(upTo: 2, until: deadline) { span in (0..<span.count).map { span[$0] } }
            if let batch = batch?.get() { seen.append(batch) }
        }
        #expect(seen.flatMap { $0 }.filter { $0 < 4 } == [1, 2, 3])
        #expect(seen.allSatisfy { $0.count <= 2 })
    }

    @Test("C1 C2 bytes of any size, in place and copied")
    func bytes() throws {
        var receiver = try FanInByteReceiver(from: "q", options: options())
        var first = try ByteSender(toFanIn: "q", options: options())
        var second = try ByteSender(toFanIn: "q", options: options())
        let largest = first.maximumMessageSize
        #expect(largest == 65_536 - 24)
        for size in [0, 1, 4095, 4096, 4097, largest] {
            let message = [UInt8]((0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) })
            try first.send(message)
            try second.send(message)
            let copy = try receiver.receive(until: deadline)
            #expect(copy == message)
            let isEqual = try receiver.receive(until: deadline) { bytes in copyOf(bytes) == message }?.get()
            #expect(isEqual == true)
        }
        let reason = sendFailure { () throws(SendError<Void>) in try first.send([UInt8](repeating: 0, count: largest + 1)) }
        #expect(reason == .tooLarge(limit: largest))
        struct Refused: Error {}
        try first.send([1, 2, 3])
        _ = try receiver.receive { (_) throws(Refused) in throw Refused() }
        let again = try receiver.receive(until: deadline)
        #expect(again == [1, 2, 3])
        let failure = receiveFailure { () throws(ReceiveError) in _ = try receiver.receive(until: .now) }
        #expect(failure == .deadline)
    }

    @Test("C8 P1 asynchronous forms wait without a thread, and a cancelled task leaves the message")
    func asynchronous() async throws {
        var receiver = try FanInReceiver<Int>(from: "q", capacity: 4, options: options())
        let names = options()
        let senders = (0..<2).map { index in
            Task { () async throws -> Void in
                var sender = try Sender<Int>(toFanIn: "q", capacity: 4, options: names)
                for number in 0..<200 { try await sender.send(index * 1000 + number) }
                sender.close()
            }
        }
        var seen: [Int] = []
        while seen.count < 400 { if let number = try await receiver.receive(until: deadline) { seen.append(number) } }
        #expect(seen.filter { $0 < 1000 } == Array(0..<200))
        #expect(seen.filter { $0 >= 1000 } == Array(1000..<1200))
        for sender in senders { try await sender.value }
    }

    @Test("A wait set watches all lanes at once")
    func watched() throws {
        let receiver = try receiver()
        var set = WaitSet()
        let source = try receiver.add(to: &set)
        #expect(try set.poll().isEmpty)
        let (first, second) = (try sender(), try sender())
        for _ in 0..<3 {
            try first.send(1)
            #expect(try set.wait(until: deadline).map(\.source) == [source])
            #expect(try receiver.tryReceive() == 1)
            #expect(try set.poll().isEmpty)
            try second.send(2)
            #expect(try set.wait(until: deadline).map(\.source) == [source])
            #expect(try receiver.tryReceive() == 2)
        }
    }

    @Test("the queue's footprint is what its documentation says, and a lane's memory is had when it is claimed", arguments: [1, 16, 100])
    func footprint(_ lanes: Int) throws {
        func pages(_ bytes: Int) -> Int { (bytes + 4095) / 4096 * 4096 }
        let options = options { $0.maximumSenders = lanes }
        let receiver = try FanInByteReceiver(from: "q", options: options)
        let control = 4096 + pages((lanes + 8) * 128) + pages(512 + 1024 * lanes)
        let segment = receiver.segment
        #expect(segment.header.size == control + lanes * 65_536)
        func used() throws -> Int { try FileStatus(of: segment.file.descriptor).reservedBytes }
        #expect(try used() == control)
        let sender = try ByteSender(toFanIn: "q", options: options)
        #expect(try used() == control + 65_536)
        sender.close()
        let again = try ByteSender(toFanIn: "q", options: options)
        #expect(try used() <= control + 2 * 65_536)
        again.close()
    }
}
