import CInterprocess
import InterprocessSystem
import Synchronization

/// An array whose elements are bytes: what ``SharedArray`` does.
///
/// Elements stand in parts that double, so that none ever moves, and the array grows by one part. What is appended is there with one store of `count`.
///
/// **Layout** "array", behind it one element, the *draft*. An element that is overwritten is first written there; then `writing` says which one it is: from then on it has that value; then it is copied there.
/// **Memory order** `SYNC container.stamp`: `stamp` changes before the draft is written, and before the element is. So who reads without the lock reads the draft or the element, whichever `writing` says, and if
/// `stamp` is as it was, it is whole.
/// **Death** in the lock: the next one copies the draft once more. If `planned` says that elements were being taken away, it takes them away: else `stamp` could be as it was, and who still reads one of them would not see that another is
/// appended over it (model Models/array.pml, UNPLANNED).
struct ArrayCore: Sendable {
    let core: ContainerCore
    let stride: Int
    private let alignment: Int
    private let draftPlace: Int
    /// Elements of part 0.
    private let first: Int

    static let headSize = MemoryLayout<ipc_array>.size
    private static let (writingPlace, partsPlace) = (64, 80)
    /// Copies of so many bytes and more may be made by stores that pass others: see ``LatestWords``.
    static let largeSize = 4096

    init(_ core: ContainerCore, stride: Int, alignment: Int) {
        (self.core, self.stride, self.alignment) = (core, stride, alignment)
        draftPlace = ArenaUnit.roundUp(Self.headSize, alignment)
        // 128 bytes, if it can be.
        first = max(1, 1 << (Int.bitWidth - 1 - max(1, 128 / max(1, stride)).leadingZeroBitCount))
    }

    /// Of one of which the type is not known, to destroy it.
    init(_ core: ContainerCore) { self.init(core, stride: 1, alignment: 1) }

    private var words: ContainerWords { core.words }
    private var writing: SharedUInt64 { words.word(Self.writingPlace) }
    private func partOffset(_ part: Int) -> UInt64 { words.offset + UInt64(Self.partsPlace + part * 8) }
    private var draft: UnsafeMutableRawPointer { unsafe words.base + draftPlace }

    var count: Int { Int(truncatingIfNeeded: words.count.loadAcquire() & 0xffff_ffff_ffff) }

    /// The bytes of a place, that may be anybody's by now; there is a part for it.
    private func element(_ index: Int) throws(ArenaError) -> UnsafeMutableRawPointer {
        let place = DoublingPlace(index, first: first)
        guard place.part < Int(IPC_CONTAINER_PARTS) else { throw .damaged("count") }
        let part = try core.arena.core.load(partOffset(place.part))
        let (size, overflow) = DoublingPlace.count(ofPart: place.part, first: first).multipliedReportingOverflow(by: stride)
        guard part != 0, !overflow, core.memory.isInside(part, size) else { throw .damaged("parts") }
        return unsafe core.memory.base + Int(part) + place.index * stride
    }

    private func check(_ index: Int) throws(ArenaError) {
        let count = count
        guard index >= 0, index < count else { throw .outOfRange(index: index, count: count) }
    }

    // MARK: Without the lock

    /// Calls `body` with the bytes of an element, which are whole if this returns, and may be anything until then.
    func read<R>(_ index: Int, _ body: (UnsafeRawPointer) -> R) throws(ArenaError) -> R {
        try core.reading { () throws(ArenaError) in
            try check(index)
            return try unsafe body(writing.loadAcquire() == UInt64(index) + 1 ? draft : element(index))
        }
    }

    // MARK: In the lock

    func changing<R>(until deadline: Deadline, _ body: () throws(ArenaError) -> R) throws(ArenaError) -> R {
        try core.changing(until: deadline, mend: mend, body)
    }

    /// The element in the lock.
    func value(_ index: Int) throws(ArenaError) -> UnsafeMutableRawPointer {
        try check(index)
        return try unsafe element(index)
    }

    /// Who reads something that is overwritten after this sees that `stamp` has changed.
    private func willOverwrite() {
        // SYNC container.stamp
        words.stamp.storeRelease(words.stamp.loadRelaxed() &+ 1)
        if stride < Self.largeSize { atomicMemoryFence(ordering: .releasing) } else { fullFence() }
    }

    /// Overwrites an element, as one step.
    func set(_ index: Int, _ fill: (UnsafeMutableRawPointer) -> Void) throws(ArenaError) {
        _ = try unsafe value(index)
        willOverwrite()
        unsafe fill(draft)
        if stride >= Self.largeSize { fullFence() }
        writing.storeRelease(UInt64(index) + 1)
        try mend()
    }

    /// Copies the draft to where it belongs. Done again by who finds that another has died in it.
    private func mend() throws(ArenaError) {
        let planned = words.planned.loadRelaxed()
        if planned != 0 { truncate(min(count, Int(truncatingIfNeeded: (planned - 1) & 0xffff_ffff_ffff))) }
        let index = writing.loadAcquire()
        guard index != 0 else { return }
        guard index <= UInt64(count) else { throw .damaged("writing") }
        let target = try unsafe element(Int(index) - 1)
        willOverwrite()
        unsafe target.copyMemory(from: draft, byteCount: stride)
        if stride >= Self.largeSize { fullFence() }
        writing.storeRelease(0)
    }

    /// Appends `number` elements, all of them or none.
    func append(_ number: Int, _ fill: (_ number: Int, UnsafeMutableRawPointer) -> Void) throws(ArenaError) {
        let count = count
        let (after, overflow) = count.addingReportingOverflow(number)
        guard !overflow, after < 1 << 48 else { throw .full }
        try reserve(after)
        for index in 0..<number { unsafe fill(index, try element(count + index)) }
        if stride >= Self.largeSize { fullFence() }
        // SYNC array.count: who sees the number sees the elements.
        words.count.storeRelease(UInt64(after))
    }

    /// Makes parts for so many elements.
    func reserve(_ capacity: Int) throws(ArenaError) {
        guard capacity > 0 else { return }
        // So that nothing is taken for what can never be.
        guard capacity <= core.arena.limit / max(1, stride) else { throw .full }
        let last = DoublingPlace(capacity - 1, first: first).part
        guard last < Int(IPC_CONTAINER_PARTS) else { throw .full }
        for part in 0...last where try core.arena.core.load(partOffset(part)) == 0 {
            let (size, overflow) = DoublingPlace.count(ofPart: part, first: first).multipliedReportingOverflow(by: stride)
            guard !overflow else { throw .full }
            _ = try core.arena.using { heap throws(ArenaError) in
                try unsafe heap.allocate(size, alignment: max(ArenaUnit.block, alignment), into: partOffset(part)) { _ in }
            }
        }
    }

    /// Takes all but the first `count` elements away.
    func truncate(_ count: Int) {
        words.planned.storeRelease(UInt64(count) + 1)
        words.count.storeRelease(UInt64(count))
        // Who is still reading one of them sees it, before it is appended over.
        willOverwrite()
        words.planned.storeRelease(0)
    }

    /// Takes all elements away, and gives their parts back.
    func removeAll() throws(ArenaError) {
        truncate(0)
        try core.arena.using { heap throws(ArenaError) in
            try core.freeParts(from: 0, partOffset, heap)
        }
    }

    /// Takes everything away that the container has in the arena, but for itself. May be done again.
    func destroy(until deadline: Deadline) throws(ArenaError) {
        try core.enter(until: deadline)
        defer { core.lock.leave() }
        words.isDestroyed.storeRelease(1)
        writing.storeRelease(0)
        try removeAll()
    }

    /// What cannot be in an array, in words; in the lock.
    func problems() throws(ArenaError) -> [String] {
        var found: [String] = []
        let count = count
        if writing.loadRelaxed() > UInt64(count) { found.append("an element is being overwritten that is not there") }
        for part in 0..<Int(IPC_CONTAINER_PARTS) {
            let block = try core.arena.core.load(partOffset(part))
            let isNeeded = count > 0 && part <= DoublingPlace(count - 1, first: first).part
            if block == 0, isNeeded { found.append("part \(part) is missing, though there are \(count) elements") }
            if block != 0 {
                let size = DoublingPlace.count(ofPart: part, first: first).multipliedReportingOverflow(by: stride)
                let found0 = try? core.memory.allocated(block)
                if found0.map({ size.overflow || $0.size < size.partialValue }) ?? true {
                    found.append("part \(part) is no allocated block of its size")
                }
            }
        }
        return found
    }
}
