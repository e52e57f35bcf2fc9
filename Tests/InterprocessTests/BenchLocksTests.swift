import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

/// `ipc bench locks` as a program would use it.
@Suite("ipc bench locks") struct BenchLocksTests {
    private let scratch: TemporaryDirectory

    init() throws { scratch = try TemporaryDirectory() }

    /// Runs the command to its end; what it wrote to standard output.
    private func measure(_ metric: String) async throws -> [Substring] {
        let path = scratch.path(of: "out")
        let output = OwnedDescriptor(
            owning: try FileDescriptor.open(path, .readWrite, options: [.create, .truncate, .closeOnExec], permissions: .ownerReadWrite))
        let null = OwnedDescriptor(owning: try FileDescriptor.open(FilePath("/dev/null"), .readWrite, options: .closeOnExec))
        var child = try ChildProcess(
            starting: try PeerProcess.program.removingLastComponent().appending("ipc"),
            arguments: ["bench", "locks", "--quick", "--rounds", "1", "--metric", metric, "--json", "-"],
            descriptors: [(null.descriptor, 0), (output.descriptor, 1), (null.descriptor, 2)],
            environment: ["INTERPROCESS_DIRECTORY": scratch.path.string])
        var ending: ChildProcess.Ending?
        try await eventually("the end of ipc bench locks") {
            ending = try child.poll()
            return ending != nil
        }
        #expect(ending == .exited(0))
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = unsafe try buffer.withUnsafeMutableBytes { unsafe try output.descriptor.read(fromAbsoluteOffset: 0, into: $0) }
        return String(decoding: buffer[..<count], as: UTF8.self).split(separator: "\n")
    }

    @Test("T1 every way to lock alone is measured, and said to be that, as lines of JSON")
    func alone() async throws {
        let lines = try await measure("pair")
        for (subject, name) in [
            ("mutex", "pthread-mutex"), ("mutex", "pthread-mutex-robust"), ("semaphore", "posix-semaphore"),
            ("semaphore", "sysv-semaphore"),
            ("semaphore", "eventfd-semaphore"), ("reading", "pthread-rwlock"), ("writing", "pthread-rwlock"), ("file lock", "flock"),
            ("variable", "interprocess"), ("variable", "pthread-variable"),
            ("file lock", "interprocess-record"), ("file lock", "interprocess-ofd"), ("file lock", "interprocess-whole-file"),
        ] {
            let found = lines.filter { $0.contains("\"subject\":\"\(subject)\",\"case\":\"\(name)\",\"placement\":\"one-process\"") }
            #expect(found.count == 1, "\(subject), \(name)")
            #expect(found.allSatisfy { !$0.contains("\"median\":0.000") && $0.hasSuffix("\"rounds\":1}") }, "\(found)")
        }
        #expect(lines.allSatisfy { $0.hasPrefix("{\"suite\":\"locks\",") })
    }

    @Test("T1 two processes that want the same lock are measured as a whole, without samples")
    func contended() async throws {
        let lines = try await measure("contended").filter { $0.contains("\"placement\":\"same-core\"") }
        for name in ["pthread-mutex", "posix-semaphore", "pthread-rwlock", "flock", "interprocess-ofd"] {
            let found = lines.filter { $0.contains("\"case\":\"\(name)\"") }
            #expect(found.count == 1 && found[0].contains("\"p99\":null"), "\(name): \(found)")
        }
    }
}
