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

    /// A value that one process at a time has.
    public static let mutex = SegmentKind(rawValue: 4)
    /// A number of units that nobody owns.
    public static let semaphore = SegmentKind(rawValue: 5)
    /// A number of units that come back from their holders.
    public static let permits = SegmentKind(rawValue: 6)
    /// What those wait on who wait for a change of a mutex's value.
    public static let condition = SegmentKind(rawValue: 7)
    /// A value that many read or one changes.
    public static let readWriteLock = SegmentKind(rawValue: 8)
    /// Where a number of parties wait for one another, again and again.
    public static let barrier = SegmentKind(rawValue: 9)
    /// A count that those wait for until it is zero.
    public static let latch = SegmentKind(rawValue: 10)
    /// Something that has happened or not.
    public static let event = SegmentKind(rawValue: 11)
    /// Something that is done once.
    public static let once = SegmentKind(rawValue: 12)

    /// The last value that was stored.
    public static let latestValue = SegmentKind(rawValue: 13)
    /// A queue from any number of senders to any number of receivers.
    public static let sharedQueue = SegmentKind(rawValue: 14)
    /// Messages from any number of publishers to all of any number of subscribers.
    public static let topic = SegmentKind(rawValue: 15)
    /// Requests of any number of clients to any number of servers, and their replies.
    public static let service = SegmentKind(rawValue: 16)
    /// Numbers that somebody is notified of.
    public static let notifier = SegmentKind(rawValue: 17)
    /// A heap of any number of processes.
    public static let arena = SegmentKind(rawValue: 18)
    /// A place for one value, which is there or not.
    public static let variable = SegmentKind(rawValue: 19)
    /// Messages of many senders, each with a lane of its own, to one receiver.
    public static let fanIn = SegmentKind(rawValue: 20)

    public var description: String {
        switch self {
        case .plain: "segment"
        case .queue: "queue"
        case .handoff: "handoff"
        case .mutex: "mutex"
        case .semaphore: "semaphore"
        case .permits: "set of permits"
        case .condition: "condition"
        case .readWriteLock: "reader-writer lock"
        case .barrier: "barrier"
        case .latch: "latch"
        case .event: "event"
        case .once: "once"
        case .latestValue: "latest value"
        case .sharedQueue: "shared queue"
        case .topic: "topic"
        case .service: "service"
        case .notifier: "notifier"
        case .arena: "arena"
        case .variable: "variable"
        case .fanIn: "fan-in queue"
        default: "object of unknown kind \(rawValue)"
        }
    }
}
