import CInterprocess
import InterprocessSystem

/// What a shared queue is: the unchanging part of its control block.
struct SharedQueueShape: Sendable, Equatable {
    var slots: Int
    var priorities: Int
    var overflow: QueueOverflow
    var deliveryLimit: Int
    var acknowledgeNanoseconds: UInt64
    /// Bytes from one slot's message to the next.
    var messageSize: Int

    /// More entries than slots are harmless; few would let laps come round within hours.
    var ringShift: Int { max(6, Int.bitWidth - (slots - 1).leadingZeroBitCount) }
    var ringSize: Int { 1 << ringShift }

    fileprivate static func roundUp(_ size: Int) -> Int { (size + 63) / 64 * 64 }

    // The parts of the control block, one behind the other.
    func ringOffset(_ priority: Int) -> Int { MemoryLayout<ipc_shared_queue>.size + priority * MessageRing.byteCount(size: ringSize) }
    var slotOffset: Int { ringOffset(priorities) }
    var hintOffset: Int { slotOffset + slots * MemoryLayout<ipc_message_slot>.stride }
    var dropOffset: Int { hintOffset + Self.roundUp((slots + 31) / 32 * 4) }
    func objectSize(peers: Int) -> Int { dropOffset + peers * MemoryLayout<ipc_message_drops>.stride }
}

/// The shared words of a shared queue.
struct SharedQueueWords: Sendable {
    private let mapping: SegmentMapping
    let shape: SharedQueueShape

    /// Of a queue that is just made.
    init(_ mapping: SegmentMapping, _ shape: SharedQueueShape) { (self.mapping, self.shape) = (mapping, shape) }

    /// Reads the shape of an existing queue, once, and checks it.
    ///
    /// - Throws: the field that is impossible.
    init(checking mapping: SegmentMapping) throws(QueueDamage) {
        self.mapping = mapping
        let header = mapping.header
        let room = header.dataOffset - header.objectOffset
        guard room >= MemoryLayout<ipc_shared_queue>.size else { throw QueueDamage(field: "object_offset") }
        let words = SharedQueueWords(
            mapping, SharedQueueShape(slots: 1, priorities: 1, overflow: .wait, deliveryLimit: 0, acknowledgeNanoseconds: 0, messageSize: 0)
        )
        let slots = Int(words.word32(\.slots).loadRelaxed())
        guard (1...Int(IPC_MAXIMUM_SLOTS)).contains(slots) else { throw QueueDamage(field: "slots") }
        let priorities = Int(words.word32(\.priorities).loadRelaxed())
        guard (1...Int(IPC_MAXIMUM_PRIORITIES)).contains(priorities) else { throw QueueDamage(field: "priorities") }
        guard let overflow = QueueOverflow(rawValue: words.word32(\.overflow).loadRelaxed()) else { throw QueueDamage(field: "overflow") }
        let size = Int(clamping: words.word64(\.message_size).loadRelaxed())
        guard size <= SegmentPlan.maximumSize, size * slots <= header.dataSize else { throw QueueDamage(field: "message_size") }
        let unit = header.element.size == 0 ? SegmentPlan.page : max(8, header.element.alignment)
        guard header.element.size <= size, size % unit == 0 else { throw QueueDamage(field: "message_size") }
        let shape = SharedQueueShape(
            slots: slots, priorities: priorities, overflow: overflow, deliveryLimit: Int(words.word32(\.delivery_limit).loadRelaxed()),
            acknowledgeNanoseconds: words.word64(\.acknowledge_ns).loadRelaxed(), messageSize: size)
        guard Int(words.word32(\.ring_size).loadRelaxed()) == shape.ringSize else { throw QueueDamage(field: "ring_size") }
        guard shape.objectSize(peers: header.maximumPeers) <= room else { throw QueueDamage(field: "object_offset") }
        self.shape = shape
    }

    private var base: UnsafeMutableRawPointer { unsafe mapping.object }

    private func word32(_ field: PartialKeyPath<ipc_shared_queue>) -> SharedUInt32 { unsafe SharedUInt32(at: base + Self.offset(field)) }
    private func word64(_ field: PartialKeyPath<ipc_shared_queue>) -> SharedUInt64 { unsafe SharedUInt64(at: base + Self.offset(field)) }
    private static func offset<Root>(_ field: PartialKeyPath<Root>) -> Int {
        guard let offset = MemoryLayout<Root>.offset(of: field) else { preconditionFailure("stored fields have offsets") }
        return offset
    }

    var items: WakeWord { WakeWord(word: word32(\.items)) }
    var space: WakeWord { WakeWord(word: word32(\.space)) }
    var returns: SharedUInt32 { word32(\.returns) }
    var searched: SharedUInt32 { word32(\.searched) }
    var finished: SharedUInt32 { word32(\.finished) }

    func ring(_ priority: Int) -> MessageRing {
        precondition((0..<shape.priorities).contains(priority))
        return unsafe MessageRing(at: base + shape.ringOffset(priority), shift: shape.ringShift)
    }

    var slots: MessageSlots {
        unsafe MessageSlots(
            at: base + shape.slotOffset, hints: base + shape.hintOffset, count: shape.slots)
    }

    /// What the peer in this slot of the peer table has dropped.
    func drops(_ slot: Int) -> MessageDrops {
        precondition((0..<mapping.header.maximumPeers).contains(slot))
        return unsafe MessageDrops(at: base + shape.dropOffset + slot * MemoryLayout<ipc_message_drops>.stride)
    }

    /// Where a slot's message stands.
    @inline(__always)
    func bytes(_ slot: Int) -> UnsafeMutableRawPointer { unsafe mapping.data + slot &* shape.messageSize }

    /// Writes what is not zero; before the segment has a name.
    func initialize(reservedBytes: Int) {
        word32(\.slots).storeRelaxed(UInt32(shape.slots))
        word32(\.ring_size).storeRelaxed(UInt32(shape.ringSize))
        word32(\.priorities).storeRelaxed(UInt32(shape.priorities))
        word32(\.overflow).storeRelaxed(shape.overflow.rawValue)
        word32(\.delivery_limit).storeRelaxed(UInt32(shape.deliveryLimit))
        word64(\.message_size).storeRelaxed(UInt64(shape.messageSize))
        word64(\.acknowledge_ns).storeRelaxed(shape.acknowledgeNanoseconds)
        for priority in 0..<shape.priorities { ring(priority).initialize() }
        slots.initialize()
        if reservedBytes > 0 { for index in 0..<shape.slots { slots.reservedBytes(index).storeRelaxed(UInt64(reservedBytes)) } }
    }
}

/// What one peer of a shared queue has dropped; written by that peer, and by who repairs after its death.
@safe
struct MessageDrops: @unchecked Sendable {
    private let base: UnsafeMutableRawPointer

    init(at base: UnsafeMutableRawPointer) { unsafe self.base = base }

    var newest: SharedUInt64 { unsafe SharedUInt64(at: base) }
    var oldest: SharedUInt64 { unsafe SharedUInt64(at: base + 8) }
    var intent: SharedUInt64 { unsafe SharedUInt64(at: base + 16) }

    /// What is about to be dropped; see the layout table.
    struct Intent {
        let word: UInt64
        init(word: UInt64) { self.word = word }
        init(slot: Int, generation: UInt32, count: UInt64) {
            word = UInt64(slot) | UInt64(generation & 0xffff) << 16 | count << 32
        }
        var slot: Int { Int(word & 0xffff) }
        var generation: UInt32 { UInt32(word >> 16 & 0xffff) }
        var count: UInt32 { UInt32(word >> 32) }
    }
}
