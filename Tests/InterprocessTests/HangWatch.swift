import Glibc
import InterprocessSystem
import QueueTestSupport
import Synchronization
import SystemPackage
import TestSupport

/// Ends the whole test run (SIGKILL), with the seed and what was going on, when a test has made no step for too long: a thread that is stuck in a call cannot be made to fail.
final class HangWatch: Sendable {
    private let label: String
    private let limit: Duration
    private let last = Mutex<(MonotonicInstant, String)?>(nil)
    private let isEnded = Atomic<Bool>(false)

    init(_ label: String, limit: Duration = .seconds(300)) throws {
        self.label = label
        self.limit = limit
        step("beginning")
        try startServiceThread(named: "hang-watch") { self.run() }
    }

    /// Something has gone on, and `what` is next.
    func step(_ what: String) { last.withLock { $0 = (.now, what) } }

    func end() { isEnded.store(true, ordering: .releasing) }

    private func run() {
        while !isEnded.load(ordering: .acquiring) {
            sleepThread(for: .milliseconds(200))
            guard let (instant, what) = last.withLock({ $0 }), instant.advanced(by: limit) < .now, !isEnded.load(ordering: .acquiring)
            else { continue }
            let text = "HANG: \(label), \(what), IPC_SEED=\(SeededRandom.runSeed)\n"
            _ = try? FileDescriptor.standardError.writeAll(Array(text.utf8))
            // Not abort: where the runtime prints backtraces of a fault, the process stays there for ever.
            Signal.endProcess(by: Signal.kill)
        }
    }
}
