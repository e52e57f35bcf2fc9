/// Why a message was not published.
public enum PublishFailure: Sendable, Equatable {
    /// A lossless subscriber has yet to read a message for which this one would take the place (only from calls that do not wait).
    case full
    /// The deadline passed while a lossless subscriber was behind.
    case deadline
    /// Somebody has finished the topic.
    case closed
    /// The task was cancelled.
    case cancelled
    /// The message is larger than this many bytes, which the topic takes.
    case tooLarge(limit: Int)
    /// The file system has no room for the message's bytes (only of messages of a page and more, for which it is reserved as it is needed).
    case noSpace
    /// This publisher has as many loans as ``TopicOptions/maximumHeld`` allows, which are this many.
    case tooManyLoans(limit: Int)
    /// This process was forked from the one that opened the topic; open it anew.
    case detached
    /// The field of this name in the shared memory is impossible: somebody wrote there who should not.
    case damaged(String)
}

/// A message was not published. It is handed back.
public struct PublishError<Message>: Error, CustomStringConvertible {
    public let reason: PublishFailure
    /// What was not published. `Void` where it is the caller's anyway.
    public let message: Message

    public init(_ reason: PublishFailure, _ message: Message) {
        self.reason = reason
        self.message = message
    }

    public var description: String {
        switch reason {
        case .full: "not published: a lossless subscriber is as many messages behind as the topic keeps"
        case .deadline: "not published: a lossless subscriber was still as many messages behind as the topic keeps at the deadline"
        case .closed: "not published: the topic is finished"
        case .cancelled: "not published: the task was cancelled"
        case .tooLarge(let limit):
            "not published: the message is larger than the topic's \(limit) bytes; publish it in pieces or create the topic with larger messages"
        case .noSpace:
            "not published: the file system of the topic is full; remove what is not needed ('ipc list'), or make it larger (in a container --shm-size)"
        case .tooManyLoans(let limit):
            "not published: this publisher has \(limit) loans; publish or end one, or create the topic with a larger 'maximumHeld'"
        case .detached: "not published: this process was forked from the one that opened the topic; open it anew in the child"
        case .damaged(let field): "not published: the topic is damaged (field '\(field)'); remove it and create it anew"
        }
    }
}

extension PublishError: Sendable where Message: Sendable {}
extension PublishError: Equatable where Message: Equatable {}

/// Why a subscriber has received no message.
public enum SubscriptionError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The deadline passed and nothing had come.
    case deadline
    /// The topic is finished, and all that it had for this subscriber was received (only from calls that use `nil` for "nothing yet").
    case closed
    /// The task was cancelled.
    case cancelled
    /// This subscriber has as many samples as ``TopicOptions/maximumHeld`` allows, which are this many.
    case tooManySamples(limit: Int)
    /// This process was forked from the one that opened the topic; open it anew.
    case detached
    /// The field of this name in the shared memory is impossible: somebody wrote there who should not.
    case damaged(String)

    public var description: String {
        switch self {
        case .deadline: "nothing was received before the deadline"
        case .closed: "the topic is finished"
        case .cancelled: "the task was cancelled"
        case .tooManySamples(let limit):
            "this subscriber holds \(limit) samples; let go of one, or create the topic with a larger 'maximumHeld'"
        case .detached: "this process was forked from the one that opened the topic; open it anew in the child"
        case .damaged(let field): "the topic is damaged (field '\(field)'); remove it and create it anew"
        }
    }
}
