public import CInterprocess

/// The locks that the calling thread holds, as a list through the frames of its stack: so a thread that would wait for itself is told instead.
///
/// A lock is named by ``SynchronizationObject/identity``, the same for every value that a process opens of it. The list lives in the thread's own memory, takes no
/// lock and allocates nothing.
@usableFromInline
enum HeldLocks {
    /// Runs `body` with `lock` in the list.
    @inlinable @inline(__always)
    static func adding<R: ~Copyable, E: Error>(_ lock: UInt64, _ body: () throws(E) -> R) throws(E) -> R {
        var node = unsafe ipc_held_lock(lock: lock, outer: ipc_held_locks())
        return try unsafe withUnsafeMutablePointer(to: &node) { (node) throws(E) -> R in
            unsafe ipc_set_held_locks(node)
            defer { unsafe ipc_set_held_locks(node.pointee.outer) }
            return try body()
        }
    }

    /// Whether the calling thread holds `lock`. O(locks that it holds).
    static func contains(_ lock: UInt64) -> Bool {
        var node = unsafe ipc_held_locks()
        while let held = unsafe node {
            if unsafe held.pointee.lock == lock { return true }
            unsafe node = unsafe held.pointee.outer
        }
        return false
    }
}
