import CCrashLab
internal import Interprocess
import InterprocessSystem
import SystemPackage

/// A process of one thread that forks the processes of trials. One line asks for a trial, one line answers; it ends with its input.
///
///     SCENARIO ⇥ MODE ⇥ POINT ⇥ SEED     "held", "void" or "failed" ⇥ instructions ⇥ changes ⇥ place ⇥ trace ⇥ text
struct Worker {
    /// Stages are made anew after so many trials, and after each failure.
    private static let trialsOfStage = 200

    let scenarios: [Scenario]
    let directory: FilePath
    let patience: Duration
    /// Whether every operation is stepped from its beginning.
    let isFromStart: Bool

    func run() throws {
        cl_prepare_process()
        cl_adopt()
        // Children inherit it. In a process of two threads, as they are, the kernel waits tens of milliseconds for every processor.
        try? ProcessBarrier.register()
        let board = Board()
        var stage: Stage?
        var seed = ""
        /// Of the scenario and mode that were asked for last: they come in turn.
        var recorded = ""
        var record: Record?
        let canStartLate = !isFromStart && cl_can_start_late() != 0
        while let line = readLine() {
            let words = line.split(separator: "\t").map(String.init)
            guard words.count == 4, let scenario = scenarios.first(where: { $0.name == words[0] }), let mode = Mode(rawValue: words[1]),
                let point = Point(words[2]), let number = UInt64(words[3])
            else { preconditionFailure("no such trial: '\(line)'") }
            let isUsable = stage.map { $0.scenario.name == words[0] && $0.mode == mode && $0.trials < Self.trialsOfStage } ?? false
            if !isUsable || seed != words[3] {
                stage = nil
                seed = words[3]
                do {
                    stage = try Stage(scenario, mode, in: directory, board, seed: number, patience: patience)
                } catch {
                    try answer(Finding(length: Length(instructions: 0, changes: 0), failure: "\(error)"))
                    continue
                }
            }
            let key = "\(words[0]) \(mode) \(seed)"
            if recorded != key, point != .end {
                recorded = key
                record = nil
                if canStartLate && mode.canStartLate && scenario.victims == 1, let made = stage?.makeRecord() {
                    if made.finding.failure != nil {
                        (stage, recorded) = (nil, "")
                        try answer(made.finding)
                        continue
                    }
                    record = made.record
                }
            }
            guard let finding = stage?.run(point, by: record) else { continue }
            if finding.failure != nil { stage = nil }
            try answer(finding)
        }
    }

    private func answer(_ finding: Finding) throws {
        let text = finding.failure.map { ($0.split { $0 == "\n" || $0 == "\t" }).joined(separator: " ") } ?? "-"
        let place = finding.failure == nil ? "-" : Place(of: finding).description
        let words = [
            finding.failure != nil ? "failed" : finding.isVoid ? "void" : "held", "\(finding.length.instructions)",
            "\(finding.length.changes)", place, finding.trace.isEmpty ? "-" : finding.trace, text,
        ]
        _ = try FileDescriptor.standardOutput.writeAll((words.joined(separator: "\t") + "\n").utf8)
    }
}

/// Where in the code a victim was. The worker has the same code at the same addresses.
struct Place: CustomStringConvertible {
    let description: String

    init(of finding: Finding) {
        guard finding.place != 0 else {
            description = "-"
            return
        }
        var texts = [Self.name(finding.place)]
        if finding.ownPlace != finding.place, finding.ownPlace != 0 { texts.append("called from " + Self.name(finding.ownPlace)) }
        description = texts.joined(separator: ", ")
    }

    private static func name(_ address: UInt64) -> String {
        var path = [CChar](repeating: 0, count: 4096)
        var offset: UInt64 = 0
        guard unsafe cl_module(address, &path, path.count, &offset) != 0 else { return "0x\(String(address, radix: 16))" }
        return "\(text(path))+0x\(String(offset, radix: 16))"
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// The name of a Swift symbol as a person writes it.
func demangled(_ symbol: String) -> String {
    guard let text = unsafe cl_demangle(symbol) else { return symbol }
    defer { unsafe cl_free(text) }
    return unsafe String(cString: text)
}
