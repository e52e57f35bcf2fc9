import InterprocessSystem
import SystemPackage
import TestSupport

/// Python has no System V objects; it has the C library.
enum SystemVPython {
    static let prelude = """
        import ctypes, sys
        lib = ctypes.CDLL(None, use_errno=True)
        def check(result):
            assert result != -1, ctypes.get_errno()
            return result
        def say(*words): print(*words, flush=True)

        """
}

extension SystemVKey {
    /// One that nobody else has, as far as chance goes.
    static func random() -> SystemVKey { SystemVKey(Int32(truncatingIfNeeded: randomUInt64() | 1)) }
}

/// Runs `body` and then `remove`, whatever comes.
func removing<R>(_ remove: () throws -> Void, after body: () async throws -> R) async rethrows -> R {
    do {
        let result = try await body()
        try? remove()
        return result
    } catch {
        try? remove()
        throw error
    }
}

extension PeerProcess {
    /// Waits until its first thread sleeps; after it has said that it is about to.
    func sleeps() async throws {
        try await eventually("\(pid) sleeps") {
            let file = try unsafe FileDescriptor.open("/proc/\(pid)/stat", .readOnly)
            defer { try? file.close() }
            var bytes = [UInt8](repeating: 0, count: 512)
            let count = try unsafe bytes.withUnsafeMutableBytes { try unsafe file.read(into: $0) }
            // What comes after the program's name in parentheses.
            return bytes[..<count].split(separator: UInt8(ascii: ")")).last?.dropFirst().first == UInt8(ascii: "S")
        }
    }
}
