import CInterprocess
import InterprocessSystem

/// Opening and making topics.
extension TopicCore {
    /// Messages that a topic keeps if no capacity is given.
    static let defaultCapacity = 256

    /// - Parameters:
    ///   - element: `bytes` for messages of any size.
    ///   - size: of the largest message, in bytes.
    ///   - capacity: an existing topic must have as much; nil accepts any.
    convenience init(
        _ name: ObjectName, _ element: ElementDescription, size: Int, capacity: Int?, _ options: TopicOptions
    ) throws(InterprocessError) {
        let label = name.description
        let shape = try Self.shape(element, size, capacity ?? Self.defaultCapacity, options, label)
        let plan = SegmentPlan(
            kind: .topic, objectSize: shape.objectSize, dataSize: shape.chunks * shape.messageSize, mirrorsData: false,
            capacity: shape.entries, element: element, lifetime: options.lifetime, maximumPeers: options.maximumPeers,
            reservedDataSize: shape.isReservedLazily ? 0 : nil, minimumObjectSize: MemoryLayout<ipc_topic>.size)
        let segment = try Segment.make(
            OpenMode(options.existence), plan, SegmentPlace(name: name, directory: options.directory), options.permissions,
            minimumCapacity: capacity, recovery: .topic,
            // What is kept is kept for who comes while somebody is there.
            keepAbandoned: { _ in false }, initialize: { TopicWords($0, shape).initialize() })
        let words: TopicWords
        do throws(QueueDamage) {
            words = try TopicWords(checking: segment.mapping)
        } catch {
            throw Self.damage(error, label)
        }
        guard words.shape.messageSize >= shape.messageSize else {
            throw Self.mismatch(label, "messages of at most (bytes)", words.shape.messageSize, shape.messageSize)
        }
        guard words.shape.holds >= options.maximumHeld else {
            throw Self.mismatch(label, "'maximumHeld' of", words.shape.holds, options.maximumHeld)
        }
        guard options.publishers == .any || words.shape.isSole else {
            throw InterprocessError(
                .sizeMismatch, "open", label,
                "it was made for any number of publishers, and this program says that it has one; say the same in all programs, or choose another name"
            )
        }
        self.init(segment, words)
    }

    static func damage(_ damage: QueueDamage, _ label: String) -> InterprocessError {
        InterprocessError(.damaged, "open", label, "the topic is damaged (field '\(damage.field)'); remove it and create it anew")
    }

    private static func mismatch(_ label: String, _ what: String, _ found: Int, _ wanted: Int) -> InterprocessError {
        InterprocessError(
            .sizeMismatch, "open", label,
            "it was made with \(what) \(found), and this program says \(wanted); say the same in all programs, or choose another name")
    }

    private static func shape(
        _ element: ElementDescription, _ size: Int, _ capacity: Int, _ options: TopicOptions, _ label: String
    ) throws(InterprocessError) -> TopicShape {
        func refuse(_ reason: String) -> InterprocessError { InterprocessError(.invalidArgument, "create", label, reason) }
        guard (1...Int(IPC_MAXIMUM_SLOTS)).contains(capacity) else {
            throw refuse("a topic keeps 1 to \(IPC_MAXIMUM_SLOTS) messages, not \(capacity)")
        }
        guard (1...TopicOptions.mostHeld).contains(options.maximumHeld) else {
            throw refuse("a peer may hold 1 to \(TopicOptions.mostHeld) messages, not \(options.maximumHeld)")
        }
        let entries = 1 << (Int.bitWidth - (capacity - 1).leadingZeroBitCount)
        var shape = TopicShape(
            entries: entries, holds: options.maximumHeld, messageSize: 0, peers: max(1, min(options.maximumPeers, Int(IPC_MAXIMUM_PEERS))),
            isSole: options.publishers == .one)
        guard size >= 0, size <= SegmentPlan.maximumSize / shape.chunks / 2 else {
            throw refuse(
                "\(shape.chunks) places for messages of \(size) bytes (the capacity, and for each of \(shape.peers) peers \(options.maximumHeld + 1)) are more than the largest possible segment, 1 TiB; ask for less"
            )
        }
        let isBytes = element.size == 0
        // Messages of bytes, and of a page and more, begin with a page each, so that their memory can be had one by one.
        let unit = isBytes || size >= SegmentPlan.page ? SegmentPlan.page : max(8, element.alignment)
        shape.messageSize = max(unit, (size + unit - 1) / unit * unit)
        return shape
    }
}
