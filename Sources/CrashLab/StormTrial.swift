import CCrashLab
internal import Interprocess
import InterprocessSystem

extension Storm {
    /// One storm has so many.
    static let killsOfTrial = 100
    /// Until a segment's keepers wake sleepers for the last time after a death, in the lab.
    private static let lastEcho: UInt64 = 64
    /// After the last kill: until the echoes of that are over, and then as long again.
    static let calm: Duration = .milliseconds(4 * Int64(lastEcho))

    /// In a worker, before it forks. The library goes on for two minutes, for sleepers whose wake-up has come to a thread that was not quite dead; it would make up for any wake-up that is lost.
    static func endEchoes() { DeathEcho.end(afterMilliseconds: lastEcho) }
}

extension Stage {
    /// Kills one of the processes at a random moment, again and again; then all must come to their end, and the check must hold.
    ///
    /// - Returns: false if the point is none of a storm.
    func storm(_ point: Point) throws -> Bool {
        guard let storm = scenario.storm, case .seed(let seed) = point.moment else { return false }
        var random = SeededRandom(seed: seed)
        site.ledger.clear()
        clearDirectory()
        var children = storm.workers.indices.map { bystander(1 + $0, storm.workers[$0]) }
        for _ in 0..<Storm.killsOfTrial {
            // From at once to a few hundred operations.
            sleepThread(for: .microseconds(Int.random(in: 0...2000, using: &random)))
            let index = Int.random(in: children.indices, using: &random)
            if let status = children[index].ending() {
                throw Violation("process \(index) of the storm: \(children[index].failure ?? "ended with status \(status)")")
            }
            children[index].kill()
            _ = children[index].awaitEnding(until: deadline)
            children[index] = bystander(1 + index, storm.workers[index])
        }
        // Nobody dies: who is not woken now sleeps on.
        sleepThread(for: Storm.calm)
        site.ledger.overWord.storeRelease(1)
        for (index, child) in children.enumerated() { try awaitEnd(child, "process \(index) of the storm") }
        let check = storm.check, site = site
        try awaitEnd(bystander(20, { _ in try check(site) }), "the check after the storm")
        return true
    }
}

extension Child {
    /// What it says is wrong.
    var failure: String? { actor.reached == .failed ? actor.text : nil }
}
