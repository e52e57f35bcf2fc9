import InterprocessSystem

extension ObjectRecovery {
    /// What a topic does for a dead peer: chunks that it was filling or had just replaced become free, what it held is let go, and nobody waits for it.
    static let topic = ObjectRecovery(
        claims: { mapping, peer in
            guard let words = try? TopicWords(checking: mapping) else { return [] }
            return TopicRepair(words).holds(peer) ? .messages : []
        },
        recover: { mapping, peer in
            guard let words = try? TopicWords(checking: mapping) else { return }
            TopicRepair(words).recover(peer)
        })
}

/// Giving back what a dead peer had of a topic. Idempotent, and safe while others work.
struct TopicRepair {
    private let words: TopicWords
    private let log: TopicLog
    private let chunks: TopicChunks

    init(_ words: TopicWords) {
        self.words = words
        (log, chunks) = (words.log, words.chunks)
    }

    func holds(_ peer: PeerID) -> Bool {
        if words.shape.isSole {
            return (0...words.shape.holds).contains { words.peer(peer.slot).held($0).loadAcquire() != 0 }
        }
        return (0..<chunks.count).contains { chunk in
            let state = chunks.current(chunk)
            return chunks.isHeld(chunk, slot: peer.slot) || state.isFilling && state.peerBits == peer.rawValue && !isPublished(chunk)
        }
    }

    /// O(chunks).
    func recover(_ peer: PeerID) {
        if words.shape.isSole { letGoAll(of: peer) } else { giveBack(from: peer) }
        // A publisher that the dead one held up goes on.
        let record = words.peer(peer.slot)
        let role = record.role.loadSequential()
        if TopicPeer.Role(word: role).peerBits == peer.rawValue { _ = record.role.compareExchange(role, 0) }
        words.items.notifyAll()
        words.space.notifyAll()
    }

    /// What a dead peer held of a topic of one publisher. If it was the publisher, the log says what it had published, and what it had not is nobody's.
    private func letGoAll(of peer: PeerID) {
        let record = words.peer(peer.slot)
        for index in 0...words.shape.holds { record.held(index).storeRelease(0) }
        record.reach.storeRelease(0)
        let claim = words.publisher.loadSequential()
        // The next one may have taken it over already.
        if claim == ClaimWord.of(peer) { _ = words.publisher.compareExchange(claim, ClaimWord.free) }
    }

    private func giveBack(from peer: PeerID) {
        retireReplaced(by: peer)
        for chunk in 0..<chunks.count {
            let state = chunks.current(chunk)
            // Published is what the log names. The dead publish nothing more; what a living publisher has just replaced it does not mind to find free.
            if state.isFilling, state.peerBits == peer.rawValue, !isPublished(chunk) { _ = chunks.free(chunk, state) }
            if chunks.isHeld(chunk, slot: peer.slot) { chunks.letGo(chunk, slot: peer.slot) }
        }
        // Also if a repairer before has done all of it and died before this.
        chunks.remakeHints()
    }

    /// The chunk's ticket was written before it was published; a ticket is published once.
    private func isPublished(_ chunk: Int) -> Bool { log.names(chunk, at: chunks.ticket(chunk).loadAcquire()) }

    /// A chunk that the dead one has taken out of the log and not made free, or was about to. It has no other name: its state says who published it.
    private func retireReplaced(by peer: PeerID) {
        let word = words.peer(peer.slot).intent
        let intent = TopicPeer.Intent(word: word.loadAcquire())
        guard intent.word != 0 else { return }
        if intent.chunk < chunks.count {
            let state = chunks.current(intent.chunk)
            if state.isFilling, state.generation == intent.generation, !isPublished(intent.chunk) { _ = chunks.free(intent.chunk, state) }
        }
        word.storeRelease(0)
    }
}
