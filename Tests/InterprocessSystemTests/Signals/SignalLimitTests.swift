import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K5 the number of signals that wait")
struct SignalLimitTests {
    /// How many signals wait for this user's processes now, and how many may.
    private func queued() throws -> Int {
        let line = try #require(try lines(of: "/proc/self/status").first { $0.hasPrefix("SigQ:") })
        return try #require(Int(line.dropFirst(5).split(separator: "/")[0].drop { $0 == "\t" || $0 == " " }))
    }

    @Test(
        "K5 as many real-time signals wait as the receiver's limit is, and not one more; none is lost, and there is room when it has read")
    func limit() async throws {
        let more = 3
        let peer = try PeerProcess("signals", wrapper: ["/usr/bin/prlimit", "--sigpending=\(try queued() + more)"])
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
        // Those of others of this user count too.
        #expect((1...more).contains(count))
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
