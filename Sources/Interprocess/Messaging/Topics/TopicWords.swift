import CInterprocess
import InterprocessSystem

/// What a topic is: the unchanging part of its control block.
struct TopicShape: Sendable, Equatable {
    /// Messages that the log keeps: a power of two.
    var entries: Int
    /// Messages that a peer may hold at once.
    var holds: Int
    /// Bytes from one chunk's message to the next.
    var messageSize: Int
    /// Slots of the peer table.
    var peers: Int
    /// One publisher at a time: what is held stands in the peers' records, and chunks have no states and no readers.
    var isSole = false

    /// Whoever is stopped, a publisher finds a chunk: besides what is in the log each peer may have those that it holds, and one more. Of a subscriber that is the one that it looks at. Of a publisher it is the one that it
    /// fills or keeps for its next message: it becomes a part of the log in the very exchange by which the publisher gets the one that it replaces.
    var chunks: Int { entries + peers * (holds + 1) }

    /// Whether the bytes of messages are reserved as they are needed.
    var isReservedLazily: Bool { messageSize >= SegmentPlan.page }

    private static func roundUp(_ size: Int) -> Int { (size + 63) / 64 * 64 }

    // The parts of the control block, one behind the other.
    var logOffset: Int { MemoryLayout<ipc_topic>.size }
    var chunkOffset: Int { logOffset + Self.roundUp(entries * MemoryLayout<UInt64>.stride) }
    var hintOffset: Int { chunkOffset + chunks * TopicChunks.stride(peers: peers) }
    var peerOffset: Int { hintOffset + Self.roundUp(FreeHints.byteCount(chunks)) }
    /// Bytes from one peer's record to the next.
    var peerStride: Int { isSole ? TopicPeer.stride(holds: holds) : MemoryLayout<ipc_topic_peer>.stride }
    var objectSize: Int { peerOffset + peers * peerStride }
}

/// The shared words of a topic.
struct TopicWords: Sendable {
    private let mapping: SegmentMapping
    let shape: TopicShape

    /// Of a topic that is just made.
    init(_ mapping: SegmentMapping, _ shape: TopicShape) { (self.mapping, self.shape) = (mapping, shape) }

    /// Reads the shape of an existing topic, once, and checks it.
    ///
    /// - Throws: the field that is impossible.
    init(checking mapping: SegmentMapping) throws(QueueDamage) {
        self.mapping = mapping
        let header = mapping.header
        let room = header.dataOffset - header.objectOffset
        guard room >= MemoryLayout<ipc_topic>.size else { throw QueueDamage(field: "object_offset") }
        let words = TopicWords(mapping, TopicShape(entries: 1, holds: 1, messageSize: 0, peers: 1))
        let entries = Int(words.word32(\.entries).loadRelaxed())
        guard (1...Int(IPC_MAXIMUM_SLOTS)).contains(entries), entries & (entries - 1) == 0 else { throw QueueDamage(field: "entries") }
        let holds = Int(words.word32(\.holds).loadRelaxed())
        guard (1...TopicOptions.mostHeld).contains(holds) else { throw QueueDamage(field: "holds") }
        let size = Int(clamping: words.word64(\.message_size).loadRelaxed())
        let publishers = words.word32(\.publishers).loadRelaxed()
        guard publishers <= 1 else { throw QueueDamage(field: "publishers") }
        let shape = TopicShape(entries: entries, holds: holds, messageSize: size, peers: header.maximumPeers, isSole: publishers == 1)
        guard size <= SegmentPlan.maximumSize, size * shape.chunks <= header.dataSize, header.element.size <= size else {
            throw QueueDamage(field: "message_size")
        }
        let unit = shape.isReservedLazily ? SegmentPlan.page : max(8, header.element.alignment)
        guard size % unit == 0 else { throw QueueDamage(field: "message_size") }
        guard Int(words.word32(\.chunks).loadRelaxed()) == shape.chunks else { throw QueueDamage(field: "chunks") }
        guard shape.objectSize <= room else { throw QueueDamage(field: "object_offset") }
        self.shape = shape
    }

    private var base: UnsafeMutableRawPointer { unsafe mapping.object }

    private func word32(_ field: PartialKeyPath<ipc_topic>) -> SharedUInt32 { unsafe SharedUInt32(at: base + Self.offset(field)) }
    private func word64(_ field: PartialKeyPath<ipc_topic>) -> SharedUInt64 { unsafe SharedUInt64(at: base + Self.offset(field)) }
    private static func offset(_ field: PartialKeyPath<ipc_topic>) -> Int {
        guard let offset = MemoryLayout<ipc_topic>.offset(of: field) else { preconditionFailure("stored fields have offsets") }
        return offset
    }

    var items: WakeWord { WakeWord(word: word32(\.items)) }
    var space: WakeWord { WakeWord(word: word32(\.space)) }
    var fences: SharedUInt32 { word32(\.fences) }
    var wants: SharedUInt64 { word64(\.wants) }
    var joins: SharedUInt32 { word32(\.joins) }
    var finished: SharedUInt32 { word32(\.finished) }
    /// Of a topic of one publisher: its claim.
    var publisher: SharedUInt32 { word32(\.publisher) }

    var log: TopicLog { unsafe TopicLog(at: base + shape.logOffset, size: shape.entries, tail: word64(\.tail)) }

    var chunks: TopicChunks {
        unsafe TopicChunks(at: base + shape.chunkOffset, hints: base + shape.hintOffset, count: shape.chunks, peers: shape.peers)
    }

    /// What the peer in this slot of the peer table is.
    @inline(__always)
    func peer(_ slot: Int) -> TopicPeer {
        precondition(slot >= 0 && slot < shape.peers)
        return unsafe TopicPeer(at: base + shape.peerOffset + slot &* shape.peerStride)
    }

    /// Where a chunk's message stands.
    @inline(__always)
    func bytes(_ chunk: Int) -> UnsafeMutableRawPointer { unsafe mapping.data + chunk &* shape.messageSize }

    /// Writes what is not zero; before the segment has a name.
    func initialize() {
        word32(\.entries).storeRelaxed(UInt32(shape.entries))
        word32(\.chunks).storeRelaxed(UInt32(shape.chunks))
        word32(\.holds).storeRelaxed(UInt32(shape.holds))
        word64(\.message_size).storeRelaxed(UInt64(shape.messageSize))
        if shape.isSole {
            word32(\.publishers).storeRelaxed(1)
            publisher.storeRelaxed(ClaimWord.free)
        }
        log.initialize()
        chunks.initialize(reservedBytes: shape.isReservedLazily ? 0 : shape.messageSize)
    }
}

/// The record of one peer of a topic; written by that peer, and by who repairs after its death.
@safe
struct TopicPeer: @unchecked Sendable {
    private let base: UnsafeMutableRawPointer

    @inline(__always) init(at base: UnsafeMutableRawPointer) { unsafe self.base = base }

    @inline(__always) var role: SharedUInt64 { unsafe SharedUInt64(at: base) }
    @inline(__always) var cursor: SharedUInt64 { unsafe SharedUInt64(at: base + 8) }
    @inline(__always) var missed: SharedUInt64 { unsafe SharedUInt64(at: base + 16) }
    @inline(__always) var intent: SharedUInt64 { unsafe SharedUInt64(at: base + 24) }

    // Of a topic of one publisher.
    @inline(__always) var reach: SharedUInt32 { unsafe SharedUInt32(at: base + 32) }
    /// Its index was compared with what the topic has.
    @inline(__always) func held(_ index: Int) -> SharedUInt32 { unsafe SharedUInt32(at: base + Self.heldOffset + index &* 4) }
    private static let heldOffset = 36
    /// Bytes of a record that has room for all that a peer may hold, and for what it looks at.
    static func stride(holds: Int) -> Int { (heldOffset + (holds + 1) * 4 + 127) / 128 * 128 }

    enum Kind: UInt64 { case publisher = 1, lossy = 2, lossless = 3 }

    /// Who has the record, and as what.
    struct Role: Equatable {
        let word: UInt64
        @inline(__always) init(word: UInt64) { self.word = word }
        init(_ kind: Kind, _ peer: PeerID) { word = UInt64(peer.rawValue) | kind.rawValue << 32 }
        var kind: Kind? { Kind(rawValue: word >> 32) }
        @inline(__always) var isLossless: Bool { word >> 32 == Kind.lossless.rawValue }
        var peerBits: UInt32 { UInt32(truncatingIfNeeded: word) }
    }

    /// What a publisher is about to replace in the log.
    struct Intent {
        let word: UInt64
        @inline(__always) init(word: UInt64) { self.word = word }
        @inline(__always) init(chunk: Int, generation: UInt64) { word = 1 << 63 | generation << 20 | UInt64(chunk) }
        var chunk: Int { Int(word & (1 << 20 - 1)) }
        var generation: UInt64 { word >> 20 & ChunkState.generationMask }
    }
}
