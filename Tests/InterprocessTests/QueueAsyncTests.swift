import Interprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

extension QueueSuite {
    @Suite("async") struct Async {
        @Test("C3 sending and receiving without blocking a thread, on any executor and on the library's own", arguments: [false, true])
        func stream(onOwnExecutor: Bool) async throws {
            let scratch = try Scratch()
            let options = scratch.options
            let executor: (any TaskExecutor)? = onOwnExecutor ? InterprocessExecutor.shared : nil
            let count: UInt64 = 3000
            let sending = Task(executorPreference: executor) {
                var sender = try Sender<Numbered>(to: "q", capacity: 16, options: options)
                for number in 0..<count { try await sender.send(Numbered(number), until: soon) }
            }
            let receiving = Task(executorPreference: executor) { () -> UInt64 in
                var receiver = try Receiver<Numbered>(from: "q", capacity: 16, options: options)
                var next: UInt64 = 0
                while let message = try await receiver.receive(until: soon) {
                    guard message.isWhole(next) else { throw TestFailure("instead of message \(next): \(message)") }
                    next += 1
                }
                return next
            }
            try await sending.value
            #expect(try await receiving.value == count)
        }

        @Test("C3 P1 a task that yields without end on the library's executor holds up neither messages nor deadlines of others")
        func yielding() async throws {
            let scratch = try Scratch()
            let options = scratch.options
            let (began, hasMessage, isOver) = (Flag(), Flag(), Flag())
            let yielding = Task(executorPreference: InterprocessExecutor.shared) {
                let end = Deadline.after(.seconds(20))
                while !isOver.isRaised, !end.hasPassed {
                    await Task.yield()
                    began.raise()
                }
                return isOver.isRaised
            }
            try await eventually("it yields") { began.isRaised }
            let receiving = Task {
                defer { isOver.raise() }
                var receiver = try Receiver<Numbered>(from: "q", options: options)
                _ = try await receiver.receive(until: soon)
                hasMessage.raise()
                do throws(ReceiveError) {
                    _ = try await receiver.receive(until: .after(.milliseconds(5)))
                    Issue.record("there was a second message")
                } catch { #expect(error == .deadline) }
            }
            var sender = try Sender<Numbered>(to: "q", options: options)
            try await Task.sleep(for: .milliseconds(20))
            try sender.trySend(Numbered(1))
            try await receiving.value
            #expect(hasMessage.isRaised)
            #expect(await yielding.value, "the others waited until it ended")
        }

        @Test("C3 byte messages, asynchronously") func bytes() async throws {
            let scratch = try Scratch()
            let options = scratch.options
            let sending = Task {
                var sender = try ByteSender(to: "q", capacity: 3000, options: options)
                for number in 0..<UInt64(500) { try await sender.send(NumberedBytes.make(number, limit: 3000), until: soon) }
            }
            var receiver = try ByteReceiver(from: "q", capacity: 3000, options: options)
            for number in 0..<UInt64(100) {
                let message = try await receiver.receive(until: soon)
                #expect(message == NumberedBytes.make(number, limit: 3000))
            }
            var next: UInt64 = 100
            for try await message in receiver.messages() {
                #expect(message == NumberedBytes.make(next, limit: 3000))
                next += 1
            }
            try await sending.value
            #expect(next == 500)
        }

        @Test("C3 messages() ends when the sender closes, and throws when it has died") func sequence() async throws {
            let scratch = try Scratch()
            let server = try PeerServer()
            for dies in [false, true] {
                let receiver = try Receiver<Numbered>(from: "q", options: scratch.options)
                let pid = try server.start(["queue-hold", dies ? "die" : "leave", scratch.path, "20"])
                let first = receiver.nextSequence
                let (next, failure) = await Self.collect(receiver.messages(), from: first)
                #expect(next == first + 20)
                if dies {
                    guard case .peerDied(let notice)? = failure else { throw TestFailure("\(String(describing: failure))") }
                    #expect(notice.pid == pid)
                } else {
                    #expect(failure == nil)
                }
                _ = try server.wait(pid, watchdog)
            }
        }

        private static func collect(_ messages: some AsyncSequence<Numbered, ReceiveError>, from first: UInt64) async -> (
            next: UInt64, failure: ReceiveError?
        ) {
            var next = first
            do throws(ReceiveError) {
                for try await message in messages {
                    #expect(message.isWhole(next))
                    next += 1
                }
                return (next, nil)
            } catch {
                return (next, error)
            }
        }

        @Test("C3 L4 deadlines and cancellation end a suspended call at once", arguments: [false, true]) func giveUp(onOwnExecutor: Bool)
            async throws
        {
            let scratch = try Scratch()
            let options = scratch.options
            let executor: (any TaskExecutor)? = onOwnExecutor ? InterprocessExecutor.shared : nil
            let start = MonotonicInstant.now
            try await Task(executorPreference: executor) {
                var receiver = try Receiver<UInt64>(from: "q", options: options)
                var sender = try Sender<UInt64>(to: "q", options: options)
                for deadline in [Deadline.now, .after(.milliseconds(20))] {
                    do throws(ReceiveError) {
                        _ = try await receiver.receive(until: deadline)
                        Issue.record("something came")
                    } catch { #expect(error == .deadline) }
                }
                do {
                    while true { try await sender.send(1, until: .after(.milliseconds(20))) }
                } catch let error as SendError<UInt64> { #expect(error.reason == .deadline) }
                while try receiver.tryReceive() != nil {}
            }.value
            #expect(MonotonicInstant.now.nanoseconds(since: start) >= 39_000_000)

            for isReceiver in [true, false] {
                let record = try QueueRecord.create(in: options.directory)
                let task = Task(executorPreference: executor) { () -> String in
                    do {
                        if isReceiver {
                            var receiver = try Receiver<UInt64>(from: "q", options: options)
                            record[.ready] = 1
                            _ = try await receiver.receive()
                        } else {
                            var sender = try Sender<UInt64>(to: "full", options: options)
                            record[.ready] = 1
                            while true { try await sender.send(1) }
                        }
                        return "done"
                    } catch {
                        return "\(error)"
                    }
                }
                while record[.ready] == 0 { try await Task.sleep(for: .milliseconds(1)) }
                try await Task.sleep(for: .milliseconds(20))
                task.cancel()
                let outcome = await task.value
                #expect(outcome.contains("the task was cancelled"), "\(outcome)")
            }
            scratch.removeNames()
        }

        @Test("C3 a hundred queues are waited for at once, more than one call of the kernel takes") func many() async throws {
            let scratch = try Scratch()
            let options = scratch.options
            let count = 100
            let senders = try (0..<count).map { try KeptSender(to: ObjectName("q\($0)"), options) }
            let sum = try await withThrowingTaskGroup(of: UInt64.self) { group in
                for number in 0..<count {
                    group.addTask {
                        var receiver = try Receiver<UInt64>(from: try ObjectName("q\(number)"), options: options)
                        var sum: UInt64 = 0
                        while let message = try await receiver.receive(until: .after(watchdog)) { sum += message }
                        return sum
                    }
                }
                // All are asleep by then; then each is woken, in another order each time.
                var random = SeededRandom.forTest(31)
                for _ in 0..<4 {
                    try await Task.sleep(for: .milliseconds(50))
                    for number in (0..<count).shuffled(using: &random) { try await senders[number].send(UInt64(number)) }
                }
                for number in (0..<count).shuffled(using: &random) { senders[number].close() }
                var sum: UInt64 = 0
                while let one = try await group.next() { sum += one }
                return sum
            }
            #expect(sum == 4 * UInt64((0..<count).reduce(0, +)))
        }
    }
}

/// A sender that can stand in an array.
private final class KeptSender {
    private var sender: Sender<UInt64>?

    init(to name: ObjectName, _ options: QueueOptions) throws { sender = try Sender(to: name, capacity: 8, options: options) }

    func send(_ number: UInt64) async throws { try await sender?.send(number, until: soon) }

    func close() { sender = nil }
}
