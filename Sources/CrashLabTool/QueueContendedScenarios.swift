import CrashLab
import Interprocess

/// One side killed while the other is asleep, and a third process looks on and tries to take the role.
let queueContendedScenarios: [Scenario] = [
    waking(.blocking), waking(.suspending),

    Scenario("queue.receive.waking", "a receiver in receive, with its sender asleep for want of room", segments: ["q"], needsSleepers: true)
    { site in
        Survivor(
            prepare: { site.ledger[Mark.succeeded] = 0 },
            goOn: {
                let fresh = try TypedReceiving(site)
                site.ledger[Mark.succeeded] = 1
                let (least, most) = (site.ledger[Mark.taken], site.ledger[Mark.takeIntent])
                try Violation.unless(
                    fresh.next == least || fresh.next == most, "the next message is \(fresh.next): it should be \(least) or \(most)")
                while true {
                    let told = try fresh.receive(until: .never)
                    if told == .closed { break }
                    try Violation.unless(told == .message, "instead of message \(fresh.next): \(told)")
                }
            })
    } victim: { victim in
        let site = victim.site
        var receiver = try Receiver<Numbered>(from: Site.queue, capacity: 20, options: site.options, strategy: .park)
        let sender = try TypedSending(site)
        for _ in 0..<8 { try sender.send(until: .now) }
        sender.close()
        func once() throws { try site.taking(receiver.nextSequence, 1) { _ = try receiver.receive() } }
        for _ in 0..<8 { try once() }
        let end = try receiver.receive()
        try Violation.unless(end.map { _ in false } ?? true, "the end was not told")
        // The stepped one is the first of the sleeper's.
        try victim.step {
            try once()
            try once()
        }
    } sleepers: { sleeper in
        var sender = try Sender<Numbered>(to: Site.queue, capacity: 20, options: sleeper.site.options, strategy: .park)
        // Until it is told of the death, or finds that another receiver has come before it could be told.
        var isOver = false
        while !isOver {
            let message = Numbered(sender.nextSequence)
            sleeper.willSleep()
            do throws(SendError<Numbered>) {
                try sender.send(message)
                isOver = sleeper.site.ledger[Mark.succeeded] == 1
            } catch {
                guard case .peerDied = error.reason else { throw error }
                try Violation.unless(sender.waitForReceiver(), "no receiver joined")
                try sender.send(Numbered(sender.nextSequence))
                isOver = true
            }
        }
    } third: { third in
        try third.site.look()
        try expectBusy { try Receiver<Numbered>(from: Site.queue, options: third.site.options).close() }
        third.awaitKill()
    },
]

private func waking(_ form: Form) -> Scenario {
    Scenario(
        "queue.send.waking" + form.rawValue, "a sender in send, with its receiver asleep\(form == .suspending ? " in a task" : "")",
        segments: ["q"], needsSleepers: true
    ) { site in
        Survivor(goOn: {
            let fresh = try TypedSending(site)
            let (least, most) = (site.ledger[Mark.sent], site.ledger[Mark.sendIntent])
            try Violation.unless(
                fresh.next == least || fresh.next == most, "\(fresh.next) messages were sent: it should be \(least) or \(most)")
            try fresh.send(until: .now)
            fresh.close()
        })
    } victim: { victim in
        let site = victim.site
        var sender = try Sender<Numbered>(to: Site.queue, capacity: 20, options: site.options, strategy: .park)
        func once(_ message: Numbered) throws { try site.sending(sender.nextSequence, 1) { try sender.send(message) } }
        try once(Numbered(sender.nextSequence))
        let message = Numbered(sender.nextSequence)
        try victim.step { try once(message) }
    } sleepers: { sleeper in
        var receiver = try Receiver<Numbered>(from: Site.queue, capacity: 20, options: sleeper.site.options, strategy: .park)
        while true {
            let number = receiver.nextSequence
            sleeper.willSleep()
            do {
                guard let message = try form.call({ try receiver.receive() }, { try await receiver.receive() }) else { break }
                try Violation.unless(message.isWhole(number), "message \(number) is not whole")
            } catch ReceiveError.peerDied {
                _ = receiver.waitForSender()
            }
        }
    } third: { third in
        try third.site.look()
        try expectBusy { try Sender<Numbered>(to: Site.queue, options: third.site.options).close() }
        third.awaitKill()
    }
}

extension Site {
    /// Checks the queue as an onlooker.
    fileprivate func look() throws { _ = try directory.status(of: Site.queue).details?.queue?.get() }
}

private func expectBusy(_ body: () throws -> Void) throws {
    do {
        try body()
    } catch let error as InterprocessError where error.code == .busy {
        return
    }
    throw Violation("a role was given away while its holder lived")
}
