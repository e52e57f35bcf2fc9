import CInterprocess
import InterprocessSystem

/// A dictionary whose keys and values are bytes: what ``SharedDictionary`` does.
struct DictionaryCore: Sendable {
    let core: ContainerCore
    let list: DictionaryList
    /// Bytes from an entry's beginning to its value.
    let valuePlace: Int
    let alignment: Int

    init(_ core: ContainerCore, valueStride: Int, valueAlignment: Int) {
        self.core = core
        valuePlace = Self.valuePlace(valueAlignment)
        alignment = max(ArenaUnit.block, valueAlignment)
        list = DictionaryList(core: core, keyPlace: valuePlace + valueStride)
    }

    /// Of one of which the types are not known, to destroy it.
    init(_ core: ContainerCore) throws(ArenaError) {
        self.core = core
        list = try DictionaryList(checking: core)
        (valuePlace, alignment) = (DictionaryList.headSize, ArenaUnit.block)
    }

    static func valuePlace(_ alignment: Int) -> Int { ArenaUnit.roundUp(DictionaryList.headSize, alignment) }

    func hash(_ key: UnsafeRawBufferPointer) -> UInt64 { unsafe KeyHash.of(key, seed: list.seed) }

    var count: Int { Int(truncatingIfNeeded: core.words.count.loadAcquire() & 0xffff_ffff_ffff) }

    // MARK: Without the lock

    /// Calls `body` with the bytes of a key's value, which are whole if this returns, and may be anything until then.
    func read<R>(_ key: UnsafeRawBufferPointer, _ body: (UnsafeRawPointer) -> R) throws(ArenaError) -> R? {
        let hash = unsafe hash(key)
        return try core.reading { () throws(ArenaError) in
            try unsafe list.find(key, hash).map { unsafe body($0.base + valuePlace) }
        }
    }

    // MARK: In the lock

    func changing<R>(until deadline: Deadline, _ body: () throws(ArenaError) -> R) throws(ArenaError) -> R {
        try core.changing(until: deadline, mend: mend, body)
    }

    private func mend() throws(ArenaError) {
        guard core.words.coming.loadAcquire() | core.words.going.loadAcquire() != 0 else { return }
        try core.arena.using { heap throws(ArenaError) in try mend(heap) }
    }

    /// The entry of a key, and its place.
    func locate(_ key: UnsafeRawBufferPointer) throws(ArenaError) -> DictionaryList.Position { try unsafe list.locate(key, hash(key)) }

    func value(_ entry: DictionaryNode) -> UnsafeMutableRawPointer { unsafe entry.base + valuePlace }

    /// Puts a value in, instead of the one that is there.
    func put(_ key: UnsafeRawBufferPointer, _ fill: (UnsafeMutableRawPointer) -> Void) throws(ArenaError) {
        try core.arena.using { heap throws(ArenaError) in
            if UInt64(count) >= (try list.buckets()) { try list.grow(heap) }
            let size = list.keyPlace + key.count
            _ = try unsafe heap.allocate(size, alignment: alignment, into: core.words.comingOffset) { bytes in
                let base = bytes.baseAddress!
                let entry = unsafe DictionaryNode(at: base, 0)
                entry.setNext(0)
                entry.order.storeRelaxed(unsafe DictionaryNode.order(ofHash: hash(key)))
                entry.keyLength.storeRelaxed(UInt64(key.count))
                unsafe fill(base + valuePlace)
                if let from = key.baseAddress { unsafe (base + list.keyPlace).copyMemory(from: from, byteCount: key.count) }
            }
            try mend(heap)
        }
    }

    /// Takes the entry behind a place out.
    func remove(_ entry: DictionaryNode, behind before: DictionaryNode) throws(ArenaError) {
        try core.arena.using { heap throws(ArenaError) in try remove(entry, behind: before, heap) }
    }

    private func remove(_ entry: DictionaryNode, behind before: DictionaryNode, _ heap: ArenaHeap) throws(ArenaError) {
        core.words.planned.storeRelease(UInt64(max(0, count - 1)))
        core.words.going.storeRelease(ArenaLinkWord.naming(entry.offset))
        before.setNext(entry.next)
        try core.free(entry.offset, heap)
    }

    func removeAll() throws(ArenaError) {
        try core.arena.using { heap throws(ArenaError) in try removeAll(heap) }
    }

    private func removeAll(_ heap: ArenaHeap) throws(ArenaError) {
        try list.forEach { before, entry throws(ArenaError) in
            try remove(entry, behind: before, heap)
            return false
        }
    }

    /// Gives what comes in its place, and takes what goes from its own. Done again by who finds that another has died in it.
    func mend(_ heap: ArenaHeap) throws(ArenaError) {
        let coming = try core.coming()
        if coming != 0 {
            try insert(list.node(coming))
            core.hasCome()
        }
        let going = try core.going()
        if going != 0 {
            let entry = try list.node(going)
            let position = try unsafe locate(list.key(entry))
            if position.found?.offset == going { position.before.setNext(entry.next) }
            try core.free(going, heap)
        }
    }

    private func insert(_ entry: DictionaryNode) throws(ArenaError) {
        let position = try unsafe locate(list.key(entry))
        guard let old = position.found else {
            core.words.planned.storeRelease(UInt64(count + 1))
            entry.setNext(position.next)
            return position.before.setNext(entry.offset)
        }
        // It has its place if another has died after that.
        guard old.offset != entry.offset else { return }
        core.words.planned.storeRelease(UInt64(count))
        entry.setNext(old.next)
        core.words.going.storeRelease(ArenaLinkWord.naming(old.offset))
        position.before.setNext(entry.offset)
    }

    /// Takes everything away that the container has in the arena, but for itself. May be done again.
    func destroy(until deadline: Deadline) throws(ArenaError) {
        try core.enter(until: deadline)
        defer { core.lock.leave() }
        core.words.isDestroyed.storeRelease(1)
        try core.arena.using { heap throws(ArenaError) in
            try mend(heap)
            try removeAll(heap)
            try list.freeParts(heap)
        }
    }

    /// What cannot be in a dictionary, in words; in the lock.
    func problems() throws(ArenaError) -> [String] {
        var found: [String] = []
        var entries = 0
        try list.forEach { _, entry throws(ArenaError) in
            entries += 1
            let key = try unsafe list.key(entry)
            if entry.order.loadRelaxed() != (unsafe DictionaryNode.order(ofHash: hash(key))) {
                found.append("entry \(Offset(entry.offset)) stands where its key does not belong")
            } else if try unsafe locate(key).found?.offset != entry.offset {
                found.append("entry \(Offset(entry.offset)) has the key of another one before it")
            }
            if (try? core.memory.allocated(entry.offset)) == nil { found.append("entry \(Offset(entry.offset)) is no allocated block") }
            return true
        }
        if entries != count { found.append("it has \(entries) entries and counts \(count)") }
        return found
    }
}
