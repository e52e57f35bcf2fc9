import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("Processes by descriptor, and what they say of themselves")
struct ProcessDescriptorTests {
    @Test("a process is seen to live, to be stopped without having ended, and to end")
    func life() async throws {
        let peer = try PeerProcess("sleep")
        let process = try ProcessDescriptor(opening: peer.pid)
        #expect(try !process.hasEnded())
        try process.send(signal: Signal.stop)
        #expect(try !process.wait(until: .now.advanced(by: .milliseconds(5))))
        try process.send(signal: Signal.kill)
        #expect(try process.wait(until: .now.advanced(by: watchdog)))
        #expect(try process.hasEnded())
        #expect(try await peer.ending() == .signalled(Signal.kill))
        #expect(throws: Errno.noSuchProcess) { try process.send(signal: Signal.kill) }
    }

    @Test("no process, no descriptor")
    func none() async throws {
        let peer = try PeerProcess("exit", ["0"])
        let pid = peer.pid
        #expect(try await peer.ending() == .exited(0))
        #expect(throws: Errno.noSuchProcess) { _ = try ProcessDescriptor(opening: pid) }
    }

    @Test("pid and start time tell a process")
    func identity() async throws {
        let peer = try PeerProcess("identity")
        let fields = try await peer.line().split(separator: " ").map(String.init)
        #expect(fields[0] == "\(peer.pid)")
        #expect(fields[1] == ProcessIdentity.startTime(of: peer.pid).map { "\($0)" })
        #expect(fields[2] == "\(ProcessIdentity.current().pidNamespace)")
        #expect(fields[3] == "\(currentUserID())")
        #expect(fields[4] == "TestPeer")
        #expect(ProcessIdentity.current().pid == getpid())
        #expect(ProcessIdentity.startTime(of: Int32.max) == nil)
    }
}
