import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

extension MessagingSuite {
    @Suite("fan-in queue") struct FanInProcessTests {
        private let directory: TemporaryDirectory
        private var deadline: Deadline { .after(watchdog) }

        init() throws { directory = try TemporaryDirectory() }

        private var options: FanInOptions { FanInOptions(directory: directory.objects) }
        private var place: String { directory.path.string }

        @Test("L2 L3 C1 a killed sender's messages are received, then its death is told once, and its lane is free")
        func senderDies() async throws {
            let receiver = FanInReceiving(try FanInReceiver<SoakMessage>(from: "q", options: options))
            let other = FanInSending(try Sender<SoakMessage>(toFanIn: "q", options: options))
            let peer = try PeerProcess("fan-in-send", [place, "1", "1000"])
            try await peer.expect("joined")
            try await peer.expect("sent")
            peer.kill()
            try await eventually("its death is repaired") { receiver.segment.deathCount == 1 }
            for number in 0..<1000 as Range<UInt64> {
                let message = try #require(try receiver.tryReceive())
                #expect(message.isWhole && message.number == number)
            }
            #expect(throws: ReceiveError.self) { try receiver.tryReceive() }
            #expect(try receiver.tryReceive() == nil)
            try other.send(SoakMessage(2, 7))
            let message = try #require(try receiver.receive(until: deadline))
            #expect(message.stream == 2)
            // All 16 lanes can be had.
            var senders: [FanInSending<SoakMessage>] = []
            for _ in 0..<15 { senders.append(FanInSending(try Sender<SoakMessage>(toFanIn: "q", options: options))) }
            #expect(throws: InterprocessError.self) { _ = try Sender<SoakMessage>(toFanIn: "q", options: options) }
        }

        @Test("L2 a receiver that sleeps is told when the last sender is killed")
        func sleepsThroughDeath() async throws {
            let heard = Lock<[String]>([])
            let (limit, options) = (deadline, options)
            let peer = try PeerProcess("fan-in-send", [place, "1", "1"])
            try await peer.expect("joined")
            try startServiceThread(named: "receiver") {
                do {
                    let receiver = FanInReceiving(try FanInReceiver<SoakMessage>(from: "q", options: options, strategy: .park))
                    for _ in 0..<3 {
                        do throws(ReceiveError) {
                            let message = try receiver.receive(until: limit)
                            heard.withLock { $0.append(message == nil ? "end" : "message") }
                        } catch {
                            guard case .peerDied = error else { throw error }
                            heard.withLock { $0.append("death") }
                        }
                    }
                } catch { Issue.record(error) }
            }
            try await eventually("the message is received") { heard.withLock { $0 == ["message"] } }
            peer.kill()
            try await eventually("the death and the end are told") { heard.withLock { $0.count == 3 } }
            #expect(heard.withLock { $0 } == ["message", "death", "end"])
        }

        @Test("L2 C1 a killed receiver's successor goes on in each lane, and senders are told")
        func receiverDies() async throws {
            let first = FanInSending(try Sender<SoakMessage>(toFanIn: "q", options: options))
            let second = FanInSending(try Sender<SoakMessage>(toFanIn: "q", options: options))
            for number in 0..<100 as Range<UInt64> {
                try first.send(SoakMessage(1, number))
                try second.send(SoakMessage(2, number))
            }
            let peer = try PeerProcess("fan-in-receive", [place, "50"])
            try await peer.expect("joined")
            try await peer.expect("received")
            let observer = try Sender<SoakMessage>(toFanIn: "q", options: options).segment
            peer.kill()
            try await eventually("its death is repaired") { observer.deathCount == 1 }
            for number in 100..<102 as Range<UInt64> {
                // The first call may come before the sender has looked; what it sends is there for the next receiver.
                _ = try? first.send(SoakMessage(1, number))
            }
            #expect(throws: SendError<SoakMessage>.self) { try first.send(SoakMessage(1, 102)) }
            #expect(throws: SendError<SoakMessage>.self) {
                try second.send(SoakMessage(2, 100))
                try second.send(SoakMessage(2, 101))
            }
            let receiver = FanInReceiving(try FanInReceiver<SoakMessage>(from: "q", options: options))
            var seen: [UInt64: [UInt64]] = [:]
            while let message = try receiver.tryReceive() { seen[message.stream, default: []].append(message.number) }
            #expect(seen.values.reduce(0) { $0 + $1.count } >= 150)
            for (_, numbers) in seen { #expect(numbers == Array(numbers[0]...numbers[numbers.count - 1])) }
        }

        /// `IPC_SOAK_MESSAGES=1000000` for the long form; `IPC_SEED` repeats one.
        @Test("C1 C3 L2 L3 four senders and a receiver, killed again and again: every message is received")
        func soak() throws {
            let name = "soak of a fan-in queue"
            var random = SeededRandom(for: name)
            let watch = try HangWatch(name)
            defer { watch.end() }
            let server = try PeerServer()
            let record = try QueueRecord.create(in: directory.objects)
            let limit = SeededRandom.setting("IPC_SOAK_MESSAGES", default: 200_000) / 4 + 2
            let pause = SeededRandom.setting("IPC_SOAK_PAUSE", default: 10)
            let account = try SoakAccount.create(in: directory.objects, limit: limit)
            func start(_ index: Int) throws -> Int32 {
                try server.start(["fan-in-soak", place, index < 4 ? "send" : "receive", "\(index)"])
            }
            var pids = try (0..<5).map { try start($0) }
            var kills = (senders: 0, receivers: 0)
            func check() throws {
                if let failure = record.failure { throw TestFailure("IPC_SEED=\(SeededRandom.runSeed): \(failure)") }
            }
            let last = UInt64(account.limit - 1)
            while (0..<4).contains(where: { account.done($0) < last && account.intent($0) < last }) {
                sleepThread(for: .milliseconds(Int.random(in: 0...2 * pause, using: &random)))
                let index = Int.random(in: 0..<5, using: &random)
                try server.kill(pids[index])
                if index < 4 { kills.senders += 1 } else { kills.receivers += 1 }
                pids[index] = try start(index)
                try check()
                watch.step("after \(kills) kills, with \((0..<4).map { account.done($0) }) of \(last) sent")
            }
            func waiting() throws -> UInt64 { try #require(try directory.objects.status(of: "q").details?.queue).get().waiting }
            try eventuallyBlocking("everything was received") {
                try check()
                return try waiting() == 0
            }
            record[.stop] = 1
            for pid in pids {
                let ending = try server.wait(pid, watchdog)
                guard ending == "exited 0" else { throw TestFailure("\(ending) \(record.failure ?? "")") }
            }
            try check()
            let balance = account.balance
            let about = "IPC_SEED=\(SeededRandom.runSeed), \(kills): \(balance), \(account.repeated) repeated"
            // A receiver killed between taking a message and writing it down.
            #expect((0...kills.receivers).contains(balance.missing), "\(about)")
            #expect(account.repeated == 0, "\(about)")
            // All lanes can be had.
            var senders: [FanInSending<SoakMessage>] = []
            for _ in 0..<6 {
                senders.append(
                    FanInSending(
                        try Sender<SoakMessage>(
                            toFanIn: "q", capacity: 64, options: FanInOptions(directory: directory.objects, maximumSenders: 6))))
            }
            print("\(name): \(about)")
        }
    }
}
