import InterprocessSystem

/// One of the two roles of a queue: its word, and the words by which the other side is told.
struct QueueRole: Sendable {
    let word: SharedUInt64
    /// Flags of the one who has the role; `ended` is set in them so that the other side looks.
    let flags: SharedUInt32
    /// The events of the other side, which waits for changes of this role.
    let otherEvent: SharedUInt32
    let claim: DeathNotice.Claims

    static func sender(_ words: QueueWords) -> QueueRole {
        QueueRole(word: words.sender, flags: words.senderFlags, otherEvent: words.receiverEvent, claim: .sender)
    }

    static func receiver(_ words: QueueWords) -> QueueRole {
        QueueRole(word: words.receiver, flags: words.receiverFlags, otherEvent: words.senderEvent, claim: .receiver)
    }

    var current: RoleWord { RoleWord(word: word.loadSequential()) }

    /// Takes the role, if nobody who lives has it. Returns the word before and after.
    ///
    /// - Throws: the living holder.
    func join(_ peer: PeerID, _ table: PeerTable) throws(RoleHeld) -> (before: RoleWord, now: RoleWord) {
        while true {
            let seen = current
            if let holder = seen.holder {
                if table.condition(of: holder) == .alive { throw RoleHeld(holder: holder) }
                recover(holder)
                continue
            }
            let mine = seen.joined(by: peer)
            guard word.compareExchange(seen.word, mine.word) else { continue }
            // A sleep or an ending that the last holder left in the flags is not this one's.
            flags.clearBits(WaitFlags.ofSession)
            return (seen, mine)
        }
    }

    /// Gives the role up, once.
    func close(_ mine: RoleWord) {
        if word.compareExchange(mine.word, mine.ended(.closed).word) { announceEnd() }
    }

    /// Ends the session of a peer that has died, by whoever finds it. Idempotent.
    func recover(_ dead: PeerID) {
        let seen = current
        guard seen.peer == dead else { return }
        if seen.ending == .none {
            Barrier.afterDeath(reachesAll: flags.loadRelaxed() & WaitFlags.fence == 0)
            _ = word.compareExchange(seen.word, seen.ended(.died).word)
        }
        // Also if the word had been changed already: who changed it may have died before telling.
        announceEnd()
    }

    private func announceEnd() {
        flags.setBits(WaitFlags.ended)
        Waker.alarm(otherEvent)
    }
}

/// The role is taken by a living peer.
struct RoleHeld: Error { let holder: PeerID }

extension ObjectRecovery {
    /// What a queue does for a dead peer: its roles end.
    static let queue = ObjectRecovery(
        claims: { mapping, peer in
            let words = QueueWords(mapping)
            return [QueueRole.sender(words), .receiver(words)].reduce(into: []) { claims, role in
                // Ended by death already: the other side found it before the keeper did.
                let role = (word: role.current, claim: role.claim)
                if role.word.peer == peer, role.word.ending != .closed { claims.insert(role.claim) }
            }
        },
        recover: { mapping, peer in
            let words = QueueWords(mapping)
            QueueRole.sender(words).recover(peer)
            QueueRole.receiver(words).recover(peer)
        })
}
