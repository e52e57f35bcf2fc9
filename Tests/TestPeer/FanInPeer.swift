import Interprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport

let fanInCommands: [String: Command] = [
    "fan-in-send": fanInSend, "fan-in-receive": fanInReceive, "fan-in-soak": fanInSoak, "fan-in-scribble": fanInScribble,
]

/// fan-in-send DIRECTORY STREAM COUNT: sends so many messages, says so, and stays until it is told to close.
@Sendable private func fanInSend(_ arguments: [String]) throws {
    var sender = try Sender<SoakMessage>(toFanIn: "q", options: FanInOptions(directory: ObjectDirectory(at: FilePath(arguments[0]))))
    say("joined")
    let (stream, count) = (try arguments.number(1), try arguments.number(2))
    for number in 0..<UInt64(count) { try sender.send(SoakMessage(stream, number)) }
    say("sent")
    _ = readLine()
}

/// fan-in-receive DIRECTORY COUNT: receives so many messages, says so, and stays.
@Sendable private func fanInReceive(_ arguments: [String]) throws {
    var receiver = try FanInReceiver<SoakMessage>(from: "q", options: FanInOptions(directory: ObjectDirectory(at: FilePath(arguments[0]))))
    say("joined")
    for _ in 0..<(try arguments.number(1)) {
        guard let message = try receiver.receive(), message.isWhole else { throw BadArguments() }
    }
    say("received")
    _ = readLine()
}

/// fan-in-scribble DIRECTORY SEED: writes random words over the queue, until it is killed.
@Sendable private func fanInScribble(_ arguments: [String]) throws { try scribble(over: arguments[0] + "/q", seed: arguments[1]) }

/// fan-in-soak DIRECTORY send|receive STREAM: sends the messages of a stream, or receives what comes, until it is killed or told to stop.
@Sendable private func fanInSoak(_ arguments: [String]) throws {
    let directory = ObjectDirectory(at: FilePath(arguments[0]))
    let record = try QueueRecord.open(in: directory)
    do {
        let account = try SoakAccount.open(in: directory)
        let options = FanInOptions(directory: directory, lifetime: .untilRemoved, maximumSenders: 6)
        if arguments[1] == "send" {
            try send(options, account, record, try arguments.number(2))
        } else {
            try receive(options, account, record)
        }
    } catch {
        record.fail("\(arguments.joined(separator: " ")): \(error)")
        throw error
    }
}

private func send(_ options: FanInOptions, _ account: SoakAccount, _ record: QueueRecord, _ stream: Int) throws {
    var sender = try Sender<SoakMessage>(toFanIn: "q", capacity: 64, options: options)
    var number = account.intent(stream)
    if number > account.done(stream) { account.doubt(stream, number) }
    while record[.stop] == 0, number + 1 < UInt64(account.limit) {
        number += 1
        account.willSend(stream, number)
        while true {
            do throws(SendError<SoakMessage>) {
                try sender.send(SoakMessage(stream, number), until: .after(.milliseconds(50)))
                break
            } catch {
                switch error.reason {
                // Another receiver comes.
                case .deadline, .peerDied, .closed: if record[.stop] != 0 { return }
                default: throw error
                }
            }
        }
        account.hasSent(stream, number)
    }
    while record[.stop] == 0 { sleepThread(for: .milliseconds(1)) }
}

private func receive(_ options: FanInOptions, _ account: SoakAccount, _ record: QueueRecord) throws {
    var receiver = try FanInReceiver<SoakMessage>(from: "q", capacity: 64, options: options)
    while true {
        do {
            guard let message = try receiver.receive(until: .after(.milliseconds(50))) else {
                if record[.stop] != 0 { return }
                continue
            }
            guard message.isWhole else { return record.fail("message \(message.number) of stream \(message.stream) is torn") }
            if account.receive(Int(message.stream), message.number) { account.countRepeated() }
        } catch ReceiveError.deadline {
            if record[.stop] != 0 { return }
        } catch ReceiveError.peerDied {}
    }
}
