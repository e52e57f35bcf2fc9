import Glibc
public import Interprocess
import InterprocessSystem
public import SystemPackage

/// A directory of a test's own, removed with all that is in it when its owner ends.
public final class TemporaryDirectory: Sendable {
    public let path: FilePath

    /// - Parameter parent: on memory by default; `/var/tmp` for what must be on a disk.
    public init(in parent: FilePath = "/dev/shm") throws {
        path = parent.appending("interprocess-test-\(getpid())-\(String(randomUInt64(), radix: 36))")
        guard try Directory.make(at: path, mode: .ownerReadWriteExecute) else { throw Errno.fileExists }
    }

    /// The directory as the place of objects.
    public var objects: ObjectDirectory { ObjectDirectory(at: path) }

    /// The names in it, sorted.
    public func names() throws -> [String] { try Directory(opening: path).names() }

    public func path(of name: String) -> FilePath { path.appending(name) }

    deinit { removeTree(path) }
}

/// Removes `path` and, if it is a directory, what is in it. Errors are left standing: a test's directory may have been unmounted or emptied already.
public func removeTree(_ path: FilePath) {
    if let directory = try? Directory(opening: path), let names = try? directory.entries() {
        for name in names { removeTree(path.appending(name)) }
        unsafe _ = path.withPlatformString { unsafe rmdir($0) }
    } else {
        // Of any bytes: as text the name may be another.
        unsafe _ = path.withPlatformString { unsafe unlink($0) }
    }
}
