public import CInterprocess
import Glibc
public import SystemPackage

/// Sleeping on a 32-bit word that processes share, and waking those who sleep on it.
///
/// The word's value is compared and the caller is put to sleep in one step, so that a wake-up between looking and sleeping is not lost.
/// Every wait may
/// return ``WaitResult/woken`` without cause; callers look again.
public enum Futex {
    /// Why a wait returned.
    public enum WaitResult: Sendable {
        /// Somebody woke the word, or a signal handler ran, or there was no cause.
        case woken
        /// The word did not have the expected value; the caller did not sleep.
        case changed
        /// The deadline passed.
        case deadline
    }

    /// Who can be woken: only threads of this process (cheaper), or of all that map the word.
    public enum Scope: Sendable { case process, shared }

    /// Sleeps while the word at `address` is `expected`, until somebody wakes it or `deadline` passes.
    ///
    /// The corresponding C function is `futex(FUTEX_WAIT_BITSET)`.
    public static func wait(
        _ address: UnsafeMutableRawPointer, while expected: UInt32, until deadline: MonotonicInstant? = nil, scope: Scope = .shared
    ) throws(Errno) -> WaitResult {
        try unsafe result(of: "futex", deadline) { unsafe ipc_futex_wait(address, expected, scope == .shared ? 1 : 0, $0) }
    }

    /// Wakes at most `count` sleepers of the word at `address`; returns how many were woken.
    ///
    /// The corresponding C function is `futex(FUTEX_WAKE)`.
    @discardableResult
    public static func wake(_ address: UnsafeMutableRawPointer, count: Int = .max, scope: Scope = .shared) -> Int {
        checkAlignment(UInt(bitPattern: address))
        return woken(unsafe ipc_futex_wake(address, UInt32(min(count, Int(Int32.max))), scope == .shared ? 1 : 0))
    }

    /// What ``change(_:_:waking:)`` does to a word. The kernel takes 12 bits with a sign.
    public enum Change: Sendable {
        case set(Int32), add(Int32), or(Int32)
        /// Of the bits given.
        case clear(Int32)

        var parts: (operation: CInt, argument: CInt) {
            switch self {
            case .set(let value): (ipc_futex_op_set, value)
            case .add(let value): (ipc_futex_op_add, value)
            case .or(let value): (ipc_futex_op_or, value)
            case .clear(let value): (ipc_futex_op_andn, value)
            }
        }
    }

    /// Changes the word at `address` and wakes at most `count` of its sleepers, in one call: whoever is killed has done both or neither.
    /// Returns how many were woken.
    ///
    /// The corresponding C function is `futex(FUTEX_WAKE_OP)`. The argument of `change` is at least -2048 and at most 2047.
    @discardableResult
    public static func change(_ address: UnsafeMutableRawPointer, _ change: Change, waking count: Int) -> Int {
        checkAlignment(UInt(bitPattern: address))
        let (operation, argument) = change.parts
        precondition((-2048...2047).contains(argument), "Futex.change: the argument does not fit into 12 bits")
        return woken(unsafe ipc_futex_wake_op(address, UInt32(min(count, Int(Int32.max))), operation, argument))
    }

    private static func checkAlignment(_ address: UInt) {
        precondition(address % UInt(MemoryLayout<UInt32>.alignment) == 0, "the address of a futex is not aligned to 4 bytes")
    }

    /// How many were woken. None, if the kernel refuses since somebody waits for the word as for a lock of its own kind (`FUTEX_LOCK_PI`), which nobody does
    /// here: another peer that is out to trouble must not end this process.
    private static func woken(_ result: Int) -> Int {
        precondition(result != -Int(EFAULT), "the address of a futex is not that of a mapped word")
        return max(0, result)
    }

    /// The most words that one ``wait(any:until:)`` takes.
    public static let maximumWords = 128

    /// Sleeps while every word has its expected value, until one is woken or `deadline` passes.
    ///
    /// The corresponding system call is `futex_waitv`, Linux 5.16. At most ``maximumWords`` words.
    public static func wait(
        any words: UnsafeMutableBufferPointer<ipc_futex_waiter>, until deadline: MonotonicInstant? = nil
    ) throws(Errno) -> WaitResult {
        let count = UInt32(words.count)
        return try unsafe result(of: "futex_waitv", deadline) { unsafe ipc_futex_waitv(words.baseAddress, count, $0) }
    }

    /// Throws `ENOSYS` where the kernel has no ``wait(any:until:)``.
    public static func checkWaitingOnMany() throws(Errno) {
        do throws(Errno) {
            // No words are invalid (EINVAL) to a kernel that knows the call.
            _ = try unsafe wait(any: UnsafeMutableBufferPointer(start: nil, count: 0))
        } catch {
            if error == .noFunction { throw error }
        }
    }

    private static func result(
        of name: SystemCallName, _ deadline: MonotonicInstant?, _ call: (UnsafeRawPointer?) -> Int
    ) throws(Errno) -> WaitResult {
        do throws(Errno) {
            try systemCall(name, retryOnInterrupt: false) {
                guard let deadline else { return call(nil) }
                var time = deadline.timespec
                return unsafe withUnsafePointer(to: &time) { unsafe call(UnsafeRawPointer($0)) }
            }
            return .woken
        } catch {
            switch error {
            case .interrupted: return .woken
            case .resourceTemporarilyUnavailable: return .changed
            case .timedOut, Errno(rawValue: ETIMEDOUT): return .deadline
            default: throw error
            }
        }
    }
}

extension ipc_futex_waiter {
    /// The word at `address`, shared between processes, waited on while it is `expected`.
    public init(_ address: UnsafeMutableRawPointer, while expected: UInt32, scope: Futex.Scope = .shared) {
        let size32: UInt32 = 2  // FUTEX2_SIZE_U32
        let privateFlag: UInt32 = 128  // FUTEX2_PRIVATE
        self.init(
            expected: UInt64(expected), address: UInt64(UInt(bitPattern: address)), flags: scope == .shared ? size32 : size32 | privateFlag,
            reserved: 0)
    }
}
