import InterprocessSystem

extension TopicCore {
    /// The smallest cursor of all lossless subscribers. O(slots of the peer table).
    func lowestCursor() -> UInt64 {
        var lowest = UInt64.max
        for slot in 0..<shape.peers {
            let peer = words.peer(slot)
            guard TopicPeer.Role(word: peer.role.loadSequential()).isLossless else { continue }
            lowest = min(lowest, peer.cursor.loadAcquire())
        }
        return lowest
    }

    /// Waits for a moment until the only publisher has room for an eighth of the log: to follow the slowest subscriber message by message would cost both of them a cache line's way for each.
    func pollForRoom(_ ticket: UInt64) {
        let wanted = ticket &- log.size &+ 1 &+ log.size / 8
        for _ in 0..<32 where lowestCursor() < wanted { for _ in 0..<8 { Processor.pause() } }
    }

    /// Whether a lossless subscriber is in the way that no peer is, so that nobody would ever take it away: somebody writes who should not.
    func isHeldUpByNobody() -> Bool {
        for slot in 0..<shape.peers {
            let word = words.peer(slot).role
            let role = TopicPeer.Role(word: word.loadSequential())
            guard role.isLossless else { continue }
            guard let peer = PeerID(rawValue: role.peerBits), peer.slot == slot else { return true }
            // It leaves before its slot is given back.
            if table.condition(of: peer) == .gone, word.loadSequential() == role.word { return true }
        }
        return false
    }
}
