import TextTable

/// The results of a suite, for people and for programs.
struct BenchmarkReport {
    let suite: String
    let measurements: [Measurement]

    /// JSON Lines: one object for each contender of each comparison.
    var jsonLines: String {
        measurements.map { measurement in
            let figures: [(String, Double?)] =
                [
                    ("min", measurement.minimum), ("median", measurement.median), ("p99", measurement.percentile(99)),
                    ("p999", measurement.percentile(99.9)), ("cpu", measurement.processorTime),
                ] + (measurement.bare == nil ? [] : [("bareRatio", measurement.ratio(to: other(measurement.bare, than: measurement)))])
                + (measurement.calls == nil ? [] : [("calls", measurement.calls)])
            return """
                {"suite":"\(suite)",\(measurement.subject.isEmpty ? "" : "\"subject\":\"\(measurement.subject)\",")"case":"\(measurement.contender)","placement":"\(measurement.placement.rawValue)",\
                "size":\(measurement.size),"metric":"\(measurement.metric.rawValue)","unit":"\(measurement.metric.unit)",\
                \(figures.map { "\"\($0.0)\":\($0.1.map { formatted($0, digits: 3) } ?? "null")" }.joined(separator: ",")),"rounds":\(measurement.rounds)}

                """
        }.joined()
    }

    /// What belongs into one table: of one metric, subject and placement.
    var groups: [(heading: String, rows: [Measurement])] {
        var result: [(heading: String, rows: [Measurement])] = []
        var rest = measurements[...]
        while let first = rest.first {
            let rows = rest.prefix { $0.metric == first.metric && $0.subject == first.subject && $0.placement == first.placement }
            rest = rest.dropFirst(rows.count)
            let subject = first.subject.isEmpty ? "" : ", \(first.subject)"
            result.append(("\(first.metric.heading)\(subject), \(first.placement.heading)", Array(rows)))
        }
        return result
    }

    /// A table for each metric and placement.
    var tables: String {
        var result = groups.map { "\n\($0.heading):\n\(table(of: $0.rows))" }.joined()
        let hasCalls = measurements.contains { $0.calls != nil }
        let hasBare = measurements.contains { $0.bare != nil }
        result += """

            min and median: of the rounds' own figures, the best and the middle one; rounds: \(measurements.first?.rounds ?? 0).
            p99, p99.9: over all samples.
            cpu: processor time of all sides per operation. ratio: to the row with 1.00 in the same round, the middle one.
            \(hasCalls ? "calls: system calls of all sides per operation, counted in a short run of their own.\n" : "")\
            \(hasBare ? "to C: the same to the row of the same calls made from C.\n" : "")
            """
        return result
    }

    private func table(of rows: [Measurement]) -> String {
        let sized = rows.contains { $0.size > 0 }
        let table = TextTable<Measurement> { row in
            var columns = [Column(title: "case", value: row.contender)]
            if sized { columns.insert(Column(title: "size", value: formatted(bytes: row.size), align: .right), at: 0) }
            func times(_ ratio: Double?) -> String { ratio.map { formatted($0, digits: 2) } ?? "" }
            func number(_ title: String, _ value: String) { columns.append(Column(title: title, value: value, align: .right)) }
            number("min", formatted(nanoseconds: row.minimum))
            number("median", formatted(nanoseconds: row.median))
            number("p99", row.percentile(99).map(formatted(nanoseconds:)) ?? "")
            number("p99.9", row.percentile(99.9).map(formatted(nanoseconds:)) ?? "")
            number("cpu", formatted(nanoseconds: row.processorTime))
            if rows.contains(where: { $0.calls != nil }) { number("calls", row.calls.map { formatted($0, digits: 2) } ?? "") }
            if rows.contains(where: { $0.metric.isStream && $0.size >= 1024 }) {
                number("GB/s", row.size >= 1024 && row.median > 0 ? formatted(Double(row.size) / row.median, digits: 1) : "")
            }
            if row.metric == .contended || row.metric == .together {
                number("M/s", row.median > 0 ? formatted(1000 / row.median, digits: 2) : "")
            }
            number("ratio", times(ratio(of: row)))
            if rows.contains(where: { $0.bare != nil }) { number("to C", times(row.ratio(to: other(row.bare, than: row)))) }
            return columns
        }
        return table.string(for: rows, style: Style.simple) ?? ""
    }

    /// To the baseline of its comparison; nil without one.
    func ratio(of row: Measurement) -> Double? { row.ratio(to: other(row.baseline, than: row)) }

    /// What another contender came to in the comparison of `row`.
    private func other(_ contender: String?, than row: Measurement) -> Measurement? {
        measurements.first {
            $0.metric == row.metric && $0.subject == row.subject && $0.size == row.size && $0.placement == row.placement
                && $0.contender == contender
        }
    }
}

extension Metric {
    fileprivate var heading: String {
        switch self {
        case .roundTrip: "Round trip of a message"
        case .perMessage: "One message of a stream"
        case .throughput: "One large message of a stream"
        case .wakeup: "Waking a parked process"
        case .switch: "Switch between two blocking processes, one direction"
        case .pair: "Taking and giving back"
        case .contended: "Taking, counting and giving back by two that do nothing else"
        case .together: "The same, by several at once, of all together"
        case .meeting: "Meeting"
        case .manyToOne: "One message from several senders to one receiver"
        case .manyToMany: "One message from several senders to several receivers"
        case .topic: "One message of a topic, to all its subscribers"
        case .bothEnds: "One message, sent and received by one thread"
        case .request: "Request and reply"
        case .stream: "One message of a stream from one process to another"
        }
    }
}

extension Placement {
    fileprivate var heading: String {
        switch self {
        case .sameCore: "both on one core"
        case .twoCores: "on two cores"
        case .inTurn: "on the processors in turn"
        case .unpinned: "where the kernel puts them"
        case .oneProcess: "one process"
        }
    }
}
