import Interprocess
import QueueTestSupport

/// The receiving side of a storm: looks at each message before it takes it, if that can be, and counts the ends of senders.
enum QueueStormReceiving {
    static func typed(_ setting: QueueStorm.Setting) throws {
        var random = setting.random
        let record = setting.record
        var receiver = try Receiver<Numbered>(from: "q", capacity: setting.capacity, options: setting.options, strategy: setting.strategy)
        try setting.check(receiver.nextSequence, from: .received, to: .receiveIntent)
        record[.received] = receiver.nextSequence
        while true {
            let number = receiver.nextSequence
            let isBatch = setting.kind == .batch && Bool.random(using: &random)
            let count = isBatch ? Int.random(in: 1...QueueStorm.largestBatch, using: &random) : 1
            record[.receiveIntent] = number + UInt64(count)
            do {
                if isBatch {
                    let result = try receiver.receiveBatch(upTo: count, until: .after(.seconds(1))) { span -> Int in
                        for index in span.indices where !span[index].isWhole(number + UInt64(index)) { return index }
                        return -1
                    }
                    if let result {
                        guard result.get() < 0 else { throw setting.wrong("message \(number) + \(result.get()) of a batch is not whole") }
                    } else if try closed(setting) {
                        return
                    }
                } else if let message = try receiver.receive(until: .after(.seconds(1))) {
                    guard message.isWhole(number) else { throw setting.wrong("instead of message \(number): \(message)") }
                } else if try closed(setting) {
                    return
                }
            } catch let error as ReceiveError {
                try wait(error, setting) { receiver.waitForSender(until: .after(QueueStorm.patience)) }
            }
            record[.received] = receiver.nextSequence
        }
    }

    static func bytes(_ setting: QueueStorm.Setting) throws {
        var random = setting.random
        let record = setting.record
        var receiver = try ByteReceiver(from: "q", capacity: setting.capacity, options: setting.options, strategy: setting.strategy)
        let limit = try ByteLimit.of(receiver.segment)
        try setting.check(receiver.nextSequence, from: .received, to: .receiveIntent)
        record[.received] = receiver.nextSequence
        while true {
            let number = receiver.nextSequence
            record[.receiveIntent] = number + 1
            do {
                let isRefused = Int.random(in: 0..<8, using: &random) == 0
                let result = try receiver.receive(until: .after(.seconds(1))) { (bytes) throws(Refusal) -> Bool in
                    let isWhole = NumberedBytes.isWhole(bytes, number, limit: limit)
                    if isRefused { throw Refusal(isWhole: isWhole) }
                    return isWhole
                }
                switch result {
                case .success(true)?: break
                case .failure(let refusal)? where refusal.isWhole: break
                case nil: if try closed(setting) { return }
                default: throw setting.wrong("message \(number) is not whole")
                }
            } catch let error as ReceiveError {
                try wait(error, setting) { receiver.waitForSender(until: .after(QueueStorm.patience)) }
            }
            record[.received] = receiver.nextSequence
        }
    }

    static func suspended(_ setting: QueueStorm.Setting) async throws {
        let record = setting.record
        var receiver = try Receiver<Numbered>(from: "q", capacity: setting.capacity, options: setting.options, strategy: setting.strategy)
        try setting.check(receiver.nextSequence, from: .received, to: .receiveIntent)
        record[.received] = receiver.nextSequence
        while true {
            let number = receiver.nextSequence
            record[.receiveIntent] = number + 1
            do {
                if let message = try await receiver.receive(until: .after(.seconds(1))) {
                    guard message.isWhole(number) else { throw setting.wrong("instead of message \(number): \(message)") }
                } else if try closed(setting) {
                    return
                }
            } catch let error as ReceiveError {
                try wait(error, setting) { receiver.waitForSender(until: .after(QueueStorm.patience)) }
            }
            record[.received] = receiver.nextSequence
        }
    }

    /// The sender has closed: true when it was told to.
    static func closed(_ setting: QueueStorm.Setting) throws -> Bool {
        setting.record[.closesTold] += 1
        guard setting.record[.stop] != 0 else { throw setting.wrong("no sender has closed, and the receiver was told so") }
        return true
    }

    static func wait(_ error: ReceiveError, _ setting: QueueStorm.Setting, forSender body: () -> Bool) throws {
        switch error {
        case .deadline: break
        case .peerDied:
            setting.record[.deathsTold] += 1
            guard body() else { throw setting.wrong("no sender came") }
        default: throw setting.wrong("receiving: \(error)")
        }
    }
}

/// A body that refuses the message.
private struct Refusal: Error, Equatable { let isWhole: Bool }

/// The largest message of a byte queue, as its sender says it.
enum ByteLimit {
    static func of(_ segment: Segment) throws -> Int { try QueueInspection.validate(segment).ringBytes - 24 }
}
