import CInterprocess
import Glibc
import Synchronization
import SystemPackage

/// One wait for a file lock in the kernel, on a thread of its own that can be ended.
///
/// The kernel's wait ends with the lock or by a signal. A signal of the library's would be one less for the program; asking again and
/// again would lose to those that wait in the kernel, and never hear of a deadlock. So the thread waits in the kernel, and is ended by
/// the C library's cancellation while nothing but the bare system call is on it.
final class FileLockWait: Sendable {
    private enum State: Sendable {
        case new
        /// Cancelled before it began.
        case cancelled
        /// The thread is there until it has changed this state.
        case waiting(pthread_t)
        case over
    }

    private let state = Lock<State>(.new)

    /// Begins to wait; to be called once. `onEnd` is called once, on the thread or before this returns: with the call's result, a negative
    /// errno, or `-ECANCELED`.
    ///
    /// The corresponding C function is `pthread_create`.
    func begin(_ lock: FileLock, _ mode: FileLock.Mode, onEnd: @escaping @Sendable (Int) -> Void) {
        let run = unsafe FileLockRun(lock.waitingCall(mode)) { result in
            self.state.withLock { $0 = .over }
            onEnd(result)
        }
        let failure: Errno? = state.withLock { state in
            if case .cancelled = state { return .canceled }
            do throws(Errno) {
                // The thread cannot come to its end before its number stands in the state.
                state = .waiting(try run.start())
                return nil
            } catch {
                return error
            }
        }
        if let failure { run.ended(-Int(failure.rawValue)) }
    }

    /// Ends the wait if it has not ended; `onEnd` is called soon. Also before it begins.
    ///
    /// The corresponding C function is `pthread_cancel`.
    func cancel() {
        state.withLock { state in
            switch state {
            case .new: state = .cancelled
            case .waiting(let thread): pthread_cancel(thread)
            case .cancelled, .over: break
            }
        }
    }
}

/// What the thread of a wait is given. It keeps itself until the thread is through.
@safe
private final class FileLockRun: @unchecked Sendable {
    private let call: UnsafeMutablePointer<ipc_lock_call>
    let ended: @Sendable (Int) -> Void

    init(_ call: ipc_lock_call, _ ended: @escaping @Sendable (Int) -> Void) {
        unsafe self.call = .allocate(capacity: 1)
        unsafe self.call.initialize(to: call)
        self.ended = ended
    }

    deinit { unsafe call.deallocate() }

    func start() throws(Errno) -> pthread_t {
        let kept = unsafe Unmanaged.passRetained(self)
        unsafe call.pointee.context = kept.toOpaque()
        unsafe call.pointee.ended = { context, result in
            guard let context = unsafe context else { return }
            unsafe Unmanaged<FileLockRun>.fromOpaque(context).takeRetainedValue().ended(result)
        }
        do throws(Errno) {
            return try unsafe createServiceThread(ipc_run_lock_call, call)
        } catch {
            unsafe kept.release()
            throw error
        }
    }
}

/// The end of a wait, for a thread that sleeps until then.
@safe
final class FileLockEnd: @unchecked Sendable {
    private let word: UnsafeMutablePointer<Atomic<UInt32>>
    private let found = Atomic<Int>(0)

    init() {
        unsafe word = .allocate(capacity: 1)
        unsafe word.initialize(to: Atomic(0))
    }

    deinit {
        unsafe word.deinitialize(count: 1)
        unsafe word.deallocate()
    }

    /// The wait's result, once ``wait(until:)`` has said that it is there.
    var result: Int { found.load(ordering: .relaxed) }

    func set(_ result: Int) {
        found.store(result, ordering: .relaxed)
        // SYNC fileLock.end: with the load in `wait`.
        unsafe word.pointee.store(1, ordering: .releasing)
        unsafe Futex.wake(word, scope: .process)
    }

    /// Sleeps until the end or `deadline`; true at the end.
    func wait(until deadline: MonotonicInstant?) -> Bool {
        while unsafe word.pointee.load(ordering: .acquiring) == 0 {
            if let deadline, deadline <= .now { return false }
            // Fails only for a word that is not mapped.
            _ = try? unsafe Futex.wait(word, while: 0, until: deadline, scope: .process)
        }
        return true
    }
}
