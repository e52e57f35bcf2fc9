import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

/// Partners that end and are followed by others, that never come, that are stopped, and that live in another pid namespace.
@Suite("Handoff, partners")
struct HandoffPartnerTests {
    let scene: HandoffTests
    init() throws { scene = try HandoffTests() }

    /// A turn that a child has when it ends.
    private func giveTurn(_ parent: inout Handoff, to child: PeerProcess) async throws {
        _ = try parent.tryYield(7)
        try await child.expect("turn 7")
    }

    @Test(
        "H6 H8 the notice names who has died, and nobody else, however many have come to its side since", arguments: 0..<3)
    func replaced(others: Int) async throws {
        // One that died earlier is not to be named either.
        let earlier = try scene.start("handoff-end", .child, ["kill"])
        var parent = try scene.join(.parent)
        try await giveTurn(&parent, to: earlier)
        try earlier.send("end")
        #expect(try parent.waitForTurn() == nil)
        let child = try scene.start("handoff-end", .child, ["kill"])
        try parent.rejoin(until: .after(watchdog))
        try await giveTurn(&parent, to: child)
        let side = parent.side
        let first = side.other.current.session
        try child.send("end")
        _ = try await child.ending()
        // Each comes in vain, and leaves in order; the last one is there still.
        for _ in 0..<others { #expect(scene.joinFailure(.child, .now) == .deadline) }
        let next = try scene.start("handoff-echo", .child)
        try await eventually("the next child is there") { side.other.current.session == first + UInt32(others) + 1 }
        #expect(try parent.waitForTurn() == nil)
        guard case .died(let notice) = parent.end else { throw TestFailure("\(String(describing: parent.end))") }
        #expect(notice.pid == child.pid && notice.program == "TestPeer" && notice.held.contains(.handoff))
        try parent.rejoin(until: .after(watchdog))
        #expect(try parent.giveAndWait(1) == 2)
        parent.close()
        _ = try await next.ending()
    }

    @Test("H6 H8 of who closed it is said that it closed, however many have come to its side since", arguments: 1..<4)
    func replacedInOrder(others: Int) async throws {
        let child = try scene.start("handoff-end", .child, ["close"])
        var parent = try scene.join(.parent)
        try await giveTurn(&parent, to: child)
        try child.send("end")
        try await child.expect("closed")
        for _ in 0..<others { #expect(scene.joinFailure(.child, .now) == .deadline) }
        #expect(try parent.waitForTurn() == nil && parent.end == .closed)
        parent.close()
    }

    @Test("H3 H8 who has given up meeting anew is met by nobody, and can try again")
    func rejoinInVain() async throws {
        let parent = try scene.start("handoff-echo", .parent)
        var child = try scene.join(.child)
        parent.kill()
        _ = try await parent.ending()
        #expect(try child.giveAndWait(1) == nil)
        for _ in 0..<2 {
            do throws(InterprocessError) {
                try child.rejoin(until: .now)
                Issue.record("it has met somebody")
            } catch { #expect(error.code == .deadline) }
            #expect(scene.joinFailure(.parent, .after(.milliseconds(5))) == .deadline)
        }
        let other = try scene.start("handoff-echo", .parent)
        try child.rejoin(until: .after(watchdog))
        #expect(child.value == 1)
        #expect(try child.giveAndWait(5) == 6)
        child.close()
        _ = try await other.ending()
    }

    @Test("H3 a child that gets no turn from a parent that is there is told that, and not that nobody came")
    func noFirstTurn() throws {
        let kept = KeptHandoff()
        let scene = scene
        let thread = try TestThread { kept.handoff = try scene.join(.parent) }
        do throws(InterprocessError) {
            _ = try scene.join(.child, .after(.milliseconds(50)))
            Issue.record("it has got a turn")
        } catch {
            #expect(error.code == .deadline)
            #expect("\(error)".contains("its parent came and did not give its first turn before the deadline"), "\(error)")
        }
        try thread.join()
        #expect(try kept.handoff?.giveAndWait() == nil)
        #expect(kept.handoff?.end == .closed)
    }

    @Test("H8 L4 a partner that is stopped with the turn keeps it: deadlines let the other go, and the turn comes when it goes on")
    func stopped() async throws {
        let child = try scene.start("handoff-echo", .child)
        var parent = try scene.join(.parent)
        #expect(try parent.giveAndWait(1) == 2)
        child.signal(Signal.stop)
        try await eventually("it is stopped") { HandoffSandboxTests.state(of: child.pid).hasPrefix("T") }
        let given = scene.failure { () throws(HandoffError) in _ = try parent.giveAndWait(3, .after(.milliseconds(5))) }
        let waited = scene.failure { () throws(HandoffError) in _ = try parent.waitForTurn(.after(.milliseconds(5))) }
        #expect(given == .deadline && waited == .deadline && parent.end == nil)
        child.signal(Signal.continue)
        #expect(try parent.waitForTurn() == 4)
        parent.close()
        _ = try await child.ending()
    }

    @Test("H6 a thread that ends with the turn leaves it to its process, which goes on")
    func threadEnds() async throws {
        let child = try scene.start("handoff-echo", .child)
        let kept = KeptHandoff()
        let scene = scene
        try TestThread {
            kept.handoff = try scene.join(.parent)
            _ = try kept.handoff?.giveAndWait(1)
        }.join()
        #expect(kept.handoff?.value == 2)
        let back = try TestThread { try kept.handoff?.giveAndWait(5) }.join()
        #expect(back == 6 && kept.handoff?.end == nil)
        kept.handoff = nil
        #expect(try await child.line().hasPrefix("joined "))
        try await child.expect("ended closed 2")
    }

    @Test(
        "H6 L2 a partner in another pid namespace: turns, and a death told with the pid that it had in its own",
        .enabled(if: Privilege.canUnshare(["--pid", "--fork"]), "needs a pid namespace"))
    func namespace() async throws {
        let child = try PeerProcess(
            "handoff-echo", [scene.directory.path.string, "h", "child"],
            wrapper: ["/usr/bin/unshare", "--pid", "--fork", "--kill-child"])
        var parent = try scene.join(.parent)
        for value in 0..<100 as Range<UInt64> { #expect(try parent.giveAndWait(value) == value + 1) }
        // By way of the program that made the namespace: the first process of one cannot kill itself.
        child.kill()
        while try parent.giveAndWait(1) != nil {}
        guard case .died(let notice) = parent.end else { throw TestFailure("\(String(describing: parent.end))") }
        #expect(notice.pid == 1 && notice.program == "TestPeer")
        parent.close()
    }
}

/// For threads, and for closures that take no noncopyable values.
private final class KeptHandoff: @unchecked Sendable {
    var handoff: Handoff?
}

/// In an asynchronous test the plain names mean the asynchronous forms.
extension Handoff {
    fileprivate mutating func giveAndWait(_ value: UInt64 = 0, _ deadline: Deadline = .after(watchdog)) throws(HandoffError) -> UInt64? {
        try self.yield(value, until: deadline)
    }

    fileprivate mutating func waitForTurn(_ deadline: Deadline = .after(watchdog)) throws(HandoffError) -> UInt64? {
        try awaitTurn(until: deadline)
    }
}
