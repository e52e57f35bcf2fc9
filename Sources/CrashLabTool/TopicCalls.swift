import CrashLab
import Interprocess

/// What processes do at a topic, whether it has one publisher or any number: a scenario opens the ends, and says what is to hold afterwards.

extension Publisher<Numbered> {
    mutating func publish(_ message: Numbered, by form: Form, until deadline: @autoclosure () -> Deadline = .never) throws {
        try form.call {
            try publish(message, until: deadline())
        } _: {
            try await publish(message, until: deadline())
        }
    }
}

extension Subscriber<Numbered> {
    /// The next message, which must be whole.
    mutating func receiveWhole(_ form: Form, until deadline: @autoclosure () -> Deadline = .never) throws {
        let message = try form.call {
            try receive(until: deadline())
        } _: {
            try await receive(until: deadline())
        }
        guard let message else { throw Violation("the topic has ended") }
        try checkIsWhole(message)
    }
}

/// Waits for one message, as the sleeper `index`.
func topicSleeper(
    _ index: Int, _ form: Form = .blocking, _ open: @escaping @Sendable (Site) throws -> TopicSubscriber
) -> @Sendable (Bystander) throws -> Void {
    { process in
        var subscriber = try open(process.site)
        try process.sleeping(index) { try subscriber.receiveWhole(form) }
    }
}

/// Gives the message up again if it comes to that. Whether it was published.
@discardableResult
func publishOrGiveUp(_ publisher: inout TopicPublisher, _ site: Site, _ form: Form) throws -> Bool {
    site.ledger[Mark.intent] = 1
    let isDone = try form.givesUp { try publisher.publish(Numbered(7), by: form, until: form.soon) }
    if isDone { site.ledger[Mark.done] = 1 } else { site.undone() }
    return isDone
}

/// All that a task may wait for, whatever comes of it.
func useTopicInTasks(_ publisher: inout TopicPublisher, _ lossless: inout TopicSubscriber) {
    // One more than the log takes.
    for number in 0...UInt64(topicCapacity) { try? publisher.publish(Numbered(number), by: .suspending, until: Form.scribbled) }
    try? publisher.publish(Numbered(9), by: .cancelled, until: Form.scribbled)
    for _ in 0...topicCapacity { try? lossless.receiveWhole(.suspending, until: Form.scribbled) }
    try? lossless.receiveWhole(.cancelled, until: Form.scribbled)
}

func checkIsWhole(_ message: Numbered) throws {
    try Violation.unless(message.isWhole(message.number), "message \(message.number) is torn")
}

/// The message that was looked at is as it was.
func checkIsSame(_ message: Numbered, as before: Numbered) throws {
    try Violation.unless(
        message.number == before.number && message.isWhole(before.number), "message \(before.number) has changed while it was held")
}

/// A message has the number that is told, and only a lossy subscriber misses any.
func checkIsNext(_ message: Numbered, _ sequence: UInt64, after next: UInt64, missed: UInt64, _ mode: SubscriptionMode) throws {
    try checkIsWhole(message)
    try Violation.unless(
        sequence == next + missed && (mode == .lossy || missed == 0),
        "message \(sequence) came where \(next) was the next, with \(missed) missed")
}

/// Publishes and receives in all ways, whatever comes of it.
func useTopic(
    _ publisher: inout TopicPublisher, _ lossless: inout TopicSubscriber, _ lossy: inout TopicSubscriber, until deadline: Deadline
) {
    for number in 0..<2 as Range<UInt64> {
        try? publisher.publish(Numbered(number), until: deadline)
        _ = try? lossless.tryReceive()
    }
    if var loan = try? publisher.loan(until: deadline) { try? publisher.publish(&loan, until: deadline) }
    _ = try? lossless.take(until: deadline)
    _ = try? lossy.take(until: deadline)
    _ = try? lossy.tryReceive()
    try? lossless.rejoin(history: .all)
    _ = publisher.statistics
}

/// One message in its place, beside one that is given back, and one that is not published.
func publishInPlace(_ publisher: inout TopicPublisher, _ message: Numbered, until deadline: Deadline) throws {
    let unused = try publisher.loan()
    var loan = try publisher.loan()
    loan.message = message
    try publisher.publish(&loan, until: deadline)
    unused.giveBack()
    _ = try publisher.publish(until: .now) { (message: inout Numbered) throws(Violation) in
        message.number = 9
        throw Violation("not published")
    }
}

/// The same in a task: with a loan, and within a body.
func publishInPlaceInTask(_ publisher: inout TopicPublisher, _ message: Numbered, until deadline: Deadline) throws {
    try InterprocessExecutor.runHere {
        try Victim.beginSteps()
        let unused = try await publisher.loan(until: deadline)
        var loan = try await publisher.loan(until: deadline)
        loan.message = message
        try await publisher.publish(&loan, until: deadline)
        unused.giveBack()
        _ = try await publisher.publish(until: deadline) { (message: inout Numbered) throws(Violation) in
            message.number = 9
            throw Violation("not published")
        }
        Victim.endSteps()
    }
}

func receiveAndTakeInTask(_ subscriber: inout TopicSubscriber) throws {
    try InterprocessExecutor.runHere {
        try Victim.beginSteps()
        if let message = try await subscriber.receive(until: .after(.seconds(5))) { try checkIsWhole(message) }
        if let sample = try await subscriber.take(until: .after(.seconds(5))) { try checkIsWhole(sample.message) }
        Victim.endSteps()
    }
}

func receiveAndTake(_ subscriber: inout TopicSubscriber) throws {
    if let message = try subscriber.tryReceive() { try checkIsWhole(message) }
    if let message = try subscriber.tryTake() { try checkIsWhole(message.message) }
}

func receiveAndLook(_ subscriber: inout TopicSubscriber) throws {
    if let message = try subscriber.tryReceive() { try checkIsWhole(message) }
    try unlessLate {
        guard let result = try subscriber.receive(until: .now, { (message: borrowing Numbered) in message.isWhole(message.number) }) else {
            return
        }
        try Violation.unless(result.get(), "a message is torn")
    }
}

func takeTwo(_ subscriber: inout TopicSubscriber) throws {
    guard let first = try subscriber.tryTake() else { return }
    guard let second = try subscriber.tryTake() else { return }
    _ = try subscriber.tryReceive()
    first.release()
    try checkIsWhole(second.message)
}

// MARK: In storms

/// Publishes message `number` of publisher `who`, in its place every fourth time and in a task as often, and keeps account of it.
func stormPublish(_ publisher: inout TopicPublisher, _ site: Site, _ who: Int, _ number: UInt64) throws {
    let message = Numbered(UInt64(who) << 32 | number)
    site.ledger[Mark.intent + who] += 1
    let isDone = try unlessLate {
        switch number % 4 {
        case 0:
            var loan = try publisher.loan()
            loan.message = message
            try publisher.publish(&loan, until: .after(.milliseconds(20)))
        case 1: try publisher.publish(message, by: .suspending, until: .after(.milliseconds(20)))
        default: try publisher.publish(message, until: .after(.milliseconds(20)))
        }
    }
    if isDone { site.ledger[Mark.done + who] += 1 } else { site.undone(who) }
}

/// Receives until it is over; each message goes to `check` as well.
func stormReceive(
    _ process: Bystander, _ subscriber: inout TopicSubscriber, holding: Bool, _ check: (Numbered) throws -> Void = { _ in }
) throws {
    let mode = subscriber.mode
    while !process.isOver {
        let next = subscriber.nextSequence
        try unlessLate {
            if holding {
                guard let sample = try subscriber.take(until: .after(.milliseconds(20))) else { throw Violation("the topic has ended") }
                let message = sample.message
                try checkIsNext(message, sample.sequence, after: next, missed: sample.missed, mode)
                try check(message)
                let following = subscriber.nextSequence
                if let other = try subscriber.tryReceive() {
                    try checkIsNext(other, subscriber.lastSequence ?? 0, after: following, missed: subscriber.lastMissed, mode)
                    try check(other)
                }
                try checkIsSame(sample.message, as: message)
            } else {
                guard let message = try subscriber.receive(until: .after(.milliseconds(20))) else { throw Violation("the topic has ended") }
                try checkIsNext(message, subscriber.lastSequence ?? 0, after: next, missed: subscriber.lastMissed, mode)
                try check(message)
            }
        }
    }
}

/// Joins with all that is there, again and again, until it is over.
func stormJoin(_ process: Bystander, _ open: () throws -> TopicSubscriber) throws {
    while !process.isOver {
        var subscriber = try open()
        for _ in 0..<20 {
            for _ in 0..<20 {
                let next = subscriber.nextSequence
                guard let message = try subscriber.tryReceive() else { break }
                try checkIsWhole(message)
                // But for the first one, which may be just going.
                try Violation.unless(
                    (next...next + 1).contains(subscriber.lastSequence ?? 0), "message \(subscriber.lastSequence ?? 0) after \(next)")
            }
            try subscriber.rejoin(history: .last(3))
        }
    }
}
