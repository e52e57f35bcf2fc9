import CInterprocess

/// The header word that stands before each record of a queue: publishing it is publishing the record.
///
/// **States** 0: nothing is published here. Otherwise
///
/// | bits | data record | control record |
/// |---|---|---|
/// | 63 | 1 | 1 |
/// | 62 | 0 | 1 |
/// | 40–61 | sequence number of the first message, low bits | session that begins here, low bits |
/// | 0–39 | bytes of payload | bits 0–31 PeerID of the sender before, 32–39 how it ended |
@frozen @usableFromInline
struct RecordHeader: Equatable {
    @usableFromInline let word: UInt64

    @usableFromInline static let published: UInt64 = 1 << 63
    @usableFromInline static let control: UInt64 = 1 << 62
    @usableFromInline static let checkMask: UInt64 = (1 << 22) - 1
    @usableFromInline static let lengthMask: UInt64 = (1 << 40) - 1

    @inlinable @inline(__always) init(word: UInt64) { self.word = word }

    @inlinable @inline(__always) init(length: Int, sequence: UInt64) {
        word = Self.published | (sequence & Self.checkMask) << 40 | UInt64(truncatingIfNeeded: length)
    }

    init(session: UInt32, previous: RoleWord) {
        word = Self.published | Self.control | UInt64(session) << 40 | UInt64(previous.ending.rawValue) << 32 | UInt64(previous.peerBits)
    }

    @usableFromInline var isPublished: Bool { word & Self.published != 0 }
    var isControl: Bool { word & Self.control != 0 }
    var check: UInt64 { word >> 40 & Self.checkMask }
    var length: Int { Int(word & Self.lengthMask) }
    var previousPeerBits: UInt32 { UInt32(truncatingIfNeeded: word) }
    /// Of a control record: whether it says that the session before it has ended, as each does.
    var followsEnding: Bool { previousEnding == .closed || previousEnding == .died }
    var previousEnding: RoleEnding? { RoleEnding(rawValue: UInt8(truncatingIfNeeded: word >> 32)) }
}

/// The shared words of a queue's control block, or of one lane's of a fan-in queue.
struct QueueWords: Sendable {
    private let mapping: SegmentMapping
    /// Of the control block.
    private let base: Int
    /// Of a lane: the receiver's words, which all lanes share.
    private let lane: LaneWords?

    init(_ mapping: SegmentMapping) {
        self.mapping = mapping
        base = mapping.header.objectOffset
        lane = nil
    }

    /// - Parameter base: of the lane's control block.
    init(_ mapping: SegmentMapping, at base: Int, _ lane: LaneWords) {
        self.mapping = mapping
        self.base = base
        self.lane = lane
    }

    /// The part of the data that is the ring.
    var ringRange: Range<Int> { lane?.ringRange ?? 0..<mapping.header.dataSize }
    /// Where its records are, not mirrored: for reading headers.
    var ring: UnsafeMutableRawPointer { unsafe mapping.data + ringRange.lowerBound }
    var isLane: Bool { lane != nil }
    /// See ``LaneWords/isCrowded``.
    var isCrowded: Bool { lane?.isCrowded ?? false }

    private func word64(_ field: PartialKeyPath<ipc_queue>) -> SharedUInt64 { mapping.word64(base + Self.offset(field)) }
    private func word32(_ field: PartialKeyPath<ipc_queue>) -> SharedUInt32 { mapping.word32(base + Self.offset(field)) }

    private static func offset(_ field: PartialKeyPath<ipc_queue>) -> Int {
        guard let offset = MemoryLayout<ipc_queue>.offset(of: field) else { preconditionFailure("stored fields have offsets") }
        return offset
    }

    var consumed: SharedUInt64 { word64(\.consumed) }
    var reported: SharedUInt64 { word64(\.reported) }
    var receiverFlags: SharedUInt32 { lane?.receiver.flags ?? word32(\.receiver_flags) }
    var receiverCPU: SharedUInt32 { lane?.receiver.cpu ?? word32(\.receiver_cpu) }
    var receiverEvent: SharedUInt32 { lane?.receiver.event ?? word32(\.receiver_event) }
    var senderFlags: SharedUInt32 { word32(\.sender_flags) }
    var senderCPU: SharedUInt32 { word32(\.sender_cpu) }
    var senderEvent: SharedUInt32 { word32(\.sender_event) }
    var senderWants: SharedUInt64 { word64(\.sender_wants) }
    var sender: SharedUInt64 { word64(\.sender) }
    var receiver: SharedUInt64 { lane?.receiver.role ?? word64(\.receiver) }

    var senderSide: SideWords {
        SideWords(
            role: sender, flags: senderFlags, event: senderEvent, cpu: senderCPU, toldTo: EventWords(receiverEvent),
            alwaysNeedsBarrier: isLane)
    }
    var receiverSide: SideWords {
        lane?.receiver
            ?? SideWords(role: receiver, flags: receiverFlags, event: receiverEvent, cpu: receiverCPU, toldTo: EventWords(senderEvent))
    }
    var droppedNewest: SharedUInt64 { word64(\.dropped_newest) }

    /// What the queue does when it is full; nil if the field is impossible.
    var overflow: QueueOverflow? { QueueOverflow(rawValue: word32(\.overflow).loadRelaxed()) }

    /// The receiver's two entries are 0 and 1; the sender's, in a queue that drops the oldest, 2 and 3.
    func progress(_ index: Int) -> ProgressEntry {
        let first = index < 2 ? Self.offset(\.progress) : Self.offset(\.dropping)
        return unsafe ProgressEntry(
            mapping.base + base + first + index % 2 * MemoryLayout<ipc_queue_progress>.stride)
    }

    /// Writes what is not zero; before the segment has a name.
    func initialize(_ overflow: QueueOverflow) {
        if !isLane { receiverFlags.storeRelaxed(WaitFlags.open) }
        senderFlags.storeRelaxed(WaitFlags.open)
        word32(\.overflow).storeRelaxed(overflow.rawValue)
    }
}

/// One of the two progress entries, which stand next to each other on one cache line.
@frozen @safe
@usableFromInline
struct ProgressEntry: @unchecked Sendable {
    @usableFromInline var address: UnsafeMutableRawPointer

    init(_ address: UnsafeMutableRawPointer) { unsafe self.address = address }

    @usableFromInline var position: SharedUInt64 { @inlinable @inline(__always) get { unsafe SharedUInt64(at: address) } }
    @usableFromInline var sequence: SharedUInt64 { @inlinable @inline(__always) get { unsafe SharedUInt64(at: address + 8) } }
    @usableFromInline var remaining: SharedUInt64 { @inlinable @inline(__always) get { unsafe SharedUInt64(at: address + 16) } }
    var dropped: SharedUInt64 { unsafe SharedUInt64(at: address + 24) }

    /// Means the other one from now on: the two differ in one bit of their address.
    @inlinable @inline(__always)
    mutating func turn() { unsafe address = UnsafeMutableRawPointer(bitPattern: UInt(bitPattern: address) ^ 32).unsafelyUnwrapped }
}

/// Which bytes of a queue make a record, for one alignment.
///
///     record at p:   p + alignment - 8   header
///                    p + alignment       payload, padded to the alignment
@usableFromInline
enum RecordGeometry {
    /// The least alignment of records: a header's size.
    @usableFromInline static let leastAlignment = 8

    @inlinable @inline(__always)
    static func alignment(for element: Int) -> Int { element < leastAlignment ? leastAlignment : element }

    /// Bytes from one record to the next.
    @inlinable @inline(__always)
    static func size(payload: Int, alignment: Int) -> Int { alignment &+ ((payload &+ (alignment &- 1)) & ~(alignment &- 1)) }

    /// Bytes of ring that take `payload` bytes in one record, with a control record before it and the zero header behind it.
    static func ringSize(payload: Int, alignment: Int) -> Int { size(payload: payload, alignment: alignment) + 2 * alignment }

    /// The largest payload of one record in a ring of `size` bytes.
    @inlinable @inline(__always)
    static func largestPayload(ring size: Int, alignment: Int) -> Int { size - 3 * alignment }
}
extension RecordGeometry: Sendable {}
