public import InterprocessSystem
import SystemPackage

/// What a handoff needs of the kernel once it has been joined: for a process that then runs what nobody trusts.
extension Handoff {
    /// The system calls that a process makes by its handoffs from their joining on, with all that may happen: every way of waiting, the death
    /// of the partner and its repair by the keeper, ``rejoin(until:)``, closing, signal handlers, the end. No call of them opens, reads, writes,
    /// names or looks at a file; two that would are refused (`EPERM`) instead of what is chosen for all others, since the C library and the library
    /// do without them. `ipc handoff --seccomp` prints them.
    ///
    /// ```swift
    /// var handoff = try Handoff.join("round-1", as: .child)
    /// try SystemCallFilter(Handoff.systemCallsAfterSetUp, otherwise: .killProcess).install()
    /// while let asked = question { question = try handoff.yield(answer(to: asked)) }
    /// ```
    ///
    /// What the program itself needs has to be added, and set up before: `write` to print, the beginning and end of a thread, a first
    /// look at the environment. A task that waits asynchronously has to run on ``InterprocessExecutor/shared``, begun before: no thread is started under the filter.
    ///
    /// Every thread of the process gets the filter, so those that were started before must have begun to run: their first calls are not in it.
    ///
    /// **Closing** under the filter tells the other side, and gives the memory and the file's lock back, but removes no name: that stays for
    /// the other side, if it is under no filter and leaves later, or for `ipc gc`. ``join(_:as:options:strategy:until:)`` is not possible any
    /// more; ``rejoin(until:)`` is.
    ///
    /// **Death** by the filter (SIGSYS) is told as any other; where core dumps are switched on, after the dump: see ``forbidCoreDump()``.
    ///
    /// **Trust** The filter keeps the process from the rest of the system, not from the shared memory, which it may write as it likes; what the
    /// other side reads there it checks. Memory that it gets is never executable, and maps no file.
    public static let systemCallsAfterSetUp: [SystemCallFilter.Rule] = [
        .init(.schedulerYield, because: "lets the partner run where both are on one processor"),
        .init(.futexWaitMany, because: "sleeps until the turn comes or the partner dies; the keeper sleeps so too"),
        .init(.futex, because: "wakes the partner, and sleeps on one word; the locks of the C library and of Swift"),
        .init(
            .membarrier,
            because:
                "the fence that the other side need not make, before a sleep and after a death; refused, each sleep costs a millisecond"),
        .init(.clockGetTime, because: "deadlines, and the time of a death, where the vDSO cannot read the clock"),
        .init(.getCPU, because: "which processor this is, where neither rseq nor the vDSO can tell"),
        .init(.clockNanosleep, because: "a millisecond after a death, in place of membarrier where it is not to be had"),
        .init(.restart, because: "the kernel goes on so with a wait that has a deadline, after SIGSTOP and SIGCONT"),
        .init(.returnFromSignal, because: "the end of a signal handler"),
        .init(.getThreadID, because: "locks of Swift name their holder by it"),
        .init(.mmap, only: [.notExecutable, .anonymous], because: "memory for the allocator"),
        .init(.mprotect, only: [.notExecutable], because: "the allocator makes memory of a thread usable so"),
        .init(.brk, because: "memory for the allocator"),
        .init(.madvise, only: [.dropsContent], because: "the allocator gives memory of a thread back so"),
        .init(.munmap, because: "the allocator gives memory back; closing gives the handoff's back"),
        .init(.close, because: "closing gives the segment's file back, and with it the lock that says that somebody is there"),
        .init(
            .fcntl, .refuse(.notPermitted),
            because: "closing would ask for the lock of the name, to remove it: refused, and the name stays"),
        .init(
            .openAt, .refuse(.notPermitted),
            because:
                "the allocator would read a setting of the kernel before it first gives a thread's memory back: refused, it does without"),
        .init(.exitGroup, because: "the end of the process"),
    ]
}

extension SystemCallFilter.Condition {
    /// No PROT_EXEC.
    fileprivate static let notExecutable = Self(argument: 2, mask: 4, is: 0, meaning: "not executable")
    /// MADV_DONTNEED: of what is shared, the others keep everything. MADV_REMOVE would take it from them.
    fileprivate static let dropsContent = Self(argument: 2, mask: .max, is: 4, meaning: "only drops content")
    /// MAP_ANONYMOUS.
    fileprivate static let anonymous = Self(argument: 3, mask: 0x20, is: 0x20, meaning: "maps no file")
}
