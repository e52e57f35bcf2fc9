/// What kind of object a segment holds.
public struct SegmentKind: Hashable, Sendable, RawRepresentable, CustomStringConvertible {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Bytes of the user's own, without structure.
    public static let plain = SegmentKind(rawValue: 1)
    /// A queue from one sender to one receiver.
    public static let queue = SegmentKind(rawValue: 2)

    /// Two processes that take turns.
    public static let handoff = SegmentKind(rawValue: 3)

    public var description: String {
        switch self {
        case .plain: "segment"
        case .queue: "queue"
        case .handoff: "handoff"
        default: "object of unknown kind \(rawValue)"
        }
    }
}
