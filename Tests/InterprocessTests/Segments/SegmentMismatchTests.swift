import CInterprocess
import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

/// A change of a segment's header, and how it is refused.
struct Mismatch: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let code: InterprocessError.Code
    /// What the message says is wrong, and what to do.
    let says: [String]
    let change: @Sendable (borrowing SegmentBytes) throws -> Void

    init(
        _ what: String, _ code: InterprocessError.Code, _ says: [String],
        _ change: @escaping @Sendable (borrowing SegmentBytes) throws -> Void
    ) {
        testDescription = what
        self.code = code
        self.says = says
        self.change = change
    }

    static func damaged(_ field: String, _ change: @escaping @Sendable (borrowing SegmentBytes) throws -> Void) -> Mismatch {
        Mismatch(field, .damaged, ["'\(field)'", "remove it with"], change)
    }

    static let all: [Mismatch] = [
        Mismatch("magic", .notASegment, ["not a segment of this library", "choose another name or remove"]) { try $0.store(1, \.magic) },
        Mismatch(
            "layout version", .versionMismatch, ["layout version 99", "this program has \(IPC_LAYOUT_VERSION)", "use the same version"]
        ) {
            try $0.store(99, \.layout_version)
        },
        Mismatch("fingerprint", .versionMismatch, ["layout differs", "use the same build"]) { try $0.store(1, \.fingerprint) },
        Mismatch("kind", .kindMismatch, ["it is a queue, not a segment", "choose another name"]) { try $0.store(2, \.kind) },
        Mismatch("unknown kind", .kindMismatch, ["unknown kind 77", "choose another name"]) { try $0.store(77, \.kind) },
        Mismatch("segment size", .notASegment, ["its header says 1 bytes", "remove it"]) { try $0.store(1, \.segment_size) },
        damaged("lifetime") { try $0.store(2, \.lifetime) },
        damaged("peer_capacity") { try $0.store(0, \.peer_capacity) },
        damaged("peer_capacity") { try $0.store(.max, \.peer_capacity) },
        damaged("object_offset") { try $0.store(1024, \.peer_capacity) },
        damaged("peer_offset") { try $0.store(8192, \.peer_offset) },
        damaged("object_offset") { try $0.store(.max, \.object_offset) },
        damaged("data_offset") { try $0.store(0, \.data_offset) },
        damaged("data_offset") { try $0.store($0.load(\.data_offset) + 8, \.data_offset) },
        damaged("data_offset") { try $0.store(1 << 62, \.data_offset) },
        damaged("data_size") { try $0.store($0.load(\.data_size) + 4096, \.data_size) },
        damaged("data_size") { try $0.store(.max - 4095, \.data_size) },
        damaged("element_size") { try $0.store(.max, \.element_size) },
        damaged("element_alignment") { try $0.store(0, \.element_alignment) },
        damaged("element_alignment") { try $0.store(24, \.element_alignment) },
        damaged("capacity") { try $0.store(.max, \.capacity) },
        damaged("capacity") { try $0.store($0.load(\.data_size) + 1, \.capacity) },
    ]
}

@Suite("What does not fit is refused")
struct SegmentMismatchTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    @Test("N4 each field of the header is checked, and the error says what differs and what to do", arguments: Mismatch.all)
    func header(_ mismatch: Mismatch) throws {
        let segment = try Segment.create("a", size: 10_000, in: directory.objects, lifetime: .untilRemoved)
        try mismatch.change(try SegmentBytes(directory.path(of: "a")))
        let error = try #require(refusal { _ = try Segment.open("a", in: directory.objects) })
        #expect(error.code == mismatch.code)
        #expect(error.operation == "open" && error.object == "a")
        for text in mismatch.says { #expect(error.description.contains(text), "\(error)") }
        #expect(try directory.names() == ["a"], "a refused file is left as it is")
        // Whoever has it open already read the header before.
        #expect(unsafe segment.withBytes { $0.count } == 10_000)
    }

    @Test("N4 a file that is truncated, empty or no segment is refused", arguments: [0, 1, 4095, 4096, 8192])
    func truncated(_ size: Int) throws {
        _ = try Segment.create("a", size: 10_000, in: directory.objects, lifetime: .untilRemoved)
        #expect(unsafe truncate(directory.path(of: "a").string, size) == 0)
        let error = try #require(refusal { _ = try Segment.open("a", in: directory.objects) })
        #expect(error.code == .notASegment)
        #expect(error.description.contains("remove"))
    }

    @Test("N4 directories, pipes, sockets and links are refused")
    func types() throws {
        func expectRefused(_ name: ObjectName, _ text: String) {
            let error = refusal { _ = try Segment.open(name, in: directory.objects) }
            #expect(error?.code == .notASegment)
            #expect(error?.description.contains(text) == true)
            #expect(error?.description.contains("remove") == true)
            #expect(code { _ = try Segment.openOrCreate(name, size: 1, in: directory.objects) } == .notASegment)
            #expect(code { _ = try Segment.create(name, size: 1, in: directory.objects) } == .nameTaken)
        }
        let segment = try Segment.create("real", size: 1, in: directory.objects)
        unsafe #expect(mkdir(directory.path(of: "directory").string, 0o700) == 0)
        expectRefused("directory", "not a plain file")
        unsafe #expect(mkfifo(directory.path(of: "pipe").string, 0o600) == 0)
        expectRefused("pipe", "not a plain file")
        unsafe #expect(mknod(directory.path(of: "socket").string, S_IFSOCK | 0o600, 0) == 0)
        expectRefused("socket", "not a plain file")
        unsafe #expect(symlink("real", directory.path(of: "link").string) == 0)
        expectRefused("link", "symbolic link")
        unsafe #expect(symlink("nowhere", directory.path(of: "dangling").string) == 0)
        expectRefused("dangling", "symbolic link")
        unsafe #expect(link(directory.path(of: "real").string, directory.path(of: "second").string) == 0)
        expectRefused("second", "2 names")
        unsafe #expect(unlink(directory.path(of: "second").string) == 0)
        #expect(try Segment.open("real", in: directory.objects).header == segment.header)
    }

    @Test("N4 elements of another type are refused, and both are named")
    func elements() throws {
        let options = QueueOptions(directory: directory.objects, lifetime: .untilRemoved)
        let sender = try Sender<UInt64>(to: "a", options: options)
        let error = try #require(refusal { _ = try Receiver<Int64>(from: "a", options: options) })
        #expect(error.code == .elementMismatch)
        #expect(error.description.contains("holds UInt64 (8 bytes, aligned to 8)"))
        #expect(error.description.contains("expects Int64"))
        #expect(error.description.contains("use the same type on both sides"))
        // A 64-byte object opened as 8 bytes overflowed silently elsewhere.
        #expect(code { _ = try Receiver<InlineArray<8, UInt64>>(from: "a", options: options) } == .elementMismatch)
        #expect(code { _ = try ByteReceiver(from: "a", options: options) } == .elementMismatch)
        #expect(code { _ = try Segment.open("a", in: directory.objects) } == .kindMismatch)
        _ = consume sender
    }

    @Test("N4 a type of the same name and another size is refused, and so is a forged name")
    func elementSize() throws {
        let options = QueueOptions(directory: directory.objects, lifetime: .untilRemoved)
        _ = try Sender<UInt64>(to: "a", options: options)
        let bytes = try SegmentBytes(directory.path(of: "a"))
        try bytes.store(16, \.element_size)
        #expect(code { _ = try Receiver<UInt64>(from: "a", options: options) } == .elementMismatch)
        try bytes.store(8, \.element_size)
        try bytes.store(16, \.element_alignment)
        #expect(code { _ = try Receiver<UInt64>(from: "a", options: options) } == .elementMismatch)
        try bytes.store(8, \.element_alignment)
        try bytes.store(0, \.element_hash)
        #expect(code { _ = try Receiver<UInt64>(from: "a", options: options) } == .elementMismatch)
    }

    @Test("N4 less than was asked for is refused")
    func size() throws {
        let segment = try Segment.create("a", size: 100, in: directory.objects)
        let error = refusal { _ = try Segment.open("a", minimumSize: 101, in: directory.objects) }
        #expect(error?.code == .sizeMismatch)
        #expect(error?.description.contains("capacity 100 and 101 is needed") == true)
        #expect(try Segment.open("a", minimumSize: 100, in: directory.objects).header == segment.header)
    }

    @Test("N4 after a refusal nothing of the file stays open or locked")
    func afterwards() async throws {
        _ = try Segment.create("a", size: 100, in: directory.objects, lifetime: .untilRemoved)
        let bytes = try SegmentBytes(directory.path(of: "a"))
        let magic = try bytes.load(\.magic)
        try bytes.store(0, \.magic)
        #expect(code { _ = try Segment.open("a", in: directory.objects) } == .notASegment)
        // A program that another test starts just now has all of this process's files for a moment.
        let file = bytes.file
        try await eventually("nobody has the file open") { try !FileLock.isHeldByAnother(file, against: .exclusive) }
        try bytes.store(magic, \.magic)
        #expect(try Segment.open("a", in: directory.objects).header.capacity == 100)
    }
}
