import CInterprocess
import Glibc
import SystemPackage

extension FileLock {
    /// A lock that is in the way of another.
    public struct Blocker: Sendable, Hashable, CustomStringConvertible {
        /// Whose it is, as far as the kernel says it.
        public enum Owner: Sendable, Hashable {
            /// A record lock of this process.
            case process(Int32)
            /// A record lock of a process that cannot be named here: of a pid namespace that this one does not see, or of another machine.
            case processElsewhere
            /// An opening, which any number of processes may share; the kernel does not say which.
            case openFileDescription
        }

        public let owner: Owner
        public let mode: Mode
        /// All of its bytes, also those that nobody asked about.
        public let bytes: Range<Int64>

        public init(owner: Owner, mode: Mode, bytes: Range<Int64>) {
            self.owner = owner
            self.mode = mode
            self.bytes = bytes
        }

        public var description: String {
            let range = bytes.upperBound == .max ? "\(bytes.lowerBound)..." : "\(bytes)"
            return switch owner {
            case .process(let pid): "process \(pid) has bytes \(range), \(mode)"
            case .processElsewhere: "a process elsewhere has bytes \(range), \(mode)"
            case .openFileDescription: "an open file description has bytes \(range), \(mode)"
            }
        }
    }

    /// A lock of another owner that taking this one in `mode` would wait for; nil if nothing is in the way. If there are several, one.
    ///
    /// Does not block and takes nothing; the answer may be out of date when it arrives. Works on a file that is open for reading only, for
    /// `.exclusive` too. For locks of bytes only: the kernel does not tell who has a whole-file lock.
    ///
    /// The corresponding C function is `fcntl` with `F_GETLK` and `F_OFD_GETLK`.
    ///
    /// - Throws: ``FileLockError/noBlockerOfWholeFiles``, ``FileLockError/notOpen``, ``FileLockError/unsupported``,
    ///   ``FileLockError/system(_:)``.
    public func blocker(of mode: Mode = .exclusive) throws(FileLockError) -> Blocker? {
        guard kind != .wholeFile else { throw .noBlockerOfWholeFiles }
        do throws(Errno) {
            guard let lock = try conflicting(with: mode) else { return nil }
            let owner: Blocker.Owner = lock.owner > 0 ? .process(lock.owner) : lock.owner == -1 ? .openFileDescription : .processElsewhere
            let end = lock.length == 0 ? Int64.max : lock.start + lock.length
            return Blocker(owner: owner, mode: lock.type == Int32(F_RDLCK) ? .shared : .exclusive, bytes: lock.start..<end)
        } catch {
            throw FileLockError(error, nil, file)
        }
    }

    /// The kernel's answer, for locks of bytes.
    func conflicting(with mode: Mode) throws(Errno) -> ipc_byte_lock? {
        var lock = byteLock(mode.operation)
        try systemCall(kind == .record ? "fcntl(F_GETLK)" : "fcntl(F_OFD_GETLK)") {
            unsafe ipc_get_byte_lock(file.rawValue, kind == .record ? ipc_record_getlk : ipc_ofd_getlk, &lock)
        }
        return lock.type == Int32(F_UNLCK) ? nil : lock
    }
}
