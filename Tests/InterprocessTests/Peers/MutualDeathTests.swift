import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

/// Two processes over two queues: each is asleep until the other sends, or ends.
@Suite("Two that wait for each other")
struct MutualDeathTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    /// The two, asleep; and an onlooker's view of both queues, with what it is told.
    private struct Pair {
        let first: PeerProcess, second: PeerProcess
        /// The peers of the first and of the second in the queue from the first to the second.
        let peers: [PeerID]
        let segments: [Segment]
        let logs: [DeathLog]
    }

    private func start() async throws -> Pair {
        let first = try PeerProcess("await-other", [directory.path.string, "there", "back"])
        let second = try PeerProcess("await-other", [directory.path.string, "back", "there"])
        let lines = [try await first.line(), try await second.line()].map { $0.split(separator: " ").map(String.init) }
        let segments = try (["there", "back"] as [ObjectName]).map { name in
            try QueueSegment.open(
                name, ElementDescription(of: UInt64.self), capacity: nil, QueueOptions(directory: directory.objects, existence: .mustExist))
        }
        // "ready RECEIVING SENDING": the first sends there, the second receives there.
        let there = segments[0].peers.map(\.id)
        let peers = try [lines[0][2], lines[1][1]].map { text in try #require(there.first { "\($0)" == text }) }
        for process in [first, second] { try await eventually("it sleeps") { try processState(process.pid) == "S" } }
        return Pair(first: first, second: second, peers: peers, segments: segments, logs: segments.map { DeathLog($0) })
    }

    @Test(
        "L2 two that wait for each other's end: when one is killed the other is told, and an onlooker in both segments", arguments: [0, 1])
    func oneDies(_ index: Int) async throws {
        let pair = try await start()
        let (victim, other) = index == 0 ? (pair.first, pair.second) : (pair.second, pair.first)
        victim.kill()
        #expect(try await other.line().hasPrefix("death "))
        for log in pair.logs { #expect(try await log.next().pid == victim.pid) }
        // And then the other, for which nobody is left but the onlooker.
        other.kill()
        for log in pair.logs { #expect(try await log.next().pid == other.pid) }
        for segment in pair.segments {
            try await eventually("both are off the table") { segment.peers.map(\.id) == [segment.peer] }
            #expect(segment.deathCount == 2)
        }
    }

    @Test("L2 two that wait for each other's end, killed at once: who is left in both segments is told of both, once")
    func bothDie() async throws {
        for _ in 0..<10 {
            let pair = try await start()
            pair.first.kill()
            pair.second.kill()
            for (segment, log) in zip(pair.segments, pair.logs) {
                let told = [try await log.next().pid, try await log.next().pid]
                #expect(Set(told) == [pair.first.pid, pair.second.pid])
                try await eventually("both are off the table") { segment.peers.map(\.id) == [segment.peer] }
                #expect(segment.deathCount == 2)
            }
            for name in ["there", "back"] as [ObjectName] { _ = try? directory.objects.remove(name) }
        }
    }
}
