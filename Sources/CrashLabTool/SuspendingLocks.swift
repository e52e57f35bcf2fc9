import CrashLab
import Interprocess

/// A mutex by its asynchronous forms; who gives up is cancelled.
final class SuspendingMutex: ExclusiveLock {
    private let mutex: SharedMutex<Halves>
    private init(_ mutex: SharedMutex<Halves>) { self.mutex = mutex }

    static func open(_ name: ObjectName, _ options: SynchronizationOptions, _ strategy: WaitStrategy) throws -> SuspendingMutex {
        SuspendingMutex(try .open(name, options, strategy))
    }

    var segment: Segment { mutex.segment }
    var isConsistent: Bool { mutex.isConsistent }
    func take(until deadline: Deadline) throws { try mutex.take(until: deadline) }
    func letGo() { mutex.letGo() }

    func change(until deadline: Deadline, _ body: (inout Halves) throws -> Void) throws {
        try InterprocessExecutor.runHere { try await mutex.withLock(until: deadline, body) }
    }

    func mend(until deadline: Deadline, _ body: (inout Halves, DeathNotice) throws -> Void) throws -> Bool {
        try InterprocessExecutor.runHere { try await mutex.repair(until: deadline, body) != nil }
    }

    func giveUp() throws {
        try unlessLate {
            try Form.cancelled.call {
                fatalError("not this form")
            } _: {
                try await mutex.withLock { _ in }
            }
        }
    }

    func callEverything(until deadline: Deadline) {
        try? change(until: deadline) { $0.first &+= 1 }
        _ = try? mend(until: deadline) { value, _ in value = Halves() }
        try? change(until: deadline) { $0.first &+= 1 }
    }
}

/// A reader-writer lock by its asynchronous forms; who gives up is cancelled.
final class SuspendingReadWriteLock: ExclusiveLock {
    private let lock: SharedReadWriteLock<Halves>
    private init(_ lock: SharedReadWriteLock<Halves>) { self.lock = lock }

    static func open(_ name: ObjectName, _ options: SynchronizationOptions, _ strategy: WaitStrategy) throws -> SuspendingReadWriteLock {
        SuspendingReadWriteLock(try .open(name, options, strategy))
    }

    var segment: Segment { lock.segment }
    var isConsistent: Bool { lock.isConsistent }
    func take(until deadline: Deadline) throws { try lock.take(until: deadline) }
    func letGo() { lock.letGo() }

    func change(until deadline: Deadline, _ body: (inout Halves) throws -> Void) throws {
        try InterprocessExecutor.runHere { try await lock.withWriteLock(until: deadline, body) }
    }

    func mend(until deadline: Deadline, _ body: (inout Halves, DeathNotice) throws -> Void) throws -> Bool {
        try InterprocessExecutor.runHere { try await lock.repair(until: deadline, body) != nil }
    }

    func giveUp() throws {
        try unlessLate {
            try Form.cancelled.call {
                fatalError("not this form")
            } _: {
                try await lock.withWriteLock { _ in }
            }
        }
    }

    func callEverything(until deadline: Deadline) {
        try? change(until: deadline) { $0.first &+= 1 }
        try? InterprocessExecutor.runHere { try await lock.withReadLock(until: deadline) { _ in } }
        _ = try? mend(until: deadline) { value, _ in value = Halves() }
        try? change(until: deadline) { $0.first &+= 1 }
    }
}

/// The scenarios of a lock in which one may have to wait, and does so in a task.
func suspendingLockScenarios<L: ExclusiveLock>(_ prefix: String, _ name: ObjectName, _ type: L.Type) -> [Scenario] {
    lockScenarios(prefix, name, type).filter { $0.name != prefix + ".unlock" }
}
