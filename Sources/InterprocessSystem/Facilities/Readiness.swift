import CInterprocess
import Glibc
import SystemPackage

/// The one source of readiness for all tasks of the process: a thread that waits in `epoll`, and resumes who waits for a descriptor.
///
/// A descriptor is in the `epoll` only while somebody waits for it, each time for one report (`EPOLLONESHOT`). Who waits borrows the
/// descriptor's owner, so that it cannot be closed meanwhile. The thread is started by the first wait and stays; a child of `fork` has none
/// and does not wait asynchronously.
final class Readiness: Sendable {
    @safe
    private struct Waiter {
        let number: UInt64
        let descriptor: Int32
        let interest: PolledDescriptor.Interest
        let deadline: MonotonicInstant?
        let continuation: UnsafeContinuation<Result<Void, Errno>, Never>
    }

    private struct State {
        var waiters: [Waiter] = []
        /// Cancelled before they began to wait.
        var cancelled: Set<UInt64> = []
        var lastNumber: UInt64 = 0
    }

    private static let made = Lock<Readiness?>(nil)

    /// Made by the first who needs it; by the next one, if there were no descriptors for it.
    private static func shared() throws(Errno) -> Readiness {
        try made.withLock { made throws(Errno) in
            if let made { return made }
            let new = try Readiness()
            made = new
            return new
        }
    }

    private let state = Lock(State())
    private let epoll: OwnedDescriptor
    /// Wakes the thread when a waiter's deadline is to be looked at.
    private let poke: EventCounter
    private static let pokeData = UInt64.max

    private init() throws(Errno) {
        epoll = OwnedDescriptor(owning: try systemCall("epoll_create1") { ipc_epoll_create() })
        do throws(FacilityError) { poke = try EventCounter() } catch { throw error.errno }
        let poked = poke.descriptor.rawValue, number = epoll.descriptor.rawValue
        try systemCall("epoll_ctl") { ipc_epoll_change(number, ipc_epoll_add, poked, ipc_epoll_in, Self.pokeData) }
        try startServiceThread(named: "ipc-readiness") { [self] in run() }
    }

    /// Suspends the task until a call on `file` would not block, or until `deadline` (`ETIMEDOUT`) or cancellation (`ECANCELED`). A file that
    /// is always ready, as regular ones are, is so here.
    ///
    /// The corresponding C functions are `epoll_ctl` and `epoll_pwait2`.
    static func wait(
        for file: FileDescriptor, _ interest: PolledDescriptor.Interest, until deadline: MonotonicInstant?
    ) async throws(Errno) {
        guard !Task.isCancelled else { throw .canceled }
        if let deadline, deadline <= .now { throw .deadline }
        let source = try shared()
        let number = source.state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        let result = await withTaskCancellationHandler {
            await unsafe withUnsafeContinuation { continuation in
                unsafe source.begin(
                    Waiter(
                        number: number, descriptor: file.rawValue, interest: interest, deadline: deadline, continuation: continuation))
            }
        } onCancel: {
            source.cancel(number)
        }
        source.state.withLock { _ = $0.cancelled.remove(number) }
        try result.get()
    }

    private func begin(_ waiter: Waiter) {
        let failure: Result<Void, Errno>? = state.withLock { state in
            if state.cancelled.contains(waiter.number) { return .failure(.canceled) }
            state.waiters.append(waiter)
            do throws(Errno) {
                try arm(waiter.descriptor, state)
                return nil
            } catch {
                state.waiters.removeLast()
                // Regular files are not for epoll, since they are always ready.
                return error == .notPermitted ? .success(()) : .failure(error)
            }
        }
        if let failure { return unsafe waiter.continuation.resume(returning: failure) }
        if waiter.deadline != nil { wakeThread() }
    }

    private func cancel(_ number: UInt64) {
        let waiter: Waiter? = state.withLock { state in
            guard let index = state.waiters.firstIndex(where: { $0.number == number }) else {
                state.cancelled.insert(number)
                return nil
            }
            return take(index, &state)
        }
        unsafe waiter?.continuation.resume(returning: .failure(.canceled))
    }

    /// Tells the kernel for what of a descriptor somebody waits.
    private func arm(_ descriptor: Int32, _ state: borrowing State) throws(Errno) {
        var events: UInt32 = 0
        for waiter in state.waiters where waiter.descriptor == descriptor {
            events |= waiter.interest == .reading ? ipc_epoll_in : ipc_epoll_out
        }
        let number = epoll.descriptor.rawValue, data = UInt64(UInt32(bitPattern: descriptor))
        guard events != 0 else {
            try systemCall("epoll_ctl") { ipc_epoll_change(number, ipc_epoll_delete, descriptor, 0, data) }
            return
        }
        do throws(Errno) {
            try systemCall("epoll_ctl") { ipc_epoll_change(number, ipc_epoll_modify, descriptor, events | ipc_epoll_once, data) }
        } catch .noSuchFileOrDirectory {
            try systemCall("epoll_ctl") { ipc_epoll_change(number, ipc_epoll_add, descriptor, events | ipc_epoll_once, data) }
        }
    }

    /// Takes one out who waits no more.
    private func take(_ index: Int, _ state: inout State) -> Waiter {
        let waiter = state.waiters.remove(at: index)
        try? arm(waiter.descriptor, state)
        return waiter
    }

    /// Nobody adds up to so much that it would wait.
    private func wakeThread() { try? poke.add(1) }

    // MARK: The thread

    private func run() {
        var events = [ipc_epoll_event](repeating: ipc_epoll_event(), count: 64)
        while true {
            let deadline = state.withLock { $0.waiters.compactMap(\.deadline).min() }
            let count = (try? wait(&events, until: deadline)) ?? 0
            for event in events[..<count] {
                if event.data == Self.pokeData {
                    _ = try? poke.take()
                } else {
                    report(Int32(truncatingIfNeeded: event.data), event.events)
                }
            }
            if let deadline, deadline <= .now { expire() }
        }
    }

    private func wait(_ events: inout [ipc_epoll_event], until deadline: MonotonicInstant?) throws(Errno) -> Int {
        let number = epoll.descriptor.rawValue
        return try systemCall("epoll_pwait2") {
            guard let deadline else { return unsafe ipc_epoll_wait(number, &events, CInt(events.count), nil) }
            var time = MonotonicInstant(nanoseconds: deadline.nanoseconds(since: .now)).timespec
            return unsafe ipc_epoll_wait(number, &events, CInt(events.count), &time)
        }
    }

    private func report(_ descriptor: Int32, _ events: UInt32) {
        let ready = state.withLock { state in
            let isOver = events & ipc_epoll_ended != 0
            let ready = state.waiters.filter {
                $0.descriptor == descriptor && (isOver || events & ($0.interest == .reading ? ipc_epoll_in : ipc_epoll_out) != 0)
            }
            state.waiters.removeAll { waiter in ready.contains { $0.number == waiter.number } }
            try? arm(descriptor, state)
            return ready
        }
        for waiter in ready { unsafe waiter.continuation.resume(returning: .success(())) }
    }

    private func expire() {
        let late: [Waiter] = state.withLock { state in
            var late: [Waiter] = []
            let now = MonotonicInstant.now
            while let index = state.waiters.firstIndex(where: { $0.deadline.map { $0 <= now } ?? false }) {
                late.append(take(index, &state))
            }
            return late
        }
        for waiter in late { unsafe waiter.continuation.resume(returning: .failure(.deadline)) }
    }
}
