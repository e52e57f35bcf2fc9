import CInterprocess
import Glibc
public import SystemPackage

/// What `fstat` says of a file.
public struct FileStatus: Sendable, Equatable {
    public enum Kind: Sendable, Equatable { case regular, directory, symbolicLink, other }

    public let kind: Kind
    /// Read, write and execute bits, of owner, group and others.
    public let permissions: FilePermissions
    /// The user id of the owner.
    public let owner: UInt32
    /// Bytes.
    public let size: Int
    /// Names that the file has; 0 after it was removed.
    public let links: Int
    /// Together they tell one file from every other of the running machine.
    public let device: UInt64, inode: UInt64
    /// Bytes of memory or disk that are reserved for it.
    public let reservedBytes: Int

    init(_ status: stat) {
        kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .regular
            case S_IFDIR: .directory
            case S_IFLNK: .symbolicLink
            default: .other
            }
        permissions = FilePermissions(rawValue: CModeT(status.st_mode & 0o7777))
        owner = status.st_uid
        size = Int(status.st_size)
        links = Int(status.st_nlink)
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        reservedBytes = Int(status.st_blocks) * 512
    }

    /// The corresponding C function is `fstat`.
    public init(of file: FileDescriptor) throws(Errno) {
        var status = stat()
        try systemCall("fstat") { unsafe resultOrErrno(fstat(file.rawValue, &status)) }
        self.init(status)
    }

    /// True if both describe the same file.
    public func isSameFile(as other: FileStatus) -> Bool { device == other.device && inode == other.inode }
}

/// What `statvfs` says of the file system that a file is on.
public struct FileSystemStatus: Sendable {
    /// Bytes in all, and free for this user.
    public let size: Int, free: Int

    /// The corresponding C function is `fstatvfs`.
    public init(of file: FileDescriptor) throws(Errno) {
        var status = statvfs()
        try systemCall("fstatvfs") { unsafe resultOrErrno(fstatvfs(file.rawValue, &status)) }
        size = Int(clamping: status.f_blocks) * Int(clamping: status.f_frsize)
        free = Int(clamping: status.f_bavail) * Int(clamping: status.f_frsize)
    }
}

/// The largest file that this process may make, in bytes; nil if there is no limit. Reaching over it is a signal that ends the process
/// (`SIGXFSZ`), unless it is ignored.
///
/// The corresponding C function is `getrlimit(RLIMIT_FSIZE)`.
public func largestFileSize() -> Int? {
    var limit = rlimit()
    guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0 else { return nil }
    return Int(exactly: limit.rlim_cur)
}

/// Calls `body` while files are made without the permissions of `mask`: of this whole process. The corresponding C function is `umask`.
package func withFileCreationMask<R: ~Copyable>(_ mask: UInt32, _ body: () throws -> R) rethrows -> R {
    let before = umask(mode_t(mask))
    defer { umask(before) }
    return try body()
}

extension FileDescriptor {
    /// Sets the file's size and reserves all of it, so that a full file system is an error now (`ENOSPC`) and never a bus error later.
    ///
    /// The corresponding C function is `posix_fallocate`. (`ftruncate` past the end of a full tmpfs succeeds.)
    public func reserve(size: Int) throws(Errno) {
        // posix_fallocate returns the error. It is restarted here when a signal comes between: a large reservation takes a while.
        try reserve(size, from: 0)
    }

    /// Reserves `count` bytes from `offset` on, and makes the file larger if it ends before. What is reserved already stays as it is.
    ///
    /// The corresponding C function is `posix_fallocate`.
    public func reserve(_ count: Int, from offset: Int) throws(Errno) {
        try systemCall("posix_fallocate") { -Int(posix_fallocate(rawValue, off_t(offset), count)) }
    }

    /// Gives the memory of `count` bytes from `offset` on back to the system; the file stays as long as it is, and zeroes stand there. Whoever writes there again reserves it first.
    ///
    /// The corresponding C function is `fallocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)`.
    public func release(_ count: Int, from offset: Int) throws(Errno) {
        try systemCall("fallocate") { Int(ipc_punch_hole(rawValue, Int64(offset), Int64(count))) }
    }

    /// Sets the file's size; what is new is not reserved. The corresponding C function is `ftruncate`.
    public func setSize(_ size: Int) throws(Errno) { try systemCall("ftruncate") { resultOrErrno(ftruncate(rawValue, off_t(size))) } }

    /// Sets the permissions. The corresponding C function is `fchmod`; unlike the mode of a creation, not narrowed by the umask.
    public func setPermissions(_ permissions: FilePermissions) throws(Errno) {
        try systemCall("fchmod") { resultOrErrno(fchmod(rawValue, permissions.rawValue)) }
    }

    /// Whether readiness can be waited for by `epoll`: not for regular files. The corresponding C functions are `epoll_create1` and `epoll_ctl`.
    package func isPollable() throws(Errno) -> Bool {
        let epoll = OwnedDescriptor(owning: try systemCall("epoll_create1") { ipc_epoll_create() })
        do throws(Errno) {
            try systemCall("epoll_ctl") { ipc_epoll_change(epoll.descriptor.rawValue, ipc_epoll_add, rawValue, ipc_epoll_in, 0) }
            return true
        } catch .notPermitted {
            return false
        }
    }

    /// Reads `buffer.count` bytes at `offset`, or up to the end; returns how many. The corresponding C function is `pread`.
    public func readAll(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(Errno) -> Int {
        var done = 0
        while done < buffer.count {
            let count = try systemCall("pread") {
                unsafe ipc_pread(rawValue, buffer.baseAddress! + done, buffer.count - done, Int64(offset + done))
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// Whether the descriptor is a terminal. The corresponding C function is `isatty`.
    public var isTerminal: Bool { isatty(rawValue) == 1 }
}
