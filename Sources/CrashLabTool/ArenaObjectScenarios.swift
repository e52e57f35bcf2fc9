import CrashLab
import Interprocess
import InterprocessSystem

/// Named objects of an arena, of which a process is killed that constructs, waits for another's constructor, destroys, or looks.
let arenaObjectScenarios: [Scenario] = [
    object("arena.construct", "a process that constructs an object, in a record that was used before") { site, arena, step in
        try step { try arena.constructOne(site) }
    },
    object("arena.construct.new", "a process that constructs the first object", isNew: true) { site, arena, step in
        try step { try arena.constructOne(site) }
    },
    object("arena.construct.throw", "a process whose constructor throws") { site, arena, step in
        try step {
            do {
                try arena.construct("o", as: Halves.self) { object in
                    try build(&object, site, Who.victim)
                    throw Unwilling()
                }
            } catch is Unwilling {} catch ArenaError.exists {}
        }
    },
    constructing,
    object("arena.destroy", "a process that destroys an object", isThere: true) { _, arena, step in
        try step { try arena.destroy("o") }
    },
    object("arena.find", "a process that finds an object", isThere: true) { _, arena, step in
        try step { _ = try arena.find("o", as: Halves.self) }
    },
    waiting("arena.construct.wait", "a process that waits for another's constructor", until: .never, victimWaits: true),
    waiting("arena.construct.give-up", "a process that gives up waiting for another's constructor", until: .soon, victimWaits: false),
    Scenario(
        "arena.name.storm", "eight that find or construct, destroy and list the same objects, killed at random",
        storm: Storm(workers: (0..<8).map { who in { try storm($0, who) } }, check: { try openArena($0, lasting: true).checkObjects() })),
]

private struct Unwilling: Error {}

/// Who runs a constructor, in `Mark.between`.
private enum Who { static let victim: UInt64 = 1, third: UInt64 = 2, survivor: UInt64 = 3, sleeper: UInt64 = 4 }

/// What every constructor does: a second one at the same time shows.
private func build(_ object: inout Halves, _ site: Site, _ who: UInt64) throws {
    try Violation.unless(object.first == 0 && object.second == 0, "it is not zero at first")
    site.ledger[Mark.between] = who
    object.first = who
    object.second = who
    let found = site.ledger[Mark.between]
    site.ledger[Mark.between] = 0
    try Violation.unless(found == who, "\(found) constructs it at the same time as \(who)")
}

private func unlessArenaLate(_ body: () throws -> Void) throws { do { try body() } catch ArenaError.deadline {} }

extension SharedArena {
    fileprivate func constructOne(_ site: Site) throws {
        // The third may have been faster.
        do { try construct("o", as: Halves.self) { try build(&$0, site, Who.victim) } } catch ArenaError.exists {}
    }

    /// Finds or constructs it; it is whole.
    fileprivate func obtain(_ site: Site, _ who: UInt64, until deadline: Deadline = .never) throws {
        let place = try findOrConstruct("o", as: Halves.self, until: deadline) { try build(&$0, site, who) }
        let found: Halves
        // Destroyed meanwhile by who is in the middle of it.
        do { found = try value(at: place) } catch ArenaError.invalid { return }
        try found.check()
    }

    /// What is allocated are the records, and the objects that are found.
    fileprivate func checkObjects(_ names: Set<String> = Set((0..<4).map { "\($0)" })) throws {
        try segment.awaitPeers(1)
        hold { self.statistics().heaps.count == 1 }
        let problems = validate()
        try Violation.unless(problems.isEmpty, "\(problems)")
        let objects = try objects()
        for object in objects {
            guard let place = try find(object.name, as: Halves.self) else { throw Violation("\(object) is listed, and not found") }
            try value(at: place).check()
        }
        let statistics = self.statistics()
        try Violation.unless(Set(objects.map(\.name)).count == objects.count, "a name is there twice: \(objects)")
        try Violation.unless(Set(objects.map(\.name)).isSubset(of: names) && statistics.records <= names.count, "\(objects), \(statistics)")
        try Violation.unless(statistics.inHand == 0, "\(statistics.inHand) bytes are in nobody's hand")
        let expected = statistics.records * 320 + objects.count * 16
        try Violation.unless(statistics.used == expected, "\(statistics.used) bytes are allocated, and \(expected) can be found")
    }
}

/// - Parameter begun: what the victim sets when it is in its constructor, and others wait for.
private func survivor(_ site: Site, isNew: Bool = false, isThere: Bool = false, begun: SharedEvent? = nil) throws -> Survivor {
    let kept = Holder(try openArena(site))
    return Survivor(
        prepare: {
            site.begin()
            try begun?.reset()
            if isNew {
                kept.value = nil
                _ = try? site.directory.remove("a")
                kept.value = try openArena(site)
            }
            guard let arena = kept.value else { return }
            try arena.destroy("o")
            if isThere || !isNew { try arena.obtain(site, Who.survivor) }
            if !isThere { try arena.destroy("o") }
        }, rouse: begun.map { _ in {} },
        meanwhile: {
            try unlessArenaLate { try kept.value?.obtain(site, Who.survivor, until: .shortly) }
        },
        goOn: {
            try begun?.set()
            guard let arena = kept.value else { return }
            try arena.obtain(site, Who.survivor)
            site.awaitSleepers()
            try arena.checkObjects(["o"])
            try Violation.unless(arena.destroy("o") && arena.find("o", as: Halves.self) == nil, "it cannot be destroyed")
            try Violation.unless(!arena.destroy("o"), "it was destroyed twice")
            try arena.obtain(site, Who.survivor)
        })
}

private let third: @Sendable (Bystander) throws -> Void = { third in
    let (site, arena) = (third.site, try openArena(third.site))
    // Where the victim stands in its constructor nobody else comes into his.
    let isInside = site.ledger[Mark.between] == Who.victim
    try unlessArenaLate {
        try arena.findOrConstruct("o", as: Halves.self, until: .shortly) { object in
            try Violation.unless(!isInside, "two construct it at once")
            try build(&object, site, Who.third)
        }
    }
    _ = try arena.objects()
    _ = try arena.find("o", as: Halves.self)
    third.awaitKill()
    try arena.obtain(site, Who.third)
}

private func object(
    _ name: String, _ summary: String, isNew: Bool = false, isThere: Bool = false,
    victim operation: @escaping @Sendable (Site, SharedArena, (() throws -> Void) throws -> Void) throws -> Void
) -> Scenario {
    var scenario = Scenario(name, summary, segments: ["a"]) { site in
        try survivor(site, isNew: isNew, isThere: isThere)
    } victim: { victim in
        let arena = try openArena(victim.site)
        try warm(arena, victim.site)
        try operation(victim.site, arena) { try victim.step($0) }
    } third: {
        try third($0)
    }
    scenario.watchedBytes = arenaWatchedBytes
    scenario.scribbled = { victim in
        let arena = try openArena(victim.site)
        try? arena.obtain(victim.site, Who.victim)
        if !isThere { _ = try? arena.destroy("o") }
        try victim.step {
            _ = try? arena.findOrConstruct("o", as: Halves.self, until: victim.deadline) { _ in }
            _ = try? arena.find("o", as: Halves.self)
            _ = try? arena.objects()
            _ = (arena.validate(), arena.statistics())
            _ = try? arena.destroy("o", until: victim.deadline)
        }
    }
    return scenario
}

/// Bound on first use: in another arena, so that nothing of this one changes.
private func warm(_ arena: SharedArena, _ site: Site) throws {
    let other = try SharedArena.anonymous(options: ArenaOptions(limit: 1 << 20))
    struct Other: Error {}
    do { try other.construct("w", as: Halves.self) { _ in throw Other() } } catch is Other {}
    try other.construct("w", as: Halves.self) { $0.first = 1 }
    _ = try (other.find("w", as: Halves.self), other.objects(), other.destroy("w"))
    // A slab of each size that is needed.
    for size in [16, 320] { try arena.free(arena.allocate(byteCount: size)) }
}

/// The others come when it is begun, and sleep when it is finished.
private let constructing: Scenario = {
    var scenario = Scenario(
        "arena.find-or-construct", "a process that constructs an object, with others waiting", segments: ["a"], needsSleepers: true,
        survivor: { try survivor($0, begun: try SharedEvent(named: "begun", options: $0.synchronization)) }
    ) { victim in
        let (site, arena) = (victim.site, try openArena(victim.site))
        try warm(arena, site)
        let begun = try SharedEvent(named: "begun", options: site.synchronization)
        try victim.step {
            try arena.findOrConstruct("o", as: Halves.self) { object in
                try begun.set()
                // Where they do not sleep yet they come later: that holds as well.
                sleepThread(for: .milliseconds(2))
                try build(&object, site, Who.victim)
            }
        }
    } third: {
        try third($0)
    }
    scenario.sleepers = (0..<2).map { index in
        { process in
            let arena = try openArena(process.site)
            let begun = try SharedEvent(named: "begun", options: process.site.synchronization, strategy: .park)
            try process.sleeping(index) {
                try begun.wait()
                try arena.obtain(process.site, Who.sleeper + UInt64(index))
            }
        }
    }
    scenario.watchedBytes = arenaWatchedBytes
    return scenario
}()

/// A thread of the survivor's constructs until the victim sleeps.
private func waiting(_ name: String, _ summary: String, until deadline: @autoclosure @escaping @Sendable () -> Deadline, victimWaits: Bool)
    -> Scenario
{
    var scenario = Scenario(name, summary, segments: ["a"], victimWaits: victimWaits) { site in
        let survivor = BusyConstructor(site)
        return Survivor(
            prepare: { try survivor.begin() }, rouse: { try survivor.end() },
            goOn: {
                try survivor.end()
                guard let arena = survivor.arena.value else { return }
                hold { (try? arena.find("o", as: Halves.self)) != nil }
                site.awaitSleepers()
                try arena.checkObjects(["o"])
            })
    } victim: { victim in
        let arena = try openArena(victim.site)
        try warm(arena, victim.site)
        try victim.step { try unlessArenaLate { try arena.obtain(victim.site, Who.victim, until: deadline()) } }
    } third: { third in
        let arena = try openArena(third.site)
        try unlessArenaLate { try arena.obtain(third.site, Who.third, until: .shortly) }
        third.awaitKill()
    }
    scenario.sleepers = (0..<2).map { index in
        { process in
            let arena = try openArena(process.site)
            try process.sleeping(index) { try arena.obtain(process.site, Who.sleeper + UInt64(index)) }
        }
    }
    scenario.watchedBytes = arenaWatchedBytes
    return scenario
}

private final class BusyConstructor: Sendable {
    let site: Site
    let arena = Holder<SharedArena>(nil)
    private let gate = Holder<SharedEvent>(nil)
    init(_ site: Site) { self.site = site }

    func begin() throws {
        site.begin()
        (arena.value, gate.value) = (nil, nil)
        _ = try? site.directory.remove("a")
        let (arena, site) = (try openArena(site), site)
        let gate = try SharedEvent(named: "gate", options: site.synchronization)
        try gate.reset()
        let isBegun = try SharedEvent(named: "is-begun", options: site.synchronization)
        try isBegun.reset()
        (self.arena.value, self.gate.value) = (arena, gate)
        try startServiceThread(named: "constructing") {
            _ = try? arena.construct("o", as: Halves.self) { object in
                try isBegun.set()
                try gate.wait()
                try build(&object, site, Who.survivor)
            }
        }
        try isBegun.wait()
    }

    func end() throws { try gate.value?.set() }
}

private func storm(_ process: Bystander, _ who: Int) throws {
    let (site, arena) = (process.site, try openArena(process.site, lasting: true))
    var turn = who
    while !process.isOver {
        turn += 1
        let name = "\(turn % 4)"
        let mark = Mark.intent + turn % 4
        do {
            let place = try arena.findOrConstruct(name, as: Halves.self) { object in
                try Violation.unless(object.first == 0 && object.second == 0, "it is not zero at first")
                site.ledger[mark] = UInt64(who)
                object.first = UInt64(turn)
                object.second = UInt64(turn)
                try Violation.unless(site.ledger[mark] == UInt64(who), "two construct one at once")
            }
            _ = try arena.value(at: place)
        } catch ArenaError.invalid {}
        if turn % 3 == 0 { try arena.destroy(name) }
        if turn % 16 == 0 { _ = try arena.objects() }
    }
}
