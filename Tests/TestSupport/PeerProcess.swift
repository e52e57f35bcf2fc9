import CTestSystem
import Glibc
public import InterprocessSystem
public import SystemPackage

/// A process that runs one command of TestPeer, or a program in Python. Lines go to its standard input and come from its standard output; it is killed when its owner ends.
public final class PeerProcess {
    private var child: ChildProcess
    private let input: OwnedDescriptor
    private let output: OwnedDescriptor
    private var received: [UInt8] = []

    public var pid: Int32 { child.pid }

    /// The program TestPeer, which the build puts beside this one.
    public static var program: FilePath {
        get throws {
            let here = try readLink("/proc/self/exe")
            let beside = here.removingLastComponent().appending("TestPeer")
            if unsafe access(beside.string, X_OK) == 0 { return beside }
            // Under some runners this process is the runner, and the bundle is its argument.
            for argument in CommandLine.arguments {
                let candidate = FilePath(argument).removingLastComponent().appending("TestPeer")
                if unsafe access(candidate.string, X_OK) == 0 { return candidate }
            }
            throw Errno.noSuchFileOrDirectory
        }
    }

    /// - Parameters:
    ///   - wrapper: a program with its arguments that starts TestPeer, such as `unshare`.
    ///   - descriptors: (ours, the child's number).
    public convenience init(
        _ command: String, _ arguments: [String] = [], wrapper: [String] = [], descriptors: [(FileDescriptor, CInt)] = [],
        environment: [String: String] = [:]
    ) throws {
        try self.init(all: wrapper + [try Self.program.string, command] + arguments, descriptors, environment)
    }

    /// A program in Python: the other side as everybody else writes it. Without Python the test fails, at the first line that is expected.
    public convenience init(python script: String, _ arguments: [String] = [], descriptors: [(FileDescriptor, CInt)] = []) throws {
        try self.init(all: ["/usr/bin/env", "python3", "-S", "-c", script] + arguments, descriptors, [:])
    }

    /// Any program, found by `PATH`.
    public convenience init(program: String, _ arguments: [String], descriptors: [(FileDescriptor, CInt)] = []) throws {
        try self.init(all: ["/usr/bin/env", program] + arguments, descriptors, [:])
    }

    private init(all: [String], _ descriptors: [(FileDescriptor, CInt)], _ environment: [String: String]) throws {
        let toChild = try pipe()
        let fromChild = try pipe()
        child = try ChildProcess(
            starting: FilePath(all[0]), arguments: Array(all.dropFirst()),
            descriptors: [(toChild.read, 0), (fromChild.write, 1)] + descriptors, environment: environment)
        try toChild.read.close()
        try fromChild.write.close()
        input = OwnedDescriptor(owning: toChild.write)
        output = OwnedDescriptor(owning: fromChild.read)
    }

    deinit {
        child.send(signal: Signal.kill)
        _ = try? child.wait()
    }

    /// Sends a line.
    public func send(_ line: String) throws { try input.descriptor.writeAll("\(line)\n".utf8) }

    /// The next line that the process prints.
    public func line(within limit: Duration = watchdog) async throws -> String {
        var found: String?
        try await eventually("a line from TestPeer \(child.pid)", within: limit) {
            found = try takeLine()
            return found != nil
        }
        return found ?? ""
    }

    /// Reads the next line and compares.
    public func expect(_ line: String, within limit: Duration = watchdog) async throws {
        let found = try await self.line(within: limit)
        if found != line { throw UnexpectedLine(expected: line, found: found) }
    }

    /// A line that is there already; nil if there is none yet.
    public func takeLine() throws -> String? {
        while true {
            if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
                defer { received.removeSubrange(...end) }
                return String(decoding: received[..<end], as: UTF8.self)
            }
            var item = pollfd(fd: output.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&item, 1, 0) > 0 else { return nil }
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = unsafe try buffer.withUnsafeMutableBytes { unsafe try output.descriptor.read(into: $0) }
            guard count > 0 else { throw EndOfOutput(pid: child.pid, rest: String(decoding: received, as: UTF8.self)) }
            received += buffer[..<count]
        }
    }

    /// The next line, waited for.
    public func nextLine() throws -> String {
        var found: String?
        try eventuallyBlocking("a line of a peer process") {
            found = try takeLine()
            return found != nil
        }
        return found ?? ""
    }

    public func signal(_ number: Int32) { child.send(signal: number) }

    /// SIGKILL.
    public func kill() { child.send(signal: Signal.kill) }

    /// Whether all of it has ended: its first thread can have while others are still on their way.
    public func hasEnded() throws -> Bool { try child.poll() != nil }

    /// How the process ended, waited for.
    public func ending(within limit: Duration = watchdog) async throws -> ChildProcess.Ending {
        var found: ChildProcess.Ending?
        try await eventually("the end of TestPeer \(child.pid)", within: limit) {
            found = try child.poll()
            return found != nil
        }
        guard let found else { throw TimedOut("the end of TestPeer", limit) }
        return found
    }
}

public struct UnexpectedLine: Error, CustomStringConvertible {
    let expected: String, found: String
    public var description: String { "TestPeer said '\(found)' where '\(expected)' was expected" }
}

public struct EndOfOutput: Error, CustomStringConvertible {
    let pid: Int32
    let rest: String
    public var description: String { "TestPeer \(pid) closed its output\(rest.isEmpty ? "" : " after '\(rest)'")" }
}

private func pipe() throws -> (read: FileDescriptor, write: FileDescriptor) {
    var ends: [CInt] = [-1, -1]
    // Not inherited: other tests start processes at the same time.
    let status = unsafe test_pipe(&ends)
    guard status == 0 else { throw Errno(rawValue: -status) }
    return (FileDescriptor(rawValue: ends[0]), FileDescriptor(rawValue: ends[1]))
}

private func readLink(_ path: String) throws -> FilePath {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = unsafe buffer.withUnsafeMutableBytes { bytes in
        unsafe readlink(path, bytes.baseAddress!.assumingMemoryBound(to: CChar.self), bytes.count)
    }
    guard count > 0 else { throw Errno(rawValue: errno) }
    return FilePath(String(decoding: buffer[..<count], as: UTF8.self))
}
