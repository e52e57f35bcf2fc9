import InterprocessSystem
import SystemPackage

/// Says how far the run is, and about how long it will take: on a terminal in a line that changes, elsewhere, on standard error too, at the beginning and
/// then every minute.
struct ProgressLine {
    private let isTerminal = FileDescriptor.standardError.isTerminal
    private var shown = ""
    private var next = MonotonicInstant.now

    mutating func update(_ progress: LabRun.Progress) {
        let text = "\(progress.done) of \(progress.total)  about \(Self.duration(progress.secondsLeft)) left  \(progress.what)"
        guard isTerminal else {
            guard progress.total > 200, MonotonicInstant.now >= next else { return }
            next = .now.advanced(by: .seconds(60))
            return put(text + "\n")
        }
        guard text != shown else { return }
        shown = text
        put("\r\u{1b}[K\(text)")
    }

    func clear() { if isTerminal { put("\r\u{1b}[K") } }

    private func put(_ text: String) { _ = try? FileDescriptor.standardError.writeAll(text.utf8) }

    /// To two digits or so: it is an estimate.
    private static func duration(_ seconds: Int) -> String {
        switch seconds {
        case ..<90: "\(seconds) s"
        case ..<5400: "\((seconds + 30) / 60) min"
        default: "\(seconds / 3600) h \(seconds % 3600 / 60) min"
        }
    }
}
