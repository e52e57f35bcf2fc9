import CInterprocess
import InterprocessSystem

/// What a service is: the unchanging part of its control block.
struct ServiceShape: Sendable, Equatable {
    /// Calls in flight.
    var calls: Int
    /// Bytes of a record's windows; 0: what there is stands in the record.
    var requestSize: Int
    var replySize: Int
    /// Bytes of a typed reply; 0: any size.
    var replyStride: Int

    /// More entries than records are harmless; few would let laps come round within hours.
    var ringShift: Int { max(6, Int.bitWidth - (calls - 1).leadingZeroBitCount) }
    var ringSize: Int { 1 << ringShift }
    var windowSize: Int { requestSize + replySize }

    private static func roundUp(_ size: Int) -> Int { (size + 63) / 64 * 64 }

    // The parts of the control block, one behind the other.
    var ringOffset: Int { MemoryLayout<ipc_service>.size }
    var recordOffset: Int { ringOffset + MessageRing.byteCount(size: ringSize) }
    var hintOffset: Int { recordOffset + calls * MemoryLayout<ipc_call>.stride }
    var serverOffset: Int { hintOffset + Self.roundUp(FreeHints.byteCount(calls)) }
    func objectSize(peers: Int) -> Int { serverOffset + Self.roundUp(peers * MemoryLayout<UInt32>.stride) }
}

/// The shared words of a service.
struct ServiceWords: Sendable {
    private let mapping: SegmentMapping
    let shape: ServiceShape

    /// Of a service that is just made.
    init(_ mapping: SegmentMapping, _ shape: ServiceShape) { (self.mapping, self.shape) = (mapping, shape) }

    /// Reads the shape of an existing service, once, and checks it.
    ///
    /// - Throws: the field that is impossible.
    init(checking mapping: SegmentMapping) throws(QueueDamage) {
        self.mapping = mapping
        let header = mapping.header
        let room = header.dataOffset - header.objectOffset
        guard room >= MemoryLayout<ipc_service>.size else { throw QueueDamage(field: "object_offset") }
        let words = ServiceWords(mapping, ServiceShape(calls: 1, requestSize: 0, replySize: 0, replyStride: 0))
        let calls = Int(words.word32(\.calls).loadRelaxed())
        guard (1...Int(IPC_MAXIMUM_SLOTS)).contains(calls) else { throw QueueDamage(field: "calls") }
        func size(_ path: PartialKeyPath<ipc_service>, _ name: String) throws(QueueDamage) -> Int {
            let size = Int(clamping: words.word64(path).loadRelaxed())
            guard size <= SegmentPlan.maximumSize, size % 64 == 0 else { throw QueueDamage(field: name) }
            return size
        }
        let shape = ServiceShape(
            calls: calls, requestSize: try size(\.request_size, "request_size"), replySize: try size(\.reply_size, "reply_size"),
            replyStride: Int(clamping: words.word64(\.reply_stride).loadRelaxed()))
        guard shape.windowSize <= SegmentPlan.maximumSize / calls, shape.windowSize * calls <= header.dataSize else {
            throw QueueDamage(field: "request_size")
        }
        guard shape.replyStride <= max(shape.replySize, Int(IPC_INLINE_REPLY)) else { throw QueueDamage(field: "reply_stride") }
        guard header.element.size <= max(shape.requestSize, Int(IPC_INLINE_REQUEST)) else { throw QueueDamage(field: "request_size") }
        guard Int(words.word32(\.ring_size).loadRelaxed()) == shape.ringSize else { throw QueueDamage(field: "ring_size") }
        guard shape.objectSize(peers: header.maximumPeers) <= room else { throw QueueDamage(field: "object_offset") }
        self.shape = shape
    }

    private var base: UnsafeMutableRawPointer { unsafe mapping.object }

    private func word32(_ field: PartialKeyPath<ipc_service>) -> SharedUInt32 { unsafe SharedUInt32(at: base + Self.offset(field)) }
    private func word64(_ field: PartialKeyPath<ipc_service>) -> SharedUInt64 { unsafe SharedUInt64(at: base + Self.offset(field)) }
    private static func offset<Root>(_ field: PartialKeyPath<Root>) -> Int {
        guard let offset = MemoryLayout<Root>.offset(of: field) else { preconditionFailure("stored fields have offsets") }
        return offset
    }

    var items: WakeWord { WakeWord(word: word32(\.items)) }
    var space: WakeWord { WakeWord(word: word32(\.space)) }
    var withdrawn: SharedUInt32 { word32(\.withdrawn) }
    var ring: MessageRing { unsafe MessageRing(at: base + shape.ringOffset, shift: shape.ringShift) }
    var records: CallRecords {
        unsafe CallRecords(at: base + shape.recordOffset, hints: base + shape.hintOffset, count: shape.calls)
    }

    /// The PeerID of the server in this slot of the peer table, as it has written it; 0: none.
    func server(_ slot: Int) -> SharedUInt32 {
        precondition((0..<mapping.header.maximumPeers).contains(slot))
        return unsafe SharedUInt32(at: base + shape.serverOffset + slot * MemoryLayout<UInt32>.stride)
    }

    /// Where a call's windows stand: the request's, and the reply's right behind it.
    @inline(__always)
    func requestWindow(_ index: Int) -> UnsafeMutableRawPointer { unsafe mapping.data + index &* shape.windowSize }
    @inline(__always)
    func replyWindow(_ index: Int) -> UnsafeMutableRawPointer {
        unsafe mapping.data + (index &* shape.windowSize &+ shape.requestSize)
    }

    /// Writes what is not zero; before the segment has a name.
    func initialize() {
        word32(\.calls).storeRelaxed(UInt32(shape.calls))
        word32(\.ring_size).storeRelaxed(UInt32(shape.ringSize))
        word64(\.request_size).storeRelaxed(UInt64(shape.requestSize))
        word64(\.reply_size).storeRelaxed(UInt64(shape.replySize))
        word64(\.reply_stride).storeRelaxed(UInt64(shape.replyStride))
        ring.initialize()
        records.initialize()
    }
}
