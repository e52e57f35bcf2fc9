import CInterprocess
import InterprocessSystem

/// What a reference record is for just now.
///
/// **States**
///
/// | phase | rest | meaning |
/// |---|---|---|
/// | free | 0 | there is no value: anybody can make one |
/// | making | a claim | that peer makes a value, of which nobody knows yet |
/// | alive | a number | there is a value; each peer that takes it changes the number |
/// | dying | a claim | nobody holds it any more, and that peer destroys it |
///
/// Each value has another generation, modulo 2^30 - 1.
struct ReferenceState: Equatable {
    enum Phase: UInt64 { case free, making, alive, dying }

    let raw: UInt64

    init(raw: UInt64) { self.raw = raw }
    init(_ phase: Phase, _ generation: UInt32, _ rest: UInt32 = 0) {
        raw = UInt64(generation) << 34 | phase.rawValue << 32 | UInt64(rest)
    }

    var phase: Phase { Phase(rawValue: raw >> 32 & 3) ?? .free }
    var generation: UInt32 { UInt32(raw >> 34) }
    private var rest: UInt32 { UInt32(truncatingIfNeeded: raw) }

    /// Of the next value.
    var nextGeneration: UInt32 { generation >= (1 << 30) - 1 ? 1 : generation + 1 }
    /// After one more has taken it.
    var taken: ReferenceState { ReferenceState(phase, generation, rest &+ 1) }
    /// Whose the record is, that makes or destroys its value.
    var claim: UInt32? { phase == .making || phase == .dying ? rest : nil }
}

/// How often a peer holds a value: its claim, and the number. 0: not at all.
struct ReferenceHold: Equatable {
    let raw: UInt64

    init(raw: UInt64) { self.raw = raw }
    init(_ claim: UInt32, _ count: UInt32) { raw = count == 0 ? 0 : UInt64(claim) << 32 | UInt64(count) }

    var claim: UInt32 { UInt32(raw >> 32) }
    var count: UInt32 { UInt32(truncatingIfNeeded: raw) }
}

/// A record of a value that peers hold together. It stays where it is as long as the arena, and is used for one value after the other.
///
/// **Layout** "reference record".
/// **Memory order** `SYNC reference.state`: what stands in the record and in the value before it is *alive* is seen by who takes it. `SYNC reference.hold`: who lets go changes its own word before it looks at the others', and who takes
/// changes its own word before `state`; all by sequentially consistent read-modify-writes and loads.
@safe
struct ReferenceRecord: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    let offset: UInt64

    private static let headSize = MemoryLayout<ipc_reference>.size
    static func size(peers: Int) -> Int { headSize + peers * 8 }

    private func word(_ place: Int) -> SharedUInt64 { unsafe SharedUInt64(at: base + place) }

    private var stateWord: SharedUInt64 { word(0) }
    var state: ReferenceState { ReferenceState(raw: stateWord.loadSequential()) }
    func change(_ old: ReferenceState, to new: ReferenceState) -> Bool { stateWord.compareExchange(old.raw, new.raw) }

    /// The link to the value's block.
    var valueOffset: UInt64 { offset + 8 }
    /// Stand still while the record is alive.
    var typeHash: SharedUInt64 { word(16) }
    var size: SharedUInt64 { word(24) }
    var links: SharedUInt32 { unsafe SharedUInt32(at: base + 32) }

    private func holdWord(_ slot: Int) -> SharedUInt64 { word(Self.headSize + slot * 8) }
    func hold(_ slot: Int) -> ReferenceHold { ReferenceHold(raw: holdWord(slot).loadSequential()) }
    func change(_ slot: Int, _ old: ReferenceHold, to new: ReferenceHold) -> Bool { holdWord(slot).compareExchange(old.raw, new.raw) }
}
