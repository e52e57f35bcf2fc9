/// Whether a sender's receiver has closed, for a thread that watches while the sender's own is busy elsewhere. Keeps the memory mapped, but
/// neither the segment open nor its name.
package struct ReceiverEnd: Sendable {
    /// Not only the role's words, which would not keep the memory.
    private let words: QueueWords
    /// The receiver's session before the first that is this sender's.
    private let known: UInt32

    fileprivate init(_ words: QueueWords, known: UInt32) {
        self.words = words
        self.known = known
    }

    /// What the sender's next call will find.
    package var hasClosed: Bool {
        let role = Role.receiver(words).current
        return role.ending == .closed && role.session != 0 && role.session.isSession(after: known)
    }
}

extension ByteSender {
    package var receiverEnd: ReceiverEnd { ReceiverEnd(core.session.words, known: core.knownReceiver) }
}
