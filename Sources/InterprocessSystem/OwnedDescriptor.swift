import CInterprocess
import Glibc
public import SystemPackage

/// Makes a descriptor mean `/dev/null`, so that its number stays taken and its file is let go. For a forked child: takes no lock.
///
/// The corresponding C functions are `open` and `dup3`.
public func replaceByNullDevice(_ file: FileDescriptor) {
    let null = unsafe ipc_openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0)
    guard null >= 0 else { return }
    dup2(CInt(null), file.rawValue)
    close(CInt(null))
}

/// A file descriptor that has one owner and is closed when the owner ends.
public struct OwnedDescriptor: ~Copyable, Sendable {
    /// The descriptor, for calls; it stays the owner's.
    public let descriptor: FileDescriptor

    /// Takes over `descriptor`; nobody else may close it.
    public init(owning descriptor: FileDescriptor) { self.descriptor = descriptor }

    public init(owning rawValue: Int) { self.init(owning: FileDescriptor(rawValue: CInt(rawValue))) }

    deinit { try? descriptor.close() }

    /// Gives the descriptor up without closing it.
    public consuming func release() -> FileDescriptor {
        let descriptor = descriptor
        discard self
        return descriptor
    }
}
