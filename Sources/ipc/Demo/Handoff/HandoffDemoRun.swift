import Interprocess
import InterprocessSystem
import SystemPackage

/// What was to happen to a contestant, and what became of it.
struct ContestantResult {
    enum Task: Equatable {
        /// Stops in this round, and is killed by the parent.
        case isKilled(round: Int)
        /// Tries in this round what its filter does not let it.
        case cheats(round: Int)
        /// Plays to the end.
        case playsOn
    }

    let task: Task
    let pid: Int32
    /// By the kernel's word: while it played, it and the judge were under a filter.
    let wasFiltered: Bool
    let ending: ChildProcess.Ending
    /// What opening a file gave it; nil if it has not tried, 0 if the file was opened.
    let openError: Int32?
    let hasEscaped: Bool
    /// By the judge's word.
    let hasDied: Bool, deadPID: Int32
    let rounds: Int, guesses: Int, lastRound: Int, guessesInLastRound: Int
    /// From the kill, or the call that ended it, until the judge knew; in nanoseconds.
    let toldAfter: UInt64?
}

/// The processes of the handoffs' demonstration, seen from the one that starts them.
struct HandoffDemoRun {
    /// After so many guesses, a contestant that does not play on does what it has to: none has found a number by then.
    static let guessesBefore = 20

    let rounds: Int
    let kills: Int
    let directory: ObjectDirectory
    /// The handoff in use, for the clean-up when this process is interrupted.
    let nameInUse: DemoQueueName

    /// The kills, spread over the rounds, then the one that cheats, then the last.
    var tasks: [ContestantResult.Task] {
        let step = rounds / (kills + 2)
        return (0..<kills).map { .isKilled(round: ($0 + 1) * step) } + [.cheats(round: (kills + 1) * step), .playsOn]
    }

    struct Outcome {
        var contestants: [ContestantResult] = []
        var judgePID: Int32 = 0
        var judgeEnding = ChildProcess.Ending.exited(0)
        var rounds = 0, guesses = 0
        var nanoseconds: UInt64 = 0
    }

    func play(_ told: (ContestantResult) throws -> Void) throws -> Outcome {
        let name = nameInUse.new()
        // Under their filters the two cannot remove the name themselves.
        defer { nameInUse.clear() }
        let control = try HandoffDemoControl()
        var outcome = Outcome()
        var judge = try start("demo-judge", name, control, ["--rounds", "\(rounds)"])
        defer { judge.send(signal: Signal.kill) }
        outcome.judgePID = judge.pid
        var bar = ProgressBar("rounds", of: rounds, as: { "\($0)" })
        for (number, task) in tasks.enumerated() {
            let result = try play(task, number, name, control, &judge, &bar)
            outcome.contestants.append(result)
            try told(result)
        }
        outcome.judgeEnding = try judge.wait()
        (outcome.rounds, outcome.guesses) = (Int(control[.rounds]), Int(control[.guesses]))
        outcome.nanoseconds = control[.end] &- control[.start]
        return outcome
    }

    private func play(
        _ task: ContestantResult.Task, _ number: Int, _ name: ObjectName, _ control: HandoffDemoControl, _ judge: inout ChildProcess,
        _ bar: inout ProgressBar
    ) throws -> ContestantResult {
        var more = ["--number", "\(number)", "--after-guesses", "\(Self.guessesBefore)"]
        switch task {
        case .isKilled(let round): more += ["--stop-in", "\(round)"]
        case .cheats(let round): more += ["--cheat-in", "\(round)"]
        case .playsOn: break
        }
        var contestant = try start("demo-contestant", name, control, more)
        defer { contestant.send(signal: Signal.kill) }
        try watch(control, &bar, &judge, &contestant, until: { control.progress(of: number) != nil })
        let isJudgeFiltered = SystemCallFilter.isInstalled(inProcess: judge.pid) == true
        var isFiltered = SystemCallFilter.isInstalled(inProcess: contestant.pid) == true
        if case .isKilled = task {
            try watch(control, &bar, &judge, &contestant, until: { control.progress(of: number) == .stopped })
            isFiltered = SystemCallFilter.isInstalled(inProcess: contestant.pid) == true
            control[number, .killed] = MonotonicInstant.now.nanoseconds
            contestant.send(signal: Signal.kill)
        }
        try watch(control, &bar, &judge, until: { control[number, .told] != 0 })
        let ending = try contestant.wait()
        // One that cheats may be gone before it is looked at: that its filter has ended it shows that it had one.
        if ending == .signalled(Signal.badSystemCall) { isFiltered = true }
        let openError = control[number, .openError], killed = control[number, .killed]
        return ContestantResult(
            task: task, pid: contestant.pid, wasFiltered: isFiltered && isJudgeFiltered, ending: ending,
            openError: openError == 0 ? nil : Int32(truncatingIfNeeded: openError - 1),
            hasEscaped: control.progress(of: number) == .escaped, hasDied: control[number, .end] == 2,
            deadPID: Int32(truncatingIfNeeded: control[number, .deadPID]), rounds: Int(control[number, .rounds]),
            guesses: Int(control[number, .guesses]), lastRound: Int(control[number, .lastRound]),
            guessesInLastRound: Int(control[number, .guessesInLastRound]),
            toldAfter: killed == 0 ? nil : control[number, .told] &- killed)
    }

    private func start(_ command: String, _ name: ObjectName, _ control: HandoffDemoControl, _ more: [String]) throws -> ChildProcess {
        try ChildProcess(
            starting: ChildProcess.currentProgram, arguments: [command] + HandoffDemoOptions.arguments(name, directory) + more,
            descriptors: [(control.file, HandoffDemoControl.descriptor)])
    }

    /// Shows how far the game is, until `isDone`. A side that ends meanwhile, against the plan, ends everything.
    private func watch(
        _ control: HandoffDemoControl, _ bar: inout ProgressBar, _ judge: inout ChildProcess, _ contestant: inout ChildProcess,
        until isDone: () -> Bool
    ) throws {
        try watch(control, &bar, &judge, until: isDone) {
            if let ending = try contestant.poll(), !isDone() {
                throw CommandFailure("a contestant (pid \(contestant.pid)) \(HandoffDemoStatus.describe(ending))")
            }
        }
    }

    private func watch(
        _ control: HandoffDemoControl, _ bar: inout ProgressBar, _ judge: inout ChildProcess, until isDone: () -> Bool,
        _ check: () throws -> Void = {}
    ) throws {
        var rounds: UInt64 = 0
        var last = MonotonicInstant.now.advanced(by: HandoffDemoOptions.patience)
        while !isDone() {
            bar.update(Int(control[.rounds]))
            if let ending = try judge.poll(), !isDone() {
                throw CommandFailure("the judge (pid \(judge.pid)) \(HandoffDemoStatus.describe(ending)) before the contestants")
            }
            try check()
            if control[.rounds] != rounds { (rounds, last) = (control[.rounds], .now.advanced(by: HandoffDemoOptions.patience)) }
            if MonotonicInstant.now > last { throw CommandFailure("nothing has gone on for \(HandoffDemoOptions.patience)") }
            sleepThread(for: .microseconds(200))
        }
    }
}
