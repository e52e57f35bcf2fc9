import CInterprocess

/// A field of a queue has an impossible value.
struct QueueDamage: Error { let field: String }

/// Reading a queue from the outside: where it begins, where it ends, and whether every record between is whole. Writes nothing; any time,
/// from any process.
///
/// **Trust** every word is read once and checked against the ring's size before it is followed.
@safe
struct QueueWalk: @unchecked Sendable {
    struct Place: Equatable {
        var position: UInt64
        var sequence: UInt64
        /// Bytes of the batch record at `position` that are not yet taken; 0: a header stands there.
        var remaining: UInt64
        /// Messages before `position` that were dropped.
        var dropped: UInt64
    }

    private let words: QueueWords
    private let ring: UnsafeMutableRawPointer
    private let alignment: Int
    private let elementSize: Int
    private let ringSize: UInt64
    private let dropsOldest: Bool

    init(_ words: QueueWords, alignment: Int, elementSize: Int) {
        self.words = words
        unsafe ring = words.ring
        self.alignment = alignment
        self.elementSize = elementSize
        ringSize = UInt64(words.ringRange.count)
        dropsOldest = words.overflow == .dropOldest
    }

    /// The position up to which all is taken, or dropped.
    var consumed: UInt64 { position(words.consumed.loadAcquire()) }

    private func position(_ word: UInt64) -> UInt64 { dropsOldest ? NamedProgress(word: word).position : word }

    /// The entries of which one can be in force.
    private func candidates(_ word: UInt64) throws(QueueDamage) -> Range<Int> {
        guard dropsOldest else { return 0..<2 }
        guard let entry = NamedProgress(word: word).entry else { throw QueueDamage(field: "consumed") }
        return entry..<entry + 1
    }

    /// The receiver's place: the progress entry that is in force.
    func head() throws(QueueDamage) -> (place: Place, index: Int) {
        for _ in 0..<1_000_000 {
            if let found = try place(at: words.consumed.loadAcquire()) { return found }
        }
        throw QueueDamage(field: "consumed")
    }

    /// The place that a value of `consumed` means, and the progress entry that says so; nil if `consumed` has changed meanwhile.
    func place(at word: UInt64) throws(QueueDamage) -> (place: Place, index: Int)? {
        let position = position(word)
        for index in try candidates(word) {
            let entry = words.progress(index)
            guard entry.position.loadAcquire() == position else { continue }
            let place = Place(
                position: position, sequence: entry.sequence.loadAcquire(), remaining: entry.remaining.loadAcquire(),
                dropped: entry.dropped.loadAcquire())
            fullFence()
            // Who takes or drops may have gone on meanwhile, and be writing this entry anew.
            guard words.consumed.loadAcquire() == word else { return nil }
            guard place.remaining <= ringSize,
                elementSize == 0 || dropsOldest ? place.remaining == 0 : place.remaining % UInt64(elementSize) == 0
            else { throw QueueDamage(field: "progress.remaining") }
            guard position % unit(of: place) == 0 else { throw QueueDamage(field: "consumed") }
            return (place, index)
        }
        guard words.consumed.loadAcquire() != word else { throw QueueDamage(field: "consumed") }
        return nil
    }

    /// What the position of a place is a multiple of. With anything else, what is read there would be no record, and be partly outside of the ring.
    private func unit(of place: Place) -> UInt64 {
        // In a batch any message may be next: each is as far from a header as whole messages are.
        place.remaining == 0 ? UInt64(alignment) : 1 << UInt64(min(alignment.trailingZeroBitCount, elementSize.trailingZeroBitCount))
    }

    /// The place after the last published record. O(records).
    ///
    /// While both sides are at work, a record that the receiver has taken may be written over under the walk: only what it had not taken
    /// after the record was read is believed, and otherwise the walk goes on from where the receiver is. The result is then a place where
    /// the end was a moment ago.
    func tail() throws(QueueDamage) -> Place {
        var place = try head().place
        var start = place.position
        var restarts = 0
        while true {
            let found: (place: Place, header: RecordHeader)?
            do throws(QueueDamage) {
                found = try step(place)
            } catch {
                guard isOverrun(place) else { throw error }
                found = nil
            }
            // SYNC queue.take: the header was read before this look at `consumed`, both with acquire.
            if isOverrun(place) {
                restarts += 1
                place = try head().place
                start = place.position
                // Where the receiver is, the end has been.
                if restarts > 1000 { return place }
                continue
            }
            guard let found else { return place }
            place = found.place
            // Negative if the receiver is past it by now. No sender is further ahead of the receiver than the ring is long.
            guard Int64(bitPattern: place.position &- consumed) <= Int64(ringSize) else { throw QueueDamage(field: "header.length") }
            // A sender that is as fast as the walk could be followed for ever: where it was a moment ago will do.
            if place.position &- start > 4 * ringSize { return place }
        }
    }

    /// Whether the receiver has gone past `place`, so that what was read there may have been something else's.
    private func isOverrun(_ place: Place) -> Bool { Int64(bitPattern: consumed &- place.position) > 0 }

    /// The record at `place`, and the place after it; nil where nothing is published.
    func step(_ place: Place) throws(QueueDamage) -> (place: Place, header: RecordHeader)? {
        let a = UInt64(alignment)
        if place.remaining > 0 {
            // The rest of a batch: its messages follow one another, padded at the end.
            let end = (place.position &+ place.remaining &+ a &- 1) / a * a
            return (
                place.moved(to: end, messages: place.remaining / UInt64(elementSize)),
                RecordHeader(length: Int(place.remaining), sequence: place.sequence)
            )
        }
        let offset = Int(place.position % ringSize)
        let header = unsafe RecordHeader(word: SharedUInt64(at: ring + offset + alignment - 8).loadAcquire())
        guard header.word != 0 else { return nil }
        guard header.isPublished else { throw QueueDamage(field: "header") }
        if header.isControl {
            guard header.followsEnding else { throw QueueDamage(field: "header") }
            return (place.moved(to: place.position &+ a, messages: 0), header)
        }
        guard header.check == place.sequence & RecordHeader.checkMask else { throw QueueDamage(field: "header.sequence") }
        guard let count = messages(in: header.length) else { throw QueueDamage(field: "header.length") }
        let size = RecordGeometry.size(payload: header.length, alignment: alignment)
        return (place.moved(to: place.position &+ UInt64(size), messages: UInt64(count)), header)
    }

    /// How many messages a record of `length` bytes holds; nil if no record can have that length.
    private func messages(in length: Int) -> Int? {
        guard length <= RecordGeometry.largestPayload(ring: Int(ringSize), alignment: alignment) else { return nil }
        if elementSize == 0 { return 1 }
        return length > 0 && length % elementSize == 0 ? length / elementSize : nil
    }

    /// What is in the queue. The end first: what was sent meanwhile is not counted, what was received is.
    func statistics() throws(QueueDamage) -> QueueStatistics {
        let tail = try tail()
        var head = try head().place
        if Int64(bitPattern: head.position &- tail.position) > 0 { head = tail }
        return QueueStatistics(
            received: head.sequence &- head.dropped, sent: tail.sequence, waiting: tail.sequence &- head.sequence,
            dropped: dropsOldest ? head.dropped : words.droppedNewest.loadAcquire(),
            // The two were not read at once, and what others write stands in both.
            waitingBytes: Int(min(tail.position &- head.position, ringSize)), ringBytes: Int(ringSize))
    }
}

extension QueueWalk.Place {
    func moved(to position: UInt64, messages: UInt64) -> Self {
        Self(position: position, sequence: sequence &+ messages, remaining: 0, dropped: dropped)
    }
}

/// What is in a queue at one moment.
public struct QueueStatistics: Sendable, Equatable {
    /// Messages that have been received since the queue was made.
    public let received: UInt64
    /// Messages that have been sent since the queue was made: put into it.
    public let sent: UInt64
    /// Messages that wait.
    public let waiting: UInt64
    /// Messages that the queue has dropped since it was made, as its ``QueueOverflow`` says.
    public let dropped: UInt64
    /// Bytes of ring that the waiting messages take, headers included.
    public let waitingBytes: Int
    /// Bytes of ring in all.
    public let ringBytes: Int
}
