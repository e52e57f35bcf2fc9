import CInterprocess
import InterprocessSystem

/// The state of a topic's chunk: one word, changed as a whole.
///
/// **States**
///
/// | bits | meaning |
/// |---|---|
/// | 0–31 | PeerID of the publisher that fills or filled it; 0: nobody |
/// | 32–35 | 1 free, 2 filling: being written, or in the log, or just replaced there; 0 is impossible: a forked child's zeroes |
/// | 36–63 | generation: how often it was filled, modulo 2^28 |
@frozen @usableFromInline
struct ChunkState: Equatable, Sendable {
    @usableFromInline let word: UInt64

    private static let free: UInt64 = 1
    private static let filling: UInt64 = 2
    static let generationMask: UInt64 = (1 << 28) - 1

    @inline(__always) init(word: UInt64) { self.word = word }
    @inline(__always)
    private init(_ kind: UInt64, peer: UInt32, generation: UInt64) {
        word = UInt64(peer) | kind << 32 | (generation & Self.generationMask) << 36
    }

    static let unused = ChunkState(free, peer: 0, generation: 0)

    @inline(__always) var isFree: Bool { word >> 32 & 15 == Self.free }
    @inline(__always) var isFilling: Bool { word >> 32 & 15 == Self.filling }
    @inline(__always) var peerBits: UInt32 { UInt32(truncatingIfNeeded: word) }
    @inline(__always) var generation: UInt64 { word >> 36 }
    @inline(__always) func filling(by peer: PeerID) -> ChunkState {
        ChunkState(Self.filling, peer: peer.rawValue, generation: generation &+ 1)
    }
    @inline(__always) func freed() -> ChunkState { ChunkState(Self.free, peer: 0, generation: generation) }
}

/// A chunk that is a publisher's to fill.
@frozen @usableFromInline
struct ChunkClaim: Sendable {
    @usableFromInline let index: Int
    let state: ChunkState
    /// Of a loan of the only publisher.
    @usableFromInline var place: HoldPlace?
}

/// The chunks of a topic: where messages stand, and who holds them.
///
/// **Layout** "topic chunk", and a bit for each chunk.
/// **Memory order** `SYNC chunk.state`: each change is a compare-exchange, release by who had the chunk ⇄ acquire by who gets it. `SYNC chunk.readers`: a subscriber sets its bit, then looks whether the log
/// still names the chunk; who claims the chunk has seen that it does not, then looks at the bits. Both are sequentially consistent: so the subscriber sees that it is late, or the publisher sees the bit.
/// **Trust** indices are compared with ``count``; states and lengths are checked where they are used.
@safe
struct TopicChunks: @unchecked Sendable {
    let count: Int
    private let base: UnsafeMutableRawPointer
    private let stride: Int
    private let readerWords: Int
    private let hints: FreeHints

    init(at base: UnsafeMutableRawPointer, hints: UnsafeMutableRawPointer, count: Int, peers: Int) {
        unsafe self.base = base
        unsafe self.hints = FreeHints(at: hints, count: count)
        self.count = count
        stride = Self.stride(peers: peers)
        readerWords = Self.readerWords(peers: peers)
    }

    private static func readerWords(peers: Int) -> Int { (max(1, peers) + 63) / 64 }
    /// Bytes from one chunk's words to the next one's.
    static func stride(peers: Int) -> Int { (readersOffset + readerWords(peers: peers) * 8 + 63) / 64 * 64 }

    @inline(__always)
    private func chunk(_ index: Int) -> UnsafeMutableRawPointer {
        precondition(index >= 0 && index < count)
        return unsafe base + index &* stride
    }

    // The places of `ipc_topic_chunk`.
    @inline(__always) func state(_ index: Int) -> SharedUInt64 { unsafe SharedUInt64(at: chunk(index)) }
    @inline(__always) func ticket(_ index: Int) -> SharedUInt64 { unsafe SharedUInt64(at: chunk(index) + 8) }
    @inline(__always) func length(_ index: Int) -> SharedUInt64 { unsafe SharedUInt64(at: chunk(index) + 16) }
    func reservedBytes(_ index: Int) -> SharedUInt64 { unsafe SharedUInt64(at: chunk(index) + 24) }
    @inline(__always)
    private func readers(_ index: Int, _ word: Int) -> SharedUInt64 {
        unsafe SharedUInt64(at: chunk(index) + Self.readersOffset + word &* 8)
    }
    private static let readersOffset = 32

    @inline(__always) func current(_ index: Int) -> ChunkState { ChunkState(word: state(index).loadAcquire()) }

    /// Before anybody else can see them.
    func initialize(reservedBytes bytes: Int) {
        for index in 0..<count {
            state(index).storeRelaxed(ChunkState.unused.word)
            if bytes > 0 { reservedBytes(index).storeRelaxed(UInt64(bytes)) }
        }
        hints.setAll()
    }

    // MARK: Who fills them

    /// Claims a chunk that nobody holds. Nil: there was none where this looked. O(count / 32).
    ///
    /// - Parameter hasGivenBack: is called after a chunk was claimed and given back, since somebody has begun to hold it in between: others may have missed it.
    func claim(from start: Int, by peer: PeerID, hasGivenBack: () -> Void) -> ChunkClaim? {
        hints.search(from: start) { index in
            while true {
                let seen = ChunkState(word: state(index).loadSequential())
                guard seen.isFree else { return .taken }
                if hasReaders(index) { return .passed }
                let mine = seen.filling(by: peer)
                guard state(index).compareExchange(seen.word, mine.word) else { continue }
                // SYNC chunk.readers: one that has set its bit since may have come in time or late; it lets go in either case.
                if !hasReaders(index) { return .claimed(ChunkClaim(index: index, state: mine)) }
                _ = free(index, mine)
                hasGivenBack()
                return .passed
            }
        }
    }

    /// Claims a chunk that was just replaced in the log, if nobody holds it.
    @inline(__always)
    func reuse(_ index: Int, _ seen: ChunkState, by peer: PeerID) -> ChunkClaim? {
        // SYNC chunk.readers
        if hasReaders(index) { return nil }
        let mine = seen.filling(by: peer)
        guard state(index).compareExchange(seen.word, mine.word) else { return nil }
        return ChunkClaim(index: index, state: mine)
    }

    /// Makes a chunk free that is in the state `seen`. False if it is not any more.
    @inline(__always)
    func free(_ index: Int, _ seen: ChunkState) -> Bool {
        guard state(index).compareExchange(seen.word, seen.freed().word) else { return false }
        hints.set(index)
        return true
    }

    /// Sets all bits, after a death.
    func remakeHints() { hints.setAll() }

    // MARK: Who holds them

    @inline(__always)
    private func hasReaders(_ index: Int) -> Bool {
        var word = 0
        repeat {
            if readers(index, word).loadSequential() != 0 { return true }
            word &+= 1
        } while word < readerWords
        return false
    }

    /// How many hold it.
    func readerCount(_ index: Int) -> Int { (0..<readerWords).reduce(0) { $0 + readers(index, $1).loadAcquire().nonzeroBitCount } }

    @inline(__always)
    func hold(_ index: Int, slot: Int) { readers(index, slot / 64).setBits(1 << UInt64(slot % 64)) }

    /// Whether it was held.
    @discardableResult @inline(__always)
    func letGo(_ index: Int, slot: Int) -> Bool {
        let bit: UInt64 = 1 << UInt64(slot % 64)
        return readers(index, slot / 64).clearBits(bit) & bit != 0
    }

    func isHeld(_ index: Int, slot: Int) -> Bool { readers(index, slot / 64).loadAcquire() & 1 << UInt64(slot % 64) != 0 }
}
