import CTestSystem
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

@Suite("Queues of no name")
struct PassedQueueTests {
    /// Gives the queue to a process over a socket. The socket is closed here then: the process keeps what it was sent.
    private func pass(_ queue: Segment) async throws -> PeerProcess {
        let sockets = try UnixStream.pair()
        let process = try PeerProcess("receive-passed", descriptors: [(sockets.second.descriptor, 3)])
        let status = test_send_descriptor(sockets.first.descriptor.rawValue, queue.descriptor.rawValue)
        guard status == 0 else { throw Errno(rawValue: -status) }
        let line = try await process.line()
        #expect(queue.peers.contains { line == "joined \($0.id)" && $0.pid == process.pid })
        return process
    }

    @Test("N7 a queue's descriptor passed over a socket is the queue: messages, the end, and a death are known on the other side")
    func passed() async throws {
        let queue = try Segment.anonymousQueue(of: UInt64.self, capacity: 64)
        let process = try await pass(queue)
        do {
            var sender = try Sender<UInt64>(descriptor: queue.descriptor)
            for number in 0..<500 as Range<UInt64> { try await sender.send(number) }
        }
        for number in 0..<500 { try await process.expect("\(number)") }
        try await process.expect("closed")
        var sender = try Sender<UInt64>(descriptor: queue.descriptor)
        process.kill()
        var reason: SendFailure?
        while reason == nil { reason = sendFailure { () throws(SendError<UInt64>) in try sender.send(1, until: .after(watchdog)) } }
        guard case .peerDied(let notice)? = reason else { throw TestFailure("\(String(describing: reason))") }
        #expect(notice.pid == process.pid && notice.held == .receiver)
    }

    @Test("N7 a peer that was passed a queue cannot shrink it")
    func sealed() async throws {
        for queue in [try Segment.anonymousQueue(of: UInt64.self), try Segment.anonymousByteQueue(capacity: 5000)] {
            let copy = OwnedDescriptor(owning: try queue.descriptor.duplicate())
            #expect(throws: Errno.notPermitted) { try copy.descriptor.resize(to: 4096) }
            #expect(try MemoryFile.seals(of: copy.descriptor).isSuperset(of: [.shrink, .grow, .seal]))
        }
    }

    @Test("N1 names travel over a queue, and open what they name")
    func names() throws {
        let directory = try TemporaryDirectory()
        let queue = try Segment.anonymousQueue(of: ObjectName.self)
        var sender = try Sender<ObjectName>(descriptor: queue.descriptor)
        var receiver = try Receiver<ObjectName>(descriptor: queue.descriptor)
        for _ in 0..<20 {
            let segment = try Segment.create(.unique(), size: 8, in: directory.objects)
            let name = try #require(segment.name)
            try sender.send(name)
            let found = try #require(try receiver.tryReceive())
            #expect(found == name && found.hashValue == name.hashValue && found.description == name.description)
            #expect(try Segment.open(found, in: directory.objects).header.incarnation == segment.header.incarnation)
        }
    }
}
