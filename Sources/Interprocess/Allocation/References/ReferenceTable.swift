import CInterprocess
import InterprocessSystem

/// The values of an arena that peers hold together, and who holds them.
///
/// Each record has a word for each peer: how often that one holds the value. Who lets go for the last time looks at the words of all, and if nobody holds it, makes it *dying*, by one compare-exchange of `state`: so one destroys it. It has read
/// `state` before it looked, and who takes changes the number in it after its own word: so the compare-exchange fails if anybody has taken it meanwhile, whatever words were looked at before and after. Then it is left to that one, which looks
/// itself when it lets go.
///
/// **Death** a survivor drops the dead one's words, destroys what it was making or destroying, and whatever nobody holds any more: of who was killed between letting go and looking, that is the one. It does so in the name of a heap of the dead one's, so that who
/// repairs after a killed repairer finishes what that was freeing.
/// **Progress** to let go is wait-free; to take is lock-free. Nobody waits for anybody.
/// **Trust** parts are followed only to where they are inside of the arena; a word of a peer that has gone counts for nothing.
/// **Source** decision record 0017, model Models/arena_reference.pml; D. Detlefs, P. Martin, M. Moir, G. Steele, "Lock-free reference counting" (PODC 2001), for taking only what is certain to be held; a count for each holder as in CXL-SHM (SOSP '23).
struct ReferenceTable: Sendable {
    let memory: ArenaMemory
    let peers: PeerTable
    private let recordSize: Int

    private static let first = Int(IPC_REFERENCE_FIRST)
    /// How often something is tried again of which each time another one's change was in the way.
    private static let patience = 10_000

    init(_ memory: ArenaMemory, _ peers: PeerTable) {
        (self.memory, self.peers) = (memory, peers)
        recordSize = ReferenceRecord.size(peers: peers.count)
    }

    // MARK: Records

    /// Where a part begins; 0: there is none.
    private func part(_ index: Int) throws(ArenaError) -> UInt64 {
        let part = memory.load(memory.referencesOffset(index))
        guard part == 0 || memory.isInside(part, partSize(index)) else { throw .damaged("references") }
        return part
    }

    private func partSize(_ index: Int) -> Int { DoublingPlace.count(ofPart: index, first: Self.first) * recordSize }

    /// Nil if the table is shorter.
    func record(_ index: Int) throws(ArenaError) -> ReferenceRecord? {
        let place = DoublingPlace(index, first: Self.first)
        guard place.part < ArenaUnit.referenceParts else { return nil }
        let part = try part(place.part)
        guard part != 0 else { return nil }
        let offset = part + UInt64(place.index * recordSize)
        return unsafe ReferenceRecord(base: memory.base + Int(offset), offset: offset)
    }

    /// Parts, and records in them.
    private func extent() throws(ArenaError) -> (parts: Int, records: Int) {
        var (parts, records) = (0, 0)
        while parts < ArenaUnit.referenceParts, try part(parts) != 0 {
            records += DoublingPlace.count(ofPart: parts, first: Self.first)
            parts += 1
        }
        return (parts, records)
    }

    /// Calls `body` with all records. O(records).
    func forEach(_ body: (Int, ReferenceRecord) -> Void) throws(ArenaError) {
        for index in 0..<(try extent().records) {
            guard let record = try record(index) else { return }
            body(index, record)
        }
    }

    /// A free record, now of `claim`, which makes a value. O(1); O(records) if there are few free ones, and before the table is doubled.
    func claimFree(_ claim: UInt32, from cursor: Int, _ heap: ArenaHeap) throws(ArenaError) -> (index: Int, record: ReferenceRecord) {
        for _ in 0..<Self.patience {
            let (parts, records) = try extent()
            for step in 0..<records {
                let index = (cursor + step) % records
                guard let record = try record(index) else { break }
                let state = record.state
                guard state.phase == .free else { continue }
                if record.change(state, to: ReferenceState(.making, state.nextGeneration, claim)) { return (index, record) }
            }
            try addPart(parts, heap)
        }
        throw .damaged("state")
    }

    private func addPart(_ index: Int, _ heap: ArenaHeap) throws(ArenaError) {
        guard index < ArenaUnit.referenceParts else { throw .full }
        let size = partSize(index)
        do throws(ArenaError) {
            _ = try unsafe heap.allocate(size, alignment: ArenaUnit.block, into: memory.referencesOffset(index)) {
                unsafe $0.initializeMemory(as: UInt8.self, repeating: 0)
            }
        } catch .changed {
            // Another one has added it.
        }
    }

    // MARK: Holding

    /// Adds to the word of who has the claim.
    func count(_ record: ReferenceRecord, _ claim: UInt32) throws(ArenaError) {
        for _ in 0..<Self.patience {
            let seen = record.hold(Self.slot(claim))
            let count = seen.claim == claim ? seen.count : 0
            guard count < .max else { break }
            // SYNC reference.hold
            if record.change(Self.slot(claim), seen, to: ReferenceHold(claim, count + 1)) { return }
        }
        throw .damaged("holds")
    }

    /// Takes one away. Then ``beginEnding(_:_:)`` is to follow.
    func uncount(_ record: ReferenceRecord, _ claim: UInt32) {
        for _ in 0..<Self.patience {
            let seen = record.hold(Self.slot(claim))
            guard seen.claim == claim else { return }
            // SYNC reference.hold
            if record.change(Self.slot(claim), seen, to: ReferenceHold(claim, max(1, seen.count) - 1)) { return }
        }
    }

    static func slot(_ claim: UInt32) -> Int { Int(claim >> 2 & 1023) }

    /// The record, if the value of this generation is there.
    func alive(_ index: Int, _ generation: UInt32) throws(ArenaError) -> ReferenceRecord? {
        guard let record = try record(index), record.state.phase == .alive, record.state.generation == generation else { return nil }
        return record
    }

    /// After ``count(_:_:)``: whether the value of this generation is the caller's as well. Else what was counted is to be taken away, as by any other.
    func take(_ record: ReferenceRecord, _ generation: UInt32) throws(ArenaError) -> Bool {
        for _ in 0..<Self.patience {
            let seen = record.state
            guard seen.phase == .alive, seen.generation == generation else { return false }
            // SYNC reference.state, SYNC reference.hold
            if record.change(seen, to: seen.taken) { return true }
        }
        throw .damaged("state")
    }

    /// Whether the value is the caller's to destroy, since nobody holds it. O(peers).
    func beginEnding(_ record: ReferenceRecord, _ claim: UInt32) -> Bool {
        let seen = record.state
        guard seen.phase == .alive else { return false }
        // SYNC reference.hold
        for slot in 0..<peers.count where isHeld(record.hold(slot)) { return false }
        // Fails if somebody has taken it since: who looks when it lets go.
        return record.change(seen, to: ReferenceState(.dying, seen.generation, claim))
    }

    private func isHeld(_ hold: ReferenceHold) -> Bool {
        guard hold.raw != 0 else { return false }
        if case .gone = peers.holder(ofClaim: hold.claim) { return false }
        return true
    }

    // MARK: The end

    /// Destroys what the record has, which is being made or destroyed by the caller, or by a dead one in whose name it acts. May be done again.
    ///
    /// - Parameter free: takes the block `old` out of the link at `place`, and frees it.
    func destroy(_ record: ReferenceRecord, _ free: (_ place: UInt64, _ old: UInt64) throws(ArenaError) -> Void) {
        let value = memory.load(record.valueOffset)
        if value != 0 {
            for place in links(value, Int(record.links.loadRelaxed())) {
                let block = memory.load(place)
                if block != 0 { try? free(place, block) }
            }
            try? free(record.valueOffset, value)
        }
        let seen = record.state
        _ = record.change(seen, to: ReferenceState(.free, seen.generation))
    }

    /// Links that stand at the beginning of a block; no more than fit into it.
    private func links(_ value: UInt64, _ count: Int) -> StrideTo<UInt64> {
        let size = (try? memory.allocated(value).size) ?? 0
        return stride(from: value, to: value + UInt64(min(count, size / 8) * 8), by: 8)
    }

    /// For a dead peer, whose heap's intent is settled. O(records · peers).
    func recover(_ dead: PeerID, _ heap: ArenaHold) {
        let claim = ClaimWord.of(dead)
        // Of a damaged table what comes before the damage.
        try? forEach { _, record in
            let hold = record.hold(dead.slot)
            if hold.claim == claim { _ = record.change(dead.slot, hold, to: ReferenceHold(raw: 0)) }
            guard record.state.claim == claim || beginEnding(record, claim) else { return }
            destroy(record) { place, old throws(ArenaError) in try heap.free(old, from: place) }
        }
    }
}
