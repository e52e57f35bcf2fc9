import CTestSystem
import Glibc
import Interprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport

/// Processes that allocate in the arena "a". Arguments: DIRECTORY …
let arenaCommands: [String: Command] = [
    "arena-hold": arenaHold,
    "arena-free": arenaFree,
    "arena-storm": arenaStorm,
    "arena-fork": arenaFork,
    "arena-scribble": arenaScribble,
]

extension [String] {
    fileprivate func arena(limit: Int = 64 << 20) throws -> SharedArena {
        try SharedArena(named: "a", options: ArenaOptions(directory: ObjectDirectory(at: FilePath(self[0])), limit: limit))
    }
}

/// arena-hold DIRECTORY: has blocks in hand, has kept some, has published one; says so and waits.
@Sendable private func arenaHold(_ arguments: [String]) throws {
    let arena = try arguments.arena()
    var kept: [Offset] = []
    for size in [16, 100, 5000, 100_000] {
        for _ in 0..<10 { _ = try arena.allocate(byteCount: size) }
        let block = try arena.allocate(byteCount: size)
        try arena.keep(block)
        kept.append(block)
    }
    let allocator = try arena.makeAllocator()
    _ = try allocator.allocate(byteCount: 64)
    kept.append(try unsafe allocator.allocate(byteCount: 64, into: arena.root(0)) { unsafe $0.storeBytes(of: 77, as: Int.self) })
    say(kept.map { "\($0.rawValue)" }.joined(separator: " "))
    try forEachLine { _ in }
    allocator.close()
}

/// arena-free DIRECTORY: frees the offsets that come in, and says how that went.
@Sendable private func arenaFree(_ arguments: [String]) throws {
    let arena = try arguments.arena()
    say("ready")
    try forEachLine { line in
        do {
            guard let offset = UInt64(line).flatMap(Offset.init(rawValue:)) else { throw BadArguments() }
            try arena.free(offset)
            say("freed")
        } catch { say("\(error)") }
    }
}

/// arena-storm DIRECTORY SEED: allocates, publishes, replaces, takes and frees in all 64 roots, until the record says stop.
@Sendable private func arenaStorm(_ arguments: [String]) throws {
    let record = try QueueRecord.open(in: ObjectDirectory(at: FilePath(arguments[0])))
    do {
        let arena = try arguments.arena()
        guard let seed = UInt64(arguments[1]) else { throw BadArguments() }
        var random = SeededRandom(seed: seed)
        let allocator = try arena.makeAllocator()
        var inHand: [Offset] = []
        func size() -> Int {
            let most = [100, 2000, 40_000, 200_000][Int.random(in: 0..<4, using: &random)]
            return Int.random(in: 16...most, using: &random)
        }
        /// Filled with its own offset, so that it shows if it is two's.
        func make() throws -> Offset {
            let bytes = size()
            let offset = try allocator.allocate(byteCount: bytes)
            try unsafe arena.withBytes(at: offset) { unsafe $0.storeBytes(of: offset.rawValue, as: UInt64.self) }.get()
            return offset
        }
        func check(_ offset: Offset) throws {
            let found = try unsafe arena.withBytes(at: offset) { unsafe $0.load(as: UInt64.self) }.get()
            guard found == offset.rawValue else { throw TornValue("block \(offset) says that it is \(found)") }
        }
        while record[.stop] == 0 {
            let link = arena.root(Int.random(in: 0..<64, using: &random))
            do {
                let old = try arena.load(link)
                switch (Int.random(in: 0..<8, using: &random), old) {
                case (0...2, _):
                    let fresh = try make()
                    do {
                        if let old { try allocator.replace(old, with: fresh, in: link) } else { try allocator.publish(fresh, into: link) }
                    } catch {
                        try allocator.free(fresh)
                        throw error
                    }
                case (3...4, let old?): try allocator.free(old, from: link)
                case (5, _): inHand.append(try make())
                case (6, _):
                    guard let offset = inHand.popLast() else { continue }
                    try check(offset)
                    try allocator.free(offset)
                default: if Int.random(in: 0..<200, using: &random) == 0 { try arena.trim() }
                }
            } catch ArenaError.changed {
                // Another was faster.
                continue
            } catch ArenaError.full {
                for offset in inHand { try allocator.free(offset) }
                inHand = []
            }
            if inHand.count > 50 {
                for offset in inHand { try allocator.free(offset) }
                inHand = []
            }
        }
    } catch {
        record.fail("\(arguments): \(error)")
        throw error
    }
}

/// arena-fork DIRECTORY: forks; the child says what it finds.
@Sendable private func arenaFork(_ arguments: [String]) throws {
    let arena = try arguments.arena()
    let block = try arena.allocate(byteCount: 100)
    try forkAndWait {
        func outcome(_ body: () throws -> Void) -> String {
            do {
                try body()
                return "done"
            } catch { return "\(error)" }
        }
        say("free " + outcome { try arena.free(block) })
        say("allocate " + outcome { _ = try arena.allocate(byteCount: 100) })
        say("large " + outcome { _ = try arena.allocate(byteCount: 100_000) })
        say("free " + outcome { try arena.free(block) })
        say("bytes " + outcome { _ = try unsafe arena.withBytes(at: block) { _ in } })
        say("load " + outcome { _ = try arena.load(arena.root(0)) })
    }
    try arena.free(block)
    say("parent \(arena.statistics().used)")
}

/// arena-scribble DIRECTORY SEED: writes random words over the control block, the page words and the bits, until it is killed.
@Sendable private func arenaScribble(_ arguments: [String]) throws {
    let arena = try arguments.arena(limit: 8 << 20)
    guard let seed = UInt64(arguments[1]) else { throw BadArguments() }
    var random = SeededRandom(seed: seed)
    // Of 128 pages: the control block with some heaps, the page words, the bits.
    let parts = [(8192, 2048 + 8 * 128), (45056, 128 * 8), (49152, 16 * 2048), (45056, 32 * 8)]
    let mapping = try unsafe MemoryMapping(reserving: 1 << 20)
    try unsafe mapping.mapShared(arena.segment.descriptor, from: 0, at: 0, size: 1 << 20)
    say("ready")
    while true {
        let bits = random.next()
        let value: UInt64 =
            switch Int.random(in: 0..<6, using: &random) {
            case 0: 0
            case 1: .max
            case 2: bits & 7 | (bits >> 8 & 63) << 8 | (bits >> 20 & 3) << 18 | (bits >> 40 & 31) << 32
            case 3: bits & 0xffff
            case 4: 1 << 63 | (bits & 0xff) << 40 | 2 << 20 | bits & 0xffff
            default: bits
            }
        let (start, size) = parts[Int.random(in: 0..<4, using: &random)]
        unsafe SharedUInt64(at: mapping.base + start + 8 * Int.random(in: 0..<size / 8, using: &random)).storeRelaxed(value)
        if bits & 15 == 0 { sleepThread(for: .microseconds(50)) }
    }
}
