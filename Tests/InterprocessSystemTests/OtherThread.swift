import Glibc
import InterprocessSystem
import Synchronization
import TestSupport

/// Runs code on a thread that ends afterwards or stays, and hands its result back.
final class OtherThread: Sendable {
    private let result = Mutex<Int?>(nil)

    /// Runs `body` on a new thread and waits for its result.
    func run(_ body: @escaping @Sendable () -> Int) throws -> Int {
        result.withLock { $0 = nil }
        try startServiceThread(named: "test") { self.result.withLock { $0 = body() } }
        try eventuallyBlocking("a result of the other thread") { result.withLock { $0 != nil } }
        return result.withLock { $0 ?? 0 }
    }
}

/// Ends the calling thread in the middle of whatever it does.
func endThread() -> Never { pthread_exit(nil) }
