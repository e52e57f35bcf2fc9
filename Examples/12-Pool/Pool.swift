import Interprocess
import InterprocessSystem
import SystemPackage

/// A pool of workers that are killed: who is killed is replaced, what it had in hand comes again, and a job that kills whoever works on it is put aside.
///
///     swift run Pool
@main
struct Pool {
    struct Job: Shareable {
        var number: Int
    }

    /// Kills the worker that takes it.
    static let poison = 13
    static let count = 100

    static func main() {
        do {
            // The workers are other copies of this program.
            if Worker.isWorker { try work() } else { try lead() }
        } catch {
            _ = try? FileDescriptor.standardError.writeAll("\(error)\n".utf8)
            endProcessAtOnce(status: 1)
        }
    }

    static func done() throws -> SharedMutex<Int> { try SharedMutex(named: "example-pool-done", initial: 0) }

    static func lead() throws {
        let done = try done()
        let jobs = try SharedQueue<Job>(named: "example-pool", options: SharedQueueOptions(deliveryLimit: 3))
        let pool = try WorkerPool(over: jobs, workers: 3, running: WorkerPool.currentProgram) { event in
            if case .ended(.killed) = event.kind { print(event) }
        }
        for number in 0..<count { try jobs.send(Job(number: number), until: .after(.seconds(60))) }
        jobs.finish()
        try pool.wait()
        while let letter = jobs.takeDeadLetter() {
            // This is a delivery as well.
            print("job \(letter.message.number) was put aside after \(letter.count - 1) workers")
            try letter.acknowledge()
        }
        print("\(try done.withLock { $0 }) jobs were done")
    }

    static func work() throws {
        let done = try done()
        try Worker.run(Job.self) { delivery in
            if delivery.message.number == poison { Signal.endProcess(by: Signal.kill) }
            try done.withLock { $0 += 1 }
        }
    }
}
