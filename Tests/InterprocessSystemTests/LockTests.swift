import CTestSystem
import Glibc
import InterprocessSystem
import Synchronization
import SystemPackage
import Testing

@Suite("Locks")
struct LockTests {
    @Test("two threads exclude each other, also in a child of fork whose parent's thread had used the lock")
    func forked() throws {
        let both = Both()
        #expect(both.count() == Both.expected)
        let pid = unsafe test_fork_same_thread(
            { context in
                alarm(60)
                guard let context = unsafe context else { return 2 }
                let both = unsafe Unmanaged<Both>.fromOpaque(context).takeUnretainedValue()
                return both.count() == Both.expected ? 0 : 1
            }, Unmanaged.passUnretained(both).toOpaque())
        guard pid > 0 else { throw Errno(rawValue: -pid) }
        var status: CInt = 0
        unsafe waitpid(pid, &status, 0)
        #expect(status == 0, "a signal is in the low bits, an exit status above: \(status)")
    }
}

/// The caller and another thread, which count in one lock.
private final class Both: Sendable {
    static let each = 50_000
    static let expected = 2 * each

    private let lock = Lock(0)
    private let running = Atomic<Int>(0)

    func count() -> Int {
        lock.withLock { $0 = 0 }
        running.store(2, ordering: .sequentiallyConsistent)
        guard (try? startServiceThread(named: "test") { self.countHere() }) != nil else { return -1 }
        countHere()
        while running.load(ordering: .sequentiallyConsistent) > 0 { sched_yield() }
        return lock.withLock { $0 }
    }

    private func countHere() {
        for _ in 0..<Self.each { lock.withLock { $0 += 1 } }
        running.subtract(1, ordering: .sequentiallyConsistent)
    }
}
