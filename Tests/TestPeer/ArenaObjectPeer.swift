import Interprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport

/// Processes that construct and find named objects of the arena "a". Arguments: DIRECTORY …
let arenaObjectCommands: [String: Command] = [
    "arena-construct": arenaConstruct,
    "arena-object-storm": arenaObjectStorm,
    "arena-object-fork": arenaObjectFork,
]

/// What the storm's objects are: each constructor writes its own number into both halves, one before it lets others run, one after.
struct StormObject: Shareable {
    var first: UInt64 = 0
    var second: UInt64 = 0
}

extension [String] {
    fileprivate func arena() throws -> SharedArena {
        try SharedArena(named: "a", options: ArenaOptions(directory: ObjectDirectory(at: FilePath(self[0])), limit: 64 << 20))
    }
}

/// arena-construct DIRECTORY NAME NUMBER HALF: constructs the object, and stays in its constructor if HALF is "half"; else says the number that it found.
@Sendable private func arenaConstruct(_ arguments: [String]) throws {
    let arena = try arguments.arena()
    guard let number = UInt64(arguments[2]) else { throw BadArguments() }
    let place = try arena.findOrConstruct(arguments[1], as: StormObject.self) { object in
        object.first = number
        if arguments[3] == "half" {
            // Blocks of its own, in hand.
            _ = try arena.allocate(byteCount: 1000)
            say("half")
            while readLine() != nil {}
        }
        object.second = number
    }
    let found = try arena.value(at: place)
    say("\(found.first) \(found.second)")
    while readLine() != nil {}
}

/// arena-object-storm DIRECTORY SEED: finds, constructs and destroys objects of eight names, until the record says stop. No two may construct the same at once.
@Sendable private func arenaObjectStorm(_ arguments: [String]) throws {
    let record = try QueueRecord.open(in: ObjectDirectory(at: FilePath(arguments[0])))
    do {
        let arena = try arguments.arena()
        guard let seed = UInt64(arguments[1]) else { throw BadArguments() }
        var random = SeededRandom(seed: seed)
        // Held while an object of the name is constructed; a process that dies lets go of it.
        let guards = try (0..<8).map { index in
            try SharedMutex<UInt64>(
                named: ObjectName("guard-\(index)"), initial: 0,
                options: SynchronizationOptions(directory: ObjectDirectory(at: FilePath(arguments[0])), maximumPeers: 64))
        }
        func construct(_ index: Int, _ object: inout StormObject) throws {
            let number = random.next() | 1
            let isAlone: Bool?
            do {
                isAlone = try guards[index].withLockIfAvailable { constructor -> Bool in
                    constructor = number
                    object.first = number
                    if number & 6 == 0 { Processor.yield() }
                    object.second = number
                    return constructor == number
                }
            } catch LockError.inconsistent {
                // A constructor was killed in it: that is what is tried.
                _ = try guards[index].repair { value, _ in value = 0 }
                (object.first, object.second) = (number, number)
                return
            }
            guard isAlone == true else { throw TornValue("two constructors of \(index) at once") }
        }
        while record[.stop] == 0 {
            let index = Int.random(in: 0..<8, using: &random)
            let name = "object \(index)"
            do {
                switch Int.random(in: 0..<8, using: &random) {
                case 0..<5:
                    _ = try arena.findOrConstruct(name, as: StormObject.self) { try construct(index, &$0) }
                case 5:
                    _ = try arena.construct(name, as: StormObject.self) { try construct(index, &$0) }
                case 6: try arena.destroy(name)
                default:
                    let names = try arena.objects().map(\.name)
                    guard Set(names).count == names.count else { throw TornValue("a name twice: \(names)") }
                }
                // Another may destroy it at any time, and construct another one in the same block: but not each time between the two looks.
                var looks = 0
                while let place = try arena.find(name, as: StormObject.self) {
                    let found = try arena.value(at: place)
                    if found.first == found.second { break }
                    looks += 1
                    guard looks < 100_000 else { throw TornValue("\(name) is half constructed: \(found)") }
                }
            } catch ArenaError.exists {
                continue
            } catch ArenaError.invalid {
                // Destroyed by another meanwhile.
                continue
            }
        }
    } catch {
        record.fail("\(arguments): \(error)")
        throw error
    }
}

/// arena-object-fork DIRECTORY: forks in a constructor; the child says what it finds, and the parent finishes.
@Sendable private func arenaObjectFork(_ arguments: [String]) throws {
    let arena = try arguments.arena()
    func outcome(_ body: () throws -> Void) -> String {
        do {
            try body()
            return "done"
        } catch { return "\(error)" }
    }
    try arena.construct("b", as: StormObject.self) { _ in }
    try arena.construct("a", as: StormObject.self) { object in
        try forkAndWait {
            say("find " + outcome { _ = try arena.find("b", as: StormObject.self) })
            say("construct " + outcome { try arena.construct("c", as: StormObject.self) { _ in } })
            say("destroy " + outcome { try arena.destroy("b") })
            say("objects " + outcome { _ = try arena.objects() })
        }
        object.first = 1
    }
    say("parent \(try arena.objects().map(\.name).sorted().joined(separator: " "))")
}
