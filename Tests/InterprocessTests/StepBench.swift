import InterprocessSystem
import QueueTestSupport
import SystemPackage

@testable import Interprocess

/// Runs one operation of a queue in a process that is killed in the middle of it, and is itself the survivor: it holds the other side, which must go on at once.
///
/// The survivor's side stays the same through all kills; the victim's side has a new session each time.
final class StepBench {
    private let operation: String
    private let path: String
    private let options: QueueOptions
    private let record: QueueRecord
    private let server: PeerServer
    private let watch: StepWatch
    /// The survivor's side.
    private var sending: StepSending?
    private var receiving: StepReceiving?
    private var isBytes: Bool { operation.hasSuffix("Bytes") }
    private var isWaiting: Bool { operation.hasSuffix("Waiting") }

    init(_ operation: String, _ directory: ObjectDirectory, _ path: String) throws {
        self.operation = operation
        watch = try StepWatch("stepping \(operation)")
        self.path = path
        options = QueueOptions(directory: directory, overflow: operation.hasSuffix("Dropping") ? .dropOldest : .wait)
        record = try QueueRecord.create(in: directory)
        server = try PeerServer()
        let isSender = operation.lowercased().contains("send") || operation.contains("publish") || operation.contains("reserve")
        if isSender {
            receiving = try operation.hasSuffix("Bytes") ? StepReceiving(bytes: options) : StepReceiving(typed: options)
        } else {
            sending = try StepSending(isBytes: operation.hasSuffix("Bytes"), options)
        }
    }

    /// The survivor's segment, for checks.
    private var segment: Segment {
        if let receiving { return receiving.segment }
        guard let sending else { preconditionFailure("a bench has one side") }
        return sending.segment
    }

    var state: String { "\(record.summary). \((try? QueueInspection.validate(segment)).map { "\($0)" } ?? "damaged")" }

    func end() {
        watch.end()
        sending = nil
        receiving = nil
    }

    /// One victim, and everything that must hold after its death. Returns how far it came.
    func run(_ point: KillPoint, wholeCalls: Bool) throws -> (instructions: Int, changes: Int) {
        for word in QueueRecord.Word.allCases { record[word] = 0 }
        let first = try prepare()
        let victim = try server.start(["queue-step", operation, path] + point.arguments + [wholeCalls ? "1" : "0"])
        try awaitDeath(victim)
        try watch.watched("surviving one killed at \(point)") {
            _ = try QueueInspection.validate(segment)
            if let receiving { try receiving.goOn(after: operation, record, from: first, options) }
            if let sending { try sending.goOn(after: operation, record, from: first, options) }
            _ = try QueueInspection.validate(segment)
        }
        return (Int(record[.instructions]), Int(record[.changes]))
    }

    /// Fills the queue if the victim is to receive. Returns the number of the victim's first message.
    private func prepare() throws -> UInt64 {
        if let receiving { return receiving.next }
        guard let sending else { return 0 }
        let first = sending.next
        record[.received] = first
        record[.receiveIntent] = first
        // The one that waits finds one message, and then none.
        try sending.send(operation == "receiveWaiting" ? 1 : 7, asBatch: operation == "receiveBatch")
        sending.endReceiver()
        return first
    }

    /// The victim kills itself in any case, however late; one that sleeps is woken after a while.
    private func awaitDeath(_ victim: Int32) throws {
        var ending = "running"
        var wakes = 0
        var stillness = Stillness()
        while true {
            ending = try server.wait(victim, isWaiting ? .milliseconds(10) : .milliseconds(200))
            guard ending == "running" else { break }
            let threads = try ThreadLook.all(of: victim) + ThreadLook.keepers()
            guard !stillness.lasts(threads) else { throw TestFailure("the victim hangs: \(threads)") }
            guard isWaiting, isAsleep(victim) else { continue }
            if let receiving { try receiving.takeWaiting() }
            // It may have died meanwhile: then there is nobody to send to.
            if let sending, wakes < 3 { try? sending.send(1, asBatch: false) }
            wakes += 1
        }
        guard ending == "signalled 9" else { throw TestFailure("the victim: \(ending)") }
    }
    /// Whether the victim sleeps in its operation, and not only says that it is about to.
    private func isAsleep(_ victim: Int32) -> Bool {
        let words = QueueWords(segment.mapping)
        let flags = receiving == nil ? words.receiverFlags : words.senderFlags
        return record[.ready] == 1 && flags.loadAcquire() & WaitFlags.sleeping != 0 && ThreadLook("\(victim)", "\(victim)")?.state == "S"
    }
}
