import Interprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport

/// Processes that hold values of the arena "a" together with others. Arguments: DIRECTORY …
let referenceCommands: [String: Command] = [
    "reference-make": referenceMake,
    "reference-take": referenceTake,
    "reference-fork": referenceFork,
    "reference-storm": referenceStorm,
]

/// reference-make DIRECTORY NUMBER: makes a value with a block of its own, says its ticket, and holds it until its input ends.
@Sendable private func referenceMake(_ arguments: [String]) throws {
    let arena = try arguments.containerArena()
    guard let number = UInt64(arguments[1]) else { throw BadArguments() }
    let reference = try arena.makeReference(HeldValue(number), links: 1)
    _ = try unsafe arena.allocate(byteCount: 100_000, into: reference.link(0)) { unsafe $0.storeBytes(of: number, as: UInt64.self) }
    say("\(reference.ticket.rawValue)")
    try forEachLine { _ in }
    withExtendedLifetime(reference) {}
}

/// reference-take DIRECTORY TICKET: takes a value, says its number, and holds it until its input ends.
@Sendable private func referenceTake(_ arguments: [String]) throws {
    let arena = try arguments.containerArena()
    guard let ticket = UInt64(arguments[1]) else { throw BadArguments() }
    do {
        let reference = try SharedReference(ReferenceTicket<HeldValue>(rawValue: ticket), in: arena)
        say("\(try reference.value.first)")
        try forEachLine { _ in }
        withExtendedLifetime(reference) {}
    } catch ArenaError.gone { say("gone") }
}

/// reference-fork DIRECTORY: forks; the child says what it finds, and lets go.
@Sendable private func referenceFork(_ arguments: [String]) throws {
    let arena = try arguments.containerArena()
    var reference: SharedReference<HeldValue>? = try arena.makeReference(HeldValue(7))
    guard let ticket = reference?.ticket else { throw BadArguments() }
    try forkAndWait {
        func outcome(_ body: () throws -> Void) -> String {
            do {
                try body()
                return "done"
            } catch { return "\(error)" }
        }
        say("value " + outcome { _ = try reference?.value })
        say("take " + outcome { _ = try SharedReference(ticket, in: arena) })
        say("make " + outcome { _ = try arena.makeReference(HeldValue(8)) })
        reference = nil
    }
    say("parent \(arena.statistics().references) \(try reference?.value.first ?? 0)")
    reference = nil
    say("parent \(arena.statistics().references)")
}

/// reference-storm DIRECTORY SEED: makes values and writes their tickets on the board, takes what others have written there, and lets go, until the record says stop. What it holds must not change.
@Sendable private func referenceStorm(_ arguments: [String]) throws {
    let record = try QueueRecord.open(in: ObjectDirectory(at: FilePath(arguments[0])))
    do {
        guard let seed = UInt64(arguments[1]) else { throw BadArguments() }
        var storm = try ReferenceStorm(arguments.containerArena(), SeededRandom(seed: seed))
        while record[.stop] == 0 { try storm.step() }
    } catch {
        record.fail("\(arguments): \(error)")
        throw error
    }
}

private struct ReferenceStorm {
    let arena: SharedArena
    let board: TypedOffset<HeldBoard>
    var random: SeededRandom
    var held: [(reference: SharedReference<HeldValue>, number: UInt64)] = []

    init(_ arena: SharedArena, _ random: SeededRandom) throws {
        (self.arena, self.random) = (arena, random)
        board = try arena.findOrConstruct("board", as: HeldBoard.self) { _ in }
    }

    mutating func step() throws {
        let place = Int.random(in: 0..<HeldBoard.count, using: &random)
        switch Int.random(in: 0..<16, using: &random) {
        case 0...2:
            let number = random.next()
            let links = Int.random(in: 0...2, using: &random)
            let reference = try arena.makeReference(HeldValue(number), links: links)
            for link in 0..<links {
                let size = Int.random(in: 0..<50, using: &random) == 0 ? 70_000 : 100
                _ = try unsafe arena.allocate(byteCount: size, into: reference.link(link)) {
                    unsafe $0.storeBytes(of: number, as: UInt64.self)
                }
            }
            try arena.withValue(at: board) { $0.tickets[place] = reference.ticket.rawValue }
            held.append((reference, number))
        case 3...9:
            let ticket = try arena.withValue(at: board) { $0.tickets[place] }
            do {
                let reference = try SharedReference(ReferenceTicket<HeldValue>(rawValue: ticket), in: arena)
                held.append((reference, try reference.value.first))
            } catch ArenaError.gone {}
        default:
            guard !held.isEmpty else { return }
            try check(held.remove(at: Int.random(in: 0..<held.count, using: &random)))
        }
        while held.count > 12 { try check(held.removeFirst()) }
    }

    private func check(_ one: (reference: SharedReference<HeldValue>, number: UInt64)) throws {
        let value = try one.reference.value
        guard value.isWhole, value.first == one.number else { throw TornValue("\(one.number) has become \(value)") }
        for link in 0..<one.reference.linkCount {
            // Its maker may have been killed before.
            guard let block = try arena.load(one.reference.link(link)) else { continue }
            let found = try unsafe arena.withBytes(at: block) { unsafe $0.load(as: UInt64.self) }.get()
            guard found == one.number else { throw TornValue("the block of \(one.number) has become \(found)'s") }
        }
    }
}
