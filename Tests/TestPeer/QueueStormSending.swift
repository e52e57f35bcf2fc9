import Interprocess
import QueueTestSupport
import TestSupport

/// The sending side of a storm: goes on where the queue says, after checking that against the record.
enum QueueStormSending {
    static func typed(_ setting: QueueStorm.Setting) throws {
        var random = setting.random
        let record = setting.record
        var sender = try Sender<Numbered>(to: "q", capacity: setting.capacity, options: setting.options, strategy: setting.strategy)
        try setting.check(sender.nextSequence, from: .sent, to: .sendIntent)
        record[.sent] = sender.nextSequence
        while record[.stop] == 0 {
            let number = sender.nextSequence
            let isBatch = (setting.kind == .batch || setting.kind == .dropping) && Int.random(in: 0..<4, using: &random) > 0
            let count = isBatch ? UInt64.random(in: 1...UInt64(QueueStorm.largestBatch), using: &random) : 1
            record[.sendIntent] = number + count
            do {
                if isBatch {
                    try sendBatch(number, count, &sender, &random)
                } else {
                    do throws(SendError<Numbered>) {
                        try sender.send(Numbered(number), until: .after(.seconds(1)))
                    } catch { throw SendError(error.reason, ()) }
                }
            } catch let error as SendError<Void> {
                try wait(error.reason, setting) { sender.waitForReceiver(until: .after(QueueStorm.patience)) }
            }
            guard sender.nextSequence <= number + count else {
                throw setting.wrong("\(count) were to be sent from \(number), and it is at \(sender.nextSequence)")
            }
            record[.sent] = sender.nextSequence
        }
    }

    private static func sendBatch(_ number: UInt64, _ count: UInt64, _ sender: inout Sender<Numbered>, _ random: inout SeededRandom) throws
    {
        if Bool.random(using: &random) {
            let batch = (number..<number + count).map { Numbered($0) }
            do throws(SendError<Int>) {
                try sender.send(contentsOf: batch.span, until: .after(.seconds(1)))
            } catch { throw SendError(error.reason, ()) }
        } else {
            do throws(SendError<Void>) {
                _ = try sender.publish(upTo: Int(count), until: .after(.seconds(1))) { span in
                    for number in number..<number + count { span.append(Numbered(number)) }
                }
            } catch {
                if case .tooLarge = error.reason { return }
                throw error
            }
        }
    }

    static func bytes(_ setting: QueueStorm.Setting) throws {
        var random = setting.random
        let record = setting.record
        var sender = try ByteSender(to: "q", capacity: setting.capacity, options: setting.options, strategy: setting.strategy)
        try setting.check(sender.nextSequence, from: .sent, to: .sendIntent)
        record[.sent] = sender.nextSequence
        let limit = sender.maximumMessageSize
        while record[.stop] == 0 {
            let number = sender.nextSequence
            record[.sendIntent] = number + 1
            let size = NumberedBytes.size(number, limit: limit)
            do throws(SendError<Void>) {
                switch Int.random(in: 0..<3, using: &random) {
                case 0:
                    var reservation = try sender.reserve(byteCount: size, until: .after(.seconds(1)))
                    var bytes = reservation.bytes
                    NumberedBytes.fill(&bytes, number)
                    if Int.random(in: 0..<8, using: &random) > 0 { reservation.publish() }
                case 1:
                    let message = NumberedBytes.make(number, limit: limit)
                    unsafe try sender.send(message.span.bytes, until: .after(.seconds(1)))
                default: _ = try sender.publish(byteCount: size, until: .after(.seconds(1))) { NumberedBytes.fill(&$0, number) }
                }
            } catch {
                try wait(error.reason, setting) { sender.waitForReceiver(until: .after(QueueStorm.patience)) }
            }
            record[.sent] = sender.nextSequence
        }
    }

    static func suspended(_ setting: QueueStorm.Setting) async throws {
        let record = setting.record
        var sender = try Sender<Numbered>(to: "q", capacity: setting.capacity, options: setting.options, strategy: setting.strategy)
        try setting.check(sender.nextSequence, from: .sent, to: .sendIntent)
        record[.sent] = sender.nextSequence
        while record[.stop] == 0 {
            let number = sender.nextSequence
            record[.sendIntent] = number + 1
            do throws(SendError<Numbered>) {
                try await sender.send(Numbered(number), until: .after(.seconds(1)))
            } catch {
                try wait(error.reason, setting) { sender.waitForReceiver(until: .after(QueueStorm.patience)) }
            }
            record[.sent] = sender.nextSequence
        }
    }

    /// After a message that was not sent: waits for the next receiver, if that is why.
    private static func wait(_ reason: SendFailure, _ setting: QueueStorm.Setting, forReceiver body: () -> Bool) throws {
        switch reason {
        case .deadline: break
        case .peerDied, .closed: guard body() else { throw setting.wrong("no receiver came") }
        default: throw setting.wrong("sending: \(reason)")
        }
    }
}
