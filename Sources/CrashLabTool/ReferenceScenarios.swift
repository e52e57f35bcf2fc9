import CrashLab
import Interprocess

/// A value that processes hold together, of which one is killed that makes it, takes it, or lets go of it.
let referenceScenarios: [Scenario] = [
    reference("reference.make", "a process that makes a value with a block of its own") { _, arena, step in
        let kept = Holder<SharedReference<Halves>>(nil)
        try step { kept.value = try arena.makeOne() }
    },
    reference("reference.make.new", "a process that makes the first value of an arena", isNew: true) { _, arena, step in
        let kept = Holder<SharedReference<Halves>>(nil)
        try step { kept.value = try arena.makeOne() }
    },
    reference("reference.take", "a process that takes a value that another one holds") { site, arena, step in
        let kept = Holder<SharedReference<Halves>>(nil)
        try step { kept.value = try SharedReference(site.ticket, in: arena) }
    },
    reference("reference.let-go", "a process that lets go of a value that another one holds") { site, arena, step in
        let kept = Holder(try SharedReference(site.ticket, in: arena))
        try step { kept.value = nil }
    },
    reference("reference.let-go.last", "the last process to let go of a value, while others try to take it") { site, arena, step in
        let kept = Holder(try arena.makeOne())
        site.lastTicket = kept.value?.ticket
        try step { kept.value = nil }
    },
    reference("reference.both", "a process that takes a value and lets go of it, as others do") { site, arena, step in
        try step { try arena.takeShortly(site.ticket) }
    },
    Scenario(
        "reference.storm", "eight that make values, take them and let go, killed at random",
        storm: Storm(
            workers: (0..<8).map { who in { try storm($0, who) } }, check: { try openArena($0, lasting: true).checkReferences(board: 64) })),
]

extension Site {
    /// Of the value that the survivor holds.
    fileprivate var ticket: ReferenceTicket<Halves> {
        get { ReferenceTicket(rawValue: ledger[Mark.intent]) }
        nonmutating set { ledger[Mark.intent] = newValue.rawValue }
    }
    /// Of the value that nobody but the victim holds, and perhaps who takes it.
    fileprivate var lastTicket: ReferenceTicket<Halves>? {
        get { ledger[Mark.intent + 1] == 0 ? nil : ReferenceTicket(rawValue: ledger[Mark.intent + 1]) }
        nonmutating set { ledger[Mark.intent + 1] = newValue?.rawValue ?? 0 }
    }
}

extension SharedArena {
    /// Whole in both halves, and with a block of its own.
    fileprivate func makeOne(_ number: UInt64 = 7) throws -> SharedReference<Halves> {
        let reference = try makeReference(Halves(first: number, second: number), links: 1)
        let block = try allocate(byteCount: 100)
        try publish(block, into: reference.link(0))
        return reference
    }

    /// Takes a value and lets go of it again, if it is there; it is whole.
    fileprivate func takeShortly(_ ticket: ReferenceTicket<Halves>) throws {
        do {
            let reference = try SharedReference(ticket, in: self)
            try reference.value.check()
            try Violation.unless(reference.value.first > 0, "the value is another's")
        } catch ArenaError.gone {}
    }

    /// What others do while the victim stands still.
    fileprivate func useReferences(_ site: Site) throws {
        try takeShortly(site.ticket)
        if let ticket = site.lastTicket { try takeShortly(ticket) }
        try makeOne(9).value.check()
    }

    /// Nobody holds anything, and nothing is left but the records.
    fileprivate func checkReferences(board: Int = 0) throws {
        try segment.awaitPeers(1)
        hold { self.statistics().heaps.count == 1 }
        let problems = validate()
        try Violation.unless(problems.isEmpty, "\(problems)")
        let it = statistics()
        try Violation.unless(it.references == 0, "\(it.references) values are held by nobody")
        try Violation.unless(it.inHand == 0, "\(it.inHand) bytes are in nobody's hand")
        let left = it.used - (it.records + it.referenceRecords) * 320 - board
        try Violation.unless(left == 0, "\(left) bytes are left")
    }
}

private func reference(
    _ name: String, _ summary: String, isNew: Bool = false,
    victim operation: @escaping @Sendable (Site, SharedArena, (() throws -> Void) throws -> Void) throws -> Void
) -> Scenario {
    var scenario = Scenario(name, summary, segments: ["a"]) { site in
        let kept = Holder(try openArena(site))
        let mine = Holder<SharedReference<Halves>>(nil)
        return Survivor(
            prepare: {
                site.begin()
                mine.value = nil
                if isNew {
                    kept.value = nil
                    _ = try? site.directory.remove("a")
                    kept.value = try openArena(site)
                    return
                }
                mine.value = try kept.value?.makeOne()
                if let ticket = mine.value?.ticket { site.ticket = ticket }
            },
            meanwhile: { try kept.value?.useReferences(site) },
            goOn: {
                guard let arena = kept.value else { return }
                try arena.useReferences(site)
                // Nobody's death takes it away.
                try mine.value?.value.check()
                try arena.segment.awaitPeers(1)
                try mine.value?.value.check()
                mine.value = nil
                try arena.checkReferences()
                let again = try arena.makeOne()
                try arena.takeShortly(again.ticket)
            })
    } victim: { victim in
        let arena = try openArena(victim.site)
        try warm()
        try operation(victim.site, arena) { try victim.step($0) }
    } third: { third in
        let arena = try openArena(third.site)
        try arena.useReferences(third.site)
        third.awaitKill()
        try arena.useReferences(third.site)
    }
    scenario.watchedBytes = arenaWatchedBytes
    // All calls, once.
    guard name == "reference.make" else { return scenario }
    scenario.scribbled = { victim in
        let arena = try openArena(victim.site)
        let ticket = try arena.makeOne().ticket
        let kept = Holder<SharedReference<Halves>>(nil)
        try victim.step {
            kept.value = try? arena.makeOne()
            _ = try? arena.takeShortly(ticket)
            if let ticket = kept.value?.ticket { try? arena.takeShortly(ticket) }
            _ = (arena.validate(), arena.statistics())
            kept.value = nil
        }
    }
    return scenario
}

/// Bound on first use: in another arena, so that nothing of this one changes.
private func warm() throws {
    let arena = try SharedArena.anonymous(options: ArenaOptions(limit: 1 << 20))
    let ticket = try arena.makeOne().ticket
    try arena.takeShortly(ticket)
    try arena.takeShortly(arena.makeOne().ticket)
}

private struct Tickets: Shareable { var tickets: InlineArray<8, UInt64> }

/// Each writes the ticket of what it has made on a board, and takes what others have written there.
private func storm(_ process: Bystander, _ who: Int) throws {
    let arena = try openArena(process.site, lasting: true)
    let board = try arena.findOrConstruct("board", as: Tickets.self) { _ in }
    var held: [SharedReference<Halves>] = []
    var turn = UInt64(who)
    while !process.isOver {
        turn += 1
        if turn % 3 == 0 {
            let reference = try arena.makeOne(turn)
            try arena.withValue(at: board) { $0.tickets[who] = reference.ticket.rawValue }
            held.append(reference)
        } else {
            let ticket = try arena.withValue(at: board) { $0.tickets[Int(turn) % 8] }
            do { held.append(try SharedReference(ReferenceTicket<Halves>(rawValue: ticket), in: arena)) } catch ArenaError.gone {}
        }
        for reference in held { try reference.value.check() }
        if held.count > 4 { held.removeFirst(Int(turn) % 4 + 1) }
    }
}
