import InterprocessSystem

/// A queue's receiver as a wait set sees it: by the words that processes share, since where the receiver is stands there as well, and the receiver is its owner's.
///
/// **Trust** `consumed`, the progress entries and the header are read once and compared; no place outside of the ring follows from them.
@safe
final class WatchedReceiver: WatchedObject, @unchecked Sendable {
    private let session: QueueSession
    private let dropping: DroppingReader?
    private let ring: UnsafeMutableRawPointer
    private let ringSize: UInt64
    private let alignment: Int
    private let consumed: SharedUInt64
    private let entries: (ProgressEntry, ProgressEntry)
    private let reported: SharedUInt64
    private var eventSeen: UInt32 = 0

    init(_ session: QueueSession, _ dropping: DroppingReader?, alignment: Int) {
        self.session = session
        self.dropping = dropping
        self.alignment = alignment
        unsafe ring = session.words.ring
        ringSize = UInt64(session.words.ringRange.count)
        consumed = session.words.consumed
        entries = (session.words.progress(0), session.words.progress(1))
        reported = session.words.reported
    }

    func look() -> WatchedState {
        guard session.isOpen else { return .closed }
        if let state = content() { return state }
        _ = session.endDeadOther()
        guard isEndUntold(session.other.current) else { return .idle }
        return .ready
    }

    func announce() -> Bool {
        let (seen, needsBarrier) = session.sleeper.announce()
        eventSeen = seen
        return needsBarrier
    }

    func goWithoutBarrier() { session.sleeper.goWithoutBarrier() }

    func wordsToSleepOn() -> SleepWords? {
        let role = session.other.current
        let life = session.life(of: role.holder)
        guard session.isOpen, content() == nil, !isEndUntold(role), session.other.current == role else { return nil }
        if let life, PeerTable.isDead(life.1) || life.1 == 0 { return nil }
        return SleepWords(event: session.sleeper.event, eventSeen: eventSeen, life: life?.0, lifeSeen: life?.1 ?? 0)
    }

    func cancel() { session.sleeper.cancel() }

    /// Whether there is an end that no receiver was told of.
    func isEndUntold(_ role: RoleWord) -> Bool {
        guard role.session != 0 else { return false }
        let told = UInt32(truncatingIfNeeded: reported.loadAcquire()) & RoleWord.sessionMask
        if role.ending != .none { return role.session.isSession(after: told) }
        return role.before != .none && ((role.session &- 1) & RoleWord.sessionMask).isSession(after: told)
    }

    /// Ready if something is to be received; nil if nothing is.
    func content() -> WatchedState? {
        if let dropping { return dropping.holdsSomething || dropping.hasSomething ? .ready : nil }
        for _ in 0..<1000 {
            let position = consumed.loadAcquire()
            let entry = entries.0.position.loadAcquire() == position ? entries.0 : entries.1
            let isInForce = entry.position.loadAcquire() == position
            // A header stands at the beginning of a record only.
            let isInBatch = entry.remaining.loadAcquire() > 0
            let isPossible = isInBatch || position % UInt64(alignment) == 0
            let isReady = isInBatch || isPossible && hasHeader(at: position)
            fullFence()
            // If another thread receives meanwhile, what was read may be something else's.
            guard consumed.loadAcquire() == position else { continue }
            guard isInForce, isPossible else { return .damaged("consumed") }
            return isReady ? .ready : nil
        }
        return .ready
    }

    private func hasHeader(at position: UInt64) -> Bool {
        unsafe SharedUInt64(at: ring + Int(position % ringSize) + alignment - RecordGeometry.leastAlignment).loadAcquire() != 0
    }
}
