/// The contenders of one question, a row each: name, a mark on a scale of times, figures.
struct RangePlot {
    /// Of one metric, subject and placement, in the order of the report.
    let rows: [Measurement]
    /// Of a row, how many times the physical floor it is; nil where there is none.
    let floorRatio: (Measurement) -> Double?
    /// Of a row, its ratio to the baseline, as in the terminal's table.
    let ratio: (Measurement) -> Double?

    private var hasCalls: Bool { rows.contains { $0.calls != nil } }

    var html: String {
        guard let scale = LogScale(rows.flatMap { [$0.minimum, $0.median, $0.percentile(99) ?? $0.median] }) else { return "" }
        let hasFloor = rows.contains { floorRatio($0) != nil }
        var body = ""
        var size: Int?
        for row in rows {
            if row.size != size, row.size > 0 {
                body += element("tr", ["class": "size"], element("th", ["colspan": "8"], formatted(bytes: row.size)))
                size = row.size
            }
            body += element("tr", ["class": row.kind], cells(of: row, scale, hasFloor))
        }
        let head =
            element("th", "case") + element("th", ["class": "plot"], axis(scale)) + element("th", ["class": "number"], "median")
            + element("th", ["class": "number wide"], "p99") + element("th", ["class": "number wide"], "cpu")
            + (hasCalls ? element("th", ["class": "number wide"], "calls") : "") + element("th", ["class": "number"], "ratio")
            + (hasFloor ? element("th", ["class": "number wide"], "× floor") : "")
        return element("table", element("thead", element("tr", head)) + element("tbody", body))
    }

    private func cells(of row: Measurement, _ scale: LogScale, _ hasFloor: Bool) -> String {
        func number(_ text: String, wide: Bool = false) -> String { element("td", ["class": wide ? "number wide" : "number"], text) }
        func times(_ ratio: Double?) -> String { ratio.map { formatted($0, digits: $0 < 10 ? 2 : 0) } ?? "" }
        return element("th", ["scope": "row"], escaped(row.contender)) + element("td", ["class": "plot"], mark(row, scale))
            + number(formatted(nanoseconds: row.median)) + number(row.percentile(99).map(formatted(nanoseconds:)) ?? "", wide: true)
            + number(formatted(nanoseconds: row.processorTime), wide: true)
            + (hasCalls ? number(row.calls.map { formatted($0, digits: 2) } ?? "", wide: true) : "") + number(times(ratio(row)))
            + (hasFloor ? number(times(floorRatio(row)), wide: true) : "")
    }

    /// From the best round to the 99th percentile, with a dot at the middle.
    private func mark(_ row: Measurement, _ scale: LogScale) -> String {
        func x(_ number: Double) -> String { "\(formatted(100 * scale.share(number), digits: 2))%" }
        let grid = scale.ticks.map { "<line class=\"grid\" x1=\"\(x($0))\" x2=\"\(x($0))\" y1=\"0\" y2=\"100%\"/>" }.joined()
        let most = row.percentile(99) ?? row.median
        let about =
            "\(row.contender): best \(formatted(nanoseconds: row.minimum)), median \(formatted(nanoseconds: row.median)), p99 \(formatted(nanoseconds: most))"
        return element(
            "svg", ["role": "img", "aria-label": about],
            element("title", escaped(about)) + grid
                + "<line class=\"range\" x1=\"\(x(row.minimum))\" x2=\"\(x(most))\" y1=\"50%\" y2=\"50%\"/>"
                + "<circle class=\"dot\" cx=\"\(x(row.median))\" cy=\"50%\" r=\"4.5\"/>")
    }

    private func axis(_ scale: LogScale) -> String {
        let ticks = scale.ticks
        let every = max(1, (ticks.count + 3) / 4)
        let marked = ticks.enumerated().filter { $0.offset % every == 0 }.map(\.element)
        return element(
            "svg", ["class": "axis", "aria-hidden": "true"],
            marked.map { tick in
                let share = scale.share(tick)
                let anchor = share < 0.1 ? "start" : share > 0.9 ? "end" : "middle"
                // Two of them have room on a phone.
                let isWide = tick != marked.first && tick != marked.last
                return
                    "<text\(isWide ? " class=\"wide\"" : "") x=\"\(formatted(100 * share, digits: 2))%\" y=\"12\" text-anchor=\"\(anchor)\">\(tickLabel(tick))</text>"
            }.joined())
    }

    private func tickLabel(_ nanoseconds: Double) -> String {
        let (value, unit) =
            nanoseconds >= 1e9
            ? (nanoseconds / 1e9, "s")
            : nanoseconds >= 1e6
                ? (nanoseconds / 1e6, "ms")
                : nanoseconds >= 1e3 ? (nanoseconds / 1e3, "µs") : (nanoseconds, "ns")
        return "\(formatted(value, digits: value < 1 ? 1 : 0)) \(unit)"
    }
}

extension Measurement {
    /// Whose it is: the library's, a wrapper of a facility, a floor, or a rival.
    var kind: String {
        contender.hasPrefix("interprocess") ? "ours" : contender.hasPrefix("floor-") ? "floor" : bare != nil ? "typed" : "other"
    }
}
