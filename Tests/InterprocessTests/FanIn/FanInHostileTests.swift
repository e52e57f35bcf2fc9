import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

extension MessagingSuite.FanInProcessTests {
    @Test("X1 X2 random words over a fan-in queue while it is used: no crash, no hang, and typed errors only")
    func scribbling() throws {
        var random = SeededRandom(for: "scribbling over fan-in queues")
        let watch = try HangWatch("scribbling over fan-in queues")
        defer { watch.end() }
        var endings: [String: Int] = [:]
        func count(_ what: String, _ body: () throws -> Void) {
            watch.step(what)
            let ending: String
            do {
                try body()
                ending = "done"
            } catch let error as SendError<SoakMessage> { ending = "\(error.reason)" } catch let error as SendError<Void> {
                ending = "\(error.reason)"
            } catch let error as ReceiveError {
                ending = error.description
            } catch let error as InterprocessError { ending = "\(error.code)" } catch {
                Issue.record("\(what): \(error)")
                return
            }
            endings[String(ending.prefix { $0 != "(" && $0 != "'" && $0 != ":" }), default: 0] += 1
        }
        func useAll(
            _ first: inout Sender<SoakMessage>, _ second: inout Sender<SoakMessage>, _ receiver: inout FanInReceiver<SoakMessage>,
            within limit: Duration
        ) {
            func soon() -> Deadline { .after(limit) }
            count("send") { try first.send(SoakMessage(1, 1), until: soon()) }
            count("try") { try second.trySend(SoakMessage(2, 1)) }
            count("receive") { _ = try receiver.receive(until: soon()) }
            count("try to receive") { _ = try receiver.tryReceive() }
            count("wait") { try second.waitUntilReceived(until: soon()) }
            count("send again") { try first.send(SoakMessage(1, 2), until: soon()) }
            count("batch") { _ = try receiver.receiveBatch(until: soon()) { $0.count } }
            count("waiting") { _ = receiver.waiting }
        }
        for round in 0..<SeededRandom.setting("IPC_FAN_IN_SCRIBBLES", default: 4) {
            let directory = try TemporaryDirectory()
            let options = FanInOptions(directory: directory.objects)
            let keeper = try Sender<SoakMessage>(toFanIn: "q", capacity: round % 2 == 0 ? 4 : 1000, options: options)
            var first = try Sender<SoakMessage>(toFanIn: "q", options: options)
            var second = try Sender<SoakMessage>(toFanIn: "q", options: options)
            var receiver = try FanInReceiver<SoakMessage>(from: "q", options: options)
            // Before the words come each of these calls succeeds.
            endings = [:]
            useAll(&first, &second, &receiver, within: watchdog)
            #expect(endings == ["done": 8])
            let scribbler = try PeerProcess("fan-in-scribble", [directory.path.string, "\(random.next())"])
            try scribbler.says("ready")
            endings = [:]
            for _ in 0..<40 {
                for _ in 0..<3 { useAll(&first, &second, &receiver, within: .milliseconds(2)) }
                count("everything anew") {
                    first = try Sender<SoakMessage>(toFanIn: "q", options: options)
                    second = try Sender<SoakMessage>(toFanIn: "q", options: options)
                    receiver = try FanInReceiver<SoakMessage>(from: "q", options: options)
                }
            }
            scribbler.kill()
            try scribbler.ends()
            withExtendedLifetime(keeper) {}
            print(
                "scribbling over fan-in queues: \(endings.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))"
            )
        }
    }

    @Test(
        "C1 L1 L2 messages as a sequence: it ends when the senders have closed, and throws when one was killed", arguments: [false, true])
    func sequence(dies: Bool) async throws {
        let directory = try TemporaryDirectory()
        let receiver = try FanInReceiver<SoakMessage>(from: "q", options: FanInOptions(directory: directory.objects))
        let peer = try PeerProcess("fan-in-send", [directory.path.string, "1", "500"])
        try await peer.expect("joined")
        try await peer.expect("sent")
        if dies { peer.kill() } else { try peer.send("close") }
        var next: UInt64 = 0
        do throws(ReceiveError) {
            for try await message in receiver.messages() {
                if !message.isWhole || message.number != next { Issue.record("message \(message.number) instead of \(next)") }
                next += 1
            }
            #expect(!dies)
        } catch {
            guard case .peerDied(let notice) = error else { throw error }
            #expect(dies && notice.pid == peer.pid)
        }
        #expect(next == 500)
    }
}
