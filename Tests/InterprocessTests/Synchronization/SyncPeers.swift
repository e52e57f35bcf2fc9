import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

/// The tests of synchronization objects with processes of their own: one after the other, since they block the thread that they run on.
@Suite("Synchronization between processes", .serialized) enum SyncSuite {}

/// A directory with one object of each kind, and the processes that use them.
final class SyncScene {
    let directory: TemporaryDirectory
    let place: SyncPlace

    init(_ kind: SyncPlace.Kind) throws {
        directory = try TemporaryDirectory()
        place = try SyncPlace(kind, in: directory.objects)
    }

    func start(_ command: String, _ what: String, _ more: [String] = [], wrapper: [String] = []) throws -> PeerProcess {
        try PeerProcess(
            command, [directory.path.string, place.kind.rawValue, what] + more, wrapper: wrapper,
            environment: ["SWIFT_BACKTRACE": "enable=no"])
    }

    /// A process that has `what` by now.
    func holder(_ what: String, _ more: [String] = [], wrapper: [String] = []) throws -> PeerProcess {
        let process = try start("sync-hold", what, more, wrapper: wrapper)
        let line = try process.next()
        guard line.hasPrefix("holding ") else { throw TestFailure("the holder of \(what) says '\(line)'") }
        return process
    }

    /// A process that waits for `what`, and is asleep.
    func sleeper(_ what: String, wrapper: [String] = []) throws -> PeerProcess {
        let process = try start("sync-wait", what, wrapper: wrapper)
        try process.says("waiting")
        if wrapper.isEmpty { try process.becomesAsleep() }
        return process
    }

    func sleepers(_ count: Int, _ what: String) throws -> [PeerProcess] { try (0..<count).map { _ in try sleeper(what) } }
}

extension PeerProcess {
    /// The next line that it prints.
    func next() throws -> String {
        var found: String?
        try eventuallyBlocking("a line from TestPeer \(pid)") {
            found = try takeLine()
            return found != nil
        }
        return found ?? ""
    }

    func says(_ line: String) throws {
        let found = try next()
        guard found == line else { throw TestFailure("TestPeer \(pid) says '\(found)' where '\(line)' was expected") }
    }

    /// Waits until its first thread sleeps in `futex_waitv`.
    func becomesAsleep() throws { try eventuallyBlocking("TestPeer \(pid) sleeps") { try systemCallNumber(pid) == "449" } }

    /// Stops it, and waits until it is stopped.
    func stop() throws {
        signal(Signal.stop)
        try eventuallyBlocking("TestPeer \(pid) is stopped") { try processState(pid) == "T" }
    }

    func ends() throws {
        try eventuallyBlocking("the end of TestPeer \(pid)") { try hasEnded() }
    }
}

/// The system call in which the process's first thread is; "running" if in none.
private func systemCallNumber(_ pid: Int32) throws -> Substring? {
    let file = try FileDescriptor.open(FilePath("/proc/\(pid)/syscall"), .readOnly, options: .closeOnExec)
    return try file.closeAfter {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = unsafe try buffer.withUnsafeMutableBytes { unsafe try file.read(into: $0) }
        return String(decoding: buffer[..<count], as: UTF8.self).split(separator: " ").first
    }
}

/// The blocking forms, for tests that are asynchronous.
func blocking<R: ~Copyable>(_ body: () throws -> R) rethrows -> R { try body() }

/// A deadline that no passing test reaches.
var patiently: Deadline { .after(watchdog) }

/// What stands in the first eight bytes of an object in a segment while a peer makes it.
func beingMade(by peer: PeerID) -> UInt64 { 0x474b_414d << 32 | UInt64(peer.rawValue) }
