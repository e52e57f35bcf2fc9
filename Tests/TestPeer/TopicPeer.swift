import CTestSystem
import Glibc
import Interprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport

/// Processes that publish to the topic "t" and subscribe to it. Arguments: DIRECTORY …
let topicCommands: [String: Command] = [
    "topic-publish": topicPublish, "topic-subscribe": topicSubscribe, "topic-take": topicTake, "topic-hold": topicHold,
    "topic-fork": topicFork,
    "topic-scribble": topicScribble, "topic-soak": topicSoak, "topic-busy": topicBusy,
]

/// As the tests make it.
func topicOptions(_ directory: String) -> TopicOptions { TopicOptions(directory: ObjectDirectory(at: FilePath(directory))) }

/// topic-publish DIRECTORY FIRST COUNT: publishes so many numbers, saying "publishing" before and "published" after it.
@Sendable private func topicPublish(_ arguments: [String]) throws {
    var publisher = try Publisher<Int>(to: "t", options: topicOptions(arguments[0]), strategy: .park)
    let first = try arguments.number(1), count = try arguments.number(2)
    say("publishing")
    for number in first..<first + count { try publisher.publish(number) }
    say("published")
    try forEachLine { _ in }
}

/// topic-subscribe DIRECTORY lossless|lossy: says "joined", and for each line "read" what it receives, with what it has missed before that.
@Sendable private func topicSubscribe(_ arguments: [String]) throws {
    var subscriber = try Subscriber<Int>(
        to: "t", arguments[1] == "lossy" ? .lossy : .lossless, options: topicOptions(arguments[0]), strategy: .park)
    say("joined")
    try forEachLine { _ in
        guard let number = try subscriber.receive() else { return say("finished") }
        say(subscriber.lastMissed > 0 ? "\(number) after \(subscriber.lastMissed)" : "\(number)")
    }
}

/// topic-take DIRECTORY lossless|lossy: takes two messages that are there, says "holding", keeps them, and for each line what they are.
@Sendable private func topicTake(_ arguments: [String]) throws {
    var subscriber = try Subscriber<Int>(
        to: "t", arguments[1] == "lossy" ? .lossy : .lossless, history: .last(2), options: topicOptions(arguments[0]))
    let first = try there(try subscriber.take()), second = try there(try subscriber.take())
    say("holding")
    try forEachLine { _ in
        let numbers = (first.message, second.message)
        say("\(numbers.0) \(numbers.1)")
        _ = try subscriber.tryReceive()
    }
    first.release()
    second.release()
}

private func there<Value: ~Copyable>(_ value: consuming Value?) throws -> Value {
    switch consume value {
    case .some(let value): return value
    case nil: throw BadArguments()
    }
}

/// topic-hold DIRECTORY loans|samples: has two, says "holding", and keeps them.
@Sendable private func topicHold(_ arguments: [String]) throws {
    var publisher = try Publisher<Int>(to: "t", options: topicOptions(arguments[0]))
    var subscriber = try Subscriber<Int>(to: "t", .lossy, options: topicOptions(arguments[0]))
    if arguments[1] == "loans" {
        let first = try publisher.loan(), second = try publisher.loan()
        say("holding")
        try forEachLine { _ in }
        first.giveBack()
        second.giveBack()
    } else {
        try publisher.publish(1)
        try publisher.publish(2)
        let first = try there(try subscriber.take()), second = try there(try subscriber.take())
        say("holding")
        while let line = readLine() {
            guard line == "look" else { continue }
            let numbers = (first.message, second.message)
            say("\(numbers.0) \(numbers.1)")
        }
        first.release()
        second.release()
    }
}

/// topic-fork DIRECTORY: forks with both ends open, and the child says what it finds.
@Sendable private func topicFork(_ arguments: [String]) throws {
    var publisher = try Publisher<Int>(to: "t", options: topicOptions(arguments[0]))
    var subscriber = try Subscriber<Int>(to: "t", options: topicOptions(arguments[0]))
    try publisher.publish(1)
    let loan = try publisher.loan()
    try forkAndWait {
        func outcome(_ body: () throws -> String) -> String {
            do { return try body() } catch let error as PublishError<Int> { return "\(error.reason)" } catch let error as PublishError<Void>
            {
                return "\(error.reason)"
            } catch {
                return error is SubscriptionError ? "\(error as! SubscriptionError == .detached ? "detached" : "other")" : "\(error)"
            }
        }
        say(
            "publish "
                + outcome {
                    try publisher.publish(2, until: .after(.seconds(1))); return "got"
                })
        say("receive " + outcome { "\(try subscriber.receive(until: .after(.seconds(1))) ?? 0)" })
        say(
            "rejoin "
                + outcome {
                    try subscriber.rejoin(history: .all); return "got"
                })
        publisher.finish()
    }
    say("parent \(try subscriber.receive() ?? 0)")
    loan.giveBack()
    try publisher.publish(3)
    say("parent \(try subscriber.receive() ?? 0)")
}

/// topic-scribble DIRECTORY SEED: writes random words over the topic, until it is killed.
@Sendable private func topicScribble(_ arguments: [String]) throws {
    try scribble(over: arguments[0] + "/t", seed: arguments[1])
}

/// topic-busy DIRECTORY COUNT: publishes and receives so often, in place and copied, for a lossless and a lossy subscriber.
@Sendable private func topicBusy(_ arguments: [String]) throws {
    var publisher = try Publisher<Int>(to: "t", options: topicOptions(arguments[0]))
    var lossless = try Subscriber<Int>(to: "t", .lossless, options: topicOptions(arguments[0]))
    var lossy = try Subscriber<Int>(to: "t", .lossy, options: topicOptions(arguments[0]))
    let count = try arguments.number(1)
    for number in 0..<count {
        if number % 2 == 0 { try publisher.publish(number) } else { try publisher.publish { $0 = number }.get() }
        guard try lossless.receive() == number else { throw BadArguments() }
        guard number % 2 == 0 ? try lossy.receive() == number : try lossy.take()?.message == number else { throw BadArguments() }
    }
    say("\(count)")
}

// MARK: Soak

/// topic-soak DIRECTORY publish|lossless|lossy|samples STREAM: publishes the messages of a stream, or receives what comes, until it is killed or told to stop.
@Sendable private func topicSoak(_ arguments: [String]) throws {
    let directory = ObjectDirectory(at: FilePath(arguments[0]))
    let record = try QueueRecord.open(in: directory)
    do {
        let account = try TopicAccount.open(in: directory)
        let index = try arguments.number(2)
        var options = TopicOptions(directory: directory, lifetime: .untilRemoved)
        options.existence = .mustExist
        if arguments[1] == "publish" {
            var publisher = try Publisher<SoakMessage>(to: "t", options: options)
            try publish(&publisher, account, record, index)
        } else {
            var subscriber = try Subscriber<SoakMessage>(to: "t", arguments[1] == "lossless" ? .lossless : .lossy, options: options)
            try receive(&subscriber, account, record, index, holding: arguments[1] == "samples")
        }
    } catch {
        record.fail("\(arguments.joined(separator: " ")): \(error)")
        throw error
    }
}

private func publish(_ publisher: inout Publisher<SoakMessage>, _ account: TopicAccount, _ record: QueueRecord, _ stream: Int) throws {
    var number = account.intent(stream)
    // Nobody knows whether that one was published: the subscribers find out.
    while record[.stop] == 0, number < account.last {
        number += 1
        account.willPublish(stream, number)
        if number % 4 == 0 {
            var loan = try publisher.loan()
            loan.message = SoakMessage(stream, number)
            try publisher.publish(&loan)
        } else {
            try publisher.publish(SoakMessage(stream, number))
        }
        account.hasPublished(stream, number)
    }
    while record[.stop] == 0 { sleepThread(for: .milliseconds(1)) }
}

/// Between the first and the last message that this subscriber has received, each message is received or counted as missed; of a lossless one none is missed. Publishers that were killed leave out numbers, but
/// only those that they may not have published.
private func receive(
    _ subscriber: inout Subscriber<SoakMessage>, _ account: TopicAccount, _ record: QueueRecord, _ index: Int, holding: Bool
) throws {
    var last = [UInt64](repeating: 0, count: SoakAccount.streams)
    func check(_ message: SoakMessage, _ sequence: UInt64, _ next: UInt64, _ missed: UInt64) {
        guard message.isWhole else { return record.fail("message \(message.number) of stream \(message.stream) is torn") }
        guard sequence == next + missed, subscriber.mode == .lossy || missed == 0 else {
            return record.fail("message \(sequence) came where \(next) was the next, with \(missed) missed")
        }
        let stream = Int(message.stream)
        let before = last[stream]
        last[stream] = message.number
        if subscriber.mode == .lossless, before > 0, message.number != before + 1 {
            // Only what a killed publisher was about to publish may be left out.
            for number in before + 1..<max(before + 1, message.number) where !account.isDoubtful(stream, number) {
                return record.fail("of stream \(stream) \(message.number) came after \(before), and \(number) was published")
            }
            if message.number <= before { return record.fail("of stream \(stream) \(message.number) came after \(before)") }
        }
        if !account.number(message.stream, message.number, sequence) {
            record.fail("message \(message.number) of stream \(stream) has another number for somebody else than \(sequence)")
        }
        account.countReceived(index, missed: missed)
    }
    while record[.stop] == 0 {
        let next = subscriber.nextSequence
        do throws(SubscriptionError) {
            if holding {
                guard let sample = try subscriber.take(until: .after(.milliseconds(50))) else { return }
                let message = sample.message
                let following = subscriber.nextSequence
                check(message, sample.sequence, next, sample.missed)
                if let other = try subscriber.tryReceive() {
                    check(other, subscriber.lastSequence ?? 0, following, subscriber.lastMissed)
                }
                let again = sample.message
                if again.number != message.number || !again.isWhole { record.fail("a message has changed while it was held") }
            } else {
                guard let message = try subscriber.receive(until: .after(.milliseconds(50))) else { return }
                check(message, subscriber.lastSequence ?? 0, next, subscriber.lastMissed)
            }
        } catch {
            guard error == .deadline else { throw error }
        }
    }
}
