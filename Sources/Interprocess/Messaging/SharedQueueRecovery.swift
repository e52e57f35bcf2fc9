import InterprocessSystem

extension ObjectRecovery {
    /// What a shared queue does for a dead peer: slots that it was filling become free, messages that it had taken come again.
    static let sharedQueue = ObjectRecovery(
        claims: { mapping, peer in
            guard let words = try? SharedQueueWords(checking: mapping) else { return [] }
            return SharedQueueRepair(words).holds(peer) ? .messages : []
        },
        recover: { mapping, peer in
            guard let words = try? SharedQueueWords(checking: mapping) else { return }
            SharedQueueRepair(words).recover(peer)
        })
}

/// Giving back what a dead peer had of a shared queue. Idempotent, and safe while others work.
struct SharedQueueRepair {
    private let words: SharedQueueWords
    private let slots: MessageSlots

    init(_ words: SharedQueueWords) {
        self.words = words
        slots = words.slots
    }

    /// O(slots + entries).
    func holds(_ peer: PeerID) -> Bool {
        let published = published()
        for slot in 0..<slots.count {
            let state = slots.current(slot)
            guard state.peerBits == peer.rawValue else { continue }
            if state.kind == .taken || state.kind == .filling && !published.contains(slot, generation: state.generation) { return true }
        }
        return false
    }

    /// O(slots + entries).
    func recover(_ peer: PeerID) {
        completeDrop(peer)
        let published = published()
        for slot in 0..<slots.count {
            let state = slots.current(slot)
            guard state.peerBits == peer.rawValue else { continue }
            switch state.kind {
            case .filling:
                // Published is what an entry names. The dead publish nothing more.
                if !published.contains(slot, generation: state.generation) { _ = slots.free(slot, state) }
            case .taken: _ = slots.change(slot, state, state.givenBack(limit: words.shape.deliveryLimit))
            case .free, .returned, .deadLetter, nil: break
            }
        }
        // Also if a repairer before has done all of it and died before this.
        slots.remakeHints()
        words.returns.add(1)
        words.items.notifyAll()
        words.space.notifyAll()
    }

    private func published() -> NamedSlots { NamedSlots(slots: slots.count, (0..<words.shape.priorities).map { words.ring($0) }) }

    /// Counts a message that the dead one had dropped and not counted yet: then its slot carries its name, and the generation that it said.
    private func completeDrop(_ peer: PeerID) {
        let drops = words.drops(peer.slot)
        let intent = MessageDrops.Intent(word: drops.intent.loadAcquire())
        guard intent.word != 0 else { return }
        if intent.slot < slots.count {
            let state = slots.current(intent.slot)
            let count = drops.oldest.loadAcquire()
            if state.peerBits == peer.rawValue, state.isDropping, state.generation & 0xffff == intent.generation,
                UInt32(truncatingIfNeeded: count &+ 1) == intent.count
            {
                drops.oldest.storeRelease(count &+ 1)
            }
        }
        drops.intent.storeRelease(0)
    }

    /// Whether there is a message that nobody has received. O(slots + entries).
    var isWorthKeeping: Bool {
        let published = published()
        for slot in 0..<slots.count {
            let state = slots.current(slot)
            switch state.kind {
            case .taken, .returned, .deadLetter: return true
            case .filling where published.contains(slot, generation: state.generation): return true
            case .filling, .free, nil: continue
            }
        }
        return false
    }
}
