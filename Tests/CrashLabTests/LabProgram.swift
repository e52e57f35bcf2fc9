import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

/// A run of one of the lab's programs, as a person would start it.
struct LabProgram {
    /// A signal that ended it is negative.
    let status: Int32
    let text: String

    /// - Parameters:
    ///   - program: beside the tests' own.
    ///   - signal: sent when it has said something.
    init(_ program: String, _ arguments: [String], signal: Int32? = nil) async throws {
        let scratch = try TemporaryDirectory()
        let path = scratch.path(of: "output")
        let output = OwnedDescriptor(
            owning: try FileDescriptor.open(
                path, .readWrite, options: [.create, .closeOnExec], permissions: .ownerReadWrite))
        let input = OwnedDescriptor(owning: try FileDescriptor.open(FilePath("/dev/null"), .readOnly, options: .closeOnExec))
        var child = try ChildProcess(
            starting: try PeerProcess.program.removingLastComponent().appending(program), arguments: arguments,
            descriptors: [(input.descriptor, 0), (output.descriptor, 1), (output.descriptor, 2)])
        var ending: ChildProcess.Ending?
        do {
            if let signal {
                try await eventually("the first line of \(program)") { try output.descriptor.seek(offset: 0, from: .end) > 0 }
                child.send(signal: signal)
            }
            try await eventually("the end of \(program) \(arguments)", within: watchdog) {
                ending = try child.poll()
                return ending != nil
            }
        } catch {
            child.send(signal: Signal.kill)
            throw error
        }
        switch ending {
        case .exited(let status): self.status = status
        case .signalled(let signal): status = -signal
        case nil: throw Errno.interrupted
        }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = try unsafe bytes.withUnsafeMutableBytes { try unsafe output.descriptor.read(fromAbsoluteOffset: 0, into: $0) }
        text = String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// The arguments after "again:" of the first failure.
    var replay: [String]? {
        text.split(separator: "\n").first { $0.hasPrefix("  again: ") }.map {
            $0.dropFirst(9).split(separator: " ").dropFirst().map(String.init)
        }
    }
}
