import CrashLab
import Interprocess

/// What must hold when a sender was killed: each message is there wholly or not at all, nothing that was sent is missing, and all goes on at once.
func killedSender<R: ReceivingEnd, S: SendingEnd>(
    _ name: String, _ summary: String, _ receiving: R.Type, _ next: S.Type, mayHaveClosed: Bool = false,
    victimWaits: Bool = false,
    victim: @escaping @Sendable (Victim) throws -> Void
) -> Scenario {
    Scenario(name, summary, segments: ["q"], victimWaits: victimWaits) { site in
        let receiver = try R(site)
        // What was told while the victim stood still, and lived: of a session before this one, if anything.
        var early: [Told] = []
        return Survivor(
            prepare: {
                early = []
                for mark in [Mark.sendIntent, Mark.sent] { site.ledger[mark] = receiver.next }
            },
            // Not more than there are: the end is for later.
            rouse: { for _ in 0..<(try QueueInspection.validate(receiver.segment).waiting) { _ = try receiver.receive(until: .now) } },
            meanwhile: {
                let told = try receiver.receive(until: .after(.milliseconds(1)))
                try Violation.unless(
                    told != .died && (told != .closed || mayHaveClosed), "the sender lives, and the receiver was told: \(told)")
                if told == .closed { early.append(told) }
            },
            goOn: {
                for _ in 0..<(try QueueInspection.validate(receiver.segment).waiting) {
                    let told = try receiver.receive(until: .now)
                    try Violation.unless(told == .message, "instead of message \(receiver.next): \(told)")
                }
                // Told at once, and as often as is asked.
                if !mayHaveClosed {
                    let ends = [try receiver.receive(until: .now), try receiver.receive(until: .now)]
                    try Violation.unless(ends == [.died, .died], "instead of the death, twice: \(ends)")
                    early.append(.died)
                }
                let fresh = try S(site)
                let (least, most) = (site.ledger[Mark.sent], site.ledger[Mark.sendIntent])
                let end = fresh.next
                try Violation.unless(end == least || end == most, "\(end) messages are in the queue: it should be \(least) or \(most)")
                try fresh.send(until: .now)
                var told = early
                while receiver.next <= end {
                    let next = try receiver.receive(until: .now)
                    if next != .message { told.append(next) }
                    try Violation.unless(told.count < 4, "no message \(receiver.next), but \(told)")
                }
                try Violation.unless(
                    told == [.died] || mayHaveClosed && (told == [.closed] || told == [.closed, .died] || told == [.closed, .closed]),
                    "the receiver was told \(told)")
                _ = try QueueInspection.validate(receiver.segment)
                fresh.close()
                let last = try receiver.receive(until: .now)
                try Violation.unless(last == .closed, "instead of the end: \(last)")
            })
    } victim: {
        try victim($0)
    }
}

private func typedSender(
    _ name: String, _ summary: String, count: UInt64 = 1, form: Form = .blocking,
    _ operation: @escaping @Sendable (inout Sender<Numbered>, [Numbered], Deadline) throws -> Void
) -> Scenario {
    var scenario = killedSender(name, summary, TypedReceiving.self, TypedSending.self) { victim in
        let site = victim.site
        var sender = try Sender<Numbered>(to: Site.queue, options: site.options, strategy: .park)
        func once(_ messages: [Numbered]) throws {
            try site.sending(sender.nextSequence, count) { try operation(&sender, messages, victim.deadline) }
        }
        try once((0..<count).map { Numbered(sender.nextSequence + $0) })
        let messages = (0..<count).map { Numbered(sender.nextSequence + $0) }
        try victim.step(by: form) { try once(messages) }
    }
    scenario.scribbled = { [victim = scenario.victim] in
        let receiver = try TypedReceiving($0.site)
        try victim($0)
        receiver.receiveWhatever()
    }
    return scenario
}

private func byteSender(
    _ name: String, _ summary: String, form: Form = .blocking,
    _ operation: @escaping @Sendable (inout ByteSender, UInt64, Deadline) throws -> Void
) -> Scenario {
    var scenario = killedSender(name, summary, ByteReceiving.self, ByteSending.self) { victim in
        let site = victim.site
        var sender = try ByteSender(to: Site.queue, options: site.options, strategy: .park)
        // Messages of all sizes, so that the runtime has found what it looks up for each.
        for number in 0..<20 { _ = NumberedBytes.make(UInt64(number)) }
        func once() throws {
            let number = sender.nextSequence
            try site.sending(number, 1) { try operation(&sender, number, victim.deadline) }
        }
        try once()
        try victim.step(by: form) { try once() }
    }
    scenario.scribbled = { [victim = scenario.victim] in
        let receiver = try ByteReceiving($0.site)
        try victim($0)
        receiver.receiveWhatever()
    }
    return scenario
}

let queueSendScenarios: [Scenario] = [
    typedSender("queue.send", "a sender in send") { try $0.send($1[0], until: $2) },
    typedSender("queue.send.async", "a sender in send by a task", form: .suspending) { sender, messages, deadline in
        try Form.suspending.call {
            try sender.send(messages[0], until: deadline)
        } _: {
            try await sender.send(messages[0], until: deadline.ofTask)
        }
    },
    typedSender("queue.trySend", "a sender in trySend") { sender, messages, _ in try sender.trySend(messages[0]) },
    typedSender("queue.sendBatch", "a sender in send(contentsOf:)", count: 3) { try $0.send(contentsOf: $1.span, until: $2) },
    typedSender("queue.publish", "a sender that writes in place", count: 3) { sender, messages, deadline in
        _ = try sender.publish(upTo: 3, until: deadline) { span in for message in messages { span.append(message) } }
    },
    byteSender("queue.bytes.send", "a sender of bytes in send") { sender, number, deadline in
        let message = NumberedBytes.make(number)
        try unsafe sender.send(message.span.bytes, until: deadline)
    },
    byteSender("queue.bytes.send.async", "a sender of bytes in send by a task", form: .suspending) { sender, number, deadline in
        let message = NumberedBytes.make(number)
        try Form.suspending.call {
            try unsafe sender.send(message.span.bytes, until: deadline)
        } _: {
            try await sender.send(message, until: deadline.ofTask)
        }
    },
    byteSender("queue.bytes.publish", "a sender of bytes that writes in place") { sender, number, deadline in
        _ = try sender.publish(byteCount: NumberedBytes.size(number), until: deadline) { NumberedBytes.fill(&$0, number) }
    },
    byteSender("queue.bytes.reserve", "a sender of bytes with a reservation") { sender, number, deadline in
        var reservation = try sender.reserve(byteCount: NumberedBytes.size(number), until: deadline)
        var bytes = reservation.bytes
        NumberedBytes.fill(&bytes, number)
        reservation.publish()
    },
    joining, closing, waiting(.blocking), waiting(.suspending), waiting(.cancelled),
]

private let joining = killedSender(
    "queue.sender.join", "a sender that joins", TypedReceiving.self, TypedSending.self, mayHaveClosed: true
) { victim in
    try Sender<Numbered>(to: Site.queue, options: victim.site.options).close()
    let kept = Kept()
    try victim.step { kept.sender = try Sender<Numbered>(to: Site.queue, options: victim.site.options) }
}

private let closing = killedSender(
    "queue.sender.close", "a sender that closes", TypedReceiving.self, TypedSending.self, mayHaveClosed: true
) { victim in
    try Sender<Numbered>(to: Site.queue, options: victim.site.options).close()
    let kept = Kept()
    kept.sender = try Sender<Numbered>(to: Site.queue, options: victim.site.options)
    try victim.step { kept.sender = nil }
}

private func waiting(_ form: Form) -> Scenario {
    killedSender(
        "queue.send.full" + form.rawValue, "a sender that waits for room", TypedReceiving.self, TypedSending.self,
        victimWaits: form != .cancelled
    ) { victim in
        let site = victim.site
        var sender = try Sender<Numbered>(to: Site.queue, options: site.options, strategy: .park)
        var number = sender.nextSequence
        while (try? sender.trySend(Numbered(number))) != nil { number = sender.nextSequence }
        site.ledger[Mark.sent] = number
        let message = Numbered(number)
        func send() throws {
            try form.call {
                try sender.send(message)
            } _: {
                try await sender.send(message)
            }
        }
        if form == .cancelled {
            func sendInVain() throws {
                do {
                    // There may be room since this process stood still.
                    try site.sending(number, 1) { try send() }
                } catch let error as SendError<Numbered> {
                    try Violation.unless(error.reason == .cancelled, "instead of the cancellation: \(error.reason)")
                    site.ledger[Mark.sendIntent] = number
                }
            }
            try sendInVain()
            try victim.step(by: form) { try sendInVain() }
        } else {
            try victim.step(by: form) { try site.sending(number, 1) { try send() } }
        }
    }
}

/// Stays while the process lives.
final class Kept {
    var sender: Sender<Numbered>?
    var receiver: Receiver<Numbered>?
    var segment: Segment?
}
