import CTestSystem
import Glibc
import Interprocess
import InterprocessSystem
import Synchronization
import SystemPackage
import TestSupport

/// Commands of processes that are one side of a handoff under a filter of system calls.
let sandboxCommands: [String: Command] = [
    "sandbox-play": sandboxPlay,
    "sandbox-async": sandboxAsync,
    "sandbox-probe": sandboxProbe,
    "handoff-turns": handoffTurns,
    "handoff-as": handoffAsUser,
]

/// The filter of a handoff; without the call of a name if there is one, or "all".
private func install(without name: String = "all", otherwise: SystemCallFilter.Action = .killProcess) throws {
    let rules = Handoff.systemCallsAfterSetUp.filter { $0.call.name != name }
    guard name == "all" || rules.count + 1 == Handoff.systemCallsAfterSetUp.count else { throw BadArguments() }
    forbidCoreDump()
    try SystemCallFilter(rules, otherwise: otherwise).install()
}

extension WaitStrategy {
    fileprivate init(_ name: String) throws {
        guard let found = Self.allCases.first(where: { "\($0)" == name }) else { throw BadArguments() }
        self = found
    }
}

private let signals = Atomic<Int>(0)

/// sandbox-play DIRECTORY NAME ROLE STRATEGY LEFT-OUT REFUSED…: joins, installs the filter, then gives each value back plus 1, but for the orders; joins
/// anew when the other side has ended. It may not write: what it has to say it writes into the segment "report".
@Sendable private func sandboxPlay(_ arguments: [String]) throws {
    let (directory, name) = try arguments.place()
    let report = try SandboxReport(try Segment.open("report", in: directory))
    // As a kernel would that has no such calls: before anything is set up.
    let refused = SystemCallFilter.Call.known.filter { arguments.dropFirst(5).contains($0.name) }
    if !refused.isEmpty {
        try SystemCallFilter(refused.map { .init($0, .refuse(.noFunction), because: "test") }, otherwise: .allow).install()
    }
    signal(SIGUSR1) { _ in signals.add(1, ordering: .relaxed) }
    let allocator = try Allocator()
    var handoff = try Handoff.join(
        name, as: arguments[2] == "parent" ? .parent : .child, options: HandoffOptions(directory: directory))
    handoff.strategy = try WaitStrategy(arguments[3])
    try install(without: arguments[4])
    report[.isFiltered] = 1
    while true {
        while let value = handoff.value {
            report[.turns] += 1
            let answer: UInt64
            switch SandboxOrder(rawValue: value) {
            case nil: answer = value &+ 1
            case .openFile: answer = unsafe open("/etc/passwd", O_RDONLY) < 0 ? UInt64(errno) : 0
            case .removeName: answer = unsafe unlink("/nonexistent/name") < 0 ? UInt64(errno) : 0
            case .allocate: answer = allocator.run()
            case .lock: answer = firstUses()
            case .countSignals: answer = UInt64(signals.load(ordering: .relaxed))
            case .leave:
                handoff.close()
                report[.hasClosed] = 1
                while report[.mayExit] == 0 { Processor.pause() }
                endProcessAtOnce(status: 7)
            }
            _ = try handoff.yield(answer)
        }
        if case .died(let notice) = handoff.end { report[.deadPID] = UInt64(notice.pid) }
        report[.ends] += 1
        try handoff.rejoin(until: .after(watchdog))
    }
}

/// What a program does for the first time only now: a lazy global, a lock, a dictionary, an error, a protocol looked up by its name.
private func firstUses() -> UInt64 {
    let mutex = Mutex([String: Int]())
    mutex.withLock { $0["a"] = lazyValue }
    let thrown = Result { () throws(Errno) in throw Errno.ioError }
    let value = mutex.withLock { $0 }
    return value["a"] == lazyValue && (thrown as Any) is any Equatable ? 0 : 1
}
private let lazyValue = CommandLine.arguments.count

/// Takes memory and gives it back, on the calling thread and on one that has been there before the filter: the C library gets each by other calls.
private final class Allocator: Sendable {
    private let asked = ControlWords()

    init() throws {
        try startServiceThread(named: "allocator") { [asked] in
            asked.store(2)
            // For ever: the end of a thread takes calls of its own.
            while true {
                asked.await(1)
                Self.takeAndGiveBack()
                asked.store(2)
            }
        }
        // The first calls of a thread are not in the filter.
        asked.await(2)
    }

    func run() -> UInt64 {
        Self.takeAndGiveBack()
        asked.store(1)
        asked.await(2)
        return 0
    }

    private static func takeAndGiveBack() {
        // Small ones, and some that get memory of their own.
        for size in [10_000, 4_000_000] {
            let blocks = unsafe (0..<(size < 100_000 ? 1000 : 3)).map { _ in
                let block = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 8)
                unsafe memset(block, 1, size)
                return unsafe block
            }
            unsafe blocks.forEach { unsafe $0.deallocate() }
        }
    }
}

/// A word that two threads of this process sleep on.
@safe private final class ControlWords: @unchecked Sendable {
    private let word = UnsafeMutablePointer<Atomic<UInt32>>.allocate(capacity: 1)
    init() { unsafe word.initialize(to: Atomic(0)) }
    func store(_ value: UInt32) {
        unsafe word.pointee.store(value, ordering: .releasing)
        unsafe Futex.wake(word, scope: .process)
    }
    func await(_ value: UInt32) {
        while true {
            let seen = unsafe word.pointee.load(ordering: .acquiring)
            if seen == value { return }
            _ = try? unsafe Futex.wait(word, while: seen, scope: .process)
        }
    }
}

/// sandbox-async DIRECTORY NAME ROLE: as sandbox-play, by a task that suspends, on the library's executor; ends with its partner, and its status
/// is 7.
@Sendable private func sandboxAsync(_ arguments: [String]) throws {
    let (directory, name) = try arguments.place()
    let report = try SandboxReport(try Segment.open("report", in: directory))
    let role: HandoffRole = arguments[2] == "parent" ? .parent : .child
    Task.detached(executorPreference: InterprocessExecutor.shared) {
        do {
            var handoff = try Handoff.join(name, as: role, options: HandoffOptions(directory: directory))
            try install()
            report[.isFiltered] = 1
            while let value = handoff.value {
                report[.turns] += 1
                _ = try await handoff.yield(value &+ 1)
            }
            if case .died(let notice) = handoff.end { report[.deadPID] = UInt64(notice.pid) }
            endProcessAtOnce(status: 7)
        } catch {
            endProcessAtOnce(status: 1)
        }
    }
    while true { pause() }
}

/// sandbox-probe: the filter, with `write` besides; says the numbers of all calls that are not answered as one without a rule.
@Sendable private func sandboxProbe(_ arguments: [String]) throws {
    // Which no call gives.
    let refusal = Errno(rawValue: 133)
    let write = SystemCallFilter.Rule(.write, because: "to say what was found")
    try SystemCallFilter(Handoff.systemCallsAfterSetUp + [write], otherwise: .refuse(refusal)).install()
    var found: [String] = []
    for number in 0..<600 {
        #if arch(x86_64)
            // uretprobe and uprobe, with which the kernel calls itself: it asks no filter about them.
            if number == 335 || number == 336 { continue }
        #endif
        // These would not come back.
        if ["rt_sigreturn", "exit_group"].contains(where: { $0 == name(of: number) }) { continue }
        for arguments in [(Int.max, 0, 0x22), (0, 4, 0x22), (0, 0, 2)] {
            // Arguments that no call can do anything with: of those of mmap, what is to be protected and what mapped differ.
            let result = test_system_call(number, -1, -1, arguments.1, arguments.2, -1, -1)
            if result != -Int(refusal.rawValue) { found.append("\(number)/\(arguments.1)/\(arguments.2)") }
        }
    }
    say(found.joined(separator: " "))
}

private func name(of number: Int) -> String? {
    SystemCallFilter.Architecture.current.flatMap { here in SystemCallFilter.Call.known.first { $0.number(on: here) == number }?.name }
}

/// handoff-turns DIRECTORY NAME ROLE STRATEGY ROUNDS PROCESSOR [sandboxed | TRACEPOINT]: plays on that processor, and ends with the status 7 if all rounds
/// came back; with the number of the tracepoint of system calls it says how many it made, for each 1000 rounds.
@Sendable private func handoffTurns(_ arguments: [String]) throws {
    let (directory, name) = try arguments.place()
    try Processor.pin(to: [try arguments.number(5)])
    let rounds = try arguments.number(4)
    let tracepoint = arguments.count > 6 ? CInt(arguments[6]) : nil
    // Before there are other threads.
    let counter = tracepoint.map { test_count_system_calls($0) }
    var handoff = try Handoff.join(
        name, as: arguments[2] == "parent" ? .parent : .child, options: HandoffOptions(directory: directory))
    handoff.strategy = try WaitStrategy(arguments[3])
    if arguments.last == "sandboxed" { try install() }
    // What else the machine does would take the processor at each `sched_yield`, and the side that gave way would give way once more. Without the right to go
    // before it, the count is as good as the machine is idle.
    if counter != nil { _ = test_go_before_others() }
    var value = handoff.value ?? 0
    var counts: [Int64] = []
    for round in 1..<rounds {
        if let counter, round % 1000 == 0 { counts.append(test_read_count(counter)) }
        guard let back = try handoff.yield(value &+ 1), back == value &+ 2 || value == 0 else { endProcessAtOnce(status: 1) }
        value = back
    }
    // The last turn is the child's: it ends without giving it back.
    if handoff.role == .parent { _ = try handoff.yield(value &+ 1) }
    handoff.close()
    // The reading of the count is a call too.
    if counter != nil { say(zip(counts.dropFirst(), counts).map { "\($0 - $1 - 1)" }.joined(separator: " ")) }
    endProcessAtOnce(status: 7)
}

/// handoff-as USER DIRECTORY NAME ROLE: becomes that user, joins, installs the filter, and gives each value back plus 1; or says why it may not join.
@Sendable private func handoffAsUser(_ arguments: [String]) throws {
    let user = uid_t(try arguments.number(0))
    guard setgroups(0, nil) == 0, setregid(user, user) == 0, setreuid(user, user) == 0 else { throw BadArguments() }
    let directory = ObjectDirectory(at: FilePath(arguments[1]), owners: .anyone)
    let name = try ObjectName(arguments[2])
    var handoff: Handoff
    do throws(InterprocessError) {
        handoff = try Handoff.join(
            name, as: arguments[3] == "parent" ? .parent : .child, options: HandoffOptions(directory: directory))
    } catch {
        say("\(error.code)\(error.errno == .permissionDenied ? " EACCES" : "")")
        return
    }
    say("joined")
    try install()
    while let value = handoff.value { _ = try handoff.yield(value &+ 1) }
    endProcessAtOnce(status: 7)
}
