/// What a peer holds of an object with a lock, in two words of its own, which are the truth.
///
/// **Layout** the pairs behind "synchronization object". Each word names the peer in its low half; a word that names another, who had the slot of the peer table before,
/// counts as zero. The peer holds what the first says less what the second says.
///
/// **Memory order** the first is written in the lock only. The second by the peer's own threads at any time, by compare-exchange: so that what is given back need not
/// wait for a lock whose holder is stopped. Both are cleared, the first one first, by whoever is in the lock and finds the peer dead.
///
/// **Trust** whatever stands there, the difference is a number, and is compared with what there is before anything is given.
struct Holdings {
    private let taken: SharedUInt64
    private let givenBack: SharedUInt64

    init(_ words: SynchronizationWords, _ index: Int) {
        taken = words.slot(index)
        givenBack = words.givenBack(index)
    }

    /// Who has taken something here; nil: nobody, or no peer can be called so.
    var peer: PeerID? { PeerID(rawValue: UInt32(truncatingIfNeeded: taken.loadAcquire())) }

    func held(by peer: PeerID) -> UInt32 { Self.number(taken.loadAcquire(), peer) &- Self.number(givenBack.loadAcquire(), peer) }

    /// In the lock, by the peer itself: one store.
    ///
    /// - Parameter new: what it is to hold, from what it holds.
    @discardableResult
    func change(_ new: (UInt32) -> UInt32, by peer: PeerID) -> (before: UInt32, after: UInt32) {
        let (all, back) = (Self.number(taken.loadAcquire(), peer), Self.number(givenBack.loadAcquire(), peer))
        let before = all &- back
        let after = new(before)
        // The difference only: what another thread gives back just now stays given back.
        let changed = all &+ (after &- before)
        taken.storeRelease(changed == 0 && back == 0 ? 0 : Self.word(changed, peer))
        return (before, after)
    }

    /// Without the lock, by the peer itself. Returns whether there was anything to give back.
    func giveBack(_ left: (UInt32) -> UInt32, by peer: PeerID) -> Bool {
        while true {
            let seen = givenBack.loadAcquire()
            let before = Self.number(taken.loadAcquire(), peer) &- Self.number(seen, peer)
            let after = min(before, left(before))
            if after == before { return false }
            if givenBack.compareExchange(seen, Self.word(Self.number(seen, peer) &+ (before - after), peer)) { return true }
        }
    }

    private static func number(_ word: UInt64, _ peer: PeerID) -> UInt32 {
        UInt32(truncatingIfNeeded: word) == peer.rawValue ? UInt32(truncatingIfNeeded: word >> 32) : 0
    }

    private static func word(_ number: UInt32, _ peer: PeerID) -> UInt64 { UInt64(peer.rawValue) | UInt64(number) << 32 }
}
