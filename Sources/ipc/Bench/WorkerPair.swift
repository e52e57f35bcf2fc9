import CBenchmarkPeers
import InterprocessSystem
import SystemPackage

/// One measurement: starts the two sides of a contender on their processors, waits for them, reads what they report.
struct WorkerPair {
    let suite: String
    /// Index in the suite.
    let comparisonIndex: Int
    let comparison: Comparison
    let contender: Contender
    /// Of the near and the far side.
    let processors: (Int, Int)
    let nanosecondsPerTick: Double

    /// Runs `count` turns; `read` is called with what they took.
    func run(count: Int) throws -> RoundResult {
        let turnsPerSample = comparison.metric.turnsPerSample(size: comparison.size)
        let samples = count / turnsPerSample + 1
        let page = Int(BENCH_PAGE)
        let areaOffset = (page + samples * MemoryLayout<UInt64>.stride + page - 1) / page * page
        let file = try MemoryFile.make(named: "ipc bench", size: areaOffset + contender.area.size)
        let mapping = unsafe try MemoryMapping(reserving: areaOffset)
        try unsafe mapping.mapShared(file.descriptor, from: 0, at: 0, size: areaOffset)
        let control = unsafe mapping.base.assumingMemoryBound(to: bench_control.self)
        unsafe control.pointee.sides = contender.far == nil ? 1 : 2
        unsafe control.pointee.coordinator = UInt32(ProcessIdentity.current().pid)
        unsafe control.pointee.token = randomUInt64()
        unsafe control.pointee.sample_capacity = UInt64(samples)

        try runSides(count: count, areaOffset: areaOffset, memory: file.descriptor) { side in
            unsafe withUnsafeBytes(of: &control.pointee.reports) { reports in
                let report = unsafe reports.bindMemory(to: bench_report.self)[side]
                return unsafe withUnsafeBytes(of: report.failure) { bytes in
                    unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
            }
        }
        let (near, far) = unsafe control.pointee.reports
        let recorded = unsafe UnsafeBufferPointer(
            start: (mapping.base + page).assumingMemoryBound(to: UInt64.self), count: min(Int(near.samples), samples))
        return unsafe RoundResult(
            metric: comparison.metric, turns: count, turnsPerSample: turnsPerSample, nanosecondsPerTick: nanosecondsPerTick,
            ticks: near.stopped &- near.started, processorNanoseconds: near.processor_ns + far.processor_ns,
            ticksPerReading: Double(near.ticks_of_readings) / Double(BENCH_READINGS), samples: recorded)
    }

    private func runSides(count: Int, areaOffset: Int, memory: FileDescriptor, failure: (Int) -> String) throws {
        let descriptors = try contender.descriptors(comparison.size)
        var sides: [Side] = []
        do {
            defer { descriptors.close() }
            for (index, body) in [contender.near, contender.far].enumerated() where body != nil {
                let inherited = index == 0 ? descriptors.near : descriptors.far
                sides.append(
                    try Side(
                        arguments: ["bench-worker", suite, "\(comparisonIndex)", contender.name, "\(index)", "\(count)", "\(areaOffset)"],
                        memory: memory, inherited: inherited, processor: index == 0 ? processors.0 : processors.1))
            }
        }
        try wait(for: sides, failure: failure)
    }

    /// When one side fails the other may wait for it for ever, so it is ended.
    private func wait(for sides: [Side], failure: (Int) -> String) throws {
        var failed: (index: Int, ending: ChildProcess.Ending)?
        let deadline = MonotonicInstant.now.advanced(by: .seconds(120))
        var running = Array(sides.indices)
        while !running.isEmpty {
            // Rarely, because this process runs on one of the sides' processors.
            for index in running where try sides[index].hasEnded(within: .milliseconds(index == running[0] ? 50 : 0)) {
                running.removeAll { $0 == index }
                let ending = try sides[index].ending()
                if ending != .exited(0), failed == nil {
                    failed = (index, ending)
                    for other in running { sides[other].end() }
                }
            }
            if MonotonicInstant.now > deadline, failed == nil {
                for index in running { sides[index].end() }
                for index in running { _ = try sides[index].ending() }
                throw BenchmarkError("\(label): no end after two minutes")
            }
        }
        guard let failed else { return }
        let reason = failure(failed.index)
        throw BenchmarkError("\(label): \(reason.isEmpty ? "a side ended early (\(failed.ending))" : reason)")
    }

    /// What is measured, for people.
    var label: String {
        let size = comparison.size > 0 ? ", \(formatted(bytes: comparison.size))" : ""
        return "\(comparison.metric.rawValue)\(size), \(comparison.placement.rawValue), \(contender.name)"
    }
}

/// A side's process, seen from the coordinator.
private final class Side {
    private var process: ChildProcess
    private let descriptor: ProcessDescriptor

    init(arguments: [String], memory: FileDescriptor, inherited: [FileDescriptor], processor: Int) throws {
        // A child inherits the processors of the thread that starts it: so all its threads are pinned, from its first instruction on.
        let allowed = try Processor.allowed()
        try Processor.pin(to: [processor])
        defer { try? Processor.pin(to: allowed) }
        var descriptors = [(memory, CInt(BENCH_MEMORY)), (FileDescriptor.standardError, 1)]
        for (index, descriptor) in inherited.enumerated() { descriptors.append((descriptor, CInt(Int(BENCH_INPUT) + index))) }
        process = try ChildProcess(starting: ChildProcess.currentProgram, arguments: arguments, descriptors: descriptors)
        descriptor = try ProcessDescriptor(opening: process.pid)
    }

    func hasEnded(within time: Duration) throws -> Bool { try descriptor.wait(until: .now.advanced(by: time)) }
    func ending() throws -> ChildProcess.Ending { try process.wait() }
    func end() { process.send(signal: Signal.terminate) }
}
