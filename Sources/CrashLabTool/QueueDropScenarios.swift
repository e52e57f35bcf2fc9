import CrashLab
import Interprocess

/// Ends of queues that do not let their sender wait, killed in the call that drops.
let queueDropScenarios: [Scenario] = [
    droppingSender("queue.send.dropNewest", "a sender in send, into a full queue that drops the newest", .dropNewest),
    droppingSender("queue.send.dropOldest", "a sender in send, into a full queue that drops the oldest", .dropOldest),
    droppingReceiver("queue.receive.dropNewest", "a receiver in receive, of a queue that drops the newest", .dropNewest),
    droppingReceiver("queue.receive.dropOldest", "a receiver in receive, of a queue that drops the oldest", .dropOldest),
]

extension Site {
    fileprivate func options(_ overflow: QueueOverflow) -> QueueOptions { QueueOptions(directory: directory, overflow: overflow) }
}

/// More than the queue holds.
private let many: UInt64 = 200

/// What is there of a sender's messages is whole, in order, and followed by its end; what is not there was counted.
private func droppingSender(_ name: String, _ summary: String, _ overflow: QueueOverflow) -> Scenario {
    var scenario = Scenario(name, summary, segments: ["q"]) { site in
        let receiver = try Dropping(site, overflow)
        return Survivor(
            prepare: {
                try receiver.drain()
                for mark in [Mark.sendIntent, Mark.sent] { site.ledger[mark] = receiver.end.nextSequence }
            },
            // A receiver that takes while its sender stands in the middle of dropping.
            meanwhile: { _ = try receiver.next(until: .after(.milliseconds(1))) },
            goOn: {
                try Violation.unless(try receiver.drain() == .died, "the death was not told after the messages")
                var fresh = try Sender<Numbered>(to: Site.queue, options: site.options(overflow), strategy: .park)
                let (least, most) = (site.ledger[Mark.sent], site.ledger[Mark.sendIntent])
                try Violation.unless(
                    fresh.nextSequence == least || fresh.nextSequence == most,
                    "\(fresh.nextSequence) messages were sent: it should be \(least) or \(most)")
                try fresh.send(Numbered(fresh.nextSequence))
                let told = try receiver.next(until: .now)
                try Violation.unless(told == .message, "instead of the new sender's message: \(told)")
                fresh.close()
                let end = try receiver.next(until: .now)
                try Violation.unless(end == .closed, "instead of the new sender's end: \(end)")
                _ = try QueueInspection.validate(receiver.end.segment)
            })
    } victim: { victim in
        let site = victim.site
        var sender = try Sender<Numbered>(to: Site.queue, options: site.options(overflow), strategy: .park)
        let before = sender.dropped
        while sender.dropped == before { try sender.send(Numbered(sender.nextSequence), until: victim.deadline) }
        site.ledger[Mark.sent] = sender.nextSequence
        let message = Numbered(sender.nextSequence)
        try victim.step {
            site.ledger[Mark.sendIntent] = message.number + 1
            try sender.send(message, until: victim.deadline)
            site.ledger[Mark.sent] = sender.nextSequence
        }
    }
    scenario.scribbled = { [victim = scenario.victim] in
        let receiver = try Dropping($0.site, overflow)
        try victim($0)
        for _ in 0..<4 { _ = try? receiver.next(until: .now) }
    }
    return scenario
}

/// A message is taken or is still there, and the sender never waits.
private func droppingReceiver(_ name: String, _ summary: String, _ overflow: QueueOverflow) -> Scenario {
    Scenario(name, summary, segments: ["q"]) { site in
        var sender = try Sender<Numbered>(to: Site.queue, capacity: 20, options: site.options(overflow), strategy: .park)
        let dropping = DroppingEnd()
        func sendMany(_ count: UInt64) throws { for _ in 0..<count { try sender.send(Numbered(sender.nextSequence), until: .now) } }
        return Survivor(
            prepare: {
                // To one that is there: after an end there is nobody to send to.
                try sendMany(many)
                dropping.end = nil
            },
            // Overtakes a receiver that stands.
            meanwhile: {
                try sendMany(many)
                site.ledger[Mark.succeeded] = 1
            },
            goOn: {
                let fresh = try Dropping(site, overflow)
                dropping.end = fresh
                let (least, most, next) = (site.ledger[Mark.taken], site.ledger[Mark.takeIntent], fresh.end.nextSequence)
                // One that drops the oldest may have dropped what the victim was about to take.
                let isOvertaken = overflow == .dropOldest && site.ledger[Mark.succeeded] == 1 && next > most
                try Violation.unless(
                    next == least || next == most || isOvertaken, "the next message is \(next): it should be \(least) or \(most)")
                site.ledger[Mark.succeeded] = 0
                try fresh.drain()
                try Violation.unless(
                    fresh.end.nextSequence == sender.nextSequence,
                    "the messages end with \(fresh.end.nextSequence), and \(sender.nextSequence) were sent")
                try sendMany(1)
                let told = try fresh.next(until: .now)
                try Violation.unless(told == .message, "instead of the last message: \(told)")
                _ = try QueueInspection.validate(fresh.end.segment)
            })
    } victim: { victim in
        let site = victim.site
        let receiver = try Dropping(site, overflow)
        func once() throws {
            site.ledger[Mark.takeIntent] = receiver.end.nextSequence + 1
            let told = try receiver.next(until: victim.deadline)
            try Violation.unless(told == .message, "instead of a message: \(told)")
            site.ledger[Mark.taken] = receiver.end.nextSequence
        }
        try once()
        try victim.step { try once() }
    } scribbled: { victim in
        var sender = try Sender<Numbered>(to: Site.queue, capacity: 20, options: victim.site.options(overflow), strategy: .park)
        for _ in 0..<many { try sender.send(Numbered(sender.nextSequence)) }
        let receiver = try Dropping(victim.site, overflow)
        _ = try receiver.next(until: .now)
        try victim.step { _ = try receiver.next(until: victim.deadline) }
        _ = try? sender.send(Numbered(0), until: .now)
        for _ in 0..<4 { _ = try? receiver.next(until: .now) }
    }
}

private final class DroppingEnd {
    var end: Dropping?
}

/// The receiver of a queue that drops: numbers may be left out, but never go back.
private final class Dropping {
    private(set) var end: Receiver<Numbered>

    init(_ site: Site, _ overflow: QueueOverflow) throws {
        end = try Receiver(from: Site.queue, capacity: 20, options: site.options(overflow), strategy: .park)
    }

    /// The next message, checked, or what is told instead.
    func next(until deadline: Deadline) throws -> Told {
        let least = end.nextSequence
        do throws(ReceiveError) {
            guard let message = try end.receive(until: deadline) else { return .closed }
            let number = end.nextSequence &- 1
            guard number >= least, message.isWhole(number) else { throw ReceiveError.damaged("message \(number) after \(least)") }
            return .message
        } catch {
            switch error {
            case .deadline: return .nothing
            case .peerDied: return .died
            default: throw error
            }
        }
    }

    /// Takes what is there; what was told then.
    @discardableResult
    func drain() throws -> Told {
        while true {
            let told = try next(until: .now)
            if told != .message { return told }
        }
    }
}
