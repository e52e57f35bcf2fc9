import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

extension HandoffCallTests {
    /// Kills the process when it says that it holds the call.
    private func killWhenHolding(_ server: PeerProcess) throws {
        try startServiceThread(named: "killer") { [server = Unchecked(server)] in
            while (try? server.value.takeLine()) != "holding" { sleepThread(for: .microseconds(200)) }
            server.value.kill()
        }
    }

    private struct Unchecked: @unchecked Sendable {
        let value: PeerProcess
        init(_ value: PeerProcess) { self.value = value }
    }

    @Test("H9 L2 who performs a method is killed in it: the caller is told, and what was written stays", arguments: HandoffRole.allCases)
    func calleeKilled(role: HandoffRole) throws {
        let server = try start("call-serve", role.other)
        var side = try join(role)
        let numbers = try side.allocate(repeating: Int64(1), count: 100)
        try killWhenHolding(server)
        let error = #expect(throws: HandoffCallError.self) { try side.call(Hold.self, numbers, until: .after(watchdog)) }
        guard case .ended(.died(let notice))? = error else { throw TestFailure("\(String(describing: error))") }
        #expect(notice.pid == server.pid && notice.held == .handoff)
        #expect(try side.span(of: numbers)[0] == 77)
        // Every later call says so too.
        #expect(throws: HandoffCallError.ended(.died(notice))) { try side.call(Add.self, Add.Arguments(1, 2)) }
        #expect(throws: HandoffCallError.ended(.died(notice))) { try side.allocate(repeating: Int64(1), count: 1) }
        #expect(try side.awaitCall() == nil)
        #expect(try side.serve { _, _ in } == .died(notice))
        try meetAnew(&side, role)
    }

    /// The next pair begins with no arrays, on both sides.
    private func meetAnew(_ side: inout Handoff, _ role: HandoffRole) throws {
        let next = try start("call-serve", role.other)
        try withExtendedLifetime(next) {
            try side.rejoin(until: .after(watchdog))
            #expect(side.calls.used == 0 && side.calls.depth == 0)
            // As much as there is, for one side and then for the other.
            let mark = side.mark
            let all = try side.allocate(repeating: Int64(2), count: Self.dataSize / 8)
            #expect(try side.call(Doubling.self, all) == Int64(Self.dataSize / 4))
            side.release(to: mark)
            #expect(try side.call(Allocate.self, Int64(Self.dataSize)) == 0)
        }
    }

    @Test("H9 L2 a caller is killed while its method runs: the answer has nobody, and the serving ends", arguments: HandoffRole.allCases)
    func callerKilled(role: HandoffRole) throws {
        let caller = try start("call-make", role.other, ["hold"])
        var side = try join(role)
        let end = try side.serve(until: .after(watchdog)) { side, method in
            #expect(method == Hold.id)
            try side.answer(Hold.self) { side, numbers in
                let count = try side.span(of: numbers).count
                #expect(count == 10)
                caller.kill()
                return NoValue()
            }
        }
        guard case .died(let notice)? = end else { throw TestFailure("\(String(describing: end))") }
        #expect(notice.pid == caller.pid)
        try meetAnew(&side, role)
    }

    @Test("H9 L2 a caller is killed while its method calls it back", arguments: HandoffRole.allCases)
    func callerKilledInCallBack(role: HandoffRole) throws {
        let caller = try start("call-make", role.other, ["solve"])
        var side = try join(role)
        var hasEnded = false
        let end = try side.serve(until: .after(watchdog)) { side, method in
            #expect(method == Solve.id)
            try side.answer(Solve.self) { side, numbers in
                let first = try side.call(Query.self, 1)
                #expect(first == 100)
                caller.kill()
                do {
                    while true { _ = try side.call(Query.self, 2) }
                } catch HandoffCallError.ended(.died(let notice)) {
                    hasEnded = notice.pid == caller.pid
                    throw HandoffCallError.ended(.died(notice))
                }
            }
        }
        guard case .died(let notice)? = end else { throw TestFailure("\(String(describing: end))") }
        #expect(notice.pid == caller.pid && hasEnded)
        try meetAnew(&side, role)
    }

    @Test("H9 a forked child is detached from its parent's calls and arrays, and does not touch them")
    func fork() async throws {
        let forked = try start("call-fork", .child)
        var parent = try join(.parent)
        try await serveOne(&parent)
        #expect(try await forked.line() == "call detached, array detached, span detached")
        #expect(try await forked.line() == "sum 3")
    }

    private func serveOne(_ side: inout Handoff) async throws {
        guard try await side.awaitCall(until: .after(watchdog)) == Add.id else { throw TestFailure("no call") }
        try side.answer(Add.self) { $1.a + $1.b }
        #expect(side.calls.depth == 0)
    }

    @Test("H9 L2 who performs is killed at random moments of call after call, again and again", arguments: HandoffRole.allCases)
    func storm(role: HandoffRole) throws {
        var random = SeededRandom(for: "storm of calls, \(role)")
        let server = try PeerServer()
        let watch = try HangWatch("storm of calls, \(role)")
        defer { watch.end() }
        var handoff: Handoff?
        var count = 0
        for round in 0..<max(1, Self.kills / 2) {
            watch.step("round \(round)")
            let pid = try server.start(["call-storm", directory.path.string, "h", "\(role.other)", "\(Self.dataSize)"])
            if handoff == nil { handoff = try join(role) } else { try handoff?.rejoin(until: .after(watchdog)) }
            // On a busy machine none may come to its first call within this.
            let longest = count == 0 ? 1500 * (round + 1) : 1500
            let delay = Duration.microseconds(Int.random(in: 0...longest, using: &random))
            let isDone = Latch(2)
            try startServiceThread(named: "killer") {
                sleepThread(for: delay)
                try? server.kill(pid)
                isDone.countDownAndWait()
            }
            defer { isDone.countDownAndWait() }
            do {
                while true { count += try handoff?.callAll() ?? 0 }
            } catch HandoffCallError.ended(.died(let notice)) {
                guard notice.pid == pid else { throw TestFailure("the end of \(pid) is told as that of \(notice.pid)") }
            }
        }
        handoff = nil
        print("storm of calls: \(count) calls")
        #expect(count > 0)
        #expect(try directory.names() == [])
    }

    /// `IPC_HANDOFF_KILLS=5000` for the long form; `IPC_SEED` repeats one.
    static let kills = SeededRandom.setting("IPC_HANDOFF_KILLS", default: 120)
}

extension Handoff {
    /// A call of each sort; everything that comes back must be right. Returns how many.
    fileprivate mutating func callAll() throws -> Int {
        let mark = mark
        guard try call(Add.self, Add.Arguments(20, 22)) == 42 else { throw TestFailure("a wrong sum") }
        let numbers = try allocate(repeating: Int64(3), count: 8)
        guard try call(Doubling.self, numbers) == 24, try span(of: numbers)[7] == 6 else { throw TestFailure("not doubled") }
        let sum = try call(Solve.self, numbers) { side, _ in try side.answer(Query.self) { Int64($1) } }
        guard sum == 28, try span(of: numbers)[7] == 7 else { throw TestFailure("not solved") }
        release(to: mark)
        return 3
    }
}
