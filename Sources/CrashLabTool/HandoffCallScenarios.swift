import CrashLab
import Interprocess
import InterprocessSystem

/// Calls over a handoff: one side is killed while it calls or serves, and the other one goes on with the next.
let handoffCallScenarios: [Scenario] = [
    killed("handoff.call", "a parent that calls, is called back and calls again, with its child asleep", .parent) { victim, side in
        try side.callAndCheck(victim.site)
        try victim.step { try side.callAndCheck(victim.site) }
    },
    killed("handoff.serve", "a child that performs a method and calls back in it, with its parent asleep", .child) { victim, side in
        try side.serveOnce(victim.site)
        try victim.step { try side.serveOnce(victim.site) }
    },
    killed("handoff.call.async", "a parent that calls by a task, is called back and calls again, with its child asleep", .parent) {
        victim, side in
        try side.callAndCheck(victim.site, .suspending)
        try victim.step { try side.callAndCheck(victim.site, .suspending) }
    },
    killed("handoff.serve.async", "a child that performs a method by a task and calls back in it, with its parent asleep", .child) {
        victim, side in
        try side.serveOnce(victim.site, .suspending)
        try victim.step { try side.serveOnce(victim.site, .suspending) }
    },
    Scenario(
        "handoff.calls", "both sides in one process, through a call with an array, a call back and the end", segments: ["h"],
        survivor: { site in Survivor(goOn: { try callAnew(site) }) }, victim: { try bothSides($0) }, scribbled: { try bothSides($0) }),
    Scenario(
        "handoff.calls.storm", "a caller and a server that are killed at random, and meet anew", segments: [],
        survivor: { _ in Survivor(goOn: {}) }, victim: { _ in },
        storm: Storm(workers: [{ try callUntilOver($0) }, { try serveUntilOver($0) }], check: { try callAnew($0) })),
]

/// Replaces each number of the array by one more, adds up, and asks the caller in between.
private enum Raise: HandoffMethod {
    static let id: UInt32 = 1
    struct Arguments: Shareable {
        var number: UInt64
        var numbers: SharedSlice<UInt64>
    }
    typealias Output = UInt64
}

/// What the caller adds.
private enum Ask: HandoffMethod {
    static let id: UInt32 = 2
    typealias Arguments = UInt64
    typealias Output = UInt64
}

private let dataSize = 4096
private let length = 4

private func meet(_ site: Site, _ role: HandoffRole, until deadline: Deadline = .never) throws(InterprocessError) -> Handoff {
    try Handoff.join(
        "h", as: role, options: HandoffOptions(directory: site.directory, dataSize: dataSize), strategy: .park, until: deadline)
}

extension Handoff {
    /// Calls `Raise` with the next number, and checks that everything of it is there: the array in place, the sum and what was asked.
    fileprivate mutating func callAndCheck(_ site: Site, _ form: Form = .blocking) throws {
        let number = site.ledger[Mark.sent] + 1
        site.ledger[Mark.sendIntent] = number
        let start = mark
        let numbers = try allocate(repeating: number, count: length)
        try Violation.unless(numbers.offset == 0, "the first array lies at \(numbers.offset)")
        var asked = 0
        func answer(_ side: inout Handoff, _ method: UInt32) throws {
            guard method == Ask.id else { return }
            try side.answer(Ask.self) { side, value in
                asked += 1
                // An array of the method's own, which ends with it.
                _ = try side.allocate(repeating: UInt8(1), count: 16)
                return value + 1000
            }
        }
        let arguments = Raise.Arguments(number: number, numbers: numbers)
        let sum = try form.call {
            try call(Raise.self, arguments, answering: answer)
        } _: {
            try await call(Raise.self, arguments) { try answer(&$0, $1) }
        }
        try check(sum, of: number, numbers, asked)
        release(to: start)
        site.ledger[Mark.sent] = number
    }

    private func check(_ sum: UInt64, of number: UInt64, _ numbers: SharedSlice<UInt64>, _ asked: Int) throws {
        let span = try span(of: numbers)
        for index in span.indices {
            try Violation.unless(span[index] == number + 1, "element \(index) is \(span[index]), not \(number + 1)")
        }
        let expected = UInt64(length) * number + number + 1000
        try Violation.unless(sum == expected && asked == 1, "the output is \(sum), not \(expected), and \(asked) calls came back")
    }

    /// Performs one `Raise`, which must be the next; false if the caller has ended.
    @discardableResult
    fileprivate mutating func serveOnce(_ site: Site, _ form: Form = .blocking) throws -> Bool {
        guard let method = try form.call({ try awaitCall() }, { try await awaitCall() }) else { return false }
        try Violation.unless(method == Raise.id, "method \(method) was called")
        do {
            try form.call {
                try answer(Raise.self) { side, arguments in
                    try side.raise(arguments, site) { side, number in try side.call(Ask.self, number) }
                }
            } _: {
                try await answer(Raise.self) { side, arguments in
                    try await side.raise(arguments, site) { side, number in try await side.call(Ask.self, number) }
                }
            }
        } catch HandoffCallError.ended {
            return false
        }
        return true
    }

    private mutating func raise(
        _ arguments: Raise.Arguments, _ site: Site, _ ask: (inout Handoff, UInt64) throws -> UInt64
    ) throws -> UInt64 {
        let sum = try raiseAll(arguments, site)
        let asked = try ask(&self, arguments.number)
        site.ledger[Mark.taken] = arguments.number
        return sum + asked
    }

    private mutating func raise(
        _ arguments: Raise.Arguments, _ site: Site, _ ask: (inout Handoff, UInt64) async throws -> UInt64
    ) async throws -> UInt64 {
        let sum = try raiseAll(arguments, site)
        let asked = try await ask(&self, arguments.number)
        site.ledger[Mark.taken] = arguments.number
        return sum + asked
    }

    private mutating func raiseAll(_ arguments: Raise.Arguments, _ site: Site) throws -> UInt64 {
        let ledger = site.ledger
        try Violation.unless(
            arguments.number == ledger[Mark.taken] + 1 && arguments.number <= ledger[Mark.sendIntent],
            "call \(arguments.number) came after \(ledger[Mark.taken]), and \(ledger[Mark.sendIntent]) was the last to be made")
        let own = try allocate(repeating: UInt64(7), count: 8)
        try Violation.unless(own.offset == UInt64(dataSize - 64), "the method's array lies at \(own.offset)")
        return try raise(arguments.numbers)
    }

    private mutating func raise(_ numbers: SharedSlice<UInt64>) throws -> UInt64 {
        var span = try mutableSpan(of: numbers)
        var sum: UInt64 = 0
        for index in span.indices {
            sum &+= span[index]
            span[index] &+= 1
        }
        return sum
    }
}

/// A scenario in which one side is the victim, and the other a thread of the survivor's that is there for one pair after the other.
private func killed(
    _ name: String, _ summary: String, _ role: HandoffRole, _ body: @escaping @Sendable (Victim, inout Handoff) throws -> Void
) -> Scenario {
    Scenario(name, summary, segments: ["h"]) { site in
        let partner: @Sendable () throws -> Void = { if role == .parent { try serveAll(site) } else { try callAll(site) } }
        return try meetingAgain(site, role, "calls were answered", "performed", partner: partner, meet: { try meet(site, role) }) {
            // The area is empty: the first array lies at its start.
            for _ in 0..<2 { if role == .parent { try $0.callAndCheck(site) } else { try $0.serveOnce(site) } }
        }
    } victim: { victim in
        var side = try meet(victim.site, role)
        try body(victim, &side)
    } third: { third in
        third.awaitKill()
    }
}

/// Serves one caller after the other.
private func serveAll(_ site: Site) throws {
    while true {
        var side = try meet(site, .child)
        while try side.serveOnce(site) {}
        try Violation.unless(side.end != nil, "no end was told")
        side.close()
        site.ledger[Mark.ends] += 1
    }
}

/// Calls one server after the other.
private func callAll(_ site: Site) throws {
    while true {
        var side = try meet(site, .parent)
        do {
            while true { try side.callAndCheck(site) }
        } catch HandoffCallError.ended {
            side.close()
            site.ledger[Mark.ends] += 1
        }
    }
}

/// Both sides are free again, and the area is empty.
private func callAnew(_ site: Site) throws {
    for mark in [Mark.sent, Mark.sendIntent, Mark.taken] { site.ledger[mark] = 0 }
    let server = OtherSide()
    try startServiceThread(named: "server") {
        server.run {
            var child = try meet(site, .child)
            while try child.serveOnce(site) {}
        }
    }
    var caller = try meet(site, .parent)
    try caller.callAndCheck(site)
    try caller.callAndCheck(site)
    caller.close()
    try server.wait()
}

/// Stays while the process lives.
private final class KeptSide: @unchecked Sendable {
    var side: Handoff?
}

/// Both sides of a handoff in this process.
private func meetBoth(_ site: Site) throws -> (KeptSide, KeptSide) {
    let (parent, child) = (KeptSide(), KeptSide())
    let (first, second) = (OtherSide(), OtherSide())
    try startServiceThread(named: "parent") { first.run { parent.side = try meet(site, .parent) } }
    try startServiceThread(named: "child") { second.run { child.side = try meet(site, .child) } }
    try first.wait()
    // The child's joining returns with the first turn.
    _ = try parent.side?.tryYield(0)
    try second.wait()
    _ = try child.side?.tryYield(0)
    _ = try parent.side?.awaitTurn()
    return (parent, child)
}

private func bothSides(_ victim: Victim) throws {
    let (parent, child) = try meetBoth(victim.site)
    // Once before, so that everything is bound.
    try callAndAnswer(parent, child, victim.deadline)
    try victim.step {
        try callAndAnswer(parent, child, victim.deadline)
        parent.side = nil
        _ = try child.side?.awaitCall(until: victim.deadline)
        child.side = nil
    }
}

/// A call with an array, and one back, by one thread.
private func callAndAnswer(_ parent: KeptSide, _ child: KeptSide, _ deadline: Deadline) throws {
    let mark = parent.side?.mark
    let numbers = try parent.side?.allocate(repeating: UInt64(1), count: length) ?? SharedSlice()
    try untilNow { _ = try parent.side?.call(Raise.self, Raise.Arguments(number: 1, numbers: numbers), until: .now) }
    _ = try child.side?.awaitCall(until: deadline)
    try child.side?.answer(Raise.self) { side, arguments in
        var sum: UInt64 = 0
        let span = try side.span(of: arguments.numbers)
        for index in span.indices { sum &+= span[index] }
        return sum
    }
    _ = try parent.side?.awaitAnswer(to: Raise.self, until: deadline)
    if let mark { parent.side?.release(to: mark) }
}

/// The call has been made, and nobody has answered it yet.
private func untilNow(_ call: () throws -> Void) throws {
    do { try call() } catch HandoffCallError.deadline { return }
    throw Violation("a call was answered before anybody had seen it")
}

private func callUntilOver(_ process: Bystander) throws {
    try meetUntilOver(process, .parent) { side in
        let start = side.mark
        let numbers = try side.allocate(repeating: UInt64(5), count: length)
        let sum = try side.call(Raise.self, Raise.Arguments(number: 3, numbers: numbers)) { side, method in
            if method == Ask.id { try side.answer(Ask.self) { $1 + 1000 } }
        }
        try Violation.unless(sum == 5 * UInt64(length) + 1003 && numbers.offset == 0, "the output is \(sum), at \(numbers.offset)")
        side.release(to: start)
    }
}

private func serveUntilOver(_ process: Bystander) throws {
    try meetUntilOver(process, .child) { side in
        _ = try side.serve(until: .after(.milliseconds(20))) { side, method in
            guard method == Raise.id else { return }
            try side.answer(Raise.self) { side, arguments in
                var sum: UInt64 = 0
                for index in 0..<arguments.numbers.count { sum += try side.span(of: arguments.numbers)[index] }
                return sum + (try side.call(Ask.self, arguments.number))
            }
        }
    }
}

/// Meets one after the other, and runs `body` again and again until the other side has ended or it is over.
private func meetUntilOver(_ process: Bystander, _ role: HandoffRole, _ body: (inout Handoff) throws -> Void) throws {
    while !process.isOver {
        var side: Handoff
        do throws(InterprocessError) {
            side = try meet(process.site, role, until: .after(.milliseconds(20)))
        } catch {
            // The other side is gone for good when it is over.
            guard error.code == .deadline else { throw error }
            continue
        }
        do {
            while !process.isOver, side.end == nil { try body(&side) }
        } catch let error as HandoffCallError {
            switch error {
            case .ended, .deadline: continue
            default: throw error
            }
        }
    }
}
