import CrashLab
import Interprocess
import InterprocessSystem

/// Containers of an arena, of which a process is killed that changes them, takes them away, or looks.
let containerScenarios: [Scenario] = [
    container("dictionary.put", "a process that puts an entry into a dictionary", outcomes: { $0.put("n") }, isScribbledOver: true) {
        try $0.dictionary().updateValue(Halves.new, forKey: "n")
    },
    container(
        "dictionary.grow", "a process that puts the entry in for which there are more buckets", entries: 16, outcomes: { $0.put("n") }
    ) {
        try $0.dictionary().updateValue(Halves.new, forKey: "n")
    },
    container("dictionary.replace", "a process that puts a value in the place of another", outcomes: { $0.put("1") }) {
        try $0.dictionary().update("1", default: Halves()) { $0 = Halves.new }
    },
    container("dictionary.remove", "a process that takes an entry out", outcomes: { $0.remove(["1"]) }) {
        try $0.dictionary().removeValue(forKey: "1")
    },
    container("dictionary.clear", "a process that takes all entries out", outcomes: { $0.anySubset() }) {
        try $0.dictionary().removeAll()
    },
    container("dictionary.destroy", "a process that destroys a dictionary", outcomes: { $0.destroyed("d") }) { try $0.arena.destroy("d") },
    container("dictionary.find", "a process that looks for keys") {
        _ = try $0.dictionary()["1"]
        _ = try $0.dictionary()["nobody"]
    },
    container("dictionary.elements", "a process that lists a dictionary") { _ = try $0.dictionary().elements() },
    container("array.append", "a process that appends to an array, which needs another part", outcomes: { $0.append(8) }) {
        try $0.array().append(contentsOf: (0..<8).map { _ in Halves.new })
    },
    container("array.set", "a process that overwrites an element", outcomes: { $0.set(2) }) { try $0.array().set(2, to: Halves.new) },
    container("array.update", "a process that changes an element", outcomes: { $0.set(2) }) {
        try $0.array().update(2) { $0 = Halves.new }
    },
    container("array.pop", "a process that takes the last element away", outcomes: { $0.truncate($0.array.count - 1) }) {
        try $0.array().popLast()
    },
    container("array.clear", "a process that takes all elements away", outcomes: { $0.truncate(0) }) { try $0.array().removeAll() },
    container("array.destroy", "a process that destroys an array", outcomes: { $0.destroyed("a") }) { try $0.arena.destroy("a") },
    container("string.set", "a process that replaces a string", outcomes: { $0.string("new, and longer than the old one") }) {
        try $0.string().set("new, and longer than the old one")
    },
    container("string.destroy", "a process that destroys a string", outcomes: { $0.destroyed("s") }) { try $0.arena.destroy("s") },
    Scenario(
        "container.storm", "eight that change and read a dictionary, an array and a string, killed at random",
        storm: Storm(
            workers: (0..<8).map { who in { try storm($0, who) } },
            check: { site in
                let containers = try Containers(openLarge(site))
                _ = try containers.content()
                try containers.checkWhole(destroying: true)
            })),
]

extension Halves {
    fileprivate static let new = Halves(first: 1000, second: 1000)
    fileprivate init(_ number: Int) { self.init(first: UInt64(number), second: UInt64(number)) }
}

/// What stands in the containers.
private struct Content: Equatable {
    var dictionary: [String: UInt64] = [:]
    var array: [UInt64] = []
    var string = ""
    /// Containers that are not there.
    var missing: Set<String> = []

    func put(_ key: String) -> [Content] { changed { $0.dictionary[key] = 1000 } }
    func remove(_ keys: [String]) -> [Content] { changed { for key in keys { $0.dictionary[key] = nil } } }
    func append(_ count: Int) -> [Content] { changed { $0.array += Array(repeating: 1000, count: count) } }
    func set(_ index: Int) -> [Content] { changed { $0.array[index] = 1000 } }
    func truncate(_ count: Int) -> [Content] { changed { $0.array.removeLast($0.array.count - count) } }
    func string(_ text: String) -> [Content] { changed { $0.string = text } }

    /// Taken out one after the other, in any order.
    func anySubset() -> [Content] {
        let keys = dictionary.keys.sorted()
        return (0..<1 << keys.count).map { chosen in
            var content = self
            for (index, key) in keys.enumerated() where chosen >> index & 1 != 0 { content.dictionary[key] = nil }
            return content
        }
    }

    /// Whoever opens one that is being destroyed makes it anew, empty.
    func destroyed(_ name: String) -> [Content] {
        let emptied = name == "d" ? anySubset() : changed { if name == "a" { $0.array = [] } else { $0.string = "" } }
        return emptied + changed { $0.missing = [name] }
    }

    private func changed(_ body: (inout Content) -> Void) -> [Content] {
        var content = self
        body(&content)
        return [self, content]
    }
}

/// The three containers of an arena, opened when they are first used.
private final class Containers: @unchecked Sendable {
    let arena: SharedArena
    private var (openDictionary, openArray, openString): (SharedDictionary<String, Halves>?, SharedArray<Halves>?, SharedString?)

    init(_ arena: SharedArena) { self.arena = arena }

    func dictionary() throws -> SharedDictionary<String, Halves> {
        if let openDictionary { return openDictionary }
        openDictionary = try SharedDictionary("d", in: arena)
        return try dictionary()
    }
    func array() throws -> SharedArray<Halves> {
        if let openArray { return openArray }
        openArray = try SharedArray("a", in: arena)
        return try array()
    }
    func string() throws -> SharedString {
        if let openString { return openString }
        openString = try SharedString("s", in: arena)
        return try string()
    }

    func open() throws { _ = try (dictionary(), array(), string()) }

    /// Empty containers get what a victim is to find.
    func fill(_ entries: Int) throws -> Content {
        for name in ["d", "a", "s"] { try arena.destroy(name) }
        (openDictionary, openArray, openString) = (nil, nil, nil)
        for number in 0..<entries { try dictionary().updateValue(Halves(number), forKey: "\(number)") }
        try array().append(contentsOf: (0..<entries).map { Halves($0) })
        try string().set("old")
        return try content()
    }

    /// Without the lock, and what is there with it.
    func content() throws -> Content {
        var content = Content()
        content.missing = Set(["d", "a", "s"]).subtracting(try arena.objects().map(\.name))
        if content.missing.isEmpty {
            for key in (0..<16).map({ "\($0)" }) { try dictionary()[key]?.check() }
            for index in 0..<(try array().count) {
                do { try array()[index].check() } catch ArenaError.outOfRange {}
            }
        }
        for (key, value) in try dictionary().elements() {
            try value.check()
            content.dictionary[key] = value.first
        }
        for value in try array().elements() {
            try value.check()
            content.array.append(value.first)
        }
        content.string = try string().value
        return content
    }

    /// Nothing is lost, nothing in hand.
    func checkWhole(destroying: Bool) throws {
        try arena.segment.awaitPeers(1)
        hold { arena.statistics().heaps.count == 1 }
        let problems = try arena.validate().map { "\($0)" } + dictionary().validate() + array().validate()
        try Violation.unless(problems.isEmpty, "\(problems)")
        if destroying { for name in ["d", "a", "s"] { try arena.destroy(name) } }
        let statistics = arena.statistics()
        try Violation.unless(statistics.inHand == 0, "\(statistics.inHand) bytes are in nobody's hand")
        let left = statistics.used - statistics.records * 320
        try Violation.unless(!destroying || left == 0, "\(left) bytes are left")
    }
}

private func container(
    _ name: String, _ summary: String, entries: Int = 5, outcomes: @escaping @Sendable (Content) -> [Content] = { [$0] },
    isScribbledOver: Bool = false, victim operation: @escaping @Sendable (Containers) throws -> Void
) -> Scenario {
    var scenario = Scenario(name, summary, segments: ["a"]) { site in
        let kept = Containers(try openArena(site))
        let before = Holder(Content())
        return Survivor(
            prepare: {
                site.begin()
                before.value = try kept.fill(entries)
            },
            meanwhile: { try kept.act("meanwhile", until: .shortly) },
            goOn: {
                var found: Content
                do { found = try kept.content() } catch ArenaError.destroyed {
                    // To be opened anew, which makes it anew.
                    let reopened = Containers(kept.arena)
                    found = try reopened.content()
                }
                for other in ["meanwhile", "third"] { found.dictionary[other] = nil }
                let expected = before.value ?? Content()
                try Violation.unless(outcomes(expected).contains { $0.isSame(as: found) }, "before \(expected), and now \(found)")
                try Containers(kept.arena).checkWhole(destroying: true)
            })
    } victim: { victim in
        let containers = Containers(try openArena(victim.site))
        try containers.open()
        try warm()
        try victim.step { try operation(containers) }
    } third: { third in
        let containers = Containers(try openArena(third.site))
        try containers.act("third", until: .shortly)
        third.awaitKill()
        do { try containers.act("third", until: .never) } catch ArenaError.destroyed {}
    }
    scenario.watchedBytes = arenaWatchedBytes
    // All three containers, once.
    guard isScribbledOver else { return scenario }
    scenario.scribbled = { victim in
        let containers = Containers(try openArena(victim.site))
        _ = try? containers.fill(entries)
        try victim.step {
            let deadline = victim.deadline
            _ = try? containers.dictionary().updateValue(Halves.new, forKey: "n", until: deadline)
            _ = try? containers.dictionary()["1"]
            _ = try? containers.dictionary().removeValue(forKey: "2", until: deadline)
            _ = try? containers.array().append(Halves.new, until: deadline)
            _ = try? containers.array()[0]
            try? containers.string().set("new")
            _ = try? containers.string().value
            _ = try? containers.arena.destroy("d", until: deadline)
        }
    }
    return scenario
}

extension Content {
    /// One that was destroyed is empty when it is opened again.
    fileprivate func isSame(as found: Content) -> Bool {
        var expected = self
        expected.missing = found.missing
        if missing.contains("d") { expected.dictionary = [:] }
        if missing.contains("a") { expected.array = [] }
        if missing.contains("s") { expected.string = "" }
        return expected == found
    }
}

extension Containers {
    /// What others do while the victim stands still: looking waits for nobody, changing has a deadline.
    fileprivate func act(_ key: String, until deadline: Deadline) throws {
        do {
            for key in ["0", "1", "n"] { try dictionary()[key]?.check() }
            _ = try string().value
            for index in 0..<(try array().count) {
                do { try array()[index].check() } catch ArenaError.outOfRange {}
            }
            // What a constructor or a destroyer is in the middle of, and the lock, are what deadlines are for.
            try dictionary().updateValue(Halves.new, forKey: key, until: deadline)
            try dictionary().removeValue(forKey: key, until: deadline)
        } catch ArenaError.deadline {} catch ArenaError.destroyed {}
    }
}

/// Bound on first use: in another arena, so that nothing of this one changes.
private func warm() throws {
    let other = Containers(try SharedArena.anonymous(options: ArenaOptions(limit: 1 << 20)))
    _ = try other.fill(17)
    try other.dictionary().update("1", default: Halves()) { $0 = Halves.new }
    try other.dictionary().removeAll()
    try other.array().update(1) { $0 = Halves.new }
    try other.array().set(1, to: Halves.new)
    try other.array().popLast()
    try other.array().removeAll()
    for name in ["d", "a", "s"] { try other.arena.destroy(name) }
}

/// Where each of eight processes has pages of its own for each size of blocks.
private func openLarge(_ site: Site) throws -> SharedArena {
    try SharedArena(named: "a", options: ArenaOptions(directory: site.directory, lifetime: .untilRemoved, limit: 64 << 20))
}

private func storm(_ process: Bystander, _ who: Int) throws {
    let containers = Containers(try openLarge(process.site))
    var turn = who * 1000
    while !process.isOver {
        turn += 1
        let key = "\(turn * 7 % 40)"
        switch turn % 8 {
        case 0, 1: try containers.dictionary().updateValue(Halves(turn), forKey: key)
        case 2: try containers.dictionary().removeValue(forKey: key)
        case 3: try containers.dictionary().update(key, default: Halves()) { $0 = Halves(Int($0.first) + 1) }
        case 4:
            let array = try containers.array()
            if array.count < 100 { try array.append(contentsOf: [Halves(turn), Halves(turn)]) } else { try array.removeAll() }
        case 5:
            do { try containers.array().set(turn % 10, to: Halves(turn)) } catch ArenaError.outOfRange {}
        case 6: try containers.string().set(String(repeating: who % 2 == 0 ? "a" : "b", count: turn % 200))
        default:
            try containers.dictionary()[key]?.check()
            do { try containers.array()[turn % 10].check() } catch ArenaError.outOfRange {}
            let text = try containers.string().value
            try Violation.unless(Set(text.utf8).count <= 1, "a torn string: \(text)")
        }
    }
}
