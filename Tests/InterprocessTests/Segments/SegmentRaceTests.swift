import CInterprocess
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

@Suite("Races and kills on the way to a name")
struct SegmentRaceTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    @Test("N2 processes that race into openOrCreate get one object, whole", arguments: [2, 8])
    func race(_ count: Int) async throws {
        let rounds = 200
        let meeting = try Segment.create("meeting", size: 64, in: directory.objects)
        let peers = try (0..<count).map { _ in try PeerProcess("race", [directory.path.string, "\(count)", "\(rounds)"]) }
        for round in 0..<rounds {
            var found: Set<String> = []
            for peer in peers { found.insert(try await peer.line()) }
            #expect(found.count == 1, "round \(round): \(found)")
            #expect(found.first?.hasSuffix(" true") == true)
        }
        for peer in peers { #expect(try await peer.ending() == .exited(0)) }
        #expect(try directory.names() == ["meeting"], "the last that left took the name with it")
        _ = meeting
    }

    @Test("N2 N6 processes that come and go all the time never get an error, and leave nothing")
    func churn() async throws {
        let peers = try (0..<4).map { _ in try PeerProcess("churn", [directory.path.string, "a", "1500"]) }
        for peer in peers {
            #expect(try await peer.line().hasPrefix("rounds "))
            #expect(try await peer.ending() == .exited(0))
        }
        #expect(try directory.names() == [])
    }

    @Test("N2 N8 a kill at any moment neither wedges the name nor leaves anything else", arguments: Lifetime.allCases)
    func kills(_ lifetime: Lifetime) async throws {
        let rounds = 400
        var random = SeededRandom(for: "kills on the way to a name")
        let sweep = try PeerProcess(
            "kill-sweep",
            [directory.path.string, "a", "\(rounds)", "\(Int.random(in: 0 ..< .max, using: &random))", "\(lifetime.rawValue)"])
        for _ in 0..<rounds { try await sweep.expect("ok") }
        #expect(try await sweep.ending() == .exited(0))
        #expect(try directory.names() == ["a"], "what a killed process left stands under its name, and nothing else does")
        if lifetime == .untilLastPeerLeaves {
            let garbage = try directory.objects.collectGarbage()
            #expect(garbage.map(\.fileName) == ["a"])
            #expect(try directory.names() == [])
        }
    }

    @Test("N3 nobody sees a half-made object")
    func half() async throws {
        // Past the library, as soon as there is a name: everything must be in place, to the last slot of a table that takes long to fill.
        let path = directory.path(of: "a")
        let maker = try PeerProcess("make-often", [directory.path.string, "a", "1024"])
        try await maker.expect("ready")
        var seen: Set<UInt64> = []
        try await eventually("100 different objects seen") {
            for _ in 0..<200 {
                guard let bytes = try? SegmentBytes(path, readOnly: true) else { continue }
                let status = try FileStatus(of: bytes.file)
                let magic = try bytes.load(\.magic)
                #expect(magic == IPC_MAGIC)
                #expect(try bytes.load(\.segment_size) == UInt64(status.size))
                #expect(status.reservedBytes >= status.size)
                #expect(status.permissions == .ownerReadWrite)
                for slot in 0..<1024 where try bytes.load(\.generation, slot: slot) == 0 {
                    Issue.record("slot \(slot) has no generation yet")
                    break
                }
                guard magic == IPC_MAGIC else { return true }
                seen.insert(try bytes.load(\.incarnation))
            }
            return seen.count >= 100
        }
    }

    @Test("N3 an object that could not be linked leaves nothing")
    func notLinked() throws {
        let error = SystemCallFaults.withFault("linkat", .ioError) {
            refusal { _ = try Segment.create("a", size: 100, in: directory.objects) }
        }
        #expect(error?.code == .system && error?.errno == .ioError)
        #expect(try directory.names() == [])
    }
}
