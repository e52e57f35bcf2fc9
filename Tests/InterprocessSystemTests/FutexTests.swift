import CInterprocess
import CTestSystem
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import InterprocessSystem

/// Words on which threads sleep; alive for the test.
@safe
private final class Words: @unchecked Sendable {
    let base: UnsafeMutablePointer<Atomic<UInt32>>
    let awake = Atomic<Int>(0)

    init(_ count: Int) {
        unsafe base = .allocate(capacity: count)
        for index in 0..<count { unsafe (base + index).initialize(to: Atomic(0)) }
    }

    deinit { unsafe base.deallocate() }

    func address(_ index: Int = 0) -> UnsafeMutableRawPointer { unsafe UnsafeMutableRawPointer(base + index) }
    func store(_ value: UInt32, _ index: Int = 0) { unsafe base[index].store(value, ordering: .sequentiallyConsistent) }

    /// Starts a thread that waits once.
    func startSleeper(_ body: @escaping @Sendable (Words) throws -> Futex.WaitResult) throws {
        try startServiceThread(named: "sleeper") {
            _ = try? body(self)
            self.awake.add(1, ordering: .sequentiallyConsistent)
        }
    }

    var awakeCount: Int { awake.load(ordering: .sequentiallyConsistent) }
}

@Suite("Futex")
struct FutexTests {
    @Test("a word with another value is not slept on")
    func changed() throws {
        let words = Words(1)
        words.store(3)
        #expect(try unsafe Futex.wait(words.address(), while: 2) == .changed)
    }

    @Test("a deadline ends a wait, also one that has passed", arguments: [Futex.Scope.shared, .process])
    func deadline(_ scope: Futex.Scope) throws {
        let words = Words(1)
        let deadline = MonotonicInstant.now.advanced(by: .milliseconds(3))
        #expect(try unsafe Futex.wait(words.address(), while: 0, until: deadline, scope: scope) == .deadline)
        #expect(MonotonicInstant.now >= deadline)
        #expect(try unsafe Futex.wait(words.address(), while: 0, until: MonotonicInstant(nanoseconds: 0), scope: scope) == .deadline)
    }

    @Test("a wake reaches as many sleepers as it says", arguments: [Futex.Scope.shared, .process])
    func wake(_ scope: Futex.Scope) async throws {
        let words = Words(1)
        for _ in 0..<3 { try words.startSleeper { try unsafe Futex.wait($0.address(), while: 0, scope: scope) } }
        var woken = 0
        // One at a time, as soon as each sleeps.
        try await eventually("two sleepers") {
            if woken < 2 { woken += unsafe Futex.wake(words.address(), count: 1, scope: scope) }
            return woken == 2
        }
        try await eventually("two awake") { words.awakeCount == 2 }
        try await eventually("the third asleep and woken") { unsafe Futex.wake(words.address(), scope: scope) == 1 }
        try await eventually("three awake") { words.awakeCount == 3 }
        #expect(unsafe Futex.wake(words.address(), scope: scope) == 0, "nobody sleeps any more")
    }

    @Test("X1 who waits for a word as for a kernel's own lock is not woken, and ends nobody by that")
    func foreignWaiter() throws {
        let (lockPI, unlockPI) = (6, 7)
        let words = Words(1)
        @Sendable func futex(_ operation: Int) -> Int {
            test_system_call(unsafe test_system_call_number("futex"), unsafe Int(bitPattern: words.address()), operation, 0, 0, 0, 0)
        }
        // The word of a lock that this thread holds.
        words.store(UInt32(ThreadID.current))
        try startServiceThread(named: "waiter") {
            _ = futex(lockPI)
            _ = futex(unlockPI)
            words.awake.add(1, ordering: .sequentiallyConsistent)
        }
        let hasWaiters: UInt32 = 1 << 31
        while unsafe words.base[0].load(ordering: .sequentiallyConsistent) & hasWaiters == 0 { sleepThread(for: .microseconds(100)) }
        #expect(unsafe Futex.wake(words.address()) == 0)
        #expect(unsafe Futex.change(words.address(), .add(0), waking: 1) == 0)
        #expect(futex(unlockPI) == 0)
        while words.awakeCount == 0 { sleepThread(for: .microseconds(100)) }
    }

    @Test("a process's own wake does not reach sleepers of the other scope")
    func scopes() async throws {
        let words = Words(1)
        try words.startSleeper { try unsafe Futex.wait($0.address(), while: 0, scope: .process) }
        try await eventually("a wake of the same scope arrives") { unsafe Futex.wake(words.address(), scope: .process) == 1 }
        #expect(unsafe Futex.wake(words.address(), scope: .shared) == 0)
    }

    @Test("a wait on many ends for each of its words", arguments: [0, 1, 126, 127])
    func waitOnMany(_ woken: Int) async throws {
        let words = Words(Futex.maximumWords)
        try words.startSleeper { words in
            var waiters = (0..<Futex.maximumWords).map { unsafe ipc_futex_waiter(words.address($0), while: 0) }
            return try unsafe waiters.withUnsafeMutableBufferPointer { try unsafe Futex.wait(any: $0) }
        }
        try await eventually("the sleeper sleeps and is woken") { unsafe Futex.wake(words.address(woken)) == 1 }
        try await eventually("awake") { words.awakeCount == 1 }
    }

    @Test("a wait on many returns at once if one word has changed, and at its deadline")
    func waitOnManyWithoutSleep() throws {
        let words = Words(2)
        words.store(9, 1)
        var waiters = unsafe [ipc_futex_waiter(words.address(0), while: 0), ipc_futex_waiter(words.address(1), while: 0)]
        #expect(try unsafe waiters.withUnsafeMutableBufferPointer { try unsafe Futex.wait(any: $0) } == .changed)
        words.store(0, 1)
        let deadline = MonotonicInstant.now.advanced(by: .milliseconds(3))
        #expect(try unsafe waiters.withUnsafeMutableBufferPointer { try unsafe Futex.wait(any: $0, until: deadline) } == .deadline)
        #expect(MonotonicInstant.now >= deadline)
    }

    @Test("a kernel without futex_waitv is recognised, and this one has it")
    func waitOnManyMissing() throws {
        try Futex.checkWaitingOnMany()
        #expect(throws: Errno.noFunction) { try SystemCallFaults.withFault("futex_waitv", .noFunction) { try Futex.checkWaitingOnMany() } }
    }

    @Test("an interrupted wait returns, so that its caller looks again")
    func interrupted() throws {
        let words = Words(1)
        let result = try SystemCallFaults.withFault("futex", .interrupted) { try unsafe Futex.wait(words.address(), while: 0) }
        #expect(result == .woken)
    }
}
