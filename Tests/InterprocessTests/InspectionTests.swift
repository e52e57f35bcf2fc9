import CInterprocess
import Glibc
import Interprocess
import InterprocessSystem
import Synchronization
import SystemPackage
import TestSupport
import Testing

@Suite("inspection") struct InspectionTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private var options: QueueOptions { QueueOptions(directory: directory.objects) }

    private func write(_ bytes: [UInt8], to name: String) throws { try write(bytes, to: directory.path(of: name)) }

    private func write(_ bytes: [UInt8], to path: FilePath) throws {
        let file = try FileDescriptor.open(
            path, .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: .ownerReadWrite)
        try file.closeAfter { _ = try file.writeAll(bytes) }
    }

    private func contents(of name: String) throws -> [UInt8] {
        let file = OwnedDescriptor(owning: try FileDescriptor.open(directory.path(of: name), .readOnly, options: .closeOnExec))
        var bytes = [UInt8](repeating: 0, count: try FileStatus(of: file.descriptor).size)
        _ = try unsafe bytes.withUnsafeMutableBytes { try unsafe file.descriptor.readAll(into: $0, at: 0) }
        return bytes
    }

    /// What a killed process leaves: the file of `name` as it is now, made under another name, and nobody has it open.
    private func leaveBehind(_ name: String, as other: String) throws {
        var bytes = try contents(of: name)
        let offset = try SegmentBytes.offset(of: \.name)
        for index in 0..<ObjectName.maximumLength { bytes[offset + index] = 0 }
        for (index, byte) in other.utf8.enumerated() { bytes[offset + index] = byte }
        try write(bytes, to: other)
    }

    /// `cp`.
    private func copy(_ name: String, to other: String) throws { try write(contents(of: name), to: other) }

    @Test("N8 looking at objects takes no part: no peer is added, no byte is changed") func listing() throws {
        var sender = try Sender<UInt64>(to: "numbers", capacity: 8, options: options)
        for number in 0..<3 { try sender.send(UInt64(number)) }
        let before = try contents(of: "numbers")
        let objects = try directory.objects.objects()
        #expect(objects.map(\.fileName) == ["numbers"])
        let details = try #require(objects.first?.details)
        #expect(objects.first?.isOpen == true && !details.isGarbage)
        #expect(details.header.kind == .queue && details.header.element == ElementDescription(of: UInt64.self))
        #expect(details.peers.map(\.information.id) == [sender.segment.peer])
        #expect(details.peers.map(\.holds) == [.sender] && details.peers.map(\.isAlive) == [true])
        #expect(try details.queue?.get().waiting == 3)
        #expect(try contents(of: "numbers") == before)
    }

    @Test("N8 what is foreign is listed as such and refused by remove, unless anything may go") func foreign() throws {
        try write(Array("text".utf8), to: "text")
        try write([UInt8](repeating: 0, count: 10_000), to: "zeros")
        try write([1], to: ".hidden")
        let objects = try directory.objects.objects()
        #expect(objects.map(\.fileName) == ["text", "zeros"])
        for object in objects {
            guard case .unreadable(let error) = object.content else {
                Issue.record("\(object.fileName) was taken for an object")
                continue
            }
            #expect(error.code == .notASegment)
            #expect(throws: InterprocessError.self) { try directory.objects.remove(named: object.fileName) }
            try directory.objects.removeAnything(named: object.fileName)
        }
        #expect(try directory.names() == [".hidden"])
        for path in ["../x", "", ".", "..", "a/b"] {
            #expect(throws: InterprocessError.self) { try directory.objects.removeAnything(named: path) }
        }
    }

    @Test("N6 a removed object goes on for those who have it open, and its name is free") func removal() throws {
        var sender = try Sender<UInt64>(to: "q", options: options)
        var receiver = try Receiver<UInt64>(from: "q", options: options)
        #expect(try directory.objects.remove("q").isOpen)
        #expect(try directory.names() == [])
        try sender.send(7)
        let other = try Sender<UInt64>(to: "q", options: options)
        #expect(other.nextSequence == 0)
        let found = try receiver.receive(until: .after(watchdog))
        #expect(found == 7)
        #expect(throws: InterprocessError.self) { try directory.objects.remove("nothing") }
    }

    @Test("N8 the dead and only the dead are collected; messages stay unless they may go") func garbage() throws {
        let segment = try Segment.create("plain", size: 100, in: directory.objects)
        let kept = try Segment.create("kept", size: 100, in: directory.objects, lifetime: .untilRemoved)
        var sender = try Sender<UInt64>(to: "queue", options: options)
        try leaveBehind("plain", as: "dead-plain")
        try leaveBehind("kept", as: "dead-kept")
        try leaveBehind("queue", as: "dead-queue")
        try sender.send(1)
        try leaveBehind("queue", as: "dead-full")
        try write([1, 2, 3], to: "foreign")
        #expect(try directory.objects.collectGarbage().map(\.fileName) == ["dead-plain", "dead-queue"])
        #expect(try directory.objects.collectGarbage(withMessages: true).map(\.fileName) == ["dead-full"])
        #expect(try directory.names() == ["dead-kept", "foreign", "kept", "plain", "queue"])
        _ = (segment, kept)
    }

    @Test("N8 one object that cannot be collected keeps no other from it, and is said") func failingCollection() throws {
        let segment = try Segment.create("a", size: 100, in: directory.objects)
        for name in ["dead-1", "dead-2", "dead-3"] { try leaveBehind("a", as: name) }
        let opensBefore = 1 + 1 + 4 + 1  // the directory, its listing, each object to be looked at, the directory for the first
        let error = refusal {
            _ = try SystemCallFaults.withFault("open", .permissionDenied, afterSkipping: opensBefore) {
                try directory.objects.collectGarbage()
            }
        }
        #expect(error?.code == .system && error?.object == "dead-1" && error?.errno == .permissionDenied)
        #expect(try directory.names() == ["a", "dead-1"])
        _ = segment
    }

    @Test("N8 a file of any name is listed, told from all others, and can be removed by what is printed") func strangeNames() throws {
        var random = SeededRandom(for: "strange names")
        let alphabet: [UInt8] = [0x01, 0x0a, 0x1b, 0x20, 0x2e, 0x41, 0x5c, 0x66, 0x78, 0x7f, 0x80, 0xc3, 0xa4, 0xe2, 0x80, 0xae, 0xff]
        var names: Set<[UInt8]> = [[0xff], [0xfe]]
        for text in ["\\xff", "a\\b", "\u{e4}", " a", "a "] { names.insert(Array(text.utf8)) }
        while names.count < 200 {
            let name = (0..<Int.random(in: 1...6, using: &random)).map { _ in alphabet.randomElement(using: &random) ?? 0 }
            if name.first != UInt8(ascii: ".") { names.insert(name) }
        }
        for name in names {
            let component = try #require(FilePath.Component(platformString: name.map { CChar(bitPattern: $0) } + [0]))
            try write([1], to: directory.path.appending(component))
        }
        let objects = try directory.objects.objects()
        #expect(objects.count == names.count)
        #expect(Set(objects.map(\.printableName)).count == names.count)
        let printed = objects.map(\.printableName)
        #expect(printed.allSatisfy { $0.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7f && $0.value != 0x202e } })
        #expect(printed.contains("\\xff") && printed.contains("\\\\xff") && printed.contains("\u{e4}") && printed.contains("\\x20a"))
        for text in printed {
            let name = try ObjectDirectory.fileName(printedAs: text)
            #expect(throws: InterprocessError.self) { try directory.objects.remove(named: name) }
            try directory.objects.removeAnything(named: name)
        }
        #expect(try directory.objects.objects().isEmpty)
        for path in ["", ".", "..", "a/b", "\\x2e", "\\x00", "a\\x2fb"] {
            #expect(throws: InterprocessError.self) { try ObjectDirectory.fileName(printedAs: path) }
        }
    }

    @Test("N4 N8 a copy of an object is not that object: it is neither opened nor collected")
    func copies() throws {
        _ = try Segment.create("a", size: 100, in: directory.objects, lifetime: .untilRemoved)
        let segment = try Segment.create("short", size: 100, in: directory.objects)
        try copy("a", to: "b")
        try copy("short", to: "short-copy")
        try copy("short", to: "kopie \u{e4}")
        for open in [
            { try Segment.open("b", in: directory.objects) }, { try Segment.openOrCreate("b", size: 1, in: directory.objects) },
            { try Segment.open("short-copy", in: directory.objects) },
        ] {
            let error = refusal { _ = try open() }
            #expect(error?.code == .nameMismatch)
            #expect(error?.description.contains("it was made as '") == true && error?.description.contains("rename it") == true)
        }
        #expect(code { _ = try Segment.create("short-copy", size: 1, in: directory.objects) } == .nameTaken)
        #expect(code { _ = try Sender<UInt64>(to: "b", options: options) } == .nameMismatch)
        let copies = try directory.objects.objects().filter { $0.details == nil }
        #expect(copies.map(\.printableName) == ["b", "kopie \u{e4}", "short-copy"])
        #expect(!copies.contains { $0.isGarbage(withMessages: true) })
        #expect(try directory.objects.collectGarbage(withMessages: true).isEmpty)
        for name in ["short-copy", "kopie \u{e4}"] as [FilePath.Component] { try directory.objects.remove(named: name) }
        // What was renamed can be had again.
        unsafe #expect(rename(directory.path(of: "b").string, directory.path(of: "a").string) == 0)
        #expect(try Segment.open("a", in: directory.objects).header.capacity == 100)
        // Nor is a copy of what has no name an object of some name.
        let anonymous = try Segment.anonymous(size: 10)
        var bytes = [UInt8](repeating: 0, count: anonymous.header.size)
        _ = try unsafe bytes.withUnsafeMutableBytes { try unsafe anonymous.descriptor.readAll(into: $0, at: 0) }
        try write(bytes, to: "c")
        let error = refusal { _ = try Segment.open("c", in: directory.objects) }
        #expect(error?.code == .nameMismatch && error?.description.contains("made without a name") == true)
        _ = segment
    }

    @Test("N5 N8 who looks is told why an object cannot be opened") func hindrances() throws {
        let segment = try Segment.create("a", size: 100, in: directory.objects)
        #expect(try directory.objects.status(of: "a").refusal == nil)
        unsafe #expect(chmod(directory.path(of: "a").string, 0o606) == 0)
        let writable = try directory.objects.status(of: "a")
        #expect(writable.refusal?.code == .wrongMode && writable.details != nil && writable.isOpen)
        #expect(try ObjectDirectory(at: directory.path, owners: .anyone).status(of: "a").refusal == nil)
        unsafe #expect(chmod(directory.path(of: "a").string, 0o600) == 0)
        unsafe #expect(link(directory.path(of: "a").string, directory.path(of: ".other").string) == 0)
        #expect(try directory.objects.status(of: "a").refusal?.code == .notASegment)
        _ = segment
    }

    @Test("N6 of two that leave at the same moment, one removes the name") func leavingTogether() throws {
        let ends = Ends()
        for round in 0..<200 {
            let first = Holder(try Segment.create("s", size: 1, in: directory.objects))
            let holders = [first, Holder(try Segment.open("s", in: directory.objects))]
            for holder in holders { try ends.onThread { holder.letGo() } }
            try eventuallyBlocking("both have left") { ends.texts.count == 2 * (round + 1) }
            #expect(try directory.names() == [], "round \(round)")
        }
    }

    @Test("C1 a queue is looked at while both sides are at work") func statisticsUnderway() throws {
        let options = options, objects = directory.objects
        let count: UInt64 = 200_000
        var receiver = try Receiver<UInt64>(from: "q", options: options)
        let segment = receiver.segment
        let ends = Ends()
        try ends.onThread {
            var sender = try Sender<UInt64>(to: "q", capacity: 64, options: options)
            for number in 0..<count { try sender.send(number) }
            try sender.waitUntilReceived()
        }
        try ends.onThread {
            while try QueueInspection.validate(segment).received < count {
                if try !objects.status(of: "q").isOpen { throw TimedOut("nobody has the queue open", .zero) }
            }
        }
        for number in 0..<count {
            let found = try receiver.receive(until: .after(watchdog))
            try #require(found == number)
        }
        try eventuallyBlocking("both threads' ends") { ends.texts.count == 2 }
        #expect(ends.texts == ["", ""])
    }
}

/// Holds a segment until it is told to let go.
private final class Holder: Sendable {
    private let segment: Mutex<Segment?>
    init(_ segment: Segment) { self.segment = Mutex(segment) }
    func letGo() { segment.withLock { $0 = nil } }
}

/// How threads have ended: what each threw, or nothing.
private final class Ends: Sendable {
    private let state = Mutex<[String]>([])

    var texts: [String] { state.withLock { $0 } }

    func onThread(_ body: @escaping @Sendable () throws -> Void) throws {
        try startServiceThread(named: "test") {
            let text: String
            do {
                try body()
                text = ""
            } catch {
                text = "\(error)"
            }
            self.state.withLock { $0.append(text) }
        }
    }
}

@Suite("bytes written in place") struct PublishUpToTests {
    private struct Refusal: Error {}

    @Test("C2 a message gets the size that was written; nothing is sent if nothing was, or if the body throws") func sizes() throws {
        let directory = try TemporaryDirectory()
        let options = QueueOptions(directory: directory.objects)
        var sender = try ByteSender(to: "q", capacity: 4096, options: options)
        var receiver = try ByteReceiver(from: "q", options: options)
        for size in [1, 7, 8, 100, 4096] {
            let result = try sender.publish(upTo: 4096) { span in
                for index in 0..<size { span.append(UInt8(truncatingIfNeeded: index)) }
                return span.byteCount
            }
            #expect(result.get() == size)
            let found = try receiver.receive(until: .after(watchdog))
            #expect(found == (0..<size).map { UInt8(truncatingIfNeeded: $0) })
        }
        _ = try sender.publish(upTo: 10) { _ in }
        _ = try sender.publish(upTo: 10) { (span: inout OutputRawSpan) throws(Refusal) -> Void in
            span.append(1)
            throw Refusal()
        }
        let nothing = try receiver.tryReceive { $0.byteCount }
        #expect(nothing == nil && sender.nextSequence == 5)
    }

    @Test("C3 a sender waits until everything was received, or until its deadline") func waiting() throws {
        let directory = try TemporaryDirectory()
        let options = QueueOptions(directory: directory.objects)
        var sender = try Sender<UInt64>(to: "q", options: options)
        try sender.waitUntilReceived(until: .now)
        try sender.send(1)
        #expect(throws: SendError<Void>.self) { try sender.waitUntilReceived(until: .after(.milliseconds(1))) }
        var receiver = try Receiver<UInt64>(from: "q", options: options)
        let found = try receiver.receive(until: .after(watchdog))
        #expect(found == 1)
        try sender.waitUntilReceived(until: .after(watchdog))
    }
}
