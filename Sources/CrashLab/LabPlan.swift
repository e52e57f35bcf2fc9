import CCrashLab
import InterprocessSystem

extension LabRun {
    /// Instructions that are stepped in a second.
    private static let stepsPerSecond: UInt64 = 70_000

    /// Runs each operation once without harm, to learn how long it is, and chooses the points.
    func plan() throws {
        let worker = try WorkerProcess(directory: directory, settings)
        // Modes that step the same operation do not learn its length anew.
        var lengths: [String: (length: Length, nanoseconds: UInt64)] = [:]
        for index in state.withLock({ $0.outcomes.indices }) {
            if settings.end.isReached { return }
            let outcome = state.withLock { $0.outcomes[index] }
            var choice = PointChoice(every: 1, random: SeededRandom(seed: settings.seed &+ UInt64(index)))
            var points = settings.points
            var nanoseconds: UInt64 = 20_000_000
            var steps: UInt64 = 0
            if points.isEmpty {
                if let kind = measured(outcome) {
                    let key = "\(outcome.scenario) \(kind)"
                    let start = MonotonicInstant.now
                    if lengths[key] == nil {
                        let answer = try worker.run(outcome.scenario, kind, .end, seed: settings.seed)
                        if let failure = answer.failure {
                            state.withLock { $0.record(Outcome.Failure(point: .end, text: failure, place: answer.place), index) }
                            continue
                        }
                        lengths[key] = (answer.length, MonotonicInstant.now.nanoseconds(since: start))
                    }
                    guard let (length, time) = lengths[key] else { continue }
                    state.withLock { $0.outcomes[index].length = length }
                    steps = kind == .fault ? 0 : UInt64(max(0, length.instructions)) * 1_000_000_000 / Self.stepsPerSecond
                    nanoseconds = max(time > steps ? time - steps : 0, 2_000_000)
                    let victims = scenarios.first { $0.name == outcome.scenario }?.victims ?? 1
                    points = chosen(outcome.mode, length, victims: Int64(victims * victims), &choice)
                } else {
                    points = chosen(outcome.mode, Length(instructions: 0, changes: 0), &choice)
                    if outcome.mode == .storm { nanoseconds = 400_000_000 }
                }
            }
            // Where each is stepped from its beginning, a point costs as many steps as it is late: half of all in the middle.
            let stepped = !settings.isFromStart && outcome.mode.canStartLate && cl_can_start_late() != 0 ? 0 : steps / 2
            let jobs = points.map { Job(outcome: index, point: $0, nanoseconds: nanoseconds + stepped) }
            state.withLock {
                $0.outcomes[index].planned = jobs.count
                $0.jobs += jobs
                $0.nanosecondsLeft += jobs.reduce(0) { $0 + $1.nanoseconds }
            }
        }
    }

    /// In which mode the operation is run to learn its length; nil: it is not.
    private func measured(_ outcome: Outcome) -> Mode? {
        guard let modes = scenarios.first(where: { $0.name == outcome.scenario })?.modes else { return nil }
        switch outcome.mode {
        case .kill, .contended, .scribble, .fault: return outcome.mode
        case .pause, .leave: return modes.contains(.contended) ? .contended : .kill
        case .fork: return modes.contains(.kill) ? .kill : .contended
        default: return nil
        }
    }

    private func chosen(_ mode: Mode, _ length: Length, victims: Int64 = 1, _ choice: inout PointChoice) -> [Point] {
        let most = max(1, Self.pointsOfShortRun(length, mode) / victims)
        choice.every = settings.every ?? max(1, length.instructions / most)
        switch mode {
        case .kill, .contended: return choice.kills(length)
        case .pause, .leave: return choice.some(length, Int(most))
        case .fork: return choice.some(length, Int(most), patterns: 3)
        case .fault: return choice.calls(length)
        case .scribble: return choice.scribbles(length)
        case .asleep: return Array(repeating: .end, count: settings.repetitions)
        case .interrupt: return (0..<settings.repetitions).map { _ in Point(.seed(choice.random.next() >> 16)) }
        case .storm:
            return (0..<max(1, settings.kills / Storm.killsOfTrial)).map { _ in Point(.seed(choice.random.next() >> 16)) }
        case .schedule: return (0..<settings.schedules).map { _ in Point(.seed(choice.random.next() >> 16)) }
        case .orders: return settings.orders > 0 ? [Point(.order([]))] : []
        }
    }

    /// Of one scenario and mode; fewer if it is long, since a kill costs as many steps as its point is late.
    private static func pointsOfShortRun(_ length: Length, _ mode: Mode) -> Int64 {
        switch mode {
        case .scribble: 10
        case .pause, .leave: min(5, max(2, 200_000 / max(1, length.instructions)))
        case .fork: min(2, max(1, 100_000 / max(1, length.instructions)))
        default: min(60, max(10, 1_500_000 / max(1, length.instructions)))
        }
    }
}
