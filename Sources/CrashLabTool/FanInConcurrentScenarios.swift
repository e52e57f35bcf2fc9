import CrashLab
import Interprocess
import InterprocessSystem

/// Several at work at a fan-in queue at once: stepped in all orders, or killed at random.
let fanInConcurrentScenarios: [Scenario] =
    [storm]
    + Scenario.schedules(
        "fanin.schedule", "two that send two messages each, and one that receives", ["q"],
        players: [{ try sendTwo($0, 0) }, { try sendTwo($0, 1) }, { try receiveSome($0, 2, 2) }], check: { try check($0) })

private func sendOne(_ site: Site, _ who: Int, _ sender: inout Sender<Numbered>) throws {
    site.ledger[Mark.intent + who] += 1
    do throws(SendError<Numbered>) {
        try sender.send(Numbered(UInt64(who)), until: .after(.milliseconds(20)))
        site.ledger[Mark.done + who] += 1
    } catch {
        switch error.reason {
        case .deadline, .peerDied, .closed: site.undone(who)
        default: throw error
        }
    }
}

private func sendTwo(_ victim: Victim, _ who: Int) throws {
    var sender = try openFanInSender(victim.site, victim.site.fanIn(lasting: true))
    try sender.trySend(Numbered(500))
    try victim.step { for _ in 0..<2 { try sendOne(victim.site, who, &sender) } }
}

private func receiveSome(_ victim: Victim, _ who: Int, _ count: Int) throws {
    let receiver = try FanInEnd(victim.site, victim.site.fanIn(lasting: true))
    _ = try receiver.drain()
    try victim.step {
        for _ in 0..<count {
            victim.site.ledger[Mark.intent + who] += 1
            // One of the senders may be killed before it sends, or have closed.
            if try receiver.receive(until: .after(.milliseconds(20))) == nil {
                victim.site.undone(who)
            } else {
                victim.site.ledger[Mark.done + who] += 1
            }
        }
    }
}

/// What was sent has been received or is there.
private func check(_ site: Site, lanes: Int = fanInLanes, senders: Range<Int> = 0..<2, receivers: Range<Int> = 2..<3) throws {
    let options = site.fanIn(lasting: true, lanes: lanes)
    let receiver = try FanInEnd(site, options)
    let left = try receiver.drain().filter { $0 < 100 }.count
    let (sent, received) = (site.count(senders), site.count(receivers))
    let expected = sent.lowerBound - received.upperBound...sent.upperBound - received.lowerBound
    try Violation.unless(expected.contains(left), "\(left) messages are left: sent \(sent), received \(received)")
    try receiver.segment.awaitPeers(1)
    try receiver.settle(site, options)
}

private let storm = Scenario(
    "fanin.storm", "five that send and two that want to receive, killed at random",
    storm: Storm(
        workers: (0..<7).map { who in { try who < 5 ? sending($0, who) : receiving($0, who) } },
        check: { try check($0, lanes: 6, senders: 0..<5, receivers: 5..<7) }))

private func sending(_ process: Bystander, _ who: Int) throws {
    let site = process.site
    while !process.isOver {
        var sender = try openFanInSender(site, site.fanIn(lasting: true, lanes: 6))
        for _ in 0..<20 where !process.isOver { try sendOne(site, who, &sender) }
        sender.close()
    }
}

private func receiving(_ process: Bystander, _ who: Int) throws {
    let site = process.site
    while !process.isOver {
        let receiver: FanInEnd
        do { receiver = try FanInEnd(site, site.fanIn(lasting: true, lanes: 6)) } catch let error as InterprocessError
            where error.code == .busy
        {
            sleepThread(for: .milliseconds(1))
            continue
        }
        for _ in 0..<50 where !process.isOver {
            site.ledger[Mark.intent + who] += 1
            if try receiver.receive(until: .after(.milliseconds(20))) == nil { site.undone(who) } else { site.ledger[Mark.done + who] += 1 }
        }
    }
}
