import InterprocessSystem
import Synchronization

/// What a subscriber remembers, and how it reads; see decision record 0009.
@frozen @safe @usableFromInline
struct SubscriberCore: @unchecked Sendable {
    @usableFromInline let topic: TopicCore
    let mode: SubscriptionMode
    /// The ticket of the next message.
    private(set) var cursor: UInt64
    /// Messages from this ticket on are replaced only after this subscriber has read them.
    private var protected: UInt64
    /// Messages that were gone before this subscriber came to them: in all, before the last message, and since.
    private(set) var missed: UInt64 = 0
    private(set) var lastMissed: UInt64 = 0
    private var gap: UInt64 = 0
    private(set) var lastSequence: UInt64?
    /// How often in a row it was overtaken.
    private var overtaken = 0

    // What is looked at with each message.
    private let log: TopicLog
    private let bytes: UnsafeMutableRawPointer
    private let stride: Int
    private let chunks: Int
    private let cursorWord: SharedUInt64

    private init(_ topic: TopicCore, _ mode: SubscriptionMode) {
        (self.topic, self.mode) = (topic, mode)
        cursor = 0
        protected = .max
        log = topic.log
        unsafe bytes = topic.bytes(0)
        (stride, chunks, cursorWord) = (topic.shape.messageSize, topic.shape.chunks, topic.record.cursor)
        topic.record.missed.storeRelaxed(0)
    }

    init(joining topic: TopicCore, _ mode: SubscriptionMode, _ history: TopicHistory, _ name: ObjectName) throws(InterprocessError) {
        do throws(QueueDamage) {
            self.init(topic, mode)
            try join(history)
        } catch {
            topic.leave()
            throw TopicCore.damage(error, name.description)
        }
    }

    /// Takes part, from the message on that `history` says.
    mutating func join(_ history: TopicHistory) throws(QueueDamage) {
        let log = topic.log
        func oldest(_ tail: UInt64) -> UInt64 { max(tail &- log.size, log.firstTicket) }
        var tail = try log.firstUnused()
        if mode == .lossless {
            // From here on publishers do not pass this; so it is as far back as anything may begin, and only goes on.
            topic.record.cursor.storeRelease(oldest(tail))
            topic.enter(as: .lossless)
            // SYNC topic.join
            topic.joins.add(1)
            topic.orderJoin()
            tail = try log.firstUnused()
            // The message with the ticket `tail` may be just taking the place of the one before this.
            protected = tail &- log.size &+ 1
        }
        let wanted: UInt64 =
            switch history {
            case .none: 0
            case .last(let count): UInt64(max(0, count))
            case .all: log.size
            }
        cursor = max(oldest(tail), tail &- min(wanted, log.size))
        topic.record.cursor.storeRelease(cursor)
        if mode == .lossless { topic.cursorHasMoved(to: cursor) } else { topic.enter(as: .lossy) }
    }

    mutating func rejoin(_ history: TopicHistory) throws(SubscriptionError) {
        if topic.isForeign { throw .detached }
        (gap, overtaken) = (0, 0)
        topic.beginAnew()
        do throws(QueueDamage) {
            try join(history)
        } catch {
            topic.leave()
            throw failure(error.field)
        }
    }

    func close() { topic.leave() }

    /// The number of the next message that this subscriber comes to.
    @usableFromInline var nextSequence: UInt64 { topic.log.sequence(cursor) }

    private func failure(_ field: String) -> SubscriptionError { topic.isForeign ? .detached : .damaged(field) }

    // MARK: Looking

    /// A message where it stands, which may be gone before it was read.
    @frozen @safe @usableFromInline
    struct Place: @unchecked Sendable {
        @usableFromInline let bytes: UnsafeMutableRawPointer
        let chunk: Int
        let entry: UInt64
        /// It cannot go before the cursor has moved.
        @usableFromInline let isProtected: Bool
    }

    @frozen @usableFromInline
    enum Found {
        case message(Place)
        case nothing
        /// Nothing is left, and nothing more comes.
        case finished
        case failed(SubscriptionError)
    }

    /// The next message, if there is one; goes on to one that is still there if it has been overtaken.
    @usableFromInline
    mutating func look() -> Found {
        let log = topic.log
        for _ in 0..<Self.mostOvertaken {
            let seen = LogEntry(word: log.entry(cursor).loadAcquire())
            let distance = seen.distance(from: log.lap(cursor))
            if distance == 0 {
                guard let chunk = seen.chunk, chunk < topic.chunks.count else { return .failed(failure("entry")) }
                return .message(
                    unsafe Place(bytes: topic.bytes(chunk), chunk: chunk, entry: seen.word, isProtected: cursor >= protected))
            }
            if distance < 0 {
                guard seen.isOpen, distance == -1 else { return .failed(failure("entry")) }
                guard topic.finished.loadRelaxed() != 0 else { return .nothing }
                // What was published before the topic was finished is seen by who has seen that it was.
                fullFence()
                if log.entry(cursor).loadAcquire() == seen.word { return .finished }
                continue
            }
            do throws(QueueDamage) {
                try goOn()
            } catch {
                return .failed(failure(error.field))
            }
        }
        return .nothing
    }

    /// Tries in one look; then the deadline is looked at, and others run.
    private static let mostOvertaken = 64

    /// Where the next message stands, if it is there and cannot go before the cursor has moved. ``advance()`` follows, or nothing.
    @usableFromInline
    mutating func quickPlace() -> UnsafeMutableRawPointer? {
        guard let chunk = quickChunk() else { return nil }
        return unsafe bytes + chunk &* stride
    }

    @inline(__always)
    private mutating func quickChunk() -> Int? {
        let seen = log.entry(cursor).loadAcquire()
        // In the lap of the cursor only the lowest bits are left, and these are the chunk's number, plus 1.
        let chunk = Int(bitPattern: UInt(seen &- LogEntry.unused(lap: log.lap(cursor)).word)) &- 1
        return cursor >= protected && UInt(bitPattern: chunk) < UInt(bitPattern: chunks) ? chunk : nil
    }

    /// The next message of a topic of one publisher, held while the subscriber goes on, if it is there and cannot go before the cursor has moved, and one more can be held.
    @usableFromInline
    mutating func takeQuickly() -> ChunkHold? {
        guard topic.isSole, let chunk = quickChunk(), let held = topic.holds.begin(chunk) else { return nil }
        let (sequence, missed) = (nextSequence, gap)
        advance()
        return unsafe ChunkHold(chunk: chunk, sequence: sequence, missed: missed, bytes: bytes + chunk &* stride, place: held)
    }

    /// Goes on to a message that is still there.
    private mutating func goOn() throws(QueueDamage) {
        // Nobody replaces what a lossless subscriber has not read, but for the first one of its history.
        guard cursor < protected else { throw QueueDamage(field: "entry") }
        if mode == .lossless {
            cursor = protected
            topic.record.cursor.storeRelease(cursor)
            return topic.cursorHasMoved(to: cursor)
        }
        let log = topic.log
        let tail = try log.firstUnused()
        // The oldest; but who was overtaken there would be again: so further to the front with each time.
        let skip = overtaken == 0 ? 0 : min(log.size &- 1, log.size &>> UInt64(max(0, 4 - overtaken)))
        overtaken += 1
        let next = max(tail &- log.size &+ skip, cursor &+ 1)
        gap &+= next &- cursor
        missed &+= next &- cursor
        cursor = next
        topic.record.missed.storeRelease(missed)
        topic.record.cursor.storeRelease(cursor)
    }

    // MARK: Reading

    /// Whether what was just copied is the message: it was still there afterwards.
    @usableFromInline @inline(__always)
    func wasThere(_ place: Place) -> Bool {
        if place.isProtected { return true }
        // SYNC log.copy
        atomicMemoryFence(ordering: .acquiring)
        return topic.log.entry(cursor).loadAcquire() == place.entry
    }

    /// Holds the message while it is looked at. False: it is gone.
    private func hold(_ place: Place) -> Bool {
        if topic.isSole { return isStill(place, topic.holds.look(place.chunk)) }
        // SYNC chunk.readers
        topic.hold(place.chunk)
        if place.isProtected || topic.log.entry(cursor).loadSequential() == place.entry { return true }
        topic.letGo(place.chunk)
        return false
    }

    /// `SYNC topic.held`. False: it was gone before it was held, and is not held now.
    @inline(__always)
    private func isStill(_ place: Place, _ held: HoldPlace) -> Bool {
        // The publisher sees the hold before it can see the cursor beyond it.
        if place.isProtected { return true }
        fullFence()
        if topic.log.entry(cursor).loadSequential() == place.entry { return true }
        held.end()
        return false
    }

    /// Makes sure of the message while it is looked at in place. False: it is gone.
    @usableFromInline
    func borrow(_ place: Place) -> Bool { place.isProtected || hold(place) }

    @usableFromInline
    func endBorrowing(_ place: Place) {
        if place.isProtected { return }
        if topic.isSole { topic.holds.endLook() } else { topic.letGo(place.chunk) }
    }

    /// The message at the cursor has been received.
    @usableFromInline
    mutating func advance() {
        lastSequence = nextSequence
        lastMissed = gap
        gap = 0
        overtaken = 0
        cursor &+= 1
        cursorWord.storeRelease(cursor)
        if mode == .lossless { topic.cursorHasMoved(to: cursor) }
    }

    /// The message at the cursor, held while the subscriber goes on. Nil: it is gone.
    private mutating func take(_ place: Place) throws(SubscriptionError) -> ChunkHold? {
        if topic.isSole {
            guard let held = topic.holds.begin(place.chunk) else { throw .tooManySamples(limit: topic.shape.holds) }
            guard isStill(place, held) else { return nil }
            let sequence = nextSequence
            advance()
            return unsafe ChunkHold(chunk: place.chunk, sequence: sequence, missed: lastMissed, bytes: place.bytes, place: held)
        }
        guard topic.beginHolding() else { throw .tooManySamples(limit: topic.shape.holds) }
        guard hold(place) else {
            topic.endHolding()
            return nil
        }
        let sequence = nextSequence
        advance()
        return unsafe ChunkHold(chunk: place.chunk, sequence: sequence, missed: lastMissed, bytes: place.bytes, place: nil)
    }

    @usableFromInline
    mutating func take(_ strategy: WaitStrategy, until deadline: Deadline) throws(SubscriptionError) -> ChunkHold? {
        while true {
            guard let place = try next(strategy, until: deadline) else { return nil }
            if let hold = try take(place) { return hold }
        }
    }

    mutating func take(until deadline: Deadline) async throws(SubscriptionError) -> ChunkHold? {
        while true {
            guard let place = try await next(until: deadline) else { return nil }
            if let hold = try take(place) { return hold }
        }
    }

    /// Nil: there is nothing now.
    @usableFromInline
    mutating func tryTake() throws(SubscriptionError) -> ChunkHold? {
        while let place = try tryNext() { if let hold = try take(place) { return hold } }
        return nil
    }

    // MARK: Waiting

    /// Where the next message stands; waits for one. Nil at the end of the topic.
    @usableFromInline @inline(__always)
    mutating func next(_ strategy: WaitStrategy, until deadline: Deadline) throws(SubscriptionError) -> Place? {
        while true {
            switch look() {
            case .message(let place): return place
            case .nothing:
                if let error = wait(strategy, until: deadline) { throw error }
                // It has been overtaken again and again, and has not slept.
                if overtaken > 0, deadline.hasPassed { throw .deadline }
            case .finished: return nil
            case .failed(let error): throw error
            }
        }
    }

    mutating func next(until deadline: Deadline) async throws(SubscriptionError) -> Place? {
        while true {
            switch look() {
            case .message(let place): return place
            case .nothing:
                if let error = await wait(until: deadline) { throw error }
                if overtaken > 0 {
                    if deadline.hasPassed { throw .deadline }
                    if Task.isCancelled { throw .cancelled }
                    // Messages come faster than this task can read: others are to have the thread as well.
                    await Task.yield()
                }
            case .finished: return nil
            case .failed(let error): throw error
            }
        }
    }

    /// Where the next message stands, if there is one now.
    ///
    /// - Throws: `closed` at the end of the topic.
    @usableFromInline @inline(__always)
    mutating func tryNext() throws(SubscriptionError) -> Place? {
        switch look() {
        case .message(let place): return place
        case .nothing: return nil
        case .finished: throw .closed
        case .failed(let error): throw error
        }
    }

    /// Waits until there is something to look at. Nil: there is; or why not.
    @usableFromInline
    mutating func wait(_ strategy: WaitStrategy, until deadline: Deadline) -> SubscriptionError? {
        var call = WaitingCall(maySleep: true)
        return finish(WaitingCall.block(strategy, until: deadline, &call) { call in lookForSomething(&call) })
    }

    mutating func wait(until deadline: Deadline) async -> SubscriptionError? {
        var call = WaitingCall(maySleep: true)
        return finish(await WaitingCall.suspend(topic.segment, until: deadline, &call) { call in lookForSomething(&call) })
    }

    private func finish(_ ending: WaitEnding<Void>) -> SubscriptionError? {
        switch ending {
        case .done: nil
        case .deadline: .deadline
        case .cancelled: .cancelled
        }
    }

    private func lookForSomething(_ call: inout WaitingCall) -> Look<Void> {
        topic.look(&call) { topic.hasSomething(at: cursor) ? () : nil }
    }
}
