import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K2 K3 K4 System V objects between programs")
struct SystemVProgramTests {
    private let key = SystemVKey.random()

    private func withQueue(_ body: (SystemVMessageQueue, PeerProcess) async throws -> Void) async throws {
        let queue = try SystemVMessageQueue.create(key)
        try await removing(
            { try queue.remove() },
            after: {
                let python = try PeerProcess(obeying: [])
                try await python.does("q = check(lib.msgget(\(key.rawValue), 0)); b = ctypes.create_string_buffer(72)")
                try await body(queue, python)
            })
    }

    private func receive(_ queue: SystemVMessageQueue) throws(FacilityError) -> (text: String, type: Int) {
        var bytes = [UInt8](repeating: 0, count: 64)
        var span = bytes.mutableSpan
        let (count, type) = try queue.receive(into: &span)
        return (text(Array(bytes[..<count])), type)
    }

    private func tryReceive(_ queue: SystemVMessageQueue) throws(FacilityError) -> Int? {
        var bytes = [UInt8](repeating: 0, count: 64)
        var span = bytes.mutableSpan
        return try queue.tryReceive(into: &span)?.byteCount
    }

    private let sending = "check(lib.msgsnd(q, struct.pack('q', 5) + b'late', 4, 0))"
    private let receiving = "check(lib.msgrcv(q, b, 64, ctypes.c_long(0), 0))"

    @Test("K2 receiving waits until another program sends, and sending until it receives")
    func released() async throws {
        try await withQueue { queue, python in
            try python.releases(by: sending)
            let found = try receive(queue)
            #expect(found.text == "late" && found.type == 5)
            try await python.isDone()
            try queue.setCapacity(16)
            try queue.send([UInt8].pattern(16).span, type: 1)
            #expect(try !queue.trySend([1].span, type: 1))
            try python.releases(by: receiving)
            try queue.send([1].span, type: 7)
            try await python.isDone()
            let last = try receive(queue)
            #expect(last.type == 7)
        }
    }

    @Test("K2 a program that is killed while it waits for a message has taken none, and one that waits for room has sent none")
    func killedWaiting() async throws {
        try await withQueue { queue, python in
            try await python.waits(in: receiving)
            try await python.isKilled()
            try queue.setCapacity(16)
            try queue.send([UInt8].pattern(16).span, type: 1)
            let second = try PeerProcess(obeying: [])
            try await second.does("q = check(lib.msgget(\(key.rawValue), 0))")
            try await second.waits(in: sending)
            try await second.isKilled()
            let found = try receive(queue)
            #expect(found.type == 1)
            #expect(try tryReceive(queue) == nil)
            let messages = try queue.status().messages
            #expect(messages == 0)
        }
    }

    // MARK: Semaphores

    private func withSet(_ permissions: FilePermissions = .ownerReadWrite, _ body: (SystemVSemaphoreSet) async throws -> Void) async throws
    {
        let set = try SystemVSemaphoreSet.create(key, count: 2, permissions: permissions)
        try await removing({ try set.remove() }, after: { try await body(set) })
    }

    @Test("K4 a program that is killed while it waits for units has taken none, and is no longer counted")
    func killedTaking() async throws {
        try await withSet { set in
            let python = try PeerProcess(obeying: [])
            try await python.does("q = check(lib.semget(\(key.rawValue), 0, 0))")
            // Two of the first and one of the second, to be undone: all or none.
            try set.setValues([0, 1])
            try await python.waits(in: "lib.semop(q, struct.pack('HhhHhh', 0, -2, 0x1000, 1, -1, 0x1000), 2)")
            let takers = try set.waiting(for: 0).takers
            #expect(takers == 1)
            try await python.isKilled()
            let left = try set.waiting(for: 0).takers
            #expect(left == 0)
            try set.operate([.add(2, to: 0)])
            let values = try set.values()
            #expect(values == [2, 1])
        }
    }

    @Test(
        "K4 an operation that waits goes on when another program adds, and when what a killed one had taken is undone",
        arguments: [false, true])
    func releasedTaking(_ hasDeadline: Bool) async throws {
        try await withSet { set in
            let python = try PeerProcess(obeying: [])
            try await python.does("q = check(lib.semget(\(key.rawValue), 0, 0))")
            func take() throws(FacilityError) {
                if hasDeadline {
                    try set.operate([.take(1, from: 0)], until: .after(watchdog))
                } else {
                    try set.operate([.take(1, from: 0)])
                }
            }
            try python.releases(by: "check(lib.semop(q, struct.pack('Hhh', 0, 1, 0), 1))")
            try take()
            try await python.isDone()
            try set.setValues([1, 0])
            try await python.does("check(lib.semop(q, struct.pack('Hhh', 0, -1, 0x1000), 1))")
            try python.releases(by: "die()")
            try take()
        }
    }

    @Test(
        "K4 who may change a set and not look at it opens it with its count, and operates",
        .enabled(if: Privilege.isRoot, "needs to become another user"))
    func changeOnly() async throws {
        try await withSet([.ownerReadWrite, .groupWrite, .otherWrite]) { set in
            let peer = try PeerProcess("change-only", ["\(key.rawValue)"])
            for expected in ["errno 13;", "errno 13;", "false", "errno 1;"] {
                let line = try await peer.line()
                #expect(line.hasPrefix(expected), "\(line)")
            }
            let values = try set.values()
            #expect(values == [2, 1])
        }
    }

    // MARK: Limits

    /// Of objects of a program of its own, so that nobody else on this machine is without.
    @Test(
        "K2 K3 K4 there are as many queues and sets as the kernel allows, and not one more; memory of the largest size, and not of one byte more",
        .enabled(if: Privilege.canUnshare(["--ipc"]), "needs an IPC namespace"))
    func limits() async throws {
        let peer = try PeerProcess(
            "system-v-limits",
            wrapper: [
                "/usr/bin/unshare", "--ipc", "sh", "-c",
                "cd /proc/sys/kernel && echo 3 > msgmni && echo 8192 > shmmax && echo 5 100 5 2 > sem && cd / && exec \"$0\" \"$@\"",
            ])
        for (count, setting) in [(3, "kernel.msgmni"), (2, "kernel.sem")] {
            try await peer.expect("\(count)")
            let refusal = try await peer.line()
            #expect(refusal.hasPrefix("errno 28;") && refusal.contains(setting), "\(refusal)")
        }
        try await peer.expect("made")
        let refusal = try await peer.line()
        #expect(refusal.hasPrefix("errno 22;") && refusal.contains("kernel.shmmax"), "\(refusal)")
    }
}
