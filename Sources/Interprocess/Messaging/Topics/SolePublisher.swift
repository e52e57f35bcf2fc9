import CInterprocess
import InterprocessSystem

/// What the only publisher of a topic remembers, in memory of its own: which chunk is where. It reads nothing of what it has published, and decides by nothing that others may write but cursors, holds and marks.
///
/// Each chunk is in one of five places: in the log, free, retired (replaced in the log, or given back; somebody may hold it), fresh (retired, and never used: its memory may not be reserved yet), or a loan.
///
/// **Memory order** `SYNC log.publish`: the entry is stored with release. `SYNC topic.held`: a full fence stands between the replacement of an entry and the look at the holds, once for as many messages as there are spare chunks; so also
/// `SYNC log.copy`. `SYNC topic.items`: with a compiler fence only between the entry and the look at the mark; who sleeps runs a barrier. `SYNC topic.join`: `joins` is loaded after the entry before was stored; who joins runs a barrier.
/// **Death** what stands here is nobody's loss: the next publisher finds the log and the holds, and everything else is free.
/// **Source** decision record 0009, model Models/topic_one.pml.
@safe @usableFromInline
struct SolePublisher: @unchecked Sendable {
    /// Of each entry the chunk, plus 1.
    private let inLog: UnsafeMutablePointer<UInt32>
    /// First in, first out: as one publisher goes round, memory is used in order.
    private var free: UnsafeMutablePointer<UInt32>
    private var freeHead = 0
    private var freeEnd = 0
    private var retired: UnsafeMutablePointer<UInt32>
    private var retiredCount = 0
    private let fresh: UnsafeMutablePointer<UInt32>
    private var freshHead = 0
    private var freshEnd = 0
    /// Of each hold of this publisher the chunk on loan, plus 1.
    private let loans: UnsafeMutablePointer<UInt32>
    /// Of each chunk the last sweep that has seen it held.
    private let seenHeld: UnsafeMutablePointer<UInt32>
    private var sweeps: UInt32 = 0
    /// So many chunks are retired before one is taken that may have no memory yet.
    private let mostRetired: Int

    /// The next message's.
    private(set) var ticket: UInt64
    /// Tickets before this one may be published, as long as `joins` is this.
    private var limit: UInt64 = 0
    private var joins: UInt32

    // What is looked at with each message.
    private let log: TopicLog
    private let bytes: UnsafeMutableRawPointer
    private let stride: Int
    private let isQuick: Bool
    private let claim: UInt32
    private let claimWord: SharedUInt32
    private let joinsWord: SharedUInt32
    private let finishedWord: SharedUInt32
    private let fencesWord: SharedUInt32
    private let items: WakeWord

    /// Reads the log, once. The caller has the claim.
    ///
    /// - Throws: the field that is impossible.
    init(_ topic: TopicCore, claim: UInt32) throws(QueueDamage) {
        let (entries, chunks) = (topic.shape.entries, topic.shape.chunks)
        log = topic.log
        ticket = try log.firstUnused()
        let used = try Self.chunksInLog(topic, before: ticket)
        func zeroes(_ count: Int) -> UnsafeMutablePointer<UInt32> {
            let words = UnsafeMutablePointer<UInt32>.allocate(capacity: count)
            unsafe words.initialize(repeating: 0, count: count)
            return unsafe words
        }
        unsafe (inLog, free, retired) = (zeroes(entries), zeroes(chunks), zeroes(chunks))
        unsafe (fresh, seenHeld, loans) = (zeroes(chunks), zeroes(chunks), zeroes(topic.shape.holds))
        var isUsed = [Bool](repeating: false, count: chunks)
        for (entry, chunk) in used.enumerated() {
            guard let chunk else { continue }
            unsafe inLog[entry] = UInt32(chunk + 1)
            isUsed[chunk] = true
        }
        for chunk in 0..<chunks where !isUsed[chunk] {
            if topic.chunks.reservedBytes(chunk).loadAcquire() == 0 {
                unsafe fresh[freshEnd] = UInt32(chunk)
                freshEnd += 1
            } else {
                unsafe retired[retiredCount] = UInt32(chunk)
                retiredCount += 1
            }
        }
        mostRetired = topic.shape.isReservedLazily ? max(1, min(32, Self.mostRetiredBytes / topic.shape.messageSize)) : 1
        unsafe bytes = topic.bytes(0)
        stride = topic.shape.messageSize
        isQuick = !topic.shape.isReservedLazily
        self.claim = claim
        claimWord = topic.words.publisher
        (joinsWord, finishedWord, fencesWord, items) = (topic.joins, topic.finished, topic.fences, topic.items)
        joins = joinsWord.loadSequential() &- 1
    }

    private static let mostRetiredBytes = 1 << 16

    /// The last that the publisher does: the next one may begin.
    func close(_ topic: TopicCore) {
        if !topic.isForeign { topic.giveUpPublisher(claim) }
        unsafe inLog.deallocate()
        unsafe free.deallocate()
        unsafe retired.deallocate()
        unsafe fresh.deallocate()
        unsafe seenHeld.deallocate()
        unsafe loans.deallocate()
    }

    private static func chunksInLog(_ topic: TopicCore, before ticket: UInt64) throws(QueueDamage) -> [Int?] {
        var isUsed = [Bool](repeating: false, count: topic.shape.chunks)
        var found: [Int?] = []
        for index in 0..<UInt64(topic.shape.entries) {
            let chunk = LogEntry(word: topic.log.entry(index).loadAcquire()).chunk
            found.append(chunk)
            guard let chunk else { continue }
            // A chunk that stood at two places would be written while it is read.
            guard chunk < topic.shape.chunks, !isUsed[chunk] else { throw QueueDamage(field: "entry") }
            isUsed[chunk] = true
        }
        return found
    }

    // MARK: A chunk to fill

    /// Nil: all are held, which cannot be but where somebody writes who should not. O(1), and O(peers + chunks) once for as many messages as there are spare chunks.
    @inline(__always)
    mutating func take(_ topic: TopicCore) -> Int? {
        if freeHead == freeEnd, !refill(topic) { return nil }
        freeHead &+= 1
        return unsafe Int(free[freeHead &- 1])
    }

    /// Takes back a chunk that is neither in the log nor a loan.
    @inline(__always)
    mutating func giveBack(_ chunk: Int) {
        unsafe retired[retiredCount] = UInt32(truncatingIfNeeded: chunk)
        retiredCount &+= 1
    }

    private mutating func refill(_ topic: TopicCore) -> Bool {
        if freshHead == freshEnd || retiredCount >= mostRetired {
            sweep(topic)
            if freeHead < freeEnd { return true }
        }
        guard freshHead < freshEnd else { return false }
        unsafe free[0] = fresh[freshHead]
        freshHead += 1
        (freeHead, freeEnd) = (0, 1)
        return true
    }

    /// Finds the retired chunks that nobody holds.
    private mutating func sweep(_ topic: TopicCore) {
        for index in 0..<topic.shape.holds where unsafe loans[index] != 0 && topic.holds.isFree(index) {
            unsafe giveBack(Int(loans[index]) - 1)
            unsafe loans[index] = 0
        }
        // SYNC topic.held, SYNC log.copy
        fullFence()
        sweeps &+= 1
        var isAnyHeld = false
        for slot in 0..<topic.shape.peers {
            let peer = topic.words.peer(slot)
            // Shared bytes.
            let reach = min(Int(peer.reach.loadAcquire()), topic.shape.holds + 1)
            for index in 0..<reach {
                let held = Int(peer.held(index).loadAcquire())
                guard held != 0, held <= topic.shape.chunks else { continue }
                unsafe seenHeld[held - 1] = sweeps
                isAnyHeld = true
            }
        }
        let found = retiredCount
        unsafe swap(&free, &retired)
        (freeHead, freeEnd, retiredCount) = (0, found, 0)
        guard isAnyHeld else { return }
        var kept = 0
        for index in 0..<found {
            let chunk = unsafe free[index]
            if unsafe seenHeld[Int(chunk)] == sweeps {
                giveBack(Int(chunk))
            } else {
                unsafe free[kept] = chunk
                kept += 1
            }
        }
        freeEnd = kept
    }

    // MARK: Loans

    /// Holds a chunk that was taken. Nil: there are as many loans as may be.
    @inline(__always)
    mutating func lend(_ chunk: Int, _ topic: TopicCore) -> HoldPlace? {
        guard let place = topic.holds.begin(chunk) else { return nil }
        // One that was given back, and that nobody has looked for since.
        let before = unsafe loans[place.index]
        if before != 0 { giveBack(Int(before) &- 1) }
        unsafe loans[place.index] = UInt32(truncatingIfNeeded: chunk &+ 1)
        return place
    }

    /// The loan of this hold is in the log.
    @inline(__always)
    mutating func endLoan(_ place: HoldPlace) {
        unsafe loans[place.index] = 0
        place.end()
    }

    // MARK: Publishing

    /// Whether this is still the publisher: a forked child's word is zero.
    @inline(__always) var isClaimed: Bool { mutating get { claimWord.loadRelaxed() == claim } }
    @inline(__always) var isFinished: Bool { mutating get { finishedWord.loadRelaxed() != 0 } }

    /// Whether all lossless subscribers have read the message whose place the next one takes.
    @inline(__always)
    mutating func isOpen(_ topic: TopicCore) -> Bool {
        let now = joinsWord.loadAcquire()
        if now == joins, ticket < limit { return true }
        return look(now, topic)
    }

    private mutating func look(_ now: UInt32, _ topic: TopicCore) -> Bool {
        joins = now
        let lowest = topic.lowestCursor()
        limit = lowest > .max - log.size ? .max : lowest &+ log.size
        return ticket < limit
    }

    /// Whether the next message can be published at once without a look at anybody else.
    @inline(__always)
    var isQuicklyOpen: Bool { mutating get { joinsWord.loadAcquire() == joins && ticket < limit && isClaimed && !isFinished } }

    /// A chunk to fill, if there is one at hand that needs no memory.
    @inline(__always)
    mutating func takeQuickly() -> Int? {
        guard freeHead < freeEnd, isQuick else { return nil }
        freeHead &+= 1
        return unsafe Int(free[freeHead &- 1])
    }

    /// Where the next message is to be written. ``publishQuickly()`` follows, or nothing.
    @inline(__always)
    mutating func quickPlace() -> UnsafeMutableRawPointer? {
        guard freeHead < freeEnd, isQuick, isQuicklyOpen else { return nil }
        return unsafe place(of: Int(free[freeHead]))
    }

    /// Where a chunk's message stands.
    @inline(__always)
    mutating func place(of chunk: Int) -> UnsafeMutableRawPointer { unsafe bytes + chunk &* stride }

    @inline(__always)
    mutating func publishQuickly() {
        freeHead &+= 1
        unsafe put(Int(free[freeHead &- 1]))
    }

    /// Publishes a filled chunk, which is ready, and whose ticket is open.
    @inline(__always)
    mutating func put(_ chunk: Int) {
        let entry = unsafe inLog + Int(truncatingIfNeeded: ticket & (log.size &- 1))
        let old = unsafe entry.pointee
        unsafe entry.pointee = UInt32(truncatingIfNeeded: chunk &+ 1)
        // SYNC log.publish
        log.entry(ticket).storeRelease(LogEntry(lap: log.lap(ticket), chunk: chunk).word)
        ticket &+= 1
        log.tail.storeRelease(ticket)
        if old != 0 { giveBack(Int(old) &- 1) }
        if fencesWord.loadRelaxed() != 0 { fullFence() } else { ipc_compiler_fence() }
        items.notifyAll()
    }
}

// MARK: The claim

extension TopicCore {
    /// Becomes the publisher of a topic that has one at a time: its claim.
    ///
    /// **Death** of the publisher: its claim is taken over, once what it still did is seen.
    func claimPublisher(_ name: String) throws(InterprocessError) -> UInt32 {
        let (word, mine) = (words.publisher, ClaimWord.of(me))
        while true {
            let seen = word.loadSequential()
            if !ClaimWord.isFree(seen) {
                let holder = table.holder(ofClaim: seen)
                if holder == .alive { throw isPublished(name, seen) }
                table.settle(holder)
            }
            if word.compareExchange(seen, mine) { return mine }
        }
    }

    private func isPublished(_ name: String, _ claim: UInt32) -> InterprocessError {
        let slot = Int(claim >> 2 & 1023)
        let holder = (0..<shape.peers).contains(slot) ? TopicPeer.Role(word: words.peer(slot).role.loadSequential()).peerBits : 0
        let about = PeerID(rawValue: holder).flatMap { table.information(of: $0) }.map { " (\($0.program), pid \($0.pid))" } ?? ""
        return InterprocessError(
            .busy, "open", name,
            "it has a publisher already\(about), and was made for one; close that, or make a topic with 'publishers: .any' under another name"
        )
    }

    /// Is the publisher no more.
    func giveUpPublisher(_ claim: UInt32) { _ = words.publisher.compareExchange(claim, ClaimWord.free) }
}
