import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

@Suite("streams of deaths and of peers, ended while something is told")
struct DeathStreamTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// Who cancels a task that waits for a stream holds a lock of the runtime's and comes to the segment's list of listeners; who tells comes the other way.
    @Test("L2 L4 a stream that ends just as a death is told, or a peer joins, holds up neither", arguments: ["deaths", "peers"])
    func endings(of what: String) async throws {
        let segment = try Segment.create("s", size: 8, in: directory.objects, maximumPeers: 64)
        let deaths = DeathLog(segment)
        let crowd = try PeerProcess("crowd", [directory.path.string, "s", "32"])
        for _ in 0..<32 { _ = try await crowd.line() }
        let members = segment.peers.filter { $0.id != segment.peer }
        try crowd.send(members.map { "\($0.pid)" }.joined(separator: " "))
        try await crowd.expect("killed")
        // As many as there are records: from now on a higher count of deaths tells one of these again.
        for _ in 0..<31 { _ = try await deaths.next() }
        let watch = try HangWatch("streams that end: \(what)")
        defer { watch.end() }
        let isOver = Flag()
        let attachment = segment.attachment
        let teller = try TestThread {
            while !isOver.isRaised {
                attachment.table.deaths.add(1)
                attachment.table.membership.add(1)
                attachment.announceDeaths()
                attachment.announceMembership()
            }
        }
        var heard = 0
        for round in 0..<2000 {
            watch.step("round \(round)")
            let listener = Task {
                var count = 0
                if what == "deaths" {
                    for await _ in attachment.deaths() { count += 1 }
                } else {
                    for await _ in attachment.membershipChanges() { count += 1 }
                }
                return count
            }
            for _ in 0..<round % 8 { await Task.yield() }
            listener.cancel()
            heard += await listener.value
        }
        isOver.raise()
        try teller.join()
        #expect(heard > 0)
    }
}
