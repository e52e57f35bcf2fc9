import Interprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport

/// One side of a queue under load, until it is killed or told to stop. The other side is another process, which is killed and started again too.
///
/// Messages are numbered, and their content follows from the number. What each side is about to do and has done stands in a `QueueRecord`.
enum QueueStorm {
    enum Kind: String {
        case single, batch, bytes, suspended, dropping, droppingBytes

        var drops: Bool { self == .dropping || self == .droppingBytes }
    }

    static let largestBatch = 40
    static let patience = watchdog

    struct Setting {
        let options: QueueOptions
        let record: QueueRecord
        let kind: Kind
        let capacity: Int
        var random: SeededRandom
        let strategy: WaitStrategy

        /// Arguments: directory, kind, capacity, seed.
        init(_ arguments: [String]) throws {
            let directory = ObjectDirectory(at: FilePath(arguments[0]))
            // An empty queue that nobody has open any more would begin anew.
            record = try QueueRecord.open(in: directory)
            guard let kind = Kind(rawValue: arguments[1]), let capacity = Int(arguments[2]), let seed = UInt64(arguments[3]) else {
                preconditionFailure("not the arguments of a storm: \(arguments)")
            }
            options = QueueOptions(directory: directory, lifetime: .untilRemoved, overflow: kind.drops ? .dropOldest : .wait)
            self.kind = kind
            self.capacity = capacity
            random = SeededRandom(seed: seed)
            strategy = [.adaptive, .adaptive, .park, .park, .park, .spin][Int.random(in: 0..<6, using: &random)]
        }

        /// The number at which a side goes on must be one that the side before had reached or was about to reach.
        func check(_ number: UInt64, from done: QueueRecord.Word, to intent: QueueRecord.Word) throws {
            guard number >= record[done], number <= record[intent] else {
                let text = "the queue goes on at \(number), but \(done) is \(record[done]) and \(intent) \(record[intent])"
                record.fail(text)
                throw StormFailure(text: text)
            }
        }

        func wrong(_ text: String) -> StormFailure {
            record.fail(text)
            return StormFailure(text: text)
        }
    }

    static func run(_ arguments: [String]) throws {
        let setting = try Setting(Array(arguments.dropFirst()))
        do {
            try run(arguments[0], setting)
        } catch {
            // What was wrong first is what the test reports.
            if setting.record.failure == nil { setting.record.fail("\(arguments[0]): \(error)") }
            throw error
        }
    }

    private static func run(_ side: String, _ setting: Setting) throws {
        switch (side, setting.kind) {
        case ("send", .bytes), ("send", .droppingBytes): try QueueStormSending.bytes(setting)
        case ("send", .suspended): try runSuspended(side, setting) { try await QueueStormSending.suspended(setting) }
        case ("send", _): try QueueStormSending.typed(setting)
        case (_, .bytes): try QueueStormReceiving.bytes(setting)
        case (_, .dropping): try QueueStormDropping.typed(setting)
        case (_, .droppingBytes): try QueueStormDropping.bytes(setting)
        case (_, .suspended): try runSuspended(side, setting) { try await QueueStormReceiving.suspended(setting) }
        default: try QueueStormReceiving.typed(setting)
        }
    }

    private static func runSuspended(_ side: String, _ setting: Setting, _ body: @escaping @Sendable () async throws -> Void) throws {
        let ended = DispatchlessResult()
        Task(executorPreference: InterprocessExecutor.shared) {
            do {
                try await body()
                ended.set(0)
            } catch {
                setting.record.fail("\(side): \(error)")
                ended.set(1)
            }
        }
        while ended.value < 0 { sleepThread(for: .milliseconds(1)) }
        if ended.value != 0 { throw StormFailure(text: "see the record") }
    }
}

struct StormFailure: Error { let text: String }
