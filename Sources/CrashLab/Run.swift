import InterprocessSystem
import SystemPackage

/// What is to be done in one run of the lab.
struct RunSettings: Sendable {
    var modes: [Mode]
    /// Every k-th instruction; nil: about ``pointsOfShortRun(_:_:)``.
    var every: Int64?
    var points: [Point]
    var seed: UInt64
    var workers: Int
    /// How many of a storm.
    var kills: Int
    /// How many of each scenario.
    var schedules: Int
    var patience: Duration
    /// A scenario and mode is left after so many failures.
    var mostFailures: Int
    /// When the run ends even if not everything was tried; nil: then.
    var end: MonotonicInstant?

    /// Of one scenario and mode; fewer if it is long, since a kill costs as many steps as its point is late.
    static func pointsOfShortRun(_ length: Length, _ mode: Mode) -> Int64 {
        mode == .scribble ? 10 : min(60, max(10, 1_500_000 / max(1, length.instructions)))
    }
}

/// What came of one scenario in one mode.
struct Outcome: Sendable {
    let scenario: String
    let mode: Mode
    var length: Length?
    var planned = 0
    var tried = 0
    var nanoseconds: UInt64 = 0
    var failures: [Failure] = []
    /// Beyond those kept.
    var failureCount = 0

    struct Failure: Sendable {
        let point: Point
        let text: String
        let place: String
    }
}

/// Runs scenarios in several workers at once.
final class LabRun: Sendable {
    private struct State {
        var outcomes: [Outcome] = []
        var current = ""
        var error: String?
        var activeWorkers = 0
        var jobs: [Job] = []
        var next = 0
    }

    private struct Job: Sendable {
        let outcome: Int
        let point: Point
    }

    private let scenarios: [Scenario]
    private let settings: RunSettings
    private let directory: FilePath
    private let state = Lock(State())

    init(_ scenarios: [Scenario], _ settings: RunSettings, in directory: FilePath) {
        self.scenarios = scenarios
        self.settings = settings
        self.directory = directory
    }

    /// All outcomes, in order. `report` is called with each failure as it comes.
    func run(_ progress: (_ done: Int, _ of: Int, _ what: String) -> Void) throws -> [Outcome] {
        for scenario in scenarios {
            for mode in scenario.modes where settings.modes.contains(mode) {
                state.withLock { $0.outcomes.append(Outcome(scenario: scenario.name, mode: mode)) }
            }
        }
        try plan()
        let count = settings.workers
        state.withLock { $0.activeWorkers = count }
        for index in 0..<count { try startServiceThread(named: "lab-\(index)") { self.work() } }
        while true {
            let (active, next, total, what) = state.withLock { ($0.activeWorkers, $0.next, $0.jobs.count, $0.current) }
            progress(next, total, what)
            if active == 0 { break }
            sleepThread(for: .milliseconds(50))
        }
        if let error = state.withLock({ $0.error }) { throw Violation(error) }
        return state.withLock { $0.outcomes }
    }

    /// Runs each operation once without harm, to learn how long it is, and chooses the points.
    private func plan() throws {
        let worker = try WorkerProcess(directory: directory, patience: settings.patience)
        for index in state.withLock({ $0.outcomes.indices }) {
            let outcome = state.withLock { $0.outcomes[index] }
            var choice = PointChoice(every: 1, random: SeededRandom(seed: settings.seed &+ UInt64(index)))
            var points = settings.points
            if points.isEmpty {
                switch outcome.mode {
                case .kill, .contended, .scribble:
                    let answer = try worker.run(outcome.scenario, outcome.mode, .end, seed: settings.seed)
                    state.withLock { $0.outcomes[index].length = answer.length }
                    if let failure = answer.failure {
                        record(Outcome.Failure(point: .end, text: failure, place: answer.place), index)
                        continue
                    }
                    let most = RunSettings.pointsOfShortRun(answer.length, outcome.mode)
                    choice.every = settings.every ?? max(1, answer.length.instructions / most)
                    points = outcome.mode == .scribble ? choice.scribbles(answer.length) : choice.kills(answer.length)
                case .asleep: points = Array(repeating: .end, count: settings.every == 1 ? 1000 : 20)
                case .storm:
                    let count = max(1, settings.kills / Storm.killsOfTrial)
                    points = (0..<count).map { _ in Point(.seed(choice.random.next() >> 16)) }
                case .schedule: points = (0..<settings.schedules).map { _ in Point(.seed(choice.random.next() >> 16)) }
                }
            }
            let jobs = points.map { Job(outcome: index, point: $0) }
            let planned = jobs.count
            state.withLock {
                $0.outcomes[index].planned = planned
                $0.jobs += jobs
            }
        }
    }

    private func work() {
        do {
            let worker = try WorkerProcess(directory: directory, patience: settings.patience)
            while let job = nextJob() {
                let outcome = state.withLock { $0.outcomes[job.outcome] }
                if outcome.failureCount >= settings.mostFailures { continue }
                let start = MonotonicInstant.now
                let answer = try worker.run(outcome.scenario, outcome.mode, job.point, seed: settings.seed)
                let time = MonotonicInstant.now.nanoseconds(since: start)
                state.withLock {
                    $0.outcomes[job.outcome].tried += 1
                    $0.outcomes[job.outcome].nanoseconds += time
                    $0.current = "\(outcome.scenario) \(outcome.mode)"
                }
                if let failure = answer.failure {
                    record(Outcome.Failure(point: job.point, text: failure, place: answer.place), job.outcome)
                }
            }
        } catch {
            state.withLock { $0.error = "\(error)" }
        }
        state.withLock { $0.activeWorkers -= 1 }
    }

    private func nextJob() -> Job? {
        state.withLock { state in
            guard state.next < state.jobs.count, state.error == nil, settings.end.map({ MonotonicInstant.now < $0 }) ?? true else {
                return nil
            }
            defer { state.next += 1 }
            return state.jobs[state.next]
        }
    }

    private func record(_ failure: Outcome.Failure, _ index: Int) {
        state.withLock {
            $0.outcomes[index].failureCount += 1
            $0.outcomes[index].failures.append(failure)
        }
    }
}
