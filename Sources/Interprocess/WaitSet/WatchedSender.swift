import InterprocessSystem

/// A queue's sender as a wait set sees it: where it is follows from the records that it has published.
///
/// **Trust** each record is checked by ``QueueWalk`` before it is followed.
final class WatchedSender: WatchedObject, @unchecked Sendable {
    private let session: QueueSession
    private let walk: QueueWalk
    private let ringSize: UInt64
    /// Bytes of the record that is to have room, and of what stands before and behind it.
    private let needed: UInt64
    /// The receiver's session when the sender came; see ``QueueSenderCore``.
    private let knownReceiver: UInt32
    /// The end of what was published when last looked at.
    private var tail: QueueWalk.Place?
    private var eventSeen: UInt32 = 0
    private let wants: SharedUInt64

    init(_ session: QueueSession, knownReceiver: UInt32, alignment: Int, elementSize: Int, recordSize: Int) {
        self.session = session
        self.knownReceiver = knownReceiver
        walk = QueueWalk(session.words, alignment: alignment, elementSize: elementSize)
        ringSize = UInt64(session.words.ringRange.count)
        wants = session.words.senderWants
        // The zero behind it, and the record that says that this session begins, which may still be owed.
        needed = UInt64(recordSize + alignment + (session.before.session == 0 ? 0 : alignment))
    }

    func look() -> WatchedState {
        guard session.isOpen else { return .closed }
        if session.overflow != .wait { return .ready }
        _ = session.endDeadOther()
        if hasEnded(session.other.current) { return .ready }
        do throws(QueueDamage) {
            return hasRoom(at: try end().position) ? .ready : .idle
        } catch {
            return .damaged(error.field)
        }
    }

    func announce() -> Bool {
        let (seen, needsBarrier) = session.sleeper.announce { besideOthers in
            // Unlike a call that waits for room itself, which lets half of the queue become free: a receiver may wait for what comes of the room that it has made.
            guard let position = tail.map({ $0.position &+ needed &- ringSize }) else { return }
            // There is one word for all who watch: the one that needs least room is woken, and with it the others, which announce anew.
            if besideOthers, Int64(bitPattern: wants.loadRelaxed() &- position) <= 0 { return }
            wants.storeRelaxed(position)
        }
        eventSeen = seen
        return needsBarrier
    }

    func goWithoutBarrier() { session.sleeper.goWithoutBarrier() }

    func wordsToSleepOn() -> SleepWords? {
        let role = session.other.current
        let life = session.life(of: role.holder)
        guard session.isOpen, !hasEnded(role), let tail, !hasRoom(at: tail.position), session.other.current == role else { return nil }
        if let life, PeerTable.isDead(life.1) || life.1 == 0 { return nil }
        return SleepWords(event: session.sleeper.event, eventSeen: eventSeen, life: life?.0, lifeSeen: life?.1 ?? 0)
    }

    func cancel() { session.sleeper.cancel() }

    /// Whether a call would say that the receiver has ended.
    private func hasEnded(_ role: RoleWord) -> Bool {
        role.holder == nil && role.session != 0 && role.session.isSession(after: knownReceiver)
    }

    private func hasRoom(at end: UInt64) -> Bool { end &+ needed &- session.consumed <= ringSize }

    /// The end of what is published. O(records since the last look); the first one O(records).
    private func end() throws(QueueDamage) -> QueueWalk.Place {
        var place: QueueWalk.Place
        if let tail, Int64(bitPattern: session.consumed &- tail.position) <= 0 { place = tail } else { place = try walk.tail() }
        do throws(QueueDamage) {
            while let next = try walk.step(place) { place = next.place }
        } catch {
            // The sender has gone on meanwhile, and the receiver too.
            place = try walk.tail()
        }
        tail = place
        return place
    }
}
