import InterprocessSystem
import Synchronization
import SystemPackage
import TestSupport

/// A file of a test's own, its openings, and the processes that lock it.
struct FileLockFile {
    let temporary: TemporaryDirectory
    private let inode: UInt64

    init() throws {
        temporary = try TemporaryDirectory()
        let file = try FileDescriptor.open(
            temporary.path(of: "file"), .readWrite, options: [.create, .closeOnExec], permissions: .ownerReadWrite)
        inode = try FileStatus(of: file).inode
        try file.writeAll([UInt8](repeating: 0, count: 8))
        try file.close()
    }

    var path: FilePath { temporary.path(of: "file") }

    func open(_ mode: FileDescriptor.AccessMode = .readWrite) throws -> OwnedDescriptor {
        OwnedDescriptor(owning: try FileDescriptor.open(path, mode, options: .closeOnExec))
    }

    func peer() async throws -> PeerProcess {
        let peer = try PeerProcess("file-locks", [temporary.path.string, "file"])
        try await peer.expect("ready")
        return peer
    }

    /// How many wait in the kernel for a lock of the file.
    func waiting() throws -> Int {
        let file = try FileDescriptor.open(FilePath("/proc/locks"), .readOnly, options: .closeOnExec)
        defer { try? file.close() }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = unsafe try buffer.withUnsafeMutableBytes { unsafe try file.read(into: $0) }
            guard count > 0 else { break }
            text += buffer[..<count]
        }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").count { $0.contains("->") && $0.contains(":\(inode) ") }
    }

    func untilWaiting(_ count: Int) async throws { try await eventually("\(count) waiting for the lock") { try waiting() == count } }
}

extension FileLock.Kind {
    static let all: [FileLock.Kind] = [.wholeFile, .record, .openFileDescription]
    static let ofBytes: [FileLock.Kind] = [.record, .openFileDescription]
    static let ofOpenings: [FileLock.Kind] = [.wholeFile, .openFileDescription]

    func lock(_ file: borrowing OwnedDescriptor, _ bytes: Range<Int64> = 0..<Int64.max) -> FileLock {
        switch self {
        case .wholeFile: .wholeFile(file.descriptor)
        case .record: .record(file.descriptor, bytes)
        case .openFileDescription: .openFileDescription(file.descriptor, bytes)
        }
    }
}

extension PeerProcess {
    /// Sends an order without waiting for its answer.
    func order(_ verb: String, _ kind: FileLock.Kind, _ mode: FileLock.Mode, _ bytes: Range<Int64>, _ number: Int = 0) throws {
        try send("\(verb) \(kind) \(mode) \(bytes.lowerBound) \(bytes.upperBound) \(number)")
    }

    func ask(
        _ verb: String, _ kind: FileLock.Kind, _ mode: FileLock.Mode = .exclusive, _ bytes: Range<Int64> = 0..<Int64.max, _ number: Int = 0
    ) async throws -> String {
        try order(verb, kind, mode, bytes, number)
        return try await line()
    }
}

// The blocking forms: in an asynchronous function the asynchronous ones would be chosen.
func lockBlocking(_ lock: FileLock, _ mode: FileLock.Mode, until deadline: MonotonicInstant? = nil) throws(FileLockError) {
    try lock.lock(mode, until: deadline)
}

/// A call on a thread of its own, and what came of it.
final class Attempt: Sendable {
    private let outcome = Mutex<Result<Void, FileLockError>?>(nil)

    init(_ body: @escaping @Sendable () throws(FileLockError) -> Void) throws {
        try startServiceThread(named: "attempt") {
            let result = Result { () throws(FileLockError) in try body() }
            self.outcome.withLock { $0 = result }
        }
    }

    var isOver: Bool { outcome.withLock { $0 != nil } }

    func value() async throws {
        try await eventually("the end of a call for a lock") { isOver }
        try outcome.withLock { $0 }?.get()
    }
}

/// An instant so many milliseconds from now.
func after(milliseconds: Int) -> MonotonicInstant { .after(.milliseconds(milliseconds)) }
