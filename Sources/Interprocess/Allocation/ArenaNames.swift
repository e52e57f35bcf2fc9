import InterprocessSystem

/// The named objects of an arena: which record has a name, and who constructs its object.
///
/// There are 64 buckets by the hash of the name, each a list of records, to whose end records are added and from which none is taken. Who names or destroys has the lock, for as long as it takes to go through one
/// bucket; who looks for a name, lists all or validates takes no lock. A constructor runs outside of the lock: its record is claimed by its peer. Who wants the same object sleeps until that is over.
///
/// **Death** in the lock: the next one takes it over, and finds nothing to repair. Of who has a claim: whoever wants the name or needs a record takes the claim over; what it had in hand is freed as all of its
/// blocks are; if it had published, the object is there. Sleepers sleep on the segment's `deaths` as well.
/// **Progress** who looks waits for nobody. Who names or destroys waits for who is in the lock, and for constructors of the same name.
/// **Trust** lists are followed only through allocated blocks that are large enough, and no further than there can be records, nor in a ring.
/// **Source** decision record 0014, model Models/arena_names.pml.
struct ArenaNames: Sendable {
    let core: ArenaCore
    let lock: ArenaLock
    /// This peer's claim.
    private let mine: UInt32
    private let table: PeerTable
    private let deaths: SharedUInt32

    init(_ core: ArenaCore) {
        self.core = core
        table = core.segment.attachment.table
        lock = ArenaLock(core, word: core.memory.namesWord, heir: core.memory.namesHeir, field: "names_word")
        mine = ClaimWord.of(core.segment.peer)
        deaths = table.deaths
    }

    /// The right to construct the object of a record, until ``give(back:)``.
    struct Claim {
        let record: ArenaRecord
        /// See ``HeldLocks``.
        let identity: UInt64
    }

    /// A constructor that is waited for.
    struct Wait {
        let record: ArenaRecord
        let stamp: UInt64
    }

    enum Beginning {
        /// It is there.
        case found(ArenaObjectDescription)
        /// The caller constructs it.
        case mine(Claim)
        /// Another does.
        case other(Wait)
    }

    // MARK: The lists

    /// Calls `body` with the records of a bucket until it returns something, or there are no more. O(records of the bucket).
    func first<R>(inBucket index: Int, _ body: (ArenaRecord) throws(ArenaError) -> R?) throws(ArenaError) -> R? {
        try core.memory.firstRecord(inBucket: index, load: { link throws(ArenaError) in try core.load(link) }, body)
    }

    private func description(_ record: ArenaRecord) throws(ArenaError) -> ArenaObjectDescription? {
        try record.description { () throws(ArenaError) in try core.load(record.objectOffset) }
    }

    // MARK: Looking, without the lock

    /// The object of a name; nil: there is none, or it is not constructed yet. O(records of the bucket).
    func find(_ name: ArenaName) throws(ArenaError) -> ArenaObjectDescription? {
        try core.check()
        return try first(inBucket: name.bucket) { record throws(ArenaError) in
            guard let stamp = record.stamp(ifNamed: name) else { return nil }
            return try whole(record, stamp)
        }
    }

    /// All objects. Each is there at some time during the call, and none twice.
    func all() throws(ArenaError) -> [ArenaObjectDescription] {
        try core.check()
        var found: [ArenaObjectDescription] = []
        for index in 0..<ArenaUnit.buckets {
            _ = try first(inBucket: index) { record throws(ArenaError) -> Void? in
                if let description = try whole(record, nil) { found.append(description) }
                return nil
            }
        }
        return found
    }

    /// What stands in the record, if there is an object, and its block is as large as that says.
    private func whole(_ record: ArenaRecord, _ stamp: UInt64?) throws(ArenaError) -> ArenaObjectDescription? {
        for _ in 0..<100 {
            guard let found = try description(record), found.object != 0, stamp == nil || found.stamp == stamp else { return nil }
            do throws(ArenaError) {
                try check(found)
                return found
            } catch {
                // Perhaps it was destroyed meanwhile.
                guard try description(record) == found else { continue }
                throw error
            }
        }
        throw .damaged("stamp")
    }

    private func check(_ found: ArenaObjectDescription) throws(ArenaError) {
        guard ArenaName.isName(found.name) else { throw .damaged("name") }
        guard let byteCount = found.byteCount else { throw .damaged("count") }
        guard try core.memory.allocated(found.object).size >= byteCount else { throw .damaged("count") }
    }

    // MARK: In the lock

    /// What there is of an object that the caller wants to construct; a claim if there is nothing. O(records of the bucket).
    ///
    /// - Parameter append: makes a new record behind the last one.
    func begin(
        _ name: ArenaName, _ wanted: ArenaObjectDescription, _ append: (ArenaRecord?) throws(ArenaError) -> ArenaRecord
    ) throws(ArenaError) -> Beginning {
        var unused: ArenaRecord?
        var last: ArenaRecord?
        let named = try first(inBucket: name.bucket) { record throws(ArenaError) -> ArenaRecord? in
            last = record
            if record.stamp(ifNamed: name) != nil { return record }
            if unused == nil, try core.load(record.objectOffset) == 0, !isClaimed(record) { unused = record }
            return nil
        }
        if let named, let found = try whole(named, nil) { return .found(found) }
        if let named, isClaimed(named) {
            if HeldLocks.contains(identity(named)) { throw .selfDeadlock(name.text) }
            return .other(Wait(record: named, stamp: named.stamp.loadAcquire()))
        }
        if let record = named ?? unused {
            try claim(record)
            // Now that nobody else can publish: who died with the claim may have done it last.
            if try object(record) == 0 { return .mine(describe(record, name, wanted)) }
            give(back: record)
            if let named, let found = try whole(named, nil) { return .found(found) }
        }
        return .mine(describe(try append(last), name, wanted))
    }

    private func describe(_ record: ArenaRecord, _ name: ArenaName, _ wanted: ArenaObjectDescription) -> Claim {
        record.describe(name, wanted)
        return Claim(record: record, identity: identity(record))
    }

    /// What a claimed record names; it is given back if that cannot be seen.
    private func object(_ record: ArenaRecord) throws(ArenaError) -> UInt64 {
        do throws(ArenaError) { return try core.load(record.objectOffset) } catch {
            give(back: record)
            throw error
        }
    }

    /// The same for every opening of the arena, and for no other record or lock.
    private func identity(_ record: ArenaRecord) -> UInt64 { core.segment.header.incarnation &+ record.offset }

    /// Whether somebody who lives constructs its object.
    private func isClaimed(_ record: ArenaRecord) -> Bool {
        let seen = record.claim.loadSequential()
        return !ClaimWord.isFree(seen) && ClaimWord.isOpen(seen) && table.holder(ofClaim: seen) == .alive
    }

    /// Takes the claim of a record that no living peer has.
    private func claim(_ record: ArenaRecord) throws(ArenaError) {
        let seen = record.claim.loadSequential()
        if !ClaimWord.isFree(seen) {
            let holder = table.holder(ofClaim: seen)
            guard holder != .alive else { throw .damaged("claim") }
            table.settle(holder)
        }
        // In the lock nobody else takes it.
        guard record.claim.compareExchange(seen, mine) else { throw .damaged("claim") }
    }

    /// A new record at the end of a bucket, claimed. By the heap of the caller.
    func append(_ heap: ArenaHeap, after last: ArenaRecord?, _ name: ArenaName) throws(ArenaError) -> ArenaRecord {
        let offset = try heap.allocate(ArenaRecord.size, alignment: ArenaUnit.block)
        let record = unsafe ArenaRecord(at: core.memory.base + Int(offset), offset)
        record.initialize(claim: mine)
        let link = last?.nextOffset ?? UInt64(core.memory.bucketOffset(name.bucket))
        do throws(ArenaError) { try heap.change(link, from: 0, to: offset) } catch {
            try? heap.free(offset)
            if case .changed = error { throw .damaged("next") }
            throw error
        }
        return record
    }

    /// Takes the object of a name away and frees its block. False: there is none, or another than `only`.
    func destroy(_ name: ArenaName, _ heap: ArenaHeap, only: ArenaObjectDescription?) throws(ArenaError) -> Bool {
        let removed = try first(inBucket: name.bucket) { record throws(ArenaError) -> Bool? in
            guard let stamp = record.stamp(ifNamed: name) else { return nil }
            let object = try core.load(record.objectOffset)
            guard object != 0, only.map({ $0.object == object && $0.stamp == stamp }) ?? true else { return false }
            try heap.change(record.objectOffset, from: object, to: 0)
            return true
        }
        return removed ?? false
    }

    // MARK: Constructing

    /// Gives the claim back, and wakes all who wait for what becomes of it.
    func give(back record: ArenaRecord) {
        // Else it is not this peer's any more: a child that was forked in a constructor, or somebody wrote there who should not.
        guard record.claim.compareExchange(mine, ClaimWord.free) else { return }
        // SYNC arena.claim: whoever sets the mark after this finds the claim given back.
        record.changes.notifyAll()
    }

    /// One look for a call that waits for another's constructor. Done: it is over, in one way or the other.
    func look(_ wait: Wait, _ call: inout WaitingCall) -> Look<Void> {
        // Before looking at who lives: a death that is announced after this ends the sleep.
        let deaths = deaths.loadAcquire()
        func isOver() -> Bool {
            !isClaimed(wait.record) || wait.record.stamp.loadAcquire() != wait.stamp
                || ArenaLinkWord.offset(wait.record.object.loadAcquire()) != 0
        }
        if isOver() { return .done(()) }
        guard call.maySleep else { return .busy }
        let seen = wait.record.changes.prepare()
        // SYNC arena.claim: again, now that whoever gives it back sees the mark.
        if isOver() { return .done(()) }
        return .sleep(SleepWords(event: wait.record.changes.word, eventSeen: seen, life: self.deaths, lifeSeen: deaths))
    }
}

extension ArenaMemory {
    /// Calls `body` with the records of a bucket until it returns something, or there are no more. `load` reads a link.
    func firstRecord<R>(
        inBucket index: Int, load: (UInt64) throws(ArenaError) -> UInt64, _ body: (ArenaRecord) throws(ArenaError) -> R?
    ) throws(ArenaError) -> R? {
        let most = limit * SizeClass.blocks(SizeClass.of(ArenaRecord.size))
        var (link, steps, check, turn) = (UInt64(bucketOffset(index)), 0, 0 as UInt64, 1)
        while true {
            let offset = try load(link)
            guard offset != 0 else { return nil }
            // Somebody has tied the list to a ring (found in R. Brent's way), or it has more records than there is room for.
            guard offset != check, steps <= most else { throw .damaged("next") }
            steps += 1
            if steps == turn { (check, turn) = (offset, turn * 2) }
            guard let block = try? allocated(offset), block.size >= ArenaRecord.size else { throw .damaged("next") }
            let record = unsafe ArenaRecord(at: base + Int(offset), offset)
            if let result = try body(record) { return result }
            link = record.nextOffset
        }
    }
}
