import CInterprocess
import InterprocessSystem

/// What a fan-in queue is: the unchanging part of its control block.
struct FanInShape: Sendable, Equatable {
    var lanes: Int
    /// Bytes of each lane's ring, whole pages.
    var laneSize: Int

    /// Bytes of the control block: 512, and 1,024 for each lane.
    var objectSize: Int { laneOffset(lanes) }

    func laneOffset(_ lane: Int) -> Int { MemoryLayout<ipc_fan_in>.size + lane * MemoryLayout<ipc_queue>.stride }

    func ringRange(_ lane: Int) -> Range<Int> { lane * laneSize..<(lane + 1) * laneSize }
}

/// What a lane's words have in common with those of the others, and where its ring is.
struct LaneWords: Sendable {
    let receiver: SideWords
    let ringRange: Range<Int>
    /// The senders' roles, of all lanes.
    let roles: [SharedUInt64]

    private static let processors = (try? Processor.allowed().count) ?? 1

    /// Whether the senders and the receiver are more than there are processors: then one that polls keeps another from its work. O(lanes).
    var isCrowded: Bool { 1 + roles.count { RoleWord(word: $0.loadRelaxed()).holder != nil } > Self.processors }
}

/// The shared words of a fan-in queue.
struct FanInWords: Sendable {
    private let mapping: SegmentMapping
    let shape: FanInShape

    /// Of a queue that is just made.
    init(_ mapping: SegmentMapping, _ shape: FanInShape) { (self.mapping, self.shape) = (mapping, shape) }

    /// Reads the shape of an existing queue, once, and checks it.
    ///
    /// - Throws: the field that is impossible.
    init(checking mapping: SegmentMapping) throws(QueueDamage) {
        let header = mapping.header
        let room = header.dataOffset - header.objectOffset
        guard room >= MemoryLayout<ipc_fan_in>.size else { throw QueueDamage(field: "object_offset") }
        let words = FanInWords(mapping, FanInShape(lanes: 0, laneSize: 0))
        let lanes = Int(words.word32(\.lanes).loadRelaxed())
        guard (1...Int(IPC_MAXIMUM_LANES)).contains(lanes) else { throw QueueDamage(field: "lanes") }
        let size = Int(clamping: words.word64(\.lane_size).loadRelaxed())
        guard size > 0, size % SegmentPlan.page == 0, size <= SegmentPlan.maximumSize, size * lanes <= header.dataSize else {
            throw QueueDamage(field: "lane_size")
        }
        let alignment = RecordGeometry.alignment(for: header.element.alignment)
        guard RecordGeometry.largestPayload(ring: size, alignment: alignment) >= header.element.size else {
            throw QueueDamage(field: "lane_size")
        }
        let shape = FanInShape(lanes: lanes, laneSize: size)
        guard shape.objectSize <= room else { throw QueueDamage(field: "object_offset") }
        self.init(mapping, shape)
    }

    private func word32(_ field: PartialKeyPath<ipc_fan_in>) -> SharedUInt32 {
        mapping.word32(mapping.header.objectOffset + Self.offset(field))
    }
    private func word64(_ field: PartialKeyPath<ipc_fan_in>) -> SharedUInt64 {
        mapping.word64(mapping.header.objectOffset + Self.offset(field))
    }
    private static func offset<Root>(_ field: PartialKeyPath<Root>) -> Int {
        guard let offset = MemoryLayout<Root>.offset(of: field) else { preconditionFailure("stored fields have offsets") }
        return offset
    }

    /// The receiver's words; whoever takes or leaves the role tells all lanes.
    var receiver: SideWords {
        let first = mapping.header.objectOffset + shape.laneOffset(0) + Self.offset(\ipc_queue.sender_event)
        return SideWords(
            role: word64(\.receiver), flags: word32(\.receiver_flags), event: word32(\.receiver_event), cpu: word32(\.receiver_cpu),
            toldTo: EventWords(mapping.word32(first), count: shape.lanes, stride: MemoryLayout<ipc_queue>.stride))
    }

    func lane(_ lane: Int) -> QueueWords { self.lane(lane, roles) }

    private func lane(_ lane: Int, _ roles: [SharedUInt64]) -> QueueWords {
        precondition((0..<shape.lanes).contains(lane))
        return QueueWords(
            mapping, at: mapping.header.objectOffset + shape.laneOffset(lane),
            LaneWords(receiver: receiver, ringRange: shape.ringRange(lane), roles: roles))
    }

    private var roles: [SharedUInt64] {
        let first = mapping.header.objectOffset + shape.laneOffset(0) + Self.offset(\ipc_queue.sender)
        return (0..<shape.lanes).map { mapping.word64(first + $0 * MemoryLayout<ipc_queue>.stride) }
    }

    var lanes: [QueueWords] {
        let roles = roles
        return (0..<shape.lanes).map { lane($0, roles) }
    }

    /// Writes what is not zero; before the segment has a name.
    func initialize() {
        word32(\.lanes).storeRelaxed(UInt32(shape.lanes))
        word64(\.lane_size).storeRelaxed(UInt64(shape.laneSize))
        receiver.flags.storeRelaxed(WaitFlags.open)
        for lane in lanes { lane.initialize(.wait) }
    }
}

extension QueueWords {
    /// Whether a sender has ever had the lane. Before, its ring may have no memory yet, and is not to be looked at.
    var wasUsed: Bool { RoleWord(word: sender.loadSequential()).session != 0 }
}

extension ObjectRecovery {
    /// What a fan-in queue does for a dead peer: its roles end. What it had published stays.
    static let fanIn = ObjectRecovery(
        claims: { mapping, peer in
            roles(mapping).reduce(into: []) { claims, role in
                let word = role.current
                if word.peer == peer, word.ending != .closed { claims.insert(role.claim) }
            }
        },
        recover: { mapping, peer in for role in roles(mapping) { role.recover(peer) } })

    private static func roles(_ mapping: SegmentMapping) -> [Role] {
        guard let words = try? FanInWords(checking: mapping) else { return [] }
        return words.lanes.map { Role.sender($0) } + [Role(words.receiver, words.receiver, .receiver)]
    }
}
