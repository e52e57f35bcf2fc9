import CrashLab
import Interprocess

/// An arena, of which a process is killed that allocates, frees, publishes, grows, gives memory back, opens, closes, or recovers another's heap.
let arenaScenarios: [Scenario] = [
    arena("arena.allocate", "a process that allocates small blocks") { _, arena, step in
        try step { for size in [16, 100, 3000, 30_000, 20, 16] { _ = try arena.allocate(byteCount: size) } }
    },
    arena("arena.free", "a process that frees its own blocks") { _, arena, step in
        let blocks = try [16, 100, 3000, 30_000, 20, 16].map { try arena.allocate(byteCount: $0) }
        try step { for block in blocks { try freeOnce(arena, block) } }
    },
    arena("arena.free-remote", "a process that frees another's blocks", prepare: { site, arena in try keepAll(site, arena) }) {
        site, arena, step in
        try step { for index in 0..<keptSizes.count { try freeOnce(arena, keptBlock(site, index)) } }
    },
    arena("arena.publish", "a process that publishes a block") { _, arena, step in
        let block = try arena.allocate(byteCount: 100)
        try unsafe arena.withBytes(at: block) { unsafe $0.storeBytes(of: block.rawValue, as: UInt64.self) }.get()
        try step { try arena.publish(block, into: arena.root(0)) }
    },
    arena("arena.publish.run", "a process that allocates a run of pages into a link") { _, arena, step in
        try step {
            _ = try unsafe arena.allocate(byteCount: 150_000, into: arena.root(0)) { unsafe $0.storeBytes(of: 0, as: UInt64.self) }
        }
    },
    arena("arena.replace", "a process that replaces a published block", prepare: { _, arena in try publishOne(arena, 100_000) }) {
        _, arena, step in
        guard let old = try arena.load(arena.root(0)) else { throw Violation("nothing is published") }
        let block = try arena.allocate(byteCount: 100)
        try unsafe arena.withBytes(at: block) { unsafe $0.storeBytes(of: block.rawValue, as: UInt64.self) }.get()
        try step { try unlessChanged { try arena.replace(old, with: block, in: arena.root(0)) } }
    },
    arena("arena.take", "a process that takes a published block and frees it", prepare: { _, arena in try publishOne(arena, 100) }) {
        _, arena, step in
        guard let old = try arena.load(arena.root(0)) else { throw Violation("nothing is published") }
        try step { try unlessChanged { try arena.free(old, from: arena.root(0)) } }
    },
    arena("arena.run", "a process that allocates and frees a run of pages") { _, arena, step in
        try step {
            let run = try arena.allocate(byteCount: 200_000, alignment: 1 << 17)
            try arena.free(run)
        }
    },
    arena("arena.grow", "a process that makes an arena larger", isNew: true) { _, arena, step in
        try step { _ = try arena.allocate(byteCount: 1_500_000) }
    },
    arena(
        "arena.trim", "a process that gives memory back, and takes it again",
        prepare: { _, arena in for size in [100_000, 400_000] { try arena.free(arena.allocate(byteCount: size)) } }
    ) { _, arena, step in
        try step {
            try arena.trim()
            _ = try arena.allocate(byteCount: 100_000)
        }
    },
    attachingArena("arena.open", "a process that opens an arena", isClosed: false),
    attachingArena("arena.close", "a process that closes an arena", isClosed: true),
    recovering,
]

private let limit = 4 << 20
/// All words, and the bits of the slabs; not the pages.
let arenaWatchedBytes = 192 << 10
private let keptSizes = [16, 100, 5000, 100_000]

func openArena(_ site: Site, lasting: Bool = false) throws -> SharedArena {
    try SharedArena(
        named: "a",
        options: ArenaOptions(directory: site.directory, lifetime: lasting ? .untilRemoved : .untilLastPeerLeaves, limit: limit))
}

private func unlessChanged(_ body: () throws -> Void) throws { do { try body() } catch ArenaError.changed {} }

/// A system call that fails in the middle lets the operation be made again.
private func freeOnce(_ arena: SharedArena, _ block: Offset) throws {
    do { try arena.free(block) } catch {
        // Its page may be another's by now.
        guard case .invalid = error else { throw error }
    }
}

/// Where the survivor writes down what it has kept.
private func keptBlock(_ site: Site, _ index: Int) -> Offset { Offset(rawValue: site.ledger[Mark.intent + index]) ?? Offset(rawValue: 1)! }

private func keepAll(_ site: Site, _ arena: SharedArena) throws {
    for (index, size) in keptSizes.enumerated() {
        let block = try arena.allocate(byteCount: size)
        try arena.keep(block)
        site.ledger[Mark.intent + index] = block.rawValue
    }
}

private func publishOne(_ arena: SharedArena, _ size: Int, _ root: Int = 0) throws {
    let block = try arena.allocate(byteCount: size)
    try unsafe arena.withBytes(at: block) { unsafe $0.storeBytes(of: block.rawValue, as: UInt64.self) }.get()
    try arena.publish(block, into: arena.root(root))
}

extension SharedArena {
    /// Some of everything, in the root `root`, which is empty afterwards; other heaps may be at work.
    fileprivate func useAll(_ root: Int) throws {
        try publishOne(self, 100, root)
        guard let first = try load(self.root(root)) else { throw Violation("what was published is not there") }
        let second = try allocate(byteCount: 100_000)
        try replace(first, with: second, in: self.root(root))
        // Perhaps another stands in the middle of taking it from there.
        try free(second, from: self.root(root))
        let blocks = try [16, 100, 3000, 30_000, 70_000].map { try allocate(byteCount: $0) }
        try Violation.unless(Set(blocks).count == blocks.count, "a block is two's: \(blocks)")
        for block in blocks { try free(block) }
    }

    /// What is in a root is whole. Bytes of all of it.
    fileprivate func published() throws -> Int {
        var found = Set<Offset>()
        var bytes = 0
        for index in 0..<64 {
            guard let offset = try load(root(index)) else { continue }
            try Violation.unless(found.insert(offset).inserted, "\(offset) is published twice")
            bytes += try unsafe withBytes(at: offset) { $0.count }.get()
        }
        return bytes
    }

    /// Nothing is lost, nothing in hand but what this process has, nothing is two's.
    fileprivate func checkWhole(_ site: Site) throws {
        try segment.awaitPeers(1)
        hold { self.statistics().heaps.count == 1 }
        let problems = validate()
        try Violation.unless(problems.isEmpty, "\(problems)")
        for index in 0..<keptSizes.count where site.ledger[Mark.intent + index] != 0 {
            try freeOnce(self, keptBlock(site, index))
        }
        // Those freed by others than the slab's owner count as free.
        let (statistics, bytes) = (self.statistics(), try published())
        try Violation.unless(statistics.inHand == 0, "\(statistics.inHand) bytes are in nobody's hand")
        try Violation.unless(statistics.used == bytes, "\(statistics.used) bytes are allocated, and \(bytes) are published")
        for index in 0..<64 {
            guard let offset = try load(root(index)) else { continue }
            try free(offset, from: root(index))
        }
        try useAll(9)
        try trim()
        let after = self.statistics()
        try Violation.unless(after.used == 0 && validate().isEmpty, "\(after.used) bytes are left, \(validate())")
    }
}

private func arena(
    _ name: String, _ summary: String, isNew: Bool = false, prepare: @escaping @Sendable (Site, SharedArena) throws -> Void = { _, _ in },
    victim operation: @escaping @Sendable (Site, SharedArena, (() throws -> Void) throws -> Void) throws -> Void
) -> Scenario {
    var scenario = Scenario(name, summary, segments: ["a"]) { site in
        let kept = Holder(try openArena(site))
        return Survivor(
            prepare: {
                site.begin()
                if isNew {
                    kept.value = nil
                    _ = try? site.directory.remove("a")
                    kept.value = try openArena(site)
                }
                guard let arena = kept.value else { return }
                try prepare(site, arena)
            },
            meanwhile: { try kept.value?.useAll(10) },
            goOn: { try kept.value?.checkWhole(site) })
    } victim: { victim in
        let arena = try openArena(victim.site)
        if !isNew { try arena.useAll(11) }
        try operation(victim.site, arena) { try victim.step($0) }
    } third: { third in
        let arena = try openArena(third.site)
        try arena.useAll(12)
        // Helps a change of a link that stands still, and takes away what it finds.
        if let found = try arena.load(arena.root(0)) { try unlessChanged { try arena.free(found, from: arena.root(0)) } }
        third.awaitKill()
        try arena.useAll(12)
    }
    scenario.watchedBytes = arenaWatchedBytes
    scenario.scribbled = { victim in
        let arena = try openArena(victim.site)
        try? prepare(victim.site, arena)
        try? operation(victim.site, arena) { try victim.step($0) }
    }
    return scenario
}

private func attachingArena(_ name: String, _ summary: String, isClosed: Bool) -> Scenario {
    var scenario = Scenario(name, summary, segments: ["a"]) { site in
        let arena = try openArena(site)
        return Survivor(prepare: { site.begin() }, meanwhile: { try arena.useAll(10) }, goOn: { try arena.checkWhole(site) })
    } victim: { victim in
        try openArena(victim.site).useAll(11)
        let kept = Holder<SharedArena>(nil)
        if isClosed {
            kept.value = try openArena(victim.site)
            for size in [16, 100, 100_000] { _ = try kept.value?.allocate(byteCount: size) }
            if let arena = kept.value { try publishOne(arena, 100) }
        }
        try victim.step {
            if isClosed { kept.value = nil } else { kept.value = try openArena(victim.site) }
        }
    } third: { third in
        let arena = try openArena(third.site)
        try arena.useAll(12)
        third.awaitKill()
        try arena.useAll(12)
    }
    scenario.watchedBytes = arenaWatchedBytes
    return scenario
}

/// Who opens the arena alone recovers what a dead process had, and is killed in that.
private let recovering: Scenario = {
    var scenario = Scenario("arena.recover", "a process that recovers a dead one's heap", segments: ["a"]) { site in
        Survivor(
            prepare: {
                site.begin()
                _ = try? site.directory.remove("a")
            },
            goOn: {
                let arena = try openArena(site, lasting: true)
                try arena.checkWhole(site)
            })
    } dead: { dead in
        let arena = try openArena(dead.site, lasting: true)
        for size in [16, 100, 3000, 100_000, 200_000] { _ = try arena.allocate(byteCount: size) }
        try publishOne(arena, 100, 1)
        try publishOne(arena, 100_000, 2)
        withExtendedLifetime(arena) { dead.die() }
    } victim: { victim in
        try victim.site.warmUp()
        let kept = Holder<SharedArena>(nil)
        try victim.step { kept.value = try openArena(victim.site, lasting: true) }
    } third: { third in
        let arena = try openArena(third.site, lasting: true)
        try arena.useAll(12)
        third.awaitKill()
        try arena.useAll(12)
    }
    scenario.watchedBytes = arenaWatchedBytes
    return scenario
}()
