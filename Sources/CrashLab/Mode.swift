/// How a scenario is run.
public enum Mode: String, CaseIterable, Sendable {
    /// The victim is alone and is killed after its n-th instruction.
    case kill
    /// The same while others sleep at the object, and with a third process that acts at that point.
    case contended
    /// The victim is killed while it sleeps in its operation.
    case asleep
    /// The victim is stopped (SIGSTOP) after its n-th instruction. The others do what they can; then it goes on (SIGCONT).
    case pause
    /// The thread that does the operation ends after its n-th instruction, and its process lives on, until it is killed.
    case leave
    /// The victim forks after its n-th instruction: the child ends, or executes another program, or stays when its parent is killed there.
    case fork
    /// A signal comes all the time, and each system call that a signal may interrupt is interrupted: the operation ends as usual.
    case interrupt
    /// The n-th system call fails: the operation goes on or throws, leaves nothing behind, and can be made again.
    case fault
    /// The shared bytes are overwritten after the n-th instruction; the operation must end.
    case scribble
    /// Processes that work against one another are killed at random moments.
    case storm
    /// Two or three processes, of which one at a time goes on to its next access to what is shared, in random order.
    case schedule
    /// The same in every order with at most so many switches away from one that could have gone on.
    case orders

    /// Whether there is one that lives through many victims.
    var hasSurvivor: Bool {
        switch self {
        case .scribble, .storm, .schedule, .orders: false
        default: true
        }
    }

    /// Whether its operations may run at full speed up to a moment near the point.
    var canStartLate: Bool { [.kill, .contended, .pause, .leave, .fork, .scribble].contains(self) }

    /// Whether something is done to the victim at the point. If that never comes, nothing was tried.
    var hasDeed: Bool { [.kill, .contended, .pause, .leave, .fork, .scribble].contains(self) }

    /// What its points are counted as.
    var unit: String {
        switch self {
        case .kill, .asleep: "kill points"
        case .contended: "third-party points"
        case .pause, .leave, .fork, .interrupt: "interruptions"
        case .fault: "failed system calls"
        case .scribble: "scribbles"
        case .storm: "storms of \(Storm.killsOfTrial) kills"
        case .schedule: "random schedules"
        case .orders: "enumerated schedules"
        }
    }
}

extension Scenario {
    public var modes: [Mode] { Mode.allCases.filter { has($0) && !excluded.contains($0) } }

    private func has(_ mode: Mode) -> Bool {
        let isStepped = storm == nil && schedule == nil
        return switch mode {
        case .kill: isStepped && !needsSleepers
        case .contended: isStepped && (!sleepers.isEmpty || third != nil)
        case .asleep: victimWaits
        case .pause: isStepped && victims == 1
        // The keeper is the library's, and ends with its process.
        case .leave, .fork, .interrupt, .fault: isStepped && !stepsKeeper
        case .scribble: scribbled != nil
        case .storm: storm != nil
        case .schedule, .orders: schedule != nil
        }
    }
}
