import CBenchmarkPeers

/// What is measured, and how samples become figures.
enum Metric: String, Sendable, CaseIterable {
    /// A message there and one back; both sides poll where they can.
    case roundTrip = "round-trip"
    /// One message of a steady stream.
    case perMessage = "per-message"
    /// One large message of a steady stream; written, and looked at word by word. In time, as everything else; the table adds bytes per
    /// second.
    case throughput
    /// From the waker's call to the first instruction of a sleeper that was parked.
    case wakeup
    /// One direction of a ping-pong in which both sides block.
    case `switch`
    /// Taking and giving back.
    case pair
    /// System calls per message.
    case syscalls

    /// Operations that one turn of a case's loop stands for: a ping-pong is two switches.
    var operationsPerTurn: Double { self == .switch ? 2 : 1 }

    /// The turns that one sample covers.
    func turnsPerSample(size: Int) -> Int { self == .perMessage ? Int(bench_messages_per_sample(UInt64(size))) : 1 }

    /// A round's figure is the median of averages over this many samples in a row. Streams run ahead and catch up in bursts, so that only
    /// an average over more than a ring holds says what a message costs; and a counter that advances in steps of ten nanoseconds (AMD's)
    /// says little about one round trip.
    var samplesPerAverage: Int {
        switch self {
        case .roundTrip, .perMessage: 16
        case .throughput: 4
        default: 1
        }
    }

    var isStream: Bool { self == .perMessage || self == .throughput }

    /// All of them, for people.
    static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }

    var unit: String { self == .syscalls ? "calls" : "ns" }
}

/// Which processors the two sides run on.
enum Placement: String, Sendable {
    case sameCore = "same-core"
    case twoCores = "two-cores"
}

/// One way to do what a ``Comparison`` asks. Its two sides run in two fresh processes of this program.
struct Contender: Sendable {
    /// Runs one side: sets up, ``BenchmarkSide/start()``, `count` turns, ``BenchmarkSide/stop()``. A thrown error ends the run with its
    /// description.
    typealias Body = @Sendable (BenchmarkSide) async throws -> Void

    /// The `case` of the report.
    var name: String
    /// Shared memory for the mechanism.
    var area = BenchmarkArea.page
    /// Makes what the two sides inherit besides; called anew for each round, with the size of a message.
    var descriptors: @Sendable (_ size: Int) throws -> SideDescriptors = { _ in SideDescriptors() }
    /// The side that measures: it pings, receives, or sleeps.
    var near: Body
    /// The other side; nil where one process does all.
    var far: Body?
}

/// Contenders for one question, measured in turn in every round.
struct Comparison: Sendable {
    var metric: Metric
    /// Bytes of a message; 0 where there is none.
    var size: Int
    var placement: Placement
    /// The contender whose median is 1 in the column `ratio`: the floor, or the rival to beat.
    var baseline: String
    var contenders: [Contender]
}

/// Comparisons that are run and reported together.
struct BenchmarkSuite: Sendable {
    var name: String
    var comparisons: [Comparison]

    /// Every suite, for the worker processes, which find their case by its name.
    static let all = [queue, handoff]
}

/// The part of the shared memory that belongs to the mechanism. It is zero at the start of every round.
enum BenchmarkArea: Sendable {
    /// One page.
    case page
    /// Rings of this many bytes with a control page each, in one direction (1) or both (2).
    case rings(capacity: Int, directions: Int)
    /// Nothing: the mechanism has memory of its own, about this many bytes for each direction.
    case elsewhere(capacity: Int)

    var capacity: Int {
        switch self {
        case .page: 0
        case .rings(let capacity, _), .elsewhere(let capacity): capacity
        }
    }

    var size: Int {
        switch self {
        case .page, .elsewhere: Int(BENCH_PAGE)
        case .rings(let capacity, let directions): directions * (Int(BENCH_PAGE) + capacity)
        }
    }
}
