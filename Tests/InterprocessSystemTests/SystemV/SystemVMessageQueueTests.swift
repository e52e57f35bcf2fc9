import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K2 System V message queues")
struct SystemVMessageQueueTests {
    private let key = SystemVKey.random()

    private func withQueue(_ body: (SystemVMessageQueue) async throws -> Void) async throws {
        let queue = try SystemVMessageQueue.create(key)
        try await removing({ try queue.remove() }, after: { try await body(queue) })
    }

    private func receive(
        _ queue: SystemVMessageQueue, _ count: Int = 64, _ selection: SystemVMessageQueue.Selection = .any
    ) throws(FacilityError) -> (bytes: [UInt8], type: Int)? {
        var bytes = [UInt8](repeating: 0, count: count)
        var span = bytes.mutableSpan
        guard let (count, type) = try queue.tryReceive(into: &span, selection) else { return nil }
        return (Array(bytes[..<count]), type)
    }

    private static let python =
        SystemVPython.prelude + """
            queue = check(lib.msgget(int(sys.argv[1]), 0))
            class Message(ctypes.Structure): _fields_ = [('type', ctypes.c_long), ('text', ctypes.c_char * 64)]
            say('ready', queue)
            for line in sys.stdin:
                word = line.split()
                if word[0] == 'send':
                    check(lib.msgsnd(queue, ctypes.byref(Message(int(word[2]), word[1].encode())), len(word[1]), 0))
                    say('sent')
                else:
                    message = Message()
                    if word[0] == 'await': say('waiting')
                    count = lib.msgrcv(queue, ctypes.byref(message), 64, ctypes.c_long(int(word[1])), 0)
                    if count < 0: say('errno', ctypes.get_errno())
                    else: say(message.text[:count].decode(), message.type)
            """

    @Test("K2 another program gets messages by type, and its own come by type; its death changes nothing")
    func purpose() async throws {
        try await withQueue { queue in
            let python = try PeerProcess(python: Self.python, ["\(key.rawValue)"])
            try await python.expect("ready \(queue.identifier)")
            for (text, type) in [("a", 3), ("b", 1), ("c", 3)] { try queue.send(Array(text.utf8).span, type: type) }
            let status = try queue.status()
            #expect(status.messages == 3 && status.bytes == 3 && status.capacity > 3)
            #expect(status.access.permissions == .ownerReadWrite && status.lastReceiver == 0)
            // The first of the lowest type up to 3, then the first of type 3, then any.
            for (order, expected) in [("receive -3", "b 1"), ("receive 3", "a 3"), ("receive 0", "c 3")] {
                try python.send(order)
                try await python.expect(expected)
            }
            for order in ["send x 5", "send y 2", "send z 7"] {
                try python.send(order)
                try await python.expect("sent")
            }
            let except = try receive(queue, 64, .except(5))
            #expect(text(except?.bytes) == "y" && except?.type == 2)
            let lowest = try receive(queue, 64, .upTo(6))
            #expect(text(lowest?.bytes) == "x" && lowest?.type == 5)
            #expect(try receive(queue, 64, .only(5)) == nil)
            let lastSender = try queue.status().lastSender
            #expect(lastSender == python.pid)
            python.kill()
            _ = try await python.ending()
            let last = try receive(queue, 64, .only(7))
            #expect(text(last?.bytes) == "z")
        }
    }

    @Test("K2 a queue is made once, found with what it holds, by key and by number, and removed while it is used")
    func names() async throws {
        let missing = #expect(throws: FacilityError.self) { _ = try SystemVMessageQueue.open(key) }
        #expect(missing?.errno == .noSuchFileOrDirectory && missing?.object == key.description)
        try await withQueue { queue in
            let taken = #expect(throws: FacilityError.self) { _ = try SystemVMessageQueue.create(key) }
            #expect(taken?.errno == .fileExists)
            let nothing: [UInt8] = []
            try queue.send(nothing.span, type: 9)
            let other = try SystemVMessageQueue.openOrCreate(key)
            #expect(other == queue && SystemVMessageQueue(identifier: queue.identifier) == queue)
            let empty = try receive(other)
            #expect(empty?.bytes == [] && empty?.type == 9)
            let python = try PeerProcess(python: Self.python, ["\(key.rawValue)"])
            try await python.expect("ready \(queue.identifier)")
            try python.send("await 0")
            try await python.expect("waiting")
            try await python.sleeps()
            try queue.remove()
            try await python.expect("errno \(Errno.identifierRemoved.rawValue)")
            let gone = #expect(throws: FacilityError.self) { try queue.send([1].span, type: 1) }
            #expect(gone?.errno == .invalidArgument || gone?.errno == .identifierRemoved)
        }
        let (first, second) = (try SystemVMessageQueue.create(.private), try SystemVMessageQueue.create(.private))
        #expect(first != second)
        try first.remove()
        try second.remove()
    }

    @Test("K2 one byte, one message, one type more than fits")
    func boundaries() async throws {
        try await withQueue { queue in
            let most = try #require(SystemVMessageQueue.Limits.messageSize)
            let long = #expect(throws: FacilityError.self) { try queue.send([UInt8](repeating: 1, count: most + 1).span, type: 1) }
            #expect(long?.errno == .invalidArgument && long?.advice.contains("kernel.msgmax") == true)
            for type in [0, -1] {
                let none = #expect(throws: FacilityError.self) { try queue.send([1].span, type: type) }
                #expect(none?.errno == .invalidArgument)
                for selection in [SystemVMessageQueue.Selection.only(type), .upTo(type), .except(type)] {
                    let wrong = #expect(throws: FacilityError.self) { _ = try receive(queue, 64, selection) }
                    #expect(wrong?.errno == .invalidArgument)
                }
            }
            try queue.setCapacity(2 * 16)
            let capacity = try queue.status().capacity
            #expect(capacity == 32)
            try queue.send(Array<UInt8>.pattern(16).span, type: 1)
            try queue.send(Array<UInt8>.pattern(16).span, type: .max)
            #expect(try !queue.trySend([1].span, type: 1))
            let short = #expect(throws: FacilityError.self) { _ = try receive(queue, 15) }
            #expect(short?.errno == .argListTooLong)
            let kept = try receive(queue, 16)?.bytes
            #expect(kept == .pattern(16), "it stayed")
            let largest = try receive(queue, 16, .only(.max))?.type
            #expect(largest == .max)
            #expect(try receive(queue) == nil)
            // Waiting for room, and for a message, while the other does the opposite.
            let python = try PeerProcess(python: Self.python, ["\(key.rawValue)"])
            try await python.expect("ready \(queue.identifier)")
            try queue.send(Array<UInt8>.pattern(32).span, type: 1)
            try python.send("send late 6")
            try await python.sleeps()
            let full = try receive(queue)?.bytes
            #expect(full == .pattern(32))
            try await python.expect("sent")
            var bytes = [UInt8](repeating: 0, count: 64)
            var span = bytes.mutableSpan
            let (count, type) = try queue.receive(into: &span)
            #expect(text(Array(bytes[..<count])) == "late" && type == 6)
            try python.send("await 0")
            try await python.expect("waiting")
            try queue.send(Array<UInt8>.pattern(32).span, type: 1)
            try queue.send(Array("more".utf8).span, type: 2)
            _ = try await python.line()
        }
    }

    @Test("K2 a selection or a size that cannot be is an error", arguments: [Int.min, -1, 0])
    func impossible(number: Int) async throws {
        try await withQueue { queue in
            for selection: SystemVMessageQueue.Selection in [.only(number), .upTo(number), .except(number)] {
                let error = #expect(throws: FacilityError.self) { _ = try receive(queue, 64, selection) }
                #expect(error?.errno == .invalidArgument)
            }
            if number == 0 { return }
            let error = #expect(throws: FacilityError.self) { try queue.setCapacity(number) }
            #expect(error?.errno == .invalidArgument)
        }
    }

    @Test("K2 every errno of the msg calls is told, with what to do")
    func errors() async throws {
        try await withQueue { queue in
            expectEach([.permissionDenied, .fileExists, .noSuchFileOrDirectory, .noMemory, .noSpace], of: "msgget", .systemVMessageQueue) {
                () throws(FacilityError) in _ = try SystemVMessageQueue.open(key)
            }
            expectEach(
                [.permissionDenied, .badAddress, .identifierRemoved, .invalidArgument, .noMemory], of: "msgsnd", .systemVMessageQueue
            ) { () throws(FacilityError) in try queue.send([1].span, type: 1) }
            expectEach(
                [.argListTooLong, .permissionDenied, .badAddress, .identifierRemoved, .invalidArgument, .noFunction], of: "msgrcv",
                .systemVMessageQueue
            ) { () throws(FacilityError) in _ = try receive(queue) }
            expectEach([.permissionDenied, .identifierRemoved, .invalidArgument], of: "msgctl(IPC_STAT)", .systemVMessageQueue) {
                () throws(FacilityError) in _ = try queue.status()
            }
            expectEach([.notPermitted, .identifierRemoved, .invalidArgument], of: "msgctl(IPC_SET)", .systemVMessageQueue) {
                () throws(FacilityError) in try queue.setCapacity(64)
            }
            expectEach([.notPermitted, .identifierRemoved, .invalidArgument], of: "msgctl(IPC_RMID)", .systemVMessageQueue) {
                () throws(FacilityError) in try queue.remove()
            }
        }
        let nowhere = #expect(throws: FacilityError.self) { _ = try SystemVKey(of: "/nowhere/at/all", project: 1) }
        #expect(nowhere?.errno == .noSuchFileOrDirectory && nowhere?.object == "/nowhere/at/all")
        #expect(try SystemVKey(of: "/", project: 1) == SystemVKey(of: "/", project: 1))
        #expect(try SystemVKey(of: "/", project: 1) != SystemVKey(of: "/", project: 2))
    }
}
