import Interprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport

/// arena-queue-storm DIRECTORY SEED SLOT: appends to the queue "q" of the arena "a" until the record says stop, or, from the fifth slot on, takes until it gets the end.
@Sendable func queueStorm(_ arguments: [String]) throws {
    let directory = ObjectDirectory(at: FilePath(arguments[0]))
    let record = try QueueRecord.open(in: directory)
    do {
        guard let seed = UInt64(arguments[1]), let slot = Int(arguments[2]) else { throw BadArguments() }
        let storm = try ArenaQueueStorm(arguments.containerArena(), ArenaQueueLog(openingIn: directory), slot)
        var random = SeededRandom(seed: seed)
        if slot < ArenaQueueLog.appenders { try storm.append(until: { record[.stop] != 0 }, &random) } else { try storm.take(&random) }
    } catch {
        record.fail("\(arguments): \(error)")
        throw error
    }
}

private struct ArenaQueueStorm {
    let queue: ArenaQueue<ContainerValue>
    let log: ArenaQueueLog
    let slot: Int

    init(_ arena: SharedArena, _ log: ArenaQueueLog, _ slot: Int) throws {
        (queue, self.log, self.slot) = (try ArenaQueue("q", in: arena), log, slot)
    }

    private func check(_ holds: Bool, _ what: @autoclosure () -> String) throws { if !holds { throw TornValue(what()) } }

    func append(until isOver: () -> Bool, _ random: inout SeededRandom) throws {
        while !isOver() {
            let first = log.next(slot)
            let count = Int.random(in: 0..<8, using: &random) == 0 ? Int.random(in: 1...20, using: &random) : 1
            // The takers are fewer in a burst of kills; and the log has an end.
            guard first + count < ArenaQueueLog.most, try queue.count < 500 else {
                sleepThread(for: .microseconds(100))
                continue
            }
            log.setNext(slot, first + count)
            let numbers = first..<first + count
            for number in numbers { _ = log.insert(.begun, slot, number) }
            try queue.append(contentsOf: numbers.map { ContainerValue(slot: slot, place: 0, number: UInt64($0)) })
            for number in numbers { _ = log.insert(.appended, slot, number) }
            if Int.random(in: 0..<4, using: &random) == 0 { sleepThread(for: .microseconds(Int.random(in: 0...300, using: &random))) }
        }
    }

    private func pop(_ way: Int) throws -> ContainerValue? {
        if way == 0 { return try queue.tryPopFirst() }
        if way > 2 { return try queue.popFirst() }
        do { return try queue.popFirst(until: .after(.microseconds(100))) } catch ArenaError.deadline { return nil }
    }

    func take(_ random: inout SeededRandom) throws {
        var last = [Int](repeating: -1, count: ArenaQueueLog.appenders)
        while true {
            if let first = try queue.first { try check(first.isWhole, "the first: \(first)") }
            log.setTaking(slot, true)
            if let found = try pop(Int.random(in: 0..<8, using: &random)) {
                try check(found.isWhole, "torn: \(found)")
                if found == ArenaQueueLog.end { return log.setTaking(slot, false) }
                let (from, number) = (Int(found.first >> 56), Int(found.number))
                try check(from < ArenaQueueLog.appenders && number < ArenaQueueLog.most, "of nobody: \(found)")
                try check(log.insert(.taken, from, number), "taken twice: \(number) of \(from)")
                try check(log.contains(.begun, from, number), "never appended: \(number) of \(from)")
                try check(number > last[from], "\(number) of \(from) after \(last[from])")
                last[from] = number
            }
            log.setTaking(slot, false)
            if Int.random(in: 0..<256, using: &random) == 0 {
                let problems = try queue.validate()
                try check(problems.isEmpty, "\(problems)")
            }
        }
    }
}
