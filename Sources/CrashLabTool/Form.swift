import CrashLab
import Interprocess

/// In which form an operation is called that may have to wait. All of them run on the calling thread.
enum Form: String, Sendable {
    case blocking = ""
    /// Asynchronous: the thread does what the executor's does.
    case suspending = ".async"
    /// Asynchronous, by a task that is cancelled as soon as it waits.
    case cancelled = ".cancel"

    /// Of several processes of a storm: every third is one of tasks.
    static func of(_ who: Int) -> Form { who % 3 == 1 ? .suspending : .blocking }

    /// When one gives up who is to fall asleep before that, although it is stepped. Never, for one that is cancelled.
    var soon: Deadline {
        switch self {
        case .blocking: .soon
        case .suspending: .after(.milliseconds(40))
        case .cancelled: .never
        }
    }

    /// When one gives up that is to have waited once before it is stepped.
    var briefly: Deadline { self == .cancelled ? .never : .shortly }

    /// When a task gives up whose object's bytes are overwritten. To be asked for in the task: all that comes before takes long while it is stepped.
    static var scribbled: Deadline { .after(.milliseconds(20)) }

    func call<R>(_ blocking: () throws -> R, _ suspending: () async throws -> R) throws -> R {
        switch self {
        case .blocking: return try blocking()
        case .suspending: return try InterprocessExecutor.runHere { try await Self.stepped(suspending) }
        case .cancelled:
            return try withoutActuallyEscaping(suspending) { body in
                let lent = Lent(body: body)
                return try InterprocessExecutor.runHere {
                    let task = Task(executorPreference: InterprocessExecutor.shared) { Kept(value: try await Self.stepped(lent.body)) }
                    // It begins to wait meanwhile: there is one thread.
                    await Task.yield()
                    task.cancel()
                    return try await task.value.value
                }
            }
        }
    }

    private static func stepped<R>(_ body: () async throws -> R) async throws -> R {
        try Victim.beginSteps()
        let result = try await body()
        Victim.endSteps()
        return result
    }

    /// A body, and its result, that never leave the thread.
    @safe private struct Lent<R>: @unchecked Sendable { let body: () async throws -> R }
    @safe private struct Kept<R>: @unchecked Sendable { let value: R }
}

extension Deadline {
    /// The same for a call of a task: where there is one, it begins there.
    var ofTask: Deadline { self == .never ? .never : Form.scribbled }
}

extension Victim {
    /// Steps through the one call in this form that `body` makes.
    func step(by form: Form, _ body: () throws -> Void) throws { try step(inTask: form != .blocking, body) }
}
