import CInterprocess
import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

@Suite("How long a segment stays")
struct SegmentLifetimeTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    @Test("N6 until the last peer leaves: the name goes with the last")
    func lastPeer() async throws {
        var first: Segment? = try Segment.create("a", size: 1, in: directory.objects)
        let peer = try PeerProcess("attach", [directory.path.string, "a"])
        _ = try await peer.line()
        #expect(first?.peers.count == 2)
        first = nil
        #expect(try directory.names() == ["a"])
        try peer.send("leave")
        try await peer.expect("left")
        #expect(try directory.names() == [])
    }

    @Test("N6 until the last peer leaves, also when it is killed: nobody can see it any more, and its name is free")
    func lastPeerKilled() async throws {
        for attempt in ["open", "create", "openOrCreate"] {
            let peer = try PeerProcess("create", [directory.path.string, "a", "100", "0"])
            let incarnation = try await peer.line()
            peer.kill()
            #expect(try await peer.ending() == .signalled(Signal.kill))
            #expect(try directory.names() == ["a"])
            switch attempt {
            case "open":
                #expect(code { _ = try Segment.open("a", in: directory.objects) } == .notFound)
                #expect(try directory.names() == [], "what nobody can see is removed by who looks")
            case "create":
                let segment = try Segment.create("a", size: 200, in: directory.objects)
                #expect("\(segment.header.incarnation)" != incarnation)
            default:
                let segment = try Segment.openOrCreate("a", size: 200, in: directory.objects)
                #expect("\(segment.header.incarnation)" != incarnation && segment.header.capacity == 200)
            }
        }
    }

    @Test("N6 an object of another kind that still holds something is not taken for a leftover")
    func otherKind() throws {
        var sender = try Sender<UInt64>(to: "a", options: QueueOptions(directory: directory.objects))
        try sender.send(42)
        sender.close()
        #expect(try directory.names() == ["a"], "a queue stays while it holds a message")
        #expect(code { _ = try Segment.create("a", size: 1, in: directory.objects) } == .nameTaken)
        #expect(code { _ = try Segment.open("a", in: directory.objects) } == .kindMismatch)
        var receiver = try Receiver<UInt64>(from: "a", options: QueueOptions(directory: directory.objects))
        #expect(try receiver.tryReceive() == 42)
    }

    @Test("N6 until removed: it stays when all have left or were killed, with what was in it")
    func untilRemoved() async throws {
        let peer = try PeerProcess("create", [directory.path.string, "a", "100", "1"])
        let incarnation = try await peer.line()
        peer.kill()
        _ = try await peer.ending()
        do {
            let segment = try Segment.open("a", in: directory.objects)
            #expect("\(segment.header.incarnation)" == incarnation)
            #expect(segment.peers.map(\.id) == [segment.peer], "the dead one is repaired before the opener joins")
            #expect(segment.deathCount == 1)
            #expect(unsafe segment.withBytes { unsafe $0.load(as: UInt64.self) } == 0x1234_5678)
        }
        #expect(try directory.names() == ["a"])
        #expect(try directory.objects.collectGarbage().isEmpty)
        try directory.objects.remove("a")
        #expect(code { _ = try Segment.open("a", in: directory.objects) } == .notFound)
    }

    @Test("N6 a table full of killed peers lets the next ones in", arguments: [1, 4])
    func fullOfDead(_ capacity: Int) async throws {
        _ = try Segment.create("a", size: 1, in: directory.objects, lifetime: .untilRemoved, maximumPeers: capacity)
        for round in 1...3 {
            let peers = try (0..<capacity).map { _ in try PeerProcess("attach", [directory.path.string, "a"]) }
            for peer in peers { #expect(try await peer.line().hasPrefix("joined")) }
            #expect(code { _ = try Segment.open("a", in: directory.objects) } == .busy)
            for peer in peers { peer.kill() }
            for peer in peers { _ = try await peer.ending() }
            let segment = try Segment.open("a", in: directory.objects)
            #expect(segment.deathCount == UInt32(round * capacity))
        }
    }

    @Test("N6 removing leaves those who have it open working, and frees the name")
    func removeWhileOpen() async throws {
        let segment = try Segment.create("a", size: 100, in: directory.objects)
        let peer = try PeerProcess("attach", [directory.path.string, "a"])
        _ = try await peer.line()
        #expect(try directory.objects.remove("a").isOpen)
        #expect(try directory.names() == [])
        try peer.send("store 99")
        try await peer.expect("stored")
        #expect(unsafe segment.withBytes { unsafe $0.load(as: UInt64.self) } == 99)
        let other = try Segment.create("a", size: 100, in: directory.objects)
        #expect(other.header.incarnation != segment.header.incarnation && other.peers.count == 1)
        var deaths = segment.deaths.makeAsyncIterator()
        peer.kill()
        #expect(await deaths.next()?.pid == peer.pid)
        // Leaving the old one does not take the new one's name.
        _ = consume segment
        #expect(try directory.names() == ["a"])
    }

    /// Waits until nobody has the file open. A program that another test starts just now has all of this process's files for a moment.
    private func closed(_ bytes: borrowing SegmentBytes) async throws {
        let file = bytes.file
        try await eventually("nobody has the segment open") { try !FileLock.isHeldByAnother(file, against: .exclusive) }
    }

    @Test("N6 a file on a disk survives a reboot: the peers that its table still shows are dead, and what they held is given back")
    func reboot() async throws {
        let disk = try TemporaryDirectory(in: "/var/tmp")
        do {
            let segment = try Segment.create("a", size: 100, in: disk.objects, lifetime: .untilRemoved, maximumPeers: 4)
            unsafe segment.withBytes { unsafe $0.storeBytes(of: 5, as: UInt64.self) }
        }
        // As a power failure leaves it: peers alive in the table, one still joining, and a repair that was broken off.
        let bytes = try SegmentBytes(disk.path(of: "a"))
        for slot in 0..<4 {
            try bytes.store(0x8000_0000 | UInt32(1000 + slot), \.life, slot: slot)
            try bytes.store(0x8000_0000 | UInt32(1000 + slot), \.caller_life, slot: slot)
            try bytes.store(slot == 3 ? 0 : 1, \.state, slot: slot)
            try bytes.store(UInt32(1000 + slot), \.pid, slot: slot)
        }
        try bytes.store(PeerID(slot: 2, generation: bytes.load(\.generation, slot: 2)).rawValue, \.repair)
        try await closed(bytes)
        let segment = try Segment.open("a", in: disk.objects)
        #expect(segment.peers.map(\.id) == [segment.peer])
        #expect(segment.deathCount == 3, "the one that had not joined is not announced")
        #expect(unsafe segment.withBytes { unsafe $0.load(as: UInt64.self) } == 5)
        #expect(try bytes.load(\.repair) == 0)
    }

    @Test("N6 a queue on a disk survives a reboot with its messages, and its roles are free")
    func queueReboot() async throws {
        let disk = try TemporaryDirectory(in: "/var/tmp")
        let options = QueueOptions(directory: disk.objects, lifetime: .untilRemoved)
        var roles: (UInt64, UInt64) = (0, 0)
        let bytes: SegmentBytes
        do {
            var sender = try Sender<UInt64>(to: "a", options: options)
            let receiver = try Receiver<UInt64>(from: "a", options: options)
            try sender.trySend(7)
            bytes = try SegmentBytes(disk.path(of: "a"))
            let object = Int(try bytes.load(\.object_offset))
            roles = (try bytes.load(UInt64.self, at: object + 512), try bytes.load(UInt64.self, at: object + 520))
            _ = consume sender
            _ = consume receiver
        }
        let object = Int(try bytes.load(\.object_offset))
        try bytes.store(roles.0, at: object + 512)
        try bytes.store(roles.1, at: object + 520)
        for slot in 0..<2 {
            try bytes.store(bytes.load(\.generation, slot: slot) - 1, \.generation, slot: slot)
            try bytes.store(0x8000_03e8, \.life, slot: slot)
            try bytes.store(1, \.state, slot: slot)
        }
        try await closed(bytes)
        var receiver = try Receiver<UInt64>(from: "a", options: options)
        #expect(try receiver.tryReceive() == 7)
    }
}
