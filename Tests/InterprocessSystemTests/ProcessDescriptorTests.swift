import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K5 processes by descriptor, and what they say of themselves")
struct ProcessDescriptorTests {
    // By a name of its own: in an asynchronous function the asynchronous form would be chosen.
    private func blockingWait(_ process: borrowing ProcessDescriptor, until deadline: MonotonicInstant?) throws(FacilityError) -> Bool {
        try process.wait(until: deadline)
    }

    @Test("a process is seen to live, to be stopped without having ended, and to end")
    func life() async throws {
        let peer = try PeerProcess("sleep")
        let process = try ProcessDescriptor(opening: peer.pid)
        #expect(try !process.hasEnded())
        try process.send(signal: Signal.stop)
        #expect(try !blockingWait(process, until: .now.advanced(by: .milliseconds(5))))
        try process.send(signal: Signal.kill)
        #expect(try blockingWait(process, until: .now.advanced(by: watchdog)))
        #expect(try process.hasEnded())
        #expect(try await peer.ending() == .signalled(Signal.kill))
        let gone = #expect(throws: FacilityError.self) { try process.send(signal: Signal.kill) }
        #expect(gone?.errno == .noSuchProcess && gone?.advice.contains("no such process") == true)
    }

    @Test("K5 a task waits for the end of another program, until its deadline or its cancellation")
    func asynchronous() async throws {
        let python = try PeerProcess(python: "import os, sys\nsys.stdin.readline()\nos._exit(7)")
        let process = try ProcessDescriptor(opening: python.pid)
        #expect(isClosedByExec(process.descriptor))
        #expect(try await !process.wait(until: after(milliseconds: 5)))
        let pid = python.pid
        let task = Task {
            let error = await #expect(throws: FacilityError.self) { _ = try await ProcessDescriptor(opening: pid).wait(until: nil) }
            #expect(error?.isCancelled == true && error?.facility == .process)
        }
        try await Task.sleep(for: .milliseconds(5))
        task.cancel()
        await task.value
        async let ended = process.wait(until: nil)
        try python.send("end")
        #expect(try await ended)
        #expect(try await process.wait(until: .after(watchdog)))
        #expect(try await python.ending() == .exited(7))
        #expect(try process.hasEnded(), "also when it has been reaped")
    }

    @Test("K5 a signal is sent to the process that was opened; another program takes it, and sends one by a descriptor of ours")
    func signals() async throws {
        let sleeper = try PeerProcess("sleep")
        let held = try ProcessDescriptor(opening: sleeper.pid)
        let python = try PeerProcess(
            python: """
                import signal, sys
                signal.signal(signal.SIGUSR1, lambda number, frame: print('signal', number, flush=True))
                print('ready', flush=True)
                for line in sys.stdin: signal.pidfd_send_signal(5, signal.SIGTERM)
                """, [], descriptors: [(held.descriptor, 5)])
        try await python.expect("ready")
        let process = try ProcessDescriptor(opening: python.pid)
        try process.send(signal: 0)
        try process.send(signal: SIGUSR1)
        try await python.expect("signal \(SIGUSR1)")
        let wrong = #expect(throws: FacilityError.self) { try process.send(signal: 65) }
        #expect(wrong?.errno == .invalidArgument && wrong?.advice.contains("0 to 64") == true)
        try python.send("signal")
        #expect(try await sleeper.ending() == .signalled(Signal.terminate))
    }

    @Test("no process, no descriptor")
    func none() async throws {
        let peer = try PeerProcess("exit", ["0"])
        let pid = peer.pid
        #expect(try await peer.ending() == .exited(0))
        for (number, errno) in [(pid, Errno.noSuchProcess), (0, .invalidArgument), (-1, .invalidArgument)] {
            let error = #expect(throws: FacilityError.self) { _ = try ProcessDescriptor(opening: number) }
            #expect(error?.errno == errno && error?.object == "process \(number)")
        }
    }

    @Test("K5 every errno of pidfd_open and pidfd_send_signal is told, with what to do")
    func errors() throws {
        let process = try ProcessDescriptor(opening: getpid())
        expectEach(
            [
                .invalidArgument, .tooManyOpenFiles, .tooManyOpenFilesInSystem, .operationNotSupportedByDevice, .noMemory, .noSuchProcess,
                .noFunction,
            ], of: "pidfd_open", .process
        ) { () throws(FacilityError) in _ = try ProcessDescriptor(opening: getpid()) }
        expectEach([.badFileDescriptor, .invalidArgument, .notPermitted, .noSuchProcess], of: "pidfd_send_signal", .process) {
            () throws(FacilityError) in try process.send(signal: 0)
        }
        expectEach([.noMemory, .invalidArgument], of: "ppoll", .process) { () throws(FacilityError) in _ = try process.wait(until: .now) }
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
