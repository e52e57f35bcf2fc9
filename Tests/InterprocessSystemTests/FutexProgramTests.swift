import CInterprocess
import SystemPackage
import TestSupport
import Testing

@testable import InterprocessSystem

@Suite("K4 futexes between programs")
struct FutexProgramTests {
    /// Words in memory that another program has too: 1024 of them, as `w`, and their addresses by `at`.
    private final class Words {
        let mapped: MappedFile
        let python: PeerProcess

        init() async throws {
            let file = try MemoryFile.make(named: "test", size: 4096)
            mapped = try MappedFile(file.descriptor)
            python = try PeerProcess(obeying: [(file.descriptor, 3)])
            try await python.does(
                "w = (ctypes.c_uint * 1024).from_buffer(mmap.mmap(3, 4096)); at = lambda i: ctypes.c_void_p(ctypes.addressof(w) + 4 * i)")
            // FUTEX_WAIT and FUTEX_WAKE.
            try await python.does(
                "number = {'x86_64': 202, 'aarch64': 98}[os.uname().machine]; futex = lambda i, what, n: lib.syscall(number, at(i), what, n, None, None, 0)"
            )
        }

        func address(_ index: Int = 0) -> UnsafeMutableRawPointer {
            unsafe mapped.withUnsafeMutableBytes { unsafe $0.baseAddress! + 4 * index }
        }

        /// By names of its own, for asynchronous tests.
        func wait(until deadline: MonotonicInstant? = nil) throws -> Futex.WaitResult {
            try unsafe Futex.wait(address(), while: 0, until: deadline)
        }

        func waiters(_ count: Int) -> [ipc_futex_waiter] { (0..<count).map { unsafe ipc_futex_waiter(address($0), while: 0) } }
    }

    private func waitForAny(_ waiters: [ipc_futex_waiter], until deadline: MonotonicInstant? = nil) throws -> Futex.WaitResult {
        var waiters = waiters
        return try unsafe waiters.withUnsafeMutableBufferPointer { try unsafe Futex.wait(any: $0, until: deadline) }
    }

    @Test("K4 another program wakes who sleeps, with a deadline and without", arguments: [false, true])
    func woken(_ hasDeadline: Bool) async throws {
        let words = try await Words()
        try words.python.releases(by: "w[0] = 1; woke = futex(0, 1, 9)")
        #expect(try words.wait(until: hasDeadline ? .after(watchdog) : nil) == .woken)
        try await words.python.isDone()
        #expect(try await words.python.value(of: "woke") == "1")
        #expect(try words.wait() == .changed)
    }

    @Test("K4 this program wakes another that sleeps, and changes the word with that; one that is killed is not woken, and in nobody's way")
    func wakes() async throws {
        let words = try await Words()
        try await words.python.waits(in: "futex(0, 0, 0)")
        #expect(unsafe Futex.wake(words.address(), scope: .process) == 0, "another process is not reached by that")
        #expect(unsafe Futex.wake(words.address()) == 1)
        try await words.python.isDone()
        try await words.python.waits(in: "futex(0, 0, 0)")
        #expect(unsafe Futex.change(words.address(), .add(7), waking: 9) == 1)
        try await words.python.isDone()
        #expect(try await words.python.value(of: "w[0]") == "7")
        try await words.python.waits(in: "futex(0, 0, 7)")
        try await words.python.isKilled()
        #expect(unsafe Futex.wake(words.address()) == 0)
    }

    @Test("K4 another program wakes who sleeps on many words, by each of them", arguments: [0, Futex.maximumWords - 1])
    func wokenOfMany(_ index: Int) async throws {
        let words = try await Words()
        let waiters = words.waiters(Futex.maximumWords)
        try words.python.releases(by: "w[\(index)] = 1; woke = futex(\(index), 1, 9)")
        #expect(try waitForAny(waiters) == .woken)
        try await words.python.isDone()
        #expect(try await words.python.value(of: "woke") == "1")
    }

    @Test("K4 one word more than can be waited for, none, and what is no word, are errors")
    func boundaries() async throws {
        let words = try await Words()
        #expect(try waitForAny(words.waiters(Futex.maximumWords), until: .now) == .deadline)
        #expect(throws: Errno.invalidArgument) { _ = try waitForAny(words.waiters(Futex.maximumWords + 1), until: .now) }
        #expect(throws: Errno.invalidArgument) { _ = try waitForAny([], until: .now) }
        // A page that nobody has mapped.
        let reserved = try unsafe MemoryMapping(reserving: 4096)
        let nowhere = unsafe reserved.base
        #expect(throws: Errno.badAddress) { _ = try unsafe Futex.wait(nowhere, while: 0, until: .now) }
        #expect(throws: Errno.badAddress) {
            _ = try waitForAny([unsafe ipc_futex_waiter(nowhere, while: 0)], until: .now)
        }
        let odd = unsafe words.address() + 2
        #expect(throws: Errno.invalidArgument) { _ = try unsafe Futex.wait(odd, while: 0, until: .now) }
        #expect(throws: Errno.invalidArgument) { _ = try waitForAny([unsafe ipc_futex_waiter(odd, while: 0)], until: .now) }
        unsafe withExtendedLifetime(reserved) {}
    }

    @Test("K4 every errno of futex(2) is told")
    func errors() async throws {
        let words = try await Words()
        for errno in [Errno.permissionDenied, .badAddress, .invalidArgument, .noMemory, .tooManyOpenFilesInSystem, .noFunction] {
            #expect(throws: errno) {
                try SystemCallFaults.withFault("futex", errno) { () throws(Errno) in
                    _ = try unsafe Futex.wait(words.address(), while: 0, until: .now)
                }
            }
            #expect(throws: errno) {
                try SystemCallFaults.withFault("futex_waitv", errno) { _ = try waitForAny(words.waiters(1), until: .now) }
            }
        }
    }
}
