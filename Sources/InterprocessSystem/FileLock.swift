import CInterprocess
public import SystemPackage

/// A lock on a file or on bytes of it, between processes. The kernel keeps it, and gives it back when its owner ends, however it ends.
///
///     let file = try FileDescriptor.open("journal", .readWrite, options: .closeOnExec)
///     let lock = FileLock.openFileDescription(file, 0..<4096)
///     try lock.withLock(.exclusive) { … }
///
/// A value of this type says what is locked and by whom; making, copying and dropping it does nothing. All locks are advisory: they keep
/// out who asks for them and nobody else. The bytes need not exist.
///
/// There are three kinds, and they differ in everything but their use:
///
/// | | ``wholeFile(_:)`` | ``record(_:_:)`` | ``openFileDescription(_:_:)`` |
/// |---|---|---|---|
/// | what | the file | bytes | bytes |
/// | its owner | the opening (`open`) | the process | the opening |
/// | two openings in one process | exclude each other | are one owner | exclude each other |
/// | excludes | whole-file locks (over NFS and SMB also the others) | locks of bytes, of both kinds | locks of bytes, of both kinds |
/// | `dup`, a descriptor sent to another process | the same lock | of the process that locked | the same lock |
/// | `fork` | parent and child have one lock: either gives it back | the child has none | as a whole-file lock |
/// | `exec` | stays, unless close-on-exec closes the last descriptor | stays, unless close-on-exec closes *any* descriptor of the file | as a whole-file lock |
/// | `close` | goes with the opening's last descriptor, in whatever process | **goes when the process closes any descriptor of the file**, also one that a library has opened for a moment | as a whole-file lock |
/// | death | goes with the last process that has the opening | goes | as a whole-file lock |
/// | changing shared to exclusive and back | given back first, then taken: another may come in between, and when the call fails the old lock is gone | in one step | in one step |
/// | two that wait for each other | wait for ever, or until their deadlines | the kernel ends one wait: ``FileLockError/deadlock`` | wait for ever, or until their deadlines |
/// | needs a file open for | anything (over NFS: as the others) | reading, if shared; writing, if exclusive | as a record lock |
/// | ``blocker(of:)`` | is not to be had | names the process | names the process if that has a record lock |
/// | NFS | a lock of all bytes, on the server | on the server | on the server |
///
/// For new code take ``openFileDescription(_:_:)``; ``record(_:_:)`` is for programs that others wrote so, and for its deadlock report.
/// Threads of one process exclude each other only by locks of different openings.
///
/// **Deadlocks** The kernel looks for a cycle when a record lock begins to wait, among processes, not threads: it can also report a cycle
/// that another thread would have broken. It follows ten links at most.
///
/// **Fairness** None is promised: of those that wait, one gets the lock that is given back, not always the first that came, and readers who
/// take turns can keep a writer out.
///
/// The corresponding C functions are `flock` and `fcntl` with `F_SETLK`, `F_OFD_SETLK` and their waiting forms.
public struct FileLock: Sendable, Hashable {
    /// Who owns the lock; see the table at ``FileLock``.
    public enum Kind: Sendable, Hashable { case wholeFile, record, openFileDescription }

    /// Many may have a shared lock at a time, an exclusive one excludes all others.
    public enum Mode: Sendable, Hashable { case shared, exclusive }

    /// By which the calls are made. It must stay open as long as the lock is used.
    public let file: FileDescriptor
    public let kind: Kind
    /// The bytes; an upper bound of `Int64.max` means up to any end that the file may ever have. All of them for a whole file.
    public let bytes: Range<Int64>

    private init(_ file: FileDescriptor, _ kind: Kind, _ bytes: Range<Int64>) {
        precondition(!bytes.isEmpty, "a file lock needs at least one byte")
        precondition(bytes.lowerBound >= 0, "a file lock's bytes begin at 0 or later")
        self.file = file
        self.kind = kind
        self.bytes = bytes
    }

    /// The whole file, for an opening. The corresponding C function is `flock`.
    public static func wholeFile(_ file: FileDescriptor) -> FileLock { FileLock(file, .wholeFile, 0..<Int64.max) }

    /// Bytes of the file, for this process. The corresponding C function is `fcntl(F_SETLK)`.
    ///
    /// - Parameter bytes: at least one, from 0 on and below `Int64.max`; `0...` are all that the file will ever have.
    public static func record(_ file: FileDescriptor, _ bytes: some RangeExpression<Int64> = 0...) -> FileLock {
        FileLock(file, .record, bytes.relative(to: 0..<Int64.max))
    }

    /// Bytes of the file, for an opening. The corresponding C function is `fcntl(F_OFD_SETLK)`, Linux 3.15.
    ///
    /// - Parameter bytes: at least one, from 0 on and below `Int64.max`; `0...` are all that the file will ever have.
    public static func openFileDescription(_ file: FileDescriptor, _ bytes: some RangeExpression<Int64> = 0...) -> FileLock {
        FileLock(file, .openFileDescription, bytes.relative(to: 0..<Int64.max))
    }

    /// Takes the lock if nobody is in the way; false if somebody is. Does not wait (over a network file system: for the server).
    ///
    /// An owner that has the lock already gets `mode` in its stead; see the table at ``FileLock`` for whole files. Locks of bytes join and
    /// split: each byte has the mode that it was given last.
    ///
    /// - Throws: ``FileLockError/wrongOpenMode(_:)``, ``FileLockError/notOpen``, ``FileLockError/outOfLocks``,
    ///   ``FileLockError/unsupported``, ``FileLockError/system(_:)``.
    public func tryLock(_ mode: Mode = .exclusive) throws(FileLockError) -> Bool {
        do throws(Errno) {
            try call(mode.operation, waiting: false)
            return true
        } catch {
            if error == .resourceTemporarilyUnavailable || error == .permissionDenied { return false }
            throw FileLockError(error, mode, file)
        }
    }

    /// Gives the lock back; of bytes, also those that were never locked. Does not block. Giving back what is not held is no error.
    ///
    /// - Throws: ``FileLockError/notOpen``; ``FileLockError/outOfLocks`` if unlocking would split a range and the kernel has no memory;
    ///   ``FileLockError/system(_:)``.
    public func unlock() throws(FileLockError) {
        do throws(Errno) {
            try call(.unlock, waiting: false)
        } catch {
            throw FileLockError(error, nil, file)
        }
    }
}
