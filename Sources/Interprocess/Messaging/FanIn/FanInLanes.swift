import InterprocessSystem

/// The receiving side of a fan-in queue, for messages of any type: all its lanes, which of them to look at, and how to wait for any.
///
/// Each lane is read by a ``QueueReceiverCore``, as a queue of its own. A round goes over the lanes that have a sender or something left; which these are is found out anew when
/// `receiver_event` has changed, which whoever begins or ends a sender's session counts up.
///
/// **Source** decision record 0013.
@safe @usableFromInline
final class FanInLanes: @unchecked Sendable {
    let segment: Segment
    let words: FanInWords
    /// The same for each lane, made once.
    private let laneWords: [QueueWords]
    /// Each lane's ring, twice in a row; mapped from the beginning, so that receiving makes no system call that can fail.
    private let rings: [UnsafeMutableRawPointer]
    /// Has the receiver's role, for all lanes.
    private let main: QueueSession
    private let elementSize: Int
    private let alignment: Int
    /// One for each lane that was ever used, made when it is first looked at.
    private let cores: UnsafeMutablePointer<QueueReceiverCore>
    private var states: [LaneState]
    let damaged = DamagedLanes()
    /// The lanes of a round.
    private var round: [Int] = []
    /// The place in the round of the lane that was last taken from.
    private var place = 0
    private var eventSeen: UInt32?
    /// Every sender that has come has ended, and everything was received.
    private var isOver = false
    /// This receiver was told of an ending: it says so again when nothing else is left. Another receiver waits for the next sender.
    private var hasHeardEnd = false
    private var isAnnounced = false

    private struct LaneState {
        var isOpen = false
        /// Its sender has ended, and something was left when last looked.
        var isEnding = false
    }

    /// What the next thing to do is.
    @safe @usableFromInline
    enum Found {
        /// A message, or the rest of a batch, at the current place of this lane.
        case payload(UnsafeMutablePointer<QueueReceiverCore>, bytes: UInt64, headerSize: UInt64)
        case end
        case failed(ReceiveError)
    }

    init(_ segment: Segment, alignment: Int, elementSize: Int) throws(InterprocessError) {
        self.segment = segment
        self.alignment = alignment
        self.elementSize = elementSize
        words = try FanInSegment.words(segment)
        laneWords = words.lanes
        var rings: [UnsafeMutableRawPointer] = unsafe []
        for lane in 0..<words.shape.lanes { unsafe rings.append(try FanInSegment.ring(segment, words, lane, populate: false)) }
        unsafe self.rings = rings
        // The ring of this session is never read: the lanes' are.
        main = try unsafe QueueSession(segment, laneWords[0], ring: segment.mapping.data, .receiver, overflow: .wait)
        states = Array(repeating: LaneState(), count: words.shape.lanes)
        unsafe cores = .allocate(capacity: words.shape.lanes)
    }

    deinit {
        for lane in states.indices where states[lane].isOpen { unsafe (cores + lane).deinitialize(count: 1) }
        unsafe cores.deallocate()
    }

    func close() { main.close() }

    var isDetached: Bool { main.isDetached }
    var session: QueueSession { main }

    // MARK: Looking

    /// The next lane that has something, or what is to be said; nil if there is nothing. O(lanes of a round).
    func next() -> Found? {
        if let field = damaged.tellNext() { return againAfter(.damaged(field)) }
        let event = main.sleeper.event.loadAcquire()
        if event != eventSeen {
            eventSeen = event
            if let found = lookAtAll() { return found }
        }
        for step in 1...max(1, round.count) where !round.isEmpty {
            let candidate = place + step
            let index = candidate >= round.count ? candidate - round.count : candidate
            let core = unsafe cores + round[index]
            let lane = round[index]
            guard unsafe states[lane].isEnding || core.pointee.hasSomething else { continue }
            if let found = look(lane) {
                if case .payload = found { place = index }
                return found
            }
            states[lane].isEnding = false
        }
        // A lane has come to its end: perhaps it was the last.
        if eventSeen == nil { return next() }
        return isOver ? .end : nil
    }

    /// Finds out which lanes have a sender or something left, and about endings. Nil if nothing is to be said. O(lanes).
    private func lookAtAll() -> Found? {
        let last = round.isEmpty ? nil : round[min(place, round.count - 1)]
        round.removeAll(keepingCapacity: true)
        place = 0
        isOver = false
        var isDeaf = false
        for lane in states.indices {
            let laneWords = laneWords[lane]
            let role = RoleWord(word: laneWords.sender.loadSequential())
            guard role.session != 0 else { continue }
            if damaged.isTold(lane) {
                if role.holder != nil { isDeaf = true }
                continue
            }
            if let failure = open(lane, laneWords) { return againAfter(failure) }
            if isOut(lane) { continue }
            if unsafe !(cores + lane).pointee.hasSomething {
                if case .failed(let failure)? = look(lane) { return againAfter(failure) }
                if isOut(lane) { continue }
            }
            // Told when what is left was received.
            states[lane].isEnding = role.ending != .none
            if lane == last { place = round.count }
            round.append(lane)
        }
        isOver = hasHeardEnd && round.isEmpty && !isDeaf
        return nil
    }

    /// This look at all lanes did not come to its end: the next call makes another.
    private func againAfter(_ failure: ReceiveError) -> Found {
        eventSeen = nil
        return .failed(failure)
    }

    /// Whether the lane's last sender has ended, a receiver was told, and everything was received.
    private func isOut(_ lane: Int) -> Bool {
        let core = unsafe cores + lane
        let session = unsafe core.pointee.session
        let role = session.other.current
        let reported = UInt32(truncatingIfNeeded: session.words.reported.loadAcquire()) & RoleWord.sessionMask
        guard role.ending != .none, reported == role.session else { return false }
        return unsafe !core.pointee.hasSomething
    }

    /// What a lane's core has to say; nil if nothing that the caller is told: of endings only deaths.
    private func look(_ lane: Int) -> Found? {
        let core = unsafe cores + lane
        while true {
            switch unsafe core.pointee.look() {
            case .payload(let bytes, let headerSize): return unsafe .payload(core, bytes: bytes, headerSize: headerSize)
            case .nothing: return nil
            case .end(let end):
                hasHeardEnd = true
                // The round may be another now.
                eventSeen = nil
                if case .died(let notice) = end { return .failed(.peerDied(notice)) }
                if isOut(lane) { return nil }
            case .damaged(let field):
                damaged.tell(lane)
                return againAfter(.damaged(field))
            }
        }
    }

    /// Makes the core of a lane that is looked at for the first time.
    private func open(_ lane: Int, _ laneWords: QueueWords) -> ReceiveError? {
        if states[lane].isOpen { return nil }
        do throws(InterprocessError) {
            let session = unsafe QueueSession(borrowing: main, laneWords, ring: rings[lane])
            try unsafe (cores + lane).initialize(to: QueueReceiverCore(session, alignment: alignment, elementSize: elementSize))
            states[lane].isOpen = true
            return nil
        } catch {
            damaged.tell(lane)
            return .damaged("lane")
        }
    }

    // MARK: Waiting

    /// One look of a call that waits.
    private func look(_ call: inout WaitingCall) -> Look<Found> {
        cancelSleep()
        if let found = next() { return .done(found) }
        main.publishProcessor()
        if isDetached { return .done(.failed(.detached)) }
        guard call.maySleep else { return .busy }
        while true {
            if let words = prepareToSleep() { return .sleep(words) }
            // Something has changed since the last look at all lanes.
            if let found = next() { return .done(found) }
        }
    }

    /// Announces a sleep; nil if there is something to do first. To be followed by ``cancelSleep()``.
    private func prepareToSleep() -> SleepWords? {
        let deaths = segment.attachment.table.deaths
        let deathsSeen = deaths.loadAcquire()
        let seen = main.sleeper.prepare()
        isAnnounced = true
        guard !holdsSomething, seen == eventSeen else {
            cancelSleep()
            return nil
        }
        return SleepWords(event: main.sleeper.event, eventSeen: seen, life: deaths, lifeSeen: deathsSeen)
    }

    private func cancelSleep() {
        guard isAnnounced else { return }
        isAnnounced = false
        main.sleeper.cancel()
    }

    private var holdsSomething: Bool { round.contains { unsafe (cores + $0).pointee.hasSomething } }

    /// The next message, or why there is none; waits until there is one.
    func wait(_ strategy: WaitStrategy, until deadline: Deadline) -> Found {
        if let found = next() { return found }
        var call = WaitingCall(maySleep: true)
        return finish(WaitingCall.block(strategy, until: deadline, &call) { look(&$0) })
    }

    func suspend(until deadline: Deadline) async -> Found {
        if let found = next() { return found }
        var call = WaitingCall(maySleep: true)
        return finish(await WaitingCall.suspend(segment, until: deadline, &call) { look(&$0) })
    }

    private func finish(_ ending: WaitEnding<Found>) -> Found {
        cancelSleep()
        switch ending {
        case .done(let found): return found
        case .deadline: return .failed(.deadline)
        case .cancelled: return .failed(.cancelled)
        }
    }

    /// Without waiting. Nil: nothing is there.
    func tryNext() -> Found? {
        if let found = next() { return found }
        return isDetached ? .failed(.detached) : nil
    }
}
