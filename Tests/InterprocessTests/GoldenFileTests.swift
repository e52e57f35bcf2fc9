import CInterprocess
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

/// Segments that this version of the layout has made once and for all. They are opened as any program of this version must be able to open them: a change of
/// the layout shows here even if both sides of a queue agree about it.
///
/// When the layout changes on purpose, raise `IPC_LAYOUT_VERSION` and make them anew:
///
///     IPC_MAKE_GOLDEN=1 swift test --filter GoldenFile
@Suite("Golden files", .serialized)
struct GoldenFileTests {
    /// The file of each is `layout-VERSION.NAME`, 16 KiB, most of it zeroes.
    enum Golden: String, CaseIterable { case values, bytes, dropping, death, plain }

    private static let folder = FilePath("\(#filePath)").removingLastComponent().appending("Golden")
    /// Makes them first, once, if that is asked for.
    private static let made = Result {
        if environmentVariable("IPC_MAKE_GOLDEN") == "1" { try GoldenMaker.makeAll(in: folder) }
    }
    private let directory: TemporaryDirectory

    init() throws {
        directory = try TemporaryDirectory()
        try Self.made.get()
    }

    private var options: QueueOptions { QueueOptions(directory: directory.objects, lifetime: .untilRemoved, existence: .mustExist) }

    private func name(_ golden: Golden) throws -> ObjectName { try ObjectName("layout-\(IPC_LAYOUT_VERSION).\(golden)") }

    /// Puts a copy where a program would look for it.
    private func copy(_ golden: Golden) throws -> ObjectName {
        let name = try name(golden)
        let source = OwnedDescriptor(
            owning: try FileDescriptor.open(Self.folder.appending(name.description), .readOnly, options: .closeOnExec))
        var bytes = [UInt8](repeating: 0, count: try FileStatus(of: source.descriptor).size)
        _ = try unsafe bytes.withUnsafeMutableBytes { try unsafe source.descriptor.readAll(into: $0, at: 0) }
        let target = try FileDescriptor.open(
            directory.path(of: name.description), .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
            permissions: .ownerReadWrite)
        _ = try target.closeAfter { try target.writeAll(bytes) }
        return name
    }

    @Test("N4 P7 a queue's golden file: its values are received, in order, with their numbers")
    func values() throws {
        var receiver = try Receiver<UInt64>(from: copy(.values), options: options)
        #expect(receiver.nextSequence == 4, "three values and the first of a batch were received when it was made")
        #expect(try QueueInspection.validate(receiver.segment).waiting == 5)
        for number in 4..<9 as Range<UInt64> {
            // The first sender closed after six values.
            if number == 6 { expectNotReceived(.closed) { () throws(ReceiveError) in _ = try receiver.tryReceive() } }
            let found = try receiver.tryReceive()
            #expect(found == GoldenMaker.value(number))
        }
        expectNotReceived(.closed) { () throws(ReceiveError) in _ = try receiver.tryReceive() }
        // And goes on where it was.
        var sender = try Sender<UInt64>(to: try name(.values), options: options)
        #expect(sender.nextSequence == 9)
        for number in 9..<100 as Range<UInt64> {
            try sender.send(number)
            let found = try receiver.receive(until: .after(watchdog))
            #expect(found == number)
        }
    }

    @Test("N4 P7 a byte queue's golden file: messages of every size keep their boundaries")
    func bytes() throws {
        var receiver = try ByteReceiver(from: copy(.bytes), options: options)
        for size in GoldenMaker.sizes {
            let found = try receiver.tryReceive { unsafe $0.withUnsafeBytes { unsafe Array($0) } }
            #expect(found?.get() == GoldenMaker.message(size))
        }
        expectNotReceived(.closed) { () throws(ReceiveError) in _ = try receiver.tryReceive { _ in } }
    }

    @Test("N4 P7 C3 a golden file of a queue that drops the oldest: the newest values, and how many were dropped")
    func dropping() throws {
        var receiver = try Receiver<UInt64>(from: copy(.dropping), options: options)
        #expect(
            receiver.dropped == GoldenMaker.dropped && receiver.nextSequence == GoldenMaker.dropped + 1, "one was received when it was made"
        )
        for number in GoldenMaker.dropped + 1..<1000 {
            let found = try receiver.tryReceive()
            #expect(found == GoldenMaker.value(number))
        }
        expectNotReceived(.closed) { () throws(ReceiveError) in _ = try receiver.tryReceive() }
    }

    @Test("N4 P7 L2 a golden file whose sender was killed: its message is received, then its death")
    func death() throws {
        var receiver = try Receiver<UInt64>(from: copy(.death), options: options)
        let found = try receiver.tryReceive()
        #expect(found == 0)
        let end = receiveFailure { () throws(ReceiveError) in _ = try receiver.tryReceive() }
        guard case .peerDied(let notice)? = end else { throw TestFailure("\(String(describing: end))") }
        #expect(notice.program == "TestPeer" && notice.held == .sender && notice.pid > 0)
        #expect(receiver.segment.deathCount == 1 && receiver.segment.peers.map(\.id) == [receiver.segment.peer])
    }

    @Test("N4 P7 a plain segment's golden file: header and bytes")
    func plain() throws {
        let segment = try Segment.open(copy(.plain), in: directory.objects)
        let header = segment.header
        #expect(header.kind == .plain && header.capacity == 100 && header.maximumPeers == 4 && header.lifetime == .untilRemoved)
        #expect(try header.name == name(.plain) && header.creatorPID > 0 && !header.creatorProgram.isEmpty && header.incarnation != 0)
        let bytes = unsafe segment.withBytes { unsafe Array($0) }
        #expect(bytes == Array(0..<100))
    }

    @Test("N4 P7 golden files are of this layout: version, fingerprint, and no larger than they need to be", arguments: Golden.allCases)
    func layout(_ golden: Golden) throws {
        let bytes = try SegmentBytes(directory.path(of: copy(golden).description), readOnly: true)
        #expect(try bytes.load(\.layout_version) == UInt32(IPC_LAYOUT_VERSION))
        #expect(
            try bytes.load(\.fingerprint) == LayoutTable.fingerprint,
            "the layout has changed: raise IPC_LAYOUT_VERSION, and make the files anew as this file says")
        #expect(try bytes.load(\.segment_size) <= 16384)
    }

    @Test("N4 P7 a golden file of a later version, or with a foreign byte, is refused with what differs", arguments: Golden.allCases)
    func refused(_ golden: Golden) throws {
        let name = try copy(golden)
        let bytes = try SegmentBytes(directory.path(of: name.description))
        func open() throws {
            switch golden {
            case .values, .dropping, .death: _ = try Receiver<UInt64>(from: name, options: options)
            case .bytes: _ = try ByteReceiver(from: name, options: options)
            case .plain: _ = try Segment.open(name, in: directory.objects)
            }
        }
        func expectRefused(_ code: InterprocessError.Code, _ texts: [String], at offset: Int, _ change: (UInt8) -> UInt8) throws {
            let before = try bytes.load(UInt8.self, at: offset)
            try bytes.store(change(before), at: offset)
            let error = refusal(open)
            #expect(error?.code == code)
            for text in texts { #expect(error?.description.contains(text) == true, "\(error.map { "\($0)" } ?? "not refused")") }
            try bytes.store(before, at: offset)
        }
        let version = try SegmentBytes.offset(of: \.layout_version)
        let next = UInt8(IPC_LAYOUT_VERSION + 1)
        try expectRefused(
            .versionMismatch, ["layout version \(next)", "this program has \(IPC_LAYOUT_VERSION)", "use the same version"], at: version
        ) { _ in next }
        for index in 0..<8 {
            try expectRefused(.notASegment, ["not a segment of this library"], at: SegmentBytes.offset(of: \.magic) + index) { $0 ^ 1 }
            try expectRefused(.versionMismatch, ["layout differs"], at: SegmentBytes.offset(of: \.fingerprint) + index) { $0 ^ 0x80 }
        }
        #expect(throws: Never.self) { try open() }
    }
}

/// Makes the golden files.
private enum GoldenMaker {
    /// Of each byte another value.
    static func value(_ number: UInt64) -> UInt64 { number &* 0x0102_0408_1020_4081 }
    /// Of a thousand values that a ring of a page drops, which has room for 255.
    static let dropped: UInt64 = 745
    static let sizes = [0, 1, 7, 8, 9, 100, 1000]
    static func message(_ size: Int) -> [UInt8] { (0..<size).map { UInt8(truncatingIfNeeded: $0 + size) } }

    static func makeAll(in folder: FilePath) throws {
        let old = try Directory(opening: folder)
        for name in try old.names() where name.hasPrefix("layout-\(IPC_LAYOUT_VERSION).") { try old.unlink(name) }
        let objects = ObjectDirectory(at: folder)
        let options = QueueOptions(directory: objects, lifetime: .untilRemoved)
        func name(_ golden: GoldenFileTests.Golden) throws -> ObjectName { try ObjectName("layout-\(IPC_LAYOUT_VERSION).\(golden)") }

        do {
            var sender = try Sender<UInt64>(to: name(.values), capacity: 16, options: options)
            var receiver = try Receiver<UInt64>(from: name(.values), options: options)
            for number in 0..<3 as Range<UInt64> { try sender.send(value(number)) }
            try sender.send(contentsOf: [value(3), value(4), value(5)].span)
            // Another session: the record with which it begins says how the one before ended.
            sender.close()
            sender = try Sender<UInt64>(to: name(.values), options: options)
            for number in 6..<9 as Range<UInt64> { try sender.send(value(number)) }
            for _ in 0..<4 { _ = try receiver.receive(until: .after(watchdog)) }
        }
        do {
            var sender = try ByteSender(to: name(.bytes), capacity: 2000, options: options)
            for size in sizes { unsafe try sender.send(message(size).span.bytes) }
        }
        do {
            var dropOldest = options
            dropOldest.overflow = .dropOldest
            var sender = try Sender<UInt64>(to: name(.dropping), capacity: 16, options: dropOldest)
            for number in 0..<1000 as Range<UInt64> { try sender.send(value(number)) }
            var receiver = try Receiver<UInt64>(from: name(.dropping), options: options)
            _ = try receiver.receive(until: .after(watchdog))
        }
        do {
            _ = try Receiver<UInt64>(from: name(.death), capacity: 16, options: options)
            var victim = try ChildProcess(
                starting: PeerProcess.program, arguments: ["send-and-die", folder.string, name(.death).description])
            _ = try victim.wait()
        }
        let segment = try Segment.create(name(.plain), size: 100, in: objects, lifetime: .untilRemoved, maximumPeers: 4)
        unsafe segment.withBytes { bytes in
            for index in bytes.indices { unsafe bytes[index] = UInt8(index) }
        }
    }
}
