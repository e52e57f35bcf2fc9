/// Why a call of a semaphore, permits, an event, a once or a variable did not come to its end. Nothing was taken.
public enum WaitError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The deadline passed.
    case deadline
    /// The task was cancelled.
    case cancelled
    /// It can never come true: the calling thread waits for itself, or more was asked for than there is.
    case impossible(String)
    /// This process was forked from the one that opened the object; open it anew.
    case detached
    /// The field of this name in the shared memory is impossible: somebody wrote there who should not.
    case damaged(String)

    public var description: String {
        switch self {
        case .deadline: "it did not come before the deadline"
        case .cancelled: "the task was cancelled while it waited"
        case .impossible(let reason): reason
        case .detached: Detached.description
        case .damaged(let field): damage(field)
        }
    }
}

/// Why a lock was not had, or its value not given.
public enum LockError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The deadline passed while somebody else had the lock, or before what was waited for came true.
    case deadline
    /// The task was cancelled while it waited.
    case cancelled
    /// The calling thread has the lock already and would wait for itself, through this opened object or another opening of it; a lock is not recursive.
    case selfDeadlock
    /// The process that had the lock died with the value in its hands, or wrote it when it did. Look at the value with `repair`, which declares it consistent.
    case inconsistent(DeathNotice)
    /// This process was forked from the one that opened the object; open it anew.
    case detached
    /// The field of this name in the shared memory is impossible: somebody wrote there who should not.
    case damaged(String)

    public var description: String {
        switch self {
        case .deadline: "the lock was not to be had, or what was waited for did not come true, before the deadline"
        case .cancelled: "the task was cancelled while it waited for the lock"
        case .selfDeadlock:
            "this thread has the lock already and would wait for itself; do both in one call, since the lock is not recursive"
        case .inconsistent(let notice): "\(notice) while it had the lock: look at the value with repair(), which declares it consistent"
        case .detached: Detached.description
        case .damaged(let field): damage(field)
        }
    }
}

/// Why parties that wait for one another did not come together.
public enum RendezvousError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The deadline passed before all had come.
    case deadline
    /// The task was cancelled while it waited.
    case cancelled
    /// One that was waited for has died; of one that has left in order nobody is told. Told once to each; the next call waits for those that are left, and for who comes instead.
    case peerDied(DeathNotice)
    /// This process was forked from the one that opened the object; open it anew.
    case detached
    /// The field of this name in the shared memory is impossible: somebody wrote there who should not.
    case damaged(String)

    public var description: String {
        switch self {
        case .deadline: "not all had come before the deadline"
        case .cancelled: "the task was cancelled while it waited for the others"
        case .peerDied(let notice): "one that was waited for is gone: \(notice)"
        case .detached: Detached.description
        case .damaged(let field): damage(field)
        }
    }
}

private enum Detached {
    static let description = "this process was forked from the one that opened the object; open it anew in the child"
}

private func damage(_ field: String) -> String { "the object is damaged (field '\(field)'); remove it and make it anew" }
