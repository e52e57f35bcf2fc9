import InterprocessSystem

/// How a role's session ended.
enum RoleEnding: UInt8, Sendable {
    case none = 0, closed = 1, died = 2
    /// Two came for a role that only one can have, while the other role was free.
    case clash = 3
}

/// Who has a role (sender, receiver) of a queue, or had it last: one word, so that every change is one store.
///
/// **States** ending none: the peer has the role. Ending closed or died: nobody has it, and the peer had it last. 0: nobody ever had it.
struct RoleWord: Equatable, Sendable {
    let word: UInt64

    init(word: UInt64) { self.word = word }

    private init(peerBits: UInt32, session: UInt32, before: RoleEnding, ending: RoleEnding) {
        word = UInt64(peerBits) | UInt64(session) << 32 | UInt64(before.rawValue) << 56 | UInt64(ending.rawValue) << 60
    }

    static let sessionMask: UInt32 = (1 << 22) - 1

    var peerBits: UInt32 { UInt32(truncatingIfNeeded: word) }
    var peer: PeerID? { PeerID(rawValue: peerBits) }
    /// Counts the sessions, modulo 2^22; 0 if there was none yet.
    var session: UInt32 { UInt32(truncatingIfNeeded: word >> 32) & Self.sessionMask }
    /// How the session before this one ended.
    var before: RoleEnding { RoleEnding(rawValue: UInt8(truncatingIfNeeded: word >> 56 & 15)) ?? .none }
    var ending: RoleEnding { RoleEnding(rawValue: UInt8(truncatingIfNeeded: word >> 60)) ?? .none }

    /// Whether the holder has seen that it is in a pair, and can be refused no more; of a handoff.
    var isConfirmed: Bool { word & Self.confirmedBit != 0 }
    var confirmed: RoleWord { RoleWord(word: word | Self.confirmedBit) }
    private static let confirmedBit: UInt64 = 1 << 54

    var holder: PeerID? { ending == .none ? peer : nil }

    func joined(by peer: PeerID) -> RoleWord {
        RoleWord(peerBits: peer.rawValue, session: (session &+ 1) & Self.sessionMask, before: ending, ending: .none)
    }

    func ended(_ ending: RoleEnding) -> RoleWord { RoleWord(peerBits: peerBits, session: session, before: before, ending: ending) }
}

/// Sessions are counted modulo 2^22 and compared by their distance.
extension UInt32 {
    func isSession(after other: UInt32) -> Bool {
        let distance = (self &- other) & RoleWord.sessionMask
        return distance != 0 && distance < (RoleWord.sessionMask + 1) / 2
    }
}

/// One of the two roles of an object that two processes use: its word, and the words by which the other side is told.
struct Role: Sendable {
    let word: SharedUInt64
    /// Flags of the one who has the role; `ended` is set in them so that the other side looks.
    let flags: SharedUInt32
    /// The events of those who wait for changes of this role.
    let otherEvents: EventWords
    let claim: DeathNotice.Claims

    init(_ mine: SideWords, _ other: SideWords, _ claim: DeathNotice.Claims) {
        (word, flags, otherEvents) = (mine.role, mine.flags, mine.toldTo ?? EventWords(other.event))
        self.claim = claim
    }

    var current: RoleWord { RoleWord(word: word.loadSequential()) }

    /// Takes the role, if nobody who lives has it. Returns the word before and after.
    ///
    /// - Throws: the living holder.
    ///
    /// - Parameter isFinal: false: the holder may still be refused, and calls ``confirm(_:)`` when it may not be any more.
    func join(_ peer: PeerID, _ table: PeerTable, isFinal: Bool) throws(RoleHeld) -> (before: RoleWord, now: RoleWord) {
        while true {
            let seen = current
            if let holder = seen.holder {
                if table.condition(of: holder) == .alive { throw RoleHeld(holder: holder) }
                recover(holder)
                continue
            }
            let mine = seen.joined(by: peer)
            guard word.compareExchange(seen.word, mine.word) else { continue }
            if isFinal { clearFlags() }
            return (seen, mine)
        }
    }

    /// A sleep or an ending that the last holder left in the flags is not this one's.
    private func clearFlags() { flags.clearBits(WaitFlags.ofSession) }

    /// From here on the holder cannot be refused, and the flags are its own. Nil if it has been refused.
    func confirm(_ mine: RoleWord) -> RoleWord? {
        guard word.compareExchange(mine.word, mine.confirmed.word) else { return nil }
        clearFlags()
        return mine.confirmed
    }

    /// Gives the role up, once.
    func close(_ mine: RoleWord) {
        if word.compareExchange(mine.word, mine.ended(.closed).word) { announceEnd() }
    }

    /// Takes the role from a peer that has not confirmed it, since another came for the same. False if it has confirmed or ended meanwhile.
    func refuse(_ held: RoleWord) -> Bool {
        guard !held.isConfirmed, word.compareExchange(held.word, held.ended(.clash).word) else { return false }
        announceEnd()
        return true
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
        otherEvents.alarm()
    }
}

/// The events of one other side, or of several that stand at equal distances.
struct EventWords: Sendable {
    private let first: SharedUInt32
    private let count: Int
    private let stride: Int

    init(_ event: SharedUInt32) { (first, count, stride) = (event, 1, 0) }

    /// `count` words from `first` on, `stride` bytes apart.
    init(_ first: SharedUInt32, count: Int, stride: Int) { (self.first, self.count, self.stride) = (first, count, stride) }

    /// Wakes all, whatever they wait for.
    func alarm() { for index in 0..<count { Waker.alarm(unsafe SharedUInt32(at: first.rawAddress + index * stride)) } }
}

/// The role is taken by a living peer.
struct RoleHeld: Error { let holder: PeerID }
