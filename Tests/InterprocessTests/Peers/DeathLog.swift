import Interprocess
import Synchronization
import TestSupport

/// Writes down the deaths that one segment's stream tells, from now on.
final class DeathLog: Sendable {
    private let notices: Log
    private let task: Task<Void, Never>

    private final class Log: Sendable {
        let notices = Mutex<[DeathNotice]>([])
        let isEnded = Mutex(false)
    }

    init(_ segment: Segment) {
        let deaths = segment.deaths
        let log = Log()
        notices = log
        task = Task.detached {
            for await notice in deaths { log.notices.withLock { $0.append(notice) } }
            log.isEnded.withLock { $0 = true }
        }
    }

    deinit { task.cancel() }

    /// The next notice, which is waited for.
    func next() async throws -> DeathNotice {
        var found: DeathNotice?
        try await eventually("a death is told") {
            found = notices.notices.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            return found != nil
        }
        guard let found else { throw TimedOut("a death is told", watchdog) }
        return found
    }

    /// Waits for the end of the stream; what was told meanwhile.
    func rest() async throws -> [DeathNotice] {
        try await eventually("the stream ends") { notices.isEnded.withLock { $0 } }
        return notices.notices.withLock { $0 }
    }
}
