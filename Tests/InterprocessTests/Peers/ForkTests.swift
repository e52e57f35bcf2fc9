import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

@Suite("Forks of a process that has something open")
struct ForkTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private func start() async throws -> PeerProcess {
        let process = try PeerProcess("fork-holder", [directory.path.string])
        #expect(try await process.line().hasPrefix("joined "))
        // What the child says of each.
        try await process.expect("bytes 0, peers 0, deaths 0")
        try await process.expect("alone false")
        try await process.expect("send detached")
        try await process.expect("trySend detached")
        try await process.expect("waitUntilReceived detached")
        try await process.expect("waitForReceiver false")
        try await process.expect("receive true")
        try await process.expect("tryReceive true")
        try await process.expect("waitForSender false")
        return process
    }

    @Test("L1 a forked child finds all that its parent has open detached, and takes nothing of it along when it dies")
    func detached() async throws {
        let segment = try Segment.create("s", size: 8, in: directory.objects)
        unsafe segment.withBytes { unsafe $0.storeBytes(of: 77, as: UInt64.self) }
        let process = try await start()
        #expect(try directory.names() == ["back", "s", "there"])
        #expect(segment.peers.map(\.pid) == [segment.peers[0].pid, process.pid])
        try process.send("kill-child")
        #expect(try await process.line().hasPrefix("killed"))
        try process.send("send")
        try await process.expect("sent")
        var receiver = try Receiver<UInt64>(from: "there", options: QueueOptions(directory: directory.objects))
        for number in 1...2 as ClosedRange<UInt64> {
            let found = try await receiver.receive(until: .after(watchdog))
            #expect(found == number, "nothing of the child's is in the queue")
        }
        #expect(segment.deathCount == 0 && receiver.segment.deathCount == 0 && segment.peers.allSatisfy(\.isAlive))
    }

    @Test("L2 N6 a parent's death is told though its forked child lives, and the child keeps no name from going")
    func parentDies() async throws {
        let options = QueueOptions(directory: directory.objects)
        let process = try await start()
        var receiver = try Receiver<UInt64>(from: "there", options: options)
        let first = try await receiver.receive(until: .after(watchdog))
        #expect(first == 1)
        try process.send("die")
        let end = receiveFailure { () throws(ReceiveError) in _ = try receiver.receive(until: .after(watchdog)) }
        guard case .peerDied(let notice)? = end else { throw TestFailure("\(String(describing: end))") }
        #expect(notice.pid == process.pid && notice.held == .sender)
        #expect(try await process.ending() == .signalled(Signal.kill))
        #expect(code { _ = try Segment.open("s", in: directory.objects) } == .notFound, "nobody has it open any more")
    }

    @Test("L1 L2 a forked child that opens the segment itself is a peer of its own, whose death is told")
    func childJoins() async throws {
        let segment = try Segment.create("s", size: 8, in: directory.objects)
        let deaths = DeathLog(segment)
        let process = try await start()
        try process.send("open")
        let joined = try await process.line()
        let child = try #require(segment.peers.first { joined == "child joined \($0.id)" })
        #expect(segment.peers.count == 3 && child.pid != process.pid)
        try process.send("kill-child")
        try await process.expect("killed \(child.pid)")
        #expect(try await deaths.next().peer == child.id)
        #expect(segment.peers.count == 2 && segment.peers.contains { $0.pid == process.pid })
    }
}
