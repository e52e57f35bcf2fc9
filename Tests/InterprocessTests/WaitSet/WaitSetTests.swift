import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

/// What a wait on a set came to, for sources of these names.
func told(_ events: [WaitSet.Event], _ names: [WaitSet.Source: String]) -> [String] {
    events.map { event in
        let name = names[event.source] ?? "?"
        switch event.condition {
        case .ready: return name
        case .expired(let times): return "\(name) \(times) times"
        case .closed: return "\(name) closed"
        case .damaged(let field): return "\(name) damaged \(field)"
        }
    }.sorted()
}

extension SyncSuite {
    @Suite("wait set") struct WaitSets {
        private func options(_ directory: TemporaryDirectory) -> QueueOptions { QueueOptions(directory: directory.objects) }

        @Test(
            "C9 what is ready and was not taken is reported again; what was taken is not; all that is ready is reported, first one, then another first"
        )
        func levels() throws {
            let directory = try TemporaryDirectory()
            let place = try WaitSetPlace(in: directory.objects)
            var sender = try Sender<UInt64>(to: "q", capacity: 2, options: options(directory))
            var receiver = try Receiver<UInt64>(from: "q", options: options(directory))
            var set = WaitSet()
            let listener = place.notifier.listen()
            let names = [
                set.add(receiver): "message", set.add(place.manual): "manual", set.add(place.automatic): "automatic",
                set.add(place.semaphore): "semaphore", set.add(listener): "notifier",
            ]
            #expect(try set.poll().isEmpty && set.count == 5)
            #expect(syncOutcome { "\(try set.wait(until: .after(.milliseconds(2))))" } == "deadline")
            try sender.send(1)
            try sender.send(2)
            for _ in 0..<2 { #expect(try told(set.wait(), names) == ["message"]) }
            #expect(try receiver.receive() == 1)
            #expect(try told(set.wait(), names) == ["message"])
            #expect(try receiver.receive() == 2)
            #expect(try set.poll().isEmpty)
            try place.manual.set()
            try place.automatic.set()
            try place.semaphore.signal(2)
            try place.notifier.notify(3)
            var firsts: Set<String> = []
            for _ in 0..<10 {
                let all = try set.wait()
                #expect(told(all, names) == ["automatic", "manual", "notifier", "semaphore"])
                firsts.insert(names[all[0].source] ?? "?")
            }
            #expect(firsts.count == 4, "\(firsts)")
            #expect(try place.automatic.tryWait() && place.semaphore.tryWait() && listener.poll().count == 1)
            #expect(try told(set.wait(), names) == ["manual", "semaphore"])
            try place.manual.reset()
            #expect(try place.semaphore.tryWait())
            #expect(try set.poll().isEmpty)
            // Who slept would have come through.
            try place.manual.set()
            try place.manual.reset()
            #expect(try told(set.wait(), names) == ["manual"])
            #expect(try set.poll().isEmpty)
        }

        @Test("C9 a source that was removed says nothing more, and its object can be closed; an empty set is not waited on for ever")
        func removal() throws {
            let directory = try TemporaryDirectory()
            let place = try WaitSetPlace(in: directory.objects)
            var set = WaitSet()
            let (first, second) = (set.add(place.semaphore), set.add(place.automatic))
            try place.semaphore.signal()
            try place.automatic.set()
            set.remove(first)
            #expect(!set.contains(first) && set.contains(second))
            #expect(try set.wait().map(\.source) == [second])
            set.remove(second)
            set.remove(second)
            #expect(syncOutcome { "\(try set.wait())" } == "impossible")
            #expect(syncOutcome { "\(try set.wait(until: .after(.milliseconds(1))))" } == "deadline")
        }

        @Test(
            "C9 ends of queues: told once, whoever closed; a next sender is watched as the one before; the own end that was closed says so",
            arguments: QueueOverflow.all)
        func ends(overflow: QueueOverflow) throws {
            let directory = try TemporaryDirectory()
            let options = QueueOptions(directory: directory.objects, overflow: overflow)
            var set = WaitSet()
            var receiver = try Receiver<UInt64>(from: "q", capacity: 500, options: options)
            let messages = set.add(receiver)
            for round in 0..<3 {
                var sender = try Sender<UInt64>(to: "q", options: options)
                try sender.send(contentsOf: ([1, 2, 3] as [UInt64]).span)
                // A part of the batch, which a queue that drops the oldest has copied, is still there.
                for number in 1...3 as ClosedRange<UInt64> {
                    #expect(try told(set.wait(until: patiently), [messages: "messages"]) == ["messages"])
                    #expect(try receiver.receive() == number, "round \(round)")
                }
                #expect(try set.poll().isEmpty)
                let room = set.add(roomIn: sender)
                sender.close()
                #expect(try told(set.wait(), [messages: "messages", room: "room"]) == ["messages", "room closed"])
                #expect(try told(set.wait(), [messages: "messages"]) == ["messages"])
                #expect(try receiver.receive() == nil)
                #expect(try set.poll().isEmpty, "the end was told")
            }
            receiver.close()
            #expect(try told(set.wait(), [messages: "messages"]) == ["messages closed"])
            #expect(set.count == 0)
        }

        @Test(
            "C9 room in a queue: reported when there is some, or when the receiver has closed; in one that drops, always",
            arguments: QueueOverflow.all)
        func room(overflow: QueueOverflow) throws {
            let directory = try TemporaryDirectory()
            let options = QueueOptions(directory: directory.objects, overflow: overflow)
            var sender = try ByteSender(to: "q", capacity: 3000, options: options)
            var receiver = try ByteReceiver(from: "q", options: options)
            var set = WaitSet()
            let (small, large) = (set.add(roomFor: 1, in: sender), set.add(roomFor: 3000, in: sender))
            let names = [small: "small", large: "large"]
            #expect(try told(set.wait(), names) == ["large", "small"])
            var sent = 0
            while overflow == .wait {
                do throws(SendError<Void>) { unsafe try sender.trySend([UInt8](repeating: 1, count: 500).span.bytes) } catch { break }
                sent += 1
            }
            if overflow != .wait { return }
            // Until there is not even room for one byte.
            while true { do throws(SendError<Void>) { unsafe try sender.trySend([1].span.bytes) } catch { break } }
            #expect(try set.poll().isEmpty)
            _ = try receiver.receive(until: .now) { _ in }
            #expect(try told(set.wait(), names) == ["small"])
            while let _ = try? receiver.tryReceive({ _ in }) {}
            #expect(try told(set.wait(), names) == ["large", "small"])
            for _ in 0..<sent { unsafe try? sender.trySend([UInt8](repeating: 1, count: 500).span.bytes) }
            receiver.close()
            #expect(try told(set.wait(), names) == ["large", "small"])
        }

        @Test("C9 timers: one that comes once is reported once; one that repeats says how often; the next one ends the wait")
        func timers() throws {
            var set = WaitSet()
            let once = set.add(timer: .after(.milliseconds(2))), never = set.add(timer: .never)
            let often = set.add(every: .milliseconds(1))
            var (times, onces) = (0, 0)
            let began = MonotonicInstant.now
            while times < 20 {
                for event in try set.wait(until: patiently) {
                    switch event.condition {
                    case .expired(let count) where event.source == often: times += count
                    case .expired(times: 1) where event.source == once: onces += 1
                    default: throw TestFailure("\(event)")
                    }
                }
            }
            #expect(onces == 1 && !set.contains(once) && set.contains(never))
            #expect(MonotonicInstant.now.nanoseconds(since: began) >= 19_000_000)
            sleepThread(for: .milliseconds(5))
            guard case .expired(let missed)? = try set.poll().first?.condition else { throw TestFailure("nothing came") }
            #expect(missed >= 4, "several are one report")
        }

        @Test("C9 descriptors: readable, writable, hung up, closed; among other sources")
        func descriptors() throws {
            let directory = try TemporaryDirectory()
            let place = try WaitSetPlace(in: directory.objects)
            var set = WaitSet()
            let pipe = try Pipe()
            let (reading, writing) = (
                try set.add(pipe.reading.descriptor, for: .reading), try set.add(pipe.writing.descriptor, for: .writing)
            )
            let names = [reading: "reading", writing: "writing", set.add(place.semaphore): "semaphore"]
            #expect(try told(set.wait(), names) == ["writing"])
            set.remove(writing)
            for round in 0..<50 {
                // While it sleeps, and before.
                let writer = pipe.writing.descriptor
                let thread = try TestThread {
                    if round % 2 == 0 { sleepThread(for: .microseconds(300)) }
                    try writer.writeAll([1])
                    return true
                }
                #expect(try told(set.wait(until: patiently), names) == ["reading"])
                #expect(try told(set.wait(until: patiently), names) == ["reading"], "it was not read")
                _ = try thread.join()
                var byte: UInt8 = 0
                _ = unsafe try withUnsafeMutableBytes(of: &byte) { unsafe try pipe.reading.descriptor.read(into: $0) }
                try place.semaphore.signal()
                #expect(try told(set.wait(until: patiently), names) == ["semaphore"])
                #expect(try place.semaphore.tryWait())
                #expect(try set.poll().isEmpty)
            }
            let wrong = try set.add(FileDescriptor(rawValue: 987_654), for: .reading)
            #expect(try told(set.wait(), [wrong: "wrong"]) == ["wrong closed"])
            let other = try Pipe()
            let copy = OwnedDescriptor(owning: try other.reading.descriptor.duplicate())
            let end = try set.add(copy.descriptor, for: .reading)
            #expect(try set.poll().isEmpty)
            hangUp(other)
            #expect(try set.wait(until: patiently).map(\.source) == [end], "nobody can write any more")
            set.remove(end)
            _ = consume copy
        }

        private func hangUp(_ pipe: consuming Pipe) {}
    }
}

extension QueueOverflow {
    static let all: [QueueOverflow] = [.wait, .dropNewest, .dropOldest]
}
