import InterprocessSystem

extension ObjectRecovery {
    /// What a service does for a dead peer: calls that it made end, calls that it served are their clients' again.
    static let service = ObjectRecovery(
        claims: { mapping, peer in
            guard let words = try? ServiceWords(checking: mapping) else { return [] }
            return ServiceRepair(words).holds(peer) ? .calls : []
        },
        recover: { mapping, peer in
            guard let words = try? ServiceWords(checking: mapping) else { return }
            ServiceRepair(words).recover(peer)
        })
}

/// Ending what a dead peer had of a service. Idempotent, and safe while others work.
struct ServiceRepair {
    private let words: ServiceWords
    private let records: CallRecords

    init(_ words: ServiceWords) {
        self.words = words
        records = words.records
    }

    /// O(calls + entries).
    func holds(_ peer: PeerID) -> Bool {
        let sent = NamedSlots(slots: records.count, [words.ring])
        for index in 0..<records.count where next(index, peer, sent) != nil { return true }
        return false
    }

    /// O(calls + entries).
    func recover(_ peer: PeerID) {
        let sent = NamedSlots(slots: records.count, [words.ring])
        for index in 0..<records.count {
            // Each change leads further; more than a few are somebody's who writes what he should not.
            for _ in 0..<16 {
                guard let (seen, new) = next(index, peer, sent) else { break }
                _ = records.change(index, seen, new)
            }
        }
        // Also if a repairer before has done all of it and died before this.
        records.remakeHints()
        words.withdrawn.storeRelease(1)
        fullFence()
        for index in 0..<records.count {
            records.answer(index).notifyAll()
            records.attention(index).notifyAll()
        }
        words.items.notifyAll()
        words.space.notifyAll()
    }

    /// What is to become of a call because of the death; nil: nothing.
    private func next(_ index: Int, _ peer: PeerID, _ sent: borrowing NamedSlots) -> (CallState, CallState)? {
        // The state before the client's word: the compare-exchange holds the two together.
        let seen = records.current(index)
        let isServers = seen.peerBits == peer.rawValue
        let isClients = records.client(index).loadAcquire() == peer.rawValue
        switch seen.kind {
        case .sending:
            guard isServers else { return nil }
            // Published is what an entry names. The dead publish nothing more.
            return (seen, sent.contains(index, generation: seen.generation) ? seen.withdrawn() : seen.freed())
        case .serving:
            if isClients { return (seen, seen.abandoned()) }
            return isServers ? (seen, seen.failed()) : nil
        case .abandoned: return isServers ? (seen, seen.freed()) : nil
        case .replied, .failed: return isClients ? (seen, seen.freed()) : nil
        case .free, .withdrawn, nil: return nil
        }
    }
}
