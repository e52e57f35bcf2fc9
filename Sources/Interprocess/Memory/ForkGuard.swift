import InterprocessSystem
import Synchronization
import SystemPackage

/// Takes the mappings and locks of this process away from the children that `fork` makes of it without `exec`.
///
/// A forked child has no keeper thread, so its death would not be noticed; it must not touch what its parent shares, nor keep the parent's
/// files locked. In the child every
/// mapping is replaced by private zeroes and every descriptor by `/dev/null`; the objects find the zeroes on their next use and say that
/// they are detached.
///
/// The list is lock-free, since the handler runs in a child of which any thread may have held any lock. Nodes are reused, never freed.
enum ForkGuard {
    /// How often this process has been forked from its ancestors since the library was loaded.
    static var generation: Int { generations.load(ordering: .acquiring) }

    private static let generations = Atomic<Int>(0)
    /// An address that is never given back; 0: none.
    private static let first = Atomic<UInt>(0)
    private static let isInstalled = Atomic<Bool>(false)

    @unsafe
    struct Node: ~Copyable {
        var next: UnsafePointer<Node>?
        let base = Atomic<UInt>(0)
        let size = Atomic<Int>(0)
        let descriptor = Atomic<Int32>(-1)
    }

    @safe
    struct Registration: @unchecked Sendable {
        fileprivate let node: UnsafePointer<Node>
        /// To be called before the mapping or the descriptor is given back.
        func end() {
            // Before the node can be claimed anew: a fork just then must not take these for those of the new mapping.
            unsafe node.pointee.size.store(0, ordering: .sequentiallyConsistent)
            unsafe node.pointee.descriptor.store(-1, ordering: .sequentiallyConsistent)
            unsafe node.pointee.base.store(0, ordering: .sequentiallyConsistent)
        }
    }

    static func register(_ mapping: SegmentMapping, _ file: FileDescriptor) throws(Errno) -> Registration {
        if isInstalled.compareExchange(expected: false, desired: true, ordering: .sequentiallyConsistent).exchanged {
            do throws(Errno) {
                try runInForkedChildren { ForkGuard.detachChild() }
            } catch {
                isInstalled.store(false, ordering: .sequentiallyConsistent)
                throw error
            }
        }
        let (base, size) = unsafe mapping.range
        let node = unsafe freeNode(claimedFor: UInt(bitPattern: base))
        unsafe node.pointee.size.store(size, ordering: .sequentiallyConsistent)
        unsafe node.pointee.descriptor.store(file.rawValue, ordering: .sequentiallyConsistent)
        return unsafe Registration(node: node)
    }

    private static func freeNode(claimedFor base: UInt) -> UnsafePointer<Node> {
        var current = unsafe node(at: first.load(ordering: .acquiring))
        while let candidate = unsafe current {
            if unsafe candidate.pointee.base.compareExchange(expected: 0, desired: base, ordering: .sequentiallyConsistent).exchanged {
                return unsafe candidate
            }
            unsafe current = unsafe candidate.pointee.next
        }
        let made = UnsafeMutablePointer<Node>.allocate(capacity: 1)
        unsafe made.initialize(to: Node())
        unsafe made.pointee.base.store(base, ordering: .sequentiallyConsistent)
        while true {
            let head = first.load(ordering: .acquiring)
            unsafe made.pointee.next = unsafe node(at: head)
            if first.compareExchange(expected: head, desired: UInt(bitPattern: made), ordering: .sequentiallyConsistent).exchanged {
                return unsafe UnsafePointer(made)
            }
        }
    }

    private static func node(at address: UInt) -> UnsafePointer<Node>? { unsafe UnsafePointer(bitPattern: address) }

    /// Runs in the child, where only this thread exists and no lock may be taken.
    private static func detachChild() {
        generations.add(1, ordering: .sequentiallyConsistent)
        var current = unsafe node(at: first.load(ordering: .acquiring))
        while let node = unsafe current {
            let base = unsafe node.pointee.base.exchange(0, ordering: .sequentiallyConsistent)
            let size = unsafe node.pointee.size.load(ordering: .sequentiallyConsistent)
            let descriptor = unsafe node.pointee.descriptor.load(ordering: .sequentiallyConsistent)
            if base != 0, size > 0, let address = unsafe UnsafeMutableRawPointer(bitPattern: base) {
                unsafe MemoryMapping.replaceByPrivateZeroes(address, size: size)
                if descriptor >= 0 { replaceByNullDevice(FileDescriptor(rawValue: descriptor)) }
            }
            unsafe current = unsafe node.pointee.next
        }
    }
}
