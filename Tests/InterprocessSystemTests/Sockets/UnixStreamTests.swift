import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K1 unix stream sockets", .serialized)
struct UnixStreamTests {
    private let temporary: TemporaryDirectory

    init() throws { temporary = try TemporaryDirectory() }

    private func address(_ isAbstract: Bool) -> UnixAddress {
        isAbstract ? .abstract("interprocess-test-\(getpid())-\(randomUInt64())") : .path(temporary.path(of: "socket"))
    }

    /// A program that connects and sends back what it gets, in capitals.
    private func client(_ address: UnixAddress) throws -> PeerProcess {
        try PeerProcess(
            python: """
                import socket, sys
                s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                name = sys.argv[1]
                s.connect('\\0' + name[1:] if name[0] == '@' else name)
                print('connected', flush=True)
                while (part := s.recv(65536)): s.sendall(part.upper())
                s.sendall(b'.')
                """, [address.description])
    }

    @Test("K1 another program connects, by path and by abstract name, and is answered to the end", arguments: [false, true])
    func purpose(_ isAbstract: Bool) async throws {
        let address = address(isAbstract)
        let listener = try UnixListener<UnixStream>.create(at: address)
        #expect(try listener.tryAccept() == nil)
        let python = try client(address)
        let stream = try await listener.accept(until: .after(watchdog))
        try blockingWrite(stream, Array("hello".utf8))
        #expect(text(try await read(stream, 5)) == "HELLO")
        try stream.finishWriting()
        #expect(text(try blockingRead(stream, 5)) == ".")
        #expect(try blockingRead(stream, 5) == [])
        #expect(try await python.ending() == .exited(0))
        #expect(isClosedByExec(stream.descriptor) && isClosedByExec(listener.descriptor))
        let again = #expect(throws: FacilityError.self) { _ = try UnixListener<UnixStream>.create(at: address) }
        #expect(again?.errno == .addressInUse && again?.object == address.description)
        try address.remove()
    }

    @Test("K1 this side connects to another program", arguments: [false, true])
    func connecting(_ isAbstract: Bool) async throws {
        let address = address(isAbstract)
        let python = try PeerProcess(
            python: """
                import socket, sys
                s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                name = sys.argv[1]
                s.bind('\\0' + name[1:] if name[0] == '@' else name)
                s.listen()
                print('listening', flush=True)
                c, _ = s.accept()
                print(c.recv(99).decode(), flush=True)
                """, [address.description])
        try await python.expect("listening")
        let stream = try UnixStream.connect(to: address, until: .after(watchdog))
        try await stream.write(Array("to python".utf8).span)
        try await python.expect("to python")
    }

    @Test("K7 the other side's process, user and group are the kernel's word, and its end can be waited for")
    func credentials() async throws {
        let address = address(true)
        let listener = try UnixListener<UnixStream>.create(at: address)
        let python = try client(address)
        let stream = try await listener.accept(until: .after(watchdog))
        let found = try stream.peerCredentials()
        #expect(found.pid == python.pid && found.userID == getuid() && found.groupID == getgid())
        let process = try stream.peerProcess()
        #expect(try !process.hasEnded())
        try process.send(signal: Signal.kill)
        #expect(try await process.wait(until: .after(watchdog)))
        #expect(isClosedByExec(process.descriptor))
    }

    @Test("K1 a killed other side is the end for reading and an error for writing, never a signal")
    func death() async throws {
        let before = signal(SIGPIPE, SIG_DFL)
        defer { _ = signal(SIGPIPE, before) }
        let address = address(true)
        let listener = try UnixListener<UnixStream>.create(at: address)
        let python = try client(address)
        let stream = try await listener.accept(until: .after(watchdog))
        try blockingWrite(stream, Array("last".utf8))
        #expect(text(try blockingRead(stream, 9)) == "LAST")
        python.signal(Signal.stop)
        try blockingWrite(stream, Array("unread".utf8))
        python.kill()
        _ = try await python.ending()
        let reset = #expect(throws: FacilityError.self) { _ = try blockingRead(stream, 9) }
        #expect(reset?.errno == .connectionReset && reset?.isOtherSideGone == true)
        #expect(try blockingRead(stream, 9) == [])
        let error = #expect(throws: FacilityError.self) { try blockingWrite(stream, [1]) }
        #expect(error?.errno == .brokenPipe && error?.isOtherSideGone == true)
    }

    @Test("K1 a full stream takes no more; both sides wait until their deadlines")
    func blocking() async throws {
        let pair = try UnixStream.pair()
        let size = try pair.first.setBufferSize(10_000)
        #expect(size >= 20_000)
        #expect(try tryRead(pair.first, 9) == nil)
        let late = #expect(throws: FacilityError.self) { _ = try blockingRead(pair.first, 9, until: after(milliseconds: 5)) }
        #expect(late?.isDeadline == true)
        var sent = 0
        while let count = try pair.first.tryWrite([UInt8].pattern(1000).span) { sent += count }
        #expect(sent > 0)
        #expect(try pair.first.tryWrite([1].span) == nil)
        let full = #expect(throws: FacilityError.self) { try blockingWrite(pair.first, [1], until: after(milliseconds: 5)) }
        #expect(full?.isDeadline == true)
        let suspended = await #expect(throws: FacilityError.self) { try await pair.first.write([1].span, until: after(milliseconds: 5)) }
        #expect(suspended?.isDeadline == true)
        var received = 0
        while let part = try tryRead(pair.second, 999) { received += part.count }
        #expect(received == sent)
    }

    @Test("K7 what comes next can be looked at and stays")
    func peeking() throws {
        let pair = try UnixStream.pair()
        try blockingWrite(pair.first, [1, 2, 3])
        for _ in 0..<2 {
            var bytes = [UInt8](repeating: 0, count: 2)
            var span = bytes.mutableSpan
            #expect(try pair.second.tryPeek(into: &span) == 2)
            #expect(bytes == [1, 2])
        }
        #expect(try blockingRead(pair.second, 9) == [1, 2, 3])
    }

    @Test("K1 an address has its longest length, and not one byte more", arguments: [false, true])
    func longest(_ isAbstract: Bool) throws {
        let start = isAbstract ? "interprocess-test-\(getpid())-" : temporary.path(of: "").string + "/"
        func address(_ count: Int) -> UnixAddress {
            let name = start + String(repeating: "x", count: count - start.utf8.count)
            return isAbstract ? .abstract(name) : .path(FilePath(name))
        }
        let longest = address(UnixAddress.largestByteCount)
        let listener = try UnixListener<UnixStream>.create(at: longest)
        _ = try UnixStream.connect(to: longest)
        _ = try listener.accept()
        let error = #expect(throws: FacilityError.self) { _ = try UnixStream.connect(to: address(UnixAddress.largestByteCount + 1)) }
        #expect(error?.errno == .fileNameTooLong)
    }

    @Test("K1 who connects where nobody accepts waits when the queue is full, until its deadline")
    func queueing() throws {
        let address = address(true)
        let listener = try UnixListener<UnixStream>.create(at: address, backlog: 0)
        let first = try UnixStream.connect(to: address)
        let error = #expect(throws: FacilityError.self) { _ = try UnixStream.connect(to: address, until: after(milliseconds: 10)) }
        #expect(error?.isDeadline == true)
        let accepted = try listener.accept()
        try blockingWrite(first, [5])
        #expect(try blockingRead(accepted, 9) == [5])
        // The deadline was for connecting only: a later wait is as long as it takes.
        let filling = [UInt8].pattern(65536), more = [UInt8].pattern(100_000)
        let second = try UnixStream.connect(to: address, until: after(milliseconds: 50))
        let other = try listener.accept().release()
        while try second.tryWrite(filling.span) != nil {}
        try startServiceThread(named: "test") {
            sleepThread(for: .milliseconds(150))
            let reader = UnixStream(owning: other)
            while let part = try? blockingRead(reader, 1 << 20), !part.isEmpty {}
        }
        try blockingWrite(second, more)
    }

    @Test("K1 nobody there, or somebody of another kind")
    func wrongAddress() throws {
        let path = address(false)
        let missing = #expect(throws: FacilityError.self) { _ = try UnixStream.connect(to: path) }
        #expect(missing?.errno == .noSuchFileOrDirectory)
        do { _ = try UnixListener<UnixStream>.create(at: path) }
        let refused = #expect(throws: FacilityError.self) { _ = try UnixStream.connect(to: path) }
        #expect(refused?.errno == .connectionRefused)
        #expect(refused?.advice.contains("nobody listens") == true)
        try path.remove()
        let listener = try UnixListener<UnixSeqpacket>.create(at: path)
        let wrong = #expect(throws: FacilityError.self) { _ = try UnixStream.connect(to: path) }
        #expect(wrong?.errno == .protocolWrongTypeForSocket)
        _ = listener.descriptor
        let datagrams = #expect(throws: FacilityError.self) { _ = try UnixListener<UnixDatagram>.create(at: address(true)) }
        #expect(datagrams?.errno == .notSupportedOnSocket)
        let left = temporary.path(of: "datagrams")
        #expect(throws: FacilityError.self) { _ = try UnixListener<UnixDatagram>.create(at: .path(left)) }
        #expect(try Directory(opening: temporary.path).status(of: "datagrams") == nil)
        let empty = #expect(throws: FacilityError.self) { _ = try UnixListener<UnixStream>.create(at: .path("")) }
        #expect(empty?.errno == .noSuchFileOrDirectory && empty?.description.contains("an empty path") == true)
    }

    private final class Listening: Sendable {
        let listener: UnixListener<UnixStream>
        init(at address: UnixAddress) throws { listener = try UnixListener.create(at: address) }
        func accept(until deadline: MonotonicInstant) async throws(FacilityError) { _ = try await listener.accept(until: deadline) }
    }

    @Test("K1 of two that accept, one who connects is one's; the other waits on, until its deadline")
    func twoAccept() async throws {
        let address = address(true)
        let listening = try Listening(at: address)
        let tasks = (0..<2).map { _ in
            Task { () async -> Bool in
                do throws(FacilityError) {
                    let deadline = after(milliseconds: 300)
                    try await listening.accept(until: deadline)
                    return true
                } catch {
                    return !error.isDeadline
                }
            }
        }
        try await Task.sleep(for: .milliseconds(20))
        let client = try UnixStream.connect(to: address)
        var accepted = 0
        for task in tasks where await task.value { accepted += 1 }
        #expect(accepted == 1)
        _ = client.descriptor
    }

    @Test("K1 a socket that somebody else has made non-blocking waits all the same")
    func nonBlocking() async throws {
        let pair = try UnixStream.pair()
        #expect(fcntl(pair.first.descriptor.rawValue, F_SETFL, O_NONBLOCK) == 0)
        let other = pair.second.descriptor
        try startServiceThread(named: "test") {
            sleepThread(for: .milliseconds(20))
            _ = try? other.writeAll([7])
        }
        #expect(try blockingRead(pair.first, 9) == [7])
        let much = [UInt8](repeating: 1, count: 4 << 20)
        try startServiceThread(named: "test") {
            var left = much.count
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while left > 0, let count = unsafe try? buffer.withUnsafeMutableBytes({ unsafe try other.read(into: $0) }), count > 0 {
                left -= count
            }
        }
        try blockingWrite(pair.first, much)
        let messages = try UnixSeqpacket.pair()
        #expect(fcntl(messages.first.descriptor.rawValue, F_SETFL, O_NONBLOCK) == 0)
        let sender = messages.second.descriptor
        try startServiceThread(named: "test") {
            sleepThread(for: .milliseconds(20))
            _ = try? sender.writeAll([8])
        }
        #expect(try blockingReceive(messages.first, 9) == [8])
        _ = (pair.second.descriptor, messages.second.descriptor)
    }

    @Test("K1 every errno of the sockets' manual pages is told, with what to do")
    func errors() throws {
        let pair = try UnixStream.pair()
        let address = address(true)
        let listener = try UnixListener<UnixStream>.create(at: address)
        let opening: [Errno] = [.tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory, .noBufferSpace, .permissionDenied]
        expectEach(opening, of: "socketpair", .unixStream) { () throws(FacilityError) in _ = try UnixStream.pair() }
        expectEach(opening, of: "socket", .unixStream) { () throws(FacilityError) in _ = try UnixStream.connect(to: address) }
        expectEach(
            [
                .permissionDenied, .addressInUse, .invalidArgument, .noSuchFileOrDirectory, .noMemory, .notDirectory, .readOnlyFileSystem,
                .tooManySymbolicLinkLevels,
            ], of: "bind", .unixStream
        ) { () throws(FacilityError) in _ = try UnixListener<UnixStream>.create(at: self.address(true)) }
        expectEach([.addressInUse, .notSupportedOnSocket], of: "listen", .unixStream) { () throws(FacilityError) in
            _ = try UnixListener<UnixStream>.create(at: self.address(true))
        }
        expectEach(
            [.permissionDenied, .notPermitted, .connectionRefused, .alreadyInProcess, .socketIsConnected, .protocolWrongTypeForSocket],
            of: "connect", .unixStream
        ) { () throws(FacilityError) in _ = try UnixStream.connect(to: address) }
        expectEach([.connectionAbort, .tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory, .notPermitted], of: "accept4", .unixStream) {
            () throws(FacilityError) in _ = try listener.accept()
        }
        expectEach(
            [.badFileDescriptor, .connectionReset, .socketNotConnected, .noMemory, .noBufferSpace, .brokenPipe], of: "send", .unixStream
        ) { () throws(FacilityError) in try blockingWrite(pair.first, [1]) }
        expectEach([.badFileDescriptor, .connectionRefused, .socketNotConnected, .noMemory], of: "recv", .unixStream) {
            () throws(FacilityError) in _ = try tryRead(pair.first, 1)
        }
        expectEach([.noMemory, .protocolNotAvailable], of: "setsockopt(SO_SNDBUF)", .unixStream) { () throws(FacilityError) in
            try pair.first.setBufferSize(1)
        }
        expectEach([.protocolNotAvailable, .noSuchProcess], of: "getsockopt(SO_PEERPIDFD)", .unixStream) { () throws(FacilityError) in
            _ = try pair.first.peerProcess()
        }
        expectEach([.socketNotConnected], of: "shutdown", .unixStream) { () throws(FacilityError) in try pair.first.finishWriting() }
    }
}
