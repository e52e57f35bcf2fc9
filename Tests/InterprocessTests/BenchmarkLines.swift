import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

/// Runs `ipc bench` for one short round, to its end; the lines of JSON that it wrote.
func benchmarkLines(_ arguments: [String], in scratch: TemporaryDirectory) async throws -> [Substring] {
    let path = scratch.path(of: "out")
    let output = OwnedDescriptor(
        owning: try FileDescriptor.open(path, .readWrite, options: [.create, .truncate, .closeOnExec], permissions: .ownerReadWrite))
    let null = OwnedDescriptor(owning: try FileDescriptor.open(FilePath("/dev/null"), .readWrite, options: .closeOnExec))
    var child = try ChildProcess(
        starting: try PeerProcess.program.removingLastComponent().appending("ipc"),
        arguments: ["bench"] + arguments + ["--quick", "--rounds", "1", "--json", "-"],
        descriptors: [(null.descriptor, 0), (output.descriptor, 1), (null.descriptor, 2)],
        environment: ["INTERPROCESS_DIRECTORY": scratch.path.string])
    var ending: ChildProcess.Ending?
    try await eventually("the end of ipc bench \(arguments[0])") {
        ending = try child.poll()
        return ending != nil
    }
    #expect(ending == .exited(0))
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = unsafe try buffer.withUnsafeMutableBytes { unsafe try output.descriptor.read(fromAbsoluteOffset: 0, into: $0) }
    return String(decoding: buffer[..<count], as: UTF8.self).split(separator: "\n")
}
