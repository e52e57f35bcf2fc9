import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K5 the number of signals that wait")
struct SignalLimitTests {
    /// Of a user of its own, since others' signals that wait count too.
    @Test(
        "K5 as many real-time signals wait as the receiver's limit is, and not one more; none is lost, and there is room when it has read",
        .enabled(if: Privilege.canUnshare(["--user", "--map-root-user"]), "needs a user namespace"))
    func limit() async throws {
        let most = 3
        let peer = try PeerProcess(
            "signals", wrapper: ["/usr/bin/unshare", "--user", "--map-root-user", "/usr/bin/prlimit", "--sigpending=\(most)"])
        try await peer.expect("ready")
        let first = Signal.realTime.lowerBound
        var count = 0
        let error = #expect(throws: FacilityError.self) {
            while count < 100 {
                try Signal.send(first, to: peer.pid, value: Int32(count))
                count += 1
            }
        }
        #expect(error?.errno == .resourceTemporarilyUnavailable && error?.advice.contains("ulimit -i") == true)
        #expect(count == most)
        for value in 0..<count {
            try peer.send("try")
            let line = try await peer.line()
            #expect(line.hasPrefix("\(first) ") && line.hasSuffix(" \(value)"))
        }
        try peer.send("try")
        try await peer.expect("none")
        try Signal.send(first, to: peer.pid, value: 77)
        try peer.send("try")
        #expect(try await peer.line().hasSuffix(" 77"))
    }

    @Test("K5 a signal that a program has sent before it was killed comes, and says who sent it")
    func killedSender() async throws {
        let peer = try PeerProcess("signals")
        try await peer.expect("ready")
        let python = try PeerProcess(obeying: [])
        let first = Signal.realTime.lowerBound
        try await python.does("check(lib.sigqueue(\(peer.pid), \(first), ctypes.c_void_p(5)))")
        try await python.isKilled()
        try peer.send("try")
        try await peer.expect("\(first) \(python.pid) 5")
    }
}
