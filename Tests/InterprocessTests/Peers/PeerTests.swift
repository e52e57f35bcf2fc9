import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

@Suite("Peers and their identity")
struct PeerTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    @Test("L1 everyone who is attached is a peer, and says which process it is")
    func identity() async throws {
        let segment = try Segment.create("s", size: 8, in: directory.objects)
        let again = try Segment.open("s", in: directory.objects)
        let process = try PeerProcess("attach", [directory.path.string, "s"])
        let joined = try await process.line()
        let peers = segment.peers
        #expect(peers.count == 3 && Set(peers.map(\.id)).count == 3)
        #expect(Set(peers.map(\.id)).isSuperset(of: [segment.peer, again.peer]), "a process that has it open twice is two peers")
        let other = try #require(peers.first { $0.pid == process.pid })
        #expect(joined == "joined \(other.id)")
        #expect(other.startTime == ProcessIdentity.startTime(of: process.pid))
        #expect(other.pidNamespace == ProcessIdentity.current().pidNamespace)
        #expect(other.userID == currentUserID() && other.program == "TestPeer" && other.isAlive)
        #expect(other.joinedNanoseconds >= segment.header.createdNanoseconds)
        try process.send("peers")
        #expect(try await process.line() == peers.map(\.id.description).joined(separator: " "), "all see the same")
        try process.send("leave")
        try await process.expect("left")
        #expect(segment.peers.count == 2 && segment.deathCount == 0, "leaving is no death")
    }

    @Test("L1 a PeerID never means the next one that has its slot, whether the first left or died")
    func generations() async throws {
        let segment = try Segment.create("s", size: 8, in: directory.objects, maximumPeers: 2)
        let table = segment.attachment.table
        var former: [PeerID] = []
        for isKilled in [false, true, false, true] {
            let process = try PeerProcess("attach", [directory.path.string, "s"])
            _ = try await process.line()
            let peer = try #require(segment.peers.first { $0.pid == process.pid }?.id)
            #expect(table.condition(of: peer) == .alive && table.information(of: peer) != nil)
            for old in former {
                #expect(old.slot == peer.slot && old != peer)
                #expect(table.condition(of: old) == .gone && table.information(of: old) == nil)
            }
            former.append(peer)
            if isKilled {
                process.kill()
            } else {
                try process.send("leave")
            }
            try await eventually("its slot is free") { segment.peers.count == 1 }
            #expect(table.condition(of: peer) == .gone)
        }
        #expect(segment.deathCount == 2)
    }

    @Test(
        "L1 a process with the pid of a dead peer is another peer",
        .enabled(if: Privilege.canUnshare(["--pid", "--fork"]), "needs a pid namespace"))
    func reusedPID() async throws {
        let segment = try Segment.create("s", size: 8, in: directory.objects)
        let deaths = DeathLog(segment)
        let process = try PeerProcess(
            "reuse-pid", [directory.path.string, "s"], wrapper: ["/usr/bin/unshare", "--pid", "--fork", "--kill-child"])
        _ = try await process.line()
        let first = try #require(segment.peers.first { $0.id != segment.peer })
        // Start times count ticks of a hundredth of a second: the second process is to have another one.
        try await eventually("another tick") { MonotonicInstant.now.nanoseconds > Int64(first.startTime + 3) * 10_000_000 }
        try process.send("next")
        let notice = try await deaths.next()
        #expect(notice.peer == first.id && notice.pid == first.pid)
        let said = try await process.line()
        let second = try #require(segment.peers.first { $0.id != segment.peer })
        #expect(said == "joined \(second.id) \(first.pid)")
        #expect(second.pid == first.pid && second.isAlive && second.id != first.id)
        #expect(second.startTime != first.startTime)
        #expect(segment.attachment.table.condition(of: first.id) == .gone)
        #expect(segment.deathCount == 1)
    }

    @Test(
        "L1 L4 peers of other pid namespaces: the same pid is another peer, and deaths are told across",
        .enabled(if: Privilege.canUnshare(["--pid", "--fork"]), "needs a pid namespace"))
    func namespaces() async throws {
        let segment = try Segment.create("s", size: 8, in: directory.objects)
        let deaths = DeathLog(segment)
        let unshare = ["/usr/bin/unshare", "--pid", "--fork", "--kill-child"]
        let watcher = try PeerProcess("watch", [directory.path.string, "s"], wrapper: unshare)
        let victim = try PeerProcess("attach", [directory.path.string, "s"], wrapper: unshare)
        let neighbour = try PeerProcess("attach", [directory.path.string, "s"])
        var peers: [PeerID] = []
        for process in [watcher, victim, neighbour] {
            let line = try await process.line()
            peers.append(try #require(segment.peers.first { line == "joined \($0.id)" }?.id))
        }
        let inside = try [0, 1].map { index in try #require(segment.peers.first { $0.id == peers[index] }) }
        #expect(inside.map(\.pid) == [1, 1], "each is the first process of its namespace")
        #expect(Set(inside.map(\.pidNamespace) + [ProcessIdentity.current().pidNamespace]).count == 3)
        victim.kill()
        let first = try await deaths.next()
        #expect(first.peer == peers[1] && first.pid == 1)
        try await watcher.expect("death \(peers[1])")
        neighbour.kill()
        #expect(try await deaths.next().peer == peers[2])
        try await watcher.expect("death \(peers[2])")
        #expect(Set(segment.peers.map(\.id)) == [segment.peer, peers[0]])
    }
}
