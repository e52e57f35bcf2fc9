import Interprocess

/// In which form an operation is called that may have to wait. All of them run on the calling thread.
enum Form: String, Sendable {
    case blocking = ""
    /// Asynchronous: the thread does what the executor's does.
    case suspending = ".async"
    /// Asynchronous, by a task that is cancelled already: what has to wait announces its sleep, and takes that back.
    case cancelled = ".cancel"

    /// Of several processes of a storm: every third is one of tasks.
    static func of(_ who: Int) -> Form { who % 3 == 1 ? .suspending : .blocking }

    /// When one gives up who is to fall asleep before, although it is stepped; who is cancelled would never.
    var soon: Deadline {
        switch self {
        case .blocking: .soon
        case .suspending: .after(.milliseconds(40))
        case .cancelled: .never
        }
    }

    func call<R>(_ blocking: () throws -> R, _ suspending: () async throws -> R) throws -> R {
        switch self {
        case .blocking: return try blocking()
        case .suspending: return try InterprocessExecutor.runHere(suspending)
        case .cancelled:
            return try InterprocessExecutor.runHere {
                unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
                return try await suspending()
            }
        }
    }
}
