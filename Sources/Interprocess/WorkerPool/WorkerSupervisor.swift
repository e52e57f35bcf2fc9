import InterprocessSystem
import Synchronization
import SystemPackage

/// The thread that starts a pool's workers, waits for their ends, and replaces them.
final class WorkerSupervisor: Sendable {
    let count: Int
    private let program: WorkerProgram
    private let policy: RestartPolicy
    /// Whether no more messages will come and none waits: then who ends well is not replaced.
    private let isDone: @Sendable () -> Bool
    /// The supervising thread, as ``ThreadID`` knows it; 0 before it runs.
    private let thread = Atomic<Int>(0)
    private let report: @Sendable (WorkerEvent) -> Void
    private let atEnd: @Sendable () -> Void
    /// Wakes the thread.
    private let poke: Pipe
    private let order = Lock<Order>(Order())
    private let pids: Lock<[Int32?]>
    private let result = Lock<Result<Void, WorkerPoolError>?>(nil)
    /// Changes when the result is there.
    private let ended = ControlWord(scope: .shared)

    /// What the thread is told.
    private struct Order {
        /// When those that still run are killed; nil: not asked to stop.
        var patience: MonotonicInstant?
    }

    /// Starts the thread, and so the workers.
    init(
        _ count: Int, _ program: WorkerProgram, _ policy: RestartPolicy, isDone: @escaping @Sendable () -> Bool,
        report: @escaping @Sendable (WorkerEvent) -> Void, atEnd: @escaping @Sendable () -> Void
    ) throws(Errno) {
        (self.count, self.program, self.policy) = (count, program, policy)
        (self.isDone, self.report, self.atEnd) = (isDone, report, atEnd)
        do throws(FacilityError) { poke = try Pipe() } catch { throw error.errno }
        let lifeline = try Lifeline()
        pids = Lock(Array(repeating: nil, count: count))
        try startServiceThread(named: "ipc-workers") { [self] in run(lifeline) }
    }

    /// The workers' processes as they are now.
    var processes: [Int32?] { pids.withLock { $0 } }

    /// Tells all workers to stop, and kills those that still run after `grace`. Again, with a shorter time: then that one holds.
    func stop(grace: Duration) {
        let patience = MonotonicInstant.now.advanced(by: grace)
        let isNews = order.withLock { order in
            if let sooner = order.patience, sooner <= patience { return false }
            order.patience = patience
            return true
        }
        if isNews { _ = try? poke.writing.descriptor.writeAll([0]) }
    }

    /// Whether the caller is the supervising thread, in `onEvent`.
    var isOwnThread: Bool { thread.load(ordering: .sequentiallyConsistent) == ThreadID.cachedCurrent }

    // MARK: Waiting for the end

    /// Nil: the deadline has passed.
    func wait(until deadline: Deadline) -> Result<Void, WorkerPoolError>? {
        precondition(!isOwnThread, "WorkerPool: onEvent runs on the thread that it would wait for here; wait elsewhere")
        while true {
            let seen = ended.value
            if let result = result.withLock({ $0 }) { return result }
            if deadline.hasPassed { return nil }
            ended.sleepWords(while: seen).sleep(until: deadline)
        }
    }

    /// Nil: the deadline has passed, or the task was cancelled.
    func wait(until deadline: Deadline) async -> Result<Void, WorkerPoolError>? {
        while true {
            let seen = ended.value
            if let result = result.withLock({ $0 }) { return result }
            if deadline.hasPassed { return nil }
            if await InterprocessExecutor.shared.wait(on: ended.sleepWords(while: seen), of: self, until: deadline) == .cancelled {
                return nil
            }
        }
    }

    // MARK: The thread

    /// A worker, through all its processes. Only the thread has it.
    private final class Member {
        let number: Int
        var child: ChildProcess?
        var descriptor: ProcessDescriptor?
        /// When its process was started.
        var since = MonotonicInstant.now
        /// When the next process is due; nil: there is one, or there will be none.
        var due: MonotonicInstant? = .now
        /// Ends in a row that came too soon.
        var quickEnds = 0
        var last: WorkerEnding?
        var isGivenUp = false

        init(_ number: Int) { self.number = number }

        var isRunning: Bool { child != nil }
        var isOver: Bool { child == nil && due == nil }
    }

    private func run(_ lifeline: Lifeline) {
        thread.store(ThreadID.cachedCurrent, ordering: .sequentiallyConsistent)
        let members = (0..<count).map { Member($0) }
        while true {
            let patience = order.withLock { $0.patience }
            // One look at the clock for all: whoever is not killed now is waited for until then.
            let kills = patience.map { $0 <= .now } ?? false
            if patience != nil {
                lifeline.end()
                for member in members {
                    member.due = nil
                    // By its descriptor: its number may be another's, if another part of the program has waited for it.
                    if kills { try? member.descriptor?.send(signal: Signal.kill) }
                }
            }
            for member in members {
                if let due = member.due, due <= .now { start(member, lifeline) }
            }
            if members.allSatisfy(\.isOver) {
                // What one that ended with a message in hand has left is given back by now, or soon.
                guard patience == nil, !isDone(), let member = members.first(where: { !$0.isGivenUp }) else { break }
                replace(member)
                continue
            }
            sleep(members, kills ? nil : patience)
            for member in members { reap(member, mayReplace: patience == nil) }
        }
        let givenUp = members.filter(\.isGivenUp)
        let isFailure = givenUp.count == members.count
        let last = Dictionary(uniqueKeysWithValues: givenUp.map { ($0.number, $0.last) })
        // Its name may be another thread's soon.
        thread.store(0, ordering: .sequentiallyConsistent)
        result.withLock { $0 = isFailure ? .failure(WorkerPoolError(givenUp: last)) : .success(()) }
        ended.incrementAndWake()
        atEnd()
    }

    /// Sleeps until a process ends, a replacement is due, or there is something to be told.
    ///
    /// - Parameter patience: until when at most; once all were killed there is nothing to wait for but their ends.
    private func sleep(_ members: [Member], _ patience: MonotonicInstant?) {
        var wanted = [PolledDescriptor(poke.reading.descriptor, for: .reading)]
        for member in members {
            if let descriptor = member.descriptor?.descriptor { wanted.append(PolledDescriptor(descriptor, for: .reading)) }
        }
        var until = members.compactMap(\.due).min()
        if let patience { until = min(until ?? patience, patience) }
        do throws(Errno) {
            try wanted.poll(until: until)
        } catch {
            // No memory in the kernel: look again soon.
            sleepThread(for: .milliseconds(10))
        }
        if wanted[0].state == .ready {
            var bytes: [UInt8] = Array(repeating: 0, count: 64)
            _ = unsafe bytes.withUnsafeMutableBytes { unsafe try? poke.reading.descriptor.read(into: $0) }
        }
    }

    private func start(_ member: Member, _ lifeline: Lifeline) {
        member.due = nil
        member.since = .now
        do throws(Errno) {
            let child = try program.start(member.number, lifeline)
            let pid = child.pid
            member.child = consume child
            member.descriptor = try throwingErrno { () throws(FacilityError) in try ProcessDescriptor(opening: pid) }
            tell(member, pid, .started)
        } catch {
            // A process that cannot be watched is none.
            if member.child != nil {
                member.child?.send(signal: Signal.kill)
                _ = try? member.child?.wait()
                member.child = nil
            }
            member.last = nil
            tell(member, nil, .failedToStart(error))
            replace(member)
        }
    }

    private func reap(_ member: Member, mayReplace: Bool) {
        guard let pid = member.child?.pid else { return }
        let ending: WorkerEnding
        do throws(Errno) {
            switch try member.child?.poll() {
            case .some(.exited(let status)): ending = .exited(status)
            case .some(.signalled(let signal)): ending = .killed(signal: signal)
            case nil: return
            }
        } catch {
            // Another part of the program has reaped it.
            guard (try? member.descriptor?.hasEnded()) ?? true else { return }
            ending = .unknown
        }
        member.child = nil
        member.descriptor = nil
        member.last = ending
        tell(member, pid, .ended(ending))
        guard mayReplace else { return }
        // Who is not known to have ended badly has ended well.
        if ending == .exited(0) || ending == .unknown, isDone() { return }
        replace(member)
    }

    private func replace(_ member: Member) {
        let hasSettled = MonotonicInstant.now >= member.since.advanced(by: policy.settledAfter)
        member.quickEnds = hasSettled ? 0 : member.quickEnds + 1
        guard hasSettled || member.quickEnds <= policy.limit else {
            member.isGivenUp = true
            return tell(member, nil, .gaveUp)
        }
        let delay = policy.delay(beforeReplacement: member.quickEnds)
        if delay > .zero { tell(member, nil, .waits(delay)) }
        member.due = .now.advanced(by: delay)
    }

    private func tell(_ member: Member, _ pid: Int32?, _ kind: WorkerEvent.Kind) {
        pids.withLock { $0[member.number] = member.child?.pid }
        report(WorkerEvent(worker: member.number, pid: pid, kind: kind))
    }
}
