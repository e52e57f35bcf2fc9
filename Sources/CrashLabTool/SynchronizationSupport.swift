import CrashLab
import Interprocess
import InterprocessSystem

/// What the scenarios of the synchronization primitives write down: for each of ten processes how often it was about to do something and has done it, and for
/// each of eight sleepers whether it is asleep.
extension Mark {
    static let intent = 10, done = 20, asleep = 30
    /// Units that were given by others than the victim.
    static let given = 40
    /// What the body of an operation has come to.
    static let reached = 41
    static let between = 42
}

extension Site {
    var synchronization: SynchronizationOptions { SynchronizationOptions(directory: directory) }
    /// The object stays while nobody has it open.
    var lasting: SynchronizationOptions { SynchronizationOptions(directory: directory, lifetime: .untilRemoved) }

    /// Before a victim.
    func begin() { for index in Mark.intent...Mark.between { ledger[index] = 0 } }

    func doing(_ who: Int = 0, _ count: UInt64 = 1, _ body: () throws -> Void) rethrows {
        ledger[Mark.intent + who] += count
        try body()
        ledger[Mark.done + who] += count
    }

    /// The operation came to nothing.
    func undone(_ who: Int = 0, _ count: UInt64 = 1) { ledger[Mark.intent + who] -= count }

    /// How often it was done at least, and at most.
    func count(_ who: Range<Int> = 0..<10) -> ClosedRange<Int> {
        let least = who.reduce(0) { $0 + Int(ledger[Mark.done + $1]) }
        return least...max(least, who.reduce(0) { $0 + Int(ledger[Mark.intent + $1]) })
    }

    var isDone: Bool { ledger[Mark.done] == ledger[Mark.intent] && ledger[Mark.done] > 0 }

    /// Sleepers that have not come through yet.
    var asleep: Int { (0..<8).count { ledger[Mark.asleep + $0] == 1 } }

    /// Sleepers that there were, whether they have come through or not.
    var slept: Int { (0..<8).count { ledger[Mark.asleep + $0] != 0 } }

    func awaitSleepers() { hold { asleep == 0 } }
}

/// Waits until it is so. That it never is is found by the lab.
func hold(until condition: () -> Bool) { while !condition() { sleepThread(for: .microseconds(50)) } }

extension Bystander {
    /// Sleeper `index`, in `body`.
    func sleeping(_ index: Int, _ body: () throws -> Void) rethrows {
        site.ledger[Mark.asleep + index] = 1
        willSleep()
        try body()
        site.ledger[Mark.asleep + index] = 2
    }
}

extension Deadline {
    /// For who tries while another stands still.
    static var shortly: Deadline { .after(.milliseconds(1)) }
    /// For who is to fall asleep before it passes, although it is stepped.
    static var soon: Deadline { .after(.milliseconds(10)) }
}

/// What lives as long as the process, or until it is let go of.
@safe
final class Holder<Value: ~Copyable>: @unchecked Sendable {
    var value: Value?
    init(_ value: consuming Value?) { self.value = value }
}

/// A value whose two halves are written one after the other, so that it shows when somebody died in between.
struct Halves: Shareable {
    var first: UInt64 = 0
    var second: UInt64 = 0

    mutating func step(_ site: Site) {
        first += 1
        site.ledger[Mark.between] = first
        second = first
    }

    func check() throws { try Violation.unless(first == second, "the value is half written, and nobody was told: \(first), \(second)") }
}

extension Scenario {
    /// A storm.
    init(_ name: String, _ summary: String, storm: Storm) {
        self.init(name, summary, survivor: { _ in Survivor(goOn: {}) }, victim: { _ in }, storm: storm)
    }

    /// A schedule.
    init(_ name: String, _ summary: String, _ segments: [String], _ schedule: Schedule) {
        self.init(name, summary, segments: segments, survivor: { _ in Survivor(goOn: {}) }, victim: { _ in }, schedule: schedule)
    }

    /// The same schedule without a kill and with one.
    static func schedules(
        _ name: String, _ summary: String, _ segments: [String], players: [@Sendable (Victim) throws -> Void],
        check: @escaping @Sendable (Site) throws -> Void
    ) -> [Scenario] {
        [
            Scenario(name, summary, segments, Schedule(players: players, check: check)),
            Scenario(
                name + ".kill", "the same, with one of them killed", segments, Schedule(players: players, mayKill: true, check: check)),
        ]
    }

    func with(sleepers: [@Sendable (Bystander) throws -> Void]) -> Scenario {
        var scenario = self
        scenario.sleepers = sleepers
        return scenario
    }

    func with(scribbled: (@Sendable (Victim) throws -> Void)?) -> Scenario {
        var scenario = self
        scenario.scribbled = scribbled
        return scenario
    }

    func with(excluded: Set<Mode>) -> Scenario {
        var scenario = self
        scenario.excluded = excluded
        return scenario
    }
}
