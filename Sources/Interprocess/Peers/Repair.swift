import InterprocessSystem

/// What the object in a segment does for a dead peer: which claims it had, and giving them back. Both are idempotent, and safe while others
/// work.
struct ObjectRecovery: Sendable {
    /// What the peer holds. Reads only.
    var claims: @Sendable (SegmentMapping, PeerID) -> DeathNotice.Claims
    /// Gives back what the peer held, and wakes who waits for it.
    var recover: @Sendable (SegmentMapping, PeerID) -> Void

    static let none = ObjectRecovery(claims: { _, _ in [] }, recover: { _, _ in })
}

/// Repairs what dead peers of one segment have left, by decision record 0002.
///
/// **Death** of the repairer: its PeerID stays in `repair`; any survivor sees its life word marked, takes the claim over and does
/// everything again.
struct Repair: Sendable {
    let table: PeerTable
    let recovery: ObjectRecovery
    /// Nil: the opener that is alone with the segment, before it has joined.
    let me: PeerID?

    /// Repairs all dead peers, unless another living peer is at it. Returns whether anybody was repaired.
    func run() -> Bool {
        var repaired = false
        // Again after giving the claim back: somebody may have died just then, and whoever noticed may have left it to this repairer.
        while deadSlots().first != nil, claim() {
            let dead = deadSlots()
            Barrier.afterDeath()
            for slot in dead { repair(slot) }
            table.repair.storeRelease(0)
            repaired = true
        }
        if repaired {
            table.membership.add(1)
            unsafe Futex.wake(table.membership.rawAddress)
            unsafe Futex.wake(table.deaths.rawAddress)
        }
        return repaired
    }

    /// Repairs all dead peers, by an opener that has the segment's file alone. It needs no claim; if it dies, the next one alone goes on.
    func runAlone() {
        for slot in deadSlots() { repair(slot) }
        table.repair.storeRelease(0)
    }

    /// Those first that an earlier repairer, dead by now, had begun with: only the last published record and the one behind it can be theirs, and what the
    /// prepared one says was held is said nowhere else.
    private func deadSlots() -> [Int] {
        let dead = (0..<table.count).filter { PeerTable.isDead(table.life($0).loadAcquire()) }
        guard dead.count > 1 else { return dead }
        let begun = table.latestRecords().filter { dead.contains($0.slot) && table.peer(in: $0.slot) == $0 }.map(\.slot)
        return begun + dead.filter { !begun.contains($0) }
    }

    /// Takes the repair claim from nobody or from a dead peer.
    private func claim() -> Bool {
        guard let me else { return false }
        let holder = table.repair.loadAcquire()
        if holder != 0, let peer = PeerID(rawValue: holder), table.condition(of: peer) == .alive { return holder == me.rawValue }
        return table.repair.compareExchange(holder, me.rawValue)
    }

    private func repair(_ slot: Int) {
        // A peer that died before it had joined was never announced and holds nothing.
        if table.state(slot).loadAcquire() == 1, let peer = table.peer(in: slot) {
            if !table.isPublished(peer) {
                table.prepareRecord(of: peer, by: me, holding: recovery.claims(table.mapping, peer))
                recovery.recover(table.mapping, peer)
                table.publishRecord()
            } else {
                recovery.recover(table.mapping, peer)
            }
        }
        table.giveBack(slot)
    }
}

extension PeerTable {
    /// Whether the slot has ever been this peer's.
    func hasHad(_ peer: PeerID) -> Bool {
        guard peer.slot < count else { return false }
        let next = generation(peer.slot).loadAcquire() & 0x3fffff
        return peer.generation <= next
    }

    /// Makes the slot free for the next peer. By the keeper that owns it, or under the repair claim.
    ///
    /// The generation first: a slot that is free has its next peer's generation. Twice by two repairers is harmless but for a generation
    /// left out.
    func giveBack(_ slot: Int) {
        state(slot).storeRelease(0)
        let word = generation(slot)
        word.storeRelease(PeerID.generation(after: word.loadAcquire() & 0x3fffff))
        callerLife(slot).storeRelease(0)
        life(slot).storeRelease(0)
        unsafe Futex.wake(callerLife(slot).rawAddress)
        unsafe Futex.wake(life(slot).rawAddress)
    }
}
