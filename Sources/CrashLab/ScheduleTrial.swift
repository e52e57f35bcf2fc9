import CCrashLab
internal import Interprocess
import InterprocessSystem

extension Stage {
    /// More turns than this has only what goes round for ever.
    private static let mostTurns = 20_000

    /// Runs one schedule: all players to their first access, then one of them at a time to its next.
    func schedule(_ point: Point, _ finding: inout Finding) throws {
        guard let schedule = scenario.schedule, var choice = ScheduleChoice(point, mayKill: schedule.mayKill) else {
            finding.isVoid = true
            return
        }
        site.ledger.clear()
        clearDirectory()
        var players: [Player] = []
        for index in schedule.players.indices {
            let player = Player(self, Self.victimIndex + index, schedule.players[index])
            guard try player.child.await([.ready], until: deadline) != nil else {
                throw Violation("player \(index) ended before its operation")
            }
            players.append(player)
        }
        for player in players { player.child.actor.give(.go) }
        for player in players { try player.awaitStop(until: deadline) }

        var trace = Trace()
        while true {
            let turn = trace.turns.count
            for player in players { try player.notice(until: deadline) }
            let ready = players.indices.filter { players[$0].state == .stopped }
            let alive = players.indices.filter { players[$0].state == .stopped || players[$0].state == .blocked }
            if ready.isEmpty {
                let sleepers = players.filter { $0.state == .blocked }
                guard !sleepers.isEmpty else { break }
                try awaitWaking(sleepers)
                continue
            }
            guard turn < Self.mostTurns else { throw Hang("\(turn) turns, and no end") }
            let (player, isKill) = choice.next(turn, alive: alive, ready: ready)
            trace.append(alive: alive, ready: ready, player: player, isKill: isKill)
            if isKill {
                try players[player].kill(until: deadline)
            } else {
                try players[player].takeTurn(until: deadline)
            }
        }
        finding.trace = trace.text
        finding.length.instructions = Int64(trace.turns.count)
        finding.isVoid = choice.isVoid
        for player in players where player.state == .ended { player.child.actor.give(.end) }
        for player in players { _ = player.child.awaitEnding(until: deadline) }
        let check = schedule.check, site = site
        try awaitEnd(bystander(20, { _ in try check(site) }), "the check after the schedule")
    }

    /// Waits until any of them is woken: by whoever was killed, by a keeper, or by the end of its own patience. It may be the one for which all others wait.
    private func awaitWaking(_ sleepers: [Player]) throws {
        let limit = deadline
        while !sleepers.contains(where: \.isAwake) {
            guard MonotonicInstant.now < limit else {
                throw Hang("nobody can go on; " + sleepers.map(\.child.activity).joined(separator: "; "))
            }
            sleepThread(for: .microseconds(100))
        }
    }
}

/// Who is to go on, or to be killed, at each turn.
private struct ScheduleChoice {
    private enum Kind {
        case random(SeededRandom, switching: Int, killAt: Int)
        case enumerated([Deviation])
    }

    private var kind: Kind
    private var current = -1
    /// Whether a deviation was not possible: who was to go on was asleep or dead.
    private(set) var isVoid = false

    init?(_ point: Point, mayKill: Bool) {
        switch point.moment {
        case .seed(let seed):
            var random = SeededRandom(seed: seed)
            // Rarely or often: some faults need many switches, some need one in the right place.
            let switching = [2, 8, 32].randomElement(using: &random) ?? 2
            let killAt = mayKill && Bool.random(using: &random) ? Int.random(in: 0..<200, using: &random) : -1
            kind = .random(random, switching: switching, killAt: killAt)
            current = 0
        case .order(let deviations): kind = .enumerated(deviations)
        default: return nil
        }
    }

    mutating func next(_ turn: Int, alive: [Int], ready: [Int]) -> (player: Int, isKill: Bool) {
        switch kind {
        case .random(var random, let switching, let killAt):
            if !ready.contains(current) || Int.random(in: 0..<switching, using: &random) == 0 {
                current = ready.randomElement(using: &random) ?? current
            }
            kind = .random(random, switching: switching, killAt: killAt)
            return (current, turn == killAt)
        case .enumerated(let deviations):
            if let deviation = deviations.first(where: { $0.turn == turn }) {
                if deviation.isKill, alive.contains(deviation.player) { return (deviation.player, true) }
                if !deviation.isKill, ready.contains(deviation.player) {
                    current = deviation.player
                    return (current, false)
                }
                isVoid = true
            }
            if !ready.contains(current) { current = ready.first { $0 > current } ?? ready[0] }
            return (current, false)
        }
    }
}

/// A process of a schedule.
private final class Player {
    enum State { case stopped, blocked, ended, killed }

    let child: Child
    private(set) var state = State.stopped
    private let reportState: SharedUInt32

    init(_ stage: Stage, _ index: Int, _ body: @escaping @Sendable (Victim) throws -> Void) {
        let (scenario, site, actor) = (stage.scenario, stage.site, stage.board.actor(index))
        let plan = Point.end.plan(CL_SCHEDULE, stepsIntoCalls: scenario.stepsIntoCalls, seed: 0)
        stage.board.clearReport(index)
        let report = unsafe stage.board.report(index)
        reportState = stage.board.reportState(index)
        child = Child(actor) { try body(unsafe Victim(site, scenario, plan: plan, report, actor, isGated: true)) }
    }

    /// Lets it go on to its next access.
    func takeTurn(until deadline: MonotonicInstant) throws {
        reportState.storeRelease(UInt32(CL_RESUMED))
        unsafe Futex.wake(reportState.rawAddress)
        try awaitStop(until: deadline)
    }

    /// Waits until it has stopped, or sleeps, or has come to its end.
    func awaitStop(until deadline: MonotonicInstant) throws {
        var asleep = 0
        while true {
            let seen = reportState.loadAcquire()
            if seen == UInt32(CL_STOPPED) { return state = .stopped }
            switch child.actor.reached {
            case .ended: return state = .ended
            case .failed: throw Violation("a player: \(child.actor.text)")
            default: break
            }
            if let status = child.ending() { throw Violation("a player ended with status \(status)") }
            guard MonotonicInstant.now < deadline else { throw Hang("a player: \(child.activity)") }
            _ = unsafe try? Futex.wait(reportState.rawAddress, while: seen, until: .now.advanced(by: .microseconds(150)))
            // Between the look and its own wait for its turn it would seem to sleep; then the report says that it has stopped.
            asleep = child.isAsleep && reportState.loadAcquire() != UInt32(CL_STOPPED) && child.actor.reached != .ended ? asleep + 1 : 0
            if asleep == 2 { return state = .blocked }
        }
    }

    /// If it slept: whether it was woken, and then waits until it has stopped.
    func notice(until deadline: MonotonicInstant) throws {
        if state == .blocked, isAwake { try awaitStop(until: deadline) }
    }

    /// It may have come to its next stop already, where it sleeps as well.
    var isAwake: Bool {
        reportState.loadAcquire() == UInt32(CL_STOPPED) || child.actor.reached == .ended || child.ending() != nil || !child.isAsleep
    }

    func kill(until deadline: MonotonicInstant) throws {
        child.kill()
        _ = child.awaitEnding(until: deadline)
        state = .killed
    }
}
