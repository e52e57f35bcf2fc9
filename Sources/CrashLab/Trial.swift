import CCrashLab
internal import Interprocess
import InterprocessSystem

/// What came of one trial.
struct Finding: Sendable {
    var length: Length
    /// What does not hold; nil if all does.
    var failure: String?
    /// Where the victim was.
    var place: UInt64
    var ownPlace: UInt64
}

extension Stage {
    static let victimIndex = 1

    /// One victim, and everything that must hold after its death.
    func run(_ point: Point) -> Finding {
        board.clearReport(Self.victimIndex)
        var failure: String?
        do {
            switch mode {
            case .kill: try kill(at: point, isContended: false)
            case .contended: try kill(at: point, isContended: true)
            case .asleep: try killAsleep()
            case .scribble: try scribble(at: point)
            case .storm: try storm(point)
            case .schedule: try schedule(point)
            }
        } catch {
            failure = "\(error)"
        }
        // In a schedule there is no one place.
        let report = unsafe mode == .schedule ? cl_report() : board.report(Self.victimIndex).pointee
        return Finding(
            length: Length(instructions: Int64(report.instructions), changes: Int64(report.changes)), failure: failure, place: report.place,
            ownPlace: report.own_place)
    }

    private func victim(_ plan: cl_plan?, isGated: Bool, _ body: @escaping @Sendable (Victim) throws -> Void) -> Child {
        let (scenario, site, actor) = (scenario, site, board.actor(Self.victimIndex))
        let report = unsafe board.report(Self.victimIndex)
        return Child(actor) { try body(unsafe Victim(site, scenario, plan: plan, report, actor, isGated: isGated)) }
    }

    func bystander(_ index: Int, _ body: @escaping @Sendable (Bystander) throws -> Void) -> Child {
        let (site, actor) = (site, board.actor(index))
        return Child(actor) { try body(Bystander(site: site, actor: actor)) }
    }

    // MARK: killed at a point

    private func kill(at point: Point, isContended: Bool) throws {
        try survivor(.prepare, "prepare")
        if !scenario.stepsKeeper { try runDead() }
        let hasThird = isContended && scenario.third != nil
        let plan = point.plan(
            point == .end ? CL_COUNT : hasThird ? CL_STOP : CL_KILL, stepsIntoCalls: scenario.stepsIntoCalls, seed: site.seed)
        let victim = victim(plan, isGated: isContended || scenario.stepsKeeper, scenario.victim)
        var sleepers: [Child] = []
        if isContended || scenario.stepsKeeper {
            guard try victim.await([.ready], until: deadline) != nil else { throw Violation("the victim ended before its operation") }
            if isContended {
                for (index, body) in scenario.sleepers.enumerated() { sleepers.append(bystander(3 + index, body)) }
                for sleeper in sleepers { try sleeper.sleeps(until: deadline) }
            }
            if scenario.stepsKeeper { try arm(victim) }
            victim.actor.give(.go)
            if scenario.stepsKeeper { try runDead() }
        }
        if hasThird, let body = scenario.third, try stops(victim) {
            let third = bystander(2, body)
            try third.awaitPauseOrSleep(until: deadline)
            victim.kill()
            try awaitDeath(victim)
            third.actor.give(.go)
            try awaitEnd(third, "the third process")
        } else {
            try awaitDeath(victim)
        }
        try survivor(.goOn, "go on")
        for sleeper in sleepers { try awaitEnd(sleeper, "the sleeper") }
    }

    private func runDead() throws {
        guard let dead = scenario.dead else { return }
        let child = bystander(2, dead)
        guard child.awaitEnding(until: deadline) == 128 + Signal.kill else {
            throw Violation("the one that was to die: \(child.failure ?? child.activity)")
        }
    }

    private func arm(_ victim: Child) throws {
        let status = cl_arm_thread(Int32(bitPattern: victim.actor.announcedThread))
        if status != 0 { throw Violation("the keeper could not be stepped: errno \(-status)") }
    }

    /// Whether the victim has stopped at its point; if not, it has died at its end.
    private func stops(_ victim: Child) throws -> Bool {
        let limit = deadline
        while true {
            if board.reportState(Self.victimIndex).loadAcquire() == UInt32(CL_STOPPED) { return true }
            if victim.ending() != nil { return false }
            guard MonotonicInstant.now < limit else { throw Hang("the victim: \(victim.activity)") }
            _ = unsafe try? Futex.wait(
                board.reportState(Self.victimIndex).rawAddress, while: UInt32(CL_RUNNING), until: .now.advanced(by: .milliseconds(5)))
        }
    }

    /// The victim kills itself in any case, however late; one that waits before its point is roused.
    private func awaitDeath(_ victim: Child) throws {
        let limit = deadline
        var status: Int32?
        repeat {
            status = victim.awaitEnding(until: min(limit, scenario.victimWaits ? .now.advanced(by: .milliseconds(5)) : limit))
            if status == nil, scenario.victimWaits, victim.actor.reached == .ready, victim.isAsleep {
                try survivor(.rouse, "rouse the victim")
            }
        } while status == nil && MonotonicInstant.now < limit
        guard let status else { throw Hang("the victim: \(victim.activity)") }
        if status != 128 + Signal.kill {
            throw Violation(victim.actor.reached == .failed ? "the victim: \(victim.actor.text)" : "the victim ended with status \(status)")
        }
        if board.reportState(Self.victimIndex).loadAcquire() == UInt32(CL_ENDLESS) { throw Hang("the victim's operation does not end") }
    }

    func awaitEnd(_ child: Child, _ name: String) throws {
        do {
            guard try child.await([.ended], until: deadline) != nil else {
                throw Violation("ended by itself with status \(child.ending() ?? 0)")
            }
        } catch {
            throw Violation("\(name): \(error)")
        }
    }

    // MARK: killed asleep

    private func killAsleep() throws {
        try survivor(.prepare, "prepare")
        let victim = victim(nil, isGated: false, scenario.victim)
        guard try victim.await([.ready], until: deadline) != nil else { throw Violation("the victim ended before its operation") }
        try victim.awaitSleep(until: deadline)
        victim.kill()
        try awaitDeath(victim)
        try survivor(.goOn, "go on")
    }

    // MARK: overwritten

    private func scribble(at point: Point) throws {
        guard let body = scenario.scribbled else { return }
        let plan = point.plan(
            point == .end ? CL_COUNT : CL_SCRIBBLE, stepsIntoCalls: scenario.stepsIntoCalls,
            seed: site.seed &+ UInt64(trials) &* 0x9e37_79b9)
        // The same names every time: what the last one left is removed.
        clearDirectory()
        let victim = victim(plan, isGated: false, body)
        guard let status = victim.awaitEnding(until: deadline) else { throw Hang("the operation: \(victim.activity)") }
        let isEndless = board.reportState(Self.victimIndex).loadAcquire() == UInt32(CL_ENDLESS)
        if isEndless { throw Hang("the operation does not end") }
        if victim.actor.reached == .failed { throw Violation(victim.actor.text) }
        guard point == .end ? status == 128 + Signal.kill || status == 0 : status == 0 else {
            throw Violation("the process ended with status \(status)")
        }
    }

    func clearDirectory() {
        guard let directory = try? Directory(opening: site.directory.path), let names = try? directory.names() else { return }
        for name in names { try? directory.unlink(name) }
    }
}
