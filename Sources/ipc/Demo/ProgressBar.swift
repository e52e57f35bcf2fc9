import Interprocess
import InterprocessSystem
import SystemPackage

/// A line on the terminal that says how far a long step is; nothing where standard error is no terminal.
struct ProgressBar: ~Copyable {
    private static let width = 30
    private static let interval = Duration.milliseconds(50)

    private let title: String
    private let total: Int
    /// How an amount is said.
    private let amount: (Int) -> String
    private let isShown = FileDescriptor.standardError.isTerminal
    private var next = MonotonicInstant.now

    init(_ title: String, of total: Int, as amount: @escaping (Int) -> String = byteCount) {
        self.title = title
        self.total = total
        self.amount = amount
    }

    /// Shows it anew, not more often than can be seen.
    mutating func update(_ done: Int) {
        guard isShown, MonotonicInstant.now >= next else { return }
        next = MonotonicInstant.now.advanced(by: Self.interval)
        let filled = total == 0 ? 0 : Int(Double(done) / Double(total) * Double(Self.width))
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: max(0, Self.width - filled))
        Output.standardError("\r\(title) [\(bar)] \(amount(done)) of \(amount(total))    ")
    }

    /// Takes the line away, so that nothing of it is left above the results.
    deinit {
        if isShown { Output.standardError("\r" + String(repeating: " ", count: title.count + Self.width + 40) + "\r") }
    }
}
