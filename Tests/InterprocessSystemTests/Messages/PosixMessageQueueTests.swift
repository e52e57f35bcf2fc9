import Glibc
import InterprocessSystem
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// How often the signal came.
private let notifications = Atomic(0)

@Suite("K2 POSIX message queues", .serialized)
struct PosixMessageQueueTests {
    private let name = "/interprocess-test-\(getpid())-\(randomUInt64())"
    private let small = PosixMessageQueue.Options(maximumMessages: 3, messageSize: 16)

    private final class Removal {
        let name: String
        init(_ name: String) { self.name = name }
        deinit { try? PosixMessageQueue.remove(name) }
    }

    private func receive(_ queue: borrowing PosixMessageQueue) throws(FacilityError) -> (bytes: [UInt8], priority: UInt32)? {
        var bytes = [UInt8](repeating: 0, count: queue.options.messageSize)
        var span = bytes.mutableSpan
        guard let (count, priority) = try queue.tryReceiveWithPriority(into: &span) else { return nil }
        return (Array(bytes[..<count]), priority)
    }

    /// Python has no message queues; it has the C library.
    private static let python = """
        import ctypes, sys
        lib = ctypes.CDLL(None, use_errno=True)
        lib.mq_open.restype = ctypes.c_int
        queue = lib.mq_open(sys.argv[1].encode(), 2)
        assert queue >= 0, ctypes.get_errno()
        buffer = ctypes.create_string_buffer(16)
        priority = ctypes.c_uint()
        print('ready', flush=True)
        for line in sys.stdin:
            word = line.split()
            if word[0] == 'send':
                lib.mq_send(queue, word[1].encode(), len(word[1]), int(word[2]))
                print('sent', flush=True)
            else:
                count = lib.mq_receive(queue, buffer, 16, ctypes.byref(priority))
                print(buffer.raw[:count].decode(), priority.value, flush=True)
        """

    @Test("K2 another program gets messages by priority, and its own come by priority")
    func purpose() async throws {
        let queue = try PosixMessageQueue.create(name, options: small)
        let removal = Removal(name)
        let python = try PeerProcess(python: Self.python, [name])
        try await python.expect("ready")
        try queue.send(Array("low".utf8).span, priority: 1)
        try queue.send(Array("high".utf8).span, priority: PosixMessageQueue.highestPriority)
        try queue.send(Array("low too".utf8).span, priority: 1)
        #expect(try queue.count() == 3)
        for expected in ["high 32767", "low 1"] {
            try python.send("receive")
            try await python.expect(expected)
        }
        for order in ["send a 0", "send b 7"] {
            try python.send(order)
            try await python.expect("sent")
        }
        for (text, priority) in [("b", 7), ("low too", 1), ("a", 0)] as [(String, UInt32)] {
            let found = try receive(queue)
            #expect(found?.bytes == Array(text.utf8) && found?.priority == priority)
        }
        // The death of a user changes nothing.
        try python.send("send last 0")
        try await python.expect("sent")
        python.kill()
        _ = try await python.ending()
        #expect(text(try await InterprocessSystemTests.receive(queue, 16)) == "last")
        _ = removal
    }

    @Test("K2 a queue is made once, found with what it holds, removed while it is used")
    func names() throws {
        let missing = #expect(throws: FacilityError.self) { _ = try PosixMessageQueue.open(name) }
        #expect(missing?.errno == .noSuchFileOrDirectory && missing?.object == name)
        let queue = try PosixMessageQueue.openOrCreate(name, options: small)
        let removal = Removal(name)
        let taken = #expect(throws: FacilityError.self) { _ = try PosixMessageQueue.create(name) }
        #expect(taken?.errno == .fileExists)
        do {
            let other = try PosixMessageQueue.openOrCreate(name)
            #expect(other.options == small)
            #expect(isClosedByExec(other.descriptor))
            try PosixMessageQueue.remove(name)
            try blockingSend(queue, [1])
            #expect(try blockingReceive(other, 16) == [1])
        }
        #expect(throws: FacilityError.self) { try PosixMessageQueue.remove(name) }
        _ = removal
    }

    @Test("K2 one byte, one message, one priority more than fits")
    func boundaries() async throws {
        let queue = try PosixMessageQueue.create(name, options: small)
        let removal = Removal(name)
        let long = #expect(throws: FacilityError.self) { try blockingSend(queue, .pattern(17)) }
        #expect(long?.errno == .messageTooLong)
        try blockingSend(queue, .pattern(16))
        let short = #expect(throws: FacilityError.self) { _ = try blockingReceive(queue, 15) }
        #expect(short?.errno == .messageTooLong)
        #expect(try blockingReceive(queue, 16) == .pattern(16), "it stayed")
        let high = #expect(throws: FacilityError.self) { try queue.send([1].span, priority: PosixMessageQueue.highestPriority + 1) }
        #expect(high?.errno == .invalidArgument)
        #expect(try tryReceive(queue, 16) == nil)
        let empty = #expect(throws: FacilityError.self) { _ = try blockingReceive(queue, 16, until: after(milliseconds: 5)) }
        #expect(empty?.isDeadline == true)
        for number in 0..<3 { #expect(try queue.trySend([UInt8(number)].span)) }
        #expect(try !queue.trySend([3].span))
        let full = #expect(throws: FacilityError.self) { try blockingSend(queue, [3], until: after(milliseconds: 5)) }
        #expect(full?.isDeadline == true)
        async let sending: Void = queue.send([3].span)
        for number in 0..<3 { #expect(try blockingReceive(queue, 16) == [UInt8(number)]) }
        try await sending
        #expect(try await InterprocessSystemTests.receive(queue, 16) == [3])
        let invalid = #expect(throws: FacilityError.self) {
            _ = try PosixMessageQueue.create(name + "0", options: .init(maximumMessages: 1, messageSize: 1 << 30))
        }
        #expect(invalid?.errno == .invalidArgument)
        #expect(try #require(PosixMessageQueue.Limits.maximumMessages) > 0)
        _ = removal
    }

    @Test("K2 a signal tells once that a message came into the empty queue; one process at a time asks")
    func notification() async throws {
        let queue = try PosixMessageQueue.create(name, options: small)
        let removal = Removal(name)
        notifications.store(0, ordering: .relaxed)
        let before = signal(SIGUSR2) { _ in notifications.add(1, ordering: .relaxed) }
        defer { _ = signal(SIGUSR2, before) }
        try queue.notify(by: SIGUSR2)
        let busy = #expect(throws: FacilityError.self) { try queue.notify(by: SIGUSR2) }
        #expect(busy?.errno == .resourceBusy)
        try queue.cancelNotification()
        try queue.notify(by: SIGUSR2)
        try blockingSend(queue, [1])
        try await eventually("the signal") { notifications.load(ordering: .relaxed) == 1 }
        try blockingSend(queue, [2])
        #expect(try blockingReceive(queue, 16) == [1] && blockingReceive(queue, 16) == [2])
        // It was used up.
        try queue.notify(by: SIGUSR2)
        try queue.cancelNotification()
        try blockingSend(queue, [3])
        #expect(notifications.load(ordering: .relaxed) == 1)
        _ = removal
    }

    @Test("K2 every errno of the mq_ functions is told, with what to do")
    func errors() throws {
        let queue = try PosixMessageQueue.create(name, options: small)
        let removal = Removal(name)
        expectEach(
            [
                .permissionDenied, .invalidArgument, .tooManyOpenFiles, .fileNameTooLong, .tooManyOpenFilesInSystem, .noSuchFileOrDirectory,
                .noMemory,
                .noSpace,
            ], of: "mq_open", .posixMessageQueue
        ) { () throws(FacilityError) in _ = try PosixMessageQueue.open(name) }
        expectEach([.permissionDenied, .fileNameTooLong], of: "mq_unlink", .posixMessageQueue) { () throws(FacilityError) in
            try PosixMessageQueue.remove(name)
        }
        expectEach([.badFileDescriptor, .invalidArgument, .messageTooLong], of: "mq_send", .posixMessageQueue) { () throws(FacilityError) in
            try blockingSend(queue, [1])
        }
        expectEach([.badFileDescriptor, .invalidArgument, .messageTooLong, .badMessage], of: "mq_receive", .posixMessageQueue) {
            () throws(FacilityError) in _ = try tryReceive(queue, 16)
        }
        expectEach([.badFileDescriptor, .resourceBusy, .invalidArgument, .noMemory], of: "mq_notify", .posixMessageQueue) {
            () throws(FacilityError) in try queue.notify(by: SIGUSR2)
        }
        expectEach([.badFileDescriptor], of: "mq_getattr", .posixMessageQueue) { () throws(FacilityError) in _ = try queue.count() }
        let slash = #expect(throws: FacilityError.self) { _ = try PosixMessageQueue.open("no-slash") }
        #expect(slash?.errno == .invalidArgument)
        _ = removal
    }
}
