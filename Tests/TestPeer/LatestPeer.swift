import CTestSystem
import Glibc
import Interprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport

/// Processes that store and read latest values. Arguments: DIRECTORY PLACE SIZE …, but where it is said otherwise.
let latestCommands: [String: Command] = [
    "latest-change": { try latestWork($0, latestChange) },
    "latest-store": { try latestWork($0, latestStore) },
    "latest-read": { try latestWork($0, latestRead) },
    "latest-wait": { try latestWork($0, latestWait) },
    "latest-hold": latestHold,
    "latest-sleep": latestSleep,
    "latest-fork": latestFork,
    "latest-busy": latestBusy,
    "latest-scribble": latestScribble,
]

extension [String] {
    fileprivate func latestPlace() throws -> LatestPlace {
        guard count >= 2, let kind = SyncPlace.Kind(rawValue: self[1]) else { throw BadArguments() }
        return LatestPlace(kind, in: ObjectDirectory(at: FilePath(self[0])))
    }

    fileprivate func latest(_ strategy: WaitStrategy = .adaptive) throws -> SizedLatest {
        try SizedLatest(number(2), latestPlace(), strategy)
    }
}

/// Longer than any of these waits.
private var patience: Deadline { .after(watchdog) }

/// Writes down what goes wrong.
private func latestWork(_ arguments: [String], _ body: (SizedLatest, QueueRecord, [String]) throws -> Void) throws {
    let record = try QueueRecord.open(in: ObjectDirectory(at: FilePath(arguments[0])))
    do {
        try body(try arguments.latest(getpid() % 3 == 0 ? .adaptive : .park), record, arguments)
    } catch {
        record.fail("\(arguments): \(error)")
        throw error
    }
}

/// latest-change … [COUNT]: changes the value so often, or until the record says stop.
private func latestChange(_ latest: SizedLatest, _ record: QueueRecord, _ arguments: [String]) throws {
    var left = arguments.count > 3 ? try arguments.number(3) : Int.max
    while left > 0, arguments.count > 3 || record[.stop] == 0 {
        try latest.change(patience)
        left -= 1
    }
}

/// latest-store …: stores one value after the other from its own memory, the only one that does.
private func latestStore(_ latest: SizedLatest, _ record: QueueRecord, _ arguments: [String]) throws {
    var number = try latest.load()
    while record[.stop] == 0 {
        number += 1
        let stored = try latest.store(number)
        // Once the end is near, the test itself changes the value, to wake who waits.
        guard stored == number || record[.stop] != 0 else { throw TornValue("version \(number) was stored as \(stored)") }
    }
}

/// latest-read …: loads again and again; each value is whole, and its number no smaller than the last.
private func latestRead(_ latest: SizedLatest, _ record: QueueRecord, _ arguments: [String]) throws {
    var last: UInt64 = 0
    while record[.stop] == 0 {
        let number = try latest.load()
        guard number >= last else { throw TornValue("version \(number) after \(last)") }
        last = number
    }
}

/// latest-wait …: waits for each change that it can get; each comes.
private func latestWait(_ latest: SizedLatest, _ record: QueueRecord, _ arguments: [String]) throws {
    var last: UInt64 = 0
    while record[.stop] == 0 {
        let told = try latest.wait(last, patience)
        let number = try latest.load()
        guard told > last, number >= told else { throw TornValue("version \(number), told \(told), after \(last)") }
        last = number
    }
}

/// latest-hold DIRECTORY PLACE: is in the middle of an update of a Halves value, says so, and does what each line says.
@Sendable private func latestHold(_ arguments: [String]) throws {
    let latest = try arguments.latestPlace().open(SyncPair(repeating: 0))
    try latest.update { pair in
        pair[0] += 1
        say("holding")
        guard readLine() == "go" else { exit(0) }
        pair[1] += 1
    }
    say("stored")
    try forEachLine { _ in }
}

/// latest-sleep DIRECTORY PLACE: says "waiting", waits for a version after 0, and says how that ended.
@Sendable private func latestSleep(_ arguments: [String]) throws {
    let latest = try arguments.latestPlace().open(SyncPair(repeating: 0), .park)
    say("waiting")
    say(syncOutcome { "got \(try latest.next(after: 0, until: patience).value[0])" })
    try forEachLine { _ in }
}

/// latest-fork DIRECTORY PLACE: opens it, forks, also in the middle of an update, and the children say what they find.
@Sendable private func latestFork(_ arguments: [String]) throws {
    let latest = try arguments.latestPlace().open(SyncPair(repeating: 0))
    try latest.store([1, 1])
    func sayAll() throws {
        say("load " + syncOutcome { "\(try latest.load()[0])" })
        say("sequence " + syncOutcome { "\(try latest.sequence)" })
        say("store " + syncOutcome { "\(try latest.store([9, 9], until: .after(.seconds(1))))" })
        say(
            "update "
                + syncOutcome {
                    try latest.update(until: .after(.seconds(1))) { $0[0] = 9 }; return "got"
                })
        say("wait " + syncOutcome { "\(try latest.wait(after: 0, until: .after(.seconds(1))))" })
    }
    try forkAndWait(sayAll)
    var isChild = false
    let parent = getpid()
    do {
        try latest.update { pair in
            pair = [2, 2]
            if test_fork_plain() == 0 { isChild = true } else { wait(nil) }
        }
    } catch let error as WaitError where getpid() != parent {
        say("in the update \(syncOutcome { throw error })")
        exit(0)
    }
    if isChild || getpid() != parent { exit(1) }
    say("stored \(try latest.load()[0])")
    try forEachLine { _ in }
}

/// latest-busy DIRECTORY PLACE COUNT: stores and loads so often, alone.
@Sendable private func latestBusy(_ arguments: [String]) throws {
    let latest = try arguments.latestPlace().open(SyncPair(repeating: 0))
    let count = try arguments.number(2)
    for number in 1...count {
        try latest.store([number, number])
        guard try latest.load()[1] == number, try latest.sequence == UInt64(number) else { throw BadArguments() }
    }
    say("\(count)")
}

/// latest-scribble DIRECTORY PLACE SEED: writes random words over the latest value that stands in the segment, until it is killed.
@Sendable private func latestScribble(_ arguments: [String]) throws {
    let latest = try arguments.latestPlace().open(SyncPair(repeating: 0))
    guard let seed = UInt64(arguments[2]) else { throw BadArguments() }
    var random = SeededRandom(seed: seed)
    // The words of the lock, `current`, and the beginnings of the four versions.
    let words = [64, 68, 128, 256, 260, 320, 324, 384, 388, 448, 452]
    say("ready")
    unsafe latest.segment.withBytes { bytes in
        while true {
            let bits = UInt32(truncatingIfNeeded: random.next())
            let value: UInt32 =
                switch Int.random(in: 0..<5, using: &random) {
                case 0: 0
                case 1: bits & 31 | 2
                case 2: .max - bits & 3
                // As a peer's claim.
                case 3: bits & 0xff << 2 | 1 << 12 | bits >> 31 | 2
                default: bits | 2
                }
            let word = words[Int.random(in: words.indices, using: &random)]
            unsafe SharedUInt32(at: bytes.baseAddress! + LatestPlace.offset + word).storeRelaxed(value)
            if bits & 15 == 0 { sleepThread(for: .microseconds(50)) }
        }
    }
}
