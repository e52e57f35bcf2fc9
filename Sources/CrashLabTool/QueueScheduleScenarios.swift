import CrashLab
import Interprocess

/// A sender and a receiver that take turns at each access to the queue, in every order that a seed may bring.
let queueScheduleScenarios: [Scenario] = [
    scheduled("queue.schedule", "three messages through a queue of little room, in random order of accesses", mayKill: false),
    scheduled("queue.schedule.kill", "the same, with one of the two killed", mayKill: true),
]

private let messages: UInt64 = 3

private func options(_ site: Site) -> QueueOptions { QueueOptions(directory: site.directory, lifetime: .untilRemoved) }

private func scheduled(_ name: String, _ summary: String, mayKill: Bool) -> Scenario {
    Scenario(
        name, summary, segments: ["q"], survivor: { _ in Survivor(goOn: {}) }, victim: { _ in },
        schedule: Schedule(players: [send, receive], mayKill: mayKill) { site in
            let receiver = try Receiver<Numbered>(from: Site.queue, options: options(site))
            let statistics = try QueueInspection.validate(receiver.segment)
            let (sent, sendIntent) = (site.ledger[Mark.sent], site.ledger[Mark.sendIntent])
            let (taken, takeIntent) = (site.ledger[Mark.taken], site.ledger[Mark.takeIntent])
            let next = receiver.nextSequence
            let end = next + UInt64(statistics.waiting)
            try Violation.unless(next == taken || next == takeIntent, "\(next) messages were taken: it should be \(taken) or \(takeIntent)")
            try Violation.unless(end == sent || end == sendIntent, "\(end) messages were sent: it should be \(sent) or \(sendIntent)")
            if !mayKill { try Violation.unless(next == 1 + messages, "\(next) messages were taken") }
        })
}

private let send: @Sendable (Victim) throws -> Void = { victim in
    let site = victim.site
    var sender = try Sender<Numbered>(to: Site.queue, capacity: 20, options: options(site), strategy: .park)
    // Once, so that everything is bound.
    try site.sending(sender.nextSequence, 1) { try sender.send(Numbered(sender.nextSequence)) }
    try victim.step {
        for _ in 0..<messages {
            let message = Numbered(sender.nextSequence)
            do {
                try site.sending(message.number, 1) { try sender.send(message) }
            } catch let error as SendError<Numbered> {
                // The receiver was killed.
                guard case .peerDied = error.reason else { throw error }
            }
        }
    }
}

private let receive: @Sendable (Victim) throws -> Void = { victim in
    let site = victim.site
    var receiver = try Receiver<Numbered>(from: Site.queue, capacity: 20, options: options(site), strategy: .park)
    func once() throws {
        let number = receiver.nextSequence
        try site.taking(number, 1) {
            guard let message = try receiver.receive() else { throw Violation("the end came before message \(number)") }
            try Violation.unless(message.isWhole(number), "message \(number) is not whole")
        }
    }
    try once()
    try victim.step {
        do {
            for _ in 0..<messages { try once() }
        } catch ReceiveError.peerDied {
            // The sender was killed: what it had sent has come.
        }
    }
}
