import ArgumentParser
import Interprocess
import InterprocessSystem
import Synchronization
import SystemPackage

/// One victim: started, killed, and waited for.
struct DeathRound: ~Copyable {
    private let kind: DeathCase
    private let queue: Segment
    private let socket: OwnedDescriptor
    private var child: ChildProcess
    private var receiver: Receiver<UInt64>

    /// Starts the victim and waits until it has filled its memory and joined.
    static func start(_ kind: DeathCase, _ mebibytes: Int, victimProcessor: Int?) throws -> DeathRound {
        let queue = try Segment.anonymousQueue(of: UInt64.self)
        let pair = try UnixStream.pair()
        let child = try ChildProcess(
            starting: ChildProcess.currentProgram,
            arguments: ["bench-victim", "\(mebibytes)", victimProcessor.map { "\($0)" } ?? "any"],
            descriptors: [(queue.descriptor, 3), (pair.second.descriptor, 4)])
        // The far end is only the victim's once the pair is gone.
        let socket = OwnedDescriptor(owning: try pair.first.descriptor.duplicate())
        var receiver = try Receiver<UInt64>(descriptor: queue.descriptor, strategy: .park)
        guard try receiver.receive(until: .after(.seconds(60))) != nil else { throw BenchmarkError("the victim did not begin") }
        return DeathRound(kind: kind, queue: queue, socket: socket, child: child, receiver: receiver)
    }

    /// Nanoseconds from the kill to here.
    ///
    /// - Parameter processor: where the killing thread runs; nil for anywhere.
    mutating func measure(on processor: Int?) async throws -> UInt64 {
        let victim = try ProcessDescriptor(opening: child.pid)
        let killed = KillTime()
        try startServiceThread(named: "bench-killer") {
            if let processor { try? Processor.pin(to: [processor]) }
            // The caller has to be asleep by then; this is a benchmark, and a call that came too early would only look faster.
            sleepThread(for: .milliseconds(5))
            killed.setNow()
            try? victim.send(signal: Signal.kill)
        }
        let noticed = try await waitForDeath()
        return noticed.nanoseconds(since: killed.time)
    }

    private func blockOnProcess() throws -> Bool { try ProcessDescriptor(opening: child.pid).wait(until: .after(.seconds(30))) }

    private mutating func waitForDeath() async throws -> MonotonicInstant {
        switch kind {
        case .interprocess:
            if let noticed = try block() { return noticed }
        case .interprocessAsync:
            do {
                _ = try await receiver.receive(until: .after(.seconds(30)))
            } catch .peerDied {
                return .now
            }
        case .pidfd:
            if try blockOnProcess() { return .now }
        case .unixStream:
            var byte: UInt8 = 0
            let count = try unsafe withUnsafeMutableBytes(of: &byte) { buffer in try unsafe socket.descriptor.read(into: buffer) }
            if count == 0 { return .now }
        }
        throw BenchmarkError("no notice of the victim's death came")
    }

    /// Blocks this thread, as a program without tasks does.
    private mutating func block() throws -> MonotonicInstant? {
        do {
            _ = try receiver.receive(until: .after(.seconds(30)))
            return nil
        } catch .peerDied {
            return .now
        }
    }

    consuming func end() throws { _ = try child.wait() }
}

/// When the kill was sent, from one thread to another.
private final class KillTime: Sendable {
    private let nanoseconds = Atomic<UInt64>(0)
    func setNow() { nanoseconds.store(MonotonicInstant.now.nanoseconds, ordering: .releasing) }
    var time: MonotonicInstant { MonotonicInstant(nanoseconds: nanoseconds.load(ordering: .acquiring)) }
}

/// The victim. Started by ``DeathRound`` only.
struct BenchVictim: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-victim", abstract: "The process that is killed; started by `ipc bench death`.", shouldDisplay: false)

    @Argument var mebibytes: Int
    /// A processor's number, or "any".
    @Argument var processor: String

    func run() throws {
        if let processor = Int(processor) { try Processor.pin(to: [processor]) }
        let size = mebibytes << 20
        var memory = [UInt8](repeating: 1, count: size)
        for index in stride(from: 0, to: size, by: 4096) { memory[index] = UInt8(truncatingIfNeeded: index >> 12) | 1 }
        var sender = try Sender<UInt64>(descriptor: FileDescriptor(rawValue: 3))
        try sender.send(UInt64(memory[size / 2]))
        // Until it is killed, or its parent is gone.
        _ = try unsafe withUnsafeMutableBytes(of: &memory[0]) { buffer in try unsafe FileDescriptor(rawValue: 4).read(into: buffer) }
    }
}
