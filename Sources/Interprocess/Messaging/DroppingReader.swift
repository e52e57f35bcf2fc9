import CInterprocess

/// How a receiver reads a queue whose sender may drop any message that is not yet taken (``QueueOverflow/dropOldest``).
///
/// It copies the oldest record into a private ring of one record, and takes it by compare-exchange: only if that succeeds was the copy made
/// before the sender could write there again. The receiver's core then reads the private ring as it would read a shared one.
///
/// **Memory order** `SYNC queue.drop`: copy, fence, compare-exchange here; compare-exchange, fence, overwriting in
/// ``QueueSenderCore/dropOldest(for:)``.
/// **Progress** lock-free: it begins anew when the sender has dropped meanwhile. After three such failures in a row it skips half of a ring that is
/// at least half full, so that the sender has that much to write before it must drop again.
/// **Source** the reading side of a sequence lock (Boehm, "Can seqlocks get along with programming language memory models?", MSPC 2012).
@safe
@usableFromInline
final class DroppingReader: @unchecked Sendable {
    private let words: QueueWords
    private let walk: QueueWalk
    private let data: UnsafeMutableRawPointer
    private let ringSize: UInt64
    private let alignment: Int
    private let block: UnsafeMutableRawPointer
    private var failures = 0

    private static let ringOffset = 128
    /// Where the last record ended that came into the private ring, for who watches the receiver. On the line of ``unreadConsumed``.
    private var lastEnd: SharedUInt64 { unsafe SharedUInt64(at: block + 72) }

    init(_ words: QueueWords, _ mapping: SegmentMapping, _ walk: QueueWalk, alignment: Int) {
        self.words = words
        self.walk = walk
        self.alignment = alignment
        unsafe data = mapping.data
        ringSize = UInt64(mapping.header.dataSize)
        // The pages of a large ring cost nothing until a message is copied there.
        unsafe block = UnsafeMutableRawPointer.allocate(byteCount: Self.ringOffset + mapping.header.dataSize, alignment: 64)
        unsafe block.initializeMemory(as: UInt8.self, repeating: 0, count: Self.ringOffset + alignment)
    }

    deinit { unsafe block.deallocate() }

    /// The private ring, and the words that a receiver's core writes when it takes from it: nobody reads them.
    var ring: UnsafeMutableRawPointer { unsafe block + Self.ringOffset }
    var unreadEntry: ProgressEntry { unsafe ProgressEntry(block) }
    var unreadConsumed: SharedUInt64 { unsafe SharedUInt64(at: block + 64) }

    enum Found {
        /// A data record was taken: it is at the beginning of the private ring, and was at this place.
        case record(QueueWalk.Place, end: UInt64)
        /// A control record stands at the place that `consumed` was seen to mean; ``pass(_:to:)`` takes it.
        case control(RecordHeader, seen: NamedProgress, after: QueueWalk.Place)
        case nothing
        case damaged(String)
    }

    /// Takes the oldest record. The private ring has been read to its end, and begins anew.
    func next() -> Found {
        while true {
            unsafe SharedUInt64(at: ring + (alignment - 8)).storeRelaxed(0)
            let seen = NamedProgress(word: words.consumed.loadAcquire())
            do throws(QueueDamage) {
                guard let place = try walk.place(at: seen.word)?.place else { continue }
                guard let (after, header) = try walk.step(place) else {
                    if isStill(seen) {
                        failures = 0
                        return .nothing
                    }
                    continue
                }
                if header.isControl {
                    if isStill(seen) { return .control(header, seen: seen, after: after) }
                    continue
                }
                copy(header, from: place)
                fullFence()
                if words.advance(from: seen, to: after, entries: QueueWords.receiverEntries) {
                    failures = 0
                    lastEnd.storeRelease(after.position)
                    return .record(place, end: after.position)
                }
                failures += 1
                if failures > 2 { try skipHalf() }
            } catch {
                if isStill(seen) { return .damaged(error.field) }
            }
        }
    }

    /// Takes a control record. False if the sender has dropped it meanwhile.
    func pass(_ seen: NamedProgress, to after: QueueWalk.Place) -> Bool {
        words.advance(from: seen, to: after, entries: QueueWords.receiverEntries)
    }

    /// Whether something was taken that has not been handed out: a part of a batch.
    var holdsSomething: Bool {
        let end = lastEnd.loadAcquire()
        return end != 0 && unreadConsumed.loadAcquire() != end
    }

    /// Whether there is something to take. May say yes for nothing while the sender drops.
    var hasSomething: Bool {
        let seen = NamedProgress(word: words.consumed.loadAcquire())
        let header = unsafe SharedUInt64(at: data + (Int(seen.position % ringSize) + alignment - 8)).loadAcquire()
        // A zero in a place that the sender has dropped and begun to overwrite says nothing.
        return header != 0 || !isStill(seen)
    }

    private func isStill(_ seen: NamedProgress) -> Bool { words.consumed.loadAcquire() == seen.word }

    /// What is copied while the sender overwrites it is thrown away; its length was checked.
    private func copy(_ header: RecordHeader, from place: QueueWalk.Place) {
        let size = RecordGeometry.size(payload: header.length, alignment: alignment)
        let source = unsafe data + Int(place.position % ringSize)
        unsafe SharedUInt64(at: ring + (alignment - 8)).storeRelaxed(header.word)
        unsafe (ring + alignment).copyMemory(from: source + alignment, byteCount: header.length)
        unsafe SharedUInt64(at: ring + (size + alignment - 8)).storeRelaxed(0)
    }

    /// Drops the older half of a ring, up to the next control record; nothing of one that is not half full.
    private func skipHalf() throws(QueueDamage) {
        let seen = NamedProgress(word: words.consumed.loadAcquire())
        guard let oldest = try walk.place(at: seen.word)?.place else { return }
        var place = oldest
        while place.position &- oldest.position < ringSize / 2 {
            guard let next = try walk.step(place) else { return }
            if next.header.isControl { break }
            place = next.place
        }
        guard place != oldest, isStill(seen) else { return }
        place.dropped = oldest.dropped &+ (place.sequence &- oldest.sequence)
        _ = words.advance(from: seen, to: place, entries: QueueWords.receiverEntries)
    }
}
