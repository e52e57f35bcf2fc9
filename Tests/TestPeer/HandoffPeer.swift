import CTestSystem
import Glibc
import Interprocess
import InterprocessSystem
import SystemPackage
import TestSupport

/// Commands of processes that are one side of a handoff. Arguments: DIRECTORY NAME ROLE ….
let handoffCommands: [String: Command] = [
    "handoff-echo": handoffEcho,
    "handoff-count": handoffCount,
    "handoff-end": handoffEnd,
    "handoff-storm": handoffStorm,
    "handoff-signals": handoffSignals,
]

extension [String] {
    fileprivate func join(until deadline: Deadline = .never) throws -> Handoff {
        let (directory, name) = try place()
        return try Handoff.join(
            name, as: self[2] == "parent" ? .parent : .child, options: HandoffOptions(directory: directory), until: deadline)
    }
}

/// Gives each value back, plus 1, until the other side ends; then says how, and how often it had the turn.
@Sendable private func handoffEcho(_ arguments: [String]) throws {
    var handoff: Handoff
    do throws(InterprocessError) {
        let (directory, name) = (ObjectDirectory(at: FilePath(arguments[0])), "h" as ObjectName)
        handoff = try Handoff.join(
            name, as: arguments[2] == "parent" ? .parent : .child, options: HandoffOptions(directory: directory))
    } catch {
        say("error \(error.code)")
        return
    }
    say("joined \(handoff.segment.peer)")
    var turns = 0
    var value = handoff.value
    while let found = value {
        turns += 1
        value = try handoff.yield(found + 1)
    }
    let end =
        switch handoff.end {
        case .closed: "closed"
        case .died(let notice): "died \(notice.pid)"
        case nil: "nothing"
        }
    say("ended \(end) \(turns)")
}

/// handoff-count … ROUNDS: adds one to a plain word of the segment "count" in each turn; two that ran at once would lose some.
@Sendable private func handoffCount(_ arguments: [String]) throws {
    let segment = try Segment.open("count", in: ObjectDirectory(at: FilePath(arguments[0])))
    var handoff = try arguments.join()
    for _ in 0..<(try arguments.number(3)) {
        unsafe segment.withBytes { bytes in
            let word = unsafe bytes.bindMemory(to: UInt64.self)
            let before = unsafe word[0]
            for _ in 0..<Int(before % 50) { Processor.pause() }
            unsafe word[0] = before + 1
        }
        if try handoff.yield() == nil { break }
    }
    say("done")
}

/// handoff-end … HOW: ends with its first turn, in the way that is asked for, after it was told to.
@Sendable private func handoffEnd(_ arguments: [String]) throws {
    let handoff = try arguments.join()
    say("turn \(handoff.value.map { "\($0)" } ?? "none")")
    guard readLine() != nil else { return }
    switch arguments[3] {
    case "close":
        handoff.close()
        say("closed")
        try forEachLine { _ in }
    case "exit": exit(0)
    case "kill": kill(getpid(), SIGKILL)
    case "exec": becomeAnotherProgram()
    case "exec from another thread":
        try startServiceThread(named: "exec") { becomeAnotherProgram() }
        try forEachLine { _ in }
        // It has the turn until then.
        say("\(handoff.value ?? 0)")
    // The child has a copy of every descriptor, and lives on.
    case "fork and kill":
        let child = try forkChild(outlivingParent: true) { while true { pause() } }
        say("child \(child)")
        kill(getpid(), SIGKILL)
    default: throw BadArguments()
    }
}

/// handoff-storm … STRATEGY: gives the turn back with the value plus 1 until it is killed; joins anew when the other side has ended.
@Sendable private func handoffStorm(_ arguments: [String]) throws {
    var handoff = try arguments.join()
    handoff.strategy = arguments[3] == "park" ? .park : .adaptive
    while true {
        while let value = handoff.value { _ = try handoff.yield(value &+ 1) }
        try handoff.rejoin()
    }
}

/// handoff-signals … ROUNDS: as handoff-echo, while a timer sends it a signal every 100 microseconds.
@Sendable private func handoffSignals(_ arguments: [String]) throws {
    var action = sigaction()
    unsafe action.__sigaction_handler.sa_handler = { _ in }
    unsafe sigaction(SIGALRM, &action, nil)
    var handoff = try arguments.join()
    handoff.strategy = .park
    let interval = timeval(tv_sec: 0, tv_usec: 100)
    var timer = itimerval(it_interval: interval, it_value: interval)
    unsafe setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &timer, nil)
    var turns = 0
    while let value = handoff.value {
        turns += 1
        _ = try handoff.yield(value + 1)
    }
    timer = itimerval()
    unsafe setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &timer, nil)
    say("turns \(turns)")
}
