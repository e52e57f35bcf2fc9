import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

@Suite("System calls")
struct SystemCallCountTests {
    /// Whether `strace` is there and may trace.
    private static let canTrace: Bool = {
        guard var child = try? ChildProcess(starting: strace, arguments: ["-qq", "-o", "/dev/null", "/bin/true"]) else { return false }
        return (try? child.wait()) == .exited(0)
    }()

    private static let strace: FilePath = "/usr/bin/strace"

    @Test(
        "C3 no system call for a message while both sides run: they make less than one for a hundred, starting and leaving included",
        .enabled(if: canTrace, "needs the program strace, and the right to trace"), arguments: ["values", "bytes"])
    func calls(kind: String) async throws {
        let directory = try TemporaryDirectory()
        let reports = try TemporaryDirectory(in: "/var/tmp")
        let count = 200_000
        func start(_ command: String) throws -> PeerProcess {
            try PeerProcess(
                command, [directory.path.string, kind, "\(count)"],
                wrapper: [Self.strace.string, "-f", "-qq", "-c", "-U", "calls,name", "-o", reports.path(of: command).string])
        }
        let receiver = try start("stream-receive")
        let sender = try start("stream-send")
        try await receiver.expect("\(count)")
        #expect(try await sender.ending() == .exited(0))
        #expect(try await receiver.ending() == .exited(0))
        for command in ["stream-send", "stream-receive"] {
            let calls = try total(of: reports.path(of: command))
            // Starting alone makes some dozens: fewer, and they were not counted.
            #expect(calls > 50, "\(command) made \(calls) calls")
            #expect(Double(calls) / Double(count) < 0.01, "\(command) made \(calls) calls for \(count) messages")
        }
    }

    /// The last line of the report: the sum of the calls.
    private func total(of report: FilePath) throws -> Int {
        let file = OwnedDescriptor(owning: try FileDescriptor.open(report, .readOnly, options: .closeOnExec))
        var bytes = [UInt8](repeating: 0, count: try FileStatus(of: file.descriptor).size)
        _ = try unsafe bytes.withUnsafeMutableBytes { try unsafe file.descriptor.readAll(into: $0, at: 0) }
        let line = String(decoding: bytes, as: UTF8.self).split(separator: "\n").last { $0.hasSuffix("total") }
        return try #require(line?.split(separator: " ").first.flatMap { Int($0) })
    }
}
