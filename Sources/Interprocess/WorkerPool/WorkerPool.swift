import InterprocessSystem
public import SystemPackage

/// A number of processes that run one program over a queue, and are replaced when they end.
///
/// ```swift
/// let jobs = try SharedQueue<Job>(named: "jobs", options: SharedQueueOptions(deliveryLimit: 3))
/// let pool = try WorkerPool(over: jobs, workers: 4, running: "/usr/local/bin/resize")
/// let events = pool.events                              // not the pool itself, which lives as long as somebody has it
/// Task { for await event in events { log("\(event)") } }
/// for job in work { try await jobs.send(job, until: .after(.seconds(60))) }
/// jobs.finish()
/// try await pool.wait()                                 // every job was done, or is a dead letter
/// ```
/// and the program:
/// ```swift
/// try Worker.run(Job.self) { delivery in try resize(delivery.message) }
/// ```
///
/// A worker that is killed leaves its message to another one (``SharedQueue/take(until:)``) and is replaced as the ``RestartPolicy`` says. One that
/// ends well is replaced too, until somebody
/// has called ``AnySharedQueue/finish()``. When this value ends, or its process does, also by SIGKILL, the workers end after the message that they have in hand. When it is this value
/// that ends, those that still run after 10 s are killed, and leave their messages to others; ``stop(grace:)`` is for another time.
///
/// Workers inherit standard input, output and error, and the environment; no other descriptor but the one that tells them to stop.
///
/// **Death** of a worker: its message comes again; of the pool's process: its workers end by themselves, messages stay in the queue for another pool.
/// **Cost** one thread that sleeps, four descriptors and one for each worker.
public final class WorkerPool: Sendable {
    /// What happens to the workers, from the beginning on; the last 1,000 if nobody reads them. Ends with the pool. For one reader.
    public let events: AsyncStream<WorkerEvent>
    private let supervisor: WorkerSupervisor
    /// Open as long as there is the pool.
    private let queue: AnySharedQueue

    private static let mostEvents = 1000
    /// The most workers that a pool may have.
    public static let maximumWorkers = 1024

    /// Starts the workers.
    ///
    /// - Parameters:
    ///   - queue: what they work on; it has a name.
    ///   - workers: how many, 1 to 1,024. The queue takes as many peers, and this process besides.
    ///   - program: the path of what they run, not searched for in `PATH`; ``currentProgram`` for the one that is running.
    ///   - arguments: of each of them.
    ///   - environment: changes to the environment of each of them.
    ///   - policy: when one is replaced.
    ///   - onEvent: called with what is also in ``events``, on the pool's own thread: it should return soon, and does not wait for the pool (``stop(grace:)`` there only tells).
    /// - Throws: ``InterprocessError``: `invalidArgument`, or `system` if there are no descriptors or no memory for a thread. A program that cannot
    ///   be started is no error here, but an event, and in the
    ///   end one of ``wait(until:)``.
    public init(
        over queue: AnySharedQueue, workers: Int, running program: FilePath, arguments: [String] = [], environment: [String: String] = [:],
        restart policy: RestartPolicy = RestartPolicy(), onEvent: @escaping @Sendable (WorkerEvent) -> Void = { _ in }
    ) throws(InterprocessError) {
        func refuse(_ reason: String) -> InterprocessError {
            InterprocessError(.invalidArgument, "start workers over", queue.segment.name?.description ?? "a queue", reason)
        }
        guard (1...Self.maximumWorkers).contains(workers) else {
            throw refuse("a pool has 1 to \(Self.maximumWorkers) workers, not \(workers)")
        }
        guard let name = queue.segment.name, let directory = queue.segment.directory else {
            throw refuse("the workers find it by its name, and it has none; make it with one")
        }
        let peers = queue.segment.header.maximumPeers
        guard workers < peers else {
            throw refuse(
                "\(peers) processes may have it open at once, too few for \(workers) workers and this one; make it with a larger maximumPeers"
            )
        }
        let (stream, continuation) = AsyncStream.makeStream(of: WorkerEvent.self, bufferingPolicy: .bufferingNewest(Self.mostEvents))
        events = stream
        self.queue = queue
        do throws(Errno) {
            supervisor = try WorkerSupervisor(
                workers, WorkerProgram(path: program, arguments: arguments, environment: environment, queue: name, directory: directory),
                policy,
                isDone: { [queue] in queue.isFinished && !queue.holdsSomethingForReceivers }
            ) { event in
                onEvent(event)
                continuation.yield(event)
            } atEnd: {
                continuation.finish()
            }
        } catch {
            throw .system(error, "start workers over", name.description, "making its thread and pipes")
        }
    }

    deinit { supervisor.stop(grace: .seconds(10)) }

    /// The program that is running, for workers that are other copies of it.
    public static var currentProgram: FilePath { ChildProcess.currentProgram }

    /// How many workers there are to be.
    public var count: Int { supervisor.count }

    /// The workers' processes at this moment; nil where there is none.
    public var processes: [Int32?] { supervisor.processes }

    /// Tells the workers to end after the message that they have in hand, kills those that have not ended after `grace`, and waits until there are none.
    ///
    /// What a killed one had in hand comes again to whoever receives next.
    public func stop(grace: Duration = .seconds(10)) {
        supervisor.stop(grace: grace)
        if !supervisor.isOwnThread { _ = supervisor.wait(until: .never) }
    }

    /// As ``stop(grace:)``, and suspends instead of blocking. A cancelled task waits as well: with less grace it takes less time.
    public func stop(grace: Duration = .seconds(10)) async {
        supervisor.stop(grace: grace)
        // Cancelling would leave the processes behind.
        await Task.detached { [supervisor] in _ = await supervisor.wait(until: .never) }.value
    }

    /// Waits until there are no workers any more: the queue is finished and they have ended well, they were stopped, or all were given up; or until
    /// `deadline`. False: it has passed.
    ///
    /// - Throws: ``WorkerPoolError`` if all were given up.
    @discardableResult
    public func wait(until deadline: Deadline = .never) throws(WorkerPoolError) -> Bool {
        try supervisor.wait(until: deadline).map { (result) throws(WorkerPoolError) in try result.get() } != nil
    }

    /// As ``wait(until:)``, and suspends instead of blocking. False also if the task was cancelled; the workers go on.
    @discardableResult
    public func wait(until deadline: Deadline = .never) async throws(WorkerPoolError) -> Bool {
        guard let result = await supervisor.wait(until: deadline) else { return false }
        try result.get()
        return true
    }
}
