import Glibc

/// A lock around a value, for the threads of one process.
///
/// In place of the standard library's `Mutex`, which on Linux names the owner by a thread id that it looks up once for each thread: in a
/// child of `fork` that is the parent's, and the first time that two of the child's threads meet at one lock, both turn in circles for ever
/// (`FUTEX_LOCK_PI` and `FUTEX_UNLOCK_PI` answer `EPERM`). The C library's mutex knows what a fork is.
///
/// The corresponding C function is `pthread_mutex_lock`.
///
/// **Death** the lock belongs to its process and goes with it. A lock that another thread held during a fork stays locked in the child.
@safe
public struct Lock<Value>: ~Copyable, @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let value: UnsafeMutablePointer<Value>

    public init(_ initial: consuming sending Value) {
        unsafe mutex = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        let status = unsafe pthread_mutex_init(mutex, nil)
        precondition(status == 0, "a mutex of the default kind can be made")
        unsafe value = .allocate(capacity: 1)
        unsafe value.initialize(to: initial)
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
        unsafe value.deinitialize(count: 1)
        unsafe value.deallocate()
    }

    /// Calls `body` with the value, which nobody else has meanwhile. Blocks while another thread is at it.
    public borrowing func withLock<R: ~Copyable, E: Error>(_ body: (inout Value) throws(E) -> R) throws(E) -> R {
        let status = unsafe pthread_mutex_lock(mutex)
        precondition(status == 0, "a mutex of the default kind can be locked")
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try unsafe body(&value.pointee)
    }
}
