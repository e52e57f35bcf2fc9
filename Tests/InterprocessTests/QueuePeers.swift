import Glibc
import Interprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

/// The program whose processes the tests start: `IPC_TEST_PEER`, else the one that was built with the tests.
var testPeerProgram: FilePath {
    if let path = environmentVariable("IPC_TEST_PEER") { return FilePath(path) }
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = unsafe buffer.withUnsafeMutableBytes { unsafe readlink("/proc/self/exe", $0.baseAddress!, $0.count) }
    return FilePath(String(decoding: buffer[..<max(0, count)], as: UTF8.self)).removingLastComponent().appending("TestPeer")
}

/// A process of one thread that forks others on command, see TestPeer/ForkServer.swift. For one caller at a time. Ends with the value, and all its children with it.
final class PeerServer: @unchecked Sendable {
    private var process: ChildProcess
    private let commands: OwnedDescriptor
    private let answers: OwnedDescriptor

    init() throws {
        let down = try Self.pipe()
        let up = try Self.pipe()
        let process = try ChildProcess(
            starting: testPeerProgram, arguments: ["fork-server"], descriptors: [(down.read, 0), (up.write, 1)],
            environment: ["LD_BIND_NOW": "1", "SWIFT_DETERMINISTIC_HASHING": "1"])
        try down.read.close()
        try up.write.close()
        self.process = process
        commands = OwnedDescriptor(owning: down.write)
        answers = OwnedDescriptor(owning: up.read)
    }

    deinit {
        _ = try? commands.descriptor.writeAll(Array("end\n".utf8))
        _ = try? process.wait()
    }

    private static func pipe() throws -> (read: FileDescriptor, write: FileDescriptor) {
        let ends = try FileDescriptor.pipe()
        for end in [ends.readEnd, ends.writeEnd] { _ = fcntl(end.rawValue, F_SETFD, FD_CLOEXEC) }
        return (ends.readEnd, ends.writeEnd)
    }

    private func ask(_ command: [String]) throws -> String {
        _ = try commands.descriptor.writeAll(Array((command.joined(separator: "\t") + "\n").utf8))
        var answer: [UInt8] = []
        while true {
            var byte: UInt8 = 0
            let count = try unsafe withUnsafeMutableBytes(of: &byte) { try unsafe answers.descriptor.read(into: $0) }
            guard count == 1 else { throw TestFailure("the fork server has ended") }
            if byte == UInt8(ascii: "\n") { return String(decoding: answer, as: UTF8.self) }
            answer.append(byte)
        }
    }

    func start(_ arguments: [String]) throws -> Int32 {
        guard let pid = Int32(try ask(["start"] + arguments)) else { throw TestFailure("the fork server gave no pid") }
        return pid
    }

    /// Kills the process, and waits until it is gone.
    func kill(_ pid: Int32) throws { _ = try ask(["kill", "\(pid)"]) }

    /// "exited N", "signalled N", or "running" when the time is over.
    func wait(_ pid: Int32, _ limit: Duration) throws -> String {
        let milliseconds = limit.components.seconds * 1000 + limit.components.attoseconds / 1_000_000_000_000_000
        return try ask(["wait", "\(pid)", "\(milliseconds)"])
    }
}

/// How many descriptors and mappings a process has.
struct ProcessHoldings: Equatable, CustomStringConvertible {
    let descriptors: Int
    let mappings: Int

    init(of process: String) throws {
        descriptors = try Directory(opening: FilePath("/proc/\(process)/fd")).names().count
        let file = try FileDescriptor.open(FilePath("/proc/\(process)/maps"), .readOnly, options: .closeOnExec)
        defer { try? file.close() }
        var lines = 0
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = try unsafe buffer.withUnsafeMutableBytes { try unsafe file.read(into: $0) }
            guard count > 0 else { break }
            lines += buffer[..<count].count { $0 == UInt8(ascii: "\n") }
        }
        mappings = lines
    }

    var description: String { "\(descriptors) descriptors, \(mappings) mappings" }
}

/// Waits until `condition` holds; false after `limit`.
func eventually(within limit: Duration = watchdog, _ condition: () -> Bool) -> Bool {
    let end = MonotonicInstant.now.advanced(by: limit)
    while !condition() {
        if MonotonicInstant.now >= end { return condition() }
        sleepThread(for: .microseconds(100))
    }
    return true
}
