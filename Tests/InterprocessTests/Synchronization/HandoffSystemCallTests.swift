import CTestSystem
import Interprocess
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

/// How many system calls a switch costs. While the machine does other things on the same processors they are some more: the sides of the first test go before all
/// else where that is allowed, and the best of several runs counts.
@Suite("System calls of a handoff")
struct HandoffSystemCallTests {
    private static let processors = (try? Processor.allowed()) ?? []
    private static let tries = 12

    private func play(
        _ directory: TemporaryDirectory, _ role: HandoffRole, rounds: Int, on processor: Int, tracepoint: Int? = nil, wrapper: [String] = []
    ) throws -> PeerProcess {
        let arguments = [directory.path.string, "h", "\(role)", "adaptive", "\(rounds)", "\(processor)"]
        return try PeerProcess("handoff-turns", arguments + (tracepoint.map { ["\($0)"] } ?? []), wrapper: wrapper)
    }

    /// Not by `strace`: it stops a process at each of its calls, and the other one runs meanwhile.
    @Test(
        "H4 on one processor a switch makes one system call, 1.05 at most",
        .enabled(if: tracepoint != nil, "needs the kernel's tracepoint raw_syscalls:sys_enter, and the right to count by it"))
    func oneProcessor() async throws {
        let tracepoint = try #require(Self.tracepoint), rounds = 20_000
        var best = Double.infinity
        for attempt in 0..<Self.tries where best > 1.05 {
            let directory = try TemporaryDirectory()
            let processor = Self.processors[attempt % Self.processors.count]
            let sides = try HandoffRole.allCases.map {
                try play(directory, $0, rounds: rounds, on: processor, tracepoint: tracepoint)
            }
            // Of each 1000 rounds, on both sides.
            var calls: [Int] = []
            for side in sides {
                let some = try await side.line().split(separator: " ").compactMap { Int($0) }
                calls = calls.isEmpty ? some : zip(calls, some).map(+)
                #expect(try await side.ending() == .exited(7))
            }
            try #require(calls.count == rounds / 1000 - 2)
            // One that gives the turn away has to make room for the other.
            try #require(calls.allSatisfy { $0 >= 1000 }, "\(calls)")
            best = min(best, Double(calls.min() ?? .max) / 2000)
        }
        #expect(best <= 1.05, "\(best) calls for each switch")
    }

    @Test(
        "H4 across two processors a switch makes no system call: less than one for a hundred, starting and leaving included",
        .enabled(if: processors.count > 1, "needs two processors"),
        .enabled(if: canTrace, "needs the program strace, and the right to trace"))
    func twoProcessors() async throws {
        let rounds = 200_000
        var best = Double.infinity
        for _ in 0..<Self.tries where best >= 0.01 {
            let directory = try TemporaryDirectory()
            let reports = try TemporaryDirectory(in: "/var/tmp")
            let sides = try HandoffRole.allCases.enumerated().map { index, role in
                let wrapper = [Self.strace.string, "-f", "-qq", "-c", "-U", "calls,name", "-o", reports.path(of: "\(role)").string]
                return try play(directory, role, rounds: rounds, on: Self.processors[index], wrapper: wrapper)
            }
            for side in sides { #expect(try await side.ending() == .exited(7)) }
            let calls = try HandoffRole.allCases.reduce(0) { try $0 + Self.total(of: reports.path(of: "\($1)")) }
            // Starting alone makes some dozens: fewer, and they were not counted.
            try #require(calls > 100, "\(calls) calls were counted")
            best = min(best, Double(calls) / Double(2 * rounds))
        }
        #expect(best < 0.01, "\(best) calls for each switch")
    }

    private static let strace: FilePath = "/usr/bin/strace"

    private static let canTrace: Bool = {
        guard var child = try? ChildProcess(starting: strace, arguments: ["-qq", "-o", "/dev/null", "/bin/true"]) else { return false }
        return (try? child.wait()) == .exited(0)
    }()

    /// The last line of the report: the sum of the calls.
    private static func total(of report: FilePath) throws -> Int {
        let line = try text(report).split(separator: "\n").last { $0.hasSuffix("total") }
        return try #require(line?.split(separator: " ").first.flatMap { Int($0) })
    }

    private static func text(_ path: FilePath) throws -> String {
        let file = OwnedDescriptor(owning: try FileDescriptor.open(path, .readOnly, options: .closeOnExec))
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = try unsafe bytes.withUnsafeMutableBytes { try unsafe file.descriptor.readAll(into: $0, at: 0) }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    /// The number of the tracepoint at which each system call begins; nil if it is not to be had here.
    private static let tracepoint: Int? = {
        let event = "events/raw_syscalls/sys_enter/id"
        func number(in directory: FilePath) -> Int? {
            (try? text(directory.pushing(FilePath(event)))).flatMap { Int($0.split(separator: "\n").first ?? "") }
        }
        func found() -> Int? {
            for place in ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"] as [FilePath] {
                if let number = number(in: place) { return number }
            }
            // Mounted nowhere: for as long as it takes to read the number.
            guard Privilege.isRoot, let directory = try? TemporaryDirectory(),
                unsafe test_mount_trace(directory.path.string) == 0
            else { return nil }
            defer { unsafe _ = test_unmount(directory.path.string) }
            return number(in: directory.path)
        }
        guard let number = found() else { return nil }
        let counter = test_count_system_calls(CInt(number))
        guard counter >= 0 else { return nil }
        try? FileDescriptor(rawValue: counter).close()
        return number
    }()
}
