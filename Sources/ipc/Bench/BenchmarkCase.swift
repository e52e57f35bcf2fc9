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
    /// Taking and giving back, allocating and freeing, by each process for itself.
    case pair
    /// Taking, counting and giving back, by two processes that do nothing else; of both together.
    case contended
    /// The same by several processes for themselves, at once; of all together.
    case together
    /// Two processes meet, both waiting for the other.
    case meeting
    /// A message that one receives and several send.
    case manyToOne = "many-to-one"
    /// A message that one of several receives and one of several sends.
    case manyToMany = "many-to-many"
    /// A message that one sends and all of several receive.
    case topic
    /// A message, sent and received by one thread.
    case bothEnds = "both-ends"
    /// A request there and a reply of the same size back.
    case request = "request-reply"
    /// A message of a steady stream from one process to another; of all together.
    case stream

    /// Operations that one turn of a case's loop stands for: a ping-pong is two switches.
    var operationsPerTurn: Double { self == .switch ? 2 : 1 }

    /// The turns that one sample covers.
    func turnsPerSample(size: Int) -> Int {
        switch self {
        case .perMessage, .manyToOne, .manyToMany, .topic, .stream: Int(bench_messages_per_sample(UInt64(size)))
        // A pair costs little more than reading the counter; of contention there are no samples, only the whole.
        case .pair, .contended, .together, .bothEnds: Int(BENCH_CHUNK)
        default: 1
        }
    }

    /// A round's figure is the median of averages over this many samples in a row. Streams run ahead and catch up in bursts, so that only
    /// an average over more than a ring holds says what a message costs; and a counter that advances in steps of ten nanoseconds (AMD's)
    /// says little about one round trip.
    var samplesPerAverage: Int {
        switch self {
        case .roundTrip, .request, .perMessage: 16
        case .throughput: 4
        default: 1
        }
    }

    /// Messages of which the table says how many bytes they are in a second.
    var isStream: Bool { self == .perMessage || self == .throughput || self == .topic || self == .stream }

    /// Whether the sides share the turns. Then there are no samples, only the whole, from the first beginning to the last end.
    var isShared: Bool {
        self == .contended || self == .together || self == .manyToOne || self == .manyToMany || self == .topic || self == .stream
    }

    /// All of them, for people.
    static var names: String { allCases.map(\.rawValue).joined(separator: ", ") }

    var unit: String { "ns" }
}

/// Which processors the sides run on.
enum Placement: String, Sendable {
    case sameCore = "same-core"
    case twoCores = "two-cores"
    /// One side after the other on the processors that this process may use, from the first again when they are used up.
    case inTurn = "in-turn"
    /// Where the kernel puts them.
    case unpinned
    /// There is one side only.
    case oneProcess = "one-process"
}

/// One way to do what a ``Comparison`` asks. Its sides run in fresh processes of this program, ``Comparison/nearCount`` of the near one and
/// ``Comparison/farCount`` of the far one.
struct Contender: Sendable {
    /// Runs one side: sets up, ``BenchmarkSide/start()``, `count` turns, ``BenchmarkSide/stop()``. A thrown error ends the run with its
    /// description.
    typealias Body = nonisolated(nonsending) @Sendable (BenchmarkSide) async throws -> Void

    /// The `case` of the report.
    var name: String
    /// The contender that makes the same calls without the library's types; nil where there is none.
    var bare: String?
    /// Shared memory for the mechanism.
    var area = BenchmarkArea.page
    /// Makes what the two sides inherit besides; called anew for each round, with the size of a message.
    var descriptors: @Sendable (_ size: Int) throws -> SideDescriptors = { _ in SideDescriptors() }
    /// The side that measures: it pings, receives, or sleeps.
    var near: Body
    /// The other side; nil where one process does all.
    var far: Body?
    /// What runs the sides in place of this program; see ``PeerProgram``.
    var program: PeerProgram?
    /// What that program is to do.
    var operation = ""
    /// Whether that program is started once and starts the sides itself.
    var launchesSides = false
    /// What has to run meanwhile.
    var service: PeerService?
    /// Whether the run goes on without it where it fails: not everybody has it.
    var isOptional = false
}

/// Contenders for one question, measured in turn in every round.
struct Comparison: Sendable {
    var metric: Metric
    /// What is taken or met at, where one metric is measured of several things.
    var subject = ""
    /// Bytes of a message; 0 where there is none.
    var size: Int
    var placement: Placement
    /// Processes on the near side, and on the far side where there is one.
    var nearCount = 1
    var farCount = 1
    /// The contender whose median is 1 in the column `ratio`: the floor, or the rival to beat.
    var baseline: String
    var contenders: [Contender]
}

/// Comparisons that are run and reported together.
struct BenchmarkSuite: Sendable {
    var name: String
    var comparisons: [Comparison]

    /// Every suite, for the worker processes, which find their case by its name.
    static let all = [queue, handoff, locks, messaging, allocate, facilities]
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
