import Glibc
import Interprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport

/// Processes that use the dictionary "d", the array "a" and the string "s" of the arena "a". Arguments: DIRECTORY …
let containerCommands: [String: Command] = [
    "container-storm": containerStorm,
    "container-fork": containerFork,
    "container-scribble": containerScribble,
    "arena-queue-storm": queueStorm,
]

extension [String] {
    func containerArena() throws -> SharedArena {
        try SharedArena(named: "a", options: ArenaOptions(directory: ObjectDirectory(at: FilePath(self[0])), limit: 64 << 20))
    }
}

/// container-storm DIRECTORY SEED SLOT: changes what is the slot's, and looks at everything, until the record says stop. What the slot's last process was told is done has to be there.
@Sendable private func containerStorm(_ arguments: [String]) throws {
    let directory = ObjectDirectory(at: FilePath(arguments[0]))
    let record = try QueueRecord.open(in: directory)
    do {
        guard let seed = UInt64(arguments[1]), let slot = Int(arguments[2]) else { throw BadArguments() }
        var storm = try ContainerStorm(arguments.containerArena(), ContainerLog.open(slot, in: directory), slot, seed)
        try storm.goOn()
        while record[.stop] == 0 { try storm.step() }
    } catch {
        record.fail("\(arguments): \(error)")
        throw error
    }
}

private struct ContainerStorm {
    let dictionary: SharedDictionary<String, ContainerValue>
    let array: SharedArray<ContainerValue>
    let string: SharedString
    let log: ContainerLog
    let slot: Int
    var random: SeededRandom
    var number: UInt64 = 0

    init(_ arena: SharedArena, _ log: ContainerLog, _ slot: Int, _ seed: UInt64) throws {
        (dictionary, array) = (try SharedDictionary("d", in: arena), try SharedArray("a", in: arena))
        string = try SharedString("s", in: arena)
        (self.log, self.slot, random) = (log, slot, SeededRandom(seed: seed))
    }

    private func check(_ holds: Bool, _ what: @autoclosure () -> String) throws { if !holds { throw TornValue(what()) } }

    /// The number that a place has; 0: none.
    private func find(_ place: Int) throws -> UInt64? {
        switch place {
        case ContainerLog.element:
            let value = try array[slot]
            try check(value.isWhole(slot: slot, place: place), "element \(slot): \(value)")
            return value.number
        case ContainerLog.string:
            // Anybody's: it says something only if it is this one's.
            let (writer, number) = try readString()
            return writer == slot ? number : nil
        default:
            guard let value = try dictionary[ContainerLog.key(slot, place)] else { return 0 }
            try check(value.isWhole(slot: slot, place: place), "key \(slot) \(place): \(value)")
            return value.number
        }
    }

    /// After another of this slot was killed: what it was told is done is there, and of the rest it is so or not.
    mutating func goOn() throws {
        for place in 0..<ContainerLog.places {
            let (intent, done) = (log.intent(place), log.done(place))
            number = max(number, intent, done)
            guard let found = try find(place) else { continue }
            try check(found == done || found == intent, "place \(place) of \(slot) has \(found), was \(done), was to be \(intent)")
            log.end(place, found)
        }
    }

    private func readString() throws -> (writer: Int, number: UInt64) {
        let text = try string.value
        let parts = text.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 3, let writer = Int(parts[0]), let number = UInt64(parts[1]), parts[2].utf8.count == Int(number % 300),
            Set(parts[2].utf8).count <= 1
        else { throw TornValue("a string: \(text)") }
        return (writer, number)
    }

    /// Another number, or none, for a place that is the slot's.
    mutating func change(_ place: Int) throws {
        number += 1
        let (done, value) = (log.done(place), ContainerValue(slot: slot, place: place, number: number))
        let key = ContainerLog.key(slot, place)
        switch (place, Int.random(in: 0..<4, using: &random)) {
        case (ContainerLog.element, 0...1):
            log.begin(place, number)
            try array.set(slot, to: value)
            log.end(place, number)
        case (ContainerLog.element, _):
            log.begin(place, number)
            let old = try array.update(slot) { element in
                let old = element
                element = value
                return old
            }
            try check(old.isWhole(slot: slot, place: place) && old.number == done, "element \(slot) was \(old), not \(done)")
            log.end(place, number)
        case (ContainerLog.string, _):
            log.begin(place, number)
            try string.set("\(slot) \(number) " + String(repeating: "abcd".randomElement(using: &random) ?? "a", count: Int(number % 300)))
            log.end(place, number)
        case (_, 0):
            log.begin(place, 0)
            let old = try dictionary.removeValue(forKey: key)
            try check((old?.number ?? 0) == done, "key \(key) was \(String(describing: old)), not \(done)")
            log.end(place, 0)
        case (_, 1):
            log.begin(place, number)
            let old = try dictionary.update(key, default: ContainerValue(slot: slot, place: place, number: 0)) { found in
                let old = found.number
                found = value
                return old
            }
            try check(old == done, "key \(key) was \(old), not \(done)")
            log.end(place, number)
        default:
            log.begin(place, number)
            let old = try dictionary.updateValue(value, forKey: key)
            try check((old?.number ?? 0) == done, "key \(key) was \(String(describing: old)), not \(done)")
            log.end(place, number)
        }
    }

    mutating func step() throws {
        let place = Int.random(in: 0..<ContainerLog.places, using: &random)
        switch Int.random(in: 0..<64, using: &random) {
        case 0..<30: try change(place)
        case 30..<40:
            if let found = try find(place) {
                try check(found == log.done(place), "place \(place) of \(slot): \(found), not \(log.done(place))")
            }
        case 40..<50:
            // Another's.
            let (other, key) = (Int.random(in: 0..<8, using: &random), Int.random(in: 0..<ContainerLog.keys, using: &random))
            if let value = try dictionary[ContainerLog.key(other, key)] {
                try check(value.isWhole(slot: other, place: key), "key \(other) \(key): \(value)")
            }
            let element = try array[other]
            try check(element.isWhole(slot: other, place: ContainerLog.element), "element \(other): \(element)")
            _ = try readString()
        case 50..<63:
            // Behind the slots' elements one takes away, all append. Each element says where it stands.
            let index = Int.random(in: 8..<16, using: &random)
            do {
                let value = try array[index]
                try check(value.isWhole, "element \(index): \(value)")
            } catch ArenaError.outOfRange {}
            if slot == 0 {
                if array.count > 8, let last = try array.popLast() { try check(last.isWhole, "the last one: \(last)") }
            } else if array.count < 16 {
                number += 1
                try array.append(ContainerValue(slot: slot, place: 99, number: number))
            }
        default:
            let all = try dictionary.elements()
            try check(Set(all.map(\.key)).count == all.count, "a key twice: \(all.map(\.key))")
            for element in try array.elements() { try check(element.isWhole, "an element: \(element)") }
            let problems = try dictionary.validate() + array.validate()
            try check(problems.isEmpty, "\(problems)")
        }
    }
}

/// container-fork DIRECTORY: forks; the child says what it finds.
@Sendable private func containerFork(_ arguments: [String]) throws {
    let arena = try arguments.containerArena()
    let dictionary = try SharedDictionary<String, UInt64>("d", in: arena)
    let array = try SharedArray<UInt64>("a", in: arena)
    let string = try SharedString("s", in: arena)
    try dictionary.updateValue(1, forKey: "a")
    try array.append(1)
    try string.set("text")
    let queue = try ArenaQueue<UInt64>("q", in: arena)
    try queue.append(1)
    func outcome(_ body: () throws -> Void) -> String {
        do {
            try body()
            return "done"
        } catch { return "\(error)" }
    }
    try forkAndWait {
        say("dictionary look " + outcome { _ = try dictionary["a"] })
        say("dictionary put " + outcome { try dictionary.updateValue(2, forKey: "a") })
        say("dictionary update " + outcome { try dictionary.update("a", default: 0) { $0 += 1 } })
        say("dictionary remove " + outcome { try dictionary.removeValue(forKey: "a") })
        say("dictionary clear " + outcome { try dictionary.removeAll() })
        say("dictionary list " + outcome { _ = try dictionary.elements() })
        say("dictionary validate " + outcome { _ = try dictionary.validate() })
        say("dictionary open " + outcome { _ = try SharedDictionary<String, UInt64>("d", in: arena) })
        say("array look " + outcome { _ = try array[0] })
        say("array append " + outcome { try array.append(2) })
        say("array set " + outcome { try array.set(0, to: 2) })
        say("array pop " + outcome { try array.popLast() })
        say("array clear " + outcome { try array.removeAll() })
        say("array list " + outcome { _ = try array.elements() })
        say("string look " + outcome { _ = try string.value })
        say("string set " + outcome { try string.set("other") })
        say("string set nothing " + outcome { try string.set("") })
        say("queue look " + outcome { _ = try queue.first })
        say("queue count " + outcome { _ = try queue.count })
        say("queue append " + outcome { try queue.append(2) })
        say("queue pop " + outcome { _ = try queue.popFirst() })
        say("queue try " + outcome { _ = try queue.tryPopFirst() })
        say("queue clear " + outcome { try queue.removeAll() })
        for name in ["d", "a", "s", "q"] { say("destroy \(name) " + outcome { try arena.destroy(name) }) }
    }
    try dictionary.updateValue(2, forKey: "b")
    say(
        "parent \(try dictionary["a"] ?? 0) \(try dictionary["b"] ?? 0) \(try array.elements()) \(try string.value) \(try queue.elements())"
    )
}

/// container-scribble DIRECTORY SEED OFFSET:SIZE …: writes random words over these ranges of the arena, until it is killed or the test is gone.
@Sendable private func containerScribble(_ arguments: [String]) throws {
    let arena = try SharedArena(
        named: "a", options: ArenaOptions(directory: ObjectDirectory(at: FilePath(arguments[0])), limit: ContainerScribble.limit))
    guard let seed = UInt64(arguments[1]) else { throw BadArguments() }
    var scribble = ContainerScribble(
        seed: seed,
        ranges: arguments.dropFirst(2).map { text in
            let parts = text.split(separator: ":")
            return (Int(parts[0]) ?? 0, Int(parts[1]) ?? 0)
        })
    let mapping = try unsafe MemoryMapping(reserving: ContainerScribble.limit)
    let most = scribble.ranges.map { $0.offset + $0.size }.max() ?? 0
    guard most > 0 else { throw BadArguments() }
    try unsafe mapping.mapShared(arena.segment.descriptor, from: 0, at: 0, size: (most + 65535) & ~65535)
    say("ready")
    // Also if the test crashes.
    let parent = getppid()
    while getppid() == parent {
        let (place, value) = scribble.next(peers: [])
        unsafe SharedUInt64(at: mapping.base + place).storeRelaxed(value)
        if scribble.random.next() & 7 == 0 { sleepThread(for: .microseconds(50)) }
    }
}
