import CInterprocess
import Glibc
public import SystemPackage

/// A pipe with a path, which programs of any origin open to meet. The path stays until it is removed; what was written goes with the last
/// process that has it open.
///
///     let orders = try Fifo.openOrCreate(at: "/run/user/1000/orders")
///     let reader = try orders.openReader()          // waits for a writer
///
/// Once open, an end is that of a pipe: see ``Pipe`` for boundaries, blocking and deaths.
public struct Fifo: Sendable, Hashable {
    public let path: FilePath

    /// The FIFO that stands at `path`. The corresponding C function is `stat`.
    ///
    /// - Throws: `ENOENT`, `EACCES`, `ENOTDIR`, `ELOOP`, `ENAMETOOLONG`; `EINVAL` if something else stands there.
    public static func open(at path: FilePath) throws(FacilityError) -> Fifo {
        var status = stat()
        try Facility.fifo.call("stat", on: path.string) { unsafe path.withPlatformString { unsafe resultOrErrno(stat($0, &status)) } }
        guard status.st_mode & S_IFMT == S_IFIFO else { throw FacilityError(.fifo, "open", .invalidArgument, object: path.string) }
        return Fifo(path: path)
    }

    /// Makes a FIFO. The corresponding C function is `mkfifo`.
    ///
    /// - Parameter permissions: narrowed by the umask.
    /// - Throws: `EEXIST`, `EACCES`, `ENOENT`, `ENOTDIR`, `ENAMETOOLONG`, `ENOSPC`, `EDQUOT`, `EROFS`, `EPERM` where the file system has none.
    public static func create(at path: FilePath, permissions: FilePermissions = .ownerReadWrite) throws(FacilityError) -> Fifo {
        try Facility.fifo.call("mkfifo", on: path.string) {
            unsafe path.withPlatformString { unsafe resultOrErrno(mkfifo($0, mode_t(permissions.rawValue))) }
        }
        return Fifo(path: path)
    }

    /// The FIFO that stands at `path`, made if there is none. The corresponding C functions are `mkfifo` and `stat`.
    public static func openOrCreate(at path: FilePath, permissions: FilePermissions = .ownerReadWrite) throws(FacilityError) -> Fifo {
        do throws(FacilityError) {
            return try create(at: path, permissions: permissions)
        } catch let error where error.errno == .fileExists {
            return try open(at: path)
        }
    }

    /// Removes the path. Who has the FIFO open goes on. The corresponding C function is `unlink`.
    public func remove() throws(FacilityError) {
        try Facility.fifo.call("unlink", on: path.string) { unsafe path.withPlatformString { unsafe resultOrErrno(unlink($0)) } }
    }

    /// Opens the end for reading; waits until somebody has opened the other. The kernel has no deadline for that.
    ///
    /// The corresponding C function is `open(O_RDONLY)`.
    public func openReader() throws(FacilityError) -> PipeReader { PipeReader(try open(O_RDONLY)) }

    /// Opens the end for reading at once, whether or not somebody writes. Until the first writer comes, reading finds the end.
    ///
    /// The corresponding C functions are `open(O_RDONLY|O_NONBLOCK)` and `fcntl(F_SETFL)`.
    public func openReaderAtOnce() throws(FacilityError) -> PipeReader { PipeReader(try openAtOnce(O_RDONLY)) }

    /// Opens the end for writing; waits until somebody has opened the other.
    ///
    /// The corresponding C function is `open(O_WRONLY)`.
    public func openWriter() throws(FacilityError) -> PipeWriter { PipeWriter(try open(O_WRONLY)) }

    /// Opens the end for writing if somebody has opened the other; nil if not.
    ///
    /// The corresponding C functions are `open(O_WRONLY|O_NONBLOCK)` and `fcntl(F_SETFL)`.
    public func tryOpenWriter() throws(FacilityError) -> PipeWriter? {
        do throws(FacilityError) {
            return PipeWriter(try openAtOnce(O_WRONLY))
        } catch let error where error.errno == .noSuchAddressOrDevice {
            return nil
        }
    }

    private func open(_ flags: CInt) throws(FacilityError) -> OwnedDescriptor {
        let number = try Facility.fifo.call("open", on: path.string) {
            unsafe path.withPlatformString { unsafe ipc_openat(AT_FDCWD, $0, flags | O_CLOEXEC | O_NOCTTY, 0) }
        }
        let owned = OwnedDescriptor(owning: number)
        // Another file may have taken its place.
        var status = stat()
        try Facility.fifo.call("fstat", on: path.string) { unsafe resultOrErrno(fstat(owned.descriptor.rawValue, &status)) }
        guard status.st_mode & S_IFMT == S_IFIFO else { throw FacilityError(.fifo, "open", .invalidArgument, object: path.string) }
        return owned
    }

    private func openAtOnce(_ flags: CInt) throws(FacilityError) -> OwnedDescriptor {
        let owned = try open(flags | O_NONBLOCK)
        // Only opening was not to wait. The opening is this one's own, nobody else is changed by that.
        try Facility.fifo.call("fcntl(F_SETFL)", on: path.string) { ipc_fcntl(owned.descriptor.rawValue, ipc_set_status_flags, 0) }
        return owned
    }
}

extension Facility {
    /// FIFOs, until they are open; then they are pipes.
    public static let fifo = Facility("FIFO") { operation, error in
        switch (operation, error) {
        case (_, .invalidArgument): "what stands at the path is not a FIFO; take another path, or remove it"
        case ("mkfifo", .notPermitted): "the file system has no FIFOs; take a directory on another one"
        default: nil
        }
    }
}
