import InterprocessSystem

/// What an arena holds, as it was when it was looked at.
public struct ArenaStatistics: Sendable, Equatable {
    /// Of one size of blocks that share pages.
    public struct SizeClass: Sendable, Equatable {
        /// Bytes of a block.
        public let blockSize: Int
        /// Pages of 64 KiB.
        public var pages = 0
        /// Blocks, of which ``inHand`` are in somebody's hand.
        public var used = 0, inHand = 0, free = 0
    }

    /// Of one heap that is somebody's.
    public struct Heap: Sendable, Equatable {
        /// The peer; nil if it has gone and is not repaired yet.
        public let peer: PeerID?
        /// Pages of 64 KiB that it has for its blocks.
        public var pages = 0
        /// Bytes of blocks in its hand.
        public var inHand = 0
    }

    /// Bytes of pages that it can have at most, and that it has grown to.
    public var limit = 0, grown = 0
    /// Bytes of blocks that are allocated, those in hand among them; what was asked for is less by up to a fifth.
    public var used = 0
    /// Bytes of blocks that are freed when who has them in hand ends.
    public var inHand = 0
    /// Bytes of free pages with memory, and of such whose memory was given back.
    public var freePages = 0, returned = 0
    /// Bytes of runs of pages, and of slabs that nobody allocates from now.
    public var runs = 0, orphans = 0
    /// Named objects, and the records in which names stand, used or not, of 320 bytes each.
    public var objects = 0, records = 0
    /// Values that peers hold together, and the records in which such stand, used or not, of 64 bytes each and 8 for each peer that there can be.
    public var references = 0, referenceRecords = 0
    /// Of each size of which there are pages.
    public var classes: [SizeClass] = []
    /// Of each heap that is claimed.
    public var heaps: [Heap] = []

    /// How much of the pages that are in use is free blocks: 0 … 1.
    public var fragmentation: Double {
        let pages = grown - freePages - returned
        return pages <= 0 ? 0 : 1 - Double(min(used, pages)) / Double(pages)
    }

    init(_ memory: ArenaMemory, _ table: PeerTable) {
        var all = (0..<Interprocess.SizeClass.count).map { SizeClass(blockSize: Interprocess.SizeClass.size($0)) }
        var owners: [Int: Heap] = [:]
        for index in 0..<memory.heapsUsed {
            let claim = memory.heap(index).claim.loadAcquire()
            guard claim != 0 else { continue }
            owners[index] = Heap(peer: table.all().first { ClaimWord.of($0.id) == claim }?.id)
        }
        limit = memory.limit * ArenaUnit.page
        let pages = memory.grown
        grown = pages * ArenaUnit.page
        var page = 0
        while page < pages {
            let word = memory.page(page)
            var step = 1
            switch word.kind {
            case .free: freePages += ArenaUnit.page
            case .punched, .punching: returned += ArenaUnit.page
            case .slab where word.sizeClass < all.count:
                let index = word.sizeClass
                let count = memory.slab(page).count(index)
                all[index].pages += 1
                all[index].used += count.used
                all[index].inHand += count.inHand
                all[index].free += all[index].blocks - count.used
                used += count.used * all[index].blockSize
                inHand += count.inHand * all[index].blockSize
                if let owner = word.owner {
                    owners[owner]?.pages += 1
                    owners[owner]?.inHand += count.inHand * all[index].blockSize
                } else {
                    orphans += ArenaUnit.page
                }
            case .run:
                step = max(1, min(word.count, pages - page))
                let bytes = step * ArenaUnit.page
                runs += bytes
                used += bytes
                if word.isHeld {
                    inHand += bytes
                    if let owner = word.owner { owners[owner]?.inHand += bytes }
                }
            default: break
            }
            page += step
        }
        for bucket in 0..<ArenaUnit.buckets {
            _ = memory.lookAtRecords(inBucket: bucket) { record in
                records += 1
                if ArenaLinkWord.offset(record.object.loadAcquire()) != 0 { objects += 1 }
            }
        }
        // Of a damaged table what comes before the damage.
        try? ReferenceTable(memory, table).forEach { _, record in
            referenceRecords += 1
            if record.state.phase == .alive { references += 1 }
        }
        classes = all.filter { $0.pages > 0 }
        heaps = owners.sorted { $0.key < $1.key }.map(\.value)
    }
}

extension ArenaStatistics.SizeClass {
    fileprivate var blocks: Int { ArenaUnit.page / blockSize }
}

/// Something in an arena that cannot be.
public struct ArenaProblem: Sendable, Equatable, CustomStringConvertible {
    /// The shared word that is wrong, as in `ipc layout`.
    public let field: String
    /// Which of them: a page, a heap, a root, a bucket of names, a reference.
    public let index: Int
    public let reason: String

    public var description: String { "\(field) \(index): \(reason)" }

    /// What belongs to a heap that nobody has, or is none, after all deaths were repaired. Looked at twice, since others work meanwhile.
    static func all(_ memory: ArenaMemory, _ table: PeerTable) -> [ArenaProblem] {
        let first = look(memory, table)
        return first.isEmpty ? [] : look(memory, table).filter { first.contains($0) }
    }

    private static func look(_ memory: ArenaMemory, _ table: PeerTable) -> [ArenaProblem] {
        var found: [ArenaProblem] = []
        func report(_ field: String, _ index: Int, _ reason: String) {
            found.append(ArenaProblem(field: field, index: index, reason: reason))
        }
        func isClaimed(_ heap: Int?) -> Bool { heap.map { $0 < ArenaUnit.heaps && memory.heap($0).claim.loadAcquire() != 0 } ?? false }
        let grown = memory.grown
        if memory.grownWord.loadAcquire() > UInt64(memory.limit) { report("grown", 0, "more than the limit") }
        for page in 0..<grown {
            let word = memory.page(page)
            switch word.kind {
            case .free, .punched: break
            case .slab:
                if word.sizeClass >= SizeClass.count { report("page", page, "slab of the unknown class \(word.sizeClass)") }
                if word.owner != nil, !isClaimed(word.owner) { report("page", page, "slab of a heap that nobody has") }
            case .run:
                if word.count < 1 || word.count > grown - page { report("page", page, "run of \(word.count) pages") }
                if word.isHeld, !isClaimed(word.owner) { report("page", page, "run in hand of nobody") }
            case .tail:
                let head = word.count > 0 && word.count <= page ? memory.page(page - word.count) : PageWord(.free)
                let isCovered = (head.kind == .run || head.kind == .freeing) && head.count > word.count
                if !isCovered, !isClaimed(word.owner) { report("page", page, "further page of no run") }
            // Nobody's until it is certain that its dead owner is not at it any more.
            case .punching where word.owner == nil: break
            case .freeing, .punching: if !isClaimed(word.owner) { report("page", page, "left by a heap that nobody has") }
            case nil: report("page", page, "unknown kind")
            }
        }
        for index in 0..<ArenaUnit.heaps {
            let heap = memory.heap(index)
            if heap.claim.loadAcquire() == 0, heap.intent.loadAcquire() & ArenaHeapWords.isActive != 0 {
                report("intent", index, "a change of a link by nobody")
            }
        }
        for index in 0..<ArenaUnit.roots {
            let word = memory.word64(memory.rootOffset(index)).loadAcquire()
            if ArenaLinkWord.isPending(word), !isClaimed(ArenaLinkWord.heap(word)) { report("roots", index, "being changed by nobody") }
            let offset = ArenaLinkWord.offset(word)
            if offset != 0, (try? memory.block(offset)) == nil { report("roots", index, "names no block") }
        }
        return found + names(memory) + references(memory, table)
    }
}
