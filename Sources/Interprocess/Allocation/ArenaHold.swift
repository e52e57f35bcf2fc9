import InterprocessSystem

/// A block, as its page says.
struct ArenaBlock {
    enum Place {
        /// The number in its slab.
        case small(Int)
        case run
    }
    let offset: UInt64
    let page: Int
    let word: PageWord
    let place: Place

    /// Bytes that it has.
    var size: Int {
        switch place {
        case .small: SizeClass.size(word.sizeClass)
        case .run: word.count * ArenaUnit.page
        }
    }
}

/// What is done in the name of one heap: by its owner, or by who ends it for a dead one. Not by two at a time.
///
/// **Death** at any point: whoever ends the heap does it again or finishes it; ``end()``.
@safe
struct ArenaHold: Sendable {
    let memory: ArenaMemory
    let index: Int
    let words: ArenaHeapWords

    init(_ memory: ArenaMemory, _ index: Int) {
        (self.memory, self.index) = (memory, index)
        words = memory.heap(index)
    }

    // MARK: Blocks

    /// The block that begins at `offset`, allocated or not. O(1).
    func block(_ offset: UInt64) throws(ArenaError) -> ArenaBlock { try memory.block(offset) }

    /// Frees a block; in this heap's own slab by its own bits, else by those for others. A run is only marked as being freed: ``finish(_:)`` is to follow.
    func free(_ block: ArenaBlock) throws(ArenaError) {
        let fault = ArenaError.invalid(Offset(block.offset), .notAllocated)
        switch block.place {
        case .small(let number):
            let slab = memory.slab(block.page)
            let (word, bit) = (number >> 6, 1 << UInt64(number & 63) as UInt64)
            guard slab.free(word).loadRelaxed() & bit == 0 else { throw fault }
            if block.word.owner == index {
                guard slab.freed(word).loadRelaxed() & bit == 0 else { throw fault }
                slab.setFree(word, bit)
            } else {
                // SYNC arena.freed
                guard slab.freed(word).setBits(bit) & bit == 0 else { throw fault }
            }
        case .run:
            var word = block.word
            for _ in 0..<8 {
                if memory.pageWord(block.page).compareExchange(word.raw, freeing(word.count).raw) { return }
                // Its heap may just have let go of it.
                word = memory.page(block.page)
                guard word.kind == .run, word.count == block.word.count else { break }
            }
            throw fault
        }
    }

    private func freeing(_ count: Int) -> PageWord { PageWord(.freeing, owner: index, count: count) }

    /// Gives the pages of a run back that this heap is freeing; the first one last.
    func finish(_ page: Int) {
        let word = memory.page(page)
        guard word.kind == .freeing, word.owner == index else { return }
        for distance in 1..<max(1, min(word.count, memory.limit - page)) {
            let tail = memory.page(page + distance)
            // Further ones may be another's already, if who did this before has died in it.
            guard tail.kind == .tail, tail.count == distance else { continue }
            _ = memory.pageWord(page + distance).compareExchange(tail.raw, 0)
        }
        _ = memory.pageWord(page).compareExchange(word.raw, 0)
    }

    /// Whether the block is in this heap's hand.
    func isInHand(_ block: ArenaBlock) -> Bool {
        guard block.word.owner == index else { return false }
        switch block.place {
        case .small(let number):
            let (slab, word, bit) = (memory.slab(block.page), number >> 6, 1 << UInt64(number & 63) as UInt64)
            return slab.free(word).loadRelaxed() & bit == 0 && slab.held(word).loadRelaxed() & bit != 0
        case .run: return block.word.isHeld
        }
    }

    /// Lets the block be, whatever becomes of this heap.
    func keep(_ block: ArenaBlock) {
        guard block.word.owner == index else { return }
        switch block.place {
        case .small(let number):
            let held = memory.slab(block.page).held(number >> 6)
            held.storeRelease(held.loadRelaxed() & ~(1 << UInt64(number & 63)))
        case .run:
            guard block.word.isHeld else { return }
            _ = memory.pageWord(block.page).compareExchange(block.word.raw, block.word.kept.raw)
        }
    }

    // MARK: What others have freed

    /// Takes over what others have freed among 64 blocks of an own slab, but for what some heap is still freeing in the course of a change of a link: that may be done again by who recovers
    /// it, and must find the same state. Returns the blocks. O(1), O(heaps) if there are any.
    func collect(_ page: Int, _ word: Int, _ sizeClass: Int) -> UInt64 {
        let slab = memory.slab(page)
        // SYNC arena.freed
        var bits = slab.freed(word).loadAcquire() & SizeClass.mask(word, blocks: SizeClass.blocks(sizeClass))
        guard bits != 0 else { return 0 }
        // After the bits: who was to be seen has named its block before it set its bit.
        let first = memory.offset(ofPage: page)
        for heap in 0..<memory.heapsUsed {
            let place = memory.heap(heap).old.loadSequential() &- first
            guard place < UInt64(ArenaUnit.page) else { continue }
            let number = Int(place) / SizeClass.size(sizeClass)
            if number >> 6 == word { bits &= ~(1 << UInt64(number & 63)) }
        }
        guard bits != 0 else { return 0 }
        slab.setFree(word, bits)
        slab.freed(word).clearBits(bits)
        return bits
    }

    /// Takes over what others have freed of an own slab. Whether anything was.
    @discardableResult
    func collect(_ page: Int, _ sizeClass: Int) -> Bool {
        var found: UInt64 = 0
        for word in 0..<SizeClass.words(sizeClass) { found |= collect(page, word, sizeClass) }
        return found != 0
    }

    // MARK: Links

    /// Makes `link` name `fresh` (0: nothing) instead of `old` (0: nothing), as one step; `fresh`, which is in hand, is kept then, and `old` freed.
    ///
    /// **States** the heap's intent names the link and both blocks. The link says *pending*, with the heap and the number of the change; then the intent says *done*; then the link is as it
    /// stays. Whoever meets a pending link says done for the other, and then moves it on. So: done, or a link that is still pending, has happened, and is finished by who recovers the heap;
    /// else it has not. (Not: whether the link names the block. Another may have taken it away already.)
    ///
    /// - Parameter number: of the change: another for each of this heap, modulo 2^15.
    /// - Returns: the block that was freed, if any.
    /// - Throws: `changed` if another stands there.
    func change(_ link: SharedUInt64, at place: UInt64, from old: UInt64, to fresh: UInt64, number: UInt64) throws(ArenaError)
        -> ArenaBlock?
    {
        let (before, after) = (ArenaLinkWord.naming(old), ArenaLinkWord.naming(fresh))
        let pending = ArenaLinkWord.pending(after, index, number)
        let active = number << 48 | ArenaHeapWords.isActive
        words.link.storeRelaxed(place)
        words.fresh.storeRelaxed(fresh)
        words.old.storeRelease(old)
        words.intent.storeRelease(active)
        var seen = link.loadAcquire()
        for _ in 0..<1000 {
            guard !ArenaLinkWord.isPending(seen) else {
                memory.help(link, seen)
                seen = link.loadAcquire()
                continue
            }
            guard seen == before else { break }
            guard link.compareExchange(seen, pending) else {
                seen = link.loadAcquire()
                continue
            }
            _ = words.intent.compareExchange(active, active | ArenaHeapWords.isDone)
            _ = link.compareExchange(pending, after)
            return settle(old, fresh)
        }
        clearIntent()
        throw .changed(Offset(rawValue: ArenaLinkWord.offset(seen)))
    }

    /// Takes the block `old` out of the link at `place`, and frees it. For a dead heap, whose intent is settled.
    func free(_ old: UInt64, from place: UInt64) throws(ArenaError) {
        let number = (words.intent.loadRelaxed() >> 48 + 1) & 0x7fff
        _ = try change(memory.word64(Int(place)), at: place, from: old, to: 0, number: number)
    }

    /// What follows a change that has happened. Returns the block that was freed.
    @discardableResult
    private func settle(_ old: UInt64, _ fresh: UInt64) -> ArenaBlock? {
        // Looked at only now: before, it may have been another block at the same place.
        let oldBlock = old == 0 ? nil : try? block(old)
        if let oldBlock { try? free(oldBlock) }
        if fresh != 0, let block = try? block(fresh) { keep(block) }
        clearIntent()
        // Only now can its pages be others'.
        if let oldBlock, case .run = oldBlock.place { finish(oldBlock.page) }
        return oldBlock
    }

    private func clearIntent() {
        words.old.storeRelease(0)
        // The number stays, so that the next owner's first change has another.
        words.intent.storeRelease(words.intent.loadRelaxed() & ~(ArenaHeapWords.isActive | ArenaHeapWords.isDone))
    }

    /// Finishes or drops the change that was going on.
    func settleIntent() {
        let intent = words.intent.loadSequential()
        guard intent & ArenaHeapWords.isActive != 0 else { return clearIntent() }
        let (place, fresh, old) = (words.link.loadAcquire(), words.fresh.loadAcquire(), words.old.loadAcquire())
        let after = ArenaLinkWord.naming(fresh)
        if memory.isLink(place) {
            let link = memory.word64(Int(place))
            let pending = ArenaLinkWord.pending(after, index, intent >> 48)
            if link.loadSequential() == pending {
                words.intent.storeRelease(intent | ArenaHeapWords.isDone)
                _ = link.compareExchange(pending, after)
            }
        }
        // Again: somebody may have helped before the look at the link.
        guard words.intent.loadSequential() & ArenaHeapWords.isDone != 0 else { return clearIntent() }
        settle(old, fresh)
    }

    // MARK: The end

    /// Ends the heap: what it was doing is finished or undone, what it has in hand is freed, its slabs are nobody's or go back. O(pages). Its claim is given back by the caller.
    func end() {
        settleIntent()
        for page in 0..<memory.grown {
            let word = memory.page(page)
            guard word.owner == index else { continue }
            switch word.kind {
            case .slab: leave(page, word)
            case .run where word.isHeld:
                if memory.pageWord(page).compareExchange(word.raw, freeing(word.count).raw) { finish(page) }
            case .freeing: finish(page)
            case .tail: if !isCovered(page, word) { undo(page, word) }
            // Its thread may still be at it in the kernel: nobody has the page before that is over. See ``ArenaPages/settle()``.
            case .punching: _ = memory.pageWord(page).compareExchange(word.raw, PageWord(.punching).raw)
            default: break
            }
        }
        memory.orphaned.add(1)
    }

    /// Whether the page belongs to a run that is there.
    private func isCovered(_ page: Int, _ word: PageWord) -> Bool {
        guard word.count > 0, word.count <= page else { return false }
        let head = memory.page(page - word.count)
        return (head.kind == .run || head.kind == .freeing) && head.count > word.count
    }

    /// Gives a page back that was claimed and not used yet.
    func undo(_ page: Int, _ word: PageWord) {
        _ = memory.pageWord(page).compareExchange(word.raw, PageWord(word.wasPunched ? .punched : .free).raw)
    }

    /// Frees what this heap has in hand of an own slab, and gives the slab back or leaves it to whoever needs it.
    private func leave(_ page: Int, _ word: PageWord) {
        guard word.sizeClass < SizeClass.count else { return }
        let slab = memory.slab(page)
        let blocks = SizeClass.blocks(word.sizeClass)
        for index in 0..<SizeClass.words(word.sizeClass) {
            let held = slab.held(index).loadAcquire() & SizeClass.mask(index, blocks: blocks)
            if held != 0 { slab.setFree(index, held) }
            _ = collect(page, index, word.sizeClass)
        }
        giveBack(page, word, else: PageWord(.slab, sizeClass: word.sizeClass))
    }

    /// Gives an own slab back if all of it is free; else makes it `other`. Whether it was free.
    @discardableResult
    func giveBack(_ page: Int, _ word: PageWord, else other: PageWord?) -> Bool {
        let isEmpty = memory.slab(page).isEmpty(word.sizeClass)
        if isEmpty || other != nil {
            _ = memory.pageWord(page).compareExchange(word.raw, isEmpty ? 0 : (other ?? word).raw)
        }
        return isEmpty
    }
}

/// A word that names a block.
///
/// **States** bits 0–35 a sixteenth of the block's offset, 0: none; bit 63 *pending*: that is what it will name, by change 48–62 of heap 40–47.
enum ArenaLinkWord {
    private static let pendingBit: UInt64 = 1 << 63
    private static let block: UInt64 = (1 << 36) - 1

    static func naming(_ offset: UInt64) -> UInt64 { offset >> 4 & block }
    static func offset(_ word: UInt64) -> UInt64 { (word & block) << 4 }
    static func pending(_ named: UInt64, _ heap: Int, _ number: UInt64) -> UInt64 {
        named & block | UInt64(heap & 255) << 40 | (number & 0x7fff) << 48 | pendingBit
    }
    static func isPending(_ word: UInt64) -> Bool { word & pendingBit != 0 }
    static func heap(_ word: UInt64) -> Int { Int(word >> 40 & 255) }
    static func number(_ word: UInt64) -> UInt64 { word >> 48 & 0x7fff }
}

extension ArenaMemory {
    /// The block that begins at `offset`, allocated or not. O(1).
    func block(_ offset: UInt64) throws(ArenaError) -> ArenaBlock {
        let place = offset &- UInt64(pagesOffset)
        let page = Int(truncatingIfNeeded: place >> ArenaUnit.pageShift)
        guard offset >= UInt64(pagesOffset), place >> ArenaUnit.pageShift < UInt64(grown) else {
            throw .invalid(Offset(offset), .outside)
        }
        let word = self.page(page)
        let inPage = Int(place & UInt64(ArenaUnit.page - 1))
        switch word.kind {
        case .slab:
            guard word.sizeClass < SizeClass.count else { throw .damaged("page") }
            let (number, rest) = inPage.quotientAndRemainder(dividingBy: SizeClass.size(word.sizeClass))
            guard rest == 0, number < SizeClass.blocks(word.sizeClass) else { throw .invalid(Offset(offset), .misaligned) }
            return ArenaBlock(offset: offset, page: page, word: word, place: .small(number))
        case .run:
            guard inPage == 0 else { throw .invalid(Offset(offset), .misaligned) }
            guard word.count > 0, word.count <= grown - page else { throw .damaged("page") }
            return ArenaBlock(offset: offset, page: page, word: word, place: .run)
        case .tail: throw .invalid(Offset(offset), .misaligned)
        case .free, .punched, .freeing, .punching: throw .invalid(Offset(offset), .notAllocated)
        case nil: throw .damaged("page")
        }
    }

    /// The block at `offset`, which must be allocated.
    func allocated(_ offset: UInt64) throws(ArenaError) -> ArenaBlock {
        let block = try block(offset)
        if case .small(let number) = block.place {
            let (slab, bit) = (slab(block.page), 1 << UInt64(number & 63) as UInt64)
            guard (slab.free(number >> 6).loadAcquire() | slab.freed(number >> 6).loadAcquire()) & bit == 0 else {
                throw .invalid(Offset(offset), .notAllocated)
            }
        }
        return block
    }

    /// What a link names, which is where a link may be; 0: nothing.
    func load(_ place: UInt64) -> UInt64 {
        let link = word64(Int(place))
        // SYNC arena.link
        var seen = link.loadAcquire()
        for _ in 0..<1000 where ArenaLinkWord.isPending(seen) {
            help(link, seen)
            seen = link.loadAcquire()
        }
        return ArenaLinkWord.offset(seen)
    }

    /// Brings a change of a link to its end for the heap that makes it.
    func help(_ link: SharedUInt64, _ seen: UInt64) {
        let intent = heap(ArenaLinkWord.heap(seen)).intent
        let active = ArenaLinkWord.number(seen) << 48 | ArenaHeapWords.isActive
        // Not a later one of the same heap: that has another number.
        _ = intent.compareExchange(active, active | ArenaHeapWords.isDone)
        _ = link.compareExchange(seen, ArenaLinkWord.naming(ArenaLinkWord.offset(seen)))
    }
}
