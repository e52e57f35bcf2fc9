import CrashLab
import Interprocess

/// What must hold when a receiver was killed: each message was taken or is still there, none is missing, and all goes on at once.
private func killedReceiver<R: ReceivingEnd, S: SendingEnd>(
    _ name: String, _ summary: String, _ next: R.Type, _ sending: S.Type, messages: Int = 7, victimWaits: Bool = false,
    victim: @escaping @Sendable (Victim) throws -> Void
) -> Scenario {
    Scenario(name, summary, segments: ["q"], victimWaits: victimWaits) { site in
        let sender = try S(site)
        // The receiver that came after the last victim: without one there is nobody to send to.
        let last = Latest<R>()
        return Survivor(
            prepare: {
                for mark in [Mark.takeIntent, Mark.taken] { site.ledger[mark] = sender.next }
                if let sender = sender as? TypedSending, messages > 1 { try sender.send(batch: 3) }
                for _ in 0..<messages { try sender.send(until: .now) }
                last.end = nil
            },
            rouse: { try sender.send(until: .now) },
            meanwhile: { _ = try sender.sendToOneWhoStands() },
            goOn: {
                let fresh = try R(site)
                last.end = fresh
                let (least, most) = (site.ledger[Mark.taken], site.ledger[Mark.takeIntent])
                try Violation.unless(
                    fresh.next == least || fresh.next == most, "the next message is \(fresh.next): it should be \(least) or \(most)")
                try sender.send(until: .now)
                while fresh.next < sender.next {
                    let told = try fresh.receive(until: .now)
                    try Violation.unless(told == .message, "instead of message \(fresh.next): \(told)")
                }
                _ = try QueueInspection.validate(fresh.segment)
            })
    } victim: {
        try victim($0)
    }
}

private func typedReceiver(
    _ name: String, _ summary: String, count: UInt64 = 1,
    form: Form = .blocking, _ operation: @escaping @Sendable (inout Receiver<Numbered>, Deadline) throws -> Void
) -> Scenario {
    var scenario = killedReceiver(name, summary, TypedReceiving.self, TypedSending.self) { victim in
        let site = victim.site
        var receiver = try Receiver<Numbered>(from: Site.queue, options: site.options, strategy: .park)
        func once() throws { try site.taking(receiver.nextSequence, count) { try operation(&receiver, victim.deadline) } }
        try once()
        try victim.step(by: form) { try once() }
    }
    scenario.scribbled = { [victim = scenario.victim] in
        let sender = try TypedSending($0.site)
        for _ in 0..<3 { try sender.send(batch: 4) }
        try victim($0)
        try? sender.send(until: .now)
        (try? TypedReceiving($0.site))?.receiveWhatever()
    }
    return scenario
}

private func byteReceiver(
    _ name: String, _ summary: String, form: Form = .blocking,
    _ operation: @escaping @Sendable (inout ByteReceiver, Deadline) throws -> Void
) -> Scenario {
    var scenario = killedReceiver(name, summary, ByteReceiving.self, ByteSending.self) { victim in
        let site = victim.site
        var receiver = try ByteReceiver(from: Site.queue, options: site.options, strategy: .park)
        for number in 0..<20 { _ = NumberedBytes.make(UInt64(number)) }
        func once() throws { try site.taking(receiver.nextSequence, 1) { try operation(&receiver, victim.deadline) } }
        try once()
        try victim.step(by: form) { try once() }
    }
    scenario.scribbled = { [victim = scenario.victim] in
        let sender = try ByteSending($0.site)
        for _ in 0..<7 { try sender.send(until: .now) }
        try victim($0)
        try? sender.send(until: .now)
        (try? ByteReceiving($0.site))?.receiveWhatever()
    }
    return scenario
}

let queueReceiveScenarios: [Scenario] = [
    typedReceiver("queue.receive", "a receiver in receive") { _ = try $0.receive(until: $1) },
    typedReceiver("queue.receive.async", "a receiver in receive by a task", form: .suspending) { receiver, deadline in
        _ = try Form.suspending.call {
            try receiver.receive(until: deadline)
        } _: {
            try await receiver.receive(until: deadline.ofTask)
        }
    },
    typedReceiver("queue.tryReceive", "a receiver in tryReceive") { receiver, _ in _ = try receiver.tryReceive() },
    // A message or two from each of the batches of three, never more.
    typedReceiver("queue.receiveBatch", "a receiver in receiveBatch") { receiver, deadline in
        _ = try receiver.receiveBatch(upTo: 1, until: deadline) { $0.count }
    },
    byteReceiver("queue.bytes.receive", "a receiver of bytes in receive") { _ = try $0.receive(until: $1) },
    byteReceiver("queue.bytes.receive.async", "a receiver of bytes in receive by a task", form: .suspending) { receiver, deadline in
        _ = try Form.suspending.call {
            try receiver.receive(until: deadline)
        } _: {
            try await receiver.receive(until: deadline.ofTask)
        }
    },
    byteReceiver("queue.bytes.receiveInPlace", "a receiver of bytes that reads in place") { receiver, deadline in
        _ = try receiver.receive(until: deadline) { $0.byteCount }
    },
    killedReceiver("queue.receiver.join", "a receiver that joins", TypedReceiving.self, TypedSending.self) { victim in
        try Receiver<Numbered>(from: Site.queue, options: victim.site.options).close()
        let kept = Kept()
        try victim.step { kept.receiver = try Receiver<Numbered>(from: Site.queue, options: victim.site.options) }
    },
    killedReceiver("queue.receiver.close", "a receiver that closes", TypedReceiving.self, TypedSending.self) { victim in
        try Receiver<Numbered>(from: Site.queue, options: victim.site.options).close()
        let kept = Kept()
        kept.receiver = try Receiver<Numbered>(from: Site.queue, options: victim.site.options)
        try victim.step { kept.receiver = nil }
    },
    waiting(.blocking), waiting(.suspending),
    killedReceiver(
        "queue.receive.cancel", "a receiver that waits for a message, and whose task is cancelled", TypedReceiving.self, TypedSending.self,
        messages: 0
    ) { victim in
        var receiver = try Receiver<Numbered>(from: Site.queue, options: victim.site.options, strategy: .park)
        func once() throws {
            let number = receiver.nextSequence
            do {
                // One may have come while this process stood still.
                try victim.site.taking(number, 1) {
                    _ = try Form.cancelled.call {
                        try receiver.receive()
                    } _: {
                        try await receiver.receive()
                    }
                }
            } catch ReceiveError.cancelled {
                victim.site.ledger[Mark.takeIntent] = number
            }
        }
        try once()
        try victim.step(by: .cancelled) { try once() }
    },
]

private func waiting(_ form: Form) -> Scenario {
    killedReceiver(
        "queue.receive.empty" + form.rawValue, "a receiver that waits for a message", TypedReceiving.self, TypedSending.self, messages: 1,
        victimWaits: true
    ) { victim in
        let site = victim.site
        var receiver = try Receiver<Numbered>(from: Site.queue, options: site.options, strategy: .park)
        func once() throws {
            try site.taking(receiver.nextSequence, 1) {
                _ = try form.call {
                    try receiver.receive()
                } _: {
                    try await receiver.receive()
                }
            }
        }
        try once()
        try victim.step(by: form) { try once() }
    }
}

private final class Latest<End> {
    var end: End?
}
