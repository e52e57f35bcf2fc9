import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

@Suite("Handoff")
struct HandoffTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    var options: HandoffOptions { HandoffOptions(directory: directory.objects) }

    func start(_ command: String, _ role: HandoffRole, _ more: [String] = []) throws -> PeerProcess {
        try PeerProcess(command, [directory.path.string, "h", "\(role)"] + more)
    }

    func join(_ role: HandoffRole, _ deadline: Deadline = .after(watchdog)) throws(InterprocessError) -> Handoff {
        try Handoff.join("h", as: role, options: options, until: deadline)
    }

    func joinFailure(_ role: HandoffRole, _ deadline: Deadline) -> InterprocessError.Code? {
        do throws(InterprocessError) {
            _ = try join(role, deadline)
            return nil
        } catch {
            return error.code
        }
    }

    func failure(_ body: () throws(HandoffError) -> Void) -> HandoffError? {
        do throws(HandoffError) {
            try body()
            return nil
        } catch {
            return error
        }
    }

    @Test("H1 a handoff is a name in the file system, whose permissions are those that were asked for")
    func permissions() async throws {
        let child = try start("handoff-echo", .child)
        var shared = options
        shared.permissions = [.ownerReadWrite, .groupReadWrite]
        let status = try await eventuallyStatus(joinedBy: child.pid)
        #expect(status.permissions == .ownerReadWrite && status.details?.header.kind == .handoff)
        var handoff = try join(.parent)
        #expect(try handoff.blockingYield(1) == 2)
        handoff.close()
        #expect(try await child.line().hasPrefix("joined "))
        _ = try await child.ending()
        #expect(try directory.names() == [])
        #expect(throws: InterprocessError.self) { _ = try Handoff.join("h", as: .parent, options: shared, until: .after(.milliseconds(1))) }
    }

    /// Its maker joins when the name is there already.
    private func eventuallyStatus(joinedBy pid: Int32) async throws -> ObjectStatus {
        try await eventually("the name, and who has made it") {
            try directory.names() == ["h"] && directory.objects.status(of: "h").details?.peers.first?.information.pid == pid
        }
        return try directory.objects.status(of: "h")
    }

    @Test("H2 a third process gets busy, whichever side it asks for, and the pair goes on")
    func third() async throws {
        let child = try start("handoff-echo", .child)
        var parent = try join(.parent)
        #expect(try parent.blockingYield(1) == 2)
        for role in HandoffRole.allCases { #expect(joinFailure(role, .after(watchdog)) == .busy) }
        #expect(try parent.blockingYield(5) == 6)
        #expect(parent.partner?.pid == child.pid)
        parent.close()
    }

    @Test("H3 joining blocks until both are there; without a partner, until the deadline")
    func meeting() async throws {
        #expect(joinFailure(.parent, .after(.milliseconds(5))) == .deadline)
        #expect(joinFailure(.child, .now) == .deadline)
        let child = try start("handoff-echo", .child)
        try await eventually("the child waits") { (try? directory.objects.status(of: "h").details?.peers.count) == 1 }
        #expect(try child.takeLine() == nil)
        var parent = try join(.parent)
        #expect(parent.value == 0)
        // The child's joining returns with the first turn.
        #expect(try child.takeLine() == nil)
        #expect(try parent.blockingYield(41) == 42)
        #expect(try await child.line().hasPrefix("joined "))
        parent.close()
        try await child.expect("ended closed 1")
    }

    @Test("H3 a wrong pair of roles is an error on both sides", arguments: HandoffRole.allCases)
    func clash(role: HandoffRole) async throws {
        let first = try start("handoff-echo", role)
        try await eventually("it waits") { (try? directory.objects.status(of: "h").details?.peers.count) == 1 }
        #expect(joinFailure(role, .after(watchdog)) == .clash)
        try await first.expect("error clash")
        // A right pair is possible again.
        let second = try start("handoff-echo", role.other)
        var handoff = try join(role)
        #expect(try handoff.blockingYield(1) == 2)
        handoff.close()
        _ = try await second.ending()
    }

    @Test("H4 only one of the two runs at any time", arguments: [20_000])
    func alternation(rounds: Int) async throws {
        let segment = try Segment.create("count", size: 8, in: directory.objects)
        let child = try start("handoff-count", .child, ["\(rounds)"])
        var parent = try join(.parent)
        for round in 0..<rounds {
            unsafe segment.withBytes { bytes in
                let word = unsafe bytes.bindMemory(to: UInt64.self)
                let before = unsafe word[0]
                for _ in 0..<(round % 30) { Processor.pause() }
                unsafe word[0] = before + 1
            }
            if try parent.blockingYield() == nil { break }
        }
        parent.close()
        try await child.expect("done")
        unsafe segment.withBytes { bytes in
            #expect(unsafe bytes.load(as: UInt64.self) >= 2 * rounds - 1)
        }
    }

    @Test("H5 a 64-bit value goes with each turn, with every way of waiting", arguments: WaitStrategy.allCases)
    func values(strategy: WaitStrategy) async throws {
        let child = try start("handoff-echo", .child)
        var parent = try join(.parent)
        parent.strategy = strategy
        for bit in 0..<64 {
            let value = UInt64(1) << bit
            #expect(try parent.blockingYield(value, until: .after(watchdog)) == value + 1)
        }
        #expect(try parent.blockingYield(.max - 1) == .max)
        parent.close()
        #expect(try await child.line().hasPrefix("joined "))
        try await child.expect("ended closed 65")
    }

    @Test(
        "H6 L2 when the other side ends, in whatever way, the pending and every later yield say so",
        arguments: ["close", "exit", "kill", "exec", "exec from another thread"])
    func ends(how: String) async throws {
        let child = try start("handoff-end", .child, [how])
        var parent = try join(.parent)
        #expect(try parent.tryYield(7) != .ended)
        try await child.expect("turn 7")
        #expect(try parent.tryTurn() == .pending)
        try child.send("end")
        #expect(try parent.blockingAwait(until: .after(watchdog)) == nil)
        switch parent.end {
        case .closed: #expect(how == "close")
        case .died(let notice): #expect(how != "close" && notice.pid == child.pid && notice.held == .handoff)
        case nil: Issue.record("no end")
        }
        #expect(try parent.blockingYield(1) == nil && parent.tryYield(2) == .ended && parent.value == nil)
    }

    @Test("H8 L2 a descriptor that a forked child keeps delays no notice")
    func forkedDescriptor() async throws {
        let child = try start("handoff-end", .child, ["fork and kill"])
        var parent = try join(.parent)
        #expect(try parent.tryYield(7) != .ended)
        try await child.expect("turn 7")
        try child.send("end")
        #expect(try parent.blockingAwait(until: .after(watchdog)) == nil)
        guard case .died = parent.end else { throw TestFailure("\(String(describing: parent.end))") }
        let line = try await child.line()
        kill(Int32(line.split(separator: " ")[1]) ?? 0, SIGKILL)
    }

    @Test("H6 a turn that was given counts before its giver's end")
    func givenBeforeEnd() async throws {
        let child = try start("handoff-echo", .child)
        var parent = try join(.parent)
        #expect(try parent.blockingYield(1) == 2)
        #expect(try parent.tryYield(3) != .ended)
        try await eventually("the turn is back") { Turn(word: parent.words.turn.loadAcquire()).holder == .parent }
        child.kill()
        _ = try await child.ending()
        #expect(try parent.blockingAwait() == 4)
        #expect(try parent.blockingYield(5) == nil)
        parent.close()
    }

    @Test("H8 after one side has left, either side can meet a new one")
    func reconnecting() async throws {
        var parent: Handoff?
        for round in 0..<20 as Range<UInt64> {
            let child = try start(round % 2 == 0 ? "handoff-end" : "handoff-echo", .child, round % 2 == 0 ? ["kill"] : [])
            if parent == nil {
                parent = try join(.parent)
            } else {
                try parent?.rejoin(until: .after(watchdog))
            }
            #expect(parent?.value == 0)
            if round % 2 == 0 {
                _ = try parent?.tryYield(round)
                try await child.expect("turn \(round)")
                try child.send("die")
                #expect(try parent?.blockingAwait(until: .after(watchdog)) == nil)
            } else {
                let back = try parent?.blockingYield(round, until: .after(watchdog))
                #expect(back == round + 1)
                // The parent leaves first: the child's waiting is told, and a new one comes.
                parent = nil
                #expect(try await child.line().hasPrefix("joined"))
                try await child.expect("ended closed 1")
                #expect(try await child.ending() == .exited(0))
            }
        }
        parent = nil
        #expect(try directory.names() == [])
    }

    @Test("H8 signals never give the turn away, and end no wait")
    func signals() async throws {
        let child = try start("handoff-signals", .child)
        var parent = try join(.parent)
        parent.strategy = .park
        var value: UInt64 = 0
        for _ in 0..<3000 {
            let back = try parent.blockingYield(value, until: .after(watchdog))
            #expect(back == value + 1)
            value = back ?? 0
            // Long enough for signals to meet the sleeping child.
            if value % 100 == 0 { sleepThread(for: .milliseconds(1)) }
        }
        parent.close()
        try await child.expect("turns 3000")
    }

    @Test("H8 deadlines, trying, and giving what one does not have")
    func trying() async throws {
        let child = try start("handoff-end", .child, ["kill"])
        var parent = try join(.parent)
        #expect(try parent.tryTurn() == .turn(0))
        let late = failure { () throws(HandoffError) in _ = try parent.blockingYield(1, until: .after(.milliseconds(2))) }
        #expect(late == .deadline && parent.value == nil)
        try await child.expect("turn 1")
        let twice = failure { () throws(HandoffError) in _ = try parent.blockingYield(2) }
        #expect(twice == .notYourTurn)
        #expect(try parent.tryTurn() == .pending)
        try child.send("end")
        #expect(try parent.blockingAwait() == nil)
        // No pair, no turn: also the old one is not had again.
        #expect(throws: InterprocessError.self) { try parent.rejoin(until: .now) }
        #expect(failure { () throws(HandoffError) in _ = try parent.blockingYield(3) } == .unpaired)
        #expect(failure { () throws(HandoffError) in _ = try parent.tryTurn() } == .unpaired)
        let echo = try start("handoff-echo", .child)
        try parent.rejoin(until: .after(watchdog))
        #expect(try parent.blockingYield(4) == 5)
        parent.close()
        _ = try await echo.ending()
    }

    @Test("H8 P1 yielding without blocking a thread; a cancelled wait returns at once, and can be gone on with")
    func async() async throws {
        let child = try start("handoff-echo", .child)
        var parent = try join(.parent)
        for value in 0..<500 as Range<UInt64> {
            let back = try await parent.yield(value)
            #expect(back == value + 1)
        }
        parent.close()
        #expect(try await child.line().hasPrefix("joined "))
        let other = try start("handoff-end", .child, ["kill"])
        let options = options
        let task = Task {
            var parent = try Handoff.join("h", as: .parent, options: options, until: .after(watchdog))
            do {
                _ = try await parent.yield(1)
            } catch let error as HandoffError {
                // The other side still has the turn: it comes later.
                return (error as HandoffError?, try parent.blockingAwait(until: .after(watchdog)))
            }
            return (nil as HandoffError?, nil as UInt64?)
        }
        try await other.expect("turn 1")
        task.cancel()
        try await eventually("cancelled") { task.isCancelled }
        try other.send("end")
        let result = try await task.value
        #expect(result.0 == .cancelled && result.1 == nil)
    }

    @Test("X1 a scribbled turn is an error that names the field")
    func scribbled() async throws {
        let child = try start("handoff-end", .child, ["kill"])
        var parent = try join(.parent)
        _ = try parent.tryYield(1)
        try await child.expect("turn 1")
        let word = parent.words.turn.loadAcquire()
        parent.words.turn.storeRelease(0xdead_beef)
        #expect(failure { () throws(HandoffError) in _ = try parent.blockingAwait() } == .damaged("turn"))
        parent.words.turn.storeRelease(word)
        try child.send("end")
        #expect(try parent.blockingAwait() == nil)
    }
}

/// In an asynchronous test the plain names mean the asynchronous forms.
extension Handoff {
    fileprivate mutating func blockingYield(_ value: UInt64 = 0, until deadline: Deadline = .never) throws(HandoffError) -> UInt64? {
        try self.yield(value, until: deadline)
    }

    fileprivate mutating func blockingAwait(until deadline: Deadline = .never) throws(HandoffError) -> UInt64? {
        try awaitTurn(until: deadline)
    }
}
