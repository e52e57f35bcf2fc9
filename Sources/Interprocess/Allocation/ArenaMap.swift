/// What each page of an arena is, as it was when it was looked at: for pictures.
public struct ArenaMap: Sendable, Equatable {
    /// One page.
    public enum Page: Sendable, Equatable {
        /// Nobody's.
        case free
        /// Nobody's, and its memory was given back to the system.
        case returned
        /// Blocks of `blockSize` bytes, of which `used` are allocated, `inHand` of these in somebody's hand.
        case slab(blockSize: Int, blocks: Int, used: Int, inHand: Int)
        /// The first page of a block of `pages` pages.
        case run(pages: Int, isInHand: Bool)
        /// A further page of such a block.
        case further
        /// It is being freed or given back.
        case changing
        /// No kind that there is; ``SharedArena/validate()`` says more.
        case unknown
    }

    /// Bytes of a page: 65,536.
    public static let pageSize = ArenaUnit.page
    /// From the beginning to where the arena has grown to.
    public let pages: [Page]

    init(_ memory: ArenaMemory) {
        pages = (0..<memory.grown).map { page in
            let word = memory.page(page)
            switch word.kind {
            case .free: return .free
            case .punched: return .returned
            case .slab where word.sizeClass < SizeClass.count:
                let (used, inHand) = memory.slab(page).count(word.sizeClass)
                return .slab(
                    blockSize: SizeClass.size(word.sizeClass), blocks: SizeClass.blocks(word.sizeClass), used: used, inHand: inHand)
            case .run: return .run(pages: word.count, isInHand: word.isHeld)
            case .tail: return .further
            case .freeing, .punching: return .changing
            case .slab, nil: return .unknown
            }
        }
    }
}

extension ArenaSlab {
    /// How many blocks are allocated, and how many of these in hand. O(words).
    func count(_ sizeClass: Int) -> (used: Int, inHand: Int) {
        var (used, inHand) = (0, 0)
        let blocks = SizeClass.blocks(sizeClass)
        for word in 0..<SizeClass.words(sizeClass) {
            let allocated = ~(free(word).loadAcquire() | freed(word).loadAcquire()) & SizeClass.mask(word, blocks: blocks)
            used += allocated.nonzeroBitCount
            inHand += (allocated & held(word).loadAcquire()).nonzeroBitCount
        }
        return (used, inHand)
    }
}
