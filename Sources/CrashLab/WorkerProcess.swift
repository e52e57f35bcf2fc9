import InterprocessSystem
import SystemPackage

/// A worker seen from the lab: asked by lines, answering by lines.
final class WorkerProcess {
    private var child: ChildProcess
    private let input: OwnedDescriptor
    private let output: OwnedDescriptor
    private var received: [UInt8] = []

    init(directory: FilePath, _ settings: RunSettings) throws {
        let toWorker = try Pipe()
        let fromWorker = try Pipe()
        input = OwnedDescriptor(owning: try toWorker.writing.descriptor.duplicate())
        output = OwnedDescriptor(owning: try fromWorker.reading.descriptor.duplicate())
        // Symbols are bound at the start, so that no stepped operation finds one; and hashes are the same in every process.
        child = try ChildProcess(
            starting: ChildProcess.currentProgram,
            arguments: [
                "work", directory.string, "--patience", "\(Int(settings.patience / .milliseconds(1)))", "--parent",
                "\(ProcessIdentity.current().pid)",
            ] + (settings.stepsIntoCalls ? ["--calls"] : []) + (settings.isFromStart ? ["--from-start"] : []),
            descriptors: [(toWorker.reading.descriptor, 0), (fromWorker.writing.descriptor, 1)],
            environment: ["LD_BIND_NOW": "1", "SWIFT_DETERMINISTIC_HASHING": "1", "SWIFT_BACKTRACE": "enable=no"])
    }

    deinit {
        child.send(signal: Signal.kill)
        _ = try? child.wait()
    }

    /// What the worker's answer says of a trial.
    struct Answer: Sendable {
        let length: Length
        let place: String
        let failure: String?
        /// Whether what was to happen could not.
        let isVoid: Bool
        let trace: Trace?
    }

    func run(_ scenario: String, _ mode: Mode, _ point: Point, seed: UInt64) throws -> Answer {
        _ = try input.descriptor.writeAll("\(scenario)\t\(mode.rawValue)\t\(point)\t\(seed)\n".utf8)
        let words = try readLine().split(separator: "\t", maxSplits: 5).map(String.init)
        guard words.count == 6, let instructions = Int64(words[1]), let changes = Int64(words[2]) else {
            throw Violation("a worker answered '\(words.joined(separator: " "))'")
        }
        return Answer(
            length: Length(instructions: instructions, changes: changes), place: words[3], failure: words[0] == "failed" ? words[5] : nil,
            isVoid: words[0] == "void", trace: words[4] == "-" ? nil : Trace(words[4]))
    }

    private func readLine() throws -> String {
        while true {
            if let end = received.firstIndex(of: 10) {
                defer { received.removeSubrange(...end) }
                return String(decoding: received[..<end], as: UTF8.self)
            }
            var buffer = [UInt8](repeating: 0, count: 8192)
            let count = try unsafe buffer.withUnsafeMutableBytes { try unsafe output.descriptor.read(into: $0) }
            guard count > 0 else { throw Violation("a worker ended: \(try child.wait())") }
            received += buffer[..<count]
        }
    }
}
