import InterprocessSystem

/// A fan-in queue's receiver as a wait set sees it: each lane that was ever used as a queue's receiver, and one sleep for all.
final class WatchedFanIn: WatchedObject, @unchecked Sendable {
    private let main: QueueSession
    private let lanes: [(words: QueueWords, watched: WatchedReceiver, session: QueueSession)]
    private let damaged: DamagedLanes
    private let deaths: SharedUInt32
    private var eventSeen: UInt32 = 0
    private var deathsSeen: UInt32 = 0

    init(_ lanes: FanInLanes) {
        main = lanes.session
        damaged = lanes.damaged
        let header = lanes.segment.header
        let alignment = RecordGeometry.alignment(for: header.element.alignment)
        deaths = lanes.segment.attachment.table.deaths
        self.lanes = lanes.words.lanes.map { [main] words in
            // Headers are read one by one: the ring is not needed twice in a row.
            let session = unsafe QueueSession(borrowing: main, words, ring: words.ring)
            return (words, WatchedReceiver(session, nil, alignment: alignment), session)
        }
    }

    func look() -> WatchedState {
        guard main.isOpen else { return .closed }
        return content() ?? .idle
    }

    /// What a lane holds, or has to tell: endings too, since the last of them is the queue's.
    private func content() -> WatchedState? {
        for (index, lane) in lanes.enumerated() where lane.words.wasUsed {
            var state = lane.watched.content()
            if state == nil {
                _ = lane.session.endDeadOther()
                if lane.watched.isEndUntold(lane.session.other.current) { state = .ready }
            }
            guard let state, !damaged.isTold(index) else { continue }
            // The receiver tells of it, and the other lanes go on.
            if case .damaged(let field) = state { damaged.found(index, field) }
            return .ready
        }
        return nil
    }

    func announce() -> Bool {
        deathsSeen = deaths.loadAcquire()
        let (seen, needsBarrier) = main.sleeper.announce()
        eventSeen = seen
        return needsBarrier
    }

    func goWithoutBarrier() { main.sleeper.goWithoutBarrier() }

    func wordsToSleepOn() -> SleepWords? {
        guard main.isOpen, content() == nil else { return nil }
        return SleepWords(event: main.sleeper.event, eventSeen: eventSeen, life: deaths, lifeSeen: deathsSeen)
    }

    func cancel() { main.sleeper.cancel() }
}
