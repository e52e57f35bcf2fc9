import CInterprocess
import Glibc
public import SystemPackage

/// The list by which the kernel learns which words a thread owns, so that it can mark them when the thread ends, however it ends.
///
/// A word that is entered has its node at a fixed distance *before* it, in private memory of the process: one `futex_offset` serves every
/// segment, and
/// no other process can touch the list. For each entered word whose low 30 bits are the thread's id, the kernel stores `DIED | (old &
/// WAITERS)` and
/// wakes one sleeper when the thread ends: exit, crash, SIGKILL, exec.
///
/// One thread, the one that called ``init(offset:)``, owns the list and makes all changes to it. The C library gives each thread a list for
/// its robust
/// mutexes, which this one replaces: the thread must not lock any.
/// The corresponding system call is `set_robust_list`; the kernel's side is described in its `Documentation/locking/robust-futexes.rst`.
@unsafe
public struct RobustList: ~Copyable {
    /// The word's value while its owner lives: the owner's thread id and ``waiters``.
    public static let waiters = UInt32(IPC_FUTEX_WAITERS)
    /// The bit that the kernel sets when the owner has ended.
    public static let died = UInt32(IPC_FUTEX_OWNER_DIED)
    /// The bits that hold the owner's thread id.
    public static let threadMask = UInt32(IPC_FUTEX_TID_MASK)
    /// The kernel follows at most this many entries (ROBUST_LIST_LIMIT).
    public static let maximumEntries = 2048

    private let head: UnsafeMutablePointer<ipc_robust_head>
    private let offset: Int
    public private(set) var count = 0

    /// Makes an empty list and gives it to the kernel as the calling thread's.
    ///
    /// - Parameter offset: the distance in bytes from a word's node to the word.
    public init(offset: Int) throws(Errno) {
        unsafe self.offset = offset
        unsafe head = .allocate(capacity: 1)
        unsafe head.initialize(to: ipc_robust_head(list: nil, futex_offset: offset, pending: nil))
        unsafe head.pointee.list = RobustList.sentinel(of: head)
        do throws(Errno) {
            let head = unsafe self.head
            try systemCall("set_robust_list") { unsafe ipc_set_robust_list(head) }
        } catch {
            unsafe head.deallocate()
            throw error
        }
    }

    // The head must stay where it is for as long as the thread lives, so it is never freed: the owner is a thread that lives as long as the
    // process.

    private static func sentinel(of head: UnsafeMutablePointer<ipc_robust_head>) -> UnsafeMutablePointer<ipc_robust_node> {
        unsafe UnsafeMutableRawPointer(head).assumingMemoryBound(to: ipc_robust_node.self)
    }

    private func node(of word: UnsafeMutableRawPointer) -> UnsafeMutablePointer<ipc_robust_node> {
        unsafe (word - offset).assumingMemoryBound(to: ipc_robust_node.self)
    }

    /// Tells the kernel that `word` is about to be taken, runs `take`, and enters the word if it returned true.
    ///
    /// From the first instruction of `take` on, a death of the thread marks the word if it holds the thread's id.
    public mutating func enter(_ word: UnsafeMutableRawPointer, taking take: () -> Bool) -> Bool {
        let node = unsafe node(of: word)
        unsafe setPending(node)
        let taken = take()
        if taken {
            unsafe node.pointee.next = head.pointee.list
            ipc_compiler_fence()
            unsafe head.pointee.list = node
            unsafe count += 1
        }
        unsafe setPending(nil)
        return taken
    }

    /// Removes `word`'s entry and runs `release`, which stores the word's free value. The kernel watches the word until `release` has
    /// returned.
    public mutating func leave(_ word: UnsafeMutableRawPointer, releasing release: () -> Void) {
        let node = unsafe node(of: word)
        unsafe setPending(node)
        let sentinel = unsafe RobustList.sentinel(of: head)
        var link = unsafe sentinel
        while unsafe link.pointee.next != node {
            guard let next = unsafe link.pointee.next, unsafe next != sentinel else {
                preconditionFailure("RobustList.leave: the word was not entered")
            }
            unsafe link = next
        }
        unsafe link.pointee.next = node.pointee.next
        ipc_compiler_fence()
        release()
        unsafe setPending(nil)
        unsafe count -= 1
    }

    private func setPending(_ node: UnsafeMutablePointer<ipc_robust_node>?) {
        // The kernel reads these stores in program order after the thread has ended; only the compiler must be kept from reordering them.
        ipc_compiler_fence()
        unsafe head.pointee.pending = node
        ipc_compiler_fence()
    }
}
