extension Report {
    /// The report for programs: an object for each scenario and mode, and the totals.
    var json: String {
        let runs = outcomes.map { outcome in
            Self.object([
                ("scenario", Self.string(outcome.scenario)), ("mode", Self.string(outcome.mode.rawValue)),
                ("unit", Self.string(outcome.mode.unit)), ("length", outcome.length.map { "\($0.instructions)" } ?? "null"),
                ("changes", outcome.length.map { "\($0.changes)" } ?? "null"), ("points", "\(outcome.count)"),
                ("planned", outcome.planned.map { "\($0)" } ?? "null"), ("notReached", "\(outcome.void)"),
                ("complete", outcome.isPartial ? "false" : "true"),
                ("failed", "\(outcome.failureCount)"), ("seed", "\(seed)"), ("seconds", Self.seconds(outcome.nanoseconds / 1_000_000)),
                ("failures", Self.array(outcome.failures.map { self.failure(outcome, $0) })),
            ])
        }
        let sums = totals.map {
            Self.object([("unit", Self.string($0.unit)), ("points", "\($0.count)"), ("failed", "\($0.failed)")])
        }
        return Self.object([
            ("seed", "\(seed)"), ("seconds", Self.seconds(milliseconds)), ("held", isClean ? "true" : "false"),
            ("totals", Self.array(sums)), ("runs", "[\n" + runs.joined(separator: ",\n") + "\n]"),
        ]) + "\n"
    }

    private func failure(_ outcome: Outcome, _ failure: Outcome.Failure) -> String {
        Self.object([
            ("point", Self.string(failure.point.description)), ("text", Self.string(failure.text)),
            ("place", failure.place == "-" ? "null" : Self.string(Disassembly.describe(failure.place))),
            ("again", Self.string(again(outcome, failure))),
        ])
    }

    private static func object(_ members: [(String, String)]) -> String {
        "{" + members.map { "\(string($0.0)): \($0.1)" }.joined(separator: ", ") + "}"
    }

    private static func array(_ elements: [String]) -> String { "[" + elements.joined(separator: ", ") + "]" }

    private static func seconds(_ milliseconds: UInt64) -> String {
        let fraction = "\(milliseconds % 1000)"
        return "\(milliseconds / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
    }

    private static func string(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": result += "\\\(scalar)"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
