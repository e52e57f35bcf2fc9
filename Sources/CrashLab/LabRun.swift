import InterprocessSystem
import SystemPackage

/// Runs scenarios in several workers at once.
final class LabRun: Sendable {
    struct State {
        var outcomes: [Outcome] = []
        var current = ""
        var error: String?
        var activeWorkers = 0
        var jobs: [Job] = []
        var next = 0
        /// Jobs that are being done and may bring others.
        var bearing = 0
        /// What the jobs that are left will take about, of one worker.
        var nanosecondsLeft: UInt64 = 0
    }

    struct Job: Sendable {
        let outcome: Int
        let point: Point
        /// What it will take about.
        let nanoseconds: UInt64
    }

    /// How far a run is.
    struct Progress: Sendable {
        let done: Int
        let total: Int
        let what: String
        let secondsLeft: Int
    }

    let scenarios: [Scenario]
    let settings: RunSettings
    let directory: FilePath
    let state = Lock(State())

    init(_ scenarios: [Scenario], _ settings: RunSettings, in directory: FilePath) {
        self.scenarios = scenarios
        self.settings = settings
        self.directory = directory
    }

    /// All outcomes, in order. `report` is called several times a second.
    func run(_ report: (Progress) -> Void) throws -> [Outcome] {
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
            let (active, progress) = state.withLock { state in
                (
                    state.activeWorkers,
                    Progress(
                        done: state.next, total: state.jobs.count, what: state.current,
                        secondsLeft: Int(state.nanosecondsLeft / UInt64(count) / 1_000_000_000))
                )
            }
            report(progress)
            if active == 0 { break }
            sleepThread(for: .milliseconds(50))
        }
        if let error = state.withLock({ $0.error }) { throw Violation(error) }
        return state.withLock { $0.outcomes }
    }

    private func work() {
        do {
            let worker = try WorkerProcess(directory: directory, settings)
            while let job = nextJob() {
                let outcome = state.withLock { $0.outcomes[job.outcome] }
                let start = MonotonicInstant.now
                let answer =
                    outcome.failureCount < settings.mostFailures
                    ? try worker.run(outcome.scenario, outcome.mode, job.point, seed: settings.seed) : nil
                let time = MonotonicInstant.now.nanoseconds(since: start)
                state.withLock { $0.end(job, answer, time, settings, self) }
            }
        } catch {
            state.withLock { $0.error = "\(error)" }
        }
        state.withLock { $0.activeWorkers -= 1 }
    }

    /// Waits if one that is being done may bring others.
    private func nextJob() -> Job? {
        while true {
            let (job, isOver): (Job?, Bool) = state.withLock { state in
                if state.error != nil || settings.end.isReached { return (nil, true) }
                guard state.next < state.jobs.count else { return (nil, state.bearing == 0) }
                let job = state.jobs[state.next]
                state.next += 1
                if case .order = job.point.moment { state.bearing += 1 }
                return (job, false)
            }
            if job != nil || isOver { return job }
            sleepThread(for: .milliseconds(1))
        }
    }

    func mayKill(_ scenario: String) -> Bool { scenarios.first { $0.name == scenario }?.schedule?.mayKill ?? false }
}

extension LabRun.State {
    /// After a job: what came of it. An answer of nil: it was left out.
    fileprivate mutating func end(
        _ job: LabRun.Job, _ answer: WorkerProcess.Answer?, _ time: UInt64, _ settings: RunSettings, _ run: LabRun
    ) {
        nanosecondsLeft -= min(nanosecondsLeft, job.nanoseconds)
        var isBearing = false
        if case .order(let deviations) = job.point.moment {
            isBearing = true
            bearing -= 1
            if settings.points.isEmpty, let trace = answer?.trace { addSuccessors(job, deviations, trace, time, settings, run) }
        }
        guard let answer else { return }
        outcomes[job.outcome].tried += 1
        outcomes[job.outcome].nanoseconds += time
        if answer.isVoid { outcomes[job.outcome].void += 1 }
        if isBearing, outcomes[job.outcome].length == nil { outcomes[job.outcome].length = answer.length }
        current = "\(outcomes[job.outcome].scenario) \(outcomes[job.outcome].mode)"
        if let failure = answer.failure { record(Outcome.Failure(point: job.point, text: failure, place: answer.place), job.outcome) }
    }

    private mutating func addSuccessors(
        _ job: LabRun.Job, _ deviations: [Deviation], _ trace: Trace, _ time: UInt64, _ settings: RunSettings, _ run: LabRun
    ) {
        let all = trace.successors(
            of: deviations, preemptions: settings.preemptions, mayKill: run.mayKill(outcomes[job.outcome].scenario))
        let chosen = all.prefix(max(0, settings.orders - (outcomes[job.outcome].planned ?? 0)))
        if chosen.count < all.count { outcomes[job.outcome].isCut = true }
        outcomes[job.outcome].planned = (outcomes[job.outcome].planned ?? 0) + chosen.count
        jobs += chosen.map { LabRun.Job(outcome: job.outcome, point: Point(.order($0)), nanoseconds: time) }
        nanosecondsLeft += time * UInt64(chosen.count)
    }

    mutating func record(_ failure: Outcome.Failure, _ index: Int) {
        outcomes[index].failureCount += 1
        // All in the count, the first in the report.
        if outcomes[index].failures.count < 100 { outcomes[index].failures.append(failure) }
    }
}
