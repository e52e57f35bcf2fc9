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
