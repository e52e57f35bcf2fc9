import CInterprocess
import InterprocessSystem
import Synchronization

/// The executor that sleeps on behalf of asynchronous calls.
///
/// Its one thread waits in the kernel for the words of all suspended calls at once. A task that prefers it runs on that same thread, so
/// that a wake-up costs hardly more than
/// for a blocked thread:
///
/// ```swift
/// try await Task(executorPreference: InterprocessExecutor.shared) {
///     while let reading = try await receiver.receive() { … }
/// }.value
/// ```
///
/// Tasks on other executors are resumed there, which costs the hop. Long computations do not belong on it: all who wait would wait for
/// them. A death notice does not:
/// it is the keeper thread's.
public final class InterprocessExecutor: TaskExecutor, Sendable {
    /// The executor of this process.
    public static var shared: InterprocessExecutor {
        while true {
            let generation = ForkGuard.generation
            let found = latest.load(ordering: .acquiring)
            if let address = unsafe UnsafeRawPointer(bitPattern: found) {
                let executor = unsafe Unmanaged<InterprocessExecutor>.fromOpaque(address).takeUnretainedValue()
                if executor.forkGeneration == generation { return executor }
            }
            let made = unsafe Unmanaged.passRetained(InterprocessExecutor(forkGeneration: generation))
            let address = unsafe UInt(bitPattern: made.toOpaque())
            if latest.compareExchange(expected: found, desired: address, ordering: .sequentiallyConsistent).exchanged {
                return unsafe made.takeUnretainedValue()  // lives as long as the process
            }
            unsafe made.release()
        }
    }

    private static let latest = Atomic<UInt>(0)
    private let forkGeneration: Int
    private let main: WaitLoop
    /// Loops for the waits that one call of the kernel does not take.
    private let others = Lock<[WaitLoop]>([])

    private init(forkGeneration: Int) {
        self.forkGeneration = forkGeneration
        main = WaitLoop()
    }

    public func enqueue(_ job: consuming ExecutorJob) {
        unsafe main.enqueue(UnownedJob(job), executor: asUnownedTaskExecutor())
    }

    /// Runs `body` on the calling thread, which until `body` has ended does what the executor's own thread does elsewhere. All of an asynchronous call happens on one thread then: the crash lab steps it.
    ///
    /// Only where nothing else uses the executor of this process, before or after, and by one thread at a time. A task that `body` has begun and not waited for stays where it is.
    package static func runHere<R>(_ body: () async throws -> R) throws -> R {
        try withoutActuallyEscaping(body) { body in
            let lent = unsafe Lent(body: body)
            let ending = Ending<R>()
            let executor = shared
            unsafe executor.main.lend(to: executor.asUnownedTaskExecutor()) {
                ending.result == nil
            } beginning: {
                Task(executorPreference: executor) {
                    do {
                        unsafe ending.result = .success(try await lent.body())
                    } catch {
                        ending.result = .failure(error)
                    }
                }
            }
            guard let result = ending.result else { preconditionFailure("the executor's loop ends with the body") }
            return try result.get()
        }
    }

    /// A body that is run by the thread that lends it.
    @unsafe private struct Lent<R>: @unchecked Sendable {
        let body: () async throws -> R
    }

    /// Of one thread as well.
    @safe private final class Ending<R>: @unchecked Sendable {
        var result: Result<R, any Error>?
    }

    /// The words that one suspended call may have: those of one call of the kernel, but for the thread's own.
    static let mostWords = Futex.maximumWords - 1

    enum Outcome: Sendable { case changed, deadline, cancelled }

    /// Suspends the task until one of the words changes, the deadline passes, or the task is cancelled.
    ///
    /// - Parameter owner: what keeps the words' memory mapped.
    func wait(on words: SleepWords, of owner: any AnyObject & Sendable, until deadline: Deadline) async -> Outcome {
        await wait(onAnyOf: [words], of: owner, until: words.earlier(deadline))
    }

    /// As ``wait(on:of:until:)``, for at most ``mostWords`` words in all.
    func wait(onAnyOf words: [SleepWords], of owner: any AnyObject & Sendable, until deadline: Deadline) async -> Outcome {
        let wait = AsyncWait(words: words, owner: owner, deadline: deadline)
        return await withTaskCancellationHandler {
            unsafe await withUnsafeContinuation { continuation in
                if unsafe wait.begin(continuation) { admit(wait) }
            }
        } onCancel: {
            wait.finish(.cancelled)
            main.wakeUp()
            others.withLock { for loop in $0 { loop.wakeUp() } }
        }
    }

    private func admit(_ wait: AsyncWait) {
        if unsafe main.admit(wait, executor: asUnownedTaskExecutor()) { return }
        others.withLock { loops in
            for loop in loops where unsafe loop.admit(wait, executor: asUnownedTaskExecutor()) { return }
            let loop = WaitLoop()
            loops.append(loop)
            _ = unsafe loop.admit(wait, executor: asUnownedTaskExecutor())
        }
    }
}

/// One suspended call.
private final class AsyncWait: Sendable {
    let words: [SleepWords]
    let wordCount: Int
    /// Keeps the words mapped while the loop may read them.
    private let owner: Lock<(any AnyObject & Sendable)?>
    let deadline: Deadline
    private let state = Lock<State>(.new)

    @safe private enum State {
        case new
        case suspended(UnsafeContinuation<InterprocessExecutor.Outcome, Never>)
        case finished(InterprocessExecutor.Outcome)
    }

    init(words: [SleepWords], owner: any AnyObject & Sendable, deadline: Deadline) {
        self.words = words
        wordCount = words.reduce(0) { $0 + $1.count }
        precondition(wordCount <= InterprocessExecutor.mostWords)
        self.owner = Lock(owner)
        self.deadline = deadline
    }

    /// Takes the continuation; false if the call was cancelled already (then it is resumed).
    func begin(_ continuation: UnsafeContinuation<InterprocessExecutor.Outcome, Never>) -> Bool {
        let outcome: InterprocessExecutor.Outcome? = state.withLock { state in
            if case .finished(let outcome) = state { return outcome }
            state = unsafe .suspended(continuation)
            return nil
        }
        guard let outcome else { return true }
        unsafe continuation.resume(returning: outcome)
        return false
    }

    /// Ends the wait, by the loop, which reads the words no more: lets go of their owner before the call goes on and perhaps closes it.
    func finishAndLetGo(_ outcome: InterprocessExecutor.Outcome) {
        owner.withLock { $0 = nil }
        finish(outcome)
    }

    /// Resumes the call, once.
    func finish(_ outcome: InterprocessExecutor.Outcome) {
        let continuation: UnsafeContinuation<InterprocessExecutor.Outcome, Never>? = unsafe state.withLock { state in
            switch state {
            case .finished: return nil
            case .new:
                state = .finished(outcome)
                return nil
            case .suspended(let continuation):
                state = .finished(outcome)
                return unsafe continuation
            }
        }
        unsafe continuation?.resume(returning: outcome)
    }

    var wordsHaveChanged: Bool { words.contains { $0.haveChanged } }

    var isFinished: Bool {
        state.withLock { if case .finished = $0 { true } else { false } }
    }
}

/// A thread that runs jobs and otherwise sleeps on the words of the waits that it has admitted.
private final class WaitLoop: Sendable {
    private struct State {
        var jobs: [UnownedJob] = []
        var waits: [AsyncWait] = []
        var isStarted = false
        /// Whether its thread is one that others have lent it.
        var isLent = false

        func hasRoom(for wait: AsyncWait) -> Bool {
            // The loop has a word of its own.
            waits.reduce(wait.wordCount) { $0 + $1.wordCount } <= InterprocessExecutor.mostWords
        }
    }

    private let state = Lock(State())
    private let control = ControlWord()
    private let isAsleep = Atomic<Bool>(false)
    private let thread = Atomic<Int>(0)

    func enqueue(_ job: UnownedJob, executor: UnownedTaskExecutor) {
        state.withLock { state in
            state.jobs.append(job)
            unsafe start(&state, executor)
        }
        wakeUp()
    }

    /// Takes the wait if there is room.
    func admit(_ wait: AsyncWait, executor: UnownedTaskExecutor) -> Bool {
        let isAdmitted = state.withLock { state in
            // Those that are finished are taken off by the thread alone: a wake-up may be on its way to it that it has to pass on.
            guard state.hasRoom(for: wait) else { return false }
            state.waits.append(wait)
            unsafe start(&state, executor)
            return true
        }
        if isAdmitted { wakeUp() }
        return isAdmitted
    }

    private func start(_ state: inout State, _ executor: UnownedTaskExecutor) {
        guard !state.isStarted else { return }
        state.isStarted = true
        let executor = unsafe SendableExecutor(executor: executor)
        do {
            try startServiceThread(named: "ipc-executor") { unsafe self.run(executor.executor) { true } }
        } catch {
            preconditionFailure(
                "no thread could be started for asynchronous waits (\(error)); raise the limit of processes and threads (ulimit -u)")
        }
    }

    /// Runs on the calling thread while `goesOn`; see ``InterprocessExecutor/runHere(_:)``.
    func lend(to executor: UnownedTaskExecutor, while goesOn: () -> Bool, beginning: () -> Void) {
        state.withLock { state in
            precondition(state.isLent || !state.isStarted, "the executor has a thread of its own already")
            (state.isStarted, state.isLent) = (true, true)
        }
        thread.store(ThreadID.cachedCurrent, ordering: .relaxed)
        beginning()
        unsafe run(executor, while: goesOn)
    }

    func wakeUp() {
        if thread.load(ordering: .relaxed) == ThreadID.cachedCurrent { return }  // the loop looks again before it sleeps
        control.increment()
        if isAsleep.load(ordering: .sequentiallyConsistent) { control.wake() }
    }

    /// Runs the jobs that there are; not those that come meanwhile.
    private func runJobs(_ executor: UnownedTaskExecutor) {
        let jobs = state.withLock { state in
            defer { state.jobs.removeAll(keepingCapacity: true) }
            return state.jobs
        }
        for job in jobs { unsafe job.runSynchronously(on: executor) }
    }

    private func run(_ executor: UnownedTaskExecutor, while goesOn: () -> Bool) {
        thread.store(ThreadID.cachedCurrent, ordering: .relaxed)
        var words: [ipc_futex_waiter] = []
        while true {
            let seen = control.value
            unsafe runJobs(executor)
            // Jobs that have brought new ones, as a task that yields does again and again, only keep the thread from sleeping.
            let (waits, hasJobs) = state.withLock { ($0.waits, !$0.jobs.isEmpty) }
            words.removeAll(keepingCapacity: true)
            words.append(control.waiter(while: seen))
            var first: MonotonicInstant?
            var someEnded = false
            for wait in waits {
                // One that was cancelled keeps its owner until it is taken off the list below.
                if wait.isFinished {
                    // The wake-up that it would have answered may have come to this thread alone.
                    for words in wait.words { words.passOn() }
                    continue
                }
                if wait.wordsHaveChanged {
                    wait.finishAndLetGo(.changed)
                    someEnded = true
                } else if let instant = wait.deadline.instant {
                    if instant <= .now {
                        wait.finishAndLetGo(.deadline)
                        someEnded = true
                    } else {
                        first = min(first ?? instant, instant)
                    }
                }
                for some in wait.words { some.append(to: &words) }
            }
            if someEnded || waits.contains(where: { $0.isFinished }) {
                // What they kept mapped ends behind the lock: its end may resume tasks, which come to this lock.
                withExtendedLifetime(waits) { state.withLock { $0.waits.removeAll { $0.isFinished } } }
                continue
            }
            if hasJobs { continue }
            guard goesOn() else { return }
            isAsleep.store(true, ordering: .sequentiallyConsistent)
            unsafe words.withUnsafeMutableBufferPointer { buffer in
                _ = try? unsafe Futex.wait(any: buffer, until: first)
            }
            isAsleep.store(false, ordering: .relaxed)
        }
    }
}

@unsafe
private struct SendableExecutor: @unchecked Sendable {
    let executor: UnownedTaskExecutor
}
