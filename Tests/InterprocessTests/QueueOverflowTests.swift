import InterprocessSystem
import QueueTestSupport
import Synchronization
import TestSupport
import Testing

@testable import Interprocess

extension QueueSuite {
    @Suite("overflow") struct Overflow {
        private func options(_ scratch: borrowing Scratch, _ overflow: QueueOverflow?) -> QueueOptions {
            QueueOptions(directory: scratch.directory, overflow: overflow)
        }

        @Test("C3 a queue that drops the newest keeps the oldest without gaps, and counts the rest") func newest() throws {
            let scratch = try Scratch()
            var sender = try Sender<Numbered>(to: "q", capacity: 10, options: options(scratch, .dropNewest))
            var receiver = try Receiver<Numbered>(from: "q", options: options(scratch, nil))
            for _ in 0..<1000 { try sender.send(Numbered(sender.nextSequence)) }
            let kept = sender.nextSequence
            #expect(kept >= 10 && kept < 1000)
            #expect(sender.dropped == 1000 - kept && receiver.dropped == 1000 - kept)
            #expect(sender.waiting == kept && receiver.waiting == kept)
            // Calls that hand the message back say so, and count nothing.
            expectNotSent(.full) { () throws(SendError<Numbered>) in try sender.trySend(Numbered(0)) }
            expectNotSent(.full) { () throws(SendError<Void>) in _ = try sender.publish(upTo: 1) { $0.append(Numbered(0)) } }
            #expect(sender.dropped == 1000 - kept)
            for number in 0..<5 {
                let message = try receiver.receive()
                #expect(message?.isWhole(UInt64(number)) == true)
            }
            // A batch of which some have room.
            let batch = (0..<20).map { Numbered(kept + $0) }
            try sender.send(contentsOf: batch.span)
            // One record has one header.
            let end = sender.nextSequence
            #expect((kept + 5...kept + 7).contains(end) && sender.dropped == 1000 - kept + 20 - (end - kept))
            #expect(sender.overflow == .dropNewest && receiver.overflow == .dropNewest)
            for number in 5..<end {
                let message = try receiver.receive()
                #expect(message?.isWhole(number) == true)
            }
            let statistics = try QueueInspection.validate(receiver.segment)
            #expect(statistics.sent == end && statistics.received == end && statistics.waiting == 0)
            #expect(statistics.dropped == sender.dropped)
        }

        @Test("C3 a queue that drops the newest: bytes, and asynchronously") func newestBytes() async throws {
            let scratch = try Scratch()
            var sender = try ByteSender(to: "q", capacity: 100, options: options(scratch, .dropNewest))
            let message = [UInt8](repeating: 7, count: 1000)
            var sent = 0
            while sender.dropped == 0 {
                if sent % 2 == 0 { unsafe try sender.send(message.span.bytes) } else { try await sender.send(message) }
                sent += 1
            }
            try await sender.send(message)
            #expect(sender.dropped == 2 && sender.nextSequence == UInt64(sent - 1) && sent > 3)
            expectNotSent(.full) { () throws(SendError<Void>) in unsafe try sender.trySend(message.span.bytes) }
            expectNotSent(.full) { () throws(SendError<Void>) in _ = try sender.publish(byteCount: 1000) { _ in } }
            expectNotSent(.full) { () throws(SendError<Void>) in try sender.reserve(byteCount: 1000).publish() }
            #expect(sender.dropped == 2)
            scratch.removeNames()
        }

        @Test("C3 a queue that drops the oldest keeps the newest: the numbers show the gap, and it is counted", arguments: [1, 10, 300])
        func oldest(capacity: Int) throws {
            let scratch = try Scratch()
            var sender = try Sender<Numbered>(to: "q", capacity: capacity, options: options(scratch, .dropOldest))
            var receiver = try Receiver<Numbered>(from: "q", options: options(scratch, nil))
            var received: UInt64 = 0
            var random = SeededRandom.forTest(UInt64(capacity))
            for round in 0..<20 {
                let count = Int.random(in: 1...3 * capacity + 200, using: &random)
                let before = receiver.nextSequence
                for _ in 0..<count { try sender.send(Numbered(sender.nextSequence), until: .now) }
                var numbers: [UInt64] = []
                while let message = try receiver.tryReceive() {
                    #expect(message.isWhole(receiver.nextSequence - 1))
                    numbers.append(message.number)
                }
                received += UInt64(numbers.count)
                #expect(numbers.last == sender.nextSequence - 1 && numbers.count >= min(count, capacity), "round \(round)")
                #expect(numbers == Array(numbers[0]...numbers[numbers.count - 1]) && numbers[0] >= before)
                #expect(sender.dropped == sender.nextSequence - received && receiver.dropped == sender.dropped)
                let statistics = try QueueInspection.validate(receiver.segment)
                #expect(statistics.received == received && statistics.dropped == receiver.dropped && statistics.waiting == 0)
            }
            #expect(receiver.dropped > 0)
        }

        @Test("C3 batches in a queue that drops the oldest are dropped, or received, as a whole") func batches() throws {
            let scratch = try Scratch()
            var sender = try Sender<Numbered>(to: "q", capacity: 100, options: options(scratch, .dropOldest))
            var receiver = try Receiver<Numbered>(from: "q", options: options(scratch, .dropOldest))
            for _ in 0..<100 {
                let batch = (0..<7).map { Numbered(sender.nextSequence + $0) }
                try sender.send(contentsOf: batch.span)
            }
            var count: UInt64 = 0
            // One of a batch, the rest of it in place, and so on.
            while let first = try receiver.tryReceive() {
                #expect(first.number % 7 == 0 && first.isWhole(receiver.nextSequence - 1))
                #expect(receiver.waiting == 700 - receiver.nextSequence && sender.waiting == receiver.waiting - 6)
                let rest = try receiver.receiveBatch { span in
                    span.indices.allSatisfy { span[$0].isWhole(first.number + 1 + UInt64($0)) } ? span.count : 0
                }
                #expect(rest?.get() == 6)
                count += 7
            }
            #expect(receiver.nextSequence == 700 && receiver.dropped == 700 - count && count >= 98)
        }

        @Test("C3 bytes in a queue that drops the oldest; a body that throws sees the message again") func oldestBytes() throws {
            let scratch = try Scratch()
            var sender = try ByteSender(to: "q", capacity: 5000, options: options(scratch, .dropOldest))
            var receiver = try ByteReceiver(from: "q", options: options(scratch, .dropOldest))
            let limit = sender.maximumMessageSize
            for number in 0..<500 { try sender.send(NumberedBytes.make(UInt64(number), limit: limit)) }
            struct Refusal: Error {}
            let refused = try receiver.receive { (_) throws(Refusal) in throw Refusal() }
            guard case .failure? = refused else { throw TestFailure("the body's error got lost") }
            let first = receiver.nextSequence
            // Meanwhile the sender goes on.
            for number in 500..<1000 { try sender.send(NumberedBytes.make(UInt64(number), limit: limit)) }
            var count: UInt64 = 0
            while let message = try receiver.tryReceive({ bytes in unsafe bytes.withUnsafeBytes { unsafe Array($0) } })?.get() {
                #expect(unsafe NumberedBytes.isWhole(message.span.bytes, receiver.nextSequence - 1, limit: limit))
                if count == 0 { #expect(receiver.nextSequence == first + 1) }
                count += 1
            }
            #expect(receiver.nextSequence == 1000 && receiver.dropped == 1000 - count)
        }

        @Test(
            "C3 a sender that drops never waits, whatever the receiver does; all that is not received is counted",
            arguments: [64, 4096, 300_000])
        func race(size: Int) async throws {
            let scratch = try Scratch()
            let options = options(scratch, .dropOldest)
            let path = scratch.directory
            var receiver = try ByteReceiver(from: "q", capacity: 4 * size, options: options)
            let messages: UInt64 = size > 100_000 ? 3_000 : 100_000
            // In a thread of its own: the tasks' threads may all be taken by tests that block.
            let sent = Lock<Result<Void, any Error>?>(nil)
            try startServiceThread(named: "sender") {
                let result = Result {
                    var sender = try ByteSender(to: "q", options: QueueOptions(directory: path))
                    for number in 0..<messages {
                        _ = try sender.publish(byteCount: size, until: .now) { fill(&$0, UInt8(truncatingIfNeeded: number)) }
                    }
                }
                sent.withLock { $0 = result }
            }
            var received: UInt64 = 0
            var last: UInt64?
            while let result = try receiver.receive(until: .after(.seconds(60)), content) {
                let number = receiver.nextSequence - 1
                let isWhole = result.get() == UInt8(truncatingIfNeeded: number)
                #expect(isWhole && last.map { number > $0 } ?? true)
                if !isWhole { break }
                last = number
                received += 1
            }
            try await eventually("the sender's end") { sent.withLock { $0 != nil } }
            try sent.withLock { $0 }?.get()
            #expect(last == messages - 1 && received + receiver.dropped == messages && received > 0)
            print("dropping \(size) bytes: \(received) of \(messages) received")
        }

        @Test("C3 L2 a sender's death is told though the record that says so was dropped") func death() throws {
            let scratch = try Scratch()
            let options = options(scratch, .dropOldest)
            var receiver = try Receiver<UInt64>(from: "q", capacity: 10, options: options)
            let server = try PeerServer()
            let victim = try server.start(["send-and-die", scratch.path, "q"])
            #expect(try server.wait(victim, watchdog) == "signalled 9")
            var sender = try Sender<UInt64>(to: "q", options: options)
            for number in 0..<10_000 { try sender.send(UInt64(number)) }
            var died = 0
            var messages = 0
            while messages < 1 || receiver.nextSequence < 10_001 {
                do {
                    if try receiver.receive(until: soon) != nil { messages += 1 }
                } catch {
                    guard case .peerDied(let notice) = error, notice.pid == victim else { throw error }
                    died += 1
                }
            }
            #expect(died == 1 && messages + Int(receiver.dropped) == 10_001)
        }

        @Test("C3 a sender that waits until all was taken is woken also by what is taken that is no message") func woken() async throws {
            let scratch = try Scratch()
            let options = options(scratch, .dropOldest)
            var receiver = try ByteReceiver(from: "q", capacity: 100, options: options)
            var first = try ByteSender(to: "q", options: options)
            try await first.send([1])
            _ = try await receiver.receive(until: soon)
            first.close()
            let waited = Lock<Result<Void, any Error>?>(nil)
            // In a thread of its own: the tasks' threads may all be taken by tests that block.
            try startServiceThread(named: "sender") {
                let result = Result {
                    // Its session begins with a record that says how the one before ended.
                    var sender = try ByteSender(to: "q", options: options, strategy: .park)
                    try sender.waitUntilReceived(until: .after(watchdog))
                }
                waited.withLock { $0 = result }
            }
            let words = QueueWords(receiver.segment.mapping)
            try await eventually("it sleeps") { words.senderFlags.loadAcquire() & WaitFlags.sleeping != 0 }
            let end = try await receiver.receive(until: soon)
            #expect(end == nil)
            try await eventually("it wakes") { waited.withLock { $0 != nil } }
            try waited.withLock { $0 }?.get()
            // Open until here: its closing would have woken the sender too.
            receiver.close()
        }

        @Test("N4 a queue that does something else when it is full is refused") func mismatch() throws {
            let scratch = try Scratch()
            let sender = try Sender<UInt64>(to: "q", options: options(scratch, .dropOldest))
            let error = openFailure { () throws(InterprocessError) in
                _ = try Receiver<UInt64>(from: "q", options: options(scratch, .wait))
            }
            #expect(error?.code == .overflowMismatch)
            #expect(error?.description.contains("drops the oldest") == true, "\(String(describing: error))")
            sender.close()
        }
    }
}

private func fill(_ bytes: inout MutableRawSpan, _ byte: UInt8) {
    unsafe bytes.withUnsafeMutableBytes { unsafe _ = $0.initializeMemory(as: UInt8.self, repeating: byte) }
}

/// The byte that all are; nil if they differ.
private func content(_ bytes: RawSpan) -> UInt8? {
    unsafe bytes.withUnsafeBytes { bytes in
        guard let first = unsafe bytes.first else { return nil }
        return unsafe bytes.allSatisfy { $0 == first } ? first : nil
    }
}
