import InterprocessSystem
import Synchronization

/// What is to be done in one run of the lab.
struct RunSettings: Sendable {
    var modes: [Mode]
    /// Every k-th instruction; nil: as many as make a short run.
    var every: Int64?
    var points: [Point]
    /// Whether calls of the runtime and the C library are stepped through in every scenario.
    var stepsIntoCalls: Bool
    /// Whether every operation is stepped from its beginning.
    var isFromStart: Bool
    var seed: UInt64
    var workers: Int
    /// How many of a storm.
    var kills: Int
    /// How many random ones of each scenario.
    var schedules: Int
    /// How many times each wait is killed, and each operation interrupted.
    var repetitions: Int
    var patience: Duration
    /// A scenario and mode is left after so many failures.
    var mostFailures: Int
    /// When the run ends even if not everything was tried.
    var end: RunEnd
    /// Of enumerated schedules: how many switches away from a player that could go on, and how many schedules of each scenario.
    var preemptions: Int
    var orders: Int
}

/// When a run ends even if not everything was tried: at an instant, if one is given, or when somebody asks for it.
final class RunEnd: Sendable {
    private let instant: MonotonicInstant?
    private let wasAskedFor = Atomic(false)

    init(after seconds: Int?) { instant = seconds.map { .now.advanced(by: .seconds($0)) } }

    func ask() { wasAskedFor.store(true, ordering: .relaxed) }

    var isReached: Bool { wasAskedFor.load(ordering: .relaxed) || instant.map { $0 <= .now } ?? false }
}

/// What came of one scenario in one mode.
struct Outcome: Sendable {
    let scenario: String
    let mode: Mode
    var length: Length?
    /// Nil: the time was up before.
    var planned: Int?
    var tried = 0
    /// Of those tried: where there was nothing to be done.
    var void = 0
    /// Of enumerated schedules: there were more than were to be tried.
    var isCut = false
    var nanoseconds: UInt64 = 0
    var failures: [Failure] = []
    /// Those kept, and more.
    var failureCount = 0

    /// How many there were of what the mode is about.
    var count: Int { tried - void }
    /// Not everything that was planned was tried: the time was up, or enough had failed.
    var isPartial: Bool { planned.map { tried < $0 } ?? true || isCut }

    struct Failure: Sendable {
        let point: Point
        let text: String
        let place: String
    }
}
