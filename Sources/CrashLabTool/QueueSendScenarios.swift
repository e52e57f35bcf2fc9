import CrashLab
import Interprocess

/// What must hold when a sender was killed: each message is there wholly or not at all, nothing that was sent is missing, and all goes on at once.
func killedSender<R: ReceivingEnd, S: SendingEnd>(
    _ name: String, _ summary: String, _ receiving: R.Type, _ next: S.Type, batch: UInt64 = 1, mayHaveClosed: Bool = false,
    victim: @escaping @Sendable (Victim) throws -> Void
) -> Scenario {
    Scenario(name, summary, segments: ["q"]) { site in
        let receiver = try R(site)
        return Survivor(
            prepare: {
                for mark in [Mark.sendIntent, Mark.sent] { site.ledger[mark] = receiver.next }
            },
            goOn: {
                _ = try QueueInspection.validate(receiver.segment)
                let fresh = try S(site)
                let (least, most) = (site.ledger[Mark.sent], site.ledger[Mark.sendIntent])
                let end = fresh.next
                try Violation.unless(end == least || end == most, "\(end) messages are in the queue: it should be \(least) or \(most)")
                try fresh.send(until: .now)
                var told: [Told] = []
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
    _ name: String, _ summary: String, count: UInt64 = 1,
    _ operation: @escaping @Sendable (inout Sender<Numbered>, [Numbered]) throws -> Void
) -> Scenario {
    killedSender(name, summary, TypedReceiving.self, TypedSending.self, batch: count) { victim in
        let site = victim.site
        var sender = try Sender<Numbered>(to: Site.queue, options: site.options, strategy: .park)
        func once(_ messages: [Numbered]) throws {
            try site.sending(sender.nextSequence, count) { try operation(&sender, messages) }
        }
        try once((0..<count).map { Numbered(sender.nextSequence + $0) })
        let messages = (0..<count).map { Numbered(sender.nextSequence + $0) }
        try victim.step { try once(messages) }
    }
}

let queueScenarios: [Scenario] = [
    typedSender("queue.send", "a sender in send") { try $0.send($1[0]) },
    typedSender("queue.trySend", "a sender in trySend") { try $0.trySend($1[0]) },
    typedSender("queue.sendBatch", "a sender in send(contentsOf:)", count: 3) { try $0.send(contentsOf: $1.span) },
    typedSender("queue.publish", "a sender that writes in place", count: 3) { sender, messages in
        _ = try sender.publish(upTo: 3) { span in for message in messages { span.append(message) } }
    },
]
