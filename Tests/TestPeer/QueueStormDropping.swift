import Interprocess
import QueueTestSupport

/// The receiving side of a storm over a queue that drops the oldest: each message is whole and newer than the last, whichever receiver got that.
enum QueueStormDropping {
    static func typed(_ setting: QueueStorm.Setting) throws {
        var random = setting.random
        let record = setting.record
        var receiver = try Receiver<Numbered>(from: "q", capacity: setting.capacity, options: setting.options, strategy: setting.strategy)
        try begin(at: receiver.nextSequence, setting)
        while true {
            do {
                if Bool.random(using: &random) {
                    let count = Int.random(in: 1...QueueStorm.largestBatch, using: &random)
                    let result = try receiver.receiveBatch(upTo: count, until: .after(.seconds(1))) { span in
                        span.indices.map { span[$0] }
                    }
                    guard let batch = result?.get() else {
                        if try QueueStormReceiving.closed(setting) { return }
                        continue
                    }
                    let first = receiver.nextSequence - UInt64(batch.count)
                    try check(first, setting)
                    for (index, message) in batch.enumerated() where !message.isWhole(first + UInt64(index)) {
                        throw setting.wrong("instead of message \(first) + \(index) of a batch: \(message)")
                    }
                } else {
                    guard let message = try receiver.receive(until: .after(.seconds(1))) else {
                        if try QueueStormReceiving.closed(setting) { return }
                        continue
                    }
                    let number = receiver.nextSequence - 1
                    try check(number, setting)
                    guard message.isWhole(number) else { throw setting.wrong("instead of message \(number): \(message)") }
                }
            } catch let error as ReceiveError {
                try QueueStormReceiving.wait(error, setting) { receiver.waitForSender(until: .after(QueueStorm.patience)) }
            }
            record[.received] = receiver.nextSequence
        }
    }

    static func bytes(_ setting: QueueStorm.Setting) throws {
        var random = setting.random
        let record = setting.record
        var receiver = try ByteReceiver(from: "q", capacity: setting.capacity, options: setting.options, strategy: setting.strategy)
        let limit = try ByteLimit.of(receiver.segment)
        try begin(at: receiver.nextSequence, setting)
        while true {
            do {
                let isRefused = Int.random(in: 0..<8, using: &random) == 0
                let result = try receiver.receive(until: .after(.seconds(1))) { (bytes) throws(Refusal) -> [UInt8] in
                    if isRefused { throw Refusal() }
                    return unsafe bytes.withUnsafeBytes { unsafe Array($0) }
                }
                switch result {
                case .success(let message)?:
                    let number = receiver.nextSequence - 1
                    try check(number, setting)
                    guard unsafe NumberedBytes.isWhole(message.span.bytes, number, limit: limit) else {
                        throw setting.wrong("message \(number) is not whole")
                    }
                    record[.received] = receiver.nextSequence
                case .failure?: break
                case nil: if try QueueStormReceiving.closed(setting) { return }
                }
            } catch let error as ReceiveError {
                try QueueStormReceiving.wait(error, setting) { receiver.waitForSender(until: .after(QueueStorm.patience)) }
            }
        }
    }

    /// What a receiver will get next is not known beforehand.
    private static func begin(at number: UInt64, _ setting: QueueStorm.Setting) throws {
        setting.record[.receiveIntent] = .max
        try setting.check(number, from: .received, to: .receiveIntent)
        // The one before may have taken more than it wrote down.
        setting.record[.received] = number
    }

    private static func check(_ number: UInt64, _ setting: QueueStorm.Setting) throws {
        guard number >= setting.record[.received] else {
            throw setting.wrong("message \(number) came after \(setting.record[.received]) had been received")
        }
    }
}

/// A body that refuses the message.
private struct Refusal: Error {}
