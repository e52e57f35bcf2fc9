import CInterprocess
public import SystemPackage

/// Why a call of a ``FileLock`` did not do what it was to do.
public enum FileLockError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kernel found that this process would wait for itself, by way of what others wait for. Record locks only.
    case deadlock
    /// The deadline passed while somebody was in the way.
    case deadline
    /// The task was cancelled while somebody was in the way.
    case cancelled
    /// The kernel, or the server of a network file system, can keep no more locks.
    case outOfLocks
    /// The file is not open for what a lock of this mode needs.
    case wrongOpenMode(FileLock.Mode)
    /// There is no file open under the descriptor's number.
    case notOpen
    /// The file, or its file system, has no locks of this kind.
    case unsupported
    /// The kernel does not tell who has a whole-file lock.
    case noBlockerOfWholeFiles
    /// No thread could be started that waits until a deadline, or for a task.
    case noThread
    /// Anything else, as the kernel says it.
    case system(Errno)

    public var description: String {
        switch self {
        case .deadlock:
            """
            the kernel found a cycle: this process would wait for one that waits, perhaps by way of others, for this one; give back the \
            locks that it holds and take them all again, in the same order as everybody else
            """
        case .deadline: "the lock was not free before the deadline"
        case .cancelled: "the task was cancelled while it waited for the lock"
        case .outOfLocks: "no more file locks are to be had (ENOLCK): lock fewer ranges, or on NFS see that the server's lock service runs"
        case .wrongOpenMode(.shared): "a shared lock needs a file that is open for reading; open it .readOnly or .readWrite"
        case .wrongOpenMode(.exclusive): "an exclusive lock needs a file that is open for writing; open it .readWrite"
        case .notOpen: "the descriptor of the lock is not open; keep it open for as long as the lock is used"
        case .unsupported: "this file has no locks of this kind; take another kind, or lock a file on a local file system instead"
        case .noBlockerOfWholeFiles:
            "the kernel does not tell who has a whole-file lock; tryLock says whether it is free, `lslocks` shows more"
        case .noThread:
            "no thread could be started to wait for the lock; raise the limit of threads (ulimit -u), or lock without a deadline"
        case .system(let error): "the file lock failed: \(error)"
        }
    }

    /// - Parameter mode: what was to be taken; nil for giving back.
    init(_ error: Errno, _ mode: FileLock.Mode?, _ file: FileDescriptor) {
        switch error {
        case .deadlock: self = .deadlock
        case .noLocks: self = .outOfLocks
        case .badFileDescriptor:
            // The kernel says the same of a file that is not open and of one that is open for something else.
            let isOpen = ipc_fcntl(file.rawValue, ipc_get_descriptor_flags, 0) >= 0
            if isOpen, let mode { self = .wrongOpenMode(mode) } else { self = .notOpen }
        // From locking itself it means that somebody is in the way, and comes to nobody as an error.
        case .resourceTemporarilyUnavailable: self = .noThread
        case .notSupportedOnSocket, .notSupported, .noFunction, .invalidArgument: self = .unsupported
        default: self = .system(error)
        }
    }
}
