import CCrashLab
internal import Interprocess
import InterprocessSystem
import SystemPackage

/// What came of one trial.
struct Finding: Sendable {
    var length: Length
    /// What does not hold; nil if all does.
    var failure: String?
    /// Where the victim was.
    var place: UInt64 = 0
    var ownPlace: UInt64 = 0
    /// Whether what was to be done to the victim was not: there was nothing to do it to.
    var isVoid = false
    /// Of a schedule: its turns, as ``Trace`` writes them.
    var trace = ""
}

extension Stage {
    static let victimIndex = 1

    /// One victim, and everything that must hold after its death.
    ///
    /// - Parameter record: if there is one, the operation is stepped only from one of its moments before the point.
    func run(_ point: Point, by record: Record? = nil) -> Finding {
        board.clearReport(Self.victimIndex)
        start = record?.start(for: point)
        var finding = Finding(length: Length(instructions: 0, changes: 0))
        do {
            switch mode {
            case .kill: try operate(point, CL_KILL, isContended: scenario.victims > 1)
            case .contended: try operate(point, scenario.third == nil ? CL_KILL : CL_STOP, isContended: true)
            case .asleep: try killAsleep()
            case .pause: try operate(point, CL_PAUSE, isContended: hasOthers)
            case .leave: try operate(point, CL_LEAVE, isContended: hasOthers)
            case .fork: try operate(point, CL_FORK, isContended: scenario.needsSleepers)
            case .interrupt: try operate(point, CL_INTERRUPT, isContended: scenario.needsSleepers)
            case .fault: try operate(point, CL_FAULT, isContended: scenario.needsSleepers)
            case .scribble: try scribble(at: point)
            case .storm: finding.isVoid = try !storm(point)
            case .schedule, .orders: try schedule(point, &finding)
            }
        } catch {
            finding.failure = "\(error)"
        }
        // In a schedule there is no one place.
        if scenario.schedule != nil { return finding }
        let report = unsafe board.report(Self.victimIndex).pointee
        finding.length = Length(instructions: Int64(report.instructions), changes: Int64(report.changes))
        (finding.place, finding.ownPlace) = (report.place, report.own_place)
        if mode.hasDeed, point != .end, finding.place == 0 { finding.isVoid = true }
        if mode == .fault, point != .end {
            finding.isVoid = report.error == 0
            let name = unsafe String(cString: cl_call_name(report.call))
            finding.failure = finding.failure.map { "\($0) (\(name) had failed: \(Errno(rawValue: report.error)))" }
        }
        // It did not come to the moment, or there was no breakpoint left.
        if finding.isVoid, finding.failure == nil, start != nil { return run(point) }
        return finding
    }

    /// Runs the operation without harm, and records it. If it fails, this stage is of no use any more.
    func makeRecord() -> (finding: Finding, record: Record?) {
        board.clearRecord()
        isRecording = true
        defer { isRecording = false }
        let finding = run(.end)
        return (finding, finding.failure == nil ? board.record : nil)
    }

    private func recordOrStart(_ plan: inout cl_plan) {
        plan.records = isRecording ? 1 : 0
        if let start { (plan.start_instructions, plan.start) = (UInt64(start.instructions), start.moment) }
    }

    private var hasOthers: Bool { !scenario.sleepers.isEmpty || scenario.third != nil }

    private func victim(_ plan: cl_plan?, isGated: Bool, index: Int = 0, _ body: @escaping @Sendable (Victim) throws -> Void) -> Child {
        let number = Self.actorOfVictim(index)
        let (scenario, site, actor) = (scenario, site, board.actor(number))
        let (countsCalls, isScribbled) = (mode == .fault, mode == .scribble)
        if index > 0 { board.clearReport(number) }
        let report = unsafe board.report(number)
        return Child(actor) {
            try body(
                unsafe Victim(
                    site, scenario, plan: plan, report, actor, index: index, isGated: isGated, countsCalls: countsCalls,
                    isScribbled: isScribbled))
        }
    }

    /// The second is the third process, and then come the sleepers.
    private static func actorOfVictim(_ index: Int) -> Int { index == 0 ? victimIndex : 9 + index }

    func bystander(_ index: Int, _ body: @escaping @Sendable (Bystander) throws -> Void) -> Child {
        let (site, actor) = (site, board.actor(index))
        return Child(actor) { try body(Bystander(site: site, actor: actor)) }
    }

    // MARK: something happens at a point

    private func operate(_ point: Point, _ deed: cl_deed, isContended: Bool) throws {
        defer { releaseChild() }
        try survivor(.prepare, "prepare")
        if !scenario.stepsKeeper { try runDead() }
        var plan = point.plan(point == .end ? CL_COUNT : deed, stepsIntoCalls: scenario.stepsIntoCalls, seed: site.seed)
        if deed == CL_INTERRUPT { plan.period = Self.period(point) }
        recordOrStart(&plan)
        let isGated = isContended || scenario.stepsKeeper
        let victim = victim(plan, isGated: isGated, scenario.victim)
        let more = (1..<scenario.victims).map { self.victim(plan, isGated: isGated, index: $0, scenario.victim) }
        var sleepers: [Child] = []
        if isGated {
            for one in [victim] + more {
                guard try one.await([.ready], until: deadline) != nil else { throw Violation("the victim ended before its operation") }
            }
            if isContended {
                for (index, body) in scenario.sleepers.enumerated() { sleepers.append(bystander(3 + index, body)) }
                for sleeper in sleepers { try sleeper.sleeps(until: deadline) }
            }
            for one in [victim] + more {
                if scenario.stepsKeeper { try arm(one) }
                one.actor.give(.go)
            }
            if scenario.victims > 1 { try survivor(isStopped: true) }
            if scenario.stepsKeeper { try runDead() }
        }
        let stands = point != .end && [CL_STOP, CL_PAUSE, CL_LEAVE].contains(deed)
        if try stands && stops(victim) {
            try meet(victim, deed, isContended: isContended)
        } else {
            for one in [victim] + more { try awaitDeath(one) }
        }
        if scenario.victims > 1 { try survivor(isStopped: false) }
        try survivor(.goOn, "go on")
        for sleeper in sleepers { try awaitEnd(sleeper, "the sleeper") }
    }

    /// What others do while the victim stands at its point, and what becomes of it then.
    private func meet(_ victim: Child, _ deed: cl_deed, isContended: Bool) throws {
        if deed == CL_PAUSE {
            do {
                try victim.awaitStopped(until: deadline)
            } catch {
                guard scenario.stepsKeeper, victim.ending() == 128 + Signal.kill else { throw error }
                // Its operation saw what the keeper had done before the signal came, and was over: it has ended as it does at its end.
                return
            }
        }
        if deed == CL_LEAVE { try victim.awaitThreadEnd(until: deadline) }
        // One that is still rousing the victim is held up by it already.
        if deed != CL_STOP, !isRousing { try survivor(.meanwhile, "do something while the victim stands still") }
        var third: Child?
        if isContended, let body = scenario.third {
            let one = bystander(2, body)
            try one.awaitPauseOrSleep(until: deadline)
            third = one
        }
        // One that only stops may be ended by another of its threads meanwhile.
        if deed != CL_STOP, let status = victim.ending() { throw Violation("the victim ended with status \(status) where it was to stand") }
        if deed == CL_PAUSE { cl_kill(victim.pid, Signal.continue) } else { victim.kill() }
        try awaitDeath(victim)
        if let third {
            third.actor.give(.go)
            try awaitEnd(third, "the third process")
        }
    }

    /// Lets the child go that a victim has left behind.
    private func releaseChild() {
        let report = unsafe board.report(Self.victimIndex)
        guard mode == .fork, unsafe report.pointee.child > 0 else { return }
        let word = board.releaseWord(Self.victimIndex)
        word.storeRelease(1)
        unsafe Futex.wake(word.rawAddress)
        var status: Int32 = 0
        unsafe _ = cl_reap(report.pointee.child, 1, &status)
    }

    /// From one in each few system calls to one in several operations, in microseconds.
    private static func period(_ point: Point) -> Int64 {
        guard case .seed(let seed) = point.moment else { return 1000 }
        var random = SeededRandom(seed: seed)
        return Int64.random(in: 30...1000, using: &random)
    }

    private func runDead() throws {
        guard let dead = scenario.dead else { return }
        let child = bystander(2, dead)
        guard child.awaitEnding(until: deadline) == 128 + Signal.kill else {
            throw Violation("the one that was to die: \(child.failure ?? child.activity)")
        }
    }

    private func arm(_ victim: Child) throws {
        let status = cl_arm_thread(Int32(bitPattern: victim.actor.announcedThread), start == nil ? 1 : 0)
        if status != 0 { throw Violation("the keeper could not be stepped: errno \(-status)") }
    }

    /// Whether the victim has stopped at its point; if not, it has died at its end.
    private func stops(_ victim: Child) throws -> Bool {
        let limit = deadline
        while true {
            if board.reportState(Self.victimIndex).loadAcquire() == UInt32(CL_STOPPED) { return true }
            if victim.ending() != nil { return false }
            guard MonotonicInstant.now < limit || victim.isStarved else { throw Hang("the victim: \(victim.activity)") }
            try rouseIfAsleep(victim)
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
            if status == nil { try rouseIfAsleep(victim) }
        } while status == nil && (MonotonicInstant.now < limit || victim.isStarved)
        guard let status else { throw Hang("the victim: \(victim.activity)") }
        if status != 128 + Signal.kill {
            throw Violation(victim.actor.reached == .failed ? "the victim: \(victim.actor.text)" : "the victim ended with status \(status)")
        }
        if board.reportState(Self.victimIndex).loadAcquire() == UInt32(CL_ENDLESS) { throw Hang("the victim's operation does not end") }
    }

    private func rouseIfAsleep(_ victim: Child) throws {
        guard scenario.victimWaits, victim.actor.reached == .ready, victim.isAsleep else { return }
        let state = board.reportState(Self.victimIndex)
        guard state.loadAcquire() != UInt32(CL_STOPPED) else { return }
        try rouse(until: { state.loadAcquire() == UInt32(CL_STOPPED) })
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
        var plan = point.plan(
            point == .end ? CL_COUNT : CL_SCRIBBLE, stepsIntoCalls: scenario.stepsIntoCalls,
            seed: site.seed &+ UInt64(trials) &* 0x9e37_79b9)
        recordOrStart(&plan)
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
