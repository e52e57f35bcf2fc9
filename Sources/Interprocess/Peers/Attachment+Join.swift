import InterprocessSystem

extension Attachment {
    /// Makes this process a peer of the segment in `file`.
    ///
    /// Whoever is alone with the segment repairs what the dead have left before it joins, so that also a table full of dead peers lets somebody in.
    ///
    /// - Throws: `busy` if the table is full of peers that live or a namesake of the keeper is stopped while it joins, `system`. Then this process is no peer.
    func join(_ file: SegmentFile, _ operation: String, _ label: String) throws(InterprocessError) -> PeerID {
        let deadline = MonotonicInstant.now.advanced(by: .seconds(5))
        var isAlone = file.wasAlone
        while true {
            if isAlone { repairAlone() }
            let attempt = try Keeper.current.attach(self, operation, label)
            if case .joined = attempt { break }
            if case .namesakeBusy = attempt {
                guard MonotonicInstant.now < deadline else {
                    throw InterprocessError(
                        .busy, operation, label,
                        "a process of another pid namespace has been joining or leaving for 5 s: it is probably stopped ('ipc who \(label)' may name it)"
                    )
                }
                continue
            }
            // Full, but not of the living: a survivor is about to repair, or there is none and the kernel has not yet closed the last one's
            // file.
            let isFullOfLiving = table.isFullOfLiving
            guard !isFullOfLiving, MonotonicInstant.now < deadline else {
                throw InterprocessError(
                    .busy, operation, label,
                    isFullOfLiving
                        ? "it has \(table.count) peers already, which is its limit; 'ipc who \(label)' shows them, and the limit can be set when it is created"
                        : "all its \(table.count) places are taken, some by peers that have died, and for 5 s nobody has cleared them away: whoever was about to is probably stopped ('ipc who \(label)' may name it)"
                )
            }
            sleepThread(for: .milliseconds(1))
            isAlone = try file.tryAlone(label)
        }
        do throws(InterprocessError) {
            if isAlone { try file.endExclusive(label) }
        } catch {
            Keeper.current.detach(self)
            throw error
        }
        guard let peer else { preconditionFailure("the keeper answers after it has set the peer") }
        return peer
    }

    /// By whoever holds the segment's file alone, so that no peer that the table shows alive can be (after a reboot, or for peers whose kernel is gone).
    private func repairAlone() {
        table.markAllDead()
        Repair(table: table, recovery: recovery, me: nil).runAlone()
    }
}

extension PeerTable {
    fileprivate func markAllDead() {
        for slot in 0..<count where life(slot).loadAcquire() != 0 { unsafe life(slot).storeRelease(RobustList.waiters | RobustList.died) }
    }

    /// No slot is free or about to be: all peers are alive.
    fileprivate var isFullOfLiving: Bool {
        (0..<count).allSatisfy { slot in
            let life = life(slot).loadAcquire()
            return life != 0 && !Self.isDead(life)
        }
    }
}
