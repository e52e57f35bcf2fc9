import Interprocess
import InterprocessSystem
import SystemPackage

/// What the demonstration of handoffs has shown, for people and for programs.
struct HandoffDemoReport {
    let run: HandoffDemoRun
    let outcome: HandoffDemoRun.Outcome

    /// What did not hold, in words; empty if all did.
    var failures: [String] {
        var failures: [String] = []
        func require(_ condition: Bool, _ failure: String) { if !condition { failures.append(failure) } }
        require(outcome.judgeEnding == .exited(HandoffDemoStatus.success), "the judge \(HandoffDemoStatus.describe(outcome.judgeEnding))")
        require(outcome.rounds == run.rounds, "only \(outcome.rounds) of \(run.rounds) numbers were found")
        require(
            outcome.contestants.map(\.task) == run.tasks, "\(outcome.contestants.count) of \(run.tasks.count) contestants have played")
        require(
            outcome.contestants.reduce(0) { $0 + $1.rounds } == run.rounds,
            "the contestants' rounds are \(outcome.contestants.map(\.rounds)), which is not \(run.rounds) in all")
        for (number, contestant) in outcome.contestants.enumerated() {
            for failure in contestant.failures { failures.append("contestant \(number + 1) (pid \(contestant.pid)): \(failure)") }
        }
        return failures
    }

    static func heading(_ run: HandoffDemoRun) -> String {
        """
        A judge hides \(run.rounds) numbers of 64 bits, one after the other; contestants find each by halving. The two take turns in a handoff, \
        each under a filter that lets it do nothing else ('ipc handoff --seccomp').


        """
    }

    /// One line, as soon as it is known.
    static func line(_ contestant: ContestantResult) -> String {
        switch contestant.task {
        case .playsOn: return ""
        case .isKilled:
            return """
                contestant \(contestant.pid) was killed with SIGKILL in the middle of \(contestant.place): the judge knew \
                \(contestant.toldText) later and began the round again with the next

                """
        case .cheats:
            return """
                contestant \(contestant.pid) tried to open /etc/passwd in \(contestant.place): \(contestant.openText); then to start a program: \
                \(HandoffDemoStatus.describe(contestant.ending)), and the judge knew \(contestant.toldText) after the attempt

                """
        }
    }

    var table: String {
        var table = TextRows(
            .right("contestant"), .right("pid"), .right("numbers found"), .right("guesses"), .right("judge told after"), .left("end"))
        table.rows = outcome.contestants.enumerated().map { number, contestant in
            [
                "\(number + 1)", "\(contestant.pid)", "\(contestant.rounds)", "\(contestant.guesses)", contestant.toldText,
                contestant.endText,
            ]
        }
        let seconds = Double(outcome.nanoseconds) / 1e9
        let each = outcome.guesses == 0 ? 0 : Double(outcome.nanoseconds) / Double(2 * outcome.guesses)
        return "\n" + table.text() + """

            The judge (pid \(outcome.judgePID)) had \(outcome.rounds) of \(run.rounds) numbers found, with \(outcome.guesses) guesses in \
            \(formatted(seconds, digits: 3)) s, new processes included: \(formatted(each, digits: 0)) ns for each turn.

            """
    }

    var json: JSONValue {
        .object([
            ("rounds", .int(run.rounds)), ("found", .int(outcome.rounds)), ("guesses", .int(outcome.guesses)),
            ("nanoseconds", .unsigned(outcome.nanoseconds)), ("held", .bool(failures.isEmpty)),
            ("failures", .array(failures.map { .string($0) })), ("judge", .int(Int(outcome.judgePID))),
            ("contestants", .array(outcome.contestants.map(\.json))),
        ])
    }
}

extension ContestantResult {
    fileprivate var failures: [String] {
        var failures: [String] = []
        func require(_ condition: Bool, _ failure: String) { if !condition { failures.append(failure) } }
        require(wasFiltered, "it or the judge played without a filter")
        switch task {
        case .playsOn:
            require(ending == .exited(HandoffDemoStatus.success), HandoffDemoStatus.describe(ending))
            require(!hasDied, "the judge was told that it died, and it had closed")
            return failures
        case .isKilled(let round):
            require(ending == .signalled(Signal.kill), "\(HandoffDemoStatus.describe(ending)), and was to be killed")
            require(lastRound == round, "it ended in round \(lastRound), and was killed in round \(round)")
        case .cheats(let round):
            require(openError == Errno.notPermitted.rawValue, "opening a file: \(openText)")
            require(!hasEscaped, "it could start a program")
            require(ending == .signalled(SystemCallFilter.signal), "\(HandoffDemoStatus.describe(ending)), and not by its filter")
            require(lastRound == round, "it ended in round \(lastRound), and cheated in round \(round)")
        }
        require(hasDied && deadPID == pid, "the judge was not told of its death, but of \(hasDied ? "that of pid \(deadPID)" : "a close")")
        require(guessesInLastRound == HandoffDemoRun.guessesBefore, "it had guessed \(guessesInLastRound) times in its last round")
        return failures
    }

    /// For people the first round is 1.
    fileprivate var place: String { "round \(lastRound + 1)" }

    fileprivate var toldText: String { toldAfter.map { "\(formatted(Double($0) / 1000, digits: 0)) µs" } ?? "" }

    fileprivate var openText: String {
        switch openError {
        case nil: "not tried"
        case 0: "it was opened"
        case let error?: "refused (\(Errno(rawValue: error)))"
        }
    }

    fileprivate var endText: String {
        switch task {
        case .playsOn: HandoffDemoStatus.describe(ending)
        case .isKilled: "killed in \(place), after \(guessesInLastRound) guesses"
        case .cheats: "\(HandoffDemoStatus.describe(ending)) in \(place)"
        }
    }

    fileprivate var json: JSONValue {
        let task: (String, Int?) =
            switch task {
            case .isKilled(let round): ("is killed", round)
            case .cheats(let round): ("cheats", round)
            case .playsOn: ("plays on", nil)
            }
        let ending: (String, Int32) =
            switch ending {
            case .exited(let status): ("status", status)
            case .signalled(let signal): ("signal", signal)
            }
        return .object([
            ("pid", .int(Int(pid))), ("task", .string(task.0)), ("round", task.1.map { .int($0) } ?? .null), ("found", .int(rounds)),
            ("guesses", .int(guesses)), ("filtered", .bool(wasFiltered)), (ending.0, .int(Int(ending.1))),
            ("openErrno", openError.map { .int(Int($0)) } ?? .null), ("toldOfDeath", .bool(hasDied)),
            ("toldAfterNanoseconds", toldAfter.map { .unsigned($0) } ?? .null),
        ])
    }
}
