import Interprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport

let serviceCommands: [String: Command] = [
    "service-hold": serviceHold, "service-answer": serviceAnswer, "service-ask": serviceAsk, "service-read": serviceRead,
    "service-soak": serviceSoak,
]

private func directory(_ arguments: [String]) -> ObjectDirectory { ObjectDirectory(at: FilePath(arguments[0])) }

/// service-hold DIRECTORY [silent]: takes a call, says its number, and says when nobody waits for it any more. Of a stream it sends one part, unless it is silent.
@Sendable private func serviceHold(_ arguments: [String]) throws {
    let server = try SoakService.server(in: directory(arguments))
    say("ready")
    while let call = try server.take() {
        say("took \(call.request.number)")
        if call.isStreamed, arguments.count == 1 { try call.send(SoakService.reply(to: call.request)) }
        while !call.isCancelled { sleepThread(for: .microseconds(100)) }
        let reply = SoakService.reply(to: call.request)
        do { try call.reply(reply) } catch { say("\(error == .callerGone ? "caller gone" : "\(error)")") }
    }
}

/// service-answer DIRECTORY: replies to every call.
@Sendable private func serviceAnswer(_ arguments: [String]) throws {
    let server = try SoakService.server(in: directory(arguments))
    say("ready")
    try server.serve { SoakService.reply(to: $0) }
}

/// service-ask DIRECTORY NUMBER: calls once, and says what came of it.
@Sendable private func serviceAsk(_ arguments: [String]) throws {
    let client = try SoakService.client(in: directory(arguments))
    say("ready")
    do {
        let reply = try client.call(SoakMessage(0, UInt64(try arguments.number(1))))
        say("reply \(reply.number)")
    } catch { say("\(error)") }
}

/// service-read DIRECTORY: begins a stream, reads a part of it, and waits.
@Sendable private func serviceRead(_ arguments: [String]) throws {
    let client = try SoakService.client(in: directory(arguments))
    let stream = client.stream(SoakMessage(0, 1))
    _ = try stream.next()
    say("read")
    _ = try stream.next()
}

/// service-soak DIRECTORY ask|answer INDEX RETRIES: calls, or serves, until it is killed or told to stop.
@Sendable private func serviceSoak(_ arguments: [String]) throws {
    let directory = directory(arguments)
    let record = try QueueRecord.open(in: directory)
    do {
        let account = try ServiceAccount.open(in: directory)
        if arguments[1] == "ask" {
            try ask(SoakService.client(in: directory, retries: arguments.number(3)), account, record, try arguments.number(2))
        } else {
            try answer(SoakService.server(in: directory), account, record)
        }
    } catch {
        record.fail("\(arguments.joined(separator: " ")): \(error)")
        throw error
    }
}

private func ask(_ client: SoakService.Caller, _ account: ServiceAccount, _ record: QueueRecord, _ stream: Int) throws {
    // Numbers that no process before this has used.
    var number = randomUInt64() >> 8
    while record[.stop] == 0 {
        number &+= 1
        let request = SoakMessage(stream, number)
        do {
            if number % 8 == 0 {
                try askForStream(client, request, record)
            } else {
                let reply = try client.call(request, until: .after(.seconds(60)))
                guard reply.isWhole, reply.number == SoakService.reply(to: request).number, reply.stream == request.stream else {
                    return record.fail("call \(number) of \(stream) got the reply \(reply.number) of \(reply.stream)")
                }
            }
            account.count(.answered)
        } catch CallError.peerDied {
            // A stream of which something was read is not sent again.
            if client.policy.retries > 0, number % 8 != 0 { record.fail("a call was not sent again") }
            account.count(.died)
        }
    }
}

private func askForStream(_ client: SoakService.Caller, _ request: SoakMessage, _ record: QueueRecord) throws(CallError) {
    var expected = SoakService.reply(to: request)
    var count = 0
    let replies = client.stream(request, until: .after(.seconds(60)))
    while let part = try replies.next() {
        guard part.isWhole, part.number == expected.number else {
            return record.fail("part \(count) of \(request.number) is \(part.number)")
        }
        expected = SoakMessage(Int(request.stream), expected.number + 1)
        count += 1
    }
    if count != 5 { record.fail("the stream of \(request.number) ended after \(count) parts") }
}

private func answer(_ server: SoakService.Answerer, _ account: ServiceAccount, _ record: QueueRecord) throws {
    while true {
        do {
            guard let call = try server.take(until: .after(.milliseconds(50))) else { return }
            let request = call.request
            guard request.isWhole else { return record.fail("a request is torn") }
            let reply = SoakService.reply(to: request)
            // So that one that is killed mostly has a call.
            if request.number % 4 == 0 { sleepThread(for: .microseconds(300)) }
            do throws(ServeError) {
                if call.isStreamed {
                    for part in 0..<5 as Range<UInt64> { try call.send(SoakMessage(Int(reply.stream), reply.number + part)) }
                    try call.finish()
                } else {
                    try call.reply(reply)
                }
                account.count(.served)
            } catch {
                guard error == .callerGone else { throw error }
                account.count(.abandoned)
            }
        } catch ServeError.deadline { if record[.stop] == 2 { return } }
    }
}
