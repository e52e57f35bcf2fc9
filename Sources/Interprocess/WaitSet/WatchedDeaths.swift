import InterprocessSystem
import Synchronization

/// The deaths of a segment's peers, for who looks at them when it likes; see ``Segment/deathListener()``.
public final class DeathListener: Sendable {
    private let segment: Segment
    private let told: Atomic<UInt32>
    private var table: PeerTable { segment.attachment.table }

    init(_ segment: Segment) {
        self.segment = segment
        told = Atomic(segment.attachment.table.deaths.loadAcquire())
    }

    /// The deaths since the last call; none if nobody has died. Never blocks. O(deaths).
    ///
    /// Of more than 31 the last 31 are told.
    public func poll() -> [DeathNotice] {
        guard !segment.attachment.isForeign else { return [] }
        let (notices, next) = table.notices(since: told.load(ordering: .relaxed))
        told.store(next, ordering: .relaxed)
        return notices
    }
}

extension Segment {
    /// The deaths of other peers from now on, without a task that waits for them as ``deaths`` needs; for ``WaitSet/add(_:)-(DeathListener)``.
    public func deathListener() -> DeathListener { DeathListener(self) }
}

extension DeathListener: WatchedObject {
    func look() -> WatchedState {
        if segment.attachment.isForeign { return .closed }
        return table.deaths.loadAcquire() == told.load(ordering: .relaxed) ? .idle : .ready
    }

    func announce() -> Bool { false }

    func wordsToSleepOn() -> SleepWords? {
        let told = told.load(ordering: .relaxed)
        guard table.deaths.loadAcquire() == told else { return nil }
        return SleepWords(event: table.deaths, eventSeen: told, life: nil, lifeSeen: 0)
    }

    func cancel() {}
}
