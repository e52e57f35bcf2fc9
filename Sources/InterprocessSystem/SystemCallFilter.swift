import CInterprocess
import Glibc
public import SystemPackage

/// Which system calls a process may still make, by the kernel's own filter (seccomp): for a process that has set everything up and is to run
/// what nobody trusts.
///
/// ```swift
/// var handoff = try Handoff.join("round-1", as: .child)
/// try SystemCallFilter(Handoff.systemCallsAfterSetUp, otherwise: .killProcess).install()
/// ```
///
/// A filter cannot be taken off. A second one can be installed if the first allows `seccomp` and `prctl`; then the stricter answer counts.
public struct SystemCallFilter: Sendable, Equatable {
    /// What the kernel does when a call is made.
    public enum Action: Sendable, Hashable {
        case allow
        /// The call fails with this error, and does nothing.
        case refuse(Errno)
        /// The whole process is killed by SIGSYS at the call.
        case killProcess
    }

    /// What an argument of a call must be for a rule to hold: those of its lower 32 bits that `mask` has are `value`.
    public struct Condition: Sendable, Hashable {
        /// From 0 to 5.
        public let argument: Int
        public let mask: UInt32
        public let value: UInt32
        /// For people: "not executable".
        public let meaning: String

        public init(argument: Int, mask: UInt32, is value: UInt32, meaning: String) {
            precondition((0..<6).contains(argument), "a system call has the arguments 0 to 5")
            precondition(value & ~mask == 0, "a condition's value has no bits that its mask leaves out")
            (self.argument, self.mask, self.value, self.meaning) = (argument, mask, value, meaning)
        }
    }

    /// What is done about one call, and why.
    public struct Rule: Sendable, Hashable {
        public let call: Call
        public let action: Action
        /// All must be met; a call that does not meet them is answered as one without a rule.
        public let conditions: [Condition]
        /// One line, for people.
        public let reason: String

        /// What is done about `call`, by default that it is allowed, if all `conditions` are met, by default none.
        public init(_ call: Call, _ action: Action = .allow, only conditions: [Condition] = [], because reason: String) {
            (self.call, self.action, self.conditions, self.reason) = (call, action, conditions, reason)
        }
    }

    /// The signal by which ``Action/killProcess`` ends a process: SIGSYS.
    public static let signal = SIGSYS

    /// At most one for each call: of several the first counts. The more frequent ones first, since the kernel goes through them in order.
    public var rules: [Rule]
    /// What is done about every other call.
    public var otherwise: Action

    public init(_ rules: [Rule], otherwise: Action) {
        self.rules = rules
        self.otherwise = otherwise
    }

    /// Makes the filter hold for every thread of this process and for those that they start, from the return on and for good. The process and
    /// the programs that it starts can gain no privileges any more (`no_new_privs`). Needs none itself. O(number of threads).
    ///
    /// The corresponding C functions are `prctl(PR_SET_NO_NEW_PRIVS)` and `seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC)`.
    ///
    /// - Throws: `ESRCH` if another thread has a filter that this one has not, `EINVAL` if the kernel has no filters or the filter is too long,
    ///   `EACCES` if an earlier filter refuses `prctl`; `ENOSYS` on a processor that no numbers are known for.
    public func install() throws(Errno) {
        guard let architecture = Architecture.current else { throw .noFunction }
        let program = program(for: architecture).map { step in
            ipc_filter_instruction(
                code: step.code, skip_if_true: step.skipIfTrue, skip_if_false: step.skipIfFalse, constant: step.constant)
        }
        guard let count = UInt16(exactly: program.count) else { throw .invalidArgument }
        try systemCall("prctl(PR_SET_NO_NEW_PRIVS)") { ipc_set_no_new_privileges() }
        try systemCall("seccomp") { unsafe ipc_set_filter(program, count) }
    }

    /// Whether the process `pid` has a filter, by the kernel's word; nil if there is no such process. It comes from `/proc/PID/status`.
    public static func isInstalled(inProcess pid: Int32) -> Bool? {
        readSmallFile("/proc/\(pid)/status").map { status in
            String(decoding: status, as: UTF8.self).split(separator: "\n").contains { $0.hasPrefix("Seccomp:") && $0.hasSuffix("2") }
        }
    }
}

extension SystemCallFilter {
    /// A processor family whose system calls have numbers of their own.
    public enum Architecture: String, Sendable, CaseIterable {
        case amd64 = "x86-64"
        case aarch64

        /// The one that this process runs on.
        public static var current: Architecture? {
            #if arch(x86_64)
                .amd64
            #elseif arch(arm64)
                .aarch64
            #else
                nil
            #endif
        }

        /// `AUDIT_ARCH_X86_64`, `AUDIT_ARCH_AARCH64`: 64 bits, little-endian, and the machine's number in ELF.
        var auditValue: UInt32 {
            switch self {
            case .amd64: 0xc000_003e
            case .aarch64: 0xc000_00b7
            }
        }
    }

    /// A system call, by its name and its numbers.
    public struct Call: Sendable, Hashable, CustomStringConvertible {
        public let name: String
        private let numbers: [UInt32]

        /// For calls that have no constant here.
        public init(_ name: String, amd64: UInt32, aarch64: UInt32) {
            self.name = name
            numbers = [amd64, aarch64]
        }

        public func number(on architecture: Architecture) -> UInt32 {
            switch architecture {
            case .amd64: numbers[0]
            case .aarch64: numbers[1]
            }
        }

        public var description: String { name }
    }
}

/// The calls that the library's own filters name, and those that a program most often adds.
extension SystemCallFilter.Call {
    public static let brk = Self("brk", amd64: 12, aarch64: 214)
    public static let clockGetTime = Self("clock_gettime", amd64: 228, aarch64: 113)
    public static let clockNanosleep = Self("clock_nanosleep", amd64: 230, aarch64: 115)
    public static let close = Self("close", amd64: 3, aarch64: 57)
    public static let exit = Self("exit", amd64: 60, aarch64: 93)
    public static let exitGroup = Self("exit_group", amd64: 231, aarch64: 94)
    public static let fcntl = Self("fcntl", amd64: 72, aarch64: 25)
    public static let futex = Self("futex", amd64: 202, aarch64: 98)
    public static let futexWaitMany = Self("futex_waitv", amd64: 449, aarch64: 449)
    public static let getCPU = Self("getcpu", amd64: 309, aarch64: 168)
    public static let getProcessID = Self("getpid", amd64: 39, aarch64: 172)
    public static let getRandom = Self("getrandom", amd64: 318, aarch64: 278)
    public static let getThreadID = Self("gettid", amd64: 186, aarch64: 178)
    public static let madvise = Self("madvise", amd64: 28, aarch64: 233)
    public static let membarrier = Self("membarrier", amd64: 324, aarch64: 283)
    public static let mmap = Self("mmap", amd64: 9, aarch64: 222)
    public static let mprotect = Self("mprotect", amd64: 10, aarch64: 226)
    public static let mremap = Self("mremap", amd64: 25, aarch64: 216)
    public static let munmap = Self("munmap", amd64: 11, aarch64: 215)
    public static let openAt = Self("openat", amd64: 257, aarch64: 56)
    public static let read = Self("read", amd64: 0, aarch64: 63)
    public static let restart = Self("restart_syscall", amd64: 219, aarch64: 128)
    public static let returnFromSignal = Self("rt_sigreturn", amd64: 15, aarch64: 139)
    public static let schedulerYield = Self("sched_yield", amd64: 24, aarch64: 124)
    public static let signalMask = Self("rt_sigprocmask", amd64: 14, aarch64: 135)
    public static let write = Self("write", amd64: 1, aarch64: 64)

    /// All of these, by their names.
    public static let known: [Self] = [
        brk, clockGetTime, clockNanosleep, close, exit, exitGroup, fcntl, futex, futexWaitMany, getCPU, getProcessID, getRandom,
        getThreadID, madvise, membarrier, mmap, mprotect, mremap, munmap, openAt, read, restart, returnFromSignal, schedulerYield,
        signalMask, write,
    ]
}
