// What a reader of the README brings along: names that its programs use and do not declare. Scripts/snippets type-checks them together.
import Interprocess
import SystemPackage

struct Reading: Shareable {
    var sensor: UInt32 = 0
    var celsius: Float = 0
}

struct Totals: Shareable {
    var count = 0
    mutating func recount() {}
}

struct Job: Shareable {
    var number = 0
    var priority = 0
    init(number: Int) {}
    init(_ number: Int) {}
}

struct JobList: Shareable {
    var isEmpty: Bool { true }
    mutating func removeFirst() -> Job { Job(0) }
}

struct Scene: Shareable {
    var width = 0
    var frame = 0
}

struct Position: Shareable {
    var x = 0.0
    var y = 0.0
}

struct Resize: Shareable {
    var image = 0
    var width = 0
}

struct Thumbnail: Shareable {}
struct Order: Codable, Sendable {}
struct Image: Codable, Sendable {}

func work(_ job: Job) {}
func resize(_ job: Job) throws {}
func write(_ reading: Reading) {}
func show(_ reading: Reading, _ missed: UInt64) {}
func render(_ request: Resize) async -> Thumbnail { Thumbnail() }
func image(of order: Order) async throws -> Image { Image() }
func readCommand() throws {}
func buildTables() throws {}
func printStatistics() {}

let work: [Job] = []
let order = Order()
func anything<T>() -> T { fatalError("only type-checked") }
let totals: SharedMutex<Totals> = anything()
let jobs: SharedMutex<JobList> = anything()
let notEmpty: SharedCondition = anything()
let listener: SharedNotifier.Listener = anything()
