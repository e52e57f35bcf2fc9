import Glibc
import InterprocessSystem
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// How often the signal came.
private let notifications = Atomic(0)

@Suite("K2 POSIX message queues between programs", .serialized)
struct QueueProgramTests {
    private let name = "/interprocess-test-\(getpid())-\(randomUInt64())"

    /// A queue of three messages, and a program that has it open as `q`.
    private func withQueue(_ body: (borrowing PosixMessageQueue, PeerProcess) async throws -> Void) async throws {
        let queue = try PosixMessageQueue.create(name, options: .init(maximumMessages: 3, messageSize: 16))
        try await removing(
            { try PosixMessageQueue.remove(name) },
            after: {
                let python = try PeerProcess(obeying: [])
                try await python.does("q = check(lib.mq_open(b'\(name)', 2)); b = ctypes.create_string_buffer(16)")
                try await body(queue, python)
            })
    }

    private let receiving = "check(lib.mq_receive(q, b, 16, None))"

    @Test("K2 receiving waits until another program sends, sending until it receives", arguments: WaitingForm.allCases)
    func released(_ form: WaitingForm) async throws {
        try await withQueue { queue, python in
            try python.releases(form, by: "check(lib.mq_send(q, b'late', 4, 9))")
            #expect(text(try await receive(queue, 16, form)) == "late")
            try await python.isDone()
            #expect(try fillWithMessages(queue) == 3)
            try python.releases(form, by: receiving)
            try await send(queue, [77], form)
            try await python.isDone()
            #expect(try queue.count() == 3)
        }
    }

    @Test("K2 the queue is ready to be received from when another program has sent, and to be sent to when it has received")
    func readiness() async throws {
        try await withQueue { queue, python in
            try python.releases(by: "check(lib.mq_send(q, b'late', 4, 0))")
            try waitToRead(queue)
            try await python.isDone()
            #expect(text(try tryReceive(queue, 16)) == "late")
            _ = try fillWithMessages(queue)
            try python.releases(by: receiving)
            try blockingWait(queue)
            try await python.isDone()
            #expect(try queue.trySend([1].span))
        }
    }

    @Test("K2 a program that waits is released by this one; one that is killed while it waits has taken nothing, and given nothing")
    func others() async throws {
        try await withQueue { queue, python in
            try await python.waits(in: "n = \(receiving)")
            try blockingSend(queue, Array("here".utf8))
            try await python.isDone()
            #expect(try await python.value(of: "b.raw[:n].decode()") == "here")
            try await python.waits(in: receiving)
            try await python.isKilled()
            try blockingSend(queue, [1])
            #expect(try queue.count() == 1)
            _ = try fillWithMessages(queue)
            let second = try PeerProcess(obeying: [])
            try await second.does("q = check(lib.mq_open(b'\(name)', 2))")
            try await second.waits(in: "lib.mq_send(q, b'never', 5, 9)")
            try await second.isKilled()
            for _ in 0..<3 { #expect(try blockingReceive(queue, 16) == [1]) }
            #expect(try tryReceive(queue, 16) == nil)
        }
    }

    @Test("K2 who has asked to be notified and is killed leaves the place to the next; another program's message notifies")
    func notification() async throws {
        notifications.store(0, ordering: .relaxed)
        let before = signal(SIGUSR2) { _ in notifications.add(1, ordering: .relaxed) }
        defer { _ = signal(SIGUSR2, before) }
        try await withQueue { queue, python in
            // SIGEV_NONE: the place is taken, and nothing comes.
            try await python.does("check(lib.mq_notify(q, struct.pack('qii48x', 0, 0, 1)))")
            let busy = #expect(throws: FacilityError.self) { try queue.notify(by: SIGUSR2) }
            #expect(busy?.errno == .resourceBusy)
            try await python.isKilled()
            try queue.notify(by: SIGUSR2)
            let second = try PeerProcess(obeying: [])
            try await second.does("q = check(lib.mq_open(b'\(name)', 2)); check(lib.mq_send(q, b'hello', 5, 0))")
            try await eventually("the signal") { notifications.load(ordering: .relaxed) == 1 }
            #expect(text(try blockingReceive(queue, 16)) == "hello")
            // While somebody waits, the message is for that one, and the notification stays.
            try queue.notify(by: SIGUSR2)
            try second.releases(by: "check(lib.mq_send(q, b'again', 5, 0))")
            #expect(text(try blockingReceive(queue, 16)) == "again")
            try await second.isDone()
            let stays = #expect(throws: FacilityError.self) { try queue.notify(by: SIGUSR2) }
            #expect(stays?.errno == .resourceBusy)
            #expect(notifications.load(ordering: .relaxed) == 1)
        }
    }

    @Test("K2 a user without privileges makes a queue of the most messages and of the largest, and not of one more")
    func limits() async throws {
        let messages = try #require(PosixMessageQueue.Limits.maximumMessages)
        let size = try #require(PosixMessageQueue.Limits.messageSize)
        let peer = try PeerProcess("queue-options", [messages, 16, messages + 1, 16, 1, size, 1, size + 1].map { "\($0)" })
        for isOver in [false, true, false, true] {
            if isOver {
                let refusal = try await peer.line()
                #expect(refusal.hasPrefix("errno 22;") && refusal.contains("PosixMessageQueue.Limits"))
            } else {
                try await peer.expect("made")
            }
        }
    }

    @Test("K2 a name has 255 bytes after its slash, and not one more; no other slash")
    func names() throws {
        let longest = name + String(repeating: "x", count: 256 - name.utf8.count)
        _ = try PosixMessageQueue.create(longest)
        try PosixMessageQueue.remove(longest)
        for (wrong, errno) in [(longest + "x", Errno.fileNameTooLong), ("/a/b", .permissionDenied), ("/", .noSuchFileOrDirectory)] {
            let error = #expect(throws: FacilityError.self, "\(wrong)") { _ = try PosixMessageQueue.create(wrong) }
            #expect(error?.errno == errno && error?.advice.isEmpty == false, "\(wrong)")
        }
    }
}
