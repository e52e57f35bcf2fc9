import CBenchmarkPeers
import InterprocessSystem
import SystemPackage

/// One measurement: starts the sides of a contender on their processors, waits for them, reads what they report.
///
/// The sides begin together, at a barrier in the memory that they share. None outlives the measurement: when one fails the others are ended,
/// and each has asked the kernel to end it with this process.
struct WorkerGroup {
    let suite: String
    /// Index in the suite.
    let comparisonIndex: Int
    let comparison: Comparison
    let contender: Contender
    /// Of each side, those on the near side first; nil for anywhere.
    let processors: [Int?]
    let nanosecondsPerTick: Double

    /// How many processes play the contender.
    static func size(of comparison: Comparison, _ contender: Contender) -> Int {
        contender.far == nil ? 1 : comparison.nearCount + comparison.farCount
    }

    /// Runs `count` turns.
    ///
    /// - Parameter tracepoint: system calls are counted at it, which slows them; nil: they are not.
    func run(count: Int, countingCallsAt tracepoint: UInt32? = nil) throws -> RoundResult {
        let turnsPerSample = comparison.metric.turnsPerSample(size: comparison.size)
        let samples = count / turnsPerSample + 1
        let page = Int(BENCH_PAGE)
        let areaOffset = (page + samples * MemoryLayout<UInt64>.stride + page - 1) / page * page
        let file = try MemoryFile.make(named: "ipc bench", size: areaOffset + contender.area.size)
        let mapping = unsafe try MemoryMapping(reserving: areaOffset)
        try unsafe mapping.mapShared(file.descriptor, from: 0, at: 0, size: areaOffset)
        let control = unsafe mapping.base.assumingMemoryBound(to: bench_control.self)
        unsafe prepare(&control.pointee, samples: samples)
        unsafe control.pointee.tracepoint = tracepoint ?? 0
        func reports() -> [bench_report] {
            unsafe withUnsafeBytes(of: &control.pointee.reports) {
                unsafe Array($0.bindMemory(to: bench_report.self).prefix(processors.count))
            }
        }

        try runSides(count: count, areaOffset: areaOffset, memory: file.descriptor, failures: { reports().map(\.reason) })
        let all = reports(), near = all[0]
        // Those that share the turns begin and end when they can; elsewhere the near side sees the beginning and the end of all.
        let isShared = comparison.metric.isShared
        let started = isShared ? all.map(\.started).min()! : near.started
        let stopped = isShared ? all.map(\.stopped).max()! : near.stopped
        let recorded = unsafe UnsafeBufferPointer(
            start: (mapping.base + page).assumingMemoryBound(to: UInt64.self), count: min(Int(near.samples), samples))
        return unsafe RoundResult(
            metric: comparison.metric, turns: count, turnsPerSample: turnsPerSample, nanosecondsPerTick: nanosecondsPerTick,
            ticks: stopped &- started, processorNanoseconds: all.reduce(0) { $0 + $1.processor_ns },
            ticksPerReading: Double(near.ticks_of_readings) / Double(BENCH_READINGS), samples: recorded,
            calls: tracepoint == nil || all.contains { $0.calls < 0 } ? nil : all.reduce(0) { $0 + Int($1.calls) })
    }

    private func prepare(_ control: inout bench_control, samples: Int) {
        precondition(processors.count <= Int(BENCH_MOST_SIDES), "the control block has reports for fewer sides")
        control.sides = UInt32(processors.count)
        control.near_sides = UInt32(contender.far == nil ? 1 : comparison.nearCount)
        control.coordinator = UInt32(ProcessIdentity.current().pid)
        control.token = randomUInt64()
        control.sample_capacity = UInt64(samples)
        control.message_size = UInt64(comparison.size)
        unsafe withUnsafeMutableBytes(of: &control.processors) { bytes in
            let numbers = unsafe bytes.bindMemory(to: Int16.self)
            for (index, processor) in processors.enumerated() { unsafe numbers[index] = processor.map { Int16($0) } ?? -1 }
        }
    }

    private func runSides(count: Int, areaOffset: Int, memory: FileDescriptor, failures: () -> [String]) throws {
        let descriptors = try contender.descriptors(comparison.size)
        var sides: [Side] = []
        do {
            defer { descriptors.close() }
            let program = contender.program.flatMap(\.path) ?? ChildProcess.currentProgram
            let task = contender.program == nil ? ["bench-worker", suite, "\(comparisonIndex)", contender.name] : [contender.operation]
            let turns = ["\(count)", "\(areaOffset)"]
            if contender.launchesSides {
                sides.append(
                    try Side(program: program, arguments: task + ["launch"] + turns, memory: memory, inherited: [], processor: nil))
            } else {
                for (index, processor) in processors.enumerated() {
                    sides.append(
                        try Side(
                            program: program, arguments: task + ["\(index)"] + turns, memory: memory,
                            inherited: index < comparison.nearCount ? descriptors.near : descriptors.far, processor: processor))
                }
            }
        } catch {
            // Those that have been started wait for the one that could not be.
            for side in sides { side.end() }
            _ = try? waitForEnds(of: sides, failures: failures)
            throw error
        }
        try waitForEnds(of: sides, failures: failures)
    }

    /// When one side fails the others may wait for it for ever, so they are ended.
    private func waitForEnds(of sides: [Side], failures: () -> [String]) throws {
        var failure: String?
        var deadline = MonotonicInstant.now.advanced(by: .seconds(120))
        var running = Array(sides.indices)
        while !running.isEmpty {
            // Rarely, because this process runs on one of the sides' processors.
            for index in running where try sides[index].hasEnded(within: .milliseconds(index == running[0] ? 50 : 0)) {
                running.removeAll { $0 == index }
                let ending = try sides[index].ending()
                guard ending != .exited(0), failure == nil else { continue }
                failure = failures().first { !$0.isEmpty } ?? "a side ended early (\(ending))"
                for other in running { sides[other].end() }
                deadline = .now.advanced(by: .seconds(2))
            }
            guard MonotonicInstant.now > deadline else { continue }
            // Once they are asked to end; who does not is ended.
            for index in running { failure == nil ? sides[index].end() : sides[index].kill() }
            failure = failure ?? "no end after two minutes"
            deadline = .now.advanced(by: .seconds(2))
        }
        if let failure { throw BenchmarkError("\(label): \(failure)") }
    }

    /// What is measured, for people.
    var label: String { "\(comparison.label), \(contender.name)" }
}

extension Comparison {
    /// What is compared, for people.
    var label: String {
        let size = size > 0 ? ", \(formatted(bytes: size))" : ""
        return "\(metric.rawValue)\(subject.isEmpty ? "" : ", \(subject)")\(size), \(placement.rawValue)"
    }
}

extension bench_report {
    /// What a side says about its failure; empty if it has not failed.
    fileprivate var reason: String {
        unsafe withUnsafeBytes(of: failure) { bytes in unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

/// A side's process, seen from the coordinator.
private final class Side {
    private var process: ChildProcess
    private let descriptor: ProcessDescriptor

    init(program: FilePath, arguments: [String], memory: FileDescriptor, inherited: [FileDescriptor], processor: Int?) throws {
        // A child inherits the processors of the thread that starts it: so all its threads are pinned, from its first instruction on.
        let allowed = try Processor.allowed()
        if let processor { try Processor.pin(to: [processor]) }
        defer { try? Processor.pin(to: allowed) }
        var descriptors = [(memory, CInt(BENCH_MEMORY)), (FileDescriptor.standardError, 1)]
        for (index, descriptor) in inherited.enumerated() { descriptors.append((descriptor, CInt(Int(BENCH_INPUT) + index))) }
        process = try ChildProcess(starting: program, arguments: arguments, descriptors: descriptors)
        descriptor = try ProcessDescriptor(opening: process.pid)
    }

    func hasEnded(within time: Duration) throws -> Bool { try descriptor.wait(until: .now.advanced(by: time)) }
    func ending() throws -> ChildProcess.Ending { try process.wait() }
    func end() { process.send(signal: Signal.terminate) }
    func kill() { process.send(signal: Signal.kill) }
}
