public import SystemPackage

/// How a worker's process has ended.
public enum WorkerEnding: Sendable, Hashable, CustomStringConvertible {
    /// With this exit status.
    case exited(Int32)
    /// By this signal: 9 is SIGKILL, also that of a system without memory.
    case killed(signal: Int32)
    /// Another part of this program has waited for the process, and knows.
    case unknown

    public var description: String {
        switch self {
        case .exited(let status): "exited with status \(status)"
        case .killed(let signal): "was killed by signal \(signal)"
        case .unknown: "ended"
        }
    }
}

/// What happens in a ``WorkerPool``.
public struct WorkerEvent: Sendable, Equatable, CustomStringConvertible {
    public enum Kind: Sendable, Equatable {
        /// Its process was started.
        case started
        /// Its process has ended.
        case ended(WorkerEnding)
        /// Its process could not be started; tried again as if it had ended.
        case failedToStart(Errno)
        /// It will be started again after this time.
        case waits(Duration)
        /// It has ended too often in a row, too soon each time, and is not started again.
        case gaveUp
    }

    /// Which worker, 0 to the number of workers, less one. The same for its replacements.
    public let worker: Int
    /// Its process; nil if there is none, or none any more.
    public let pid: Int32?
    public let kind: Kind

    public var description: String {
        let name = pid.map { "worker \(worker) (process \($0))" } ?? "worker \(worker)"
        switch kind {
        case .started: return "\(name) was started"
        case .ended(let ending): return "\(name) \(ending)"
        case .failedToStart(let error): return "\(name) could not be started: \(error)"
        case .waits(let time): return "\(name) will be started again in \(time)"
        case .gaveUp: return "\(name) ends again and again and is not started any more"
        }
    }
}

/// How a ``WorkerPool`` came to its end.
public struct WorkerPoolError: Error, Sendable, Equatable, CustomStringConvertible {
    /// How the last process ended of each worker that was given up; nil: it could not be started.
    public let givenUp: [Int: WorkerEnding?]

    public var description: String {
        let workers = givenUp.sorted { $0.key < $1.key }.map { "worker \($0.key) \($0.value.map(\.description) ?? "could not be started")" }
        return
            "the pool has no workers left: \(workers.joined(separator: ", ")); look at why they end (RestartPolicy says how often they may)"
    }
}
