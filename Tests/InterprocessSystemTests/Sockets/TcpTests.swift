import Glibc
import InterprocessSystem
import Synchronization
import SystemPackage
import TestSupport
import Testing

@Suite("K1 TCP", .serialized)
struct TcpTests {
    /// A program that connects, says from which port, and sends back what it gets, in capitals: all, or only the first four bytes.
    private func client(_ address: InternetAddress, readsOnce: Bool = false) throws -> PeerProcess {
        try PeerProcess(
            python: """
                import socket, sys, time
                s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
                print(s.getsockname()[1], flush=True)
                if len(sys.argv) > 3:
                    s.sendall(s.recv(4).upper())
                    time.sleep(1000)
                while (part := s.recv(65536)): s.sendall(part.upper())
                s.sendall(b'.')
                """, [address.ip.description, "\(address.port)"] + (readsOnce ? ["once"] : []))
    }

    @Test("K1 another program connects and is answered to the end", arguments: IPAddress.Version.here)
    func purpose(_ version: IPAddress.Version) async throws {
        let listener = try TcpListener.create(at: .here(version))
        #expect(try listener.tryAccept() == nil)
        let late = #expect(throws: FacilityError.self) { _ = try blockingAccept(listener, until: after(milliseconds: 5)) }
        #expect(late?.isDeadline == true)
        let python = try client(try listener.localAddress())
        let stream = try await listener.accept(until: .after(watchdog))
        #expect(try await python.line() == "\(try stream.peerAddress().port)")
        #expect(try stream.localAddress() == listener.localAddress())
        try await stream.write(Array("hello".utf8).span)
        #expect(text(try await read(stream, 5)) == "HELLO")
        try stream.finishWriting()
        #expect(text(try blockingRead(stream, 5, until: .after(watchdog))) == ".")
        #expect(try blockingRead(stream, 5) == [])
        #expect(try await python.ending() == .exited(0))
        #expect(isClosedByExec(stream.descriptor) && isClosedByExec(listener.descriptor))
        let closed = #expect(throws: FacilityError.self) { try blockingWrite(stream, [1]) }
        #expect(closed?.errno == .brokenPipe)
    }

    @Test("K1 this side connects to another program, in every form", arguments: IPAddress.Version.here)
    func connecting(_ version: IPAddress.Version) async throws {
        let python = try PeerProcess(
            python: """
                import socket, sys
                l = socket.create_server((sys.argv[1], 0), family=socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET)
                print(l.getsockname()[1], flush=True)
                while True:
                    c, _ = l.accept()
                    c.sendall(c.recv(99)[::-1])
                """, [IPAddress.loopback(version).description])
        let port = try #require(UInt16(try await python.line()))
        let address = InternetAddress.here(version, port: port)
        func talk(_ stream: borrowing TcpStream) throws {
            try blockingWrite(stream, [1, 2, 3])
            #expect(try blockingRead(stream, 9) == [3, 2, 1])
            #expect(try stream.peerAddress() == address)
            #expect(fcntl(stream.descriptor.rawValue, F_GETFL) & O_NONBLOCK == 0)
            #expect(isClosedByExec(stream.descriptor))
        }
        try talk(try blockingConnect(to: address))
        try talk(try blockingConnect(to: address, until: .after(watchdog)))
        try talk(try await TcpStream.connect(to: address))
        try talk(try await TcpStream.connect(to: address, until: .after(watchdog)))
        python.kill()
        _ = try await python.ending()
        let dead = #expect(throws: FacilityError.self) { _ = try blockingConnect(to: address) }
        #expect(dead?.errno == .connectionRefused && dead?.object == address.description)
        let suspended = await #expect(throws: FacilityError.self) { _ = try await TcpStream.connect(to: address) }
        #expect(suspended?.errno == .connectionRefused && suspended?.operation == "connect" && suspended?.object == address.description)
    }

    @Test("K1 a killed other side is the end for reading and an error for writing, never a signal", arguments: [false, true])
    func death(_ hasUnread: Bool) async throws {
        let before = signal(SIGPIPE, SIG_DFL)
        defer { _ = signal(SIGPIPE, before) }
        let listener = try TcpListener.create(at: .here())
        let python = try client(try listener.localAddress(), readsOnce: hasUnread)
        let stream = try await listener.accept(until: .after(watchdog))
        try blockingWrite(stream, Array("last".utf8))
        #expect(text(try blockingRead(stream, 9)) == "LAST")
        if hasUnread { try blockingWrite(stream, Array("unread".utf8)) }
        python.kill()
        _ = try await python.ending()
        if hasUnread {
            let reset = #expect(throws: FacilityError.self) { _ = try blockingRead(stream, 9) }
            #expect(reset?.errno == .connectionReset && reset?.isOtherSideGone == true)
        }
        #expect(try blockingRead(stream, 9) == [])
        #expect(try await read(stream, 9) == [])
        var error: FacilityError?
        try await eventually("the error of writing") {
            do throws(FacilityError) {
                try blockingWrite(stream, [1])
            } catch let found {
                error = found
            }
            return error != nil
        }
        #expect(error?.isOtherSideGone == true && error?.advice.contains("connect again") == true)
    }

    @Test("K1 a full connection takes no more; both sides wait until their deadlines, or the end of the task")
    func blocking() async throws {
        final class Sides: Sendable {
            let pair: TcpPair
            init() throws { pair = try TcpListener.create(at: .here()).pair() }
        }
        let sides = try Sides()
        #expect(try sides.pair.first.setBufferSize(10_000) >= 20_000)
        #expect(try sides.pair.second.setReceiveBufferSize(10_000) >= 20_000)
        #expect(try tryRead(sides.pair.first, 9) == nil)
        let late = #expect(throws: FacilityError.self) { _ = try blockingRead(sides.pair.first, 9, until: after(milliseconds: 5)) }
        #expect(late?.isDeadline == true)
        let task = Task {
            let error = await #expect(throws: FacilityError.self) { _ = try await read(sides.pair.first, 9) }
            #expect(error?.isCancelled == true)
        }
        try await Task.sleep(for: .milliseconds(5))
        task.cancel()
        await task.value
        let sent = try fill(sides.pair.first, .pattern(1000))
        #expect(try sides.pair.first.tryWrite([1].span) == nil)
        let suspended = await #expect(throws: FacilityError.self) {
            try await sides.pair.first.write([1].span, until: after(milliseconds: 5))
        }
        #expect(suspended?.isDeadline == true)
        let writing = Task { try await sides.pair.first.write([77].span) }
        var received: [UInt8] = []
        while received.count < sent + 1 { received += try blockingRead(sides.pair.second, 999, until: .after(watchdog)) }
        try await writing.value
        #expect(received.count == sent + 1 && received.last == 77)
        #expect(try tryRead(sides.pair.second, 9) == nil)
    }

    @Test(
        "K7 what comes next can be looked at and stays; each direction ends by itself; small pieces are sent at once if that is asked for")
    func options() async throws {
        let pair = try TcpListener.create(at: .here()).pair()
        try blockingWrite(pair.first, [1, 2, 3])
        for _ in 0..<2 {
            try waitToRead(pair.second)
            var bytes = [UInt8](repeating: 0, count: 2)
            var span = bytes.mutableSpan
            #expect(try pair.second.tryPeek(into: &span) == 2)
            #expect(bytes == [1, 2])
        }
        try pair.first.finishWriting()
        #expect(try blockingRead(pair.second, 9) == [1, 2, 3])
        #expect(try blockingRead(pair.second, 9) == [])
        try blockingWrite(pair.second, [4])
        #expect(try blockingRead(pair.first, 9) == [4])
        try pair.first.setNoDelay(true)
        try pair.second.setNoDelay(true)
        try pair.second.setNoDelay(false)
        let python = try PeerProcess(
            python: """
                import socket
                for n in (3, 4): print(socket.socket(fileno=n).getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), flush=True)
                """, descriptors: [(pair.first.descriptor, 3), (pair.second.descriptor, 4)])
        try await python.expect("1")
        try await python.expect("0")
    }

    @Test("K1 who connects where nobody accepts waits when the queue is full, until the deadline or the end of the task")
    func queueing() async throws {
        let listener = try TcpListener.create(at: .here(), backlog: 1)
        let address = try listener.localAddress()
        // As many as wait, and one more.
        let first = try blockingConnect(to: address)
        _ = try blockingConnect(to: address)
        let late = #expect(throws: FacilityError.self) { _ = try blockingConnect(to: address, until: after(milliseconds: 10)) }
        #expect(late?.isDeadline == true && late?.operation == "connect")
        let suspended = await #expect(throws: FacilityError.self) {
            _ = try await TcpStream.connect(to: address, until: after(milliseconds: 10))
        }
        #expect(suspended?.isDeadline == true)
        let task = Task {
            let error = await #expect(throws: FacilityError.self) { _ = try await TcpStream.connect(to: address) }
            #expect(error?.isCancelled == true)
        }
        try await Task.sleep(for: .milliseconds(5))
        task.cancel()
        await task.value
        // It is answered as soon as somebody accepts.
        let waiting = Task { try await TcpStream.connect(to: address).peerAddress() }
        let accepted = try blockingAccept(listener)
        try blockingWrite(first, [5])
        #expect(try blockingRead(accepted, 9) == [5])
        #expect(try await waiting.value == address)
    }

    private final class Flag: Sendable { let isOver = Atomic(false) }

    /// Runs `body` while a signal comes to this thread again and again.
    private func interrupting<R>(_ body: () throws -> R) throws -> R {
        let (thread, flag, end) = (pthread_self(), Flag(), Flag())
        try startServiceThread(named: "test") {
            while !flag.isOver.load(ordering: .acquiring) {
                pthread_kill(thread, SIGUSR2)
                sleepThread(for: .milliseconds(2))
            }
            end.isOver.store(true, ordering: .releasing)
        }
        defer {
            flag.isOver.store(true, ordering: .releasing)
            try? eventuallyBlocking("the last signal") { end.isOver.load(ordering: .acquiring) }
        }
        return try body()
    }

    @Test("K1 signals that interrupt connecting neither end it nor put its deadline off")
    func interruptedConnecting() throws {
        let before = signal(SIGUSR2) { _ in }
        defer { _ = signal(SIGUSR2, before) }
        let listener = try TcpListener.create(at: .here(), backlog: 1)
        let address = try listener.localAddress()
        let first = try TcpStream.connect(to: address)
        let second = try TcpStream.connect(to: address)
        let late = try interrupting {
            #expect(throws: FacilityError.self) { _ = try TcpStream.connect(to: address, until: after(milliseconds: 100)) }
        }
        #expect(late?.isDeadline == true)
        // Somebody accepts while it waits.
        let connected = try interrupting {
            let descriptor = listener.descriptor
            try startServiceThread(named: "test") {
                sleepThread(for: .milliseconds(20))
                let other = TcpListener(owning: descriptor)
                _ = try? other.accept()
                _ = other.release()
            }
            return try TcpStream.connect(to: address, until: .after(watchdog)).peerAddress()
        }
        #expect(connected == address)
        _ = (first.descriptor, second.descriptor)
    }

    @Test("K1 a port is one listener's, and free for the next although connections linger")
    func ports() throws {
        let address: InternetAddress
        do {
            let listener = try TcpListener.create(at: .here())
            address = try listener.localAddress()
            let taken = #expect(throws: FacilityError.self) { _ = try TcpListener.create(at: address) }
            #expect(taken?.errno == .addressInUse && taken?.object == address.description && taken?.advice.contains("port 0") == true)
            let pair = try listener.pair()
            // Who ends first is who lingers.
            try pair.second.finishWriting()
            #expect(try blockingRead(pair.first, 9) == [])
        }
        let refused = #expect(throws: FacilityError.self) { _ = try TcpStream.connect(to: address) }
        #expect(refused?.errno == .connectionRefused && refused?.advice.contains("nobody has a socket") == true)
        _ = try TcpListener.create(at: address).pair()
        // Of those for documentation, which no machine has.
        let elsewhere = InternetAddress(IPAddress("203.0.113.1")!, port: 0)
        let foreign = #expect(throws: FacilityError.self) { _ = try TcpListener.create(at: elsewhere) }
        #expect(foreign?.errno == .addressNotAvailable && foreign?.advice.contains("no such address") == true)
    }

    @Test("K1 every errno of the sockets' manual pages is told, with what to do, and nothing stays open")
    func errors() throws {
        let listener = try TcpListener.create(at: .here())
        let address = try listener.localAddress()
        let pair = try listener.pair()
        let before = try openDescriptorCount()
        expectEach(
            [.tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory, .noBufferSpace, .permissionDenied, .addressFamilyNotSupported],
            of: "socket",
            .tcp
        ) { () throws(FacilityError) in _ = try TcpStream.connect(to: address) }
        expectEach([.badFileDescriptor], of: "setsockopt(SO_REUSEADDR)", .tcp) { () throws(FacilityError) in
            _ = try TcpListener.create(at: .here())
        }
        expectEach([.permissionDenied, .addressInUse, .addressNotAvailable, .invalidArgument], of: "bind", .tcp) {
            () throws(FacilityError) in
            _ = try TcpListener.create(at: .here())
        }
        expectEach([.addressInUse, .notSupportedOnSocket], of: "listen", .tcp) { () throws(FacilityError) in
            _ = try TcpListener.create(at: .here())
        }
        expectEach(
            [
                .permissionDenied, .notPermitted, .addressInUse, .addressNotAvailable, .addressFamilyNotSupported, .alreadyInProcess,
                .connectionRefused,
                .socketIsConnected, .networkUnreachable, .noRouteToHost, Errno(rawValue: ETIMEDOUT),
            ], of: "connect", .tcp
        ) { () throws(FacilityError) in _ = try TcpStream.connect(to: address) }
        expectEach(
            [
                .connectionAbort, .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory, .noBufferSpace, .notPermitted, .protocolError,
                .networkDown,
                .networkUnreachable, .hostIsDown, .noRouteToHost, .protocolNotAvailable, .invalidArgument,
            ], of: "accept4", .tcp
        ) { () throws(FacilityError) in _ = try listener.accept() }
        expectEach(
            [
                .badFileDescriptor, .connectionReset, .socketNotConnected, .noMemory, .noBufferSpace, .brokenPipe,
                Errno(rawValue: ETIMEDOUT),
            ], of: "send", .tcp
        ) { () throws(FacilityError) in try blockingWrite(pair.first, [1]) }
        expectEach([.badFileDescriptor, .connectionReset, .socketNotConnected, .noMemory, Errno(rawValue: ETIMEDOUT)], of: "recv", .tcp) {
            () throws(FacilityError) in _ = try tryRead(pair.first, 1)
        }
        expectEach([.protocolNotAvailable], of: "setsockopt(TCP_NODELAY)", .tcp) { () throws(FacilityError) in
            try pair.first.setNoDelay(true)
        }
        expectEach([.noMemory], of: "setsockopt(SO_RCVBUF)", .tcp) { () throws(FacilityError) in try pair.first.setReceiveBufferSize(1) }
        expectEach([.socketNotConnected], of: "getpeername", .tcp) { () throws(FacilityError) in _ = try pair.first.peerAddress() }
        expectEach([.noBufferSpace, .badFileDescriptor], of: "getsockname", .tcp) { () throws(FacilityError) in
            _ = try listener.localAddress()
        }
        expectEach([.socketNotConnected], of: "shutdown", .tcp) { () throws(FacilityError) in try pair.first.finishWriting() }
        #expect(try openDescriptorCount() == before)
        // The kernel's own word where there is no connection.
        let loose = TcpStream(owning: try listener.descriptor.duplicate())
        let unconnected = #expect(throws: FacilityError.self) { _ = try loose.peerAddress() }
        #expect(unconnected?.errno == .socketNotConnected && unconnected?.isOtherSideGone == true)
    }
}
