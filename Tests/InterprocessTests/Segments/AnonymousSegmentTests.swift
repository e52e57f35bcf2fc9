import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

@Suite("Segments of no name")
struct AnonymousSegmentTests {
    @Test("N7 an anonymous segment travels by inheritance, and both are peers")
    func inherited() async throws {
        let segment = try Segment.anonymous(size: 100)
        #expect(segment.name == nil && segment.header.name == nil)
        let peer = try PeerProcess("inherit", ["5"], descriptors: [(segment.descriptor, 5)])
        let child = try await peer.line()
        try await eventually("two peers") { segment.peers.count == 2 }
        #expect(segment.peers.contains { "\($0.id)" == child && $0.pid == peer.pid })
        try peer.send("store 4711")
        try await peer.expect("stored")
        #expect(unsafe segment.withBytes { unsafe $0.load(as: UInt64.self) } == 4711)
        var deaths = segment.deaths.makeAsyncIterator()
        peer.kill()
        let notice = await deaths.next()
        #expect(notice?.pid == peer.pid && "\(notice?.peer.description ?? "")" == child)
        #expect(segment.peers.map(\.id) == [segment.peer])
    }

    @Test("N7 a peer cannot shrink, grow or unseal it")
    func sealed() async throws {
        let segment = try Segment.anonymous(size: 100)
        let peer = try PeerProcess("inherit", ["5"], descriptors: [(segment.descriptor, 5)])
        _ = try await peer.line()
        for size in [0, segment.header.size - 4096, segment.header.size + 4096] {
            try peer.send("truncate \(size)")
            try await peer.expect("errno \(EPERM)")
            #expect(ftruncate(segment.descriptor.rawValue, size) == -1 && errno == EPERM)
        }
        #expect(try MemoryFile.seals(of: segment.descriptor).isSuperset(of: [.shrink, .grow, .seal]))
        let status = try FileStatus(of: segment.descriptor)
        #expect(status.size == segment.header.size && status.reservedBytes >= status.size)
        #expect(status.permissions == .ownerReadWrite && status.links == 0)
    }

    @Test("N7 it outlives its maker in those who have it, and they hear of the maker's death")
    func outlives() async throws {
        let maker = try PeerProcess("make-and-pass")
        try await maker.expect("child joined")
        maker.kill()
        try await maker.expect("the maker died")
        try await maker.expect("still there")
    }

    @Test("N7 a descriptor received is opened anew, and stays the caller's")
    func duplicate() throws {
        let segment = try Segment.anonymous(size: 100)
        let copy = OwnedDescriptor(owning: try segment.descriptor.duplicate())
        do {
            let second = try Segment.open(descriptor: copy.descriptor)
            #expect(second.header == segment.header && second.peer != segment.peer)
            #expect(second.descriptor != copy.descriptor)
        }
        #expect(try FileStatus(of: copy.descriptor).size == segment.header.size)
        #expect(segment.peers.map(\.id) == [segment.peer])
    }

    @Test("N7 N4 a descriptor of something else is refused")
    func others() throws {
        let directory = try TemporaryDirectory()
        let closed = refusal { _ = try Receiver<UInt64>(descriptor: FileDescriptor(rawValue: 1_000_000)) }
        #expect(closed?.code == .system && closed?.errno == .badFileDescriptor)
        #expect(
            closed?.description.hasPrefix("cannot open 'descriptor 1000000': this process has no such descriptor open; let") == true)
        let empty = try MemoryFile.make(named: "empty", size: 0)
        #expect(code { _ = try Segment.open(descriptor: empty.descriptor) } == .notASegment)
        let zeroes = try MemoryFile.make(named: "zeroes", size: 100_000)
        #expect(code { _ = try Segment.open(descriptor: zeroes.descriptor) } == .notASegment)
        let opened = try Directory(opening: directory.path)
        let pipe = try Pipe()
        for descriptor in [opened.descriptor, pipe.reading.descriptor] {
            let error = refusal { _ = try Segment.open(descriptor: descriptor) }
            #expect(error?.code == .notASegment && error?.description.contains("it is a directory, pipe, socket or device") == true)
        }
        let queue = try Segment.anonymousQueue(of: UInt64.self)
        #expect(code { _ = try Segment.open(descriptor: queue.descriptor) } == .kindMismatch)
        let segment = try Segment.anonymous(size: 10)
        #expect(code { _ = try Receiver<UInt64>(descriptor: segment.descriptor) } == .kindMismatch)
        #expect(code { _ = try Receiver<Int64>(descriptor: queue.descriptor) } == .elementMismatch)
    }

    @Test("N7 a removed segment can still be passed on by its descriptor")
    func removed() async throws {
        let directory = try TemporaryDirectory()
        let segment = try Segment.create("a", size: 100, in: directory.objects)
        try directory.objects.remove("a")
        let first = try PeerProcess("inherit", ["5"], descriptors: [(segment.descriptor, 5)])
        _ = try await first.line()
        let second = try PeerProcess("inherit", ["5"], descriptors: [(segment.descriptor, 5)])
        _ = try await second.line()
        #expect(segment.peers.count == 3)
    }

    @Test("N7 N8 a segment can be opened by its descriptor when who had it has taken the name away, or left")
    func passedOn() throws {
        let directory = try TemporaryDirectory()
        var segment: Segment? = try Segment.create("a", size: 100, in: directory.objects)
        let child = OwnedDescriptor(owning: try #require(segment).descriptor.duplicate())
        #expect(try #require(segment).removeNameIfAlone())
        let beside = try Segment.open(descriptor: child.descriptor)
        #expect(beside.peers.count == 2)
        segment = nil
        var last: Segment? = try Segment.create("b", size: 100, in: directory.objects)
        let other = OwnedDescriptor(owning: try #require(last).descriptor.duplicate())
        last = nil
        #expect(code { _ = try Segment.open("b", in: directory.objects) } == .notFound)
        // The first is alone with it, and ends that.
        let first = try Segment.open(descriptor: other.descriptor), second = try Segment.open(descriptor: other.descriptor)
        #expect(first.peers.count == 2 && second.peer != first.peer)
    }
}
