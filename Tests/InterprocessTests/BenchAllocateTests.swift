import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

/// `ipc bench allocate` as a program would use it.
@Suite("ipc bench allocate") struct BenchAllocateTests {
    private let scratch: TemporaryDirectory

    init() throws { scratch = try TemporaryDirectory() }

    private func measure(size: Int) async throws -> [Substring] {
        try await benchmarkLines(["allocate", "--size", "\(size)"], in: scratch)
    }

    @Test("T1 a block of a size is measured alone and by two at once, of the arena and of a private heap, as lines of JSON")
    func pairs() async throws {
        let lines = try await measure(size: 256)
        for placement in ["one-process", "two-cores"] {
            for name in ["interprocess", "interprocess-arena", "glibc"] {
                let found = lines.filter { $0.contains("\"case\":\"\(name)\",\"placement\":\"\(placement)\"") }
                #expect(found.count == 1 || placement == "two-cores" && found.isEmpty, "\(name), \(placement): \(lines)")
                #expect(found.allSatisfy { !$0.contains("\"median\":0.000") && $0.hasSuffix("\"rounds\":1}") }, "\(found)")
            }
        }
        #expect(lines.allSatisfy { $0.hasPrefix("{\"suite\":\"allocate\",") })
    }
}
