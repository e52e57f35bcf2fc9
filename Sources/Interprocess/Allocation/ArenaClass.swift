/// The block that was allocated last, while it stands in the current word of its class: often it is the first to be freed.
@unsafe
struct LastBlock {
    /// 0: none.
    var offset: UInt64 = 0
    var bit: UInt64 = 0
    /// Its words of free and held blocks.
    var words: UnsafeMutableRawPointer?
    /// Bytes from there to the word of those that others have freed.
    var toFreed = 0
}

/// What a heap knows of its slabs of one class.
@safe
struct ArenaClass: ~Copyable {
    /// The current slab; -1: none.
    private(set) var page = -1
    /// The current word of its bits, whose first block is at ``first``, of ``count``.
    private(set) var word = 0
    /// Where that stands, with the word of held blocks behind it.
    private(set) var current: UnsafeMutableRawPointer?
    private var first: UInt64 = 0
    private var count: UInt64 = 0
    private var toFreed = 0
    let size: UInt64
    let blocks: UInt64
    let reciprocal: UInt64
    private let index: Int
    /// All of them, and such as are not its any more.
    private var own: [Int] = []
    private var next = 0
    /// Of them such as have free blocks, perhaps.
    var available: [Int] = []
    var orphanedSeen: UInt32 = .max

    init(_ index: Int) {
        self.index = index
        size = UInt64(SizeClass.size(index))
        blocks = UInt64(SizeClass.blocks(index))
        reciprocal = SizeClass.reciprocal(index)
    }

    /// Takes a free block of the current word.
    @inline(__always)
    func take(_ last: inout LastBlock) -> UInt64? {
        guard let current = unsafe current else { return nil }
        let (free, held) = (unsafe SharedUInt64(at: current), unsafe SharedUInt64(at: current + 8))
        let seen = free.loadRelaxed()
        let place = UInt64(truncatingIfNeeded: seen.trailingZeroBitCount)
        // 64 if there is none.
        guard place < count else { return nil }
        let bit = seen & (0 &- seen)
        held.storeRelease(held.loadRelaxed() | bit)
        free.storeRelease(seen & ~bit)
        let offset = first &+ place &* size
        unsafe last = LastBlock(offset: offset, bit: bit, words: current, toFreed: toFreed)
        return offset
    }

    /// Goes on to a word of the current slab that has free blocks. False if there is none.
    mutating func findWord(_ memory: ArenaMemory) -> Bool {
        guard page >= 0 else { return false }
        let slab = memory.slab(page)
        let words = SizeClass.words(index)
        for step in 0..<words {
            let candidate = word + step < words ? word + step : word + step - words
            guard slab.free(candidate).loadRelaxed() & SizeClass.mask(candidate, blocks: Int(blocks)) != 0 else { continue }
            go(to: candidate, memory)
            return true
        }
        return false
    }

    /// Makes a slab current.
    mutating func begin(_ page: Int, _ memory: ArenaMemory) {
        self.page = page
        go(to: 0, memory)
    }

    private mutating func go(to word: Int, _ memory: ArenaMemory) {
        self.word = word
        unsafe current = memory.slab(page).base + word * 16
        first = memory.offset(ofPage: page) + UInt64(word) * 64 * size
        toFreed = ArenaUnit.freedOffset + word * 8 - word * 16
        count = min(64, blocks - UInt64(word) * 64)
    }

    /// A slab that is new to this heap.
    mutating func add(_ page: Int, _ memory: ArenaMemory) {
        own.append(page)
        begin(page, memory)
    }

    /// An own slab of which others have freed blocks, among the next so many.
    mutating func collected(from hold: ArenaHold, atMost count: Int) -> Int? {
        let mine = PageWord(.slab, owner: hold.index, sizeClass: index)
        for _ in 0..<min(count, own.count) {
            if next >= own.count { next = 0 }
            guard next < own.count else { return nil }
            let page = own[next]
            guard hold.memory.page(page) == mine else {
                own[next] = own[own.count - 1]
                own.removeLast()
                continue
            }
            next += 1
            if hold.collect(page, index) { return page }
        }
        return nil
    }
}

extension ArenaSlab {
    /// Whether a block is free. O(words).
    func hasFree(_ sizeClass: Int) -> Bool {
        let blocks = SizeClass.blocks(sizeClass)
        return (0..<SizeClass.words(sizeClass)).contains { free($0).loadAcquire() & SizeClass.mask($0, blocks: blocks) != 0 }
    }

    /// Whether all blocks are free or freed by others. O(words).
    func seemsEmpty(_ sizeClass: Int) -> Bool {
        let blocks = SizeClass.blocks(sizeClass)
        return (0..<SizeClass.words(sizeClass)).allSatisfy {
            let mask = SizeClass.mask($0, blocks: blocks)
            return (free($0).loadAcquire() | freed($0).loadAcquire()) & mask == mask
        }
    }
}
