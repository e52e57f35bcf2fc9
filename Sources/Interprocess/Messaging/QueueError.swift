/// Why a message was not sent.
public enum SendFailure: Sendable, Equatable {
    /// There is no room now (only from calls that do not wait).
    case full
    /// The deadline passed while there was no room.
    case deadline
    /// The receiver has closed its side. Sending works again when another one has joined. Of a shared queue: somebody has called `finish()`.
    case closed
    /// The receiver has died. Sending works again when another one has joined; see `waitForReceiver`.
    case peerDied(DeathNotice)
    /// The task was cancelled.
    case cancelled
    /// The message is larger than the queue's capacity, which is this many bytes.
    case tooLarge(limit: Int)
    /// The file system has no room for the message's bytes (only of shared queues of bytes, which reserve them as they are needed).
    case noSpace
    /// This process was forked from the one that opened the queue; open it anew.
    case detached
    /// The field of this name in the shared memory is impossible: somebody wrote there who should not.
    case damaged(String)
}

/// A message was not sent. It is handed back.
public struct SendError<Message>: Error, CustomStringConvertible {
    public let reason: SendFailure
    /// What was not sent. `Void` where the bytes are the caller's anyway.
    public let message: Message

    public init(_ reason: SendFailure, _ message: Message) {
        self.reason = reason
        self.message = message
    }

    public var description: String {
        switch reason {
        case .full: "not sent: the queue is full"
        case .deadline: "not sent: the queue was still full at the deadline"
        case .closed: "not sent: the receiver has closed the queue, or somebody has finished it"
        case .peerDied(let notice): "not sent: the receiver died (\(notice))"
        case .cancelled: "not sent: the task was cancelled"
        case .tooLarge(let limit):
            "not sent: the message is larger than the queue's \(limit) bytes; send it in pieces or create the queue with more capacity"
        case .noSpace:
            "not sent: the file system of the queue is full; send less at once, remove what is not needed ('ipc list'), or make it larger (in a container --shm-size)"
        case .detached: "not sent: this process was forked from the one that opened the queue; open it anew in the child"
        case .damaged(let field): "not sent: the queue is damaged (field '\(field)'); remove it and create it anew"
        }
    }
}

extension SendError: Sendable where Message: Sendable {}
extension SendError: Equatable where Message: Equatable {}

/// No message was received.
public enum ReceiveError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The deadline passed and nothing had come.
    case deadline
    /// The sender has closed its side, and all it sent has been received (only from calls that use `nil` for "nothing yet"). Of a shared queue: somebody has
    /// called `finish()`, and nothing is left.
    case closed
    /// The sender has died, and all it had published has been received.
    case peerDied(DeathNotice)
    /// The task was cancelled.
    case cancelled
    /// This process was forked from the one that opened the queue; open it anew.
    case detached
    /// The field of this name in the shared memory is impossible: somebody wrote there who should not.
    case damaged(String)
    /// Of a shared queue, read in place: the time to acknowledge had passed before it was read. The message comes again.
    case tooLate

    public var description: String {
        switch self {
        case .deadline: "nothing was received before the deadline"
        case .closed: "the sender has closed the queue, or somebody has finished it; nothing is left"
        case .peerDied(let notice): "the sender died (\(notice)); everything it had sent was received"
        case .cancelled: "the task was cancelled"
        case .detached: "this process was forked from the one that opened the queue; open it anew in the child"
        case .damaged(let field): "the queue is damaged (field '\(field)'); remove it and create it anew"
        case .tooLate: "\(AcknowledgementError.tooLate)"
        }
    }
}
