import CTestSystem
import Glibc
import Interprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport

/// Processes that put and take. Arguments: DIRECTORY PLACE …
let variableCommands: [String: Command] = [
    "variable-storm": variableStorm,
    "variable-hold": variableHold,
    "variable-sleep": variableSleep,
    "variable-fork": variableFork,
    "variable-busy": variableBusy,
    "variable-greedy": variableGreedy,
    "variable-scribble": variableScribble,
]

extension [String] {
    fileprivate func variable<Value: Shareable>(
        _ type: Value.Type = SyncPair.self, _ strategy: WaitStrategy = .park
    ) throws -> SharedVariable<Value> {
        guard count >= 2, let kind = SyncPlace.Kind(rawValue: self[1]) else { throw BadArguments() }
        return try VariablePlace(kind, in: ObjectDirectory(at: FilePath(self[0]))).open(type, nil, strategy)
    }
}

/// Longer than any of these waits.
private var patience: Deadline { .after(.seconds(60)) }

/// variable-storm … ROLE WORKER: puts, takes, reads, swaps or changes, until the record says stop. Writes down what goes wrong.
@Sendable private func variableStorm(_ arguments: [String]) throws {
    let directory = ObjectDirectory(at: FilePath(arguments[0]))
    let record = try QueueRecord.open(in: directory)
    do {
        let account = try VariableAccount.open(in: directory)
        let variable = try arguments.variable(StormValue.self, [.adaptive, .park, .park][Int(getpid()) % 3])
        let worker = Worker(variable: variable, account: account, number: try arguments.number(3))
        while record[.stop] == 0 {
            switch arguments[2] {
            case "put": if !(try worker.put()) { sleepThread(for: .milliseconds(1)) }
            case "take": try worker.take()
            case "read": try variable.read(until: patience).check()
            case "swap": if !(try worker.swap()) { sleepThread(for: .milliseconds(1)) }
            case "change":
                try variable.modify(until: patience) { value in
                    try value.check()
                    value.change()
                }
                try variable.withValue(until: patience) { try $0.check() }
            default: throw BadArguments()
            }
        }
    } catch {
        record.fail("\(arguments): \(error)")
        throw error
    }
}

private struct Worker {
    let variable: SharedVariable<StormValue>
    let account: VariableAccount
    let number: Int

    /// Whether there was another value to put.
    func put() throws -> Bool {
        guard let value = next() else { return false }
        try variable.put(value, until: patience)
        account.word(number, .put).storeRelease(value.number)
        return true
    }

    func take() throws {
        account.word(number, .takeIntent).add(1)
        try tick(variable.take(until: patience))
    }

    func swap() throws -> Bool {
        guard let value = next() else { return false }
        account.word(number, .takeIntent).add(1)
        let old = try variable.swap(value, until: patience)
        account.word(number, .put).storeRelease(value.number)
        try tick(old)
        return true
    }

    private func next() -> StormValue? {
        let value = account.word(number, .putIntent).loadAcquire() + 1
        guard value < UInt64(VariableAccount.values) else { return nil }
        account.word(number, .putIntent).storeRelease(value)
        return StormValue(number, value)
    }

    private func tick(_ value: StormValue) throws {
        try value.check()
        guard account.tick(value) else { throw TornValue("value \(value.number) of worker \(value.worker) was taken twice") }
        account.word(number, .taken).storeRelease(account.word(number, .takeIntent).loadAcquire())
    }
}

/// variable-hold DIRECTORY PLACE modify|look: is in the middle of that, says so, and goes on when it is told.
@Sendable private func variableHold(_ arguments: [String]) throws {
    let variable: SharedVariable<SyncPair> = try arguments.variable()
    func hold() {
        say("holding")
        guard readLine() == "go" else { exit(0) }
    }
    if arguments[2] == "look" {
        try variable.withValue { _ in hold() }
    } else {
        try variable.modify { pair in
            pair[0] += 1
            hold()
            pair[1] += 1
        }
    }
    say("changed")
    try forEachLine { _ in }
}

/// variable-sleep DIRECTORY PLACE put|take|read|modify NUMBER: says "waiting", does it, and says how that ended.
@Sendable private func variableSleep(_ arguments: [String]) throws {
    let variable: SharedVariable<SyncPair> = try arguments.variable()
    let number = try arguments.number(3)
    say("waiting")
    say(
        syncOutcome {
            switch arguments[2] {
            case "put":
                try variable.put([number, number], until: patience)
                return "put"
            case "take": return "got \(try variable.take(until: patience)[0])"
            case "read": return "got \(try variable.read(until: patience)[0])"
            default:
                try variable.modify(until: patience) { for index in 0..<2 { $0[index] += number } }
                return "changed"
            }
        })
    try forEachLine { _ in }
}

/// variable-fork DIRECTORY PLACE: opens a full one, forks, also in the middle of a change, and the children say what they find.
@Sendable private func variableFork(_ arguments: [String]) throws {
    let variable: SharedVariable<SyncPair> = try arguments.variable()
    func soon() -> Deadline { .after(.seconds(1)) }
    try forkAndWait {
        func gets(_ body: () throws -> Void) -> String {
            syncOutcome {
                try body()
                return "got"
            }
        }
        say("put " + gets { try variable.put([9, 9], until: soon()) })
        say("take " + syncOutcome { "\(try variable.take(until: soon())[0])" })
        say("read " + syncOutcome { "\(try variable.read(until: soon())[0])" })
        say("try " + syncOutcome { "\(try variable.tryRead()?[0] ?? -1)" })
        say("swap " + syncOutcome { "\(try variable.swap([9, 9], until: soon())[0])" })
        say("modify " + gets { try variable.modify(until: soon()) { $0[0] = 9 } })
        say("look " + syncOutcome { try variable.withValue(until: soon()) { "\($0[0])" } })
    }
    let parent = getpid()
    do {
        try variable.modify { pair in
            pair = [2, 2]
            if test_fork_plain() != 0 { wait(nil) }
        }
    } catch let error as WaitError where getpid() != parent {
        say("in the change \(syncOutcome { throw error })")
        exit(0)
    }
    if getpid() != parent { exit(1) }
    say("changed \(try variable.read()[0])")
    try forEachLine { _ in }
}

/// variable-busy DIRECTORY PLACE COUNT: does everything so often, alone.
@Sendable private func variableBusy(_ arguments: [String]) throws {
    let variable: SharedVariable<SyncPair> = try arguments.variable()
    let count = try arguments.number(2)
    for number in 1...count {
        try variable.put([number, number])
        try variable.modify { $0[1] += 1 }
        guard try variable.read()[1] == number + 1, try variable.swap([number, 7])[0] == number, try variable.take()[1] == 7 else {
            throw BadArguments()
        }
    }
    say("\(count)")
}

/// variable-greedy DIRECTORY PLACE: takes and puts back without a pause, and counts that in the segment "rounds".
@Sendable private func variableGreedy(_ arguments: [String]) throws {
    let variable: SharedVariable<SyncPair> = try arguments.variable(SyncPair.self, .adaptive)
    let rounds = try Segment.open("rounds", in: ObjectDirectory(at: FilePath(arguments[0])))
    let counter = unsafe rounds.withBytes { unsafe SharedUInt32(at: $0.baseAddress!) }
    say("ready")
    while true {
        try variable.put(variable.take())
        counter.add(1)
    }
}

/// variable-scribble DIRECTORY PLACE SEED: writes random words over the variable, until it is killed.
@Sendable private func variableScribble(_ arguments: [String]) throws {
    let variable: SharedVariable<SyncPair> = try arguments.variable()
    guard let seed = UInt64(arguments[2]) else { throw BadArguments() }
    var random = SeededRandom(seed: seed)
    say("ready")
    unsafe variable.segment.withBytes { bytes in
        while true {
            let bits = UInt32(truncatingIfNeeded: random.next())
            let value: UInt32 =
                switch Int.random(in: 0..<6, using: &random) {
                case 0: 0
                case 1: bits & 3 | 2
                case 2: .max - bits & 3
                // As a peer's claim.
                case 3: bits & 0xff << 2 | 1 << 12 | bits >> 31 | 2
                case 4: bits
                default: bits | 2
                }
            // From `control` to the end of the values.
            let word = 128 + 4 * Int.random(in: 0..<16, using: &random)
            unsafe SharedUInt32(at: bytes.baseAddress! + VariablePlace.offset + word).storeRelaxed(value)
            if bits & 15 == 0 { sleepThread(for: .microseconds(50)) }
        }
    }
}
