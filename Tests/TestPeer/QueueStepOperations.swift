import Interprocess
import QueueTestSupport

/// The operations that are stepped. Before and after each, the record says what the numbers are to be and what they have become.
extension QueueStep {
    typealias Stepper = (_ body: () throws -> Void) throws -> Void

    static let batchSize: UInt64 = 3

    private static func sent(_ record: QueueRecord, _ number: UInt64, _ count: UInt64, _ body: () throws -> Void) rethrows {
        record[.sendIntent] = number + count
        try body()
        record[.sent] = number + count
    }

    static func received(_ record: QueueRecord, _ number: UInt64, _ count: UInt64, _ body: () throws -> Void) rethrows {
        record[.receiveIntent] = number + count
        try body()
        record[.received] = number + count
    }

    static func stepTypedSending(_ operation: String, _ options: QueueOptions, _ record: QueueRecord, _ step: Stepper) throws {
        var sender = try Sender<Numbered>(to: "q", options: options, strategy: .park)
        let count = operation.hasSuffix("Batch") ? batchSize : 1
        func batch() -> [Numbered] { (0..<count).map { Numbered(sender.nextSequence + $0) } }
        func once(_ messages: [Numbered]) throws {
            try sent(record, sender.nextSequence, count) {
                switch operation {
                case "trySend": try sender.trySend(messages[0])
                case "sendBatch": try sender.send(contentsOf: messages.span)
                case "publishBatch":
                    _ = try sender.publish(upTo: messages.count) { span in for message in messages { span.append(message) } }
                default: try sender.send(messages[0])
                }
            }
        }
        try once(batch())
        if operation == "sendWaiting" {
            while (try? sender.trySend(Numbered(sender.nextSequence))) != nil {}
            record[.sent] = sender.nextSequence
        }
        if operation == "sendDropping" {
            while sender.dropped == 0 { try sender.send(Numbered(sender.nextSequence)) }
            record[.sent] = sender.nextSequence
        }
        let messages = batch()
        record[.ready] = 1
        try step { try once(messages) }
    }

    static func stepByteSending(_ operation: String, _ options: QueueOptions, _ record: QueueRecord, _ step: Stepper) throws {
        var sender = try ByteSender(to: "q", options: options, strategy: .park)
        // Messages of all kinds of size, so that the runtime has found what it looks up for each: a hundred thousand instructions if they are stepped.
        for number in 0..<20 { _ = NumberedBytes.make(UInt64(number), limit: NumberedBytes.smallLimit) }
        func once() throws {
            let number = sender.nextSequence
            let size = NumberedBytes.size(number, limit: NumberedBytes.smallLimit)
            try sent(record, number, 1) {
                switch operation {
                case "sendBytes":
                    let message = NumberedBytes.make(number, limit: NumberedBytes.smallLimit)
                    unsafe try sender.send(message.span.bytes)
                case "publishBytes": _ = try sender.publish(byteCount: size) { NumberedBytes.fill(&$0, number) }
                default:
                    var reservation = try sender.reserve(byteCount: size)
                    var bytes = reservation.bytes
                    NumberedBytes.fill(&bytes, number)
                    reservation.publish()
                }
            }
        }
        try once()
        record[.ready] = 1
        try step { try once() }
    }

    static func stepTypedReceiving(_ operation: String, _ options: QueueOptions, _ record: QueueRecord, _ step: Stepper) throws {
        var receiver = try Receiver<Numbered>(from: "q", options: options, strategy: .park)
        let count = operation == "receiveBatch" ? UInt64(2) : 1
        func once() throws {
            try received(record, receiver.nextSequence, count) {
                switch operation {
                case "tryReceive": _ = try receiver.tryReceive()
                case "receiveBatch": _ = try receiver.receiveBatch(upTo: 2) { $0.count }
                default: _ = try receiver.receive()
                }
            }
        }
        try once()
        record[.ready] = 1
        try step { try once() }
    }
}
