import CInterprocess
import InterprocessSystem

/// What a survivor gets to know of a peer's death.
public struct DeathNotice: Sendable, Equatable, CustomStringConvertible {
    /// What the dead peer held and a survivor gave back.
    public struct Claims: OptionSet, Sendable, CustomStringConvertible {
        public let rawValue: UInt64
        public init(rawValue: UInt64) { self.rawValue = rawValue }
        /// The sender's role of a queue.
        public static let sender = Claims(rawValue: 1)
        /// The receiver's role of a queue.
        public static let receiver = Claims(rawValue: 2)
        /// A side of a handoff, and the turn if it had that.
        public static let handoff = Claims(rawValue: 4)
        /// A mutex, a reader-writer lock, what is done once, or the right to store a latest value or to change a variable.
        public static let lock = Claims(rawValue: 8)
        /// Units of permits.
        public static let permits = Claims(rawValue: 16)
        /// A party's place at a barrier.
        public static let party = Claims(rawValue: 32)
        /// Messages that it had taken and not acknowledged, or loaned and not published.
        public static let messages = Claims(rawValue: 64)
        /// Calls that it served, or waited for.
        public static let calls = Claims(rawValue: 128)
        /// Heaps of an arena, the blocks that it had in hand, and its counts of what it held together with others.
        public static let blocks = Claims(rawValue: 256)

        public var description: String {
            let names = [
                (Claims.sender, "sender"), (.receiver, "receiver"), (.handoff, "side of a handoff"), (.lock, "lock"), (.permits, "permits"),
                (.party, "party at a barrier"), (.messages, "messages"), (.calls, "calls"), (.blocks, "blocks"),
            ].filter { contains($0.0) }.map(\.1)
            return names.isEmpty ? "nothing" : names.joined(separator: ", ")
        }
    }

    /// The membership that has ended; ``PeerID/unknown`` where others have had what it held since, before it was seen who that was.
    public let peer: PeerID
    /// The process id in the dead peer's own pid namespace; 0 if it is not known any more.
    public let pid: Int32
    /// Its effective user, as it saw it; 0 also if that is not known any more.
    public let userID: UInt32
    /// The program's name; empty if it is not known any more.
    public let program: String
    /// What it held, as far as the repair has come.
    public let held: Claims
    /// When this machine's survivors noticed: when the repair began, or when the notice was made.
    public let noticed: MonotonicInstant

    public var description: String {
        "peer \(peer) (\(program.isEmpty ? "unknown program" : program), pid \(pid)) died holding \(held)"
    }
}

/// The ring of death records in a segment's header, and the count that publishes them.
extension PeerTable {
    private static let recordCount = UInt32(IPC_DEATH_RECORDS)
    /// How many published records stand: in the place of the one before these the next one may be written already.
    private static let publishedCount = recordCount - 1

    private func record(_ number: UInt32) -> UnsafeMutableRawPointer {
        unsafe mapping.base + Self.headerOffset(\.death_records) + Int(number % Self.recordCount) * MemoryLayout<ipc_death_record>.stride
    }

    private func read(_ number: UInt32) -> ipc_death_record { unsafe record(number).load(as: ipc_death_record.self) }

    /// The notices of deaths `first ..< deaths`, as far as their records still stand (the last 31 do).
    func notices(since first: UInt32) -> (notices: [DeathNotice], next: UInt32) {
        let next = deaths.loadAcquire()
        var notices: [DeathNotice] = []
        var number = Self.firstRecord(since: first, before: next)
        while number != next {
            if let notice = notice(number) { notices.append(notice) }
            number &+= 1
        }
        return (notices, next)
    }

    /// The first of the deaths `first ..< next` that has a record still.
    static func firstRecord(since first: UInt32, before next: UInt32) -> UInt32 { next &- min(next &- first, publishedCount) }

    /// The notice of the death `number`, which has been published; nil if its record stands no more.
    func notice(_ number: UInt32) -> DeathNotice? {
        let raw = read(number)
        // A record is overwritten before the death is published that is the 32nd after it: until the one before that is, it stands, as is seen after reading it.
        fullFence()
        return deaths.loadAcquire() &- number <= Self.publishedCount ? Self.notice(raw) : nil
    }

    /// The notice of one peer's death: from its slot, else from the records, else with nothing but its PeerID.
    func notice(of peer: PeerID, holding held: DeathNotice.Claims) -> DeathNotice {
        if let found = information(of: peer) {
            return DeathNotice(peer: peer, pid: found.pid, userID: found.userID, program: found.program, held: held, noticed: .now)
        }
        if let found = notices(since: deaths.loadAcquire() &- Self.publishedCount).notices.last(where: { $0.peer == peer }) {
            // A repairer that came after the next holder of a role found no trace of the claim; the caller knows of it.
            return DeathNotice(
                peer: peer, pid: found.pid, userID: found.userID, program: found.program, held: found.held.union(held),
                noticed: found.noticed)
        }
        return DeathNotice(peer: peer, pid: 0, userID: 0, program: "", held: held, noticed: .now)
    }

    private static func notice(_ raw: ipc_death_record) -> DeathNotice? {
        guard let peer = PeerID(rawValue: raw.peer) else { return nil }
        return DeathNotice(
            peer: peer, pid: Int32(bitPattern: raw.pid), userID: raw.uid,
            program: unsafe withUnsafeBytes(of: raw.program) { unsafe sharedText($0) },
            held: DeathNotice.Claims(rawValue: raw.held), noticed: MonotonicInstant(nanoseconds: raw.noticed_ns))
    }

    /// Writes the record of the next death, not yet published. Only under the repair claim. A whole record for the same peer that an
    /// earlier repairer
    /// left here stays as it is: that repairer may have given back already what it says was held.
    func prepareRecord(of peer: PeerID, by repairer: PeerID?, holding held: DeathNotice.Claims) {
        let place = unsafe record(deaths.loadAcquire())
        let peerWord = unsafe SharedUInt32(at: place)
        guard peerWord.loadAcquire() != peer.rawValue else { return }
        var raw = ipc_death_record()
        raw.repairer = repairer?.rawValue ?? 0
        raw.held = held.rawValue
        raw.noticed_ns = MonotonicInstant.now.nanoseconds
        if let found = information(of: peer) {
            raw.pid = UInt32(bitPattern: found.pid)
            raw.uid = found.userID
            copyText(found.program.utf8.prefix(31), into: &raw.program)
        }
        // The peer last: a record that names it is whole.
        peerWord.storeRelease(0)
        unsafe place.storeBytes(of: raw, as: ipc_death_record.self)
        peerWord.storeRelease(peer.rawValue)
    }

    /// The peers that the last published record names and the one that would be published next, which may be older or prepared.
    func latestRecords() -> [PeerID] {
        let next = deaths.loadAcquire()
        return [next &- 1, next].compactMap { PeerID(rawValue: read($0).peer) }
    }

    /// Whether the death of `peer` has been published.
    func isPublished(_ peer: PeerID) -> Bool {
        let next = deaths.loadAcquire()
        // Not the place where the next one may be prepared: what stands there is not published.
        return (1...Self.publishedCount).contains { next >= $0 && read(next &- $0).peer == peer.rawValue }
    }

    /// Publishes the prepared record. `SYNC segment.death`: release of `deaths` ⇄ acquire in ``notices(since:)``.
    func publishRecord() { deaths.storeRelease(deaths.loadAcquire() &+ 1) }
}
