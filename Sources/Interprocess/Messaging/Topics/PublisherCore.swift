import CInterprocess
import InterprocessSystem
import Synchronization
import SystemPackage

/// What a publisher remembers, and how it publishes; see decision record 0009.
@frozen @safe @usableFromInline
struct PublisherCore: @unchecked Sendable {
    @usableFromInline let topic: TopicCore
    /// A chunk that is this publisher's already, for the next message.
    private var spare: ChunkClaim?
    /// Every lossless subscriber's cursor is at least this, of those that had joined when `joins` was this.
    private var lowest: UInt64 = 0
    private var joins: UInt32
    /// Where the last search for a chunk ended.
    private var searchStart = 0
    /// Of a topic of one publisher; then nothing above is used.
    var sole: UnsafeMutablePointer<SolePublisher>?

    /// - Throws: ``InterprocessError`` `busy` if the topic has one publisher at a time, and has one; `damaged`.
    init(_ topic: TopicCore, _ name: ObjectName) throws(InterprocessError) {
        self.topic = topic
        joins = topic.joins.loadSequential() &- 1
        guard topic.isSole else {
            topic.enter(as: .publisher)
            return
        }
        let claim = try topic.claimPublisher(name.description)
        topic.enter(as: .publisher)
        do throws(QueueDamage) {
            let alone = try SolePublisher(topic, claim: claim)
            unsafe sole = .allocate(capacity: 1)
            unsafe sole?.initialize(to: alone)
        } catch {
            topic.leave()
            topic.giveUpPublisher(claim)
            throw TopicCore.damage(error, name.description)
        }
    }

    func close() {
        if let sole = unsafe sole {
            topic.leave()
            unsafe sole.pointee.close(topic)
            unsafe sole.deallocate()
            return
        }
        if topic.isForeign { return }
        if let spare { topic.giveUp(spare) }
        topic.leave()
    }

    private func failure(_ field: String) -> PublishFailure { topic.isForeign ? .detached : .damaged(field) }

    // MARK: A chunk to fill

    @frozen @usableFromInline
    enum Claiming {
        case chunk(ChunkClaim)
        case failed(PublishFailure)
    }

    /// Where a claimed chunk's message stands.
    @unsafe @usableFromInline
    func bytes(_ claim: ChunkClaim) -> UnsafeMutableRawPointer { unsafe topic.bytes(claim.index) }

    /// A chunk whose first `size` bytes can be written. Does not wait for other processes but where many publishers search at the same moment.
    @usableFromInline
    mutating func claim(_ size: Int, _ strategy: WaitStrategy, until deadline: Deadline) -> Claiming {
        if let claim = claimAtOnce() { return ready(claim, size) }
        var call = WaitingCall(maySleep: true)
        let limit = Self.limit(deadline)
        return ready(WaitingCall.block(strategy, until: limit, &call) { call in lookForChunk(&call) }, size, deadline, limit)
    }

    mutating func claim(_ size: Int, until deadline: Deadline) async -> Claiming {
        if let claim = claimAtOnce() { return ready(claim, size) }
        var call = WaitingCall(maySleep: true)
        let limit = Self.limit(deadline)
        let ending = await WaitingCall.suspend(topic.segment, until: limit, &call) { call in lookForChunk(&call) }
        return ready(ending, size, deadline, limit)
    }

    @inline(__always)
    private mutating func claimAtOnce() -> ChunkClaim? {
        if let chunk = unsafe sole?.pointee.take(topic) { return ChunkClaim(index: chunk, state: .unused) }
        if let claim = spare {
            spare = nil
            return claim
        }
        return search()
    }

    /// There is a chunk for everybody, but one that frees and one that claims may keep out of a search's way: so more than one.
    private mutating func search() -> ChunkClaim? {
        // A look at all that is held finds one, and has.
        if unsafe sole != nil { return nil }
        for _ in 0..<8 {
            // Those first that were used before: for large messages the others have no memory yet.
            let start = topic.shape.isReservedLazily ? 0 : searchStart
            guard let claim = topic.chunks.claim(from: start, by: topic.me, hasGivenBack: { topic.space.notifyAll() }) else { continue }
            searchStart = claim.index
            // SYNC log.copy: who copies a message without holding it must not see a byte of the next one before it can see that the log has another.
            atomicMemoryFence(ordering: .releasing)
            return claim
        }
        return nil
    }

    private mutating func lookForChunk(_ call: inout WaitingCall) -> Look<Claiming> {
        let deaths = topic.table.deaths.loadAcquire()
        if topic.isForeign { return .done(.failed(.detached)) }
        if unsafe sole != nil { return .done(.failed(failure("held"))) }
        if let claim = search() { return .done(.chunk(claim)) }
        guard call.maySleep else { return .busy }
        let seen = topic.space.prepare()
        if let claim = search() { return .done(.chunk(claim)) }
        var sleep = SleepWords(event: topic.space.word, eventSeen: seen, life: topic.table.deaths, lifeSeen: deaths)
        sleep.lookAgain = .now.advanced(by: .milliseconds(1))
        return .sleep(sleep)
    }

    /// There is a chunk for everybody: who finds none for so long looks at words that somebody has written who should not.
    private static func limit(_ deadline: Deadline) -> Deadline {
        let limit = MonotonicInstant.now.advanced(by: SegmentFile.patience)
        return Deadline(deadline.instant.map { min($0, limit) } ?? limit)
    }

    private mutating func ready(_ ending: WaitEnding<Claiming>, _ size: Int, _ deadline: Deadline, _ limit: Deadline) -> Claiming {
        switch ending {
        case .done(.chunk(let claim)): return ready(claim, size)
        case .done(.failed(let failure)): return .failed(failure)
        case .deadline: return .failed(deadline == .now ? .full : deadline == limit ? .deadline : failure("state"))
        case .cancelled: return .failed(.cancelled)
        }
    }

    private mutating func ready(_ claim: ChunkClaim, _ size: Int) -> Claiming {
        do throws(Errno) {
            try topic.reserve(size, claim.index)
        } catch {
            keep(claim)
            return .failed(.noSpace)
        }
        return .chunk(claim)
    }

    /// Keeps a chunk for the next message that was not published.
    @usableFromInline
    mutating func keep(_ claim: ChunkClaim) {
        if let sole = unsafe sole {
            unsafe sole.pointee.giveBack(claim.index)
        } else if spare == nil {
            spare = claim
        } else {
            topic.giveUp(claim)
        }
    }

    // MARK: Publishing

    private enum Outcome {
        case published
        /// A lossless subscriber has to come further before the message with this ticket can be published.
        case behind(ticket: UInt64)
        case failed(PublishFailure)
    }

    /// Publishes a filled chunk: waits until lossless subscribers are so far. Nil: it is published; or why not, and then the chunk is still the caller's.
    @usableFromInline
    mutating func publish(_ claim: ChunkClaim, _ strategy: WaitStrategy, until deadline: Deadline) -> PublishFailure? {
        switch attempt(claim) {
        case .published: return nil
        case .failed(let failure): return failure
        case .behind: break
        }
        if deadline == .now { return .full }
        if let ticket = unsafe sole?.pointee.ticket, strategy != .park { topic.pollForRoom(ticket) }
        var call = WaitingCall(maySleep: true)
        return finish(WaitingCall.block(strategy, until: deadline, &call) { call in look(claim, &call) })
    }

    mutating func publish(_ claim: ChunkClaim, until deadline: Deadline) async -> PublishFailure? {
        switch attempt(claim) {
        case .published: return nil
        case .failed(let failure): return failure
        case .behind: break
        }
        var call = WaitingCall(maySleep: true)
        return finish(await WaitingCall.suspend(topic.segment, until: deadline, &call) { call in look(claim, &call) })
    }

    private func finish(_ ending: WaitEnding<PublishFailure?>) -> PublishFailure? {
        switch ending {
        case .done(let failure): failure
        case .deadline: .deadline
        case .cancelled: .cancelled
        }
    }

    private mutating func look(_ claim: ChunkClaim, _ call: inout WaitingCall) -> Look<PublishFailure?> {
        let deaths = topic.table.deaths.loadAcquire()
        if topic.isForeign { return .done(.detached) }
        switch attempt(claim) {
        case .published: return .done(nil)
        case .failed(let failure): return .done(failure)
        case .behind(let ticket):
            guard call.maySleep else { return .busy }
            let seen = topic.prepareForSpace(wantingCursorsAt: ticket &- topic.log.size &+ 1)
            switch attempt(claim) {
            case .published: return .done(nil)
            case .failed(let failure): return .done(failure)
            case .behind:
                if topic.isHeldUpByNobody() { return .done(failure("role")) }
                return .sleep(SleepWords(event: topic.space.word, eventSeen: seen, life: topic.table.deaths, lifeSeen: deaths))
            }
        }
    }

    private mutating func attempt(_ claim: ChunkClaim) -> Outcome {
        if let sole = unsafe sole { return unsafe attemptAlone(sole, claim.index) }
        let log = topic.log
        var ticket = log.tail.loadAcquire()
        var steps: UInt64 = 0
        while true {
            let place = log.entry(ticket)
            let seen = LogEntry(word: place.loadSequential())
            let lap = log.lap(ticket)
            let distance = seen.distance(from: lap)
            if distance >= 0 {
                // Others were faster: this ticket is gone, and so are those of the laps before the one that the entry is in.
                ticket &+= UInt64(distance) &* log.size &+ 1
            } else {
                guard distance == -1, seen.isOpen else { return .failed(failure(seen.isOpen ? "tail" : "entry")) }
                if topic.finished.loadRelaxed() != 0 { return .failed(.closed) }
                guard isOpen(ticket) else { return .behind(ticket: ticket) }
                switch replace(seen, at: ticket, lap, by: claim) {
                case .done: return .published
                case .changed: break
                case .damaged(let field): return .failed(failure(field))
                }
            }
            steps &+= 1
            // Others publish faster than this process can look, far more often than by chance: somebody writes who should not.
            guard steps < Self.mostSteps else { return .failed(failure("tail")) }
        }
    }

    private static let mostSteps: UInt64 = 1 << 20

    @inline(__always)
    private func attemptAlone(_ sole: UnsafeMutablePointer<SolePublisher>, _ chunk: Int) -> Outcome {
        guard unsafe sole.pointee.isClaimed else { return .failed(failure("publisher")) }
        if unsafe sole.pointee.isFinished { return .failed(.closed) }
        guard unsafe sole.pointee.isOpen(topic) else { return unsafe .behind(ticket: sole.pointee.ticket) }
        unsafe sole.pointee.put(chunk)
        return .published
    }

    /// Where the next message is to be written, if this is the only publisher and can publish it without a look at anybody else. ``publishQuickly()`` follows, or nothing.
    @usableFromInline
    mutating func quickPlace() -> UnsafeMutableRawPointer? { unsafe sole?.pointee.quickPlace() }

    @usableFromInline
    mutating func publishQuickly() { unsafe sole?.pointee.publishQuickly() }

    /// A loan, if there is a chunk at hand, and where its message is to be written.
    @unsafe @usableFromInline
    mutating func lendQuickly() -> (claim: ChunkClaim, bytes: UnsafeMutableRawPointer)? {
        guard let sole = unsafe sole, let chunk = unsafe sole.pointee.takeQuickly() else { return nil }
        guard let place = unsafe sole.pointee.lend(chunk, topic) else {
            unsafe sole.pointee.giveBack(chunk)
            return nil
        }
        return unsafe (ChunkClaim(index: chunk, state: .unused, place: place), sole.pointee.place(of: chunk))
    }

    /// Publishes a loan, if that can be done without a look at anybody else.
    @usableFromInline
    mutating func publishLoanQuickly(_ claim: ChunkClaim) -> Bool {
        guard let sole = unsafe sole, let place = claim.place, topic.holds.isSame(place), unsafe sole.pointee.isQuicklyOpen else {
            return false
        }
        unsafe sole.pointee.put(claim.index)
        unsafe sole.pointee.endLoan(place)
        return true
    }

    private enum Replacement {
        case done, changed
        case damaged(String)
    }

    @inline(__always)
    private mutating func replace(_ seen: LogEntry, at ticket: UInt64, _ lap: UInt64, by claim: ChunkClaim) -> Replacement {
        let (log, chunks) = (topic.log, topic.chunks)
        let place = log.entry(ticket)
        guard let old = seen.chunk else {
            chunks.ticket(claim.index).storeRelaxed(ticket)
            guard place.compareExchange(seen.word, LogEntry(lap: lap, chunk: claim.index).word) else { return .changed }
            published(ticket)
            topic.items.notifyAll()
            return .done
        }
        guard old < chunks.count else { return .damaged("entry") }
        let state = chunks.current(old)
        // While the entry names the chunk its state does not change: so this is the state that the log's message has.
        guard place.loadAcquire() == seen.word else { return .changed }
        guard state.isFilling, old != claim.index else { return .damaged("state") }
        // Killed between the exchange and the end of this function, this process leaves a name of the chunk that it has taken out.
        topic.record.intent.storeRelease(TopicPeer.Intent(chunk: old, generation: state.generation).word)
        chunks.ticket(claim.index).storeRelaxed(ticket)
        // SYNC log.publish
        guard place.compareExchange(seen.word, LogEntry(lap: lap, chunk: claim.index).word) else {
            topic.record.intent.storeRelease(0)
            return .changed
        }
        published(ticket)
        topic.items.notifyAll()
        retire(old, state)
        topic.record.intent.storeRelease(0)
        return .done
    }

    @inline(__always)
    private func published(_ ticket: UInt64) { topic.log.tail.storeRelease(ticket &+ 1) }

    /// Takes care of a chunk that this publisher has taken out of the log.
    @inline(__always)
    private mutating func retire(_ old: Int, _ state: ChunkState) {
        if spare == nil, let claim = topic.chunks.reuse(old, state, by: topic.me) {
            spare = claim
            // SYNC log.copy
            atomicMemoryFence(ordering: .releasing)
        } else if topic.chunks.free(old, state) {
            topic.space.notifyAll()
        }
    }

    // MARK: Lossless subscribers

    /// Whether all lossless subscribers have read the message for which that with `ticket` takes the place. One load mostly.
    ///
    /// `SYNC topic.join`: the ticket before this one is known to be published. A subscriber that joins counts `joins` up, then looks for the first ticket that is not published: either it finds this one or a
    /// later one, and begins behind the message that is replaced here; or this sees that it has joined.
    @inline(__always)
    private mutating func isOpen(_ ticket: UInt64) -> Bool {
        let now = topic.joins.loadSequential()
        if now == joins, ticket &- topic.log.size < lowest { return true }
        return look(now, ticket)
    }

    private mutating func look(_ now: UInt32, _ ticket: UInt64) -> Bool {
        joins = now
        lowest = topic.lowestCursor()
        return ticket &- topic.log.size < lowest
    }
}
