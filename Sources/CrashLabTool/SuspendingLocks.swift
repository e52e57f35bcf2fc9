import CrashLab
import Interprocess

/// A mutex by its asynchronous forms; who gives up is cancelled. Who is not to sleep (`.spin`) has the blocking forms.
final class SuspendingMutex: ExclusiveLock {
    static let form = Form.suspending
    private let mutex: SharedMutex<Halves>
    private let form: Form
    private init(_ mutex: SharedMutex<Halves>, _ form: Form) { (self.mutex, self.form) = (mutex, form) }

    static func open(_ name: ObjectName, _ options: SynchronizationOptions, _ strategy: WaitStrategy) throws -> SuspendingMutex {
        SuspendingMutex(try .open(name, options, strategy), strategy == .spin ? .blocking : .suspending)
    }

    var segment: Segment { mutex.segment }
    var isConsistent: Bool { mutex.isConsistent }
    func take(until deadline: Deadline) throws { try mutex.take(until: deadline) }
    func letGo() { mutex.letGo() }

    func change(until deadline: Deadline, _ body: (inout Halves) throws -> Void) throws {
        try form.call {
            try mutex.withLock(until: deadline, body)
        } _: {
            try await mutex.withLock(until: deadline, body)
        }
    }

    func mend(until deadline: Deadline, _ body: (inout Halves, DeathNotice) throws -> Void) throws -> Bool {
        try form.call {
            try mutex.repair(until: deadline, body) != nil
        } _: {
            try await mutex.repair(until: deadline, body) != nil
        }
    }

    func giveUp() throws {
        // Another has it as long as this one waits, unless it stands still.
        func body(_: inout Halves) {}
        try Form.cancelled.givesUp {
            try Form.cancelled.call {
                try mutex.withLock(until: .never, body)
            } _: {
                try await mutex.withLock(body)
            }
        }
    }

    func callEverything(until deadline: Deadline) {
        try? change(until: deadline) { $0.first &+= 1 }
        _ = try? mend(until: deadline) { value, _ in value = Halves() }
        try? change(until: deadline) { $0.first &+= 1 }
    }
}

/// A reader-writer lock by its asynchronous forms, as ``SuspendingMutex``.
final class SuspendingReadWriteLock: ExclusiveLock {
    static let form = Form.suspending
    private let lock: SharedReadWriteLock<Halves>
    private let form: Form
    private init(_ lock: SharedReadWriteLock<Halves>, _ form: Form) { (self.lock, self.form) = (lock, form) }

    static func open(_ name: ObjectName, _ options: SynchronizationOptions, _ strategy: WaitStrategy) throws -> SuspendingReadWriteLock {
        SuspendingReadWriteLock(try .open(name, options, strategy), strategy == .spin ? .blocking : .suspending)
    }

    var segment: Segment { lock.segment }
    var isConsistent: Bool { lock.isConsistent }
    func take(until deadline: Deadline) throws { try lock.take(until: deadline) }
    func letGo() { lock.letGo() }

    func change(until deadline: Deadline, _ body: (inout Halves) throws -> Void) throws {
        try form.call {
            try lock.withWriteLock(until: deadline, body)
        } _: {
            try await lock.withWriteLock(until: deadline, body)
        }
    }

    func mend(until deadline: Deadline, _ body: (inout Halves, DeathNotice) throws -> Void) throws -> Bool {
        try form.call {
            try lock.repair(until: deadline, body) != nil
        } _: {
            try await lock.repair(until: deadline, body) != nil
        }
    }

    func giveUp() throws {
        // Another has it as long as this one waits, unless it stands still.
        func body(_: inout Halves) {}
        try Form.cancelled.givesUp {
            try Form.cancelled.call {
                try lock.withWriteLock(until: .never, body)
            } _: {
                try await lock.withWriteLock(body)
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

/// Those of ``lockScenarios(_:_:_:)`` in which something is called that may have to wait.
func suspendingLockScenarios<L: ExclusiveLock>(_ prefix: String, _ name: ObjectName, _ type: L.Type) -> [Scenario] {
    lockScenarios(prefix, name, type).filter { $0.name != prefix + ".unlock" }
}
