public import Interprocess

/// The value that locks of the tests guard: two numbers that are the same whenever nobody changes them.
public typealias SyncPair = InlineArray<2, Int>

/// One object of each kind, each in a segment of its own, or all of them in one segment of the user's.
public struct SyncPlace: Sendable {
    public enum Kind: String, CaseIterable, Sendable { case named, placed }

    public let kind: Kind
    public let segment: Segment?
    private let options: SynchronizationOptions
    public static let permitUnits = 3
    public static let parties = 3
    public static let latchCount = 2
    public static let maximumPeers = 40
    public static let stride = 2048

    public init(_ kind: Kind, in directory: ObjectDirectory) throws {
        self.kind = kind
        options = SynchronizationOptions(directory: directory, maximumPeers: Self.maximumPeers)
        segment =
            kind == .named ? nil : try Segment.openOrCreate("place", size: 16 * Self.stride, in: directory, maximumPeers: Self.maximumPeers)
    }

    public func mutex(_ strategy: WaitStrategy = .adaptive) throws -> SharedMutex<SyncPair> {
        guard let segment else { return try SharedMutex(named: "mutex", initial: [0, 0], options: options, strategy: strategy) }
        return try SharedMutex(in: segment, at: 0, initial: [0, 0], strategy: strategy)
    }

    /// Of the jobs that stand behind ``condition()`` in a storm: how many there are, and how many were taken out.
    public func jobs(_ strategy: WaitStrategy = .adaptive) throws -> SharedMutex<SyncPair> {
        guard let segment else { return try SharedMutex(named: "jobs", initial: [0, 0], options: options, strategy: strategy) }
        return try SharedMutex(in: segment, at: 10 * Self.stride, initial: [0, 0], strategy: strategy)
    }

    public func semaphore(_ strategy: WaitStrategy = .adaptive) throws -> SharedSemaphore {
        guard let segment else { return try SharedSemaphore(named: "semaphore", value: 0, options: options, strategy: strategy) }
        return try SharedSemaphore(in: segment, at: Self.stride, value: 0, strategy: strategy)
    }

    public func permits(_ strategy: WaitStrategy = .adaptive) throws -> SharedPermits {
        guard let segment else { return try SharedPermits(named: "permits", units: Self.permitUnits, options: options, strategy: strategy) }
        return try SharedPermits(in: segment, at: 2 * Self.stride, units: Self.permitUnits, strategy: strategy)
    }

    public func condition() throws -> SharedCondition {
        guard let segment else { return try SharedCondition(named: "condition", options: options) }
        return try SharedCondition(in: segment, at: 3 * Self.stride)
    }

    public func readWriteLock(_ strategy: WaitStrategy = .adaptive) throws -> SharedReadWriteLock<SyncPair> {
        guard let segment else { return try SharedReadWriteLock(named: "rw", initial: [0, 0], options: options, strategy: strategy) }
        return try SharedReadWriteLock(in: segment, at: 4 * Self.stride, initial: [0, 0], strategy: strategy)
    }

    public func barrier() throws -> SharedBarrier {
        guard let segment else { return try SharedBarrier(named: "barrier", parties: Self.parties, options: options) }
        return try SharedBarrier(in: segment, at: 5 * Self.stride, parties: Self.parties)
    }

    public func latch() throws -> SharedLatch {
        guard let segment else { return try SharedLatch(named: "latch", count: Self.latchCount, options: options) }
        return try SharedLatch(in: segment, at: 6 * Self.stride, count: Self.latchCount)
    }

    /// One for which more are waited for than come in a test.
    public func deepLatch() throws -> SharedLatch {
        guard let segment else { return try SharedLatch(named: "deep-latch", count: 100, options: options) }
        return try SharedLatch(in: segment, at: 15 * Self.stride, count: 100)
    }

    public func event(_ resetting: SharedEvent.Reset = .manual, _ strategy: WaitStrategy = .adaptive) throws -> SharedEvent {
        guard let segment else {
            return try SharedEvent(named: try ObjectName("event-\(resetting)"), resetting: resetting, options: options, strategy: strategy)
        }
        return try SharedEvent(in: segment, at: (resetting == .manual ? 7 : 8) * Self.stride, resetting: resetting, strategy: strategy)
    }

    public func once() throws -> SharedOnce {
        guard let segment else { return try SharedOnce(named: "once", options: options) }
        return try SharedOnce(in: segment, at: 9 * Self.stride)
    }
}

/// How a call ended, as a process says it: "got", "deadline", "inconsistent PID", "peerDied PID" …
public func syncOutcome(_ body: () throws -> String) -> String {
    do {
        return try body()
    } catch let error as LockError {
        if case .inconsistent(let notice) = error { return "inconsistent \(notice.pid)" }
        return name(error)
    } catch let error as RendezvousError {
        if case .peerDied(let notice) = error { return "peerDied \(notice.pid)" }
        return name(error)
    } catch let error as WaitError {
        return name(error)
    } catch {
        return "error \(error)"
    }
}

/// The name of the error's case.
private func name(_ error: some Error) -> String {
    if let error = error as? LockError {
        switch error {
        case .deadline: return "deadline"
        case .cancelled: return "cancelled"
        case .selfDeadlock: return "selfDeadlock"
        case .detached: return "detached"
        case .damaged: return "damaged"
        case .inconsistent: return "inconsistent"
        }
    }
    if let error = error as? RendezvousError {
        switch error {
        case .deadline: return "deadline"
        case .cancelled: return "cancelled"
        case .detached: return "detached"
        case .damaged: return "damaged"
        case .peerDied: return "peerDied"
        }
    }
    switch error as? WaitError {
    case .deadline: return "deadline"
    case .cancelled: return "cancelled"
    case .detached: return "detached"
    case .damaged: return "damaged"
    case .impossible: return "impossible"
    case nil: return "error \(error)"
    }
}

/// A segment full of mutexes that several processes make at once.
public enum SyncField {
    public static let stride = 256
    public static var initial: SyncPair { [1000, 1000] }
}
