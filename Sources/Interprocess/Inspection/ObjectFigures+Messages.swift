/// What objects say that carry messages.
extension ObjectFigures {
    mutating func add(_ it: QueueStatistics) {
        level("waiting", it.waiting)
        level("waiting bytes", it.waitingBytes)
        counter("sent", it.sent)
        counter("received", it.received)
        counter("dropped", it.dropped)
    }

    mutating func addSharedQueue(_ mapping: SegmentMapping) throws(QueueDamage) {
        let words = try SharedQueueWords(checking: mapping)
        let it = SharedQueueStatistics(words, peers: mapping.header.maximumPeers)
        level("waiting", it.waiting)
        level("taken", it.taken)
        level("dead letters", it.deadLetters)
        counter("dropped", it.dropped)
        let slots = words.slots
        var taken: [PeerID: Int] = [:]
        for slot in 0..<slots.count {
            let state = slots.current(slot)
            if state.kind == .taken, let peer = PeerID(rawValue: state.peerBits) { taken[peer, default: 0] += 1 }
        }
        for (peer, count) in taken { part(peer, "has \(messages(count))") }
    }

    mutating func addTopic(_ mapping: SegmentMapping) throws(QueueDamage) {
        let words = try TopicWords(checking: mapping)
        let it = TopicStatistics(words)
        counter("published", it.published)
        level("publishers", it.publishers)
        level("lossless subscribers", it.losslessSubscribers)
        level("lossy subscribers", it.lossySubscribers)
        level("behind", it.mostBehind ?? 0)
        counter("missed", it.missed)
        level("held", it.heldPlaces)
        let tail = words.log.tail.loadAcquire()
        for slot in 0..<words.shape.peers {
            let record = words.peer(slot)
            let role = TopicPeer.Role(word: record.role.loadSequential())
            guard let kind = role.kind, let peer = PeerID(rawValue: role.peerBits) else { continue }
            let cursor = record.cursor.loadAcquire()
            let behind = cursor < tail ? tail - cursor : 0
            switch kind {
            case .publisher: part(peer, "publisher")
            case .lossless: part(peer, "lossless subscriber, \(messages(behind)) behind")
            case .lossy: part(peer, "lossy subscriber, \(messages(behind)) behind, has missed \(record.missed.loadAcquire())")
            }
        }
    }

    mutating func addService(_ mapping: SegmentMapping) throws(QueueDamage) {
        let words = try ServiceWords(checking: mapping)
        let records = words.records
        let it = ServiceStatistics(records)
        level("waiting", it.waiting)
        level("serving", it.serving)
        level("ended", it.ended)
        level("abandoned", it.abandoned)
        var serving: [PeerID: Int] = [:]
        for index in 0..<records.count {
            let state = records.current(index)
            if state.kind == .serving, let peer = state.peer { serving[peer, default: 0] += 1 }
        }
        var servers = 0
        for slot in 0..<mapping.header.maximumPeers {
            guard let peer = PeerID(rawValue: words.server(slot).loadSequential()), peer.slot == slot else { continue }
            servers += 1
            part(peer, "server" + (serving[peer].map { ", serves \($0)" } ?? ""))
        }
        level("servers", servers)
    }

    private func messages(_ count: some BinaryInteger) -> String { count == 1 ? "1 message" : "\(count) messages" }
}
