import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

/// What cannot be in an array.
private final class Receiving {
    var receiver: Receiver<UInt64>
    init(_ index: Int, in directory: ObjectDirectory) throws {
        receiver = try Receiver(from: WaitSetPlace.name(index), capacity: 16, options: QueueOptions(directory: directory))
    }
}

/// The side of the steps that waits on a set, and takes what it is told of.
private struct StepTaker: ~Copyable {
    var set: WaitSet
    var values: Receiver<UInt64>
    var bytes: ByteReceiver
    var dropping: Receiver<UInt64>
    var room: Sender<UInt64>
    let listener: SharedNotifier.Listener
    let place: WaitSetPlace
    let pipe: FileDescriptor
    private let sources: [WaitSet.Source: WaitSetPlace.Step]

    init(_ directory: ObjectDirectory, _ pipe: FileDescriptor, _ strategy: WaitStrategy) throws {
        let options = QueueOptions(directory: directory)
        var set = WaitSet(strategy: strategy)
        let place = try WaitSetPlace(in: directory)
        let values = try Receiver<UInt64>(from: "values", options: options)
        let bytes = try ByteReceiver(from: "bytes", options: options)
        let dropping = try Receiver<UInt64>(
            from: "dropping", capacity: 4, options: QueueOptions(directory: directory, overflow: .dropOldest))
        var room = try Sender<UInt64>(to: "room", capacity: WaitSetPlace.capacity, options: options)
        while (try? room.trySend(1)) != nil {}
        let listener = place.notifier.listen()
        let input = try set.add(pipe, for: .reading)
        sources = [
            set.add(values): .value, set.add(bytes): .bytes, set.add(dropping): .drop, set.add(place.manual): .manual,
            set.add(place.automatic): .automatic, set.add(place.semaphore): .semaphore, set.add(listener): .notifier, input: .pipe,
            set.add(roomIn: room): .room,
        ]
        (self.listener, self.place, self.pipe) = (listener, place, pipe)
        self.set = set
        self.values = values
        self.bytes = bytes
        self.dropping = dropping
        self.room = room
    }

    mutating func waitBlocking() throws -> [WaitSet.Event] { try set.wait(until: patiently) }
    mutating func wait(isAsynchronous: Bool) async throws -> [WaitSet.Event] {
        if isAsynchronous { return try await set.wait(until: patiently) }
        return try waitBlocking()
    }

    /// Takes one of what the set has told of; nil if it came to nothing.
    mutating func take(_ event: WaitSet.Event) throws -> WaitSetPlace.Step? {
        guard event.condition == .ready, let step = sources[event.source] else { throw TestFailure("\(event)") }
        switch step {
        case .value: guard try values.tryReceive() != nil else { return nil }
        case .bytes: guard try bytes.tryReceive({ $0.byteCount }) != nil else { return nil }
        case .drop: guard try dropping.tryReceive() != nil else { return nil }
        case .room: while (try? room.trySend(1)) != nil {}
        case .manual:
            guard place.manual.isSet else { return nil }
            try place.manual.reset()
        case .automatic: guard try place.automatic.tryWait() else { return nil }
        case .semaphore: guard try place.semaphore.tryWait() else { return nil }
        case .notifier: guard try listener.poll().count == 1 else { return nil }
        case .pipe:
            var byte: UInt8 = 0
            _ = unsafe try withUnsafeMutableBytes(of: &byte) { unsafe try pipe.read(into: $0) }
        }
        try place.acknowledged.signal()
        return step
    }
}

extension SyncSuite {
    @Suite("wait set, between processes") struct WaitSetProcesses {
        static let rounds = SeededRandom.setting("IPC_WAITSET_ROUNDS", default: 3000)

        @Test(
            "C9 each kind of source in random order at random moments, one after the other, thousands of times: nothing is missed",
            arguments: [(WaitStrategy.adaptive, false), (.park, false), (.park, true)])
        func steps(strategy: WaitStrategy, isAsynchronous: Bool) async throws {
            var random = SeededRandom(for: "steps of a wait set, \(strategy), \(isAsynchronous)")
            let watch = try blocking { try HangWatch("steps of a wait set") }
            defer { watch.end() }
            let directory = try TemporaryDirectory()
            let pipe = try Pipe()
            var taker = try StepTaker(directory.objects, pipe.reading.descriptor, strategy)
            let peer = try blocking {
                try PeerProcess(
                    "waitset-steps", [directory.path.string, "\(Self.rounds)", "\(random.next() >> 16)"],
                    descriptors: [(pipe.writing.descriptor, 3)])
            }
            try await peer.expect("ready")
            var counts: [WaitSetPlace.Step: Int] = [:]
            var done = 0
            while done < Self.rounds {
                watch.step("round \(done)")
                for event in try await taker.wait(isAsynchronous: isAsynchronous) {
                    guard let step = try taker.take(event) else { continue }
                    counts[step, default: 0] += 1
                    done += 1
                }
            }
            try await peer.expect("done")
            #expect(done == Self.rounds && counts.count == WaitSetPlace.Step.allCases.count, "\(counts)")
        }

        @Test(
            "C9 three hundred queues in one set: every message comes, in the order of its queue, and every end once",
            arguments: [false, true])
        func many(isAsynchronous: Bool) async throws {
            var random = SeededRandom(for: "three hundred queues, \(isAsynchronous)")
            let watch = try blocking { try HangWatch("three hundred queues") }
            defer { watch.end() }
            let (queues, messages) = (300, 8)
            let directory = try TemporaryDirectory()
            var set = WaitSet(strategy: .park)
            var receivers: [WaitSet.Source: Receiving] = [:]
            for index in 0..<queues {
                let receiving = try Receiving(index, in: directory.objects)
                receivers[set.add(receiving.receiver)] = receiving
            }
            let peer = try blocking {
                try PeerProcess("waitset-send", [directory.path.string, "\(queues)", "\(messages)", "\(random.next() >> 16)"])
            }
            try await peer.expect("ready")
            try peer.send("go")
            var (received, ends, waits) = (0, 0, 0)
            while ends < queues {
                watch.step("\(received) messages, \(ends) ends")
                let events = isAsynchronous ? try await set.wait(until: patiently) : try blocking { try waitBlocking(&set) }
                waits += 1
                for event in events {
                    let receiving = try #require(receivers[event.source])
                    #expect(event.condition == .ready)
                    do throws(ReceiveError) {
                        while true {
                            let number = receiving.receiver.nextSequence
                            guard let message = try receiving.receiver.tryReceive() else { break }
                            if message != number { throw ReceiveError.damaged("message \(message) is not \(number)") }
                            received += 1
                        }
                    } catch {
                        guard error == .closed else { throw error }
                        ends += 1
                    }
                }
                // From the last message on: it leaves, so that all queues end.
                if received == queues * messages, ends == 0 { try peer.send("leave") }
            }
            #expect(received == queues * messages && waits > 10)
            #expect(try set.poll().isEmpty)
        }

        private func waitBlocking(_ set: inout WaitSet) throws -> [WaitSet.Event] { try set.wait(until: patiently) }

        @Test("C9 L2 a killed sender is told of through its queue, and as a death; what it had sent comes first", arguments: [1, 150])
        func killed(queues: Int) throws {
            let directory = try TemporaryDirectory()
            var set = WaitSet(strategy: .park)
            var receivers: [WaitSet.Source: Receiving] = [:]
            for index in 0..<queues {
                let receiving = try Receiving(index, in: directory.objects)
                receivers[set.add(receiving.receiver)] = receiving
            }
            let deaths = try #require(receivers.values.first).receiver.segment.deathListener()
            let dying = set.add(deaths)
            let peer = try PeerProcess("waitset-send", [directory.path.string, "\(queues)", "2", "1"])
            try peer.says("ready")
            try peer.send("go")
            try peer.says("sent")
            peer.kill()
            var (messages, died, notices) = (0, 0, 0)
            while died < queues || notices == 0 {
                for event in try set.wait(until: patiently) {
                    if event.source == dying {
                        let some = deaths.poll()
                        #expect(some.map(\.pid) == [peer.pid])
                        notices += some.count
                        continue
                    }
                    do throws(ReceiveError) {
                        while try receivers[event.source]?.receiver.tryReceive() != nil { messages += 1 }
                    } catch {
                        guard case .peerDied = error else { throw error }
                        died += 1
                    }
                }
            }
            #expect(messages == 2 * queues && notices == 1)
            #expect(try set.poll().isEmpty)
        }

        @Test(
            "C9 S2 S7 a set that was woken for a unit and takes nothing wakes the next one: a plain waiter gets it, whoever slept first",
            arguments: ["semaphore", "event-automatic"], [true, false])
        func passedOn(what: String, setFirst: Bool) throws {
            let scene = try SyncScene(.named)
            let (semaphore, event) = (try scene.place.semaphore(), try scene.place.event(.automatic))
            for _ in 0..<20 {
                func watcher() throws -> PeerProcess {
                    let process = try scene.start("waitset-sleep", what)
                    try process.says("waiting")
                    try process.becomesAsleep()
                    return process
                }
                let first = setFirst ? try watcher() : nil
                let plain = try scene.sleeper(what)
                let second = setFirst ? nil : try watcher()
                if what == "semaphore" { try semaphore.signal() } else { try event.set() }
                try plain.says("got")
                (first ?? second)?.kill()
            }
        }

        @Test("C9 L1 a forked child is detached from its parent's set")
        func forked() throws {
            let directory = try TemporaryDirectory()
            let process = try PeerProcess("waitset-fork", [directory.path.string])
            try process.says("wait detached")
            try process.says("parent [true]")
        }

        @Test("C9 sets that end leave no thread and no descriptor behind")
        func leaks() throws {
            let directory = try TemporaryDirectory()
            let process = try PeerProcess("waitset-leaks", [directory.path.string, "20"])
            try process.says("none")
        }

        @Test("C9 C1 a cancelled task gets out of its wait at once, also with more words than one call takes; deadlines end it")
        func cancellation() async throws {
            let directory = try TemporaryDirectory()
            let place = try WaitSetPlace(in: directory.objects)
            let segment = try Segment.create("many", size: 200 * 128, in: directory.objects)
            for count in [1, 200] {
                let events = try (0..<count).map { try SharedEvent(in: segment, at: $0 * 128) }
                for _ in 0..<10 {
                    let task = Task { () -> WaitError? in
                        var set = WaitSet()
                        for event in events { _ = set.add(event) }
                        _ = set.add(place.semaphore)
                        do throws(WaitError) {
                            _ = try await set.wait()
                            return nil
                        } catch { return error }
                    }
                    try await Task.sleep(for: .milliseconds(2))
                    task.cancel()
                    #expect(await task.value == .cancelled)
                }
                var set = WaitSet()
                for event in events { _ = set.add(event) }
                var late: WaitError?
                do throws(WaitError) { _ = try await set.wait(until: .after(.milliseconds(2))) } catch { late = error }
                #expect(late == .deadline)
                // The last one, in the last group.
                let source = set.add(place.semaphore)
                let waiting = Task { try place.semaphore.signal() }
                #expect(try await set.wait(until: patiently).map(\.source) == [source])
                try await waiting.value
                #expect(try place.semaphore.tryWait())
            }
        }

        @Test("C9 N8 random words over a watched queue: no crash, no hang")
        func hostile() throws {
            var random = SeededRandom(for: "scribbling over a watched queue")
            let watch = try HangWatch("scribbling over a watched queue")
            defer { watch.end() }
            let directory = try TemporaryDirectory()
            for round in 0..<20 {
                let options = QueueOptions(directory: directory.objects)
                let name = try ObjectName("hostile\(round)")
                var sender = try Sender<UInt64>(to: name, capacity: 100, options: options)
                let receiver = try Receiver<UInt64>(from: name, options: options)
                var set = WaitSet()
                _ = set.add(receiver)
                _ = set.add(roomIn: sender)
                var endings: Set<String> = []
                for call in 0..<200 {
                    watch.step("round \(round), call \(call)")
                    let segment = sender.segment
                    let size = segment.header.size - segment.header.objectOffset
                    let place = segment.header.objectOffset + Int.random(in: 0..<(call % 2 == 0 ? 700 : size) / 4, using: &random) * 4
                    unsafe SharedUInt32(at: segment.mapping.base + place).storeRelease(
                        UInt32(truncatingIfNeeded: random.next() >> (random.next() % 32)))
                    _ = try? sender.trySend(1)
                    endings.insert(syncOutcome { "\(try set.wait(until: .after(.microseconds(200))).map(\.condition))" })
                    if set.count == 0 { break }
                }
                #expect(!endings.contains { $0.hasPrefix("error") }, "\(endings)")
            }
        }
    }
}
