import CInterprocess
import InterprocessSystem
import Synchronization

/// A string: a link to a block of length and bytes, which is replaced as a whole.
///
/// **Layout** "string".
/// **States** the link names nothing: the empty string; a block; itself: it is being destroyed.
/// **Memory order** `SYNC container.stamp`: who is about to change the link changes `stamp` first, after it has seen which block is there. A block that is read is still the one that the link named if both link and stamp are as they
/// were: to name it again after another one, somebody has to have seen that other one, and to change `stamp` after that.
/// **Progress** no lock: a change that fails has failed because another's has not.
/// **Death** the change of a link, ``ArenaLink``: it has the old string or the new one.
struct StringCore: Sendable {
    let arena: SharedArena
    let name: String
    let words: ContainerWords

    init(_ arena: SharedArena, _ name: String, _ words: ContainerWords) { (self.arena, self.name, self.words) = (arena, name, words) }

    private var link: SharedUInt64 { words.word(0) }
    private var stamp: SharedUInt64 { words.word(8) }
    private static let lengthSize = 8

    var isDestroyed: Bool { link.loadAcquire() == ArenaLinkWord.naming(words.offset) }

    /// The block that is there; 0: none.
    private func load() throws(ArenaError) -> UInt64 {
        let block = try arena.core.load(words.offset)
        guard block != words.offset else { throw .destroyed(name) }
        return block
    }

    func read() throws(ArenaError) -> String {
        for _ in 0..<10_000 {
            // SYNC container.stamp
            let stamp = self.stamp.loadAcquire()
            let block = try load()
            if block == 0 { return "" }
            let text = copy(block)
            atomicMemoryFence(ordering: .acquiring)
            guard try load() == block, self.stamp.loadAcquire() == stamp else { continue }
            guard let text else { throw .damaged("length") }
            return text
        }
        throw .damaged("stamp")
    }

    /// What stands in a block that may be anybody's by now; nil if that is no string.
    private func copy(_ block: UInt64) -> String? {
        guard arena.core.memory.isInside(block, Self.lengthSize) else { return nil }
        let base = unsafe arena.core.memory.base + Int(block)
        let length = unsafe SharedUInt64(at: base).loadRelaxed()
        guard length < 1 << 40, arena.core.memory.isInside(block, Self.lengthSize + Int(length)) else { return nil }
        return unsafe String(unsafeUninitializedCapacity: Int(length)) { bytes in
            unsafe UnsafeMutableRawBufferPointer(bytes).copyMemory(
                from: UnsafeRawBufferPointer(start: base + Self.lengthSize, count: Int(length)))
            return Int(length)
        }
    }

    func write(_ text: String) throws(ArenaError) {
        var text = text
        let result = text.withUTF8 { utf8 in
            Result<Void, ArenaError> { () throws(ArenaError) in try unsafe write(UnsafeRawBufferPointer(utf8)) }
        }
        try result.get()
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws(ArenaError) {
        try arena.using { heap throws(ArenaError) in
            var fresh: UInt64 = 0
            if unsafe !bytes.isEmpty {
                fresh = try heap.allocate(Self.lengthSize + bytes.count, alignment: ArenaUnit.block)
                let base = unsafe arena.core.memory.base + Int(fresh)
                unsafe SharedUInt64(at: base).storeRelaxed(UInt64(bytes.count))
                unsafe (base + Self.lengthSize).copyMemory(from: bytes.baseAddress!, byteCount: bytes.count)
            }
            do throws(ArenaError) { try replace(with: fresh, heap) } catch {
                if fresh != 0 { try? heap.free(fresh) }
                throw error
            }
        }
    }

    private func replace(with fresh: UInt64, _ heap: ArenaHeap) throws(ArenaError) {
        for _ in 0..<10_000 {
            let old = try load()
            if old == fresh { return }
            // SYNC container.stamp: after it was seen what is there, before that is freed.
            stamp.add(1)
            do throws(ArenaError) { return try heap.change(words.offset, from: old, to: fresh) } catch {
                guard case .changed = error else { throw error }
            }
        }
        // Each time another has replaced it meanwhile: hardly anybody can.
        throw .damaged("stamp")
    }

    /// Frees the string, and lets nobody write another one. May be done again.
    func destroy() throws(ArenaError) {
        for _ in 0..<10_000 {
            if isDestroyed { return }
            try arena.using { heap throws(ArenaError) in try replace(with: 0, heap) }
            if link.compareExchange(0, ArenaLinkWord.naming(words.offset)) { return }
        }
        throw .damaged("stamp")
    }
}
