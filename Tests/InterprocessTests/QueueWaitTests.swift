import Interprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import Testing

extension QueueSuite {
    @Suite("waiting") struct Waiting {
        @Test("C3 a call that waits gives up at its deadline, on an empty and on a full queue", arguments: WaitStrategy.allCases)
        func deadlines(strategy: WaitStrategy) throws {
            let scratch = try Scratch()
            defer { scratch.removeNames() }
            var sender = try Sender<UInt64>(to: "q", capacity: 1, options: scratch.options, strategy: strategy)
            var receiver = try Receiver<UInt64>(from: "q", options: scratch.options, strategy: strategy)
            for delay in [Duration.zero, .milliseconds(-5), .milliseconds(20)] {
                let start = MonotonicInstant.now
                expectNotReceived(.deadline) { () throws(ReceiveError) in _ = try receiver.receive(until: .after(delay)) }
                let took = MonotonicInstant.now.nanoseconds(since: start)
                #expect(took >= 19_000_000 || delay < .milliseconds(20))
                #expect(took < 60_000_000_000)
            }
            expectNotReceived(.deadline) { () throws(ReceiveError) in _ = try receiver.receiveBatch(until: .now) { _ in } }
            while sendFailure({ () throws(SendError<UInt64>) in try sender.trySend(1) }) == nil {}
            let start = MonotonicInstant.now
            expectNotSent(.deadline) { () throws(SendError<UInt64>) in try sender.send(1, until: .after(.milliseconds(20))) }
            expectNotSent(.deadline) { () throws(SendError<Void>) in _ = try sender.publish(upTo: 1, until: .now) { _ in } }
            let took = MonotonicInstant.now.nanoseconds(since: start)
            #expect(took >= 19_000_000 && took < 60_000_000_000)
        }

        @Test(
            "C3 both sides wait for each other through an almost empty and an almost full queue", arguments: WaitStrategy.allCases, [1, 64])
        func pingPong(strategy: WaitStrategy, capacity: Int) throws {
            let scratch = try Scratch()
            let path = scratch.path
            let count: UInt64 = strategy == .spin ? 300 : 3000
            let thread = try TestThread { () -> UInt64 in
                let options = QueueOptions(directory: ObjectDirectory(at: FilePath(path)))
                var receiver = try Receiver<Numbered>(from: "there", capacity: capacity, options: options, strategy: strategy)
                var sender = try Sender<UInt64>(to: "back", capacity: capacity, options: options, strategy: strategy)
                var sum: UInt64 = 0
                while let message = try receiver.receive(until: soon) {
                    guard message.isWhole(sum) else { throw TestFailure("message \(sum) is not whole") }
                    sum += 1
                    try sender.send(sum, until: soon)
                }
                return sum
            }
            var sender = try Sender<Numbered>(to: "there", capacity: capacity, options: scratch.options, strategy: strategy)
            var receiver = try Receiver<UInt64>(from: "back", capacity: capacity, options: scratch.options, strategy: strategy)
            for number in 0..<count {
                try sender.send(Numbered(number), until: soon)
                let answer = try receiver.receive(until: soon)
                #expect(answer == number + 1)
            }
            sender.close()
            #expect(try thread.join() == count)
            let end = try receiver.receive(until: soon)
            #expect(end == nil)
        }

        @Test("C3 a stream through a small queue: the sender is held back, and nothing is lost", arguments: WaitStrategy.allCases)
        func backpressure(strategy: WaitStrategy) throws {
            let scratch = try Scratch()
            let path = scratch.path
            let count: UInt64 = strategy == .spin ? 2000 : 30_000
            let thread = try TestThread { () -> UInt64 in
                let options = QueueOptions(directory: ObjectDirectory(at: FilePath(path)))
                var receiver = try ByteReceiver(from: "q", capacity: 2000, options: options, strategy: strategy)
                var next: UInt64 = 0
                while true {
                    guard let isWhole = try receiver.receive(until: soon, { NumberedBytes.isWhole($0, next, limit: 2000) }) else {
                        return next
                    }
                    guard isWhole.get() else { throw TestFailure("message \(next) is not whole") }
                    next += 1
                }
            }
            var sender = try ByteSender(to: "q", capacity: 2000, options: scratch.options, strategy: strategy)
            for number in 0..<count {
                _ = try sender.publish(byteCount: NumberedBytes.size(number, limit: 2000), until: soon) { NumberedBytes.fill(&$0, number) }
            }
            sender.close()
            #expect(try thread.join() == count)
        }

        @Test("C3 waiting for the other side to join") func joining() throws {
            let scratch = try Scratch()
            let path = scratch.path
            var sender = try Sender<UInt64>(to: "q", options: scratch.options)
            #expect(sender.waitForReceiver(until: .now) == false)
            #expect(sender.waitForReceiver(until: .after(.milliseconds(5))) == false)
            let thread = try TestThread { () -> UInt64? in
                var receiver = try Receiver<UInt64>(from: "q", options: QueueOptions(directory: ObjectDirectory(at: FilePath(path))))
                guard receiver.waitForSender(until: soon) else { throw TestFailure("the sender is there") }
                return try receiver.receive(until: soon)
            }
            let isThere = sender.waitForReceiver(until: soon)
            #expect(isThere)
            try sender.send(7)
            #expect(try thread.join() == 7)
            sender.close()
            var receiver = try Receiver<UInt64>(from: "q2", options: scratch.options)
            #expect(receiver.waitForSender(until: .after(.milliseconds(5))) == false)
            let other = try TestThread {
                sleepThread(for: .milliseconds(20))
                var sender = try Sender<UInt64>(to: "q2", options: QueueOptions(directory: ObjectDirectory(at: FilePath(path))))
                try sender.send(1)
            }
            let came = receiver.waitForSender(until: soon)
            #expect(came)
            let one = try receiver.receive(until: soon)
            #expect(one == 1)
            try other.join()
        }

        @Test(
            "C1 a value is read before its place is given back: large ones through a full queue", arguments: [WaitStrategy.spin, .adaptive])
        func readBeforeTaken(strategy: WaitStrategy) throws {
            let scratch = try Scratch()
            let path = scratch.path
            let count: UInt64 = strategy == .spin ? 1000 : 6000
            let thread = try TestThread { () -> UInt64 in
                let options = QueueOptions(directory: ObjectDirectory(at: FilePath(path)))
                var receiver = try Receiver<Large>(from: "q", capacity: 1, options: options, strategy: strategy)
                var next: UInt64 = 0
                while let message = try receiver.receive(until: soon) {
                    for index in message.words.indices where message.words[index] != next {
                        throw TestFailure("message \(next) has \(message.words[index]) at \(index)")
                    }
                    next += 1
                }
                return next
            }
            var sender = try Sender<Large>(to: "q", capacity: 1, options: scratch.options, strategy: strategy)
            for number in 0..<count { try sender.send(Large(words: InlineArray(repeating: number)), until: soon) }
            sender.close()
            #expect(try thread.join() == count)
        }
    }
}

private struct Large: Shareable {
    var words: InlineArray<500, UInt64>
}
