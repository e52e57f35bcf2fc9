/// Bytes per second of streams, by the size of a message; a line for each contender.
struct ThroughputPlot {
    let series: [Series]

    struct Series {
        let name: String
        let kind: String
        let points: [(size: Int, bytesPerNanosecond: Double)]
    }

    /// Of all streams of one placement, those with three sizes and more; of the bare calls none: they lie on their wrappers' lines.
    init?(_ rows: [Measurement]) {
        var names: [String] = []
        for row in rows where row.metric.isStream && row.median > 0 && !names.contains(row.contender) { names.append(row.contender) }
        let bare = Set(rows.compactMap(\.bare))
        series = names.filter { !bare.contains($0) }.map { name in
            let own = rows.filter { $0.contender == name && $0.median > 0 }.sorted { $0.size < $1.size }
            return Series(name: name, kind: own[0].kind, points: own.map { ($0.size, Double($0.size) / $0.median) })
        }.filter { $0.points.count >= 3 }
        if series.isEmpty { return nil }
    }

    private let width = 720.0, height = 360.0, left = 64.0, bottom = 36.0, top = 12.0, right = 16.0

    var html: String {
        guard let across = LogScale(series.flatMap { $0.points.map { Double($0.size) } }),
            let up = LogScale(series.flatMap { $0.points.map(\.bytesPerNanosecond) })
        else { return "" }
        func x(_ size: Int) -> Double { left + (width - left - right) * across.share(Double(size)) }
        func y(_ rate: Double) -> Double { height - bottom - (height - bottom - top) * up.share(rate) }
        func text(_ number: Double) -> String { formatted(number, digits: 1) }
        var drawing = ""
        for tick in up.ticks {
            drawing +=
                "<line class=\"grid\" x1=\"\(text(left))\" x2=\"\(text(width - right))\" y1=\"\(text(y(tick)))\" y2=\"\(text(y(tick)))\"/>"
                + "<text x=\"\(text(left - 6))\" y=\"\(text(y(tick) + 4))\" text-anchor=\"end\">\(rateLabel(tick))</text>"
        }
        for size in Set(series.flatMap { $0.points.map(\.size) }).sorted() {
            drawing += "<text x=\"\(text(x(size)))\" y=\"\(text(height - 14))\" text-anchor=\"middle\">\(formatted(bytes: size))</text>"
        }
        for (index, line) in series.enumerated() {
            let path = line.points.map { "\(text(x($0.size))),\(text(y($0.bytesPerNanosecond)))" }.joined(separator: " ")
            let dots = line.points.map { point in
                let about = "\(line.name), \(formatted(bytes: point.size)): \(rateLabel(point.bytesPerNanosecond))"
                return
                    "<circle cx=\"\(text(x(point.size)))\" cy=\"\(text(y(point.bytesPerNanosecond)))\" r=\"3.5\"><title>\(escaped(about))</title></circle>"
            }
            drawing += element("g", ["class": "series s\(index % 10) \(line.kind)"], "<polyline points=\"\(path)\"/>" + dots.joined())
        }
        let legend = series.enumerated().map { index, line in
            element("li", ["class": "s\(index % 10) \(line.kind)"], "<span class=\"key\"></span>" + escaped(line.name))
        }.joined()
        return element("ul", ["class": "legend"], legend)
            + element(
                "svg",
                [
                    "class": "lines", "viewBox": "0 0 \(Int(width)) \(Int(height))", "role": "img",
                    "aria-label": "Throughput by size of message",
                ],
                drawing)
    }

    private func rateLabel(_ bytesPerNanosecond: Double) -> String {
        if bytesPerNanosecond >= 1 { return "\(formatted(bytesPerNanosecond, digits: bytesPerNanosecond < 10 ? 1 : 0)) GB/s" }
        let megabytes = bytesPerNanosecond * 1000
        return "\(formatted(megabytes, digits: megabytes < 10 ? 1 : 0)) MB/s"
    }
}
