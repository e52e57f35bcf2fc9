import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

extension HandoffTests {
    /// `IPC_HANDOFF_KILLS=5000` for the long form; `IPC_SEED` repeats one.
    static let kills = SeededRandom.setting("IPC_HANDOFF_KILLS", default: 120)

    @Test(
        "H6 H8 L2 L3 the other side is killed at random moments, again and again: each turn comes back or the end is told, and a new one is met",
        arguments: HandoffRole.allCases, [WaitStrategy.adaptive, .park])
    func storm(victim: HandoffRole, strategy: WaitStrategy) throws {
        var random = SeededRandom(for: "storm of handoffs, victim \(victim), \(strategy)")
        let server = try PeerServer()
        let arguments = ["handoff-storm", directory.path.string, "h", "\(victim)", "\(strategy)"]
        let watch = try HangWatch("storm of handoffs, victim \(victim), \(strategy)")
        defer { watch.end() }
        var handoff: Handoff?
        var turns = 0
        for round in 0..<max(1, Self.kills / 4) {
            watch.step("round \(round)")
            let pid = try server.start(arguments)
            if handoff == nil {
                handoff = try join(victim.other)
            } else {
                try handoff?.rejoin(until: .after(watchdog))
            }
            let delay = Duration.microseconds(Int.random(in: 0...1500, using: &random))
            try withThread("killer") {
                sleepThread(for: delay)
                try? server.kill(pid)
            } while: {
                handoff?.strategy = strategy
                var value = handoff?.value ?? 0
                while let back = try handoff?.yield(value &+ 1, until: .after(watchdog)) {
                    guard back == value &+ 2 else { throw TestFailure("\(value &+ 1) was given, and \(back) came back") }
                    value = back
                    turns += 1
                }
                // The one that was killed, and no other.
                guard case .died(let notice) = handoff?.end, notice.pid == pid else {
                    throw TestFailure("the end of \(pid) is told as \(String(describing: handoff?.end))")
                }
            }
        }
        handoff = nil
        print("storm of handoffs: \(turns) turns")
        #expect(turns > 0)
        #expect(try directory.names() == [])
    }

    /// Runs `side` on a thread of its own while `body` runs here; ends when both have.
    private func withThread(_ name: String, _ side: @escaping @Sendable () -> Void, while body: () throws -> Void) throws {
        let isDone = Latch(2)
        try startServiceThread(named: name) {
            side()
            isDone.countDownAndWait()
        }
        defer { isDone.countDownAndWait() }
        try body()
    }
}
