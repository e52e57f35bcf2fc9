import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

/// In a process of its own, since signals are the whole process's: TestPeer `signals`.
@Suite("K5 signals as messages")
struct SignalDescriptorTests {
    private let first = Signal.realTime.lowerBound

    private func start() async throws -> PeerProcess {
        let peer = try PeerProcess("signals")
        try await peer.expect("ready")
        return peer
    }

    @Test("K5 real-time signals come each, by number, with their values and who sent them; a standard one comes once")
    func purpose() async throws {
        let peer = try await start()
        try Signal.send(first + 1, to: peer.pid, value: 30)
        for value in [10, 20] as [Int32] { try Signal.send(first, to: peer.pid, value: value) }
        peer.signal(SIGUSR1)
        peer.signal(SIGUSR1)
        let me = getpid()
        for expected in ["\(SIGUSR1) \(me) none", "\(first) \(me) 10", "\(first) \(me) 20", "\(first + 1) \(me) 30", "none"] {
            try peer.send("try")
            try await peer.expect(expected)
        }
        // Another program's.
        let python = try PeerProcess(
            python: "import os, sys, time; os.kill(int(sys.argv[1]), int(sys.argv[2])); print('sent', flush=True); time.sleep(600)",
            ["\(peer.pid)", "\(first)"])
        try await python.expect("sent")
        try peer.send("try")
        try await peer.expect("\(first) \(python.pid) none")
    }

    @Test("K5 waiting for the next, in the call, until a deadline, in a task", arguments: ["wait", "deadline", "async"])
    func waiting(form: String) async throws {
        let peer = try await start()
        try peer.send(form)
        try await peer.expect("waiting")
        if form == "deadline" {
            try await peer.expect("deadline")
        } else {
            try Signal.send(first, to: peer.pid, value: -5)
            try await peer.expect("\(first) \(getpid()) -5")
        }
    }

    @Test("K5 every errno of signalfd and sigqueue is told, with what to do; no signal 65")
    func errors() throws {
        expectEach(
            [
                .badFileDescriptor, .invalidArgument, .tooManyOpenFiles, .tooManyOpenFilesInSystem, .operationNotSupportedByDevice,
                .noMemory,
            ], of: "signalfd", .signals
        ) { () throws(FacilityError) in _ = try SignalDescriptor([first]) }
        expectEach([.resourceTemporarilyUnavailable, .invalidArgument, .notPermitted, .noSuchProcess], of: "sigqueue", .signals) {
            () throws(FacilityError) in try Signal.send(first, to: 1, value: 0)
        }
        let wrong = #expect(throws: FacilityError.self) { _ = try SignalDescriptor([65]) }
        #expect(wrong?.errno == .invalidArgument)
        let descriptor = try SignalDescriptor([first])
        #expect(isClosedByExec(descriptor.descriptor))
        try descriptor.replace([first + 1])
        #expect(throws: FacilityError.self) { try descriptor.replace([-1]) }
        #expect(throws: FacilityError.self) { try Signal.send(65, to: getpid(), value: 0) }
        let nobody = #expect(throws: FacilityError.self) { try Signal.send(first, to: .max, value: 0) }
        #expect(nobody?.errno == .noSuchProcess)
    }
}
