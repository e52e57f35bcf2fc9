import CTestSystem
import Glibc
import Interprocess
import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport

/// sync-signals … WHAT ROUNDS: while a timer sends it a signal every 200 microseconds, waits for nothing until a deadline, then ROUNDS times for what it gets.
@Sendable func syncSignals(_ arguments: [String]) throws {
    let place = try arguments.syncPlace()
    var action = sigaction()
    unsafe action.__sigaction_handler.sa_handler = { _ in }
    unsafe sigaction(SIGALRM, &action, nil)
    let wait = try waiter(arguments[2], place)
    say("ready")
    _ = readLine()
    let interval = timeval(tv_sec: 0, tv_usec: 200)
    var timer = itimerval(it_interval: interval, it_value: interval)
    unsafe setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &timer, nil)
    // It cannot be had now: the deadline is what ends it, not one of a hundred signals.
    let before = MonotonicInstant.now
    let ending = syncOutcome(try waiter(arguments[2], place, .after(.milliseconds(20))))
    let took = MonotonicInstant.now.nanoseconds(since: before)
    say(ending == "deadline" && took >= 20_000_000 ? "in time" : "\(ending) after \(took) ns")
    var got = 0
    for _ in 0..<(try arguments.number(3)) where ["got", "together", "last"].contains(syncOutcome(wait)) { got += 1 }
    timer = itimerval()
    unsafe setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &timer, nil)
    say("got \(got)")
    try forEachLine { _ in }
}

/// sync-greedy … WHAT: takes it and gives it back without a pause until it is killed; counts in the segment "rounds".
@Sendable func syncGreedy(_ arguments: [String]) throws {
    let place = try arguments.syncPlace()
    let rounds = try Segment.open("rounds", in: ObjectDirectory(at: FilePath(arguments[0])))
    let counter = unsafe rounds.withBytes { unsafe SharedUInt32(at: $0.baseAddress!) }
    func work() { for _ in 0..<200 { Processor.pause() } }
    let body: () throws -> Void
    switch arguments[2] {
    case "mutex":
        let mutex = try place.mutex()
        body = { try mutex.withLock { _ in work() } }
    case "semaphore":
        let semaphore = try place.semaphore()
        body = {
            try semaphore.wait()
            work()
            try semaphore.signal()
        }
    case "permits":
        let permits = try place.permits()
        body = {
            let permit = try permits.acquire()
            work()
            permit.release()
        }
    case "read":
        let lock = try place.readWriteLock()
        body = { try lock.withReadLock { _ in work() } }
    case "write":
        let lock = try place.readWriteLock()
        body = { try lock.withWriteLock { _ in work() } }
    default: throw BadArguments()
    }
    say("ready")
    while true {
        try body()
        counter.add(1)
    }
}

/// sync-scribble … SEED: writes random words over all objects that stand in the segment, until it is killed.
@Sendable func syncScribble(_ arguments: [String]) throws {
    let place = try arguments.syncPlace()
    guard let segment = place.segment, let seed = UInt64(arguments[2]) else { throw BadArguments() }
    var random = SeededRandom(seed: seed)
    say("ready")
    while true {
        let object = Int.random(in: 0..<10, using: &random) * SyncPlace.stride
        // Mostly the words that change, else those that say what it is, the peers' words, or the value.
        let word =
            Int.random(in: 0..<4, using: &random) > 0 ? Int.random(in: 16..<32, using: &random) : Int.random(in: 0..<120, using: &random)
        let bits = UInt32(truncatingIfNeeded: random.next())
        let value: UInt32 =
            switch Int.random(in: 0..<5, using: &random) {
            case 0: 0
            case 1: bits & 7 | 2
            case 2: .max - bits & 3
            // As a peer's claim.
            case 3: bits & 0xff << 2 | 1 << 12 | bits >> 31 | 2
            default: bits | 2
            }
        unsafe segment.withBytes { unsafe SharedUInt32(at: $0.baseAddress! + object + 4 * word).storeRelaxed(value) }
        if bits & 15 == 0 { sleepThread(for: .microseconds(50)) }
    }
}

/// sync-make … COUNT: makes, or finds, so many mutexes in the segment "field", and adds 1 to each.
@Sendable func syncMake(_ arguments: [String]) throws {
    let field = try Segment.open("field", in: ObjectDirectory(at: FilePath(arguments[0])))
    let count = try arguments.number(2)
    // All begin at once: with the word behind the last.
    let gate = unsafe field.withBytes { unsafe SharedUInt32(at: $0.baseAddress! + count * SyncField.stride) }
    while gate.loadAcquire() == 0 { sleepThread(for: .microseconds(20)) }
    for index in 0..<count {
        let mutex = try SharedMutex<SyncPair>(in: field, at: index * SyncField.stride, initial: SyncField.initial)
        try mutex.withLock { pair in
            pair[0] += 1
            pair[1] += 1
        }
    }
}

/// sync-embrace … WHAT: has the mutex and wants the permits, or the other way round.
@Sendable func syncEmbrace(_ arguments: [String]) throws {
    let place = try arguments.syncPlace()
    let mutex = try place.mutex()
    let permits = try place.permits()
    func begin() {
        say("holding")
        _ = readLine()
    }
    if arguments[2] == "mutex" {
        try mutex.withLock { _ in
            begin()
            say(
                syncOutcome {
                    try permits.acquire(SyncPlace.permitUnits).release(); return "got"
                })
        }
    } else {
        let permit = try permits.acquire(SyncPlace.permitUnits)
        begin()
        say(syncOutcome { try mutex.withLock { _ in "got" } })
        permit.release()
    }
    try forEachLine { _ in }
}
