import CInterprocess

/// A process's membership in one segment: a slot of its peer table and the slot's generation, so that it never means another peer than the
/// one it meant.
///
/// 32 bits, so that it fits beside a state in one atomic word. A process that has a segment open twice is two peers.
///
/// **Layout** bits 0–9 slot, 10–31 generation, which is at least 1: a PeerID is never 0.
@frozen
public struct PeerID: Hashable, Sendable, Shareable, RawRepresentable, CustomStringConvertible {
    public let rawValue: UInt32

    @inlinable public init?(rawValue: UInt32) {
        guard rawValue >> 10 != 0 else { return nil }
        self.rawValue = rawValue
    }

    init(slot: Int, generation: UInt32) { rawValue = generation << 10 | UInt32(slot) }

    /// The index in the peer table, 0 … 1023.
    @inlinable public var slot: Int { Int(rawValue & 1023) }
    /// How many peers have had the slot, this one included; modulo 2^22 - 1.
    @inlinable public var generation: UInt32 { rawValue >> 10 }

    /// Of a peer of which it is not known any more which one it was, as in a ``DeathNotice``. The only one whose raw value is 0.
    public static let unknown = PeerID(slot: 0, generation: 0)

    static func generation(after generation: UInt32) -> UInt32 { generation >= (1 << 22) - 1 ? 1 : generation + 1 }

    public var description: String { self == .unknown ? "unknown" : "\(slot).\(generation)" }
}
