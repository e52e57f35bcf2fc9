import InterprocessSystem
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

/// Every primitive with threads as its users, each thread with a value of its own and so a peer of its own: what needs no process of its own is here.
@Suite("Synchronization between threads")
struct SynchronizationThreadTests {
    private let directory: TemporaryDirectory
    private var options: SynchronizationOptions { SynchronizationOptions(directory: directory.objects) }
    private var deadline: Deadline { .after(watchdog) }

    init() throws { directory = try TemporaryDirectory() }

    /// Runs `body` on so many threads and waits for all; the first error is thrown.
    private func threads(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws {
        let state = Mutex<(left: Int, error: (any Error)?)>((count, nil))
        let shared = Box(state)
        for index in 0..<count {
            try startServiceThread(named: "user") {
                let result = Result { try body(index) }
                shared.value.withLock { state in
                    state.left -= 1
                    if case .failure(let error) = result, state.error == nil { state.error = error }
                }
            }
        }
        try eventuallyBlocking("the end of \(count) threads") { shared.value.withLock { $0.left == 0 } }
        if let error = shared.value.withLock({ $0.error }) { throw error }
    }

    private final class Box<Value: ~Copyable & Sendable>: Sendable {
        let value: Value
        init(_ value: consuming Value) { self.value = value }
    }

    private func isAvailable(_ permits: SharedPermits) throws -> Bool {
        guard let permit = try permits.tryAcquire() else { return false }
        permit.release()
        return true
    }

    struct Pair: Shareable { var a = 0, b = 0 }

    @Test("S3 a mutex lets one at a time at its value", arguments: WaitStrategy.allCases)
    func mutex(_ strategy: WaitStrategy) throws {
        let options = options
        // Spinning threads on few processors go on by time slices only.
        let rounds = strategy == .spin ? 200 : 20_000
        let kept = try SharedMutex<Pair>(named: "m", initial: Pair(), options: options)
        try threads(4) { _ in
            let mutex = try SharedMutex<Pair>(named: "m", initial: Pair(), options: options, strategy: strategy)
            for _ in 0..<rounds {
                try mutex.withLock { pair in
                    pair.a += 1
                    pair.b += 1
                }
            }
        }
        let found = try kept.withLock { $0 }
        #expect(found.a == 4 * rounds && found.b == 4 * rounds)
        #expect(kept.core.word.loadRelaxed() & ~ClaimWord.marked == ClaimWord.free)
    }

    @Test("S1 a semaphore hands units over, and none is lost")
    func semaphore() throws {
        let options = options
        let kept = try SharedSemaphore(named: "s", value: 2, options: options)
        let rounds = 20_000
        try threads(4) { index in
            let semaphore = try SharedSemaphore(named: "s", value: 2, options: options)
            for _ in 0..<rounds {
                if index < 2 { try semaphore.wait() } else { try semaphore.signal() }
            }
        }
        #expect(kept.value == 2)
        #expect(throws: WaitError.deadline) { for _ in 0..<3 { try kept.wait(until: .after(.milliseconds(1))) } }
    }

    @Test("S2 permits are never more than there are, and all come back")
    func permits() throws {
        let options = options
        let kept = try SharedPermits(named: "p", units: 3, options: options)
        let held = Box(Atomic<Int>(0))
        let worst = Box(Atomic<Int>(0))
        try threads(6) { index in
            let permits = try SharedPermits(named: "p", units: 3, options: options)
            for round in 0..<2_000 {
                let count = 1 + (index + round) % 3
                let permit = try permits.acquire(count)
                let now = held.value.add(count, ordering: .relaxed).newValue
                worst.value.max(now, ordering: .relaxed)
                held.value.subtract(count, ordering: .relaxed)
                permit.release()
            }
        }
        #expect(worst.value.load(ordering: .relaxed) <= 3)
        #expect(kept.available == 3)
        #expect(throws: WaitError.self) { _ = try kept.acquire(4) }
        let all = try kept.acquire(3)
        #expect(try !isAvailable(kept))
        all.release()
        #expect(try isAvailable(kept))
        #expect(kept.available == 3)
    }

    @Test("S4 who waits on a condition gets the value as it needs it")
    func condition() throws {
        let options = options
        let rounds = 5_000
        let keptMutex = try SharedMutex<Int>(named: "m", initial: 0, options: options)
        let keptCondition = try SharedCondition(named: "c", options: options)
        try threads(4) { index in
            let mutex = try SharedMutex<Int>(named: "m", initial: 0, options: options)
            let condition = try SharedCondition(named: "c", options: options)
            for _ in 0..<rounds {
                if index < 2 {
                    try mutex.withLock(when: { $0 > 0 }, on: condition) { $0 -= 1 }
                } else {
                    try mutex.withLock { $0 += 1 }
                    try condition.notifyOne()
                }
            }
        }
        #expect(try keptMutex.withLock { $0 } == 0)
        #expect(throws: LockError.deadline) {
            try keptMutex.withLock(when: { $0 > 0 }, on: keptCondition, until: .after(.milliseconds(1))) { $0 -= 1 }
        }
    }

    @Test("S5 readers see whole values, writers are alone, and both go on")
    func readWriteLock() throws {
        let options = options
        let kept = try SharedReadWriteLock<Pair>(named: "rw", initial: Pair(), options: options)
        try threads(4) { index in
            let lock = try SharedReadWriteLock<Pair>(named: "rw", initial: Pair(), options: options)
            for _ in 0..<3_000 {
                if index == 0 {
                    try lock.withWriteLock { pair in
                        pair.a += 1
                        pair.b += 1
                    }
                } else {
                    try lock.withReadLock { pair in if pair.a != pair.b { throw Torn() } }
                }
            }
        }
        #expect(try kept.withReadLock { $0.a } == 3_000)
    }
    struct Torn: Error {}

    @Test("S6 at a barrier all come together, phase after phase")
    func barrier() throws {
        let options = options
        let behind = Box(Atomic<Int>(0))
        let last = Box(Atomic<Int>(0))
        try threads(4) { _ in
            let barrier = try SharedBarrier(named: "b", parties: 4, options: options)
            for round in 0..<500 {
                behind.value.add(1, ordering: .relaxed)
                if try barrier.wait() { last.value.add(1, ordering: .relaxed) }
                if behind.value.load(ordering: .relaxed) < 4 * (round + 1) { throw Torn() }
            }
        }
        #expect(last.value.load(ordering: .relaxed) == 500)
    }

    @Test("S6 a latch opens at zero")
    func latch() throws {
        let options = options
        let kept = try SharedLatch(named: "l", count: 3, options: options)
        #expect(throws: RendezvousError.deadline) { try kept.wait(until: .after(.milliseconds(1))) }
        try threads(5) { index in
            let latch = try SharedLatch(named: "l", count: 3, options: options)
            if index < 3 { try latch.countDown() } else { try latch.wait() }
        }
        try kept.wait()
        #expect(kept.isOpen && kept.count == 0)
    }

    @Test("S7 an event lets all through, or one each time")
    func event() throws {
        let options = options
        let manual = try SharedEvent(named: "manual", options: options)
        #expect(throws: WaitError.deadline) { try manual.wait(until: .after(.milliseconds(1))) }
        try threads(4) { index in
            let event = try SharedEvent(named: "manual", options: options)
            if index == 0 { try event.set() } else { try event.wait() }
        }
        #expect(manual.isSet)
        try manual.reset()
        #expect(try !manual.tryWait())

        let automatic = try SharedEvent(named: "automatic", resetting: .automatic, options: options)
        let through = Box(Atomic<Int>(0))
        try threads(4) { index in
            let event = try SharedEvent(named: "automatic", resetting: .automatic, options: options)
            for round in 0..<900 {
                if index == 0 {
                    // Three come through for each round of the others: wait until the last has.
                    for _ in 0..<3 {
                        let before = through.value.load(ordering: .relaxed)
                        try event.set()
                        try eventuallyBlocking("one through in round \(round)") { through.value.load(ordering: .relaxed) > before }
                    }
                } else {
                    try event.wait()
                    through.value.add(1, ordering: .relaxed)
                }
            }
        }
        #expect(!automatic.isSet)
    }

    @Test("S8 once: one does it, the others wait until it is done")
    func once() throws {
        let options = options
        let done = Box(Atomic<Int>(0))
        let kept = try SharedOnce(named: "o", options: options)
        #expect(throws: Torn.self) { try kept.run { throw Torn() } }
        try threads(4) { _ in
            let once = try SharedOnce(named: "o", options: options)
            try once.run { done.value.add(1, ordering: .relaxed) }
            if done.value.load(ordering: .relaxed) != 1 { throw Torn() }
        }
        #expect(kept.isDone)
        let inner = try SharedOnce(named: "inner", options: options)
        #expect(throws: WaitError.self) { try inner.run { try inner.run {} } }
        #expect(!inner.isDone)
    }

    @Test("S3 a thread that would wait for itself is told")
    func selfDeadlock() throws {
        let mutex = try SharedMutex<Int>(named: "m", initial: 1, options: options)
        #expect(throws: LockError.selfDeadlock) { try mutex.withLock { _ in try mutex.withLock { $0 += 1 } } }
        #expect(throws: LockError.selfDeadlock) { try mutex.withLock { _ in _ = try mutex.withLockIfAvailable { $0 += 1 } } }
        #expect(try mutex.withLock { $0 } == 1)
        let lock = try SharedReadWriteLock<Int>(named: "rw", initial: 1, options: options)
        #expect(throws: LockError.selfDeadlock) { try lock.withWriteLock { _ in try lock.withReadLock { _ in } } }
        #expect(throws: LockError.selfDeadlock) { try lock.withReadLock { _ in try lock.withWriteLock { _ in } } }
        #expect(try lock.withReadLock { outer in try lock.withReadLock { $0 + outer } } == 2)
        #expect(try lock.withWriteLock { $0 } == 1)
        // The same objects, opened once more.
        let (mutexAgain, lockAgain) = (
            try SharedMutex<Int>(named: "m", initial: 1, options: options),
            try SharedReadWriteLock<Int>(named: "rw", initial: 1, options: options)
        )
        #expect(throws: LockError.selfDeadlock) { try mutex.withLock { _ in try mutexAgain.withLock(until: soon) { $0 += 1 } } }
        #expect(throws: LockError.selfDeadlock) { try lock.withWriteLock { _ in try lockAgain.withReadLock(until: soon) { _ in } } }
        #expect(throws: LockError.selfDeadlock) { try lock.withReadLock { _ in try lockAgain.withWriteLock(until: soon) { _ in } } }
        let (once, onceAgain) = (try SharedOnce(named: "o", options: options), try SharedOnce(named: "o", options: options))
        #expect(throws: WaitError.impossible("what is done once waits for itself: run() was called in its own body")) {
            try once.run { try onceAgain.run(until: soon) {} }
        }
        // Another mutex is no obstacle, not even one in the same place of another segment.
        let other = try SharedMutex<Int>(named: "other", initial: 3, options: options)
        #expect(try mutex.withLock { value in try other.withLock { $0 + value } } == 4)
    }

    private var soon: Deadline { .after(.milliseconds(50)) }

    @Test("S1–S8 each stands at an offset of a user's segment as well, and says what stands there instead")
    func placed() throws {
        let segment = try Segment.create("place", size: 1 << 16, in: directory.objects)
        let mutex = try SharedMutex<Int>(in: segment, at: 0, initial: 5)
        let again = try SharedMutex<Int>(in: segment, at: 0, initial: 6)
        try mutex.withLock { $0 += 1 }
        #expect(try again.withLock { $0 } == 6)
        func code(_ body: () throws(InterprocessError) -> Void) -> InterprocessError.Code? {
            do throws(InterprocessError) {
                try body()
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code { () throws(InterprocessError) in _ = try SharedSemaphore(in: segment, at: 0, value: 1) } == .kindMismatch)
        #expect(code { () throws(InterprocessError) in _ = try SharedMutex<Double>(in: segment, at: 0, initial: 1) } == .elementMismatch)
        #expect(code { () throws(InterprocessError) in _ = try SharedOnce(in: segment, at: 32) } == .invalidArgument)
        #expect(code { () throws(InterprocessError) in _ = try SharedOnce(in: segment, at: 1 << 16) } == .sizeMismatch)
        #expect(code { () throws(InterprocessError) in _ = try SharedOnce(in: segment, at: -64) } == .invalidArgument)
        let permits = try SharedPermits(in: segment, at: 1024, units: 2)
        #expect(code { () throws(InterprocessError) in _ = try SharedPermits(in: segment, at: 1024, units: 3) } == .sizeMismatch)
        let permit = try permits.acquire(2)
        #expect(permits.available == 0)
        permit.release()
        #expect(permits.available == 2)
        let event = try SharedEvent(in: segment, at: 2048)
        try event.set()
        #expect(try SharedEvent(in: segment, at: 2048).tryWait())
        let barrier = try SharedBarrier(in: segment, at: 4096, parties: 1)
        #expect(try barrier.wait())
        #expect(code { () throws(InterprocessError) in _ = try SharedBarrier(in: segment, at: 4096, parties: 1) } == .busy)
        #expect(try barrier.wait())
    }

    @Test("S1–S8 asynchronous forms wait without a thread, and a cancelled task gets out and leaves nothing behind")
    func asynchronous() async throws {
        let mutex = try SharedMutex<Int>(named: "m", initial: 0, options: options)
        let semaphore = try SharedSemaphore(named: "s", value: 0, options: options)
        let waiting = Task { try await semaphore.wait() }
        let cancelled = Task { try await semaphore.wait() }
        try await eventually("two asleep") { semaphore.core.word.loadRelaxed() & ClaimWord.marked != 0 }
        cancelled.cancel()
        await #expect(throws: WaitError.cancelled) { try await cancelled.value }
        try semaphore.signal()
        try await waiting.value
        #expect(semaphore.value == 0)

        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask { for _ in 0..<500 { try await mutex.withLock { $0 += 1 } } }
            }
            try await group.waitForAll()
        }
        #expect(try await mutex.withLock { $0 } == 4_000)

        let permits = try SharedPermits(named: "p", units: 1, options: options)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<100 {
                        let permit = try await permits.acquire()
                        await Task.yield()
                        permit.release()
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(permits.available == 1)
        await #expect(throws: WaitError.deadline) { try await semaphore.wait(until: .after(.milliseconds(1))) }
    }
}
