import InterprocessSystem
import SystemPackage

/// What the program of a ``WorkerPool`` does.
public enum Worker {
    /// Whether this process is a worker of a pool.
    public static var isWorker: Bool { environmentVariable(WorkerVariable.queue) != nil }

    /// This worker's number in its pool, from 0 on; the one that it replaces had the same. Nil: it is none.
    public static var number: Int? { environmentVariable(WorkerVariable.number).flatMap { Int($0) } }

    /// Works on the pool's queue: calls `body` with one message after the other, and acknowledges it when `body` has returned.
    ///
    /// Returns when the queue is finished, or when the pool stops or its process is gone: then after the message in hand. If `body` throws, the
    /// message comes again, here or elsewhere, and the
    /// error comes out: a program that ends with it is replaced.
    ///
    /// - Throws: what `body` throws; ``InterprocessError`` if this is no worker, or the queue cannot be opened; ``ReceiveError`` `damaged`, `detached`.
    @_disfavoredOverload  // a task gets the form that suspends, also for a body that does not
    public static func run<Element: Shareable>(
        _ type: Element.Type, strategy: WaitStrategy = .adaptive, _ body: (borrowing Delivery<Element>) throws -> Void
    ) throws {
        let place = try Assignment()
        let queue = try SharedQueue<Element>(existing: place.queue, in: place.directory, strategy: strategy)
        try place.watch(queue)
        while let delivery = try queue.take() {
            try body(delivery)
            // Too late: it took longer than the queue allows, and somebody else has the message.
            try? delivery.acknowledge()
        }
    }

    /// As ``run(_:strategy:_:)``, and suspends instead of blocking.
    public static func run<Element: Shareable>(
        _ type: Element.Type, _ body: (borrowing Delivery<Element>) async throws -> Void
    ) async throws {
        let place = try Assignment()
        let queue = try SharedQueue<Element>(existing: place.queue, in: place.directory)
        try place.watch(queue)
        while let delivery = try await queue.take() {
            try await body(delivery)
            try? delivery.acknowledge()
        }
    }

    /// As ``run(_:strategy:_:)``, over a queue of bytes.
    @_disfavoredOverload
    public static func run(strategy: WaitStrategy = .adaptive, bytes body: (borrowing ByteDelivery) throws -> Void) throws {
        let place = try Assignment()
        let queue = try SharedByteQueue(existing: place.queue, in: place.directory, strategy: strategy)
        try place.watch(queue)
        while let delivery = try queue.take() {
            try body(delivery)
            try? delivery.acknowledge()
        }
    }

    /// As ``run(_:strategy:_:)``, over a queue of bytes; suspends instead of blocking.
    public static func run(bytes body: (borrowing ByteDelivery) async throws -> Void) async throws {
        let place = try Assignment()
        let queue = try SharedByteQueue(existing: place.queue, in: place.directory)
        try place.watch(queue)
        while let delivery = try await queue.take() {
            try await body(delivery)
            try? delivery.acknowledge()
        }
    }

    /// What the pool has told this process.
    private struct Assignment {
        let queue: ObjectName
        let directory: ObjectDirectory
        private let lifeline: FileDescriptor

        init() throws(InterprocessError) {
            guard let queue = environmentVariable(WorkerVariable.queue), let directory = environmentVariable(WorkerVariable.directory),
                let lifeline = environmentVariable(WorkerVariable.lifeline).flatMap({ Int32($0) }), lifeline > 2
            else {
                throw InterprocessError(
                    .notFound, "find the queue of", "this worker",
                    "this process was not started by a WorkerPool (\(WorkerVariable.queue) is not set); start it by one, or open the queue by its name"
                )
            }
            self.queue = try ObjectName(queue)
            let owners: ObjectDirectory.Owners = environmentVariable(WorkerVariable.owners) == "anyone" ? .anyone : .user
            self.directory = ObjectDirectory(at: FilePath(directory), owners: owners)
            self.lifeline = FileDescriptor(rawValue: lifeline)
        }

        /// Ends receiving when the pool stops or is gone.
        func watch(_ queue: AnySharedQueue) throws(InterprocessError) {
            do throws(Errno) {
                // Weakly: the queue may be closed before the pool stops.
                try startServiceThread(named: "ipc-lifeline") { [weak queue, lifeline] in
                    var bytes: [UInt8] = [0]
                    while let count = unsafe bytes.withUnsafeMutableBytes({ unsafe try? lifeline.read(into: $0) }), count > 0 {}
                    queue?.stopReceiving()
                }
            } catch {
                throw .system(error, "watch the pool of", self.queue.description, "starting a thread")
            }
        }
    }
}
