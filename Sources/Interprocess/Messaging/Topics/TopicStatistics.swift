/// Who takes part in a topic, and how far they are. May have changed when it is read.
public struct TopicStatistics: Sendable, Equatable {
    /// Messages that were published since the topic was made.
    public let published: UInt64
    public let publishers: Int
    public let losslessSubscribers: Int
    public let lossySubscribers: Int
    /// How many messages the subscriber that is furthest behind has yet to read; nil without subscribers. One that is lossy may have missed some of them already.
    public let mostBehind: UInt64?
    /// Messages that those lossy subscribers have missed that are there now.
    public let missed: UInt64
    /// Places for messages that are in use: in the log, on loan, held, or, with any number of publishers, ready for one's next message.
    public let places: Int
    /// Of these and the free ones, places whose message a subscriber holds.
    public let heldPlaces: Int

    init(_ topic: TopicWords) {
        let (log, chunks) = (topic.log, topic.chunks)
        let tail = (try? log.firstUnused()) ?? log.tail.loadAcquire()
        published = log.sequence(tail)
        var (counts, behind, missed) = ([TopicPeer.Kind: Int](), UInt64?.none, UInt64(0))
        for slot in 0..<topic.shape.peers {
            let peer = topic.peer(slot)
            guard let kind = TopicPeer.Role(word: peer.role.loadSequential()).kind else { continue }
            counts[kind, default: 0] += 1
            guard kind != .publisher else { continue }
            let cursor = peer.cursor.loadAcquire()
            behind = max(behind ?? 0, cursor < tail ? tail - cursor : 0)
            if kind == .lossy { missed &+= peer.missed.loadAcquire() }
        }
        publishers = counts[.publisher] ?? 0
        losslessSubscribers = counts[.lossless] ?? 0
        lossySubscribers = counts[.lossy] ?? 0
        mostBehind = behind
        self.missed = missed
        if topic.shape.isSole {
            let inLog = Set((0..<log.size).compactMap { LogEntry(word: log.entry($0).loadAcquire()).chunk })
            var (loans, samples) = (Set<Int>(), Set<Int>())
            for slot in 0..<topic.shape.peers {
                let peer = topic.peer(slot)
                let isPublisher = TopicPeer.Role(word: peer.role.loadSequential()).kind == .publisher
                for index in 0...topic.shape.holds {
                    let held = Int(peer.held(index).loadAcquire())
                    guard held > 0 else { continue }
                    if isPublisher { loans.insert(held - 1) } else { samples.insert(held - 1) }
                }
            }
            heldPlaces = samples.count
            places = inLog.union(loans).union(samples).count
            return
        }
        heldPlaces = (0..<chunks.count).count { chunks.readerCount($0) > 0 }
        places = (0..<chunks.count).count { !chunks.current($0).isFree || chunks.readerCount($0) > 0 }
    }
}
