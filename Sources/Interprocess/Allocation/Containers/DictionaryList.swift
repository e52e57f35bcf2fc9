import CInterprocess
import InterprocessSystem

/// A bucket or an entry of a dictionary: a node of its list.
@safe
struct DictionaryNode: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    let offset: UInt64

    init(at base: UnsafeMutableRawPointer, _ offset: UInt64) {
        unsafe self.base = base
        self.offset = offset
    }

    private var nextWord: SharedUInt64 { unsafe SharedUInt64(at: base) }
    var order: SharedUInt64 { unsafe SharedUInt64(at: base + 8) }
    var keyLength: SharedUInt64 { unsafe SharedUInt64(at: base + 16) }

    /// The offset of the next node; 0: none.
    // SYNC dictionary.next
    var next: UInt64 { ArenaLinkWord.offset(nextWord.loadAcquire()) }
    /// In the lock.
    func setNext(_ offset: UInt64) { nextWord.storeRelease(ArenaLinkWord.naming(offset)) }

    // MARK: Orders

    static let entryBit: UInt64 = 1
    static let linkedBit: UInt64 = 2

    static func order(ofHash hash: UInt64) -> UInt64 { reversed(hash) | entryBit }
    static func order(ofBucket bucket: Int) -> UInt64 { reversed(UInt64(bucket)) }
    /// Where the node stands in the list, without the mark of buckets.
    static func place(_ order: UInt64) -> UInt64 { order & entryBit == 0 ? order & ~linkedBit : order }
    static func isEntry(_ order: UInt64) -> Bool { order & entryBit != 0 }

    private static func reversed(_ word: UInt64) -> UInt64 {
        var word = word.byteSwapped
        word = (word >> 4) & 0x0f0f_0f0f_0f0f_0f0f | (word & 0x0f0f_0f0f_0f0f_0f0f) << 4
        word = (word >> 2) & 0x3333_3333_3333_3333 | (word & 0x3333_3333_3333_3333) << 2
        return (word >> 1) & 0x5555_5555_5555_5555 | (word & 0x5555_5555_5555_5555) << 1
    }
}

/// What is looked for in the list.
@unsafe
enum DictionaryTarget {
    /// The bucket of this order.
    case bucket(UInt64)
    /// An entry with this key.
    case key(UnsafeRawBufferPointer, order: UInt64)

    var order: UInt64 {
        switch unsafe self {
        case .bucket(let order): order
        case .key(_, let order): order
        }
    }
}

/// The entries of a dictionary and its buckets: one list in the order of the hash's bits from the last to the first, into which buckets are put as they are needed, and in which no entry ever moves.
///
/// A bucket of twice as many buckets stands where its half of the old one's entries begins: so to double the buckets is to add a part of new ones, each of which is put into the list by the first change that needs it.
///
/// **Layout** "dictionary", "dictionary entry".
/// **States** of a bucket: not in the list, with or without an order; in the list; in the list and marked so.
/// **Memory order** `SYNC dictionary.next`: release when a node is put into the list, in the lock ⇄ acquire by who follows it without.
/// **Progress** to follow it needs no lock. What was found counts if `stamp` is as it was.
/// **Trust** nodes are looked at only within the arena's pages; orders must not go down, and not too many may be equal: so it comes to an end.
/// **Source** the list is that of O. Shalev and N. Shavit, "Split-Ordered Lists: Lock-Free Extensible Hash Tables" (J. ACM 53, 2006), with one who changes it at a time.
struct DictionaryList: Sendable {
    let core: ContainerCore
    /// Bytes from an entry's beginning to its key.
    let keyPlace: Int

    static let first = Int(IPC_DICTIONARY_BUCKETS)
    /// Bits of a bucket's number.
    private static let mostBuckets: UInt64 = 1 << 30
    private static let (seedPlace, bucketsPlace, keyPlacePlace, partsPlace, firstPlace) = (64, 72, 80, 96, 416)
    static let headSize = MemoryLayout<ipc_dictionary_entry>.size
    static let size = MemoryLayout<ipc_dictionary>.size
    /// Bytes of a key.
    static let longestKey = 1 << 16

    /// One who goes along the list, and sees where it is none: it goes on upwards, and not too long at one height, so that it ends.
    private struct Walk {
        /// So many entries may have the same hash, before that is taken for damage.
        private static let mostEqual = 1 << 16
        private var place: UInt64
        private var (equal, mark) = (0, 0 as UInt64)

        init(from place: UInt64) { self.place = place }

        mutating func step(to node: DictionaryNode, _ place: UInt64) throws(ArenaError) {
            guard place >= self.place else { throw .damaged("order") }
            equal = place == self.place ? equal + 1 : 0
            // A ring has but one height. What was met at 1, 2, 4, … is looked for: so it is seen in the second round at the latest, and not only after the most.
            guard equal < Self.mostEqual, equal == 0 || node.offset != mark else { throw .damaged("order") }
            if equal & (equal - 1) == 0 { mark = node.offset }
            self.place = place
        }
    }

    private var words: ContainerWords { core.words }
    var seed: UInt64 { words.word(Self.seedPlace).loadRelaxed() }
    private var bucketsWord: SharedUInt64 { words.word(Self.bucketsPlace) }
    private func partOffset(_ part: Int) -> UInt64 { words.offset + UInt64(Self.partsPlace + part * 8) }

    init(core: ContainerCore, keyPlace: Int) { (self.core, self.keyPlace) = (core, keyPlace) }

    /// Of one of which the types are not known.
    init(checking core: ContainerCore) throws(ArenaError) {
        let place = core.words.word(Self.keyPlacePlace).loadRelaxed()
        guard place >= UInt64(Self.headSize), place < UInt64(core.arena.limit) else { throw .damaged("key_place") }
        self.init(core: core, keyPlace: Int(place))
    }

    /// Before anybody else can see it.
    static func initialize(_ dictionary: inout ipc_dictionary, keyPlace: Int) {
        ContainerWords.initialize(&dictionary.container)
        dictionary.key_place = UInt64(keyPlace)
        dictionary.seed = .random(in: .min ... .max)
        dictionary.buckets = UInt64(first)
        dictionary.first.0.order = DictionaryNode.linkedBit
    }

    func buckets() throws(ArenaError) -> UInt64 {
        let buckets = bucketsWord.loadAcquire()
        guard buckets.nonzeroBitCount == 1, buckets >= UInt64(Self.first), buckets <= Self.mostBuckets else { throw .damaged("buckets") }
        return buckets
    }

    // MARK: Nodes

    func node(_ offset: UInt64) throws(ArenaError) -> DictionaryNode {
        guard core.memory.isInside(offset, MemoryLayout<ipc_dictionary_node>.size) else { throw .damaged("next") }
        return unsafe DictionaryNode(at: core.memory.base + Int(offset), offset)
    }

    /// The bytes of an entry's key, that may be anybody's by now.
    func key(_ entry: DictionaryNode) throws(ArenaError) -> UnsafeRawBufferPointer {
        guard core.memory.isInside(entry.offset, keyPlace) else { throw .damaged("next") }
        let length = entry.keyLength.loadRelaxed()
        guard length <= Self.longestKey, core.memory.isInside(entry.offset, keyPlace + Int(length)) else { throw .damaged("key_length") }
        return unsafe UnsafeRawBufferPointer(start: entry.base + keyPlace, count: Int(length))
    }

    /// A bucket, in the list or not; nil: there is no part for it yet.
    private func bucket(_ number: Int) throws(ArenaError) -> DictionaryNode? {
        let place = DoublingPlace(number, first: Self.first)
        let size = MemoryLayout<ipc_dictionary_node>.size
        if place.part == 0 {
            let offset = Self.firstPlace + place.index * size
            return unsafe DictionaryNode(at: words.base + offset, words.offset + UInt64(offset))
        }
        let part = try core.arena.core.load(partOffset(place.part))
        guard part != 0 else { return nil }
        guard core.memory.isInside(part, DoublingPlace.count(ofPart: place.part, first: Self.first) * size) else { throw .damaged("parts") }
        return try node(part + UInt64(place.index * size))
    }

    private static func isLinked(_ bucket: DictionaryNode) -> Bool {
        let order = bucket.order.loadAcquire()
        return order & DictionaryNode.linkedBit != 0 && !DictionaryNode.isEntry(order)
    }

    /// The bucket of which `number` is a half; bucket 0 is always in the list.
    private static func parent(_ number: Int) -> Int { number & ~(1 << (Int.bitWidth - 1 - number.leadingZeroBitCount)) }

    /// A bucket in the list at or before the place of a hash.
    private func start(_ hash: UInt64) throws(ArenaError) -> DictionaryNode {
        var number = Int(hash & (try buckets() - 1))
        while number != 0 {
            if let bucket = try bucket(number), Self.isLinked(bucket) { return bucket }
            number = Self.parent(number)
        }
        guard let bucket = try bucket(0) else { throw .damaged("first") }
        return bucket
    }

    // MARK: Looking

    /// A place in the list: behind `before`, and what is there.
    struct Position {
        let before: DictionaryNode
        /// What was looked for; nil: it is not there.
        let found: DictionaryNode?
        /// The offset of what comes behind `before`; 0: nothing.
        let next: UInt64
    }

    /// O(entries of the bucket). Without the lock the caller has to look at the stamp afterwards, also if this throws.
    func locate(_ target: DictionaryTarget, from start: DictionaryNode) throws(ArenaError) -> Position {
        var before = start
        var walk = Walk(from: DictionaryNode.place(start.order.loadAcquire()))
        while true {
            let next = before.next
            guard next != 0 else { return Position(before: before, found: nil, next: 0) }
            let node = try node(next)
            let place = DictionaryNode.place(node.order.loadRelaxed())
            try walk.step(to: node, place)
            if unsafe place > target.order { return Position(before: before, found: nil, next: next) }
            if unsafe place == target.order, try unsafe isTarget(node, target) { return Position(before: before, found: node, next: next) }
            before = node
        }
    }

    private func isTarget(_ node: DictionaryNode, _ target: DictionaryTarget) throws(ArenaError) -> Bool {
        guard case .key(let wanted, _) = unsafe target else { return true }
        let key = unsafe try key(node)
        return unsafe key.count == wanted.count && key.elementsEqual(wanted)
    }

    /// Where a key is or belongs, for who has no lock.
    func find(_ key: UnsafeRawBufferPointer, _ hash: UInt64) throws(ArenaError) -> DictionaryNode? {
        try unsafe locate(.key(key, order: DictionaryNode.order(ofHash: hash)), from: start(hash)).found
    }

    // MARK: In the lock

    /// Where a key is or belongs, with its bucket in the list.
    func locate(_ key: UnsafeRawBufferPointer, _ hash: UInt64) throws(ArenaError) -> Position {
        let start = try linkedBucket(Int(hash & (try buckets() - 1)))
        return try unsafe locate(.key(key, order: DictionaryNode.order(ofHash: hash)), from: start)
    }

    /// The bucket, which is put into the list if it is not there; one that is, if there is no part for it.
    private func linkedBucket(_ number: Int) throws(ArenaError) -> DictionaryNode {
        guard let bucket = try bucket(number) else { return try linkedBucket(Self.parent(number)) }
        guard number != 0, !Self.isLinked(bucket) else { return bucket }
        let parent = try linkedBucket(Self.parent(number))
        let order = DictionaryNode.order(ofBucket: number)
        let position = try unsafe locate(.bucket(order), from: parent)
        if let found = position.found {
            // It was put there by one that was killed before it said so.
            guard found.offset == bucket.offset else { throw .damaged("order") }
        } else {
            bucket.order.storeRelaxed(order)
            bucket.setNext(position.next)
            // SYNC dictionary.next
            position.before.setNext(bucket.offset)
        }
        bucket.order.storeRelease(order | DictionaryNode.linkedBit)
        return bucket
    }

    /// Doubles the buckets. Without room it stays as it is.
    func grow(_ heap: ArenaHeap) throws(ArenaError) {
        let buckets = try buckets()
        guard buckets < Self.mostBuckets else { return }
        let part = DoublingPlace(Int(buckets), first: Self.first).part
        if try core.arena.core.load(partOffset(part)) == 0 {
            let size = Int(buckets) * MemoryLayout<ipc_dictionary_node>.size
            do throws(ArenaError) {
                _ = try unsafe heap.allocate(size, alignment: ArenaUnit.block, into: partOffset(part)) {
                    unsafe _ = $0.initializeMemory(as: UInt8.self, repeating: 0)
                }
            } catch {
                if error == .full || error == .noSpace { return }
                throw error
            }
        }
        bucketsWord.storeRelease(buckets * 2)
    }

    /// Calls `body` with all entries, each with the node before it, which returns whether the entry is still there.
    func forEach(_ body: (_ before: DictionaryNode, DictionaryNode) throws(ArenaError) -> Bool) throws(ArenaError) {
        guard var before = try bucket(0) else { throw .damaged("first") }
        var walk = Walk(from: 0)
        while true {
            let next = before.next
            guard next != 0 else { return }
            let node = try node(next)
            let order = node.order.loadRelaxed()
            try walk.step(to: node, DictionaryNode.place(order))
            // Not with `||`, which would lose the type of the error.
            if !DictionaryNode.isEntry(order) {
                before = node
            } else if try body(before, node) {
                before = node
            }
        }
    }

    /// Frees all parts, after the last entry is gone and the container is destroyed.
    func freeParts(_ heap: ArenaHeap) throws(ArenaError) {
        guard let head = try bucket(0) else { throw .damaged("first") }
        head.setNext(0)
        for number in 1..<Self.first { try bucket(number)?.order.storeRelease(0) }
        bucketsWord.storeRelease(UInt64(Self.first))
        // SYNC container.stamp
        words.stamp.add(1)
        try core.freeParts(from: 1, partOffset, heap)
    }
}
