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
        let count = 200_000
        var most = Int.max
        // While the machine does other things one side may often find the other one stopped, and sleep: so the best of several runs counts.
        for _ in 0..<5 where most >= count / 100 { most = try await mostCalls(kind, count) }
        #expect(most < count / 100, "\(most) calls for \(count) messages")
    }

    /// The calls of the side that makes more of them.
    private func mostCalls(_ kind: String, _ count: Int) async throws -> Int {
        let directory = try TemporaryDirectory()
        let reports = try TemporaryDirectory(in: "/var/tmp")
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
        let calls = try ["stream-send", "stream-receive"].map { try total(of: reports.path(of: $0)) }
        // Starting alone makes some dozens: fewer, and they were not counted.
        #expect(calls[0] > 50 && calls[1] > 50, "\(calls)")
        return max(calls[0], calls[1])
    }

    @Test(
        "C7 no system call for storing or loading a latest value while nobody sleeps: a process that does both 50,000 times makes a few hundred, its start included",
        .enabled(if: canTrace, "needs the program strace, and the right to trace"))
    func latestValue() async throws { try await makesFewCalls("latest-busy", "named") }

    @Test(
        "V1 no system call for putting, taking, reading, swapping or changing a variable while nobody sleeps: a process that does all 50,000 times makes a few hundred, its start included",
        .enabled(if: canTrace, "needs the program strace, and the right to trace"))
    func variable() async throws { try await makesFewCalls("variable-busy", "named") }

    @Test(
        "C6 no system call for publishing, receiving or taking a message while nobody sleeps: a process that does all 50,000 times makes a few hundred, its start included",
        .enabled(if: canTrace, "needs the program strace, and the right to trace"))
    func topic() async throws { try await makesFewCalls("topic-busy") }

    /// A peer that does all it does 50,000 times: more calls than its start makes, or they were not counted, and a few hundred at most.
    private func makesFewCalls(_ role: String, _ settings: String...) async throws {
        let directory = try TemporaryDirectory()
        let reports = try TemporaryDirectory(in: "/var/tmp")
        let report = reports.path(of: "busy")
        let process = try PeerProcess(
            role, [directory.path.string] + settings + ["50000"],
            wrapper: [Self.strace.string, "-f", "-qq", "-c", "-U", "calls,name", "-o", report.string])
        try await process.expect("50000")
        #expect(try await process.ending() == .exited(0))
        let calls = try total(of: report)
        #expect(calls > 50 && calls < 1000, "\(calls) calls")
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
