import CrashLab
import Interprocess

/// A queue of any number of senders and receivers, one of them killed.
let sharedQueueScenarios: [Scenario] =
    [
        send(.blocking), send(.suspending).with(scribbled: { try useInTasks($0) }), sendFull(.blocking), sendFull(.suspending),
        sendGivenUp(.suspending), sendGivenUp(.cancelled), dropOldest, bytes(.blocking), bytes(.suspending),
    ] + sharedQueueReceiveScenarios + sharedQueueConcurrentScenarios

let sharedQueueCapacity = 3

func openSharedQueue(
    _ site: Site, lasting: Bool = false, overflow: QueueOverflow = .wait, capacity: Int = sharedQueueCapacity
) throws -> SharedQueue<Numbered> {
    var options = SharedQueueOptions(directory: site.directory, overflow: overflow, priorities: 2)
    if lasting { options.lifetime = .untilRemoved }
    return try SharedQueue(named: "q", capacity: capacity, options: options, strategy: .park)
}

extension SharedQueue<Numbered> {
    /// The number of the next message, if there is one; it must be whole.
    func next() throws -> UInt64? {
        guard let message = try tryReceive() else { return nil }
        try Violation.unless(message.isWhole(message.number), "message \(message.number) is torn")
        return message.number
    }

    /// Sends so many messages at once, and receives them: all slots can be had, and nothing else is there.
    func passFull() throws {
        for number in 0..<UInt64(sharedQueueCapacity) { try trySend(Numbered(1000 + number), priority: Int(number % 2)) }
        var left = sharedQueueCapacity
        while let number = try next() {
            try Violation.unless((1000..<1000 + UInt64(sharedQueueCapacity)).contains(number), "message \(number) is left over")
            left -= 1
        }
        try Violation.unless(left == 0, "\(left) messages are lost")
        try Violation.unless(statistics.taken == 0, "\(statistics.taken) messages are taken for ever")
    }

    /// Waits until everything is free again, as it is when the dead are repaired; then it can all be had.
    func settle() throws {
        try segment.awaitPeers(1)
        try passFull()
    }

    func tryShortly() throws {
        if try !unlessLate({ try send(Numbered(500), until: .shortly) }) { return }
        try unlessLate { _ = try receive(until: .shortly) }
    }
}

extension SharedQueue<Numbered> {
    func send(_ message: Numbered, by form: Form, until deadline: @autoclosure () -> Deadline = .never) throws {
        try form.call {
            try send(message, until: deadline())
        } _: {
            try await send(message, until: deadline())
        }
    }

    func receive(by form: Form, until deadline: @autoclosure () -> Deadline = .never) throws {
        let message = try form.call {
            try receive(until: deadline())
        } _: {
            try await receive(until: deadline())
        }
        guard let message else { throw Violation("the queue has ended") }
        try Violation.unless(message.isWhole(message.number), "message \(message.number) is torn")
    }

    /// Takes a message and acknowledges it; writes down that it has it.
    func takeAndAcknowledge(_ form: Form, _ site: Site? = nil, until deadline: @autoclosure () -> Deadline = .never) throws {
        func acknowledge(_ delivery: consuming Delivery<Numbered>?) throws {
            guard let delivery else { throw Violation("the queue has ended") }
            try Violation.unless(delivery.message.isWhole(delivery.message.number), "a message is torn")
            site?.ledger[Mark.reached] = 1
            try delivery.acknowledge()
        }
        try form.call {
            try acknowledge(try take(until: deadline()))
        } _: {
            try acknowledge(try await take(until: deadline()))
        }
    }
}

/// Messages that the survivor finds after the death, of a number below 100.
func drainSharedQueue(_ queue: SharedQueue<Numbered>) throws -> [UInt64] {
    var found: [UInt64] = []
    while let number = try queue.next() { if number < 100 { found.append(number) } }
    return found
}

/// What a receiver that sleeps does: it must get one message.
func sharedQueueSleeper(_ index: Int, _ form: Form = .blocking) -> @Sendable (Bystander) throws -> Void {
    { process in
        let queue = try openSharedQueue(process.site)
        try process.sleeping(index) { try queue.receive(by: form) }
    }
}

let sharedQueueThird: @Sendable (Bystander) throws -> Void = { third in
    let queue = try openSharedQueue(third.site)
    try queue.tryShortly()
    third.awaitKill()
    try queue.tryShortly()
}

/// All that a task may wait for, whatever comes of it.
private func useInTasks(_ victim: Victim) throws {
    let queue = try openSharedQueue(victim.site)
    func all() {
        // One more than there is room for.
        for number in 0...UInt64(sharedQueueCapacity) { try? queue.send(Numbered(number), by: .suspending, until: Form.scribbled) }
        try? queue.send(Numbered(9), by: .cancelled, until: Form.scribbled)
        try? queue.takeAndAcknowledge(.suspending, until: Form.scribbled)
        for _ in 0...sharedQueueCapacity { try? queue.receive(by: .suspending, until: Form.scribbled) }
        try? queue.receive(by: .cancelled, until: Form.scribbled)
    }
    all()
    try victim.step { all() }
}

/// The victim sends; others may be asleep in receive.
private func send(_ form: Form) -> Scenario {
    Scenario(
        "shared.send" + form.rawValue, "a sender", segments: ["q"],
        survivor: { site in
            let queue = try openSharedQueue(site)
            return Survivor(
                prepare: { site.begin() }, meanwhile: { try queue.tryShortly() },
                goOn: {
                    // What was sent wakes one.
                    hold { queue.statistics.waiting == 0 || site.asleep == 0 }
                    try queue.segment.awaitPeers(1 + site.asleep)
                    let found = try drainSharedQueue(queue)
                    if site.slept == 0 {
                        let numbers = found.filter { $0 == 7 }.count
                        try Violation.unless(
                            site.count().contains(numbers), "message 7 was received \(numbers) times, sent \(site.count())")
                    }
                    while site.asleep > 0 {
                        try unlessLate { try queue.send(Numbered(200), until: .shortly) }
                        hold { queue.statistics.waiting == 0 || site.asleep == 0 }
                    }
                    while try queue.next() != nil {}
                    try queue.settle()
                })
        }
    ) { victim in
        let queue = try openSharedQueue(victim.site)
        try queue.tryShortly()
        try victim.step(by: form) { try victim.site.doing { try queue.send(Numbered(7), by: form) } }
    } third: {
        try sharedQueueThird($0)
    } scribbled: { victim in
        let queue = try openSharedQueue(victim.site)
        func all(_ deadline: Deadline) {
            for number in 0..<4 as Range<UInt64> {
                try? queue.send(Numbered(number), priority: Int(number % 2), until: deadline)
                try? queue.trySend(Numbered(number))
            }
            _ = try? queue.receive(until: deadline)
            _ = try? queue.take(until: deadline)
            _ = try? queue.tryReceive()
            _ = queue.takeDeadLetter()
            _ = queue.statistics
            while (try? queue.tryReceive()) != nil {}
        }
        all(.now)
        try victim.step { all(victim.deadline == .never ? .shortly : victim.deadline) }
    }.with(sleepers: [sharedQueueSleeper(0), sharedQueueSleeper(1)])
}

/// The victim waits for room.
private func sendFull(_ form: Form) -> Scenario {
    sendFull("shared.send.full" + form.rawValue, "a sender that waits for room", victimWaits: true) { victim in
        let queue = try openSharedQueue(victim.site)
        try unlessLate { try queue.send(Numbered(8), by: form, until: .shortly) }
        try victim.step(by: form) { try victim.site.doing { try queue.send(Numbered(7), by: form) } }
    }
}

private func sendGivenUp(_ form: Form) -> Scenario {
    sendFull("shared.send.give-up" + form.rawValue, "a sender that gives up waiting for room") { victim in
        let queue = try openSharedQueue(victim.site)
        try form.givesUp { try queue.send(Numbered(8), by: form, until: form.briefly) }
        try victim.step(by: form) {
            victim.site.ledger[Mark.intent] = 1
            if try form.givesUp({ try queue.send(Numbered(7), by: form, until: form.soon) }) {
                victim.site.ledger[Mark.done] = 1
            } else {
                victim.site.undone()
            }
        }
    }
}

private func sendFull(
    _ name: String, _ summary: String, victimWaits: Bool = false, _ victim: @escaping @Sendable (Victim) throws -> Void
) -> Scenario {
    Scenario(
        name, summary, segments: ["q"], victimWaits: victimWaits,
        survivor: { site in
            let queue = try openSharedQueue(site)
            func rouse() throws { if queue.statistics.waiting == sharedQueueCapacity { _ = try queue.next() } }
            return Survivor(
                prepare: {
                    site.begin()
                    for number in 0..<UInt64(sharedQueueCapacity) { try queue.trySend(Numbered(300 + number)) }
                }, rouse: rouse, meanwhile: { try queue.tryShortly() },
                goOn: {
                    try queue.segment.awaitPeers(1)
                    let numbers = try drainSharedQueue(queue).filter { $0 == 7 }.count
                    try Violation.unless(site.count().contains(numbers), "message 7 was received \(numbers) times, sent \(site.count())")
                    try queue.settle()
                })
        }
    ) {
        try victim($0)
    } third: {
        try sharedQueueThird($0)
    }
}

/// The victim takes the place of the oldest message.
private let dropOldest = Scenario(
    "shared.send.dropOldest", "a sender that drops the oldest message", segments: ["q"],
    survivor: { site in
        let queue = try openSharedQueue(site, overflow: .dropOldest)
        var dropped: UInt64 = 0
        return Survivor(
            prepare: {
                site.begin()
                dropped = queue.statistics.dropped
                for number in 0..<UInt64(sharedQueueCapacity) { try queue.send(Numbered(number)) }
            }, meanwhile: { _ = queue.statistics },
            goOn: {
                try queue.segment.awaitPeers(1)
                let found = try drainSharedQueue(queue)
                let sent = sharedQueueCapacity
                let lost = Int(queue.statistics.dropped - dropped)
                let own = found.filter { $0 == 7 }.count
                try Violation.unless(site.count().contains(own), "message 7 was received \(own) times, sent \(site.count())")
                let others = found.count - own
                try Violation.unless(
                    others + lost == sent,
                    "\(others) were received and \(lost) dropped of \(sent); the victim's own: \(own), sent \(site.count())")
                try queue.passFull()
            })
    }
) { victim in
    let queue = try openSharedQueue(victim.site, overflow: .dropOldest)
    try victim.step { try victim.site.doing { try queue.send(Numbered(7)) } }
}

/// The victim sends bytes for which the memory is to be reserved first.
private func bytes(_ form: Form) -> Scenario {
    Scenario(
        "shared.bytes.send" + form.rawValue, "a sender of bytes", segments: ["b"],
        survivor: { site in
            let queue = try openBytes(site)
            return Survivor(
                prepare: { site.begin() },
                goOn: {
                    try queue.segment.awaitPeers(1)
                    var found = 0
                    while let bytes = try queue.tryReceive() {
                        try Violation.unless(unsafe NumberedBytes.isWhole(bytes.span.bytes, 7), "the message is torn")
                        found += 1
                    }
                    try Violation.unless(site.count().contains(found), "the message was received \(found) times, sent \(site.count())")
                    for _ in 0..<queue.capacity { try queue.send(NumberedBytes.make(9)) }
                    for _ in 0..<queue.capacity { _ = try queue.receive() }
                })
        }
    ) { victim in
        let queue = try openBytes(victim.site)
        let message = NumberedBytes.make(7)
        try victim.step(by: form) {
            try victim.site.doing {
                try form.call {
                    try queue.send(message)
                } _: {
                    try await queue.send(message)
                }
            }
        }
    }
}

private func openBytes(_ site: Site) throws -> SharedByteQueue {
    try SharedByteQueue(
        named: "b", capacity: 2, maximumMessageSize: 8192, options: SharedQueueOptions(directory: site.directory), strategy: .park)
}
