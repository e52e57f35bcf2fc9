import InterprocessSystem

/// What a run says at its end.
struct Report {
    let outcomes: [Outcome]
    let seed: UInt64
    let stepsIntoCalls: Bool
    let milliseconds: UInt64

    var isClean: Bool { outcomes.allSatisfy { $0.failureCount == 0 } }

    var text: String {
        var lines: [String] = []
        for outcome in outcomes {
            for failure in outcome.failures {
                lines.append("FAILED \(outcome.scenario) \(outcome.mode) at \(failure.point): \(failure.text)")
                if failure.place != "-" { lines.append("  at \(Disassembly.describe(failure.place))") }
                lines.append("  again: \(again(outcome, failure))")
            }
        }
        let width = max(8, outcomes.map(\.scenario.count).max() ?? 0)
        lines.append(
            padded("scenario", width) + "  " + padded("mode", 9) + number("length", 9) + number("changes", 8) + number("points", 8)
                + number("failed", 7) + number("per s", 7))
        for outcome in outcomes { lines.append(line(outcome, width)) }
        lines.append("")
        for total in totals { lines.append(number("\(total.count)", 10) + " \(total.unit), \(total.failed) failed") }
        lines.append("\(total(\.count)) points, \(total(\.failureCount)) failed, seed \(seed), \(milliseconds / 1000) s")
        return lines.joined(separator: "\n") + "\n"
    }

    /// The line that runs a failure again.
    func again(_ outcome: Outcome, _ failure: Outcome.Failure) -> String {
        "\(CommandLine.arguments[0]) run \(outcome.scenario) --mode \(outcome.mode) --point \(failure.point) --seed \(seed)"
            + (stepsIntoCalls ? " --calls" : "")
    }

    func total(_ key: KeyPath<Outcome, Int>) -> Int { outcomes.reduce(0) { $0 + $1[keyPath: key] } }

    /// Of each kind of point, in the order of the modes.
    var totals: [(unit: String, count: Int, failed: Int)] {
        var units: [String] = []
        for mode in Mode.allCases where !units.contains(mode.unit) { units.append(mode.unit) }
        return units.compactMap { unit in
            let these = outcomes.filter { $0.mode.unit == unit }
            guard !these.isEmpty else { return nil }
            return (unit, these.reduce(0) { $0 + $1.count }, these.reduce(0) { $0 + $1.failureCount })
        }
    }

    private func line(_ outcome: Outcome, _ width: Int) -> String {
        // Of one worker.
        let rate = outcome.nanoseconds == 0 ? 0 : UInt64(outcome.tried) * 1_000_000_000 / outcome.nanoseconds
        return padded(outcome.scenario, width) + "  " + padded(outcome.mode.rawValue, 9)
            + number(outcome.length.map { "\($0.instructions)" } ?? "-", 9) + number(outcome.length.map { "\($0.changes)" } ?? "-", 8)
            + number("\(outcome.count)", 8) + number("\(outcome.failureCount)", 7) + number("\(rate)", 7)
            + (outcome.isCut ? "  of more" : "") + (outcome.void > 0 ? "  \(outcome.void) not reached" : "")
    }

    private func number(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
}
