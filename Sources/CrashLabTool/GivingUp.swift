import Interprocess

/// How the calls of all objects end that give up waiting.
extension Error {
    /// Whether the deadline has passed.
    var isPassedDeadline: Bool {
        switch self as any Error {
        case LockError.deadline, WaitError.deadline, RendezvousError.deadline, ReceiveError.deadline, SubscriptionError.deadline,
            CallError.deadline, ServeError.deadline:
            true
        case let error as SendError<Numbered>: error.reason == .deadline
        case let error as PublishError<Numbered>: error.reason == .deadline
        case let error as PublishError<Void>: error.reason == .deadline
        default: false
        }
    }

    /// Whether the task was cancelled.
    var isCancellation: Bool {
        switch self as any Error {
        case LockError.cancelled, WaitError.cancelled, RendezvousError.cancelled, ReceiveError.cancelled, SubscriptionError.cancelled,
            CallError.cancelled, ServeError.cancelled:
            true
        case let error as SendError<Numbered>: error.reason == .cancelled
        case let error as PublishError<Numbered>: error.reason == .cancelled
        case let error as PublishError<Void>: error.reason == .cancelled
        default: false
        }
    }
}

/// Throws what `body` throws, but for a passed deadline. Whether it came to its end.
@discardableResult
func unlessLate(_ body: () throws -> Void) throws -> Bool {
    do {
        try body()
        return true
    } catch let error where error.isPassedDeadline { return false }
}

extension Form {
    /// Throws what `body` throws, but for that with which one in this form gives up: a passed deadline, or the cancellation. Whether it came to its end.
    @discardableResult
    func givesUp(_ body: () throws -> Void) throws -> Bool {
        guard self == .cancelled else { return try unlessLate(body) }
        do {
            try body()
            return true
        } catch let error where error.isCancellation { return false }
    }
}
