/// One side of a queue, opened.
@safe
@usableFromInline
final class QueueSession: Side, @unchecked Sendable {
    let words: QueueWords
    /// Twice in a row in this process.
    let ring: UnsafeMutableRawPointer
    let overflow: QueueOverflow

    enum End { case sender, receiver }

    /// - Parameter overflow: what the queue must do when it is full; nil accepts any.
    convenience init(_ segment: Segment, _ end: End, overflow expected: QueueOverflow?) throws(InterprocessError) {
        try unsafe self.init(segment, QueueWords(segment.mapping), ring: segment.mapping.data, end, overflow: expected)
    }

    /// Of a queue, or of a lane.
    init(
        _ segment: Segment, _ words: QueueWords, ring: UnsafeMutableRawPointer, _ end: End, overflow expected: QueueOverflow?
    ) throws(InterprocessError) {
        self.words = words
        unsafe self.ring = ring
        let name = segment.name?.description ?? "anonymous queue"
        overflow = try Self.overflow(words, expected, name)
        let isSender = end == .sender
        try super.init(
            segment, isSender ? words.senderSide : words.receiverSide, isSender ? words.receiverSide : words.senderSide,
            claims: isSender ? (.sender, .receiver) : (.receiver, .sender), isFinal: true
        ) { held in
            let holder = segment.attachment.table.information(of: held.holder)
            return InterprocessError(
                .busy, "open", name,
                "it has a \(end) already (\(holder.map { "\($0.program), pid \($0.pid)" } ?? "peer \(held.holder)")), and a queue has one; close that, or use another queue"
            )
        }
    }

    /// A lane towards its sender, by a receiver that has the role already.
    init(borrowing main: QueueSession, _ words: QueueWords, ring: UnsafeMutableRawPointer) {
        self.words = words
        unsafe self.ring = ring
        overflow = .wait
        super.init(borrowing: main, other: words.senderSide, claim: .sender)
    }

    private static func overflow(_ words: QueueWords, _ expected: QueueOverflow?, _ name: String) throws(InterprocessError) -> QueueOverflow
    {
        guard let overflow = words.overflow else {
            throw InterprocessError(.damaged, "open", name, "the queue is damaged (field 'overflow'); remove it and create it anew")
        }
        guard let expected, expected != overflow else { return overflow }
        throw InterprocessError(
            .overflowMismatch, "open", name,
            "when it is full it \(overflow), and this program expects one that \(expected); use the same on both sides, or another name")
    }

    /// The position up to which all is taken, or dropped.
    var consumed: UInt64 {
        let word = words.consumed.loadAcquire()
        return overflow == .dropOldest ? NamedProgress(word: word).position : word
    }
}
