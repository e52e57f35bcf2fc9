import Glibc

/// A file lock that is held: given back when this value ends.
///
///     let held = try FileLock.openFileDescription(file).hold(.exclusive)
///     …
///
/// It holds no descriptor: the file must stay open meanwhile. A child of `fork` that inherits the value leaves the lock to its parent, when
/// the value ends there; ``unlock()`` does not.
public struct HeldFileLock: ~Copyable, Sendable {
    public let lock: FileLock
    public private(set) var mode: FileLock.Mode
    private let process = getpid()

    fileprivate init(_ lock: FileLock, _ mode: FileLock.Mode) {
        self.lock = lock
        self.mode = mode
    }

    deinit {
        // The number of this process is not that of whoever took the lock: forked.
        if getpid() == process { try? lock.unlock() }
    }

    /// Changes shared to exclusive or back, blocking while somebody is in the way.
    ///
    /// Two that have a lock of bytes shared and both ask for it exclusive wait for each other: ``FileLockError/deadlock`` for one of two
    /// record locks, else for ever. A whole-file lock is given back first, so that whoever waits for it may come in between.
    ///
    /// - Throws: as ``FileLock/lock(_:until:)``. Locks of bytes are as they were then; a whole-file lock may be gone.
    public mutating func convert(to mode: FileLock.Mode, until deadline: MonotonicInstant? = nil) throws(FileLockError) {
        try lock.lock(mode, until: deadline)
        self.mode = mode
    }

    /// The same if nobody is in the way; false if somebody is. **A whole-file lock is lost then** (`flock` gives it back first).
    public mutating func tryConvert(to mode: FileLock.Mode) throws(FileLockError) -> Bool {
        guard try lock.tryLock(mode) else { return false }
        self.mode = mode
        return true
    }

    /// Gives the lock back now, and says if that fails.
    public consuming func unlock() throws(FileLockError) {
        let lock = lock
        discard self
        try lock.unlock()
    }

    /// Leaves the lock held until its owner ends, or until it is given back by ``FileLock/unlock()``.
    public consuming func leaveLocked() { discard self }
}

extension FileLock {
    /// Takes the lock as ``lock(_:until:)`` does; the value that it returns gives it back.
    ///
    /// An owner that holds the lock twice gives it back with the first of the two values: such locks do not count.
    public func hold(_ mode: Mode = .exclusive, until deadline: MonotonicInstant? = nil) throws(FileLockError) -> HeldFileLock {
        try lock(mode, until: deadline)
        return HeldFileLock(self, mode)
    }

    /// The same if nobody is in the way; nil if somebody is.
    public func tryHold(_ mode: Mode = .exclusive) throws(FileLockError) -> HeldFileLock? {
        guard try tryLock(mode) else { return nil }
        return HeldFileLock(self, mode)
    }

    /// The same for tasks; see ``lock(_:until:)-async``.
    public func hold(_ mode: Mode = .exclusive, until deadline: MonotonicInstant? = nil) async throws(FileLockError) -> HeldFileLock {
        try await lock(mode, until: deadline)
        return HeldFileLock(self, mode)
    }

    /// Calls `body` while the lock is held, and gives it back when `body` returns or throws. The deadline is that of taking the lock.
    ///
    /// - Throws: a ``FileLockError`` if the lock could not be taken, or what `body` throws.
    @_disfavoredOverload  // a task gets the form that suspends, also for a body that does not
    public func withLock<R: ~Copyable>(_ mode: Mode = .exclusive, until deadline: MonotonicInstant? = nil, _ body: () throws -> R) throws
        -> R
    {
        let held = try hold(mode, until: deadline)
        let result = try body()
        try held.unlock()
        return result
    }

    /// The same if nobody is in the way; nil, without calling `body`, if somebody is.
    public func withLockIfAvailable<R: ~Copyable>(_ mode: Mode = .exclusive, _ body: () throws -> R) throws -> R? {
        guard let held = try tryHold(mode) else { return nil }
        let result = try body()
        try held.unlock()
        return result
    }

    /// The same for tasks. The lock belongs to the opening or the process, not to the thread: `body` may go on on any.
    public func withLock<R: ~Copyable>(
        _ mode: Mode = .exclusive, until deadline: MonotonicInstant? = nil, _ body: () async throws -> R
    ) async throws -> R {
        let held = try await hold(mode, until: deadline)
        let result = try await body()
        try held.unlock()
        return result
    }
}
