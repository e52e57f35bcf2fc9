public import CInterprocess
import Glibc
public import SystemPackage

/// The processors of this machine and where threads run.
public enum Processor {
    /// The number of the processor that the calling thread runs on right now. The corresponding C function is `sched_getcpu`; no system
    /// call.
    public static var current: Int { ipc_getcpu() }

    /// Lets a spinning thread's sibling run and saves power. One instruction.
    @inlinable @inline(__always)
    public static func pause() { ipc_processor_pause() }

    /// Gives the processor to another thread that is ready to run on it. The corresponding C function is `sched_yield`.
    public static func yield() { sched_yield() }

    /// The numbers of the processors that the calling thread may run on. The corresponding C function is `sched_getaffinity`.
    public static func allowed() throws(Errno) -> [Int] {
        var set = [UInt8](repeating: 0, count: maximum / 8)
        try systemCall("sched_getaffinity") { unsafe ipc_get_affinity(&set, set.count) }
        return (0..<maximum).filter { set[$0 / 8] & (1 << ($0 % 8)) != 0 }
    }

    /// Lets the calling thread, and the threads and processes that it starts, run on `processors` only; `EINVAL` if the machine has none of
    /// them.
    ///
    /// The corresponding C function is `sched_setaffinity`.
    public static func pin(to processors: [Int]) throws(Errno) {
        var set = [UInt8](repeating: 0, count: maximum / 8)
        for processor in processors {
            guard (0..<maximum).contains(processor) else { throw .invalidArgument }
            set[processor / 8] |= 1 << (processor % 8)
        }
        try systemCall("sched_setaffinity") { unsafe ipc_set_affinity(set, set.count) }
    }

    private static let maximum = 8192  // the kernel's own limit
}

/// A full memory fence in every running thread of every process that has registered, so that the side of a protocol that runs often needs
/// none.
///
/// The corresponding system call is `membarrier`, Linux 4.16; a seccomp filter may refuse it.
public enum ProcessBarrier {
    /// Registers this process: barriers of others reach its threads. Once per process.
    public static func register() throws(Errno) {
        try systemCall("membarrier") { ipc_membarrier(ipc_membarrier_register_global_expedited) }
    }

    /// Returns after every running thread of every registered process has executed a full fence; the caller too.
    public static func run() throws(Errno) {
        try systemCall("membarrier") { ipc_membarrier(ipc_membarrier_global_expedited) }
    }
}
