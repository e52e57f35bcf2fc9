import CrashLab
import Interprocess

/// A sender and a receiver at work, either of them killed at any moment.
let queueStormScenarios: [Scenario] = [
    storm("queue.storm", "a sender and a receiver that are killed at random", .blocking),
    storm("queue.storm.async", "the same, with both in tasks", .suspending),
]

private func storm(_ name: String, _ summary: String, _ form: Form) -> Scenario {
    Scenario(
        name, summary,
        storm: Storm(workers: [{ try sendUntilOver($0, form) }, { try receiveUntilOver($0, form) }]) { site in
            // Nobody is left: what is in the queue is whole.
            let receiver = try Receiver<Numbered>(from: Site.queue, options: options(site))
            let statistics = try QueueInspection.validate(receiver.segment)
            try Violation.unless(statistics.waiting == 0, "\(statistics.waiting) messages are left")
            try Violation.unless(
                receiver.nextSequence == site.ledger[Mark.sent],
                "\(receiver.nextSequence) of \(site.ledger[Mark.sent]) messages were received")
        })
}

/// The queue stays while both are dead, so that its numbers go on.
private func options(_ site: Site) -> QueueOptions { QueueOptions(directory: site.directory, lifetime: .untilRemoved) }

private func sendUntilOver(_ process: Bystander, _ form: Form) throws {
    let ledger = process.site.ledger
    var sender = try Sender<Numbered>(to: Site.queue, capacity: 20, options: options(process.site))
    let next = sender.nextSequence
    try Violation.unless(
        next == ledger[Mark.sent] || next == ledger[Mark.sendIntent],
        "\(next) messages are in the queue: it should be \(ledger[Mark.sent]) or \(ledger[Mark.sendIntent])")
    ledger[Mark.sent] = next
    while !process.isOver {
        let message = Numbered(sender.nextSequence)
        ledger[Mark.sendIntent] = message.number + 1
        do {
            try form.call {
                try sender.send(message)
            } _: {
                try await sender.send(message)
            }
            ledger[Mark.sent] = message.number + 1
        } catch let error as SendError<Numbered> {
            guard case .peerDied = error.reason else { throw error }
            _ = sender.waitForReceiver()
        }
    }
}

private func receiveUntilOver(_ process: Bystander, _ form: Form) throws {
    let ledger = process.site.ledger
    var receiver = try Receiver<Numbered>(from: Site.queue, capacity: 20, options: options(process.site))
    let next = receiver.nextSequence
    try Violation.unless(
        next == ledger[Mark.taken] || next == ledger[Mark.takeIntent],
        "the next message is \(next): it should be \(ledger[Mark.taken]) or \(ledger[Mark.takeIntent])")
    ledger[Mark.taken] = next
    while true {
        let number = receiver.nextSequence
        ledger[Mark.takeIntent] = number + 1
        do {
            guard let message = try form.call({ try receiver.receive() }, { try await receiver.receive() }) else {
                if process.isOver { return }
                _ = receiver.waitForSender()
                continue
            }
            try Violation.unless(message.isWhole(number), "message \(number) is not whole: \(message)")
            ledger[Mark.taken] = number + 1
        } catch ReceiveError.peerDied {
            _ = receiver.waitForSender()
        }
    }
}
