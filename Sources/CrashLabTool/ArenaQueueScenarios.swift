import CrashLab
import Interprocess

/// The queue in an arena, of which a process is killed that appends, takes, waits, takes all away, or destroys it.
let arenaQueueScenarios: [Scenario] = [
    queue("append", "a process that appends to a queue in an arena, with others waiting", sleepers: 2) {
        try $0.give($1, VariablePlace.victim)
    },
    queue("append.several", "a process that appends several elements, for which another chunk is needed", elements: 1) {
        try $0.give($1, VariablePlace.victim, 4)
    },
    queue("pop", "a process that takes elements, more than there are in a chunk", elements: 7) { queue, site in
        for _ in 0..<4 { try queue.fetch(site, VariablePlace.victim) }
    },
    queue("pop.waiting", "a process that waits for an element, beside others", sleepers: 2, isRoused: true) {
        try $0.fetch($1, VariablePlace.victim)
    },
    queue("first", "a process that looks at a queue in an arena", elements: 3) { queue, _ in
        try queue.first?.check()
        let count = try queue.count
        try Violation.unless((2...4).contains(count), "\(count) elements")
    },
    queue("clear", "a process that takes all elements away", elements: 5, isWhole: true) { queue, site in
        site.ledger[Mark.intent + VariablePlace.taking] = 5
        try queue.removeAll()
    },
    queue("destroy", "a process that destroys a queue in an arena", elements: 5, isWhole: true) { queue, site in
        site.ledger[Mark.intent + VariablePlace.taking] = 5
        try openArena(site).destroy("q")
    },
    Scenario(
        "arena-queue.storm", "eight that append, take and wait, killed at random",
        storm: Storm(
            workers: (0..<8).map { who in { try storm($0, who) } },
            check: { site in
                let arena = try openArena(site, lasting: true)
                let queue = try ArenaQueue<Portion>("q", in: arena)
                for element in try queue.elements() { try element.check() }
                try queue.checkWhole(arena)
            })),
]

/// Two of them fill a chunk.
private struct Portion: Shareable {
    var words: InlineArray<60, UInt64>
    init(_ number: UInt64) { words = InlineArray(repeating: number) }
    func check() throws {
        for index in 0..<60 { try Violation.unless(words[index] == words[0], "a torn element: \(words[0]) and \(words[index])") }
    }
}

extension ArenaQueue<Portion> {
    /// Appends so many in a row, and writes down before that it is about to, and after that it has.
    @discardableResult
    fileprivate func give(_ site: Site, _ who: Int, _ count: UInt64 = 1, _ deadline: Deadline = .never) throws -> Bool {
        site.ledger[Mark.intent + who] += count
        do { try append(contentsOf: (0..<count).map { Portion(100 * UInt64(who) + $0) }, until: deadline) } catch {
            site.undone(who, count)
            guard error == .deadline else { throw error }
            return false
        }
        site.ledger[Mark.done + who] += count
        return true
    }

    /// The same for one that is taken.
    fileprivate func fetch(_ site: Site, _ who: Int, _ deadline: Deadline = .never) throws {
        let place = who + VariablePlace.taking
        site.ledger[Mark.intent + place] += 1
        let element: Portion
        do { element = try popFirst(until: deadline) } catch {
            site.undone(place)
            guard error == .deadline else { throw error }
            return
        }
        try element.check()
        site.ledger[Mark.done + place] += 1
    }

    /// What others do while the victim stands still.
    fileprivate func tryShortly(_ site: Site) throws {
        do {
            try first?.check()
            if try give(site, VariablePlace.third, 1, .shortly) { try fetch(site, VariablePlace.third, .shortly) }
        } catch ArenaError.destroyed {}
    }

    /// What is there is whole, and is all that was appended and not taken.
    fileprivate func checkBalance(_ site: Site, isWhole: Bool) throws {
        let elements = try elements()
        for element in elements { try element.check() }
        let (given, taken) = (site.count(0..<VariablePlace.taking), site.count(VariablePlace.taking..<10))
        let expected = given.lowerBound - taken.upperBound...given.upperBound - taken.lowerBound
        let problem = "\(elements.map { $0.words[0] }) are there: \(given) were appended and \(taken) taken"
        try Violation.unless(expected.contains(elements.count), problem)
        // All or none.
        let several = elements.filter { $0.words[0] < 100 }.count
        if site.slept == 0 { try Violation.unless(isWhole || several == 0 || several == 4 || site.ledger[Mark.intent] < 4, problem) }
        if isWhole { try Violation.unless(elements.count == expected.lowerBound || elements.count == expected.upperBound, problem) }
    }

    /// Nothing is lost, nothing in hand; it is gone afterwards.
    fileprivate func checkWhole(_ arena: SharedArena) throws {
        try arena.segment.awaitPeers(1)
        hold { arena.statistics().heaps.count == 1 }
        let problems = try arena.validate().map { "\($0)" } + validate()
        try Violation.unless(problems.isEmpty, "\(problems)")
        try arena.destroy("q")
        let statistics = arena.statistics()
        try Violation.unless(statistics.inHand == 0, "\(statistics.inHand) bytes are in nobody's hand")
        let left = statistics.used - statistics.records * 320
        try Violation.unless(left == 0, "\(left) bytes are left")
    }
}

private func openQueue(_ site: Site) throws -> ArenaQueue<Portion> { try ArenaQueue("q", in: openArena(site)) }

/// - Parameters:
///   - elements: what the victim finds.
///   - isRoused: the victim waits for one.
///   - isWhole: all or none are there after it.
private func queue(
    _ name: String, _ summary: String, elements: UInt64 = 0, sleepers: Int = 0, isRoused: Bool = false, isWhole: Bool = false,
    _ operation: @escaping @Sendable (ArenaQueue<Portion>, Site) throws -> Void
) -> Scenario {
    var scenario = Scenario("arena-queue.\(name)", summary, segments: ["a"], victimWaits: isRoused) { site in
        let arena = try openArena(site)
        let kept = Holder<ArenaQueue<Portion>>(nil)
        func opened() throws -> ArenaQueue<Portion> {
            let queue = try kept.value ?? ArenaQueue("q", in: arena)
            kept.value = queue
            return queue
        }
        return Survivor(
            prepare: {
                site.begin()
                kept.value = nil
                if elements > 0 { try opened().give(site, VariablePlace.survivor, elements) } else { _ = try opened() }
            }, rouse: isRoused ? { try opened().give(site, VariablePlace.survivor) } : nil, meanwhile: { try opened().tryShortly(site) },
            goOn: {
                // It may have been destroyed: then it is made anew.
                kept.value = nil
                // Whatever has been done so far has woken whom it should.
                func settle() throws {
                    let queue = try opened()
                    hold { site.asleep == 0 || (try? queue.isEmpty) == true }
                }
                try settle()
                while site.asleep > 0 {
                    try opened().give(site, VariablePlace.survivor)
                    try settle()
                }
                try arena.segment.awaitPeers(1)
                try opened().checkBalance(site, isWhole: isWhole)
                try opened().removeAll()
                for number in 0..<5 as Range<UInt64> { try opened().append(Portion(number)) }
                for number in 0..<5 as Range<UInt64> {
                    try Violation.unless(opened().popFirst(until: .now).words[59] == number, "it does not go on")
                }
                try opened().checkWhole(arena)
            })
    } victim: { victim in
        let queue = try openQueue(victim.site)
        try warm()
        try victim.step { try operation(queue, victim.site) }
    } third: { third in
        let queue = try openQueue(third.site)
        try queue.tryShortly(third.site)
        third.awaitKill()
        try queue.tryShortly(third.site)
    }
    scenario.sleepers = (0..<sleepers).map { index in
        { process in
            let queue = try openQueue(process.site)
            try process.sleeping(index) { try queue.fetch(process.site, VariablePlace.sleeper + index) }
        }
    }
    scenario.watchedBytes = arenaWatchedBytes
    // All calls, once.
    guard name == "append" else { return scenario }
    scenario.scribbled = { victim in
        let arena = try openArena(victim.site)
        let queue = try ArenaQueue<Portion>("q", in: arena)
        try queue.append(contentsOf: (0..<5).map { Portion($0) })
        try victim.step {
            let deadline = victim.deadline == .never ? .shortly : victim.deadline
            try? queue.append(contentsOf: (0..<5).map { Portion($0) }, until: deadline)
            _ = try? queue.first
            _ = try? queue.count
            for _ in 0..<4 { _ = try? queue.popFirst(until: deadline) }
            _ = try? queue.tryPopFirst(until: deadline)
            _ = try? queue.validate(until: deadline)
            try? queue.removeAll(until: deadline)
            _ = try? arena.destroy("q", until: deadline)
        }
    }
    return scenario
}

/// Bound on first use: in another arena, so that nothing of this one changes.
private func warm() throws {
    let arena = try SharedArena.anonymous(options: ArenaOptions(limit: 1 << 20))
    let queue = try ArenaQueue<Portion>("q", in: arena)
    try queue.append(contentsOf: (0..<5).map { Portion($0) })
    for _ in 0..<4 { try queue.popFirst().check() }
    _ = try (queue.tryPopFirst(), queue.first, queue.count, queue.elements())
    _ = try? queue.popFirst(until: .shortly)
    try queue.removeAll()
    try arena.destroy("q")
}

/// Each appends before it takes: so there is always one for who waits, and nobody may be left asleep.
private func storm(_ process: Bystander, _ who: Int) throws {
    let queue = try ArenaQueue<Portion>("q", in: openArena(process.site, lasting: true))
    var turn = UInt64(who)
    while !process.isOver {
        turn += 1
        let count: UInt64 = turn % 5 == 0 ? 3 : 1
        try queue.append(contentsOf: (0..<count).map { Portion(turn + $0) })
        for _ in 0..<count { try queue.popFirst().check() }
        try queue.first?.check()
        if turn % 64 == 0 { for element in try queue.elements() { try element.check() } }
        // What killed ones have left over.
        if try queue.count > 100 { _ = try queue.tryPopFirst() }
    }
}
