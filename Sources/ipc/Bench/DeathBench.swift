import ArgumentParser
import Histogram
import Interprocess
import InterprocessSystem
import SystemPackage
import TextTable

/// `ipc bench death`: from SIGKILL to the blocked caller running again.
struct DeathBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "death", abstract: "From SIGKILL of a peer to the blocked caller running again.",
        discussion: """
            In every round and for every case a fresh victim fills its memory, joins, and is killed while this process is blocked on it. Two cores: the \
            victim on one, the caller and the killing thread on the other. Rivals: a descriptor of the process (pidfd) and a socket's hang-up.
            """)

    @Option(help: ArgumentHelp("Write JSON Lines to a file, or to standard output and nothing else there (-).", valueName: "file"))
    var json: String?
    @Option(help: ArgumentHelp("How many victims for each case.", valueName: "n"))
    var rounds = 100
    @Option(help: ArgumentHelp("Memory of the large victim in MiB.", valueName: "mib"))
    var victim = 1024
    @Flag(help: "Five rounds and a victim of 64 MiB: to see that all works, not for figures.")
    var quick = false

    mutating func validate() throws {
        guard (1...100_000).contains(rounds) else { throw ValidationError("--rounds \(rounds): a number from 1 to 100000 is needed") }
        guard (1...65_536).contains(victim) else { throw ValidationError("--victim \(victim): a number of MiB from 1 to 65536 is needed") }
    }

    func run() async throws {
        let destination = try BenchDestination(json: json)
        let rounds = quick ? 5 : rounds
        let sizes = [1, quick ? 64 : victim]
        var results: [DeathResult] = []
        for placement in DeathPlacement.allCases {
            for size in sizes {
                for kind in DeathCase.allCases {
                    results.append(DeathResult(kind: kind, placement: placement, mebibytes: size))
                }
            }
        }
        let isTerminal = FileDescriptor.standardError.isTerminal
        for round in 0..<rounds {
            for index in results.indices {
                do {
                    try await results[index].measure()
                } catch {
                    throw runFailure("bench death: \(error)")
                }
            }
            if isTerminal { TextOutput.standardError("\rround \(round + 1) of \(rounds)\u{1B}[K") }
        }
        if isTerminal { TextOutput.standardError("\r\u{1B}[K") }
        try destination.write(tables: DeathResult.table(of: results), jsonLines: results.map(\.jsonLine).joined())
    }
}

/// How a death is waited for.
enum DeathCase: String, CaseIterable, Sendable {
    case interprocess, interprocessAsync = "interprocess-async", pidfd, unixStream = "unix-stream"
}

/// Where victim and caller run.
enum DeathPlacement: String, CaseIterable, Sendable { case twoCores = "two-cores", unpinned }

/// All rounds of one case.
struct DeathResult {
    let kind: DeathCase
    let placement: DeathPlacement
    let mebibytes: Int
    private var samples = Histogram<UInt64>(highestTrackableValue: 60_000_000_000, numberOfSignificantValueDigits: .three)
    private var least = UInt64.max
    private var processorTime: UInt64 = 0
    private var count = 0

    init(kind: DeathCase, placement: DeathPlacement, mebibytes: Int) {
        (self.kind, self.placement, self.mebibytes) = (kind, placement, mebibytes)
    }

    mutating func measure() async throws {
        let processors = try Processor.allowed()
        let isPinned = placement == .twoCores && processors.count > 1
        var round = try DeathRound.start(kind, mebibytes, victimProcessor: isPinned ? processors[1] : nil)
        if isPinned { try Processor.pin(to: [processors[0]]) }
        let before = processorTimeNanoseconds()
        let nanoseconds = try await round.measure(on: isPinned ? processors[0] : nil)
        processorTime += processorTimeNanoseconds() - before
        if isPinned { try Processor.pin(to: processors) }
        try round.end()
        samples.record(nanoseconds)
        least = min(least, nanoseconds)
        count += 1
    }

    var jsonLine: String {
        let figures = [0, 50, 99, 99.9].map { samples.valueAtPercentile($0) }
        return """
            {"suite":"death","case":"\(kind.rawValue)","placement":"\(placement.rawValue)","size":\(mebibytes << 20),"metric":"wakeup",\
            "unit":"ns","min":\(least),"median":\(figures[1]),"p99":\(figures[2]),"p999":\(figures[3]),\
            "cpu":\(processorTime / UInt64(max(count, 1))),"rounds":\(count)}

            """
    }

    static func table(of results: [DeathResult]) -> String {
        let table = TextTable<DeathResult> { row in
            func time(_ percent: Double) -> String { "\(formatted(Double(row.samples.valueAtPercentile(percent)) / 1000, digits: 1)) µs" }
            return [
                Column(title: "placement", value: row.placement.rawValue),
                Column(title: "victim", value: "\(row.mebibytes) MiB", align: .right),
                Column(title: "case", value: row.kind.rawValue),
                Column(title: "min", value: "\(formatted(Double(row.least) / 1000, digits: 1)) µs", align: .right),
                Column(title: "median", value: time(50), align: .right),
                Column(title: "p90", value: time(90), align: .right),
                Column(title: "p99", value: time(99), align: .right),
                Column(title: "max", value: time(100), align: .right),
            ]
        }
        return "\nFrom SIGKILL to the blocked caller running again, \(results.first?.count ?? 0) victims each:\n"
            + (table.string(for: results, style: Style.plain) ?? "") + "\n"
    }
}
