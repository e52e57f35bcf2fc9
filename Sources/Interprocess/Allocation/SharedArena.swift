import InterprocessSystem
public import SystemPackage

/// A heap of blocks of any size that processes share, and that survives each of them.
///
/// ```swift
/// let arena = try SharedArena(named: "scene")
/// let node = try arena.allocate(Node.self)                       // in hand: freed if this process is killed now
/// try arena.withValue(at: node) { $0 = Node(id: 7) }
/// try arena.publish(node.offset, into: arena.root(0))            // from now on it is there for all
///
/// if let found = try arena.load(arena.root(0)) {                 // in another process
///     print(try arena.value(at: TypedOffset<Node>(found)).id)
/// }
/// ```
///
/// ``findOrConstruct(_:as:until:_:)`` and its like give objects names.
///
/// Any process frees what any other has allocated. What a process has allocated and neither kept (``keep(_:)``) nor published into an ``ArenaLink`` is *in hand*, and freed when the process ends, however it
/// ends. Offsets are the same in all processes; a block never moves.
///
/// This value can be used by any number of threads, one after the other. For threads that allocate often, ``makeAllocator()`` gives each a heap of its own, without a lock.
///
/// **Layout** "arena", "arena heap", "arena slab". Blocks of up to 32 KiB share pages of 64 KiB with others of their size (16, 32 … 128, then four sizes for each doubling); larger ones are runs of
/// pages. It grows as it is used, up to ``ArenaOptions/limit``; besides the pages it takes a thirty-second of them and 40 KiB.
/// **Memory order** what was written into a block before it was published is seen by who finds it in the link (`SYNC arena.link`); otherwise by the rules of whatever passes its offset on.
/// **Death** at any instruction: blocks in hand are freed, others stay; what was being freed or published has happened or not; pages that were being claimed or given back go back. A
/// survivor does it, or who opens the arena next.
/// **Fork** A child without `exec` has no part in it, and gets `detached`.
/// **Progress** lock-free between processes; one thread that is stopped in a call of this value holds up the other threads of its process.
/// **Trust** every word is checked when it is read, every offset when it is used. What stands in a block is as good as those who may write to the segment.
/// **Source** decision record 0011; LLFree (USENIX ATC '23), mimalloc and snmalloc for ownership, `POBJ_ALLOC` of PMDK for allocating into a place; Cxlalloc (ASPLOS '26) and CXL-SHM (SOSP '23, with its
/// corrigendum) for naming what is in flight.
public final class SharedArena: Sendable {
    let core: ArenaCore
    private let heap: Lock<ArenaHeap>

    /// Opens the arena `name`, or makes it.
    ///
    /// - Throws: ``InterprocessError`` as ``Segment/openOrCreate(_:size:in:lifetime:permissions:maximumPeers:)``; `busy` also if all 256 heaps are somebody's.
    public convenience init(named name: ObjectName, options: ArenaOptions = ArenaOptions()) throws(InterprocessError) {
        try self.init(ArenaCore.open(name, options))
    }

    /// Opens the arena behind an inherited or received descriptor, which stays the caller's.
    ///
    /// - Throws: ``InterprocessError`` as ``Segment/open(descriptor:)``.
    public convenience init(descriptor: FileDescriptor) throws(InterprocessError) { try self.init(ArenaCore.open(descriptor)) }

    /// Makes an arena of no name, as a memory file; it is shared by passing ``Segment/descriptor`` of its ``segment``.
    ///
    /// - Parameter options: of which the limit and the number of peers count.
    /// - Throws: ``InterprocessError`` as ``Segment/anonymous(size:maximumPeers:)``.
    public static func anonymous(options: ArenaOptions = ArenaOptions()) throws(InterprocessError) -> SharedArena {
        try SharedArena(ArenaCore.anonymous(options))
    }

    private init(_ core: ArenaCore) throws(InterprocessError) {
        self.core = core
        heap = Lock(try core.makeHeap())
    }

    deinit { heap.withLock { $0.close() } }

    /// The segment that it lives in, with its peers and their deaths.
    public var segment: Segment { core.segment }

    /// Bytes of blocks that it can have at most.
    public var limit: Int { core.memory.limit * ArenaUnit.page }

    /// An allocator for one thread at a time, with a heap of its own: as fast as a private one. There can be 255 besides this value's, of all processes together. O(heaps).
    ///
    /// - Throws: ``InterprocessError`` `busy`, `detached`.
    public func makeAllocator() throws(InterprocessError) -> ArenaAllocator { ArenaAllocator(core, try core.makeHeap()) }

    /// Link `index` of 64 that are always there, and name nothing at first.
    ///
    /// - Precondition: `index` is in 0 … 63.
    public func root(_ index: Int) -> ArenaLink {
        precondition((0..<ArenaUnit.roots).contains(index), "SharedArena.root(_:): there are roots 0 … 63")
        return ArenaLink(at: Offset(UInt64(core.memory.rootOffset(index))))
    }

    func using<R>(_ body: (ArenaHeap) throws(ArenaError) -> R) throws(ArenaError) -> R {
        try core.check()
        return try heap.withLock { heap throws(ArenaError) in try body(heap) }
    }

    // MARK: Content

    /// What `link` names; nil: nothing. O(1). Whoever frees blocks that others may find in a link has to see to it that these do not use them any more.
    ///
    /// - Throws: ``ArenaError`` `invalid`, `detached`.
    public func load(_ link: ArenaLink) throws(ArenaError) -> Offset? { Offset(rawValue: try core.load(link.offset.rawValue)) }

    /// Calls `body` with the bytes of an allocated block, at least as many as were asked for. Others may change them at any time.
    ///
    /// - Throws: ``ArenaError`` `invalid`, `detached`, `damaged`. An error of `body`'s comes out of the result.
    public func withBytes<R, E: Error>(
        at offset: Offset, _ body: (UnsafeMutableRawBufferPointer) throws(E) -> R
    ) throws(ArenaError) -> Result<R, E> {
        let bytes = try unsafe core.bytes(offset)
        do throws(E) { return .success(try unsafe body(bytes)) } catch { return .failure(error) }
    }

    /// Calls `body` with the value at a place, to be read or changed. Others may change it at the same time unless something keeps them from it.
    ///
    /// - Throws: ``ArenaError`` `invalid`, `detached`, `damaged`.
    public func withValue<Value: Shareable, R>(at place: TypedOffset<Value>, _ body: (inout Value) -> R) throws(ArenaError) -> R {
        try unsafe body(&core.pointer(place).pointee)
    }

    /// A copy of the value at a place.
    ///
    /// - Throws: ``ArenaError`` `invalid`, `detached`, `damaged`.
    public func value<Value: Shareable>(at place: TypedOffset<Value>) throws(ArenaError) -> Value { try unsafe core.pointer(place).pointee }

    // MARK: Blocks

    /// A new block of `byteCount` bytes, in hand: if this value ends, or its process, before it is kept or published, it is freed.
    ///
    /// Its content is whatever stood there before. O(1), but for the slow path that looks for a page: O(pages), and a system call if the arena has to grow. Waits for no other process.
    ///
    /// - Parameter alignment: a power of two, up to 2 MiB.
    /// - Throws: ``ArenaError`` `full`, `noSpace`, `invalidSize`, `detached`, `damaged`, `system`.
    public func allocate(byteCount: Int, alignment: Int = 16) throws(ArenaError) -> Offset {
        Offset(try using { heap throws(ArenaError) in try heap.allocate(byteCount, alignment: alignment) })
    }

    /// Room for `count` values of a type, in hand. Not initialised.
    ///
    /// - Throws: ``ArenaError`` as ``allocate(byteCount:alignment:)``.
    public func allocate<Value: Shareable>(_ type: Value.Type, count: Int = 1) throws(ArenaError) -> TypedOffset<Value> {
        let (size, overflow) = MemoryLayout<Value>.stride.multipliedReportingOverflow(by: count)
        guard !overflow, count >= 0 else { throw .invalidSize }
        return TypedOffset(try allocate(byteCount: size, alignment: max(16, MemoryLayout<Value>.alignment)))
    }

    /// Frees a block, whoever has allocated it. Nobody may use it any more. O(1).
    ///
    /// **Death** it was freed or not, by one store or read-modify-write. A block of which only the caller knew is lost if it is killed before; ``free(from:)`` leaves no such gap.
    /// - Throws: ``ArenaError`` `invalid` with `outside`, `misaligned` or `notAllocated`: it was not freed; `detached`, `damaged`.
    public func free(_ offset: Offset) throws(ArenaError) {
        try using { heap throws(ArenaError) in try heap.free(offset.rawValue) }
    }

    /// Frees the room of values, as ``free(_:)``; nothing is deinitialised.
    public func free<Value>(_ place: TypedOffset<Value>) throws(ArenaError) {
        try free(place.offset)
    }

    /// Lets a block out of hand: it stays allocated until somebody frees it, whatever becomes of this process. To be called before others are told of it by other means than a link. O(1).
    ///
    /// - Throws: ``ArenaError`` `invalid` with `notInHand` if it is not in hand of this value, or as ``free(_:)``.
    public func keep(_ offset: Offset) throws(ArenaError) {
        try using { heap throws(ArenaError) in try heap.keep(offset.rawValue) }
    }

    /// Gives a block another size: where it is if it does, and half of it or more is used; else its content is copied to a new block, in hand, and it is freed. O(bytes) then.
    ///
    /// For a block that only the caller uses. **Death** in between: the old one is still there, or the new one is freed and the old one too.
    /// - Throws: ``ArenaError`` as ``allocate(byteCount:alignment:)`` and ``free(_:)``: it is as it was.
    public func reallocate(_ offset: Offset, byteCount: Int, alignment: Int = 16) throws(ArenaError) -> Offset {
        Offset(try using { heap throws(ArenaError) in try heap.reallocate(offset.rawValue, byteCount, alignment: alignment) })
    }

    // MARK: Links

    /// Makes `link`, which names nothing, name a block that is in hand, as one step; from then on it is not in hand any more. O(1): three read-modify-writes.
    ///
    /// **Death** before it: the block is freed by a survivor. After it: it is published. Nothing is in between.
    /// - Throws: ``ArenaError`` `changed` if the link names a block already: nothing has happened; `invalid`, `detached`, `damaged`.
    public func publish(_ offset: Offset, into link: ArenaLink) throws(ArenaError) {
        try using { heap throws(ArenaError) in try heap.change(link.offset.rawValue, from: 0, to: offset.rawValue) }
    }

    /// Allocates a block, lets `body` fill it, and publishes it into `link`, which names nothing. Whoever finds the block there finds it filled, and however the process ends, it is there or free.
    ///
    /// - Throws: ``ArenaError`` as ``allocate(byteCount:alignment:)`` and ``publish(_:into:)``; then the block is free.
    public func allocate(
        byteCount: Int, alignment: Int = 16, into link: ArenaLink, initializingWith body: (UnsafeMutableRawBufferPointer) -> Void
    ) throws(ArenaError) -> Offset {
        let fresh = try allocate(byteCount: byteCount, alignment: alignment)
        do throws(ArenaError) {
            // Outside of the process's own lock: it may use the arena itself, and take its time.
            unsafe body(UnsafeMutableRawBufferPointer(rebasing: try core.bytes(fresh).prefix(byteCount)))
            try publish(fresh, into: link)
        } catch {
            try free(fresh)
            throw error
        }
        return fresh
    }

    /// Makes `link` name `fresh`, which is in hand, instead of `old`, which is freed: as one step, of which a death leaves all or nothing. O(1).
    ///
    /// - Throws: ``ArenaError`` `changed` if the link names another block: nothing has happened; `invalid`, `detached`, `damaged`.
    public func replace(_ old: Offset, with fresh: Offset, in link: ArenaLink) throws(ArenaError) {
        try using { heap throws(ArenaError) in try heap.change(link.offset.rawValue, from: old.rawValue, to: fresh.rawValue) }
    }

    /// Takes `offset` out of `link`, which then names nothing, and frees it: as one step, of which a death leaves all or nothing. O(1).
    ///
    /// - Throws: ``ArenaError`` `changed` if the link names another block or none: nothing has happened; `invalid`, `detached`, `damaged`.
    public func free(_ offset: Offset, from link: ArenaLink) throws(ArenaError) {
        try using { heap throws(ArenaError) in try heap.change(link.offset.rawValue, from: offset.rawValue, to: 0) }
    }

    // MARK: Memory

    /// Gives the memory of pages without allocated blocks back to the system. Returns the bytes; 0 also while another process is at it. O(pages), and a system call for each stretch of free pages.
    ///
    /// By itself it is done when one allocator has let go of 64 MiB since the last time. **Death** in it: such pages have memory or not, and are free.
    /// - Throws: ``ArenaError`` `system`, `detached`.
    @discardableResult
    public func trim() throws(ArenaError) -> Int {
        try using { heap throws(ArenaError) in try heap.trim() }
    }

    // MARK: Looking

    /// What it holds. Looks at every page, disturbs nobody, and is as old as the look is long. O(pages).
    public func statistics() -> ArenaStatistics { ArenaStatistics(core.memory, core.segment.attachment.table) }

    /// What each of its pages is. Looks at every page, disturbs nobody, and is as old as the look is long. O(pages).
    public func map() -> ArenaMap { ArenaMap(core.memory) }

    /// Looks for what cannot be: of a whole arena nothing, also while others work in it. Reads only. O(pages).
    public func validate() -> [ArenaProblem] { ArenaProblem.all(core.memory, core.segment.attachment.table) }
}
