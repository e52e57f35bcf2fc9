import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

/// `ipc bench allocate` as a program would use it.
@Suite("ipc bench allocate") struct BenchAllocateTests {
    private let scratch: TemporaryDirectory

    init() throws { scratch = try TemporaryDirectory() }

    /// Runs the command to its end; what it wrote to standard output.
    private func measure(size: Int) async throws -> [Substring] {
        let path = scratch.path(of: "out")
        let output = OwnedDescriptor(
            owning: try FileDescriptor.open(path, .readWrite, options: [.create, .truncate, .closeOnExec], permissions: .ownerReadWrite))
        let null = OwnedDescriptor(owning: try FileDescriptor.open(FilePath("/dev/null"), .readWrite, options: .closeOnExec))
        var child = try ChildProcess(
            starting: try PeerProcess.program.removingLastComponent().appending("ipc"),
            arguments: ["bench", "allocate", "--quick", "--rounds", "1", "--size", "\(size)", "--json", "-"],
            descriptors: [(null.descriptor, 0), (output.descriptor, 1), (null.descriptor, 2)],
            environment: ["INTERPROCESS_DIRECTORY": scratch.path.string])
        var ending: ChildProcess.Ending?
        try await eventually("the end of ipc bench allocate") {
            ending = try child.poll()
            return ending != nil
        }
        #expect(ending == .exited(0))
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = unsafe try buffer.withUnsafeMutableBytes { unsafe try output.descriptor.read(fromAbsoluteOffset: 0, into: $0) }
        return String(decoding: buffer[..<count], as: UTF8.self).split(separator: "\n")
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
