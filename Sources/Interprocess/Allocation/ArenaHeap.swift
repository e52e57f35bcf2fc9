import InterprocessSystem

/// A heap that this process has claimed: what one thread at a time allocates from.
///
/// Small blocks come from slabs, pages of blocks of one size that the heap has for itself; large ones are runs of pages. What this process knows of its slabs stands here, in its own memory; the
/// truth is in the shared words.
///
/// **Progress** Allocating from the current slab and freeing make no read-modify-write and no system call; freeing another heap's block is one `fetch_or`. Nothing waits for anybody.
/// **Source** ownership of slabs and a second set for what others free: mimalloc (D. Leijen, B. Zorn, L. de Moura, "Free List Sharding in Action", 2019), snmalloc (2019). What differs: bits
/// instead of lists, so that a repeated free is seen, and what a kill leaves is a state that has a meaning.
@safe
final class ArenaHeap: @unchecked Sendable {
    let core: ArenaCore
    let memory: ArenaMemory
    let hold: ArenaHold
    let pages: ArenaPages
    /// As it stands in the page words of own slabs, class 0.
    private let ownSlab: UInt64
    private let classes: UnsafeMutablePointer<ArenaClass>
    private let local: UnsafeMutablePointer<Local>

    @unsafe
    private struct Local {
        /// A bit for each page: it is among the available ones of its class.
        var isAvailable: [UInt64] = []
        /// Where the last free page was found.
        var cursor = 0
        var number: UInt64 = 0
        /// Pages that it was seen to have: perhaps there are more by now.
        var grown: UInt64 = 0
        /// Forgotten before anything else than allocating from a current word and freeing is done: then the page may change hands, or the word be no longer current.
        var last = unsafe LastBlock()
        /// Pages that went back since memory was last given to the system, and were not taken again.
        var released = 0
    }

    /// Of how much freed memory pages are given back to the system without being asked.
    private static let trimmedPages = (64 << 20) / ArenaUnit.page

    init(_ core: ArenaCore, _ index: Int) {
        self.core = core
        memory = core.memory
        hold = ArenaHold(core.memory, index)
        pages = ArenaPages(hold, core)
        ownSlab = PageWord(.slab, owner: index).raw
        unsafe classes = .allocate(capacity: SizeClass.count)
        for index in 0..<SizeClass.count { unsafe (classes + index).initialize(to: ArenaClass(index)) }
        unsafe local = .allocate(capacity: 1)
        unsafe local.initialize(to: Local())
        unsafe local.pointee.number = hold.words.intent.loadRelaxed() >> 48
    }

    deinit {
        unsafe classes.deinitialize(count: SizeClass.count)
        unsafe classes.deallocate()
        unsafe local.deinitialize(count: 1)
        unsafe local.deallocate()
    }

    // MARK: Allocating

    /// A block in hand.
    @inline(__always)
    func allocate(_ size: Int, alignment: Int) throws(ArenaError) -> UInt64 {
        if size > 0, size <= ArenaUnit.largestSmall, alignment == ArenaUnit.block { return try allocate(SizeClass.of(size)) }
        return try allocateUnusual(size, alignment)
    }

    /// Another alignment, nothing at all, or a large block.
    @inline(never)
    private func allocateUnusual(_ size: Int, _ alignment: Int) throws(ArenaError) -> UInt64 {
        guard size >= 0, alignment > 0, alignment.nonzeroBitCount == 1, alignment <= SegmentMapping.arenaAlignment else {
            throw .invalidSize
        }
        let size = max(size, 1)
        if size <= ArenaUnit.largestSmall, alignment <= ArenaUnit.largestSmall {
            return try allocate(SizeClass.of(size, alignment: alignment))
        }
        return try allocateRun(size, alignment)
    }

    @inline(__always)
    private func allocate(_ sizeClass: Int) throws(ArenaError) -> UInt64 {
        let state = unsafe classes + sizeClass
        if let offset = unsafe state.pointee.take(&local.pointee.last) { return offset }
        return try allocateSlowly(sizeClass)
    }

    @inline(never)
    private func allocateSlowly(_ sizeClass: Int) throws(ArenaError) -> UInt64 {
        forgetLast()
        try core.check()
        let state = unsafe classes + sizeClass
        for _ in 0..<memory.limit + 64 {
            if unsafe state.pointee.page < 0 || !state.pointee.findWord(memory) {
                try nextSlab(sizeClass)
                continue
            }
            if let offset = unsafe state.pointee.take(&local.pointee.last) { return offset }
        }
        throw .damaged("free_held")
    }

    /// Makes a slab current that has free blocks.
    private func nextSlab(_ sizeClass: Int) throws(ArenaError) {
        let state = unsafe classes + sizeClass
        let own = PageWord(.slab, owner: hold.index, sizeClass: sizeClass)
        func isOwn(_ page: Int) -> Bool { memory.page(page) == own }
        if unsafe state.pointee.page >= 0, unsafe hold.collect(state.pointee.page, sizeClass) {
            return unsafe state.pointee.begin(state.pointee.page, memory)
        }
        while let page = unsafe state.pointee.available.popLast() {
            // Else it was given back meanwhile, and may be another class's by now, and listed there.
            guard isOwn(page) else { continue }
            unavailable(page)
            return unsafe state.pointee.begin(page, memory)
        }
        if let page = unsafe state.pointee.collected(from: hold, atMost: 8) { return unsafe state.pointee.begin(page, memory) }
        let orphaned = memory.orphaned.loadAcquire()
        if unsafe state.pointee.orphanedSeen != orphaned {
            if let page = adopt(sizeClass) { return enlist(page, sizeClass) }
            unsafe state.pointee.orphanedSeen = orphaned
        }
        if let page = try claim(1, 1) { return makeSlab(page, sizeClass) }
        // Everything else before the arena grows.
        if let page = unsafe state.pointee.collected(from: hold, atMost: .max) { return unsafe state.pointee.begin(page, memory) }
        var failure = ArenaError.full
        do throws(ArenaError) { if let page = try claimAfterGrowing(1, 1) { return makeSlab(page, sizeClass) } } catch { failure = error }
        if let page = adopt(sizeClass) { return enlist(page, sizeClass) }
        throw failure
    }

    /// A slab that has lost its owner and has blocks left. O(pages).
    private func adopt(_ sizeClass: Int) -> Int? {
        let (orphan, own) = (PageWord(.slab, sizeClass: sizeClass), PageWord(.slab, owner: hold.index, sizeClass: sizeClass))
        for page in 0..<memory.grown where memory.page(page) == orphan {
            guard memory.pageWord(page).compareExchange(orphan.raw, own.raw) else { continue }
            hold.collect(page, sizeClass)
            if memory.slab(page).hasFree(sizeClass) { return page }
            _ = memory.pageWord(page).compareExchange(own.raw, orphan.raw)
        }
        return nil
    }

    private func makeSlab(_ page: Int, _ sizeClass: Int) {
        let slab = memory.slab(page)
        for word in 0..<SizeClass.words(sizeClass) {
            slab.freed(word).storeRelaxed(0)
            slab.held(word).storeRelaxed(0)
            slab.free(word).storeRelaxed(SizeClass.mask(word, blocks: SizeClass.blocks(sizeClass)))
        }
        // SYNC arena.page
        memory.pageWord(page).storeRelease(PageWord(.slab, owner: hold.index, sizeClass: sizeClass).raw)
        enlist(page, sizeClass)
    }

    private func enlist(_ page: Int, _ sizeClass: Int) {
        unavailable(page)
        unsafe classes[sizeClass].add(page, memory)
    }

    // MARK: Pages

    private func claim(_ count: Int, _ alignment: Int) throws(ArenaError) -> Int? {
        let first = try unsafe pages.claim(count, alignment: alignment, from: local.pointee.cursor)
        if let first {
            unsafe local.pointee.cursor = first + count
            unsafe local.pointee.released = max(0, local.pointee.released - count)
        }
        return first
    }

    /// After there was no room: gives back what is free, then grows. Nil if the arena cannot hold it.
    private func claimAfterGrowing(_ count: Int, _ alignment: Int) throws(ArenaError) -> Int? {
        let isSettled = pages.settle()
        if freeSlabs() >= count || isSettled {
            let first = try claim(count, alignment)
            if let first { return first }
        }
        for _ in 0..<64 {
            var isLarger = try pages.grow(count + alignment - 1)
            if !isLarger { isLarger = try pages.grow(count) }
            guard isLarger else { break }
            if let first = try claim(count, alignment) { return first }
        }
        return try claim(count, alignment)
    }

    /// Gives own slabs and such without an owner back that have no allocated blocks. O(pages). Returns how many.
    @discardableResult
    func freeSlabs() -> Int {
        forgetLast()
        var count = 0
        for page in 0..<memory.grown {
            let word = memory.page(page)
            guard word.kind == .slab, word.sizeClass < SizeClass.count, word.owner == nil || word.owner == hold.index else { continue }
            var own = word
            if word.owner == nil {
                own = PageWord(.slab, owner: hold.index, sizeClass: word.sizeClass)
                guard memory.slab(page).seemsEmpty(word.sizeClass), memory.pageWord(page).compareExchange(word.raw, own.raw) else {
                    continue
                }
            } else if unsafe classes[word.sizeClass].page == page {
                continue
            }
            let isCollected = hold.collect(page, word.sizeClass)
            if hold.giveBack(page, own, else: word.owner == nil ? word : nil) {
                count += 1
            } else if word.owner != nil, isCollected {
                becameAvailable(page, word.sizeClass, isFull: false)
            }
        }
        return count
    }

    private func allocateRun(_ size: Int, _ alignment: Int) throws(ArenaError) -> UInt64 {
        try core.check()
        let count = (size - 1) / ArenaUnit.page + 1
        guard count <= memory.limit else { throw .full }
        let alignment = max(1, alignment / ArenaUnit.page)
        var found = try claim(count, alignment)
        if found == nil { found = try claimAfterGrowing(count, alignment) }
        guard let first = found else { throw .full }
        // SYNC arena.page
        memory.pageWord(first).storeRelease(PageWord(.run, owner: hold.index, isHeld: true, count: count).raw)
        return memory.offset(ofPage: first)
    }

    // MARK: Freeing

    @inline(__always)
    func free(_ offset: UInt64) throws(ArenaError) {
        if unsafe offset == local.pointee.last.offset, freeLast() { return }
        try freeBlock(offset)
    }

    /// The block that was allocated last. False if it is free already.
    @inline(__always)
    private func freeLast() -> Bool {
        guard let (free, held, bit) = lastInHand else { return false }
        free.storeRelease(free.loadRelaxed() | bit)
        held.storeRelease(held.loadRelaxed() & ~bit)
        return true
    }

    /// The block that was allocated last leaves the hand. False if it has already.
    @inline(__always)
    private func keepLast() -> Bool {
        guard let (_, held, bit) = lastInHand else { return false }
        held.storeRelease(held.loadRelaxed() & ~bit)
        return true
    }

    /// The words of free and held blocks, and its bit in them, of the block that was allocated last, if it is still in hand.
    @inline(__always)
    private var lastInHand: (free: SharedUInt64, held: SharedUInt64, bit: UInt64)? {
        let last = unsafe local.pointee.last
        guard let words = unsafe last.words else { return nil }
        let (free, held) = (unsafe SharedUInt64(at: words), unsafe SharedUInt64(at: words + 8))
        let freed = unsafe SharedUInt64(at: words + last.toFreed)
        // Nothing is held in a forked child, which has zeroes there.
        guard unsafe (free.loadRelaxed() | freed.loadRelaxed() | ~held.loadRelaxed()) & last.bit == 0 else { return nil }
        return unsafe (free, held, last.bit)
    }

    private func forgetLast() { unsafe local.pointee.last = unsafe LastBlock() }

    private func freeBlock(_ offset: UInt64) throws(ArenaError) {
        let place = offset &- UInt64(memory.pagesOffset)
        let page = Int(truncatingIfNeeded: place >> ArenaUnit.pageShift)
        if unsafe place >> ArenaUnit.pageShift < local.pointee.grown {
            let raw = memory.pageWord(page).loadAcquire()
            let sizeClass = Int(raw >> 8 & 63)
            if raw & 7 == PageWord.Kind.slab.rawValue, sizeClass < SizeClass.count {
                let state = unsafe classes + sizeClass
                // Pages begin at multiples of their size.
                let inPage = offset & UInt64(ArenaUnit.page - 1)
                let number = unsafe (inPage &* state.pointee.reciprocal) >> 32
                let (word, bit) = (Int(number >> 6), 1 << (number & 63) as UInt64)
                let slab = memory.slab(page)
                let isBlock = unsafe number &* state.pointee.size == inPage && number < state.pointee.blocks
                if isBlock {
                    let seen = slab.free(word).loadRelaxed()
                    if seen & bit == 0 {
                        if raw & ~(63 << 8) == ownSlab {
                            if slab.freed(word).loadRelaxed() & bit == 0 {
                                slab.setFree(word, bit)
                                if unsafe page != state.pointee.page { becameFree(page, sizeClass, seen, word) }
                                return
                            }
                        } else if slab.freed(word).setBits(bit) & bit == 0 {
                            // SYNC arena.freed
                            return
                        } else {
                            throw .invalid(Offset(offset), .notAllocated)
                        }
                    }
                }
            }
        }
        try freeSlowly(offset)
    }

    @inline(never)
    private func freeSlowly(_ offset: UInt64) throws(ArenaError) {
        forgetLast()
        try core.check()
        unsafe local.pointee.grown = UInt64(memory.grown)
        let block = try memory.block(offset)
        try hold.free(block)
        released(block)
    }

    /// After a block of a page was freed for which the shared words are as they should be.
    private func released(_ block: ArenaBlock) {
        switch block.place {
        case .run:
            hold.finish(block.page)
            wentBack(block.word.count)
        case .small(let number):
            guard block.word.owner == hold.index, unsafe classes[block.word.sizeClass].page != block.page else { return }
            becameFree(block.page, block.word.sizeClass, 0, number >> 6)
        }
    }

    /// - Parameter seen: the word before.
    @inline(__always)
    private func becameFree(_ page: Int, _ sizeClass: Int, _ seen: UInt64, _ word: Int) {
        let mask = SizeClass.mask(word, blocks: SizeClass.blocks(sizeClass))
        let isFull = memory.slab(page).free(word).loadRelaxed() & mask == mask
        guard seen == 0 || isFull else { return }
        becameAvailable(page, sizeClass, isFull: isFull)
    }

    @inline(never)
    private func becameAvailable(_ page: Int, _ sizeClass: Int, isFull: Bool) {
        forgetLast()
        if isFull, hold.giveBack(page, PageWord(.slab, owner: hold.index, sizeClass: sizeClass), else: nil) { return wentBack(1) }
        let (index, bit) = (page >> 6, 1 << UInt64(page & 63) as UInt64)
        while unsafe local.pointee.isAvailable.count <= index { unsafe local.pointee.isAvailable.append(0) }
        guard unsafe local.pointee.isAvailable[index] & bit == 0 else { return }
        unsafe local.pointee.isAvailable[index] |= bit
        unsafe classes[sizeClass].available.append(page)
    }

    /// The page is not listed, or not any more: what it was listed for as a slab of another class is nothing to it.
    private func unavailable(_ page: Int) {
        if unsafe page >> 6 < local.pointee.isAvailable.count { unsafe local.pointee.isAvailable[page >> 6] &= ~(1 << UInt64(page & 63)) }
    }

    private func wentBack(_ count: Int) {
        unsafe local.pointee.released += count
        guard unsafe local.pointee.released >= Self.trimmedPages else { return }
        // What cannot be given back stays.
        _ = try? trim()
    }

    func trim() throws(ArenaError) -> Int {
        try core.check()
        unsafe local.pointee.released = 0
        freeSlabs()
        return try pages.trim()
    }

    // MARK: In hand, and links

    @inline(__always)
    func keep(_ offset: UInt64) throws(ArenaError) {
        if unsafe offset == local.pointee.last.offset, keepLast() { return }
        hold.keep(try inHand(offset))
    }

    private func inHand(_ offset: UInt64) throws(ArenaError) -> ArenaBlock {
        try core.check()
        let block = try memory.allocated(offset)
        guard hold.isInHand(block) else { throw .invalid(Offset(offset), .notInHand) }
        return block
    }

    /// Makes the link at `place` name `fresh`, in hand, instead of `old`, which is freed; 0: nothing.
    func change(_ place: UInt64, from old: UInt64, to fresh: UInt64) throws(ArenaError) {
        forgetLast()
        try core.check()
        guard memory.isLink(place) else { throw .invalid(Offset(place), place % 8 == 0 ? .outside : .misaligned) }
        if fresh != 0 { _ = try inHand(fresh) }
        let seen = try core.load(place)
        guard seen == old else { throw .changed(Offset(rawValue: seen)) }
        if old != 0 { try check(old, namedBy: place) }
        unsafe local.pointee.number = (local.pointee.number + 1) & 0x7fff
        let freed = try unsafe hold.change(memory.word64(Int(place)), at: place, from: old, to: fresh, number: local.pointee.number)
        if let freed { released(freed) }
    }

    /// Closes the heap: whatever it has in hand is freed.
    func close() {
        guard !core.isDetached else { return }
        hold.end()
        hold.words.claim.storeRelease(0)
    }
}
