import CInterprocess

/// The shared words of a handoff's control block.
struct HandoffWords: Sendable {
    private let mapping: SegmentMapping

    init(_ mapping: SegmentMapping) { self.mapping = mapping }

    private func offset(_ field: PartialKeyPath<ipc_handoff>) -> Int {
        guard let offset = MemoryLayout<ipc_handoff>.offset(of: field) else { preconditionFailure("stored fields have offsets") }
        return mapping.header.objectOffset + offset
    }

    var turn: SharedUInt64 { mapping.word64(offset(\.turn)) }

    /// What `side` gives with the turn.
    func value(of side: HandoffRole) -> SharedUInt64 { mapping.word64(offset(\.value) + side.index * MemoryLayout<UInt64>.stride) }

    /// Bytes of the data that `side` has allocated.
    func used(of side: HandoffRole) -> SharedUInt64 { mapping.word64(offset(\.used) + side.index * MemoryLayout<UInt64>.stride) }

    var call: HandoffCallWords {
        unsafe HandoffCallWords(
            kind: mapping.word32(offset(\.kind)), method: mapping.word32(offset(\.method)), depth: mapping.word32(offset(\.depth)),
            size: mapping.word32(offset(\.size)), outputSize: mapping.word32(offset(\.output_size)), code: mapping.word32(offset(\.code)),
            scalars: mapping.base + offset(\.scalars), data: mapping.data, dataSize: mapping.header.dataSize)
    }

    func side(_ side: HandoffRole) -> SideWords {
        let parent: PartialKeyPath<ipc_handoff> = \.parent
        let child: PartialKeyPath<ipc_handoff> = \.child
        let base = offset(side == .parent ? parent : child)
        func place(_ field: PartialKeyPath<ipc_handoff_side>) -> Int {
            guard let offset = MemoryLayout<ipc_handoff_side>.offset(of: field) else { preconditionFailure("stored fields have offsets") }
            return base + offset
        }
        return SideWords(
            role: mapping.word64(place(\.role)), flags: mapping.word32(place(\.flags)), event: mapping.word32(place(\.event)),
            cpu: mapping.word32(place(\.cpu)))
    }

    func role(_ role: HandoffRole) -> Role { Role(side(role), side(role.other), .handoff) }

    /// Writes what is not zero; before the segment has a name.
    func initialize() {
        for role in HandoffRole.allCases { side(role).flags.storeRelaxed(WaitFlags.open) }
    }
}

/// Which of the two sides of a handoff a process is.
public enum HandoffRole: Sendable, Hashable, CaseIterable {
    /// Has the first turn.
    case parent
    /// Has the second.
    case child

    /// The partner's.
    public var other: HandoffRole { self == .parent ? .child : .parent }
    var index: Int { self == .parent ? 0 : 1 }
}

/// A value of `turn`: which two sessions are a pair, and which of them has the turn.
///
/// **States** 0: no pair yet. A pair stays until both sides have come anew: a side whose session is not in it waits for the other's next one.
struct Turn: Equatable, Sendable {
    let word: UInt64

    private static let childBit: UInt64 = 1 << 63
    private static let sessionBits: UInt64 = 22

    init(word: UInt64) { self.word = word }

    init(parent: UInt32, child: UInt32, of role: HandoffRole) {
        word = UInt64(parent) | UInt64(child) << Self.sessionBits | (role == .child ? Self.childBit : 0)
    }

    var holder: HandoffRole { word & Self.childBit == 0 ? .parent : .child }

    func session(of role: HandoffRole) -> UInt32 {
        UInt32(truncatingIfNeeded: word >> (role == .parent ? 0 : Self.sessionBits)) & RoleWord.sessionMask
    }

    /// The same pair, with the turn on `role`.
    func given(to role: HandoffRole) -> Turn { Turn(word: word & ~Self.childBit | (role == .child ? Self.childBit : 0)) }
}

extension ObjectRecovery {
    /// What a handoff does for a dead peer: its side ends.
    static let handoff = ObjectRecovery(
        claims: { mapping, peer in
            let words = HandoffWords(mapping)
            return HandoffRole.allCases.contains { role in
                let role = words.role(role).current
                return role.peer == peer && role.ending != .closed
            } ? .handoff : []
        },
        recover: { mapping, peer in
            let words = HandoffWords(mapping)
            for role in HandoffRole.allCases {
                words.role(role).recover(peer)
                // Also if it has no role any more: killed after refusing another, it may not have come to telling that.
                Waker.alarm(words.side(role).event)
            }
        })
}
