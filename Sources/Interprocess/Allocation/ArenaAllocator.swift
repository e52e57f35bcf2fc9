/// A heap of its own in a ``SharedArena``, for one thread at a time: allocating and freeing one's own blocks takes some nanoseconds, without a lock, a fence or a system call.
///
/// ```swift
/// let allocator = try arena.makeAllocator()
/// let block = try allocator.allocate(byteCount: 100)
/// try allocator.free(block)
/// ```
///
/// Everything that ``SharedArena`` says holds. When the value ends, the blocks that it has in hand are freed; its pages go to whoever needs them next. Blocks that were allocated by others can be freed here, but
/// kept and published only where they are in hand.
public struct ArenaAllocator: ~Copyable, @unchecked Sendable {
    private let core: ArenaCore
    private let heap: ArenaHeap

    init(_ core: ArenaCore, _ heap: ArenaHeap) { (self.core, self.heap) = (core, heap) }

    deinit { heap.close() }

    /// Ends it now, as the end of the value does.
    public consuming func close() {}

    // MARK: Blocks

    /// A new block of `byteCount` bytes, in hand: if this allocator ends, or its process, before it is kept or published, it is freed.
    ///
    /// Its content is whatever stood there before. O(1), but for the slow path that looks for a page: O(pages), and a system call if the arena has to grow. Waits for no other process.
    ///
    /// - Parameter alignment: a power of two, up to 2 MiB.
    /// - Throws: ``ArenaError`` `full`, `noSpace`, `invalidSize`, `detached`, `damaged`, `system`.
    public func allocate(byteCount: Int, alignment: Int = 16) throws(ArenaError) -> Offset {
        Offset(try heap.allocate(byteCount, alignment: alignment))
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
        try heap.free(offset.rawValue)
    }

    /// Frees the room of values, as ``free(_:)``; nothing is deinitialised.
    public func free<Value>(_ place: TypedOffset<Value>) throws(ArenaError) {
        try free(place.offset)
    }

    /// Lets a block out of hand: it stays allocated until somebody frees it, whatever becomes of this process. To be called before others are told of it by other means than a link. O(1).
    ///
    /// - Throws: ``ArenaError`` `invalid` with `notInHand` if it is not in hand of this allocator, or as ``free(_:)``.
    public func keep(_ offset: Offset) throws(ArenaError) {
        try heap.keep(offset.rawValue)
    }

    /// Gives a block another size: where it is if it does, and half of it or more is used; else its content is copied to a new block, in hand, and it is freed. O(bytes) then.
    ///
    /// For a block that only the caller uses. **Death** in between: the old one is still there, or the new one is freed and the old one too.
    /// - Throws: ``ArenaError`` as ``allocate(byteCount:alignment:)`` and ``free(_:)``: it is as it was.
    public func reallocate(_ offset: Offset, byteCount: Int, alignment: Int = 16) throws(ArenaError) -> Offset {
        Offset(try heap.reallocate(offset.rawValue, byteCount, alignment: alignment))
    }

    // MARK: Links

    /// Makes `link`, which names nothing, name a block that is in hand, as one step; from then on it is not in hand any more. O(1): three read-modify-writes.
    ///
    /// **Death** before it: the block is freed by a survivor. After it: it is published. Nothing is in between.
    /// - Throws: ``ArenaError`` `changed` if the link names a block already: nothing has happened; `invalid`, `detached`, `damaged`.
    public func publish(_ offset: Offset, into link: ArenaLink) throws(ArenaError) {
        try heap.change(link.offset.rawValue, from: 0, to: offset.rawValue)
    }

    /// Allocates a block, lets `body` fill it, and publishes it into `link`, which names nothing. Whoever finds the block there finds it filled, and however the process ends, it is there or free.
    ///
    /// - Throws: ``ArenaError`` as ``allocate(byteCount:alignment:)`` and ``publish(_:into:)``; then the block is free.
    public func allocate(
        byteCount: Int, alignment: Int = 16, into link: ArenaLink, initializingWith body: (UnsafeMutableRawBufferPointer) -> Void
    ) throws(ArenaError) -> Offset {
        Offset(try unsafe heap.allocate(byteCount, alignment: alignment, into: link.offset.rawValue, body))
    }

    /// Makes `link` name `fresh`, which is in hand, instead of `old`, which is freed: as one step, of which a death leaves all or nothing. O(1).
    ///
    /// - Throws: ``ArenaError`` `changed` if the link names another block: nothing has happened; `invalid`, `detached`, `damaged`.
    public func replace(_ old: Offset, with fresh: Offset, in link: ArenaLink) throws(ArenaError) {
        try heap.change(link.offset.rawValue, from: old.rawValue, to: fresh.rawValue)
    }

    /// Takes `offset` out of `link`, which then names nothing, and frees it: as one step, of which a death leaves all or nothing. O(1).
    ///
    /// - Throws: ``ArenaError`` `changed` if the link names another block or none: nothing has happened; `invalid`, `detached`, `damaged`.
    public func free(_ offset: Offset, from link: ArenaLink) throws(ArenaError) {
        try heap.change(link.offset.rawValue, from: offset.rawValue, to: 0)
    }

    // MARK: Memory

    /// Gives the memory of pages without allocated blocks back to the system. Returns the bytes; 0 also while another process is at it. O(pages), and a system call for each stretch of free pages.
    ///
    /// By itself it is done when one allocator has let go of 64 MiB since the last time. **Death** in it: such pages have memory or not, and are free.
    /// - Throws: ``ArenaError`` `system`, `detached`.
    @discardableResult
    public func trim() throws(ArenaError) -> Int {
        try heap.trim()
    }
}
