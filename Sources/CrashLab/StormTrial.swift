import CCrashLab
internal import Interprocess
import InterprocessSystem

extension Storm {
    /// One storm has so many.
    static let killsOfTrial = 100
}

extension Stage {
    /// Kills one of the processes at a random moment, again and again; then all must come to their end, and the check must hold.
    func storm(_ point: Point) throws {
        guard let storm = scenario.storm, case .seed(let seed) = point.moment else { return }
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
        site.ledger.overWord.storeRelease(1)
        for (index, child) in children.enumerated() { try awaitEnd(child, "process \(index) of the storm") }
        let check = storm.check, site = site
        try awaitEnd(bystander(20, { _ in try check(site) }), "the check after the storm")
    }
}

extension Child {
    /// What it says is wrong.
    var failure: String? { actor.reached == .failed ? actor.text : nil }
}
