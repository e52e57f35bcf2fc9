import CrashLab
import Interprocess

/// A queue of any number of senders and receivers, one of them killed.
let sharedQueueScenarios: [Scenario] =
    [send, sendFull, dropOldest, receive, take, giveBack, sleep, giveUp, bytes] + sharedQueueConcurrentScenarios

let sharedQueueCapacity = 3

func openSharedQueue(
    _ site: Site, lasting: Bool = false, overflow: QueueOverflow = .wait, capacity: Int = sharedQueueCapacity
) throws -> SharedQueue<Numbered> {
    var options = SharedQueueOptions(directory: site.directory, overflow: overflow, priorities: 2)
    if lasting { options.lifetime = .untilRemoved }
    return try SharedQueue(named: "q", capacity: capacity, options: options, strategy: .park)
}

func isSharedQueueLate(_ body: () throws -> Void) throws -> Bool {
    do { try body() } catch ReceiveError.deadline { return true } catch let error as SendError<Numbered> where error.reason == .deadline {
        return true
    }
    return false
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
        if try isSharedQueueLate({ try send(Numbered(500), until: .shortly) }) { return }
        _ = try isSharedQueueLate { _ = try receive(until: .shortly) }
    }
}

/// Messages that the survivor finds after the death, of a number below 100.
private func drain(_ queue: SharedQueue<Numbered>) throws -> [UInt64] {
    var found: [UInt64] = []
    while let number = try queue.next() { if number < 100 { found.append(number) } }
    return found
}

/// What a receiver that sleeps does: it must get one message.
private func sleeper(_ index: Int) -> @Sendable (Bystander) throws -> Void {
    { process in
        let queue = try openSharedQueue(process.site)
        try process.sleeping(index) { _ = try queue.receive() }
    }
}

private let third: @Sendable (Bystander) throws -> Void = { third in
    let queue = try openSharedQueue(third.site)
    try queue.tryShortly()
    third.awaitKill()
    try queue.tryShortly()
}

/// The victim sends; others may be asleep in receive.
private let send = Scenario(
    "shared.send", "a sender", segments: ["q"],
    survivor: { site in
        let queue = try openSharedQueue(site)
        return Survivor(
            prepare: { site.begin() }, meanwhile: { try queue.tryShortly() },
            goOn: {
                // What was sent wakes one.
                hold { queue.statistics.waiting == 0 || site.asleep == 0 }
                try queue.segment.awaitPeers(1 + site.asleep)
                let found = try drain(queue)
                if site.slept == 0 {
                    let numbers = found.filter { $0 == 7 }.count
                    try Violation.unless(site.count().contains(numbers), "message 7 was received \(numbers) times, sent \(site.count())")
                }
                while site.asleep > 0 {
                    _ = try isSharedQueueLate { try queue.send(Numbered(200), until: .shortly) }
                    hold { queue.statistics.waiting == 0 || site.asleep == 0 }
                }
                while try queue.next() != nil {}
                try queue.settle()
            })
    }
) { victim in
    let queue = try openSharedQueue(victim.site)
    try queue.tryShortly()
    try victim.step { try victim.site.doing { try queue.send(Numbered(7)) } }
} third: {
    try third($0)
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
}.with(sleepers: [sleeper(0), sleeper(1)])

/// The victim waits for room.
private let sendFull = Scenario(
    "shared.send.full", "a sender that waits for room", segments: ["q"], victimWaits: true,
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
                let numbers = try drain(queue).filter { $0 == 7 }.count
                try Violation.unless(site.count().contains(numbers), "message 7 was received \(numbers) times, sent \(site.count())")
                try queue.settle()
            })
    }
) { victim in
    let queue = try openSharedQueue(victim.site)
    _ = try isSharedQueueLate { try queue.send(Numbered(8), until: .shortly) }
    try victim.step { try victim.site.doing { try queue.send(Numbered(7)) } }
} third: {
    try third($0)
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
                let found = try drain(queue)
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

extension Ledger {
    fileprivate func value(_ index: Int) -> Int { Int(self[index]) }
}

/// The victim receives a message that is there.
private let receive = receiving("shared.receive", "a receiver") { queue, site in
    try site.doing { _ = try queue.receive() }
} isLost: { site, found in
    // It may have been received although the call had not returned.
    found == 0 || !site.isDone && found == 1
}

/// The victim takes a message and acknowledges it.
private let take = receiving("shared.take", "a receiver that acknowledges") { queue, site in
    try site.doing {
        guard let delivery = try queue.take() else { throw Violation("the queue has ended") }
        site.ledger[Mark.reached] = 1
        try delivery.acknowledge()
    }
} isLost: { site, found in
    site.isDone ? found == 0 : site.ledger[Mark.reached] == 1 ? found <= 1 : found == 1
}

private let giveBack = receiving("shared.give-back", "a receiver that gives a message back") { queue, site in
    try site.doing {
        guard let delivery = try queue.take() else { throw Violation("the queue has ended") }
        delivery.giveBack()
    }
} isLost: { _, found in
    found == 1
}

private func receiving(
    _ name: String, _ summary: String, _ body: @escaping @Sendable (SharedQueue<Numbered>, Site) throws -> Void,
    isLost isRight: @escaping @Sendable (Site, Int) -> Bool
) -> Scenario {
    Scenario(
        name, summary, segments: ["q"],
        survivor: { site in
            let queue = try openSharedQueue(site)
            return Survivor(
                prepare: {
                    site.begin()
                    try queue.send(Numbered(7), priority: 1)
                }, meanwhile: { _ = queue.statistics },
                goOn: {
                    try queue.segment.awaitPeers(1)
                    let found = try drain(queue).filter { $0 == 7 }.count
                    try Violation.unless(
                        isRight(site, found),
                        "message 7 was found \(found) times; received \(site.count()), step \(site.ledger[Mark.reached])")
                    try queue.settle()
                })
        }
    ) { victim in
        let queue = try openSharedQueue(victim.site)
        try victim.step { try body(queue, victim.site) }
    } third: { third in
        let queue = try openSharedQueue(third.site)
        // Of lower priority: the victim's message is not touched.
        _ = try isSharedQueueLate { try queue.send(Numbered(500), until: .shortly) }
        third.awaitKill()
        _ = try isSharedQueueLate { try queue.send(Numbered(500), until: .shortly) }
    }
}

/// The victim sleeps until there is a message.
private let sleep = Scenario(
    "shared.receive.sleep", "a receiver that waits", segments: ["q"], victimWaits: true,
    survivor: { site in
        let queue = try openSharedQueue(site)
        func rouse() throws {
            if queue.statistics.waiting == 0 {
                site.ledger[Mark.given] += 1
                try queue.send(Numbered(7))
            }
        }
        return Survivor(
            prepare: { site.begin() }, rouse: rouse, meanwhile: { try queue.tryShortly() },
            goOn: {
                // Each message wakes a sleeper, or is found.
                while site.asleep > 0 {
                    hold { queue.statistics.waiting == 0 || site.asleep == 0 }
                    if site.asleep > 0 { try rouse() }
                }
                try queue.segment.awaitPeers(1)
                let found = try drain(queue).filter { $0 == 7 }.count + site.slept
                let sent = site.ledger.value(Mark.given)
                try Violation.unless(
                    site.slept > 0 || site.count().contains(sent - found) || sent - found == 0,
                    "\(found) of \(sent) messages were found, and the victim had \(site.count())")
                try queue.settle()
            })
    }
) { victim in
    let queue = try openSharedQueue(victim.site)
    _ = try isSharedQueueLate { _ = try queue.receive(until: .shortly) }
    try victim.step { try victim.site.doing { _ = try queue.receive() } }
} third: {
    try third($0)
}.with(sleepers: [sleeper(0)])

/// The victim gives up waiting, just when a message comes.
private let giveUp = Scenario(
    "shared.receive.give-up", "a receiver that gives up waiting, just when a message comes", segments: ["q"],
    survivor: { site in
        let queue = try openSharedQueue(site)
        return Survivor(
            prepare: { site.begin() }, meanwhile: { try queue.tryShortly() },
            goOn: {
                while site.asleep > 0 {
                    hold { queue.statistics.waiting == 0 || site.asleep == 0 }
                    if site.asleep > 0 { try queue.send(Numbered(200)) }
                }
                while try queue.next() != nil {}
                try queue.settle()
            })
    }
) { victim in
    let queue = try openSharedQueue(victim.site)
    _ = try isSharedQueueLate { _ = try queue.receive(until: .shortly) }
    try victim.step { _ = try isSharedQueueLate { _ = try queue.receive(until: .soon) } }
} third: { third in
    let queue = try openSharedQueue(third.site)
    _ = try isSharedQueueLate { try queue.send(Numbered(200), until: .shortly) }
    third.awaitKill()
}.with(sleepers: [sleeper(0)])

/// The victim sends bytes for which the memory is to be reserved first.
private let bytes = Scenario(
    "shared.bytes.send", "a sender of bytes", segments: ["b"],
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
    try victim.step { try victim.site.doing { try queue.send(message) } }
}

private func openBytes(_ site: Site) throws -> SharedByteQueue {
    try SharedByteQueue(
        named: "b", capacity: 2, maximumMessageSize: 8192, options: SharedQueueOptions(directory: site.directory), strategy: .park)
}
