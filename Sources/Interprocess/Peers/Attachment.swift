import InterprocessSystem
import Synchronization

/// One peer of this process: what the keeper knows of a segment that the process has open.
final class Attachment: Sendable {
    let table: PeerTable
    let recovery: ObjectRecovery
    /// For its locks.
    let file: SegmentFile
    /// The count of forks when it was made: another one now means that this is a child which does not own it.
    let forkGeneration: Int
    private let state: Lock<State>

    private struct State {
        var peer: PeerID?
        var seenDeaths: UInt32
        var echo: DeathEcho?
        var listeners: [Int: AsyncStream<DeathNotice>.Continuation] = [:]
        var seenMembership: UInt32
        var membershipListeners: [Int: AsyncStream<Void>.Continuation] = [:]
        var nextListener = 0
    }

    init(_ file: SegmentFile, recovery: ObjectRecovery) {
        self.file = file
        table = PeerTable(mapping: file.mapping)
        self.recovery = recovery
        forkGeneration = ForkGuard.generation
        state = Lock(State(peer: nil, seenDeaths: table.deaths.loadAcquire(), seenMembership: table.membership.loadAcquire()))
    }

    var isForeign: Bool { forkGeneration != ForkGuard.generation }

    var peer: PeerID? { state.withLock { $0.peer } }
    func setPeer(_ peer: PeerID) { state.withLock { $0.peer = peer } }

    /// Hands the notices of deaths since the last call to all listeners. By the keeper.
    ///
    /// Nothing is said under the lock: who ends a stream may hold the runtime's lock of the task that waits for it, and wants this one in ``removeListener(_:)``.
    func announceDeaths() {
        let (notices, listeners) = state.withLock { state -> ([DeathNotice], [AsyncStream<DeathNotice>.Continuation]) in
            guard table.deaths.loadAcquire() != state.seenDeaths else { return ([], []) }
            state.echo = DeathEcho()
            let (notices, next) = table.notices(since: state.seenDeaths)
            state.seenDeaths = next
            return (notices, Array(state.listeners.values))
        }
        for notice in notices {
            for listener in listeners { listener.yield(notice) }
        }
    }

    /// Wakes those of the segment's sleepers whom a dead thread may have robbed of their wake-up, if it is time. By the keeper.
    ///
    /// - Returns: when it is time again; nil if not before the next death.
    func echoDeaths() -> MonotonicInstant? {
        state.withLock { state in
            if state.echo?.isDue ?? false {
                unsafe Futex.wake(table.deaths.rawAddress)
                state.echo = state.echo?.next
            }
            return state.echo?.due
        }
    }

    /// A stream of the deaths from now on; ends when the segment is closed. In a forked child, which has no part in it, at once.
    func deaths() -> AsyncStream<DeathNotice> {
        AsyncStream { continuation in
            guard !isForeign else { return continuation.finish() }
            let id = state.withLock { state in
                state.nextListener += 1
                state.listeners[state.nextListener] = continuation
                return state.nextListener
            }
            continuation.onTermination = { [weak self] _ in
                self?.removeListener(id)
            }
        }
    }

    /// Tells whoever listens that peers have joined, left or died since the last call. By the keeper; nothing is said under the lock, as in ``announceDeaths()``.
    func announceMembership() {
        let listeners = state.withLock { state -> [AsyncStream<Void>.Continuation] in
            let now = table.membership.loadAcquire()
            guard now != state.seenMembership else { return [] }
            state.seenMembership = now
            return Array(state.membershipListeners.values)
        }
        for listener in listeners { listener.yield() }
    }

    /// An element now, and one after peers have joined, left or died; several changes may be one. Ends as ``deaths()`` does.
    func membershipChanges() -> AsyncStream<Void> {
        AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            guard !isForeign else { return continuation.finish() }
            let id = state.withLock { state in
                state.nextListener += 1
                state.membershipListeners[state.nextListener] = continuation
                return state.nextListener
            }
            continuation.yield()
            continuation.onTermination = { [weak self] _ in
                self?.removeListener(id)
            }
        }
    }

    private func removeListener(_ id: Int) {
        // They end behind the lock.
        _ = state.withLock { ($0.listeners.removeValue(forKey: id), $0.membershipListeners.removeValue(forKey: id)) }
    }

    /// Ends all streams.
    func finish() {
        let (listeners, membershipListeners) = state.withLock { state in
            defer { (state.listeners, state.membershipListeners) = ([:], [:]) }
            return (Array(state.listeners.values), Array(state.membershipListeners.values))
        }
        for listener in listeners { listener.finish() }
        for listener in membershipListeners { listener.finish() }
    }
}
