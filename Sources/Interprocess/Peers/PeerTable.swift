import CInterprocess
import InterprocessSystem

/// The peer table of a mapped segment: reading it, and the words that stand for life and death.
///
/// **Trust** slots are written by others: every field is read once; texts are made printable; slot numbers are compared with the checked
/// header.
struct PeerTable: Sendable {
    let mapping: SegmentMapping

    var count: Int { mapping.header.maximumPeers }

    private func offset(_ slot: Int, _ field: PartialKeyPath<ipc_peer_slot>) -> Int {
        precondition((0..<count).contains(slot))
        guard let offset = MemoryLayout<ipc_peer_slot>.offset(of: field) else { preconditionFailure("stored fields have offsets") }
        return mapping.header.peerOffset + slot * MemoryLayout<ipc_peer_slot>.stride + offset
    }

    func life(_ slot: Int) -> SharedUInt32 { mapping.word32(offset(slot, \.life)) }
    /// A second life word, on which blocked callers sleep. The kernel wakes one sleeper of each word: so a caller does not depend on when a
    /// keeper runs.
    func callerLife(_ slot: Int) -> SharedUInt32 { mapping.word32(offset(slot, \.caller_life)) }
    func generation(_ slot: Int) -> SharedUInt32 { mapping.word32(offset(slot, \.generation)) }
    func state(_ slot: Int) -> SharedUInt32 { mapping.word32(offset(slot, \.state)) }

    /// Words of the header that belong to all peers.
    var deaths: SharedUInt32 { mapping.word32(Self.headerOffset(\.deaths)) }
    var membership: SharedUInt32 { mapping.word32(Self.headerOffset(\.membership)) }
    var repair: SharedUInt32 { mapping.word32(Self.headerOffset(\.repair)) }

    static func headerOffset(_ field: PartialKeyPath<ipc_segment_header>) -> Int {
        guard let offset = MemoryLayout<ipc_segment_header>.offset(of: field) else { preconditionFailure("stored fields have offsets") }
        return offset
    }

    /// Gives every slot its first generation; before the segment has a name.
    func initialize() {
        for slot in 0..<count { generation(slot).storeRelaxed(1) }
    }

    /// The peer that has the slot now, alive or dead; nil if nobody has.
    func peer(in slot: Int) -> PeerID? {
        guard life(slot).loadAcquire() != 0 else { return nil }
        return PeerID(rawValue: PeerID(slot: slot, generation: generation(slot).loadAcquire() & 0x3fffff).rawValue)
    }

    static func isDead(_ life: UInt32) -> Bool { unsafe life & RobustList.died != 0 }

    /// What is known of a peer from its slot: alive, dead, or gone (the slot was given back).
    func condition(of peer: PeerID) -> PeerCondition {
        guard peer.slot < count else { return .gone }
        let life = life(peer.slot).loadAcquire()
        guard life != 0, generation(peer.slot).loadAcquire() == peer.generation else { return .gone }
        return Self.isDead(life) ? .dead : .alive
    }

    /// What stands in the slot of `peer`; nil if the slot is another's by now, or the peer has not finished joining.
    func information(of peer: PeerID) -> PeerInformation? {
        guard peer.slot < count, state(peer.slot).loadAcquire() == 1 else { return nil }
        let raw = unsafe (mapping.base + mapping.header.peerOffset + peer.slot * MemoryLayout<ipc_peer_slot>.stride).load(
            as: ipc_peer_slot.self)
        let life = life(peer.slot).loadAcquire()
        // Still the same peer after everything was read: then all of it was this peer's.
        fullFence()
        guard life != 0, generation(peer.slot).loadAcquire() == peer.generation else { return nil }
        return PeerInformation(
            id: peer, pid: Int32(bitPattern: raw.pid), startTime: raw.start_time, pidNamespace: raw.pid_namespace, userID: raw.uid,
            program: unsafe withUnsafeBytes(of: raw.program) { unsafe sharedText($0) }, joinedNanoseconds: raw.joined_ns,
            isAlive: !Self.isDead(life))
    }

    /// All peers that have joined, in the order of their slots. O(slots).
    func all() -> [PeerInformation] {
        (0..<count).compactMap { slot in peer(in: slot).flatMap { information(of: $0) } }
    }

    /// Writes what the peer is, then publishes it as joined. By its keeper, which has just taken the slot's life word.
    ///
    /// `SYNC peer.join`: release of `state` ⇄ acquire in ``information(of:)``.
    func publish(_ peer: PeerID, _ identity: ProcessIdentity) {
        let slot = unsafe mapping.base + mapping.header.peerOffset + peer.slot * MemoryLayout<ipc_peer_slot>.stride
        func store<Value: BitwiseCopyable>(_ value: Value, _ field: PartialKeyPath<ipc_peer_slot>) {
            guard let offset = MemoryLayout<ipc_peer_slot>.offset(of: field) else { preconditionFailure("stored fields have offsets") }
            unsafe (slot + offset).storeBytes(of: value, as: Value.self)
        }
        store(UInt32(bitPattern: identity.pid), \.pid)
        store(identity.startTime, \.start_time)
        store(identity.pidNamespace, \.pid_namespace)
        store(wallClockNanoseconds(), \.joined_ns)
        store(identity.userID, \.uid)
        var program = ipc_peer_slot().program
        copyText(identity.program.utf8.prefix(31), into: &program)
        store(program, \.program)
        state(peer.slot).storeRelease(1)
    }
}

enum PeerCondition: Sendable { case alive, dead, gone }

/// A peer of a segment, as it was when it was asked for.
public struct PeerInformation: Sendable, Equatable {
    public let id: PeerID
    /// The process id in the peer's own pid namespace.
    public let pid: Int32
    /// When the process started, in clock ticks since the machine did.
    public let startTime: UInt64
    /// The inode number of the peer's pid namespace.
    public let pidNamespace: UInt64
    public let userID: UInt32
    /// The program's name, at most 31 bytes.
    public let program: String
    /// When the peer joined, in nanoseconds since 1970.
    public let joinedNanoseconds: UInt64
    /// False between the peer's death and its repair by a survivor.
    public let isAlive: Bool
}
