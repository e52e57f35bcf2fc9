import CInterprocess

/// What happens to a message that finds its queue full. A property of the queue, chosen when it is made.
///
/// Whatever is dropped is counted: ``Sender/dropped``, ``Receiver/dropped``, ``QueueStatistics/dropped``, `ipc list`.
public enum QueueOverflow: UInt32, Sendable, Hashable, CustomStringConvertible {
    /// The sender waits until there is room: nothing is lost. The usual one.
    case wait = 0
    /// The new message is dropped: `send` returns at once and counts it. Calls that hand the message back or write it in place (`trySend`,
    /// `publish`, `reserve`) throw `full` instead, and count nothing. The messages in the queue are numbered without gaps.
    case dropNewest = 1
    /// The oldest messages that nobody has received are dropped, as many as the new one needs room: a sender never waits, also when the
    /// receiver is slow, stopped or has not come yet. (One that has closed or died is told of as in any queue.) A receiver sees the gap in the
    /// sequence numbers (`nextSequence`), which count what was dropped too. A queue holds at least its capacity, rounded up to whole pages.
    ///
    /// The receiver copies each message out of the shared memory and takes it with one compare-exchange, so that it never holds up the
    /// sender. What other queues promise is therefore different here:
    /// - Its bodies see the copy. A batch is taken, or dropped, as a whole.
    /// - A message is received when it was taken: before its body runs. A body that throws sees it again; a receiver that is killed then, or
    ///   closes, takes it along, with the rest of its batch, and nothing counts these.
    /// - `waitUntilReceived` waits until everything was taken or dropped; `waiting` is, for a sender, what nobody has taken.
    /// - Calls that write in place make room first, for the largest size that they were asked for: what is dropped for it stays dropped if nothing
    ///   is sent then. `trySend` never says `full`.
    /// - If the record that says how the sender before ended was dropped, that is told among the next one's messages; of several endings
    ///   that nobody was told of, only the last.
    ///
    /// A receiver that is overtaken again and again goes on in the middle of the queue: give it room for several messages of the largest size.
    case dropOldest = 2

    public var description: String {
        switch self {
        case .wait: "lets its sender wait"
        case .dropNewest: "drops the newest message"
        case .dropOldest: "drops the oldest messages"
        }
    }
}

/// A value of `consumed` in a queue that drops the oldest: a position, which is a multiple of 8 there, and the progress entry in force.
///
/// **States** bits 0–2: 0, 1 an entry of the receiver's (`progress`), 2, 3 one of the sender's (`dropping`).
/// **Memory order** changed only by compare-exchange, after the entry that it names was written. Each side writes only those of its two
/// entries that `consumed` does not name: so an entry in force never changes, and one that a killed process has half written is never believed.
/// Model: Models/queue_drop.pml.
struct NamedProgress: Equatable {
    let word: UInt64

    static let entryMask: UInt64 = 7

    var position: UInt64 { word & ~Self.entryMask }
    /// Nil if it names none.
    var entry: Int? { word & Self.entryMask < 4 ? Int(word & Self.entryMask) : nil }
}

extension QueueWords {
    /// Moves `consumed` from `seen` to `place`: it was taken, or dropped, by the side whose entries are `first` and the one after it. False if
    /// the other side has moved it meanwhile; then nothing has happened.
    func advance(from seen: NamedProgress, to place: QueueWalk.Place, entries first: Int) -> Bool {
        let index = seen.entry == first ? first + 1 : first
        let entry = progress(index)
        entry.position.storeRelaxed(place.position)
        entry.sequence.storeRelaxed(place.sequence)
        entry.remaining.storeRelaxed(0)
        entry.dropped.storeRelaxed(place.dropped)
        return consumed.compareExchange(seen.word, place.position | UInt64(index))
    }

    static let receiverEntries = 0
    static let senderEntries = 2
}

extension QueueSenderCore {
    /// Drops the oldest records until one of `size` bytes has room, with the control record that is owed. O(dropped records).
    ///
    /// **Death** killed before the compare-exchange, nothing is dropped; after it, there is room.
    mutating func dropOldest(for size: Int) {
        do throws(QueueDamage) {
            while true {
                if owesControl { payControl() }
                if !owesControl && hasRoom(size) { return }
                try dropRecords(for: owesControl ? alignment : size)
            }
        } catch {
            damage = error.field
        }
    }

    private mutating func dropRecords(for size: Int) throws(QueueDamage) {
        let walk = QueueWalk(session.words, alignment: alignment, elementSize: elementSize)
        let seen = NamedProgress(word: session.words.consumed.loadAcquire())
        guard let oldest = try walk.place(at: seen.word)?.place else { return }
        var place = oldest
        var dropsOwnControl = false
        while position &+ UInt64(size + alignment) &- place.position > ringSize {
            // Only this sender writes records, and it is here.
            guard let next = try walk.step(place), Int64(bitPattern: position &- next.place.position) >= 0 else {
                guard session.words.consumed.loadAcquire() == seen.word else { return }
                throw QueueDamage(field: "consumed")
            }
            if next.header.isControl && next.header.check == session.role.session { dropsOwnControl = true }
            place = next.place
        }
        consumed = oldest.position
        // The receiver has made room meanwhile.
        guard place != oldest else { return }
        place.dropped = oldest.dropped &+ (place.sequence &- oldest.sequence)
        guard session.words.advance(from: seen, to: place, entries: QueueWords.senderEntries) else { return }
        // SYNC queue.drop: a receiver that copies what is written from here on finds `consumed` changed after its fence.
        fullFence()
        consumed = place.position
        // What it said may not have been heard.
        if dropsOwnControl { owesControl = true }
    }

    /// Counts messages that were not put into a full queue that drops the newest.
    @usableFromInline
    func countDropped(_ messages: Int) {
        let count = session.words.droppedNewest
        count.storeRelease(count.loadRelaxed() &+ UInt64(messages))
    }
}

extension QueueSession {
    /// Messages that the queue has dropped since it was made.
    var dropped: UInt64 {
        switch overflow {
        case .wait: 0
        case .dropNewest: words.droppedNewest.loadAcquire()
        case .dropOldest: words.droppedOldest
        }
    }
}

extension QueueWords {
    /// As the entry in force says; of a damaged queue nothing.
    var droppedOldest: UInt64 {
        while true {
            let seen = NamedProgress(word: consumed.loadAcquire())
            guard let index = seen.entry else { return 0 }
            let dropped = progress(index).dropped.loadAcquire()
            if consumed.loadAcquire() == seen.word { return dropped }
        }
    }
}
