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

    private func write(_ bytes: [UInt8], to name: String) throws {
        let file = try FileDescriptor.open(
            directory.path(of: name), .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: .ownerReadWrite)
        try file.closeAfter { _ = try file.writeAll(bytes) }
    }

    private func contents(of name: String) throws -> [UInt8] {
        let file = OwnedDescriptor(owning: try FileDescriptor.open(directory.path(of: name), .readOnly, options: .closeOnExec))
        var bytes = [UInt8](repeating: 0, count: try FileStatus(of: file.descriptor).size)
        _ = try unsafe bytes.withUnsafeMutableBytes { try unsafe file.descriptor.readAll(into: $0, at: 0) }
        return bytes
    }

    /// What a killed process leaves: the file of `name` as it is now, under another name, and nobody has it open.
    private func leaveBehind(_ name: String, as copy: String) throws { try write(contents(of: name), to: copy) }

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
            #expect(throws: InterprocessError.self) { try directory.objects.remove(try ObjectName(object.fileName)) }
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
