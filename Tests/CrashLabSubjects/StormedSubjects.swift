import CrashLab
import Interprocess
import SystemPackage

/// The library's own mutex: let go as it is meant to be, and without waking who waits for it. Every death wakes all, and so makes up for that; after the last one nothing does.
let stormedSubjects: [Scenario] = [
    stormed("mutex.silent", "a lock that is let go and wakes nobody") { $0.relinquishSilently() },
    stormed("mutex.wakes", "a lock that is let go and wakes who waits") { $0.relinquish() },
]

private func stormed(_ name: String, _ summary: String, letGo: @escaping @Sendable (SharedMutex<UInt64>) -> Void) -> Scenario {
    let open: @Sendable (Site) throws -> SharedMutex<UInt64> = { site in
        try SharedMutex(
            named: "m", initial: 0, options: SynchronizationOptions(directory: site.directory, lifetime: .untilRemoved), strategy: .park)
    }
    return Scenario(
        name, summary, survivor: { _ in Survivor(goOn: {}) }, victim: { _ in },
        storm: Storm(
            workers: (0..<4).map { _ in
                { process in
                    let mutex = try open(process.site)
                    while !process.isOver {
                        do { try mutex.acquire() } catch LockError.inconsistent {
                            _ = try mutex.repair { _, _ in }
                            continue
                        }
                        letGo(mutex)
                    }
                }
            },
            check: { site in _ = try open(site).repair { _, _ in } }))
}
