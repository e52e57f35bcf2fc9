import CTestSystem
import Glibc
import Interprocess
import InterprocessSystem
import SystemPackage

struct BadArguments: Error {}

extension [String] {
    /// The argument at `index` as a number.
    func number(_ index: Int) throws -> Int {
        guard indices.contains(index), let value = Int(self[index]) else { throw BadArguments() }
        return value
    }

    /// The arguments DIRECTORY NAME.
    func place() throws -> (ObjectDirectory, ObjectName) {
        guard count >= 2 else { throw BadArguments() }
        return (ObjectDirectory(at: FilePath(self[0])), try ObjectName(self[1]))
    }
}

/// Calls `body` with each line of standard input, until there are no more: the test has ended, or was ended.
func forEachLine(_ body: (String) throws -> Void) throws {
    while let line = readLine() { try body(line) }
}

/// Runs asynchronous code on the pool and waits for it.
func runBlocking(_ body: @escaping @Sendable () async throws -> Void) {
    Task.detached {
        do { try await body() } catch {
            say("error \(error)")
            exit(1)
        }
        exit(0)
    }
    while true { pause() }
}

/// Writes a line to standard output, all at once and at once: a test waits for it.
func say(_ line: String) {
    _ = try? FileDescriptor.standardOutput.writeAll("\(line)\n".utf8)
}

/// Runs `body` in a child made by `fork`, and waits for its end; throws unless it ended well.
func forkAndWait(_ body: () throws -> Void) throws {
    let pid = try forkChild(body)
    var status: CInt = 0
    guard unsafe waitpid(pid, &status, 0) == pid, status == 0 else { throw BadArguments() }
}

/// Runs `body` in a child made by `fork`; its exit status is 0 unless `body` throws.
///
/// - Parameter outlivingParent: whether the child goes on when this process ends.
func forkChild(outlivingParent: Bool = false, _ body: () throws -> Void) throws -> Int32 {
    let pid = withoutActuallyEscaping(body) { body in
        let call = ForkBody(body)
        let fork = unsafe outlivingParent ? test_fork_orphan : test_fork
        return unsafe fork(
            { context in
                do {
                    try unsafe Unmanaged<ForkBody>.fromOpaque(context!).takeUnretainedValue().body()
                    return 0
                } catch {
                    say("error \(error)")
                    return 1
                }
            }, Unmanaged.passUnretained(call).toOpaque())
    }
    guard pid > 0 else { throw Errno(rawValue: -pid) }
    return pid
}

private final class ForkBody {
    let body: () throws -> Void
    init(_ body: @escaping () throws -> Void) { self.body = body }
}
