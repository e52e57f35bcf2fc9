import CInterprocess
import InterprocessSystem

/// Opening and making shared queues.
extension SharedQueueCore {
    /// How large the messages are.
    struct Messages {
        /// `bytes` for messages of any size.
        var element: ElementDescription
        /// The largest message, in bytes.
        var size: Int
    }

    /// Messages of a queue if no capacity is given.
    static let defaultCapacity = 1024

    /// - Parameters:
    ///   - capacity: an existing queue must have as much; nil accepts any.
    ///   - asItIs: whether the options of an existing queue may be any.
    convenience init(
        _ name: ObjectName, _ messages: Messages, capacity: Int?, _ options: SharedQueueOptions, asItIs: Bool = false
    ) throws(InterprocessError) {
        let label = name.description
        let shape = try Self.shape(messages, capacity ?? Self.defaultCapacity, options, label)
        let isBytes = messages.element.size == 0
        let plan = SegmentPlan(
            kind: .sharedQueue, objectSize: shape.objectSize(peers: max(0, min(options.maximumPeers, Int(IPC_MAXIMUM_PEERS)))),
            dataSize: shape.slots * shape.messageSize, mirrorsData: false, capacity: shape.slots, element: messages.element,
            lifetime: options.lifetime, maximumPeers: options.maximumPeers, reservedDataSize: isBytes ? 0 : nil,
            minimumObjectSize: MemoryLayout<ipc_shared_queue>.size)
        let segment = try Segment.make(
            OpenMode(options.existence), plan, SegmentPlace(name: name, directory: options.directory), options.permissions,
            minimumCapacity: capacity, recovery: .sharedQueue,
            keepAbandoned: { mapping in
                // Damaged: whoever opens it is told.
                guard let words = try? SharedQueueWords(checking: mapping) else { return true }
                return SharedQueueRepair(words).isWorthKeeping
            },
            initialize: { SharedQueueWords($0, shape).initialize(reservedBytes: isBytes ? 0 : shape.messageSize) })
        let words: SharedQueueWords
        do throws(QueueDamage) {
            words = try SharedQueueWords(checking: segment.mapping)
        } catch {
            throw InterprocessError(.damaged, "open", label, "the queue is damaged (field '\(error.field)'); remove it and create it anew")
        }
        if !asItIs { try Self.compare(words.shape, shape, label) }
        self.init(segment, words)
    }

    private static func shape(
        _ messages: Messages, _ capacity: Int, _ options: SharedQueueOptions, _ label: String
    ) throws(InterprocessError) -> SharedQueueShape {
        func refuse(_ reason: String) -> InterprocessError { InterprocessError(.invalidArgument, "create", label, reason) }
        guard (1...Int(IPC_MAXIMUM_SLOTS)).contains(capacity) else {
            throw refuse("a shared queue holds 1 to \(IPC_MAXIMUM_SLOTS) messages, not \(capacity)")
        }
        guard (1...Int(IPC_MAXIMUM_PRIORITIES)).contains(options.priorities) else {
            throw refuse("there are 1 to \(IPC_MAXIMUM_PRIORITIES) priorities, not \(options.priorities)")
        }
        guard (0...254).contains(options.deliveryLimit) else {
            throw refuse("the limit of deliveries is 1 to 254, or 0 for none, not \(options.deliveryLimit)")
        }
        guard messages.size >= 0, messages.size <= SegmentPlan.maximumSize / capacity else {
            throw refuse("\(capacity) messages of \(messages.size) bytes are more than the largest possible segment, 1 TiB; ask for less")
        }
        let acknowledge = options.acknowledgeWithin.map { max(1, MonotonicInstant(nanoseconds: 0).advanced(by: $0).nanoseconds) } ?? 0
        let isBytes = messages.element.size == 0
        // Messages of bytes begin with a page each, so that their memory can be had one by one.
        let unit = isBytes ? SegmentPlan.page : max(8, messages.element.alignment)
        return SharedQueueShape(
            slots: capacity, priorities: options.priorities, overflow: options.overflow, deliveryLimit: options.deliveryLimit,
            acknowledgeNanoseconds: acknowledge, messageSize: max(unit, (messages.size + unit - 1) / unit * unit))
    }

    /// What is there must behave as the opener says. Its capacity and the size of its messages were compared as those of any object.
    private static func compare(_ found: SharedQueueShape, _ wanted: SharedQueueShape, _ label: String) throws(InterprocessError) {
        func refuse(_ what: String, _ found: some CustomStringConvertible, _ wanted: some CustomStringConvertible) -> InterprocessError {
            InterprocessError(
                .sizeMismatch, "open", label,
                "it was made with \(what) \(found), and this program says \(wanted); say the same in all programs, or choose another name")
        }
        guard found.overflow == wanted.overflow else {
            throw InterprocessError(
                .overflowMismatch, "open", label,
                "when it is full it \(found.overflow), and this program expects one that \(wanted.overflow); use the same in all programs, or another name"
            )
        }
        guard found.priorities == wanted.priorities else { throw refuse("priorities:", found.priorities, wanted.priorities) }
        guard found.deliveryLimit == wanted.deliveryLimit else {
            throw refuse("a delivery limit of", found.deliveryLimit, wanted.deliveryLimit)
        }
        guard found.acknowledgeNanoseconds == wanted.acknowledgeNanoseconds else {
            throw refuse("a time to acknowledge (in ns) of", found.acknowledgeNanoseconds, wanted.acknowledgeNanoseconds)
        }
        guard found.messageSize >= wanted.messageSize else {
            throw refuse("messages of at most (bytes)", found.messageSize, wanted.messageSize)
        }
    }
}
