import CTestSystem
import Glibc
import InterprocessSystem
public import SystemPackage

/// What this machine lets a test do. Tests that need more are skipped, and say so.
public enum Privilege {
    public static let isRoot = currentUserID() == 0

    /// Mounting file systems.
    public static let canMount: Bool = {
        guard isRoot, let directory = try? TemporaryDirectory() else { return false }
        guard unsafe test_mount_tmpfs(directory.path.string, "64k") == 0 else { return false }
        return unsafe test_unmount(directory.path.string) == 0
    }()

    /// New namespaces, by way of the program `unshare`.
    public static func canUnshare(_ options: [String]) -> Bool {
        guard let child = try? ChildProcess(starting: "/usr/bin/unshare", arguments: options + ["/bin/true"]) else { return false }
        var started = child
        return (try? started.wait()) == .exited(0)
    }

    public static func changeOwner(of path: FilePath, to user: UInt32) throws {
        guard unsafe chown(path.string, user, user) == 0 else { throw Errno(rawValue: errno) }
    }
}

/// A small tmpfs, unmounted when its owner ends.
public final class SmallFileSystem: Sendable {
    public let directory: TemporaryDirectory

    /// - Parameter size: as the mount option, "1m".
    public init(size: String) throws {
        directory = try TemporaryDirectory()
        let status = unsafe test_mount_tmpfs(directory.path.string, size)
        guard status == 0 else { throw Errno(rawValue: -status) }
    }

    deinit { unsafe _ = test_unmount(directory.path.string) }
}
