import CInterprocess
public import SystemPackage

/// How a queue is made if it is not there yet, and where.
public struct QueueOptions: Sendable {
    /// Where the name is.
    public var directory: ObjectDirectory
    /// How long it stays. A queue that lives until the last peer leaves stays longer while it holds messages that nobody has received.
    public var lifetime: Lifetime
    /// Who may open it. In ``ObjectDirectory/user`` nobody but the user: others' writing is refused there, and needs a directory that is shared.
    public var permissions: FilePermissions
    /// Whether the queue must exist, must not exist, or either.
    public var existence: Existence
    /// What happens to a message that finds the queue full. An existing queue must do the same; nil accepts any, and makes one whose sender
    /// waits.
    public var overflow: QueueOverflow?

    public typealias Existence = Interprocess.Existence

    public init(
        directory: ObjectDirectory = .user, lifetime: Lifetime = .untilLastPeerLeaves, permissions: FilePermissions = .ownerReadWrite,
        existence: Existence = .any, overflow: QueueOverflow? = nil
    ) {
        self.directory = directory
        self.lifetime = lifetime
        self.permissions = permissions
        self.existence = existence
        self.overflow = overflow
    }
}

/// Opening and making the segments of queues.
enum QueueSegment {
    /// Capacities if none is given: messages of a typed queue, bytes of a byte queue.
    static let defaultMessages = 4096
    static let defaultBytes = 4 << 20
    /// Two programs, and the tool's onlookers do not count; a few more for restarts that overlap.
    static let maximumPeers = 8

    static func open(
        _ name: ObjectName, _ element: ElementDescription, capacity: Int?, _ options: QueueOptions
    ) throws(InterprocessError) -> Segment {
        let plan = try plan(element, capacity: capacity, lifetime: options.lifetime, label: name.description)
        return try Segment.make(
            OpenMode(options.existence), plan, SegmentPlace(name: name, directory: options.directory), options.permissions,
            minimumCapacity: capacity,
            recovery: .queue,
            keepAbandoned: { isWorthKeeping($0) }, initialize: { QueueWords($0).initialize(options.overflow ?? .wait) })
    }

    static func plan(_ element: ElementDescription, capacity: Int?, lifetime: Lifetime, label: String) throws(InterprocessError)
        -> SegmentPlan
    {
        let isBytes = element.size == 0
        let capacity = capacity ?? (isBytes ? defaultBytes : defaultMessages)
        guard capacity > 0 else {
            throw InterprocessError(.invalidArgument, "create", label, "the capacity must be at least 1, not \(capacity)")
        }
        let alignment = RecordGeometry.alignment(for: element.alignment)
        let ringSize: Int
        if isBytes {
            guard capacity <= SegmentPlan.maximumSize else { throw tooLarge(label) }
            ringSize = RecordGeometry.ringSize(payload: capacity, alignment: alignment)
        } else {
            let (size, overflow) = capacity.multipliedReportingOverflow(
                by: RecordGeometry.size(payload: element.size, alignment: alignment))
            guard !overflow, size <= SegmentPlan.maximumSize else { throw tooLarge(label) }
            ringSize = size + 2 * alignment
        }
        return SegmentPlan(
            kind: .queue, objectSize: MemoryLayout<ipc_queue>.size, dataSize: ringSize, mirrorsData: true, capacity: capacity,
            element: element,
            lifetime: lifetime, maximumPeers: maximumPeers)
    }

    private static func tooLarge(_ label: String) -> InterprocessError {
        InterprocessError(.invalidArgument, "create", label, "the capacity is more than the largest possible segment, 1 TiB; ask for less")
    }

    /// Whether the queue holds messages, or an ending, that nobody has been told.
    static func isWorthKeeping(_ mapping: SegmentMapping) -> Bool {
        // Damaged: whoever opens it is told.
        guard mapping.header.dataOffset - mapping.header.objectOffset >= MemoryLayout<ipc_queue>.size else { return true }
        let words = QueueWords(mapping)
        let element = mapping.header.element
        let walk = QueueWalk(words, alignment: RecordGeometry.alignment(for: element.alignment), elementSize: element.size)
        guard let head = try? walk.head().place, let tail = try? walk.tail() else { return true }
        return tail.sequence != head.sequence
    }
}
