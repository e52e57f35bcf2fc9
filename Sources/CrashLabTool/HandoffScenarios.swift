import CrashLab
import Interprocess
import InterprocessSystem

/// Two sides that give each other the turn, one of them killed while the other sleeps, and a third process that tries to take its place.
let handoffScenarios: [Scenario] = [
    killed("handoff.parent", "a parent in yield, with its child asleep", .parent) { try victimYields($0, .parent) },
    killed("handoff.child", "a child in yield, with its parent asleep", .child) { try victimYields($0, .child) },
    killed("handoff.parent.async", "a parent in yield by a task, with its child asleep", .parent) {
        try victimYields($0, .parent, .suspending)
    },
    killed("handoff.child.async", "a child in yield by a task, with its parent asleep", .child) {
        try victimYields($0, .child, .suspending)
    },
    killed("handoff.close", "a parent that closes, with its child asleep", .parent) { victim in
        victim.site.ledger[Mark.succeeded] = 1
        let kept = KeptHandoff(try meet(victim.site, .parent))
        try kept.handoff?.giveAndTake(victim.site)
        try victim.step { kept.handoff = nil }
    },
    Scenario("handoff.join", "a parent that joins, with a child waiting for it", segments: ["h"], needsSleepers: true) { site in
        Survivor(
            prepare: { site.ledger[Mark.succeeded] = 0 },
            goOn: {
                // The waiting child meets the next one, whatever it has seen of the dead.
                var parent = try meet(site, .parent)
                try Violation.unless(try parent.yield(41) == 42, "the child gave something else back")
                parent.close()
            })
    } victim: { victim in
        // Once before, for what is bound on first use, and with nobody there.
        _ = try? Handoff.join(handoffName, as: .parent, options: handoffOptions(victim.site, "bound"), until: .now)
        let kept = KeptHandoff(nil)
        try victim.step { kept.handoff = try meet(victim.site, .parent) }
    } sleepers: { sleeper in
        sleeper.willSleep()
        var child = try meet(sleeper.site, .child)
        try Violation.unless(child.value == 41, "the first turn came with \(String(describing: child.value))")
        try Violation.unless(try child.yield(42) == nil, "a turn came that nobody gave")
    } third: { third in
        third.awaitKill()
    },
    waiting(.blocking), waiting(.suspending), both(.blocking), both(.suspending), giveUp, rejoin,
    storm("handoff.storm", "a parent and a child that are killed at random, and meet anew", .blocking),
    storm("handoff.storm.async", "the same, with the child in a task", .suspending),
]

/// Its partner keeps the turn until it is seen asleep.
private func waiting(_ form: Form) -> Scenario {
    killed("handoff.sleep" + form.rawValue, "a child that sleeps until it gets the turn", .child, victimWaits: true) { victim in
        var handoff = try meet(victim.site, .child)
        for _ in 0..<KeptTurn.answered { try handoff.giveAndTake(victim.site, form) }
        try victim.step(by: form) { try handoff.giveAndTake(victim.site, form) }
    }
}

/// A partner that keeps the turn after so many, until somebody says that it may go on.
private enum KeptTurn {
    static let answered = 2
    static func mayGoOn(_ site: Site) -> Bool { site.ledger[Mark.given] > 0 }
}

private func both(_ form: Form) -> Scenario {
    inOneProcess("handoff.both" + form.rawValue, "both sides in one process, through a turn each way and the end") {
        try bothSides($0, form)
    }
}

private let giveUp = inOneProcess("handoff.give-up.cancel", "a child that waits for a turn that does not come, by a task that is cancelled")
{ victim in
    let (parent, child) = try meetInside(victim.site)
    // Once before, so that everything is bound.
    try child.handoff?.askInVain()
    try victim.step(by: .cancelled) { try child.handoff?.askInVain() }
    withExtendedLifetime(parent) {}
}

private func storm(_ name: String, _ summary: String, _ child: Form) -> Scenario {
    Scenario(
        name, summary,
        storm: Storm(workers: [{ try playUntilOver($0, .parent) }, { try playUntilOver($0, .child, child) }], check: { try meetAnew($0) }))
}

private let rejoin = inOneProcess("handoff.rejoin", "a parent that leaves its pair, comes anew, and goes when nobody comes") {
    try leavesAndComes($0)
}

private func inOneProcess(_ name: String, _ summary: String, _ victim: @escaping @Sendable (Victim) throws -> Void) -> Scenario {
    var scenario = Scenario(
        name, summary, segments: ["h"], survivor: { site in Survivor(goOn: { try meetAnew(site) }) }, victim: victim, scribbled: victim)
    // As with segment.leaveLast.
    scenario.excluded = [.fork]
    return scenario
}

private let handoffName: ObjectName = "h"

private func handoffOptions(_ site: Site, _ folder: String? = nil) -> HandoffOptions { HandoffOptions(directory: site.directory) }

private func meet(_ site: Site, _ role: HandoffRole, until deadline: Deadline = .never) throws(InterprocessError) -> Handoff {
    try Handoff.join(handoffName, as: role, options: handoffOptions(site), strategy: .park, until: deadline)
}

/// Stays while the process lives.
private final class KeptHandoff: @unchecked Sendable {
    var handoff: Handoff?
    init(_ handoff: consuming Handoff?) { self.handoff = handoff }

    func rejoinInVain() throws {
        do throws(InterprocessError) { try handoff?.rejoin(until: .now) } catch {
            guard error.code == .deadline else { throw error }
        }
    }
}

extension Handoff {
    fileprivate mutating func give(_ number: UInt64, _ form: Form) throws -> UInt64? {
        try form.call {
            try self.yield(number)
        } _: {
            try await self.yield(number)
        }
    }

    fileprivate mutating func turn(_ form: Form, until deadline: Deadline) throws -> UInt64? {
        try form.call {
            try awaitTurn(until: deadline)
        } _: {
            try await awaitTurn(until: deadline)
        }
    }

    /// Asks for a turn that nobody gives, by a task that is cancelled.
    fileprivate mutating func askInVain() throws {
        do {
            let value = try turn(.cancelled, until: .never)
            throw Violation("a turn came that nobody gave, with \(String(describing: value))")
        } catch HandoffError.cancelled {}
    }

    /// Gives the next number, and takes what comes back: the one after it.
    fileprivate mutating func giveAndTake(_ site: Site, _ form: Form = .blocking) throws {
        let number = site.ledger[Mark.sent] + 1
        site.ledger[Mark.sendIntent] = number
        let back = try give(number, form)
        site.ledger[Mark.sent] = number
        try Violation.unless(back == number, "\(number) was given, and \(back.map { "\($0)" } ?? "the end") came back")
    }
}

/// A survivor whose partner is a thread of its own, which is told of each victim's end, and then goes on with the next one: here with `again`. What was sent by the
/// victim and its partner must have arrived.
func meetingAgain(
    _ site: Site, _ role: HandoffRole, _ sent: String, _ taken: String, partner body: @escaping @Sendable () throws -> Void,
    rouse: (() throws -> Void)? = nil, meet: @escaping () throws -> Handoff, again: @escaping (inout Handoff) throws -> Void
) throws -> Survivor {
    let partner = OtherSide()
    try startServiceThread(named: "partner") { partner.run(body) }
    var ends: UInt64 = 0
    func awaitEnd() throws {
        ends += 1
        while site.ledger[Mark.ends] < ends {
            try partner.check()
            sleepThread(for: .microseconds(50))
        }
        let counts = (sent: site.ledger[Mark.sent], taken: site.ledger[Mark.taken])
        try Violation.unless(counts.taken >= counts.sent, "\(counts.sent) \(sent), and \(counts.taken) \(taken)")
    }
    func begin() { for mark in [Mark.sent, Mark.sendIntent, Mark.taken, Mark.given] { site.ledger[mark] = 0 } }
    return Survivor(
        prepare: { begin() }, rouse: rouse,
        goOn: {
            try rouse?()
            try awaitEnd()
            begin()
            // The same partner goes on with the next one.
            var fresh = try meet()
            try again(&fresh)
            fresh.close()
            try awaitEnd()
        })
}

/// A scenario in which one side is the victim, and the other a thread of the survivor's that sleeps until it gets the turn, and meets the next one
/// when it has been told of an end.
private func killed(
    _ name: String, _ summary: String, _ role: HandoffRole, victimWaits: Bool = false, _ victim: @escaping @Sendable (Victim) throws -> Void
) -> Scenario {
    Scenario(name, summary, segments: ["h"], victimWaits: victimWaits) { site in
        try meetingAgain(
            site, role, "turns were given", "had", partner: { try playPartner(site, role.other, isSlow: victimWaits) },
            rouse: victimWaits ? { site.ledger[Mark.given] = 1 } : nil, meet: { try meet(site, role) }
        ) {
            try $0.giveAndTake(site)
            try $0.giveAndTake(site)
        }
    } victim: { process in
        try victim(process)
    } third: { third in
        // Where the victim has closed already its role is free: then nobody is refused.
        for role in HandoffRole.allCases where third.site.ledger[Mark.succeeded] == 0 {
            do {
                _ = try meet(third.site, role, until: .now)
                throw Violation("a third process was let in as the \(role)")
            } catch let error as InterprocessError {
                guard error.code == .busy else { throw error }
            }
        }
        third.awaitKill()
    }
}

/// Gives each number back that comes, which must be the next one; after an end, the same with whoever comes then.
private func playPartner(_ site: Site, _ role: HandoffRole, isSlow: Bool) throws {
    let ledger = site.ledger
    while true {
        var handoff: Handoff
        do throws(InterprocessError) {
            handoff = try meet(site, role)
        } catch {
            throw Violation("\(error)")
        }
        // The parent's first turn is nobody's number.
        var value = role == .parent ? try handoff.yield() : handoff.value
        while let number = value {
            try Violation.unless(
                number == ledger[Mark.taken] + 1 && number <= ledger[Mark.sendIntent],
                "the turn came with \(number) after \(ledger[Mark.taken]), and \(ledger[Mark.sendIntent]) was the last to be given")
            ledger[Mark.taken] = number
            if isSlow, number > KeptTurn.answered { hold { KeptTurn.mayGoOn(site) } }
            value = try handoff.yield(number)
        }
        try Violation.unless(handoff.end != nil, "no end was told")
        handoff.close()
        ledger[Mark.ends] += 1
    }
}

private func victimYields(_ victim: Victim, _ role: HandoffRole, _ form: Form = .blocking) throws {
    var handoff = try meet(victim.site, role)
    // Twice, so that everything is bound and the other side sleeps.
    try handoff.giveAndTake(victim.site, form)
    try handoff.giveAndTake(victim.site, form)
    try victim.step { try handoff.giveAndTake(victim.site, form) }
}

/// Both sides are free again, and work.
private func meetAnew(_ site: Site) throws {
    let parent = OtherSide()
    try startServiceThread(named: "parent") {
        parent.run {
            var handoff = try meet(site, .parent)
            try Violation.unless(try handoff.yield(1000) == 1001, "the new child gave something else back")
        }
    }
    var child = try meet(site, .child)
    try Violation.unless(child.value == 1000, "the new parent's turn came with \(String(describing: child.value))")
    try Violation.unless(try child.yield(1001) == nil, "the new parent has not ended")
    child.close()
    try parent.wait()
}

/// A pair of two sides in this process, of which the parent has the turn.
private func meetInside(_ site: Site) throws -> (parent: KeptHandoff, child: KeptHandoff) {
    let parent = KeptHandoff(nil)
    let other = OtherSide()
    try startServiceThread(named: "parent") {
        other.run { parent.handoff = try meet(site, .parent) }
    }
    // The parent gives the turn when it is there; until then the child is not either.
    let child = KeptHandoff(nil)
    let second = OtherSide()
    try startServiceThread(named: "child") { second.run { child.handoff = try meet(site, .child) } }
    try other.wait()
    _ = try parent.handoff?.tryYield(0)
    try second.wait()
    _ = try child.handoff?.tryYield(0)
    _ = try parent.handoff?.awaitTurn()
    return (parent, child)
}

private func leavesAndComes(_ victim: Victim) throws {
    let (parent, child) = try meetInside(victim.site)
    child.handoff = nil
    // Once before, for what is bound on first use.
    try parent.rejoinInVain()
    try victim.step { try parent.rejoinInVain() }
}

private func bothSides(_ victim: Victim, _ form: Form) throws {
    let (parent, child) = try meetInside(victim.site)
    func expect(_ value: UInt64?, _ turn: UInt64?) throws {
        try Violation.unless(turn == value, "the turn came with \(String(describing: turn)), not \(String(describing: value))")
    }
    try victim.step {
        _ = try parent.handoff?.tryYield(1)
        try expect(1, try child.handoff?.turn(form, until: victim.deadline))
        _ = try child.handoff?.tryYield(2)
        try expect(2, try parent.handoff?.turn(form, until: victim.deadline))
        parent.handoff = nil
        try expect(nil, try child.handoff?.turn(form, until: victim.deadline))
        child.handoff = nil
    }
}

/// Takes turns with whoever is on the other side, until it is over.
private func playUntilOver(_ process: Bystander, _ role: HandoffRole, _ form: Form = .blocking) throws {
    while !process.isOver {
        var handoff: Handoff
        do throws(InterprocessError) {
            handoff = try meet(process.site, role, until: .after(.milliseconds(20)))
        } catch {
            // The other side is gone for good when it is over.
            guard error.code == .deadline else { throw error }
            continue
        }
        var value = handoff.value
        while let number = value, !process.isOver {
            let back = try handoff.give(number &+ 1, form)
            try Violation.unless(back == nil || back == number &+ 2, "\(number &+ 1) was given, and \(back ?? 0) came back")
            value = back
        }
    }
}
