import Synchronization
import TestSupport
import Testing

@testable import InterprocessSystem

/// A page of nodes and a page of words, at the distance that a list is made with.
@safe
private final class Arena: @unchecked Sendable {
    static let distance = 4096
    private let base: UnsafeMutableRawPointer
    let isDone = Atomic<Bool>(false)

    init() {
        unsafe base = .allocate(byteCount: 2 * Self.distance, alignment: 4096)
        unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: 2 * Self.distance)
    }

    func word(_ index: Int) -> UnsafeMutableRawPointer { unsafe base + Self.distance + index * 128 }

    func atomic(_ index: Int) -> UnsafeMutablePointer<Atomic<UInt32>> { unsafe word(index).assumingMemoryBound(to: Atomic<UInt32>.self) }

    func value(_ index: Int) -> UInt32 { unsafe atomic(index).pointee.load(ordering: .sequentiallyConsistent) }

    func store(_ value: UInt32, _ index: Int) { unsafe atomic(index).pointee.store(value, ordering: .sequentiallyConsistent) }

    /// Runs `body` on a thread with a list of its own and waits until the kernel has ended the thread.
    func withDyingThread(_ body: @escaping @Sendable (Arena, inout RobustList) -> Void) throws {
        try startServiceThread(named: "dying") {
            unsafe _ = self.runThread(body)
            self.isDone.store(true, ordering: .sequentiallyConsistent)
        }
    }

    private func runThread(_ body: (Arena, inout RobustList) -> Void) -> Bool {
        guard var list = try? unsafe RobustList(offset: Self.distance) else { return false }
        unsafe body(self, &list)
        return true
    }
}

@Suite("Robust list")
struct RobustListTests {
    private static let died = unsafe RobustList.died
    private static let waiters = unsafe RobustList.waiters

    @Test("the words of a thread that ends are marked, and only those")
    func marked() async throws {
        let arena = Arena()
        unsafe try arena.withDyingThread { arena, list in
            let mine = UInt32(ThreadID.current) | Self.waiters
            for index in 0..<4 {
                let taken = unsafe list.enter(arena.word(index)) {
                    arena.store(mine, index)
                    return true
                }
                precondition(taken)
            }
            unsafe list.leave(arena.word(1)) { arena.store(0, 1) }
            // Taken and given to somebody else: not this thread's any more.
            arena.store(1 | Self.waiters, 2)
            precondition(unsafe list.count == 3)
        }
        try await eventually("the kernel marks word 0") { arena.value(0) == Self.died | Self.waiters }
        try await eventually("the kernel marks word 3") { arena.value(3) == Self.died | Self.waiters }
        #expect(arena.value(1) == 0, "it had been left")
        #expect(arena.value(2) == 1 | Self.waiters, "it belonged to another thread")
    }

    @Test("a word that is being taken when the thread ends is marked")
    func pending() async throws {
        let arena = Arena()
        try startServiceThread(named: "dying") {
            guard var list = try? unsafe RobustList(offset: Arena.distance) else { return }
            _ = unsafe list.enter(arena.word(0)) {
                arena.store(UInt32(ThreadID.current) | Self.waiters, 0)
                // The thread ends here: after taking the word, before it is in the list.
                endThread()
            }
        }
        try await eventually("the kernel marks the pending word") { arena.value(0) == Self.died | Self.waiters }
    }

    @Test("a word that is being left when the thread ends is marked unless it is free already", arguments: [false, true])
    func leaving(_ released: Bool) async throws {
        let arena = Arena()
        try startServiceThread(named: "dying") {
            guard var list = try? unsafe RobustList(offset: Arena.distance) else { return }
            for index in 0..<2 {
                _ = unsafe list.enter(arena.word(index)) {
                    arena.store(UInt32(ThreadID.current) | Self.waiters, index)
                    return true
                }
            }
            unsafe list.leave(arena.word(1)) {
                if released { arena.store(0, 1) }
                endThread()
            }
        }
        try await eventually("the kernel marks the other word") { arena.value(0) == Self.died | Self.waiters }
        #expect(arena.value(1) == (released ? 0 : Self.died | Self.waiters))
    }

    @Test("a sleeper on the word is woken by the owner's end")
    func wakes() async throws {
        let arena = Arena()
        arena.store(0, 1)
        unsafe try arena.withDyingThread { arena, list in
            _ = unsafe list.enter(arena.word(0)) {
                arena.store(UInt32(ThreadID.current) | Self.waiters, 0)
                return true
            }
            // Until the test sleeps: word 1 is its go-ahead.
            while arena.value(1) == 0 { sleepThread(for: .microseconds(100)) }
        }
        try await eventually("the thread has taken the word") { arena.value(0) != 0 }
        let alive = arena.value(0)
        arena.store(1, 1)
        var result = Futex.WaitResult.woken
        while arena.value(0) == alive {
            result = try unsafe Futex.wait(arena.word(0), while: alive, until: .now.advanced(by: watchdog))
            if result == .deadline { break }
        }
        #expect(result != .deadline)
        #expect(arena.value(0) == Self.died | Self.waiters)
    }

    @Test("a word that was not taken is not entered")
    func notTaken() throws {
        let arena = Arena()
        let count = try OtherThread().run {
            guard var list = try? unsafe RobustList(offset: Arena.distance) else { return -1 }
            let taken = unsafe list.enter(arena.word(0)) { false }
            return taken ? -2 : unsafe list.count
        }
        #expect(count == 0)
    }
}
