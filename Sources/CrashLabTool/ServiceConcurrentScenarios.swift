import CrashLab
import Interprocess
import InterprocessSystem

/// Several at work at a service at once: stepped in all orders, or killed at random.
let serviceConcurrentScenarios: [Scenario] =
    [storm, repairChain]
    + Scenario.schedules(
        "service.schedule", "one that calls, and two that serve", ["s"],
        players: [{ try callOnce($0, 0) }, { try serveOnce($0, 1) }, { try serveOnce($0, 2) }], check: check)
    + Scenario.schedules(
        "service.schedule.give-up", "one that calls, one that gives its calls up, and one that serves", ["s"],
        players: [{ try callOnce($0, 0) }, { try giveUpTwice($0, 1) }, { try serveOnce($0, 2) }], check: check)
    + Scenario.schedules(
        "service.schedule.full", "two that call where one call can be in flight, and one that serves", ["s"],
        players: [{ try callOnce($0, 0, capacity: 1) }, { try callOnce($0, 1, capacity: 1) }, { try serveOnce($0, 2, capacity: 1) }],
        check: { try check($0, capacity: 1) })

/// One that has calls as a client and as a server dies; whoever repairs after it is killed at the same point of that, and so on. The last one was stopped meanwhile.
private let repairChain: Scenario = {
    let length = 2
    var scenario = Scenario(
        "service.repair-chain", "a chain of processes each of whose keepers is killed while it repairs a service after the one before",
        segments: ["s"]
    ) { site in
        let ends = try ServiceEnds(site)
        let deaths = Holder<UInt32>(nil)
        return Survivor(
            prepare: {
                try ends.client.segment.awaitPeers(2)
                deaths.value = ends.client.segment.deathCount
            },
            goOn: {
                try ends.settle()
                // The last one's death may be told after its calls were given back.
                try ends.client.segment.awaitPeers(2)
                let told = ends.client.segment.deathCount &- (deaths.value ?? 0)
                try Violation.unless(told == length + 2, "\(told) deaths are told of \(length + 2)")
            })
    } dead: { dead in
        let ends = try ServiceEnds(dead.site)
        try ends.begin(7)
        let call = try ends.server.take()
        try ends.begin(8)
        withExtendedLifetime(ends) {
            // It holds the call as it dies.
            if call != nil { dead.die() }
        }
    } victim: { victim in
        let client = try openClient(victim.site)
        let deaths = client.segment.deathCount + 2 + UInt32(victim.index)
        try victim.step { while client.segment.deathCount < deaths { sleepThread(for: .microseconds(100)) } }
    }
    scenario.stepsKeeper = true
    scenario.victims = length
    return scenario
}()

/// Longer than a schedule's other players take.
private let patience = Deadline.self

private func callOnce(_ victim: Victim, _ who: UInt64, capacity: Int = serviceCapacity) throws {
    let client = try openClient(victim.site, retries: 3, lasting: true, capacity: capacity)
    _ = try client.askShortly(500)
    try victim.step {
        do { _ = try client.askShortly(who * 10, until: patience.after(.milliseconds(20))) } catch CallError.peerDied {}
    }
}

private func giveUpTwice(_ victim: Victim, _ who: UInt64) throws {
    let client = try openClient(victim.site, retries: 3, lasting: true)
    _ = try client.askShortly(500)
    try victim.step {
        for number in 0..<2 as Range<UInt64> {
            // A server that dies after the deadline is said to have: the call is not sent again then.
            do { _ = try client.askShortly(who * 10 + number) } catch CallError.peerDied {}
        }
    }
}

private func serveOnce(_ victim: Victim, _ who: Int, capacity: Int = serviceCapacity) throws {
    let server = try openServer(victim.site, lasting: true, capacity: capacity)
    try server.replyToAll()
    try victim.step {
        for _ in 0..<2 {
            do {
                guard let call = try server.take(until: patience.after(.milliseconds(20))) else {
                    throw Violation("the server has stopped")
                }
                let request = call.request
                try Violation.unless(request.isWhole(request.number), "request \(request.number) is torn")
                try call.reply(Numbered(request.number + 1))
            } catch ServeError.deadline {} catch ServeError.callerGone {}
        }
    }
}

private func check(_ site: Site) throws { try check(site, capacity: serviceCapacity) }

private func check(_ site: Site, capacity: Int) throws {
    let ends = try ServiceEnds(site, lasting: true, capacity: capacity)
    try ends.settle()
}

private let storm = Scenario(
    "service.storm", "four that call, give up or read streams, and four that serve, killed at random",
    storm: Storm(
        workers: (0..<8).map { who in { try who % 2 == 0 ? stormingClient($0, UInt64(who)) : stormingServer($0) } },
        check: { site in
            let ends = try ServiceEnds(site, lasting: true, capacity: 16)
            try ends.settle()
        }))

private func stormingClient(_ process: Bystander, _ who: UInt64) throws {
    let client = try openClient(process.site, retries: who == 0 ? 1000 : 0, lasting: true, capacity: 16)
    var number = who << 32
    while !process.isOver {
        number += 10
        do {
            switch number / 10 % 4 {
            case 0: _ = try client.askShortly(number)
            case 1:
                let stream = client.stream(Numbered(number), until: .after(.milliseconds(20)))
                var next: UInt64 = 0
                while let part = try stream.next() {
                    try Violation.unless(part.isWhole(number + next + 1), "part \(next) of \(number) is \(part.number), or torn")
                    next += 1
                }
                try Violation.unless(next == 3, "the stream ended after \(next) parts")
            case 2: try client.ask(number, by: .suspending, until: .after(.milliseconds(20)))
            default: try client.ask(number, until: .after(.milliseconds(20)))
            }
        } catch CallError.deadline {
        } catch CallError.peerDied(let notice) {
            try Violation.unless(who != 0 || number / 10 % 4 == 1, "a call was not sent again: \(notice)")
        }
    }
}

private func stormingServer(_ process: Bystander) throws {
    let server = try openServer(process.site, lasting: true, capacity: 16)
    while !process.isOver {
        do {
            guard let call = try server.take(until: .after(.milliseconds(20))) else { return }
            let request = call.request
            try Violation.unless(request.isWhole(request.number), "request \(request.number) is torn")
            if call.isStreamed {
                for part in 1...3 as ClosedRange<UInt64> { try call.send(Numbered(request.number + part)) }
                try call.finish()
            } else {
                try call.reply(Numbered(request.number + 1))
            }
        } catch ServeError.deadline {} catch ServeError.callerGone {}
    }
}
