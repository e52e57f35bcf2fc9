import Interprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport

let sharedQueueCommands: [String: Command] = ["shared-soak": sharedSoak, "shared-fill": sharedFill]

/// shared-fill DIRECTORY COUNT: sends so many numbers, says so, and stays.
@Sendable private func sharedFill(_ arguments: [String]) throws {
    let queue = try SharedQueue<UInt64>(
        named: "q", options: SharedQueueOptions(directory: ObjectDirectory(at: FilePath(arguments[0])), priorities: 16))
    for number in 0..<UInt64(try arguments.number(1)) { try queue.send(number, priority: Int(number % 16), until: .now) }
    say("filled")
    while true { sleepThread(for: .seconds(1)) }
}

/// shared-soak DIRECTORY send|take|receive STREAM OVERFLOW: sends the messages of a stream, or takes what comes, until it is killed or told to stop.
@Sendable private func sharedSoak(_ arguments: [String]) throws {
    let directory = ObjectDirectory(at: FilePath(arguments[0]))
    let record = try QueueRecord.open(in: directory)
    do {
        let account = try SoakAccount.open(in: directory)
        guard let overflow = QueueOverflow(rawValue: UInt32(try arguments.number(3))) else { throw BadArguments() }
        let queue = try SharedQueue<SoakMessage>(
            named: "q", options: SharedQueueOptions(directory: directory, lifetime: .untilRemoved, overflow: overflow, priorities: 2))
        let stream = try arguments.number(2)
        switch arguments[1] {
        case "send": try send(queue, account, record, stream)
        case "take": try take(queue, account, record)
        default: try receive(queue, account, record)
        }
    } catch {
        record.fail("\(arguments.joined(separator: " ")): \(error)")
        throw error
    }
}

private func send(_ queue: SharedQueue<SoakMessage>, _ account: SoakAccount, _ record: QueueRecord, _ stream: Int) throws {
    var number = account.intent(stream)
    if number > account.done(stream) { account.doubt(stream, number) }
    while record[.stop] == 0, number + 1 < UInt64(account.limit) {
        number += 1
        account.willSend(stream, number)
        try queue.send(SoakMessage(stream, number), priority: Int(number % 2))
        account.hasSent(stream, number)
    }
    while record[.stop] == 0 { sleepThread(for: .milliseconds(1)) }
}

private func check(_ message: SoakMessage, _ account: SoakAccount, _ record: QueueRecord) {
    guard message.isWhole else { return record.fail("message \(message.number) of stream \(message.stream) is torn") }
    if account.receive(Int(message.stream), message.number) { account.countRepeated() }
}

private func take(_ queue: SharedQueue<SoakMessage>, _ account: SoakAccount, _ record: QueueRecord) throws {
    while true {
        do {
            guard let delivery = try queue.take(until: .after(.milliseconds(50))) else { return }
            check(delivery.message, account, record)
            try delivery.acknowledge()
        } catch ReceiveError.deadline { if record[.stop] != 0 { return } }
    }
}

private func receive(_ queue: SharedQueue<SoakMessage>, _ account: SoakAccount, _ record: QueueRecord) throws {
    while true {
        do {
            guard let message = try queue.receive(until: .after(.milliseconds(50))) else { return }
            check(message, account, record)
        } catch ReceiveError.deadline { if record[.stop] != 0 { return } }
    }
}
