import InterprocessSystem
import QueueTestSupport
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

/// Eight processes that change an arena all the time, of which one after the other is killed at a random moment and started anew; then they are told to stop. How many kills: `IPC_STORM_KILLS`.
final class ArenaStorm {
    let scene: ArenaScene
    let arena: SharedArena
    let kills = SeededRandom.setting("IPC_STORM_KILLS", default: 300)
    private let command: String
    private let record: QueueRecord
    private let server: PeerServer
    private let watch: HangWatch
    private var random: SeededRandom
    private var pids: [Int32] = []

    /// - Parameters:
    ///   - name: for the seed, and for who reads of a hang.
    ///   - command: the test peer's; it is given the directory, a seed, and the number of its place, 0 to 7.
    init(_ name: String, _ command: String) throws {
        self.command = command
        random = SeededRandom(for: name)
        server = try PeerServer()
        scene = try ArenaScene()
        record = try QueueRecord.create(in: scene.directory.objects)
        arena = try scene.open()
        // The last: whoever throws here has no deinitialiser, and the watch would end the run of all tests.
        watch = try HangWatch(name)
    }

    deinit { watch.end() }

    /// Starts them, and kills.
    ///
    /// - Parameter afterKill: is given the place of who is dead now; the next one there is not started yet.
    func run(afterKill: (_ place: Int) -> Void = { _ in }) throws {
        pids = try (0..<8).map { try start($0) }
        for kill in 0..<kills {
            watch.step("kill \(kill)")
            if Int.random(in: 0..<4, using: &random) > 0 { sleepThread(for: .microseconds(Int.random(in: 0...3000, using: &random))) }
            let victim = Int.random(in: 0..<pids.count, using: &random)
            try server.kill(pids[victim])
            if let failure = record.failure { throw TestFailure("after \(kill) kills: \(failure)") }
            afterKill(victim)
            pids[victim] = try start(victim)
        }
    }

    /// Tells all to stop, and waits until those in `places` have.
    func end(_ places: Range<Int> = 0..<8) throws {
        watch.step("the end of \(places)")
        record[.stop] = 1
        for pid in pids[places] {
            var ending = "running"
            for _ in 0..<48_000 where ending == "running" { ending = try server.wait(pid, .milliseconds(10)) }
            #expect(ending == "exited 0")
        }
        if let failure = record.failure { throw TestFailure(failure) }
    }

    /// After the end: until the dead are repaired, and what the arena says of itself is right.
    func settle() throws {
        watch.step("the repairs")
        try eventuallyBlocking("the repairs") { arena.statistics().heaps.count == 1 }
        #expect(arena.validate().isEmpty, "\(arena.validate())")
        #expect(arena.statistics().inHand == 0, "\(arena.statistics())")
    }

    private func start(_ place: Int) throws -> Int32 {
        try server.start([command, scene.directory.path.string, "\(UInt64.random(in: 1..<1 << 60, using: &random))", "\(place)"])
    }
}
