import Interprocess
import QueueTestSupport
import SystemPackage
import Testing

extension QueueSuite {
    @Suite("batches") struct Batches {
        @Test("C2 one record of a batch is received singly, in parts, and to its end") func parts() throws {
            let scratch = try Scratch()
            var sender = try Sender<UInt32>(to: "q", capacity: 1000, options: scratch.options)
            var receiver = try Receiver<UInt32>(from: "q", options: scratch.options)
            let sent = try sender.trySend(contentsOf: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].span)
            try sender.send(10)
            #expect(sent == 10)
            #expect(sender.nextSequence == 11)
            let first = try receiver.receive()
            #expect(first == 0)
            let part = try receiver.receiveBatch(upTo: 4) { all(of: $0) }
            #expect(part?.get() == [1, 2, 3, 4])
            #expect(receiver.nextSequence == 5)
            let single = try receiver.tryReceive()
            #expect(single == 5)
            let rest = try receiver.receiveBatch { all(of: $0) }
            #expect(rest?.get() == [6, 7, 8, 9])  // never beyond the record
            let last = try receiver.receiveBatch { all(of: $0) }
            #expect(last?.get() == [10])
        }

        @Test("C2 an error in the body leaves the messages") func bodyThrows() throws {
            let scratch = try Scratch()
            var sender = try Sender<UInt32>(to: "q", options: scratch.options)
            var receiver = try Receiver<UInt32>(from: "q", options: scratch.options)
            try sender.send(contentsOf: [1, 2, 3].span)
            for _ in 0..<3 {
                let result = try receiver.receiveBatch(upTo: 2) { (_) throws(TestFailure) in throw TestFailure("no") }
                if case .failure? = result {} else { Issue.record("the error did not come out") }
            }
            #expect(receiver.nextSequence == 0)
            receiver.close()
            var next = try Receiver<UInt32>(from: "q", options: scratch.options)
            let found = try next.receiveBatch { all(of: $0) }
            #expect(found?.get() == [1, 2, 3])
        }

        @Test("C2 the rest of a batch is there for the next receiver, at the right number") func restOfBatch() throws {
            let scratch = try Scratch()
            defer { scratch.removeNames() }
            var sender = try Sender<UInt32>(to: "q", options: scratch.options)
            var receiver = try Receiver<UInt32>(from: "q", options: scratch.options)
            try sender.send(contentsOf: [1, 2, 3, 4, 5].span)
            _ = try receiver.receiveBatch(upTo: 2) { _ in }
            receiver.close()
            receiver = try Receiver<UInt32>(from: "q", options: scratch.options)
            #expect(receiver.nextSequence == 2)
            let three = try receiver.receive()
            #expect(three == 3)
            receiver.close()
            receiver = try Receiver<UInt32>(from: "q", options: scratch.options)
            let rest = try receiver.receiveBatch { all(of: $0) }
            #expect(rest?.get() == [4, 5])
            // And a sender that joins in the middle of a batch finds the end.
            try sender.send(contentsOf: [6, 7, 8].span)
            _ = try receiver.receiveBatch(upTo: 1) { _ in }
            sender.close()
            sender = try Sender<UInt32>(to: "q", options: scratch.options)
            #expect(sender.nextSequence == 8)
            try sender.send(9)
            let two = try receiver.receiveBatch { all(of: $0) }
            #expect(two?.get() == [7, 8])
        }

        @Test("C2 publish(upTo:) sends what the body appended, in place") func publish() throws {
            let scratch = try Scratch()
            var sender = try Sender<UInt64>(to: "q", capacity: 64, options: scratch.options)
            var receiver = try Receiver<UInt64>(from: "q", options: scratch.options)
            let result = try sender.publish(upTo: 10) { span in
                for number in 0..<7 { span.append(UInt64(number)) }
                return "done"
            }
            #expect(result.get() == "done")
            let found = try receiver.receiveBatch { all(of: $0) }
            #expect(found?.get() == [0, 1, 2, 3, 4, 5, 6])
            _ = try sender.publish(upTo: 5) { _ in }
            let failed = try sender.publish(upTo: 5) { (span) throws(TestFailure) in
                span.append(99)
                throw TestFailure("no")
            }
            if case .failure = failed {} else { Issue.record("the error did not come out") }
            #expect(sender.nextSequence == 7)
            let nothing = try receiver.tryReceive()
            #expect(nothing == nil)
            let tooMany = sendFailure { () throws(SendError<Void>) in _ = try sender.publish(upTo: 1 << 20) { _ in } }
            if case .tooLarge? = tooMany {} else { Issue.record("\(String(describing: tooMany))") }
            try sender.send(7)
            let seven = try receiver.receive()
            #expect(seven == 7)
        }

        @Test("C3 more than fits is sent in pieces, and says how much was sent") func pieces() throws {
            let scratch = try Scratch()
            let name = scratch.path
            var sender = try Sender<UInt64>(to: "q", capacity: 32, options: scratch.options)
            let numbers = (0..<20_000).map { UInt64($0) }
            do throws(SendError<Int>) {
                try sender.send(contentsOf: numbers.span, until: .after(.milliseconds(5)))
                Issue.record("everything found room")
            } catch {
                #expect(error.reason == .deadline)
                #expect(UInt64(error.message) == sender.nextSequence)
                #expect(error.message >= 32)
            }
            let start = Int(sender.nextSequence)
            let thread = try TestThread { () -> Bool in
                var receiver = try Receiver<UInt64>(from: "q", options: QueueOptions(directory: ObjectDirectory(at: .init(name))))
                var next: UInt64 = 0
                while let number = try receiver.receive(until: soon) {
                    guard number == next else { return false }
                    next += 1
                }
                return next == 20_000
            }
            let rest = Array(numbers[start...])
            try sender.send(contentsOf: rest.span, until: soon)
            sender.close()
            #expect(try thread.join())
        }
    }
}

func all<Element: BitwiseCopyable>(of span: Span<Element>) -> [Element] {
    var elements: [Element] = []
    for index in span.indices { elements.append(span[index]) }
    return elements
}
