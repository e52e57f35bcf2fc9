import CInterprocess
import Glibc
public import SystemPackage

/// A lock on one byte of a file, whether the file reaches that far or not. It belongs to the open file description: it goes when the last
/// descriptor of that opening is closed, so at the latest with the process, however it ends; by then the kernel has processed the
/// process's robust lists.
///
/// The corresponding C function is `fcntl(F_OFD_SETLK)`.
public enum FileLock {
    public enum Mode: Sendable { case shared, exclusive }

    /// Takes the lock, or changes one that this opening holds to `mode`, if no other opening is in the way; false if one is.
    public static func tryLock(_ file: FileDescriptor, _ mode: Mode, byte: Int64 = 0) throws(Errno) -> Bool {
        do throws(Errno) {
            try systemCall("fcntl(F_OFD_SETLK)") { ipc_ofd_lock(file.rawValue, ipc_ofd_setlk, mode.type, byte) }
            return true
        } catch {
            if error == .resourceTemporarilyUnavailable || error == .permissionDenied { return false }
            throw error
        }
    }

    /// Takes the lock, waiting while other openings are in the way.
    public static func lock(_ file: FileDescriptor, _ mode: Mode, byte: Int64 = 0) throws(Errno) {
        try systemCall("fcntl(F_OFD_SETLKW)") { ipc_ofd_lock(file.rawValue, ipc_ofd_setlkw, mode.type, byte) }
    }

    /// Gives the lock back.
    public static func unlock(_ file: FileDescriptor, byte: Int64 = 0) throws(Errno) {
        try systemCall("fcntl(F_OFD_SETLK)") { ipc_ofd_lock(file.rawValue, ipc_ofd_setlk, Int16(F_UNLCK), byte) }
    }

    /// Whether another opening holds a lock that `mode` would conflict with. Takes nothing; works on a read-only descriptor for
    /// `.exclusive` too.
    public static func isHeldByAnother(_ file: FileDescriptor, against mode: Mode, byte: Int64 = 0) throws(Errno) -> Bool {
        try systemCall("fcntl(F_OFD_GETLK)") { ipc_ofd_lock_blocker(file.rawValue, mode.type, byte) } != Int(F_UNLCK)
    }
}

extension FileLock.Mode {
    fileprivate var type: Int16 { self == .shared ? Int16(F_RDLCK) : Int16(F_WRLCK) }
}
