package import SystemPackage

/// Locks of one byte each, of an opening: what the library itself needs. They go when the last descriptor of the opening is closed, so at
/// the latest with the process, however it ends; by then the kernel has processed the process's robust lists.
extension FileLock {
    /// Takes the lock, or changes one that this opening holds to `mode`, if no other opening is in the way; false if one is.
    ///
    /// The corresponding C function is `fcntl(F_OFD_SETLK)`.
    package static func tryLock(_ file: FileDescriptor, _ mode: Mode, byte: Int64 = 0) throws(Errno) -> Bool {
        do throws(Errno) {
            try openFileDescription(file, byte...byte).call(mode.operation, waiting: false)
            return true
        } catch {
            if error == .resourceTemporarilyUnavailable || error == .permissionDenied { return false }
            throw error
        }
    }

    /// Takes the lock, waiting while other openings are in the way.
    package static func lock(_ file: FileDescriptor, _ mode: Mode, byte: Int64 = 0) throws(Errno) {
        try openFileDescription(file, byte...byte).call(mode.operation, waiting: true)
    }

    /// Gives the lock back.
    package static func unlock(_ file: FileDescriptor, byte: Int64 = 0) throws(Errno) {
        try openFileDescription(file, byte...byte).call(.unlock, waiting: false)
    }

    /// Whether another opening holds a lock that `mode` would conflict with. Takes nothing; works on a read-only descriptor for
    /// `.exclusive` too.
    package static func isHeldByAnother(_ file: FileDescriptor, against mode: Mode, byte: Int64 = 0) throws(Errno) -> Bool {
        try openFileDescription(file, byte...byte).conflicting(with: mode) != nil
    }
}
