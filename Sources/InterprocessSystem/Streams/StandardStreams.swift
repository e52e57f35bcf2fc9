import CInterprocess
import Glibc
public import SystemPackage

/// Standard input, output and error of this process.
public enum StandardStreams {
    /// Opens `/dev/null` for each standard stream that is closed, so that no file opened later gets its number and is taken for it. Returns
    /// which were closed.
    ///
    /// The corresponding C functions are `fcntl(F_GETFD)` and `open`. To be called first of all.
    public static func fillClosed() -> [FileDescriptor] {
        [FileDescriptor.standardInput, .standardOutput, .standardError].filter { stream in
            guard ipc_fcntl(stream.rawValue, ipc_get_descriptor_flags, 0) < 0 else { return false }
            // The lowest number that is free is this one: those below have been looked at.
            unsafe _ = ipc_openat(AT_FDCWD, "/dev/null", O_RDWR, 0)
            return true
        }
    }
}
