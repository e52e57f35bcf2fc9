import CInterprocess
import Glibc

/// Signals by their names, and what a program does about them.
public enum Signal {
    public static let kill = SIGKILL, terminate = SIGTERM, stop = SIGSTOP, `continue` = SIGCONT, interrupt = SIGINT, pipe = SIGPIPE
    public static let hangUp = SIGHUP, quit = SIGQUIT, fileSize = SIGXFSZ, badSystemCall = SIGSYS

    /// Ignores `signal` in this process. With `pipe` ignored, writing to a pipe that nobody reads is the error `EPIPE`;
    /// with `fileSize` ignored, a file that would become larger than the process may make one is `EFBIG`.
    ///
    /// The corresponding C function is `signal(SIG_IGN)`.
    public static func ignore(_ signal: Int32) { _ = Glibc.signal(signal, SIG_IGN) }

    /// Whether this process was started with `signal` ignored, as `nohup` and shells without job control do. The corresponding C function
    /// is `sigaction`.
    public static func isIgnored(_ signal: Int32) -> Bool {
        var action = Glibc.sigaction()
        guard unsafe sigaction(signal, nil, &action) == 0 else { return false }
        return unsafe unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    /// Holds `signals` back from the calling thread and those that it starts from now on; ``wait(for:)`` takes them.
    ///
    /// The corresponding C function is `pthread_sigmask`.
    public static func block(_ signals: [Int32]) {
        var set = signalSet(signals)
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Waits until one of `signals`, which every thread blocks, comes; returns it. The corresponding C function is `sigwait`.
    public static func wait(for signals: [Int32]) -> Int32 {
        var set = signalSet(signals)
        var signal: Int32 = 0
        while unsafe sigwait(&set, &signal) != 0 {}
        return signal
    }

    /// Ends this process by `signal`, so that whoever waits for it sees that it was. To be called by a thread that blocks nothing needed
    /// meanwhile.
    ///
    /// The corresponding C functions are `signal(SIG_DFL)` and `raise`.
    public static func endProcess(by signal: Int32) -> Never {
        _ = Glibc.signal(signal, SIG_DFL)
        var set = signalSet([signal])
        unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)
        raise(signal)
        // Only a signal whose default is to be ignored comes here.
        _exit(128 + signal)
    }

    /// Runs `body`, a call that returns how many of `count` bytes were moved or a negative errno, such that nobody's reading any more brings no signal.
    ///
    /// The corresponding C functions are `pthread_sigmask`, `sigpending` and `sigtimedwait`.
    static func withoutBrokenPipe(moving count: Int, _ body: () -> Int) -> Int {
        var set = signalSet([pipe]), before = sigset_t(), pending = sigset_t()
        unsafe sigpending(&pending)
        unsafe pthread_sigmask(SIG_BLOCK, &set, &before)
        let result = body()
        // Of what was moved in part before the other side ended, the kernel says how much, and signals all the same. One that waited before is somebody else's.
        if result == -Int(EPIPE) || result >= 0 && result < count, unsafe sigismember(&pending, pipe) == 0 {
            var none = timespec()
            while unsafe sigtimedwait(&set, nil, &none) == -1 && errno == EINTR {}
        }
        unsafe pthread_sigmask(SIG_SETMASK, &before, nil)
        return result
    }

    private static func signalSet(_ signals: [Int32]) -> sigset_t {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for signal in signals { unsafe sigaddset(&set, signal) }
        return set
    }
}

/// Lets the kernel send `signal` to this process when its parent ends; false if it has ended already. For programs that make sense only
/// with the one
/// that has started them.
///
/// The corresponding C functions are `prctl(PR_SET_PDEATHSIG)` and `getppid`.
public func endWithParent(_ parent: Int32, by signal: Int32) -> Bool { ipc_end_with_parent(signal) == 0 && getppid() == parent }

/// Lets this process end by a signal without a core dump, also where dumps are switched on: they take a time, and before their end the kernel
/// tells nobody of the death (CAVEATS). No debugger without privileges can attach any more either, as to a process that no other is to look into.
///
/// The corresponding C function is `prctl(PR_SET_DUMPABLE)`.
public func forbidCoreDump() { _ = ipc_set_no_core_dump() }

/// Ends this process at once: nothing is flushed, no handler runs, and what it shares sees a death. The corresponding C function is
/// `_exit`.
public func endProcessAtOnce(status: Int32) -> Never { _exit(status) }
