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

    @Test("T1 batches, blocks that another process frees, and several processes at once are measured")
    func more() async throws {
        let sized = try await measure(size: 64), unsized = try await measure(size: 0)
        func expectOne(_ lines: [Substring], _ subject: String, _ name: String, onTwoCores: Bool = false) {
            let found = lines.filter { $0.contains("\"subject\":\"\(subject)\",\"case\":\"\(name)\",") }
            #expect(found.count == 1 || onTwoCores && found.isEmpty, "\(subject), \(name): \(lines)")
            #expect(found.allSatisfy { !$0.contains("\"median\":0.000") }, "\(found)")
        }
        for name in ["interprocess", "glibc"] {
            expectOne(sized, "batches freed in random order", name)
            expectOne(unsized, "random sizes", name)
            for count in ["1 process", "2 processes", "4 processes", "8 processes"] { expectOne(unsized, "random sizes, \(count)", name) }
        }
        for name in ["interprocess", "floor-numbers"] { expectOne(sized, "freed by another process", name, onTwoCores: true) }
    }
}
