import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

/// Handoffs of processes under the filter that a handoff needs after its set-up. What else they call kills them.
@Suite("Handoff in a sandbox")
struct HandoffSandboxTests {
    let directory: TemporaryDirectory
    let report: SandboxReport

    init() throws {
        directory = try TemporaryDirectory()
        report = try SandboxReport(try Segment.create("report", size: SandboxReport.size, in: directory.objects))
    }

    private func play(
        _ role: HandoffRole, _ strategy: WaitStrategy = .adaptive, without: String = "all", refused: [String] = []
    ) throws -> PeerProcess {
        try PeerProcess("sandbox-play", [directory.path.string, "h", "\(role)", "\(strategy)", without] + refused)
    }

    private func join(_ role: HandoffRole) throws(InterprocessError) -> Handoff {
        try Handoff.join("h", as: role, options: HandoffOptions(directory: directory.objects), until: .after(watchdog))
    }

    /// One that is under no filter, and adds 1.
    private func partner(_ role: HandoffRole) throws -> PeerProcess {
        try PeerProcess("handoff-echo", [directory.path.string, "h", "\(role)"])
    }

    private static let killedByFilter = ChildProcess.Ending.signalled(SIGSYS)

    @Test("H7 thousands of turns with a filter that kills at any other call, with every way of waiting", arguments: WaitStrategy.allCases)
    func turns(strategy: WaitStrategy) async throws {
        let child = try play(.child, strategy)
        var parent = try join(.parent)
        parent.strategy = strategy
        for value in 0..<5000 as Range<UInt64> {
            let back = try parent.blockingYield(value, until: .after(watchdog))
            guard back == value + 1 else {
                throw TestFailure("\(value) brought \(String(describing: back)): \(String(describing: parent.end))")
            }
        }
        #expect(SystemCallFilter.isInstalled(inProcess: child.pid) == true)
        #expect(report[.turns] == 5000)
    }

    /// On one processor, and on two where there are so many.
    private static let processorCounts = 1...min(2, (try? Processor.allowed().count) ?? 1)

    @Test("H7 both sides under the filter, on one processor and on two", arguments: WaitStrategy.allCases, processorCounts)
    func bothSides(strategy: WaitStrategy, processors: Int) async throws {
        let allowed = try Processor.allowed()
        // A side that polls for ever beside the other on one processor comes on by time slices only.
        let rounds = strategy == .spin && processors == 1 ? 20 : 3000
        let sides = try HandoffRole.allCases.map { role in
            let processor = role == .child ? allowed[processors - 1] : allowed[0]
            return try PeerProcess(
                "handoff-turns", [directory.path.string, "h", "\(role)", "\(strategy)", "\(rounds)", "\(processor)", "sandboxed"])
        }
        for side in sides { #expect(try await side.ending() == .exited(7)) }
        // Neither may remove the name; who looks finds that nobody is there.
        #expect(try directory.names() == ["h", "report"])
        #expect(try directory.objects.status(of: "h").isOpen == false)
        #expect(try join(.parent, until: .now) == .deadline)
        #expect(try directory.names() == ["report"])
    }

    private func join(_ role: HandoffRole, until deadline: Deadline) throws -> InterprocessError.Code? {
        do throws(InterprocessError) {
            _ = try Handoff.join("h", as: role, options: HandoffOptions(directory: directory.objects), until: deadline)
            return nil
        } catch {
            return error.code
        }
    }

    @Test(
        "H7 H6 L2 L3 one under the filter is told that its partner was killed, meets the next, and its keeper repairs",
        arguments: [
            HandoffRole.parent, .child,
        ])
    func partnerKilled(role: HandoffRole) async throws {
        let sandboxed = try play(role, .park)
        for round in 1...5 as ClosedRange<UInt64> {
            let partner = try partner(role.other)
            #expect(try await partner.line().hasPrefix("joined "))
            let before = report[.turns]
            try await eventually("turns") { report[.turns] > before + 100 }
            partner.kill()
            try await eventually("the end is told") { report[.ends] == round }
            #expect(report[.deadPID] == UInt64(partner.pid))
            // Nobody else is there who could have: the dead one's slot is free again, and its death on record.
            try await eventually("repaired") {
                guard let peers = try directory.objects.status(of: "h").details?.peers else { return false }
                return peers.count == 1 && peers[0].information.pid == sandboxed.pid
            }
        }
        sandboxed.kill()
        #expect(try await sandboxed.ending() == .signalled(SIGKILL))
    }

    @Test("H7 H6 L2 when the one under the filter is killed, by whomever, the other is told", arguments: [true, false])
    func sandboxedKilled(byFilter: Bool) async throws {
        let child = try play(.child, .park)
        var parent = try join(.parent)
        #expect(try parent.blockingYield(1) == 2)
        if byFilter {
            // What the C library may try is refused; what nobody needs is deadly.
            #expect(try parent.blockingYield(SandboxOrder.openFile.rawValue, until: .after(watchdog)) == UInt64(EPERM))
            #expect(try parent.blockingYield(SandboxOrder.removeName.rawValue, until: .after(watchdog)) == nil)
        } else {
            child.kill()
            #expect(try parent.blockingYield(3, until: .after(watchdog)) == nil)
        }
        guard case .died(let notice) = parent.end else { throw TestFailure("\(String(describing: parent.end))") }
        #expect(notice.pid == child.pid)
        #expect(try await child.ending() == (byFilter ? Self.killedByFilter : .signalled(SIGKILL)))
    }

    @Test("H7 without membarrier, with the pauses that stand in for it")
    func withoutBarriers() async throws {
        let child = try play(.child, .park, refused: ["membarrier"])
        var parent = try join(.parent)
        parent.strategy = .park
        for value in 0..<1000 as Range<UInt64> { #expect(try parent.blockingYield(value, until: .after(watchdog)) == value + 1) }
        parent.close()
        let other = try partner(.parent)
        try await eventually("turns") { report[.turns] > 1100 }
        other.kill()
        try await eventually("the end is told") { report[.ends] == 2 && report[.deadPID] == UInt64(other.pid) }
        _ = child
    }

    @Test("H7 P1 a task on the library's executor, without blocking")
    func async() async throws {
        let child = try PeerProcess("sandbox-async", [directory.path.string, "h", "child"])
        var parent = try join(.parent)
        for value in 0..<3000 as Range<UInt64> { #expect(try parent.blockingYield(value, until: .after(watchdog)) == value + 1) }
        #expect(SystemCallFilter.isInstalled(inProcess: child.pid) == true)
        parent.close()
        #expect(try await child.ending() == .exited(7))
        #expect(report[.turns] == 3000)
    }

    @Test(
        "H1 H7 L2 the file's permissions decide which users take part; one of another user, under the filter, is played with and its death told",
        .enabled(if: Privilege.isRoot, "only root can become another user"))
    func otherUser() async throws {
        unsafe #expect(chmod(directory.path.string, 0o755) == 0)
        let objects = ObjectDirectory(at: directory.path, owners: .anyone)
        func start(_ name: String) throws -> PeerProcess { try PeerProcess("handoff-as", ["1", directory.path.string, name, "child"]) }
        func options(_ permissions: FilePermissions) -> HandoffOptions { HandoffOptions(directory: objects, permissions: permissions) }
        // Somebody has the name: one that nobody else may open, and one that all may.
        let own = try PeerProcess("handoff-echo", [directory.path.string, "h", "parent"])
        try await eventually("the name") { try directory.names().contains("h") }
        try await start("h").expect("system EACCES")
        let everybody: FilePermissions = [.ownerReadWrite, .otherReadWrite]
        // Kept until somebody comes, so that it is there before the other user does.
        var kept = options(everybody)
        kept.lifetime = .untilRemoved
        #expect(later(until: .after(.milliseconds(1)), "all", kept) == .deadline)
        let child = try start("all")
        var parent = try Handoff.join("all", as: .parent, options: kept, until: .after(watchdog))
        for value in 0..<1000 as Range<UInt64> { #expect(try parent.blockingYield(value, until: .after(watchdog)) == value + 1) }
        try await child.expect("joined")
        #expect(parent.partner?.userID == 1)
        #expect(SystemCallFilter.isInstalled(inProcess: child.pid) == true)
        child.kill()
        #expect(try parent.blockingYield(1, until: .after(watchdog)) == nil)
        guard case .died(let notice) = parent.end else { throw TestFailure("\(String(describing: parent.end))") }
        #expect(notice.pid == child.pid)
        own.kill()
    }

    /// Why nobody is met before the deadline.
    private func later(until deadline: Deadline, _ name: ObjectName, _ options: HandoffOptions) -> InterprocessError.Code? {
        do throws(InterprocessError) {
            _ = try Handoff.join(name, as: .parent, options: options, until: deadline)
            return nil
        } catch {
            return error.code
        }
    }

    /// Those that this machine's C library makes only where the vDSO or rseq is not to be had, and the one that stands in for membarrier.
    private static let insteadOfOthers = ["clock_gettime", "getcpu", "clock_nanosleep"]

    @Test(
        "H7 every call of the filter is needed: without it the process is killed", arguments: Handoff.systemCallsAfterSetUp.map(\.call.name)
    )
    func needed(call: String) async throws {
        let withoutBarriers = call == "clock_nanosleep"
        let survives = Self.insteadOfOthers.contains(call) && !withoutBarriers
        let expected = survives ? .exited(7) : Self.killedByFilter
        let (ending, _) = try await Self.everything(without: call, refused: withoutBarriers ? ["membarrier"] : [], expecting: expected)
        #expect(ending == expected)
    }

    @Test("H7 nothing that a handoff does needs any other call") func everythingAllowed() async throws {
        let (ending, fixture) = try await Self.everything(without: "all", refused: [], expecting: .exited(7))
        #expect(ending == .exited(7))
        #expect(fixture.report[.hasClosed] == 1)
        // The other, under no filter, left last, and the lock was given back.
        #expect(try fixture.directory.names() == ["report"])
    }

    /// Up to three times, each in a place of its own: on a busy machine a wait may come to its deadline, and a yield may be left out since it costs too much.
    private static func everything(
        without call: String, refused: [String], expecting expected: ChildProcess.Ending
    ) async throws -> (ChildProcess.Ending, HandoffSandboxTests) {
        var result: (ChildProcess.Ending, HandoffSandboxTests)
        var attempts = 0
        repeat {
            let fixture = try HandoffSandboxTests()
            result = (try await fixture.everything(without: call, refused: refused), fixture)
            attempts += 1
        } while result.0 != expected && attempts < 3
        return result
    }

    /// All that may happen to a process under the filter, up to its end.
    private func everything(without call: String, refused: [String]) async throws -> ChildProcess.Ending {
        let child = try onOneProcessor { () throws -> PeerProcess in
            let child = try play(.child, .adaptive, without: call, refused: refused)
            guard var parent = try? join(.parent) else { return child }
            for order in [.allocate, .lock] as [SandboxOrder] {
                guard try parent.blockingYield(order.rawValue, until: .after(watchdog)) == 0 else { return child }
            }
            for value in 0..<200 as Range<UInt64> {
                // Longer than it polls: it sleeps.
                sleepThread(for: .microseconds(100))
                guard try parent.blockingYield(value, until: .after(watchdog)) == value + 1 else { return child }
            }
            return child
        }
        // It meets the next one; while it waits for it, with a deadline, it is stopped for a while.
        try await eventually("it waits, or is dead") {
            let state = Self.state(of: child.pid)
            return report[.ends] == 1 && state.hasPrefix("S") || ["Z", ""].contains(state.prefix(1))
        }
        child.signal(Signal.stop)
        try await eventually("stopped, or dead") { ["T", "Z", ""].contains(Self.state(of: child.pid).prefix(1)) }
        child.signal(Signal.continue)
        try await eventually("going on, or dead") { ["S", "Z", ""].contains(Self.state(of: child.pid).prefix(1)) }
        if Self.state(of: child.pid).hasPrefix("S") {
            let other = try partner(.parent)
            try await eventually("turns, or the end") { report[.turns] > 300 || Self.state(of: child.pid).hasPrefix("Z") }
            other.kill()
            _ = try await other.ending()
            try await eventually("told, or dead") { report[.ends] == 2 || Self.state(of: child.pid).hasPrefix("Z") }
        }
        if !Self.state(of: child.pid).hasPrefix("Z") {
            var parent = try join(.parent)
            child.signal(SIGUSR1)
            while let count = try parent.blockingYield(SandboxOrder.countSignals.rawValue, until: .after(watchdog)), count == 0 {}
            let last = try parent.blockingYield(SandboxOrder.leave.rawValue, until: .after(watchdog))
            #expect(last == nil)
            try await eventually("closed, or dead") { report[.hasClosed] == 1 || Self.state(of: child.pid).hasPrefix("Z") }
        }
        report[.mayExit] = 1
        return try await child.ending()
    }

    /// This thread, and the processes that it starts.
    private func onOneProcessor<R>(_ body: () throws -> R) throws -> R {
        let allowed = try Processor.allowed()
        try Processor.pin(to: [allowed[0]])
        defer { try? Processor.pin(to: allowed) }
        return try body()
    }

    /// The letter of `/proc/PID/stat`; nothing if there is no such process.
    static func state(of pid: Int32) -> Substring {
        guard let file = try? FileDescriptor.open(FilePath("/proc/\(pid)/stat"), .readOnly, options: .closeOnExec) else { return "" }
        defer { try? file.close() }
        var bytes = [UInt8](repeating: 0, count: 512)
        let count = (unsafe try? bytes.withUnsafeMutableBytes { unsafe try file.read(into: $0) }) ?? 0
        let text = String(decoding: bytes[..<count], as: UTF8.self)
        return text.lastIndex(of: ")").map { text[$0...].dropFirst(2) } ?? ""
    }
}

/// In an asynchronous test the plain names mean the asynchronous forms.
extension Handoff {
    fileprivate mutating func blockingYield(_ value: UInt64 = 0, until deadline: Deadline = .never) throws(HandoffError) -> UInt64? {
        try self.yield(value, until: deadline)
    }
}
