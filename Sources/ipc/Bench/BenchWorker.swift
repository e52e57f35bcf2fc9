import ArgumentParser
import CBenchmarkPeers
import InterprocessSystem

/// One side of one measurement, in a process of its own. Started by ``WorkerGroup`` only.
struct BenchWorker: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-worker", abstract: "One side of a measurement; started by `ipc bench`.", shouldDisplay: false)

    @Argument var suite: String
    @Argument var comparison: Int
    @Argument var contender: String
    @Argument var side: Int
    @Argument var count: Int
    @Argument var areaOffset: Int

    func run() async throws { try await runHere() }

    /// On the first thread, and on no other unless the case awaits something: a thread that has not blocked the signal that is measured would be given it, and end the process.
    @MainActor
    func runHere() async throws {
        Signal.block([Signal.realTime.lowerBound])
        guard let suite = BenchmarkSuite.all.first(where: { $0.name == suite }), suite.comparisons.indices.contains(comparison),
            let contender = suite.comparisons[comparison].contenders.first(where: { $0.name == contender }),
            let body = side < suite.comparisons[comparison].nearCount ? contender.near : contender.far
        else { throw usageFailure("bench-worker: there is no such case") }
        let memory: BenchmarkSide
        do {
            memory = try BenchmarkSide.open(
                index: side, size: suite.comparisons[comparison].size, count: count, area: contender.area, areaOffset: areaOffset)
        } catch {
            throw usageFailure("bench-worker is started by bench, not by hand (\(error))")
        }
        do {
            try await body(memory)
        } catch {
            unsafe bench_fail(memory.pointer, "\(error)", 0)
        }
    }
}
