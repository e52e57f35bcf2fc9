import Glibc
import Synchronization
public import SystemPackage

/// The names of the calls that go through ``systemCall(_:retryOnInterrupt:_:)``: what an error says failed, and what a test can make fail.
public struct SystemCallName: Hashable, Sendable, CustomStringConvertible, ExpressibleByStringLiteral {
    // Not a String, which a long name would allocate at each call.
    private let name: StaticString

    public init(stringLiteral value: StaticString) { name = value }

    public var description: String { name.description }

    public static func == (a: Self, b: Self) -> Bool { a.description == b.description }
    public func hash(into hasher: inout Hasher) { hasher.combine(description) }
}

/// Runs one system call; the one place where an `errno` becomes an error.
///
/// `body` returns the call's result, or a negative errno. A call that a signal interrupted (`EINTR`) is made again unless
/// `retryOnInterrupt`
/// is false. An armed ``SystemCallFaults`` fault is thrown instead of making the call.
@discardableResult
func systemCall(_ name: SystemCallName, retryOnInterrupt: Bool = true, _ body: () -> Int) throws(Errno) -> Int {
    while true {
        let result = SystemCallFaults.forcedResult(of: name) ?? body()
        if result >= 0 { return result }
        let error = Errno(rawValue: CInt(-result))
        if error == .interrupted && retryOnInterrupt { continue }
        throw error
    }
}

/// The result of a C library function that returns -1 and sets `errno`, in the form that ``systemCall(_:retryOnInterrupt:_:)`` takes.
@inline(__always)
func resultOrErrno(_ result: some FixedWidthInteger & SignedInteger) -> Int {
    result == -1 ? -Int(errno) : Int(result)
}

/// Makes system calls of this thread fail on purpose, for tests of error paths.
///
/// Costs one relaxed load per system call while nothing is armed.
public enum SystemCallFaults {
    struct Fault {
        var thread: Int
        var name: SystemCallName
        var error: Errno
        var skip: Int
    }

    private static let armed = Atomic<Int>(0)
    private static let faults = Lock<[Fault]>([])

    /// Runs `body` while the call `name`, made by this thread, fails with `error` once, after `skip` calls that are let through.
    public static func withFault<R: ~Copyable, E: Error>(
        _ name: SystemCallName, _ error: Errno, afterSkipping skip: Int = 0, _ body: () throws(E) -> R
    ) throws(E) -> R {
        let thread = ThreadID.current
        faults.withLock { $0.append(Fault(thread: thread, name: name, error: error, skip: skip)) }
        armed.add(1, ordering: .relaxed)
        defer {
            armed.subtract(1, ordering: .relaxed)
            faults.withLock { $0.removeAll { $0.thread == thread } }
        }
        return try body()
    }

    /// Whether a fault of this thread has not happened yet: how a test finds that it has gone through all calls of a name.
    public static var isPending: Bool {
        let thread = ThreadID.current
        return faults.withLock { $0.contains { $0.thread == thread } }
    }

    static func forcedResult(of name: SystemCallName) -> Int? {
        guard armed.load(ordering: .relaxed) > 0 else { return nil }
        let thread = ThreadID.current
        return faults.withLock { faults in
            guard let index = faults.firstIndex(where: { $0.thread == thread && $0.name == name }) else { return nil }
            if faults[index].skip > 0 {
                faults[index].skip -= 1
                return nil
            }
            return -Int(faults.remove(at: index).error.rawValue)
        }
    }
}
