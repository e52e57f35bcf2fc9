import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

/// `ipc bench locks` as a program would use it.
@Suite("ipc bench locks") struct BenchLocksTests {
    private let scratch: TemporaryDirectory

    init() throws { scratch = try TemporaryDirectory() }

    private func measure(_ metric: String) async throws -> [Substring] {
        try await benchmarkLines(["locks", "--metric", metric], in: scratch)
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
