import CInterprocess
import InterprocessSystem

/// A queue whose elements are bytes: what ``ArenaQueue`` does.
///
/// Elements have numbers, from 0 on, and stand in a list of chunks of the same number of elements. An element is there with one store of `appended`, and taken with one of `taken`; no place is written twice, so that nothing is torn.
/// A chunk of which all are taken is freed by who changes the queue next.
///
/// **Layout** "arena queue", "queue chunk".
/// **Memory order** `SYNC queue.appended`: release by who appends ⇄ acquire by who looks. `SYNC container.stamp`: who looks compares `taken` as well: it changes before a chunk is not the first any more, and `stamp` before its bytes can be anybody else's. Neither of them would do alone: a chunk goes long after its last element. `SYNC wakeword`: `appended` changes by a read-modify-write.
/// **Death** in the lock: of who appends, before `appended`: what it wrote is nothing, and a chunk that it added is used by the next one. Of who takes, before `taken`: the element is there. Of who frees a chunk: `going` names it, and the next one
/// takes it out of the list, if it is there, and frees it. Of who has appended and not yet woken, and of who was woken and has not taken: all who sleep look again, since they sleep on the segment's `deaths` as well.
/// **Source** decision record 0016, model Models/arena_queue.pml.
struct ArenaQueueCore: Sendable {
    let core: ContainerCore
    let stride: Int
    private let alignment: Int
    /// Bytes from a chunk's beginning to its elements.
    private let elementsPlace: Int
    /// Elements of a chunk.
    let capacity: Int

    static let size = MemoryLayout<ipc_arena_queue>.size
    private static let headSize = MemoryLayout<ipc_queue_chunk>.size
    private static let (takenPlace, appendedPlace, firstPlace, lastPlace, itemsPlace) = (64, 72, 80, 88, 96)

    init(_ core: ContainerCore, stride: Int, alignment: Int) {
        (self.core, self.stride, self.alignment) = (core, stride, max(ArenaUnit.block, alignment))
        elementsPlace = ArenaUnit.roundUp(Self.headSize, self.alignment)
        capacity = max(1, (Int(IPC_QUEUE_CHUNK) - elementsPlace) / max(1, stride))
    }

    /// Of one of which the type is not known, to destroy it.
    init(_ core: ContainerCore) { self.init(core, stride: 1, alignment: 1) }

    private var words: ContainerWords { core.words }
    private var taken: SharedUInt64 { words.word(Self.takenPlace) }
    private var appended: SharedUInt64 { words.word(Self.appendedPlace) }
    private var first: SharedUInt64 { words.word(Self.firstPlace) }
    private var last: SharedUInt64 { words.word(Self.lastPlace) }
    var items: WakeWord { unsafe WakeWord(word: SharedUInt32(at: words.base + Self.itemsPlace)) }

    /// The numbers of the elements that are there. Without the lock others may take some between the two looks, so that there seem to be more.
    private func numbers() throws(ArenaError) -> Range<UInt64> {
        let taken = taken.loadAcquire()
        // SYNC queue.appended
        let appended = appended.loadSequential()
        guard taken <= appended, appended < 1 << 62 else { throw .damaged("taken") }
        return taken..<appended
    }

    func count() throws(ArenaError) -> Int { try core.reading(with: taken) { () throws(ArenaError) in try numbers().count } }

    /// Whether there is an element, for who waits without the lock.
    func isThere() throws(ArenaError) -> Bool {
        guard words.isDestroyed.loadAcquire() == 0 else { throw .destroyed(core.name) }
        return try !numbers().isEmpty
    }

    // MARK: Chunks

    private func link(_ place: Int) throws(ArenaError) -> UInt64 { try core.arena.core.load(words.offset + UInt64(place)) }
    private func number(_ chunk: UInt64) -> UInt64 { core.memory.word64(Int(chunk) + 8).loadRelaxed() }

    /// A chunk that was found, which may be anybody's by now for who has no lock.
    private func checked(_ chunk: UInt64, _ field: String) throws(ArenaError) -> UInt64 {
        guard core.memory.isInside(chunk, elementsPlace + capacity * stride) else { throw .damaged(field) }
        return chunk
    }

    /// The chunk of this number, from another one on; 0: the list ends right before it. Numbers go up by one, so that this ends.
    private func find(_ wanted: UInt64, from start: UInt64, _ field: String) throws(ArenaError) -> UInt64 {
        var chunk = try checked(start, field)
        var number = number(chunk)
        guard number <= wanted else { throw .damaged(field) }
        while number < wanted {
            number += 1
            let next = try core.arena.core.load(chunk)
            if next == 0, number == wanted { return 0 }
            chunk = try checked(next, "next")
            guard self.number(chunk) == number else { throw .damaged("number") }
        }
        return chunk
    }

    private func element(_ number: UInt64, in chunk: UInt64) -> UnsafeMutableRawPointer {
        unsafe core.memory.base + Int(chunk) + elementsPlace + Int(number % UInt64(capacity)) * stride
    }

    /// The bytes of an element that is there.
    private func element(_ number: UInt64) throws(ArenaError) -> UnsafeMutableRawPointer {
        let chunk = try find(number / UInt64(capacity), from: link(Self.firstPlace), "first")
        guard chunk != 0 else { throw .damaged("next") }
        return unsafe element(number, in: chunk)
    }

    // MARK: Without the lock

    /// Calls `body` with the bytes of the first element, which are its if this returns, and may be anything until then; nil: there is none.
    func readFirst<R>(_ body: (UnsafeRawPointer) -> R) throws(ArenaError) -> R? {
        try core.reading(with: taken) { () throws(ArenaError) in
            guard let number = try numbers().first else { return nil }
            return try unsafe body(element(number))
        }
    }

    // MARK: In the lock

    func changing<R>(until deadline: Deadline, _ body: () throws(ArenaError) -> R) throws(ArenaError) -> R {
        try core.changing(until: deadline, mend: mend, body)
    }

    /// Finishes what a dead one was freeing, and frees the chunks of which everything is taken.
    func mend() throws(ArenaError) {
        let taken = try numbers().lowerBound / UInt64(capacity)
        if words.going.loadAcquire() == 0 {
            let first = try link(Self.firstPlace)
            if first == 0 { return }
            if number(try checked(first, "first")) >= taken { return }
        }
        try free { number($0) < taken }
    }

    /// Frees chunks from the first on, while `isOver`.
    private func free(while isOver: (UInt64) throws(ArenaError) -> Bool) throws(ArenaError) {
        try core.arena.using { heap throws(ArenaError) in
            while true {
                var chunk = try core.going()
                if chunk == 0 {
                    chunk = try link(Self.firstPlace)
                    if chunk == 0 { return }
                    guard core.memory.isInside(chunk, Self.headSize) else { throw .damaged("first") }
                    guard try isOver(chunk) else { return }
                    words.going.storeRelease(ArenaLinkWord.naming(chunk))
                }
                guard core.memory.isInside(chunk, Self.headSize) else { throw .damaged("going") }
                // Done again by who finds that another has died in it.
                let next = ArenaLinkWord.naming(try core.arena.core.load(chunk))
                if try link(Self.firstPlace) == chunk { first.storeRelease(next) }
                if try link(Self.lastPlace) == chunk { last.storeRelease(next) }
                try core.free(chunk, heap)
            }
        }
    }

    /// Appends elements, all of them or none, and wakes as many of those who wait.
    func append(_ count: Int, until deadline: Deadline, _ fill: (_ index: Int, UnsafeMutableRawPointer) -> Void) throws(ArenaError) {
        guard count > 0 else { return }
        try changing(until: deadline) { () throws(ArenaError) in
            let begin = try numbers().upperBound
            var chunk: UInt64 = 0
            for index in 0..<count {
                let number = begin + UInt64(index)
                if chunk == 0 || number % UInt64(capacity) == 0 { chunk = try chunkToFill(number / UInt64(capacity), after: chunk) }
                unsafe fill(index, element(number, in: chunk))
            }
            if stride >= ArrayCore.largeSize { fullFence() }
            // SYNC queue.appended, SYNC wakeword
            appended.exchange(begin + UInt64(count))
            // Not before: it must not be behind what is appended next.
            last.storeRelease(ArenaLinkWord.naming(chunk))
        }
        if count == 1 { items.notifyOne() } else { items.notifyAll() }
    }

    /// The chunk of this number, which is added if it is not there.
    private func chunkToFill(_ wanted: UInt64, after before: UInt64) throws(ArenaError) -> UInt64 {
        var place = words.offset + UInt64(Self.firstPlace)
        var start = before
        if start == 0 { start = try link(Self.lastPlace) }
        if start == 0 { start = try link(Self.firstPlace) }
        if start != 0 {
            let found = try find(wanted, from: start, "last")
            if found != 0 { return found }
            place = try find(wanted - 1, from: start, "last")
        }
        return try core.arena.using { heap throws(ArenaError) in
            try unsafe heap.allocate(elementsPlace + capacity * stride, alignment: alignment, into: place) { bytes in
                unsafe bytes.storeBytes(of: 0, as: UInt64.self)
                unsafe bytes.storeBytes(of: wanted, toByteOffset: 8, as: UInt64.self)
            }
        }
    }

    /// Takes the first element, with `body`; nil: there is none.
    func takeFirst<R>(_ body: (UnsafeRawPointer) -> R) throws(ArenaError) -> R? {
        guard let number = try numbers().first else { return nil }
        let result = try unsafe body(element(number))
        taken.storeRelease(number + 1)
        return result
    }

    /// Calls `body` with the bytes of each element.
    func forEach(_ body: (UnsafeRawPointer) -> Void) throws(ArenaError) {
        var chunk: UInt64 = 0
        for number in try numbers() {
            if chunk == 0 || number % UInt64(capacity) == 0 {
                chunk = try find(number / UInt64(capacity), from: chunk == 0 ? link(Self.firstPlace) : chunk, "first")
                guard chunk != 0 else { throw .damaged("next") }
            }
            unsafe body(element(number, in: chunk))
        }
    }

    func removeAll() throws(ArenaError) {
        taken.storeRelease(try numbers().upperBound)
        try free { _ in true }
    }

    /// Takes everything away that the container has in the arena, but for itself, and wakes all who wait. May be done again.
    func destroy(until deadline: Deadline) throws(ArenaError) {
        try core.enter(until: deadline)
        defer { core.lock.leave() }
        words.isDestroyed.storeRelease(1)
        fullFence()
        items.notifyAll()
        try free { _ in true }
    }

    /// What cannot be in a queue, in words; in the lock.
    func problems() throws(ArenaError) -> [String] {
        var found: [String] = []
        unsafe try forEach { _ in }
        var (chunk, hasLast) = (try link(Self.firstPlace), try link(Self.lastPlace) == 0)
        var wanted = chunk == 0 ? 0 : number(try checked(chunk, "first"))
        while chunk != 0 {
            guard number(try checked(chunk, "next")) == wanted else { throw .damaged("number") }
            if (try? core.memory.allocated(chunk)) == nil { found.append("chunk \(Offset(chunk)) is no allocated block") }
            if try chunk == link(Self.lastPlace) { hasLast = true }
            chunk = try core.arena.core.load(chunk)
            wanted &+= 1
        }
        if !hasLast { found.append("the last chunk is not in the list") }
        return found
    }
}
