import Glibc
import Interprocess
import InterprocessSystem
import QueueTestSupport
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// All tests of the 1:1 queue: one after the other, since many of them block the thread that they run on.
@Suite("1:1 queue", .serialized) enum QueueSuite {}

/// A directory of one test's own. When the value ends, nothing may be left in it.
struct Scratch: ~Copyable {
    let path: String

    init() throws {
        path = "/dev/shm/interprocess-test-\(getpid())-\(String(randomUInt64(), radix: 36))"
        _ = try Directory.make(at: FilePath(path), mode: .ownerReadWriteExecute)
    }

    deinit {
        for name in names {
            Issue.record("the name '\(name)' was left behind")
            unsafe unlink("\(path)/\(name)")
        }
        unsafe rmdir(path)
    }

    var directory: ObjectDirectory { ObjectDirectory(at: FilePath(path)) }
    var options: QueueOptions { QueueOptions(directory: directory) }
    /// For tests that leave messages in a queue.
    func removeNames() { for name in names { unsafe unlink("\(path)/\(name)") } }
    var names: [String] { (try? Directory(opening: FilePath(path)).names()) ?? [] }
}

/// The reason for which `body` did not send; nil if it did.
func sendFailure<Message>(_ body: () throws(SendError<Message>) -> Void) -> SendFailure? {
    do throws(SendError<Message>) {
        try body()
        return nil
    } catch {
        return error.reason
    }
}

/// The error by which `body` did not receive; nil if it threw none.
func receiveFailure(_ body: () throws(ReceiveError) -> Void) -> ReceiveError? {
    do throws(ReceiveError) {
        try body()
        return nil
    } catch {
        return error
    }
}

/// The error of setting something up; nil if there was none.
func openFailure(_ body: () throws(InterprocessError) -> Void) -> InterprocessError? {
    do throws(InterprocessError) {
        try body()
        return nil
    } catch {
        return error
    }
}

func expectNotSent<Message>(
    _ reason: SendFailure, sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws(SendError<Message>) -> Void
) {
    let found = sendFailure(body)
    #expect(found == reason, sourceLocation: sourceLocation)
}

func expectNotReceived(_ error: ReceiveError, sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws(ReceiveError) -> Void) {
    let found = receiveFailure(body)
    #expect(found == error, sourceLocation: sourceLocation)
}

func expectNotOpened(
    _ code: InterprocessError.Code, sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws(InterprocessError) -> Void
) {
    let found = openFailure(body)
    #expect(found?.code == code, sourceLocation: sourceLocation)
}

/// A second thread of a test. It opens what it needs itself.
final class TestThread<Value: Sendable>: Sendable {
    private let result = Mutex<Result<Value, any Error>?>(nil)

    init(_ body: @escaping @Sendable () throws -> Value) throws {
        try startServiceThread(named: "test") {
            let value = Result { try body() }
            self.result.withLock { $0 = value }
        }
    }

    /// What the thread returned; nil if it still runs.
    func resultNow() throws -> Value? { try result.withLock { $0 }?.get() }

    /// What the thread returned, once it has.
    func join() throws -> Value {
        let limit = MonotonicInstant.now.advanced(by: watchdog)
        while MonotonicInstant.now < limit {
            if let value = result.withLock({ $0 }) { return try value.get() }
            sleepThread(for: .microseconds(200))
        }
        throw TestFailure("a thread of the test has hung")
    }
}

/// Lets several threads of a test meet.
final class Latch: Sendable {
    private let missing: Atomic<Int>
    init(_ count: Int) { missing = Atomic(count) }

    func countDownAndWait() {
        missing.subtract(1, ordering: .sequentiallyConsistent)
        while missing.load(ordering: .sequentiallyConsistent) > 0 { sleepThread(for: .microseconds(50)) }
    }
}

struct TestFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// A deadline that no passing test reaches.
var soon: Deadline { .after(watchdog) }
