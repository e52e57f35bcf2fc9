import CInterprocess
import InterprocessSystem

/// A word by which one peer holds something, and on which others sleep.
///
/// **States**
///
/// | bits | meaning |
/// |---|---|
/// | 0 marked | somebody sleeps, or is about to, and is to be woken with the next change |
/// | 1 open | always set; zero in a forked child, which is thereby found out |
/// | 2–31 | the claim: 2–11 the peer's slot, 12–31 its generation in 20 bits, never 0; or a number; 0: nobody, none |
///
/// The generation modulo 2^20 - 2 tells a peer from those that had its slot before: a claim that nobody looked at while its slot was given away a
/// million times would be taken for the living one's.
@usableFromInline
enum ClaimWord {
    @usableFromInline static let marked: UInt32 = 1
    @usableFromInline static let open: UInt32 = 2
    /// Nobody's.
    @usableFromInline static let free: UInt32 = open
    /// No peer's, and not free: for something that is over for good.
    @usableFromInline static let final = ~marked
    static let shift: UInt32 = 2

    /// Generations in a claim are 1 … 2^20 - 2, so that none looks free or final.
    private static let generations: UInt32 = (1 << 20) - 2
    private static func short(_ generation: UInt32) -> UInt32 { (generation &- 1) % generations + 1 }

    /// The claim of `peer`: a whole word, not marked.
    static func of(_ peer: PeerID) -> UInt32 { short(peer.generation) << 12 | UInt32(peer.slot) << 2 | open }

    @inlinable static func isFree(_ word: UInt32) -> Bool { word & ~marked == free }
    @inlinable static func isOpen(_ word: UInt32) -> Bool { word & open != 0 }
    static func isFinal(_ word: UInt32) -> Bool { word | marked == final | marked }
    static func number(_ word: UInt32) -> UInt32 { word >> shift }
}

/// Who holds a claim.
enum ClaimHolder: Equatable {
    case alive
    /// Has died and is not repaired yet: others of its threads may still be running for a moment; see ``Barrier/afterDeath(reachesAll:)``.
    case dead(PeerID)
    /// Has died or left, and its slot was given back.
    case gone(PeerID)
}

extension PeerTable {
    /// Who holds the claim in `word`. O(1).
    func holder(ofClaim word: UInt32) -> ClaimHolder {
        let slot = Int(word >> 2 & 1023)
        // Not a slot of this table: nobody's, as good as a peer that has gone.
        guard slot < count else { return .gone(PeerID(slot: slot, generation: 1)) }
        let life = life(slot).loadAcquire()
        let current = PeerID(slot: slot, generation: max(1, generation(slot).loadAcquire() & 0x3fffff))
        guard life != 0, ClaimWord.of(current) == word & ~ClaimWord.marked else {
            return .gone(earlier(than: current, claim: word))
        }
        return Self.isDead(life) ? .dead(current) : .alive
    }

    /// The last peer before `current` in its slot that has the claim `word`, as far as 20 bits tell.
    private func earlier(than current: PeerID, claim word: UInt32) -> PeerID {
        let claim = word & ~ClaimWord.marked
        // Mostly the one before.
        var generation = current.generation
        for _ in 0..<64 {
            generation = generation <= 1 ? (1 << 22) - 1 : generation - 1
            let peer = PeerID(slot: current.slot, generation: generation)
            if ClaimWord.of(peer) == claim { return peer }
        }
        return PeerID(slot: current.slot, generation: max(1, word >> 12))
    }

    /// Waits until nothing that the holder still did can come after this. To be called before anything of a dead peer's is taken over.
    func settle(_ holder: ClaimHolder) {
        if case .dead = holder { Barrier.afterDeath() }
    }
}
