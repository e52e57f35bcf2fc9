import CInterprocess
import InterprocessSystem

/// The sizes that an arena is made of.
enum ArenaUnit {
    static let pageShift: UInt64 = 16
    static let page = 1 << 16
    /// Every block begins at a multiple of it.
    static let block = 16
    /// The largest block that shares a page with others.
    static let largestSmall = 32 << 10
    /// Of how many pages the arena grows at least.
    static let growth = 16
    static let slabStride = MemoryLayout<ipc_arena_slab>.stride
    static let freedOffset = 1024
    static let heaps = Int(IPC_ARENA_HEAPS)
    static let roots = 64
    /// Of the names of objects.
    static let buckets = 64
    /// Of the table of references.
    static let referenceParts = Int(IPC_REFERENCE_PARTS)
    static let maximumPages = Int(IPC_ARENA_PAGES)

    static func roundUp(_ value: Int, _ unit: Int) -> Int { (value + unit - 1) / unit * unit }
}

/// The sizes of blocks that share a page: multiples of 16 up to 128, then four for each doubling, so that a fifth of a block at most is left over.
enum SizeClass {
    static let count = 40

    /// The class of the smallest blocks that have `size` bytes, 1 … 32 KiB.
    @inline(__always)
    static func of(_ size: Int) -> Int {
        if size <= 128 { return max(0, (size &+ 15) >> 4 &- 1) }
        let last = size &- 1
        let doubling = 56 &- last.leadingZeroBitCount
        return 8 &+ 4 &* doubling &+ (last &- (128 << doubling)) >> (5 &+ doubling)
    }

    /// The same, of blocks that begin at multiples of `alignment`, a power of two up to 32 KiB.
    static func of(_ size: Int, alignment: Int) -> Int {
        var found = of(size)
        while found < count - 1, Self.size(found) & (alignment - 1) != 0 { found += 1 }
        return found
    }

    @inline(__always)
    static func size(_ index: Int) -> Int {
        if index < 8 { return (index &+ 1) &* 16 }
        let (doubling, step) = ((index &- 8) >> 2, (index &- 8) & 3)
        return (32 << doubling) &* (5 &+ step)
    }

    static func blocks(_ index: Int) -> Int { ArenaUnit.page / size(index) }
    static func words(_ index: Int) -> Int { (blocks(index) + 63) / 64 }
    /// The bits of a slab's word that stand for blocks.
    @inline(__always)
    static func mask(_ word: Int, blocks: Int) -> UInt64 {
        let rest = blocks &- word &* 64
        return rest >= 64 ? .max : rest <= 0 ? 0 : (1 << UInt64(rest)) &- 1
    }
    /// Multiplied with a place in a page, and shifted by 32, it is the number of the block; exact for all places.
    static func reciprocal(_ index: Int) -> UInt64 { ((1 << 32) + UInt64(size(index)) - 1) / UInt64(size(index)) }
}

/// What a page of an arena is, in one word: the truth about it.
///
/// **States** see the place of the table "arena". Who changes it: from free whoever claims it (compare-exchange); else the heap that it names, a freer of a run (compare-exchange), or who
/// recovers the heap.
struct PageWord: Equatable {
    enum Kind: UInt64 { case free, punched, slab, run, tail, freeing, punching }

    var raw: UInt64

    init(raw: UInt64) { self.raw = raw }

    init(_ kind: Kind, owner: Int? = nil, sizeClass: Int = 0, isHeld: Bool = false, wasPunched: Bool = false, count: Int = 0) {
        let flags = (isHeld ? 1 << 16 : 0) | (wasPunched ? 1 << 17 : 0) as UInt64
        raw = kind.rawValue | UInt64(sizeClass) << 8 | flags | UInt64(owner.map { $0 + 1 } ?? 0) << 18 | UInt64(count) << 32
    }

    var kind: Kind? { Kind(rawValue: raw & 7) }
    var sizeClass: Int { Int(raw >> 8 & 63) }
    var isHeld: Bool { raw >> 16 & 1 != 0 }
    var wasPunched: Bool { raw >> 17 & 1 != 0 }
    /// The heap; nil if none. At most 510.
    var owner: Int? { raw >> 18 & 511 == 0 ? nil : Int(raw >> 18 & 511) - 1 }
    var count: Int { Int(raw >> 32) }
    var isFree: Bool { raw & 7 <= Kind.punched.rawValue }

    /// Of a run that is in nobody's hand.
    var kept: PageWord { PageWord(.run, count: count) }
}

/// The shared words of an arena, and its pages.
///
/// **Layout** "arena", "arena heap", "arena slab".
/// **Trust** Every word is read once. Numbers of pages, heaps and blocks are compared with what was checked when it was opened before anything is touched; what lies in between may be wrong
/// and stays within the arena.
@safe
struct ArenaMemory: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    /// Pages that it can have.
    let limit: Int
    let controlOffset: Int
    let wordsOffset: Int
    let slabsOffset: Int
    let pagesOffset: Int
    let size: Int

    /// Places of the parts of a new arena, whose data begin at `dataOffset`.
    init(_ base: UnsafeMutableRawPointer, limit: Int, controlOffset: Int, dataOffset: Int) {
        unsafe self.base = base
        self.limit = limit
        self.controlOffset = controlOffset
        wordsOffset = dataOffset
        slabsOffset = wordsOffset + ArenaUnit.roundUp(limit * 8, Int(IPC_PAGE))
        pagesOffset = ArenaUnit.roundUp(slabsOffset + limit * ArenaUnit.slabStride, SegmentMapping.arenaAlignment)
        size = pagesOffset + limit * ArenaUnit.page
    }

    init(_ mapping: SegmentMapping, limit: Int) {
        unsafe self.init(
            mapping.base, limit: limit, controlOffset: mapping.header.objectOffset, dataOffset: mapping.header.dataOffset)
    }

    /// Of an existing arena. Throws the field that is impossible.
    init(checking mapping: SegmentMapping) throws(ArenaDamage) {
        let header = mapping.header
        guard header.kind == .arena, header.dataOffset - header.objectOffset >= Self.controlSize else {
            throw ArenaDamage(field: "object_offset")
        }
        let pages = mapping.word64(header.objectOffset).loadRelaxed()
        guard pages >= 1, pages <= UInt64(ArenaUnit.maximumPages) else { throw ArenaDamage(field: "pages") }
        self.init(mapping, limit: Int(pages))
        guard size <= header.size else { throw ArenaDamage(field: "pages") }
    }

    /// Bytes of the control block with all heaps.
    static let controlSize = MemoryLayout<ipc_arena>.size + ArenaUnit.heaps * MemoryLayout<ipc_arena_heap>.stride

    // MARK: Words

    @inline(__always)
    func word64(_ offset: Int) -> SharedUInt64 { unsafe SharedUInt64(at: base + offset) }

    var grownWord: SharedUInt64 { word64(controlOffset &+ 64) }
    var orphaned: SharedUInt32 { unsafe SharedUInt32(at: base + controlOffset + 128) }
    var heapsUsedWord: SharedUInt32 { unsafe SharedUInt32(at: base + controlOffset + 132) }

    /// Pages that are reserved.
    @inline(__always)
    var grown: Int { min(limit, Int(truncatingIfNeeded: grownWord.loadAcquire() & 0xff_ffff)) }
    var heapsUsed: Int { min(ArenaUnit.heaps, Int(heapsUsedWord.loadSequential())) }

    func rootOffset(_ index: Int) -> Int { controlOffset + 512 + index * 8 }

    /// The link to the first record of a bucket.
    func bucketOffset(_ index: Int) -> Int { controlOffset + 1024 + index * 8 }
    /// The link to a part of the table of references.
    func referencesOffset(_ part: Int) -> UInt64 { UInt64(controlOffset + 1536 + part * 8) }
    var namesWord: SharedUInt32 { unsafe SharedUInt32(at: base + controlOffset + 1728) }
    var namesHeir: SharedUInt32 { unsafe SharedUInt32(at: base + controlOffset + 1732) }

    func heap(_ index: Int) -> ArenaHeapWords {
        precondition((0..<ArenaUnit.heaps).contains(index))
        return unsafe ArenaHeapWords(
            at: base + controlOffset + MemoryLayout<ipc_arena>.size + index * MemoryLayout<ipc_arena_heap>.stride)
    }

    /// The caller has compared `page` with the limit.
    @inline(__always)
    func pageWord(_ page: Int) -> SharedUInt64 { word64(wordsOffset &+ page &* 8) }
    @inline(__always)
    func page(_ page: Int) -> PageWord { PageWord(raw: pageWord(page).loadAcquire()) }
    @inline(__always)
    func slab(_ page: Int) -> ArenaSlab { unsafe ArenaSlab(at: base + (slabsOffset &+ page &* ArenaUnit.slabStride)) }

    @inline(__always)
    func offset(ofPage page: Int) -> UInt64 { UInt64(pagesOffset &+ page &* ArenaUnit.page) }

    /// Whether `byteCount` bytes at `offset`, a multiple of 16, are in pages that are there. Whatever stands in them.
    func isInside(_ offset: UInt64, _ byteCount: Int) -> Bool {
        let place = offset &- UInt64(pagesOffset)
        let room = UInt64(grown) << ArenaUnit.pageShift
        return offset & 15 == 0 && place <= room && UInt64(byteCount) <= room - place
    }

    /// Whether a link may stand there: in a root, in what is behind the roots, or in a page.
    func isLink(_ offset: UInt64) -> Bool {
        guard offset % 8 == 0 else { return false }
        let root = offset &- UInt64(rootOffset(0))
        let place = offset &- UInt64(pagesOffset)
        let count = ArenaUnit.roots + ArenaUnit.buckets + ArenaUnit.referenceParts
        return root < UInt64(count * 8) || place < UInt64(grown) << ArenaUnit.pageShift
    }
}

struct ArenaDamage: Error { let field: String }

/// The bits of a slab.
///
/// **States** of a block
///
/// | free | held | freed | meaning |
/// |---|---|---|---|
/// | 1 | any | any | free |
/// | 0 | 1 | 0 | in hand of the slab's heap: is freed when that ends |
/// | 0 | 0 | 0 | allocated |
/// | 0 | any | 1 | freed by another; free when the slab's heap has taken that over |
///
/// **Memory order** `free` and `held` are written by the slab's heap alone, each change with two plain stores in a fixed order: to allocate held, then free; to free, free and then held. In
/// between it is free. `SYNC arena.freed`: read-modify-write of `freed` by who frees ⇄ acquire by the slab's heap.
@safe
struct ArenaSlab: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    @inline(__always)
    init(at base: UnsafeMutableRawPointer) { unsafe self.base = base }
    @inline(__always)
    func free(_ word: Int) -> SharedUInt64 { unsafe SharedUInt64(at: base + word &* 16) }
    @inline(__always)
    func held(_ word: Int) -> SharedUInt64 { unsafe SharedUInt64(at: base + (word &* 16 &+ 8)) }
    @inline(__always)
    func freed(_ word: Int) -> SharedUInt64 { unsafe SharedUInt64(at: base + (ArenaUnit.freedOffset &+ word &* 8)) }

    /// Makes these blocks free. By the slab's heap, or who recovers it.
    @inline(__always)
    func setFree(_ word: Int, _ bits: UInt64) {
        let (free, held) = (free(word), held(word))
        free.storeRelease(free.loadRelaxed() | bits)
        held.storeRelease(held.loadRelaxed() & ~bits)
    }

    /// Whether all blocks are free. O(words).
    func isEmpty(_ sizeClass: Int) -> Bool {
        let blocks = SizeClass.blocks(sizeClass)
        for word in 0..<SizeClass.words(sizeClass) {
            let mask = SizeClass.mask(word, blocks: blocks)
            if free(word).loadAcquire() & mask != mask { return false }
        }
        return true
    }
}

/// The words of one heap.
@safe
struct ArenaHeapWords: @unchecked Sendable {
    let claim: SharedUInt32
    let intent: SharedUInt64
    let link: SharedUInt64
    let fresh: SharedUInt64
    let old: SharedUInt64

    init(at base: UnsafeMutableRawPointer) {
        claim = unsafe SharedUInt32(at: base)
        intent = unsafe SharedUInt64(at: base + 8)
        link = unsafe SharedUInt64(at: base + 16)
        fresh = unsafe SharedUInt64(at: base + 24)
        old = unsafe SharedUInt64(at: base + 32)
    }

    static let isActive: UInt64 = 1
    static let isDone: UInt64 = 2
}
