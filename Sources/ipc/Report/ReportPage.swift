/// The results of several suites as one page that needs nothing else: for light and dark, for a wide window and a phone.
struct ReportPage {
    /// When the measuring began.
    let date: String
    let machine: MachineDescription
    /// As it was called.
    let command: String
    let reports: [BenchmarkReport]
    /// Sentences on what could not be measured.
    let leftOut: [String]

    var html: String {
        let head =
            "<meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
            + element("title", "Interprocess: measured") + element("style", Self.style)
        return "<!doctype html>\n"
            + element(
                "html", ["lang": "en"], element("head", head) + element("body", header + contents + reports.map(section).joined() + footer))
            + "\n"
    }

    private var header: String {
        let rows = machine.rows.map { element("dt", escaped($0.name)) + element("dd", escaped($0.value)) }.joined()
        return element(
            "header",
            element("h1", "Interprocess: measured") + element("p", escaped(date)) + element("dl", rows)
                + element("p", "To measure the same on your machine:") + element("pre", escaped(command)) + element("p", Self.legend))
    }

    private static let legend =
        "Each line goes from the best round to the 99th percentile of all samples, on a logarithmic scale; the dot is the median of the rounds. "
        + "<b class=\"ours\">The library’s</b> rows are in colour, <b class=\"typed\">the typed calls of the kernel’s facilities</b> beside them; "
        + "a row that ends in -c is the same calls made from C. <i>ratio</i> is to the row with 1.00 in the same round; "
        + "<i>× floor</i> is how many times what the machine itself asks: a cache line there and back, or one copy of the bytes. "
        + "<i>calls</i> are system calls of all sides per operation, counted in a run of their own where the kernel allows it."

    private var contents: String {
        element("nav", reports.map { element("a", ["href": "#\($0.suite)"], escaped($0.suite)) }.joined(separator: " "))
    }

    private var footer: String {
        leftOut.isEmpty
            ? ""
            : element("footer", element("h2", "Left out") + element("ul", leftOut.map { element("li", escaped($0)) }.joined()))
    }

    private func section(_ report: BenchmarkReport) -> String {
        var content = element("h2", escaped(report.suite))
        for placement in [Placement.twoCores, .sameCore, .unpinned] {
            let streams = report.measurements.filter { $0.placement == placement && $0.metric.isStream }
            guard let plot = ThroughputPlot(streams) else { continue }
            content += element("figure", element("figcaption", "Throughput of a stream, by the size of a message") + plot.html)
        }
        for group in report.groups {
            let plot = RangePlot(
                rows: group.rows, floorRatio: { $0.ratio(to: floor(of: $0)) }, ratio: { report.ratio(of: $0) })
            content += element("figure", element("figcaption", escaped(group.heading)) + plot.html)
        }
        return element("section", ["id": report.suite], content)
    }

    /// What the machine itself asks for what a row does: measured beside it, or else anywhere in this run.
    private func floor(of row: Measurement) -> Measurement? {
        guard !row.contender.hasPrefix("floor-"), row.placement == .twoCores else { return nil }
        let all = reports.flatMap(\.measurements)
        let names: [String] =
            switch row.metric {
            case .roundTrip: ["floor-cache-line"]
            case .request: row.size < 1 << 20 ? ["floor-cache-line"] : ["floor-two-memcpy-read"]
            case .throughput, .stream: ["floor-memcpy"]
            default: []
            }
        let floors = all.filter { names.contains($0.contender) && $0.placement == row.placement }
        return floors.first { $0.size == row.size && $0.metric == row.metric }
            ?? floors.first { $0.size == row.size || $0.contender == "floor-cache-line" }
    }

    private static let style = """
        :root{color-scheme:light dark;--back:#fdfdfc;--text:#1c1f23;--dim:#5f6873;--line:#e2e5e9;--other:#7b8794;--ours:#c2410c;--typed:#1d4ed8;--floor:#15803d}
        @media(prefers-color-scheme:dark){:root{--back:#15181c;--text:#e6e9ed;--dim:#98a2ae;--line:#2c323a;--other:#8b96a3;--ours:#fb923c;--typed:#7aa7ff;--floor:#4ade80}}
        *{box-sizing:border-box}
        body{font:16px/1.5 system-ui,sans-serif;color:var(--text);background:var(--back);max-width:64rem;margin:0 auto;padding:1rem}
        h1{margin:.5rem 0}h2{margin:2.5rem 0 .5rem;border-bottom:1px solid var(--line)}
        dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:1rem 0}dt{color:var(--dim)}dd{margin:0}
        pre{background:color-mix(in srgb,var(--line) 45%,transparent);padding:.6rem .8rem;border-radius:.4rem;overflow-x:auto}
        nav{display:flex;flex-wrap:wrap;gap:1rem;position:sticky;top:0;background:var(--back);padding:.5rem 0;z-index:1}a{color:var(--typed)}
        figure{margin:1.5rem 0}figcaption{font-weight:600;margin-bottom:.3rem}
        table{border-collapse:collapse;width:100%;font-size:.875rem;font-variant-numeric:tabular-nums}
        th{font-weight:400;text-align:left;white-space:nowrap}thead th{color:var(--dim);vertical-align:bottom}
        td,th{padding:0 .5rem 0 0}.number{text-align:right;white-space:nowrap}.plot{width:45%;padding:0 .5rem}tr.size th{padding-top:.5rem;color:var(--dim)}
        svg{display:block;width:100%;height:1.4rem;overflow:visible}svg.axis{height:1rem}svg text{fill:var(--dim);font-size:12px}
        svg.lines{height:auto}.grid{stroke:var(--line);stroke-width:1}
        .range{stroke:var(--other);stroke-width:2.5;stroke-linecap:round}.dot{fill:var(--other)}
        tr.ours th,b.ours{color:var(--ours);font-weight:600}tr.ours .range{stroke:var(--ours)}tr.ours .dot{fill:var(--ours)}
        tr.typed th,b.typed{color:var(--typed)}tr.typed .range{stroke:var(--typed)}tr.typed .dot{fill:var(--typed)}
        tr.floor th{color:var(--floor)}tr.floor .range{stroke:var(--floor)}tr.floor .dot{fill:var(--floor)}
        .legend{display:flex;flex-wrap:wrap;gap:.2rem 1rem;list-style:none;padding:0;margin:.3rem 0;font-size:.875rem}
        .key{display:inline-block;width:1rem;height:.25rem;margin-right:.4rem;vertical-align:middle;background:var(--c);border-radius:2px}
        .series polyline{fill:none;stroke:var(--c);stroke-width:2}.series circle{fill:var(--c)}.series.ours polyline{stroke-width:3.5}
        .s0{--c:#4e79a7}.s1{--c:#b07aa1}.s2{--c:#59a14f}.s3{--c:#e15759}.s4{--c:#76b7b2}.s5{--c:#9c755f}.s6{--c:#d4a72c}.s7{--c:#8a63d2}.s8{--c:#ff9da7}.s9{--c:#7f8c8d}
        .ours{--c:var(--ours)}.series.floor,li.floor{--c:var(--floor)}.series.floor polyline{stroke-dasharray:6 4}
        @media(max-width:40rem){.wide{display:none}.plot{width:34%}body{padding:.6rem}th{white-space:normal;overflow-wrap:anywhere}}
        """
}
