import CrashLab
import Interprocess

/// All synchronization primitives.
let synchronizationScenarios: [Scenario] =
    mutexScenarios + semaphoreScenarios + permitsScenarios + conditionScenarios + readWriteLockScenarios + barrierScenarios + latchScenarios
    + eventScenarios + onceScenarios + placedScenarios + [allStorm]

private let allStorm = Scenario(
    "synchronization.storm", "eight that use all primitives, one after the other and inside of one another, killed at random",
    storm: Storm(
        workers: (0..<8).map { who in { try useAll($0, who) } },
        check: { site in
            try checkChanges("m", SharedMutex<Halves>.self, site, 0..<8)
            let (lock, permits) = try (SharedReadWriteLock<Halves>.open("l", site.lasting), openPermits(site))
            try lock.pass()
            hold { permits.available == 2 }
        }))

private func openPermits(_ site: Site) throws -> SharedPermits {
    try SharedPermits(named: "p", units: 2, options: site.lasting, strategy: .park)
}

private func useAll(_ process: Bystander, _ who: Int) throws {
    let site = process.site
    let mutex = try SharedMutex<Halves>.open("m", site.lasting)
    let lock = try SharedReadWriteLock<Halves>.open("l", site.lasting)
    let permits = try openPermits(site)
    let semaphore = try SharedSemaphore(named: "s", value: 0, options: site.lasting, strategy: .park)
    let condition = try SharedCondition(named: "c", options: site.lasting)
    let event = try SharedEvent(named: "e", resetting: .automatic, options: site.lasting, strategy: .park)
    while !process.isOver {
        let permit = try permits.acquire()
        try site.doing(who) {
            try mutex.pass { value in
                value.step(site)
                if who % 2 == 0 { try lock.pass { $0.step(site) } }
            }
        }
        permit.release()
        try condition.notifyOne()
        try event.set()
        if semaphore.value < 100 { try semaphore.signal() }
        try unlessLate { try semaphore.wait(until: .after(.milliseconds(5))) }
        try unlessLate { try event.wait(until: .after(.milliseconds(5))) }
        do {
            let seen = try mutex.withLock { $0.first }
            try unlessLate { try mutex.withLock(when: { $0.first != seen }, on: condition, until: .after(.milliseconds(5))) { _ in } }
        } catch LockError.inconsistent {}
    }
}
