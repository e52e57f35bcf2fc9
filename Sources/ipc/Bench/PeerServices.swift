import InterprocessSystem
import SystemPackage

/// A process that a rival needs besides the sides.
enum PeerService: Sendable, Hashable {
    /// iceoryx's daemon, which makes the memory and connects the ends.
    case rouDi
}

/// The services of one run. Each is started when the first contender needs it, and stays to the end of the run: it idles while others are
/// measured.
struct PeerServices: ~Copyable {
    private var running: [PeerService: Service] = [:]
    private var failures: [PeerService: BenchmarkError] = [:]

    /// Returns when the service is ready; at once where it runs. A service that cannot run here is tried once.
    mutating func start(_ service: PeerService) throws {
        if let failure = failures[service] { throw failure }
        guard running[service] == nil else { return }
        do {
            running[service] = try Service(service)
        } catch {
            let failure = BenchmarkError("\(error)")
            failures[service] = failure
            throw failure
        }
    }

    /// Ends them all and waits for their ends.
    mutating func end() {
        for service in running.values { service.end() }
        running = [:]
    }
}

/// A service's process.
private final class Service {
    private var process: ChildProcess
    /// What it writes; open as long as it runs, since it ends when nobody could read any more.
    private let output: FileDescriptor

    init(_ service: PeerService) throws {
        let (program, isReady) =
            switch service {
            case .rouDi: (PeerProgram.iceoryx.path, "RouDi is ready for clients")
            }
        guard let program else { throw BenchmarkError("its program was not built") }
        let pipe = try FileDescriptor.pipe()
        output = pipe.readEnd
        do {
            defer { try? pipe.writeEnd.close() }
            process = try ChildProcess(
                starting: program, arguments: ["daemon", "\(ProcessIdentity.current().pid)"],
                descriptors: [(pipe.writeEnd, 1), (pipe.writeEnd, 2)])
        } catch {
            try? output.close()
            throw error
        }
        do {
            try waitUntilReady(isReady)
        } catch {
            end()
            throw error
        }
    }

    /// Reads what the service says until it says `text`; its last line is the reason where it ends instead.
    private func waitUntilReady(_ text: String) throws {
        var said = "", buffer = [UInt8](repeating: 0, count: 4096)
        while !said.contains(text) {
            let count = try unsafe buffer.withUnsafeMutableBytes { unsafe try output.read(into: $0) }
            guard count > 0 else {
                let reason = said.split(whereSeparator: \.isNewline).last.map { String($0) } ?? "it ended"
                throw BenchmarkError("its daemon ended before it was ready; if another one runs, end that first (\(reason))")
            }
            said += String(decoding: buffer[..<count], as: UTF8.self)
        }
    }

    func end() {
        process.send(signal: Signal.terminate)
        let descriptor = try? ProcessDescriptor(opening: process.pid)
        if let descriptor, (try? descriptor.wait(until: .now.advanced(by: .seconds(5)))) != true { process.send(signal: Signal.kill) }
        _ = try? process.wait()
        try? output.close()
    }
}
