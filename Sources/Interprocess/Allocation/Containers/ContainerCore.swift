import CInterprocess
import InterprocessSystem
import Synchronization

/// The beginning of a container with a lock: who changes it, and which block is on its way in or out.
///
/// **Layout** "container".
///
/// **States**
///
/// | coming | going | meaning |
/// |---|---|---|
/// | none | none | whole |
/// | a block | any | the block belongs to the container, and is about to get its place in it |
/// | none | a block | the block is about to lose its place, or has lost it, and is about to be freed |
///
/// A block comes in by the arena's change of `coming`, and is freed by that of `going`: each happens or does not, with all that belongs to it (``ArenaLink``). What lies between, giving the block its place or
/// taking it away, is done again by whoever has the lock next: so it has to be harmless when it was done already.
///
/// **Memory order** `SYNC container.stamp`: `stamp` changes before anything that was found in the container is freed or overwritten ⇄ who reads without the lock reads it before and after, with an acquire fence between.
///
/// **Death** in the lock: the next one finds `coming` or `going`, and finishes what they say; then `count` becomes `planned`.
/// Of an array nothing is coming or going: see ``ArrayCore``. Nothing is coming into a queue: see ``ArenaQueueCore``.
/// **Source** decision record 0015, models Models/dictionary.pml and Models/array.pml.
@safe
struct ContainerWords: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    /// Of the block.
    let offset: UInt64

    static let size = MemoryLayout<ipc_container>.size

    init(at base: UnsafeMutableRawPointer, _ offset: UInt64) {
        unsafe self.base = base
        self.offset = offset
    }

    func word(_ place: Int) -> SharedUInt64 { unsafe SharedUInt64(at: base + place) }

    var lock: SharedUInt32 { unsafe SharedUInt32(at: base) }
    var heir: SharedUInt32 { unsafe SharedUInt32(at: base + 4) }
    var stamp: SharedUInt64 { word(8) }
    var coming: SharedUInt64 { word(16) }
    var going: SharedUInt64 { word(24) }
    var count: SharedUInt64 { word(32) }
    var planned: SharedUInt64 { word(40) }
    var isDestroyed: SharedUInt64 { word(48) }

    /// Links in the container, as the arena changes them.
    var comingOffset: UInt64 { offset + 16 }
    var goingOffset: UInt64 { offset + 24 }

    /// Before anybody else can see it.
    static func initialize(_ container: inout ipc_container) {
        (container.word, container.heir) = (ClaimWord.free, ClaimWord.free)
    }
}

/// A container that this process has open: its lock, and what every one does alike.
final class ContainerCore: Sendable {
    let arena: SharedArena
    let name: String
    let words: ContainerWords
    let lock: ArenaLock
    /// See ``HeldLocks``: the same for every opening of the container in this process.
    let identity: UInt64

    init(_ arena: SharedArena, _ name: String, _ words: ContainerWords) {
        (self.arena, self.name, self.words) = (arena, name, words)
        lock = ArenaLock(arena.core, word: words.lock, heir: words.heir, field: "word")
        identity = arena.core.segment.header.incarnation &+ words.offset
    }

    var memory: ArenaMemory { arena.core.memory }

    /// Calls `look` without the lock, again if the stamp, together with `other`, is another afterwards: then it may have met anything, also if it threw.
    ///
    /// - Throws: ``ArenaError`` `destroyed`, `detached`, `damaged`, and what `look` throws.
    func reading<R>(with other: SharedUInt64? = nil, _ look: () throws(ArenaError) -> R) throws(ArenaError) -> R {
        try arena.core.check()
        for _ in 0..<10_000 {
            // SYNC container.stamp
            let before = words.stamp.loadAcquire() &+ (other?.loadAcquire() ?? 0)
            guard words.isDestroyed.loadAcquire() == 0 else { throw .destroyed(name) }
            let result: Result<R, ArenaError>
            do throws(ArenaError) { result = .success(try look()) } catch { result = .failure(error) }
            atomicMemoryFence(ordering: .acquiring)
            if words.stamp.loadAcquire() &+ (other?.loadAcquire() ?? 0) == before { return try result.get() }
        }
        // Each time another has changed something meanwhile: hardly anybody can.
        throw .damaged("stamp")
    }

    /// Calls `body` in the lock, with everything finished that a dead one has left there.
    ///
    /// - Parameter mend: does so, if there is anything.
    /// - Throws: ``ArenaError`` `deadline`, `selfDeadlock`, `destroyed`, `detached`, `damaged`, and what `body` throws.
    func changing<R>(
        until deadline: Deadline, mend: () throws(ArenaError) -> Void, _ body: () throws(ArenaError) -> R
    ) throws(ArenaError) -> R {
        try enter(until: deadline)
        return try inLock(mend: mend, body)
    }

    /// Calls `body` as ``changing(until:mend:_:)`` in the lock that the caller has entered, and leaves it.
    func inLock<R>(mend: () throws(ArenaError) -> Void, _ body: () throws(ArenaError) -> R) throws(ArenaError) -> R {
        defer { lock.leave() }
        guard words.isDestroyed.loadAcquire() == 0 else { throw .destroyed(name) }
        try mend()
        return try body()
    }

    /// Enters the lock, whatever state the container is in.
    func enter(until deadline: Deadline) throws(ArenaError) {
        if HeldLocks.contains(identity) { throw .selfDeadlock(name) }
        try lock.enter(until: deadline)
    }

    // MARK: In the lock

    /// The block that is coming in; 0: none.
    func coming() throws(ArenaError) -> UInt64 { try arena.core.load(words.comingOffset) }

    /// The block that is going out; 0: none.
    func going() throws(ArenaError) -> UInt64 { try arena.core.load(words.goingOffset) }

    /// Frees the parts of a container from `first` on, the last one first: so what is left if a process is killed in it is what comes before, and whoever does it again finds all.
    func freeParts(from first: Int, _ place: (Int) -> UInt64, _ heap: ArenaHeap) throws(ArenaError) {
        var end = first
        while end < Int(IPC_CONTAINER_PARTS), try arena.core.load(place(end)) != 0 { end += 1 }
        while end > first {
            end -= 1
            let block = try arena.core.load(place(end))
            if block != 0 { try heap.change(place(end), from: block, to: 0) }
        }
    }

    /// After the block that came in has its place.
    func hasCome() {
        words.count.storeRelease(words.planned.loadRelaxed())
        words.coming.storeRelease(0)
    }

    /// After a block has lost its place: frees it.
    func free(_ block: UInt64, _ heap: ArenaHeap) throws(ArenaError) {
        words.count.storeRelease(words.planned.loadRelaxed())
        // SYNC container.stamp: before its bytes can be anybody else's.
        words.stamp.add(1)
        try heap.change(words.goingOffset, from: block, to: 0)
    }
}
