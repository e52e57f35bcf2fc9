extension ArenaProblem {
    /// What cannot be among the values that peers hold together; the index is that of the record. What a peer that has died and is not repaired yet has left is no problem.
    static func references(_ memory: ArenaMemory, _ peers: PeerTable) -> [ArenaProblem] {
        var found: [ArenaProblem] = []
        func isGone(_ claim: UInt32) -> Bool { if case .gone = peers.holder(ofClaim: claim) { true } else { false } }
        do throws(ArenaError) {
            try ReferenceTable(memory, peers).forEach { index, record in
                func report(_ field: String, _ reason: String) { found.append(ArenaProblem(field: field, index: index, reason: reason)) }
                let (state, value) = (record.state, ArenaLinkWord.offset(memory.word64(Int(record.valueOffset)).loadAcquire()))
                switch state.phase {
                case .free: if value != 0 { report("value", "of a free record") }
                case .alive: if (try? memory.allocated(value)) == nil { report("value", "names no block") }
                case .making, .dying: if state.claim.map(isGone) ?? true { report("state", "made or destroyed by nobody") }
                }
                for slot in 0..<peers.count {
                    let hold = record.hold(slot)
                    if hold.raw != 0, hold.count == 0 || ReferenceTable.slot(hold.claim) != slot || isGone(hold.claim) {
                        report("holds", "by nobody")
                    }
                }
            }
        } catch { found.append(ArenaProblem(field: "references", index: 0, reason: "a part that is outside of the arena")) }
        return found
    }
}
