import SystemPackage

/// Waiting for a lock. The kernel's own wait knows no deadline: see ``FileLockWait``.
extension FileLock {
    /// Takes the lock, blocking while somebody is in the way, until `deadline` at the latest. Signals do not end the wait (a handler runs,
    /// and the wait begins anew).
    ///
    /// If the one in the way dies, the lock is this one's; nothing says that it died. Without a deadline the calling thread waits in the
    /// kernel. With one, this costs what ``tryLock(_:)`` does if nobody is in the way; else a thread is started that waits in the kernel
    /// like all others, so that a deadlock is reported here too; at the deadline the thread is ended and the lock is tried for once more.
    /// Over a network file system whose server does not answer, the call may come back late.
    ///
    /// - Throws: as ``tryLock(_:)``; ``FileLockError/deadlock``: then nothing has changed; with a deadline also ``FileLockError/noThread`` and ``FileLockError/deadline``:
    ///   locks of bytes are then what they were, a whole-file lock that was to be changed is gone.
    public func lock(_ mode: Mode = .exclusive, until deadline: MonotonicInstant? = nil) throws(FileLockError) {
        guard let deadline else {
            do throws(Errno) {
                return try call(mode.operation, waiting: true)
            } catch {
                throw FileLockError(error, mode, file)
            }
        }
        while try !tryLock(mode) {
            guard deadline > .now else { throw .deadline }
            let wait = FileLockWait(), end = FileLockEnd()
            wait.begin(self, mode) { end.set($0) }
            if !end.wait(until: deadline) {
                wait.cancel()
                _ = end.wait(until: nil)
            }
            if try isTaken(mode, end.result, otherwise: .deadline) { return }
        }
    }

    /// Takes the lock, suspending the task while somebody is in the way, until `deadline` at the latest, or until the task is cancelled.
    ///
    /// As ``lock(_:until:)``; no thread of the caller's is blocked, one of the library's waits for each suspended call. A cancellation or
    /// deadline that comes as the lock is given has come too late: the lock is held then.
    ///
    /// - Throws: as ``lock(_:until:)``, and ``FileLockError/cancelled``.
    public func lock(_ mode: Mode = .exclusive, until deadline: MonotonicInstant? = nil) async throws(FileLockError) {
        while try !tryLock(mode) {
            guard !Task.isCancelled else { throw .cancelled }
            if let deadline, deadline <= .now { throw .deadline }
            let wait = FileLockWait()
            let timer = deadline.map { deadline in
                Task.detached {
                    let left = Duration.nanoseconds(Int64(clamping: deadline.nanoseconds(since: .now)))
                    // The clock of the kernel's own waits; cancelled when the wait is over.
                    guard (try? await Task.sleep(for: left, clock: .suspending)) != nil else { return }
                    wait.cancel()
                }
            }
            let result = await withTaskCancellationHandler {
                unsafe await withUnsafeContinuation { continuation in
                    wait.begin(self, mode) { unsafe continuation.resume(returning: $0) }
                }
            } onCancel: {
                wait.cancel()
            }
            timer?.cancel()
            if try isTaken(mode, result, otherwise: Task.isCancelled ? .cancelled : .deadline) { return }
        }
    }

    /// What a wait's result means; false if it is to be begun anew.
    private func isTaken(_ mode: Mode, _ result: Int, otherwise error: FileLockError) throws(FileLockError) -> Bool {
        if result >= 0 { return true }
        switch Errno(rawValue: CInt(-result)) {
        case .interrupted: return false
        case .canceled:
            // The kernel may have given the lock in the moment in which the thread was ended: then this one finds it held.
            guard try tryLock(mode) else { throw error }
            return true
        case let other: throw FileLockError(other, mode, file)
        }
    }
}
