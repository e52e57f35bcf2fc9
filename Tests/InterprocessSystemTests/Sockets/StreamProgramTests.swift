import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K1 stream sockets between programs", .serialized)
struct StreamProgramTests {
    private let abstract = "interprocess-test-\(getpid())-\(randomUInt64())"

    /// A unix socket whose other side another program has.
    private func unix() async throws -> OtherSide<UnixStream> {
        let pair = try UnixStream.pair()
        let python = try PeerProcess(obeying: [(pair.second.descriptor, 3)])
        try await python.does("s = socket.socket(fileno=3)")
        return OtherSide(socket: try pair.keepFirst(), python: python)
    }

    private func tcp() async throws -> OtherSide<TcpStream> {
        let listener = try TcpListener.create(at: .here())
        let python = try PeerProcess(obeying: [])
        try await python.does("s = socket.create_connection(('127.0.0.1', \(try listener.localAddress().port)))")
        return OtherSide(socket: try blockingAccept(listener, until: .after(watchdog)), python: python)
    }

    /// Writing waits until the other program reads, reading until it writes.
    private func expectRelease<S: StreamSocket & ~Copyable>(of other: borrowing OtherSide<S>, _ form: WaitingForm) async throws {
        let data = [UInt8](repeating: 7, count: 16 << 20)
        try other.python.releases(form, by: "drain(s.fileno(), \(data.count))")
        try await write(other.socket, data, form)
        try await other.python.isDone()
        try other.python.releases(form, by: "s.sendall(b'late')")
        #expect(text(try await read(other.socket, 4, form)) == "late")
        try await other.python.isDone()
    }

    /// The other program is killed while this one waits for room.
    private func expectDeath<S: StreamSocket & ~Copyable>(of other: borrowing OtherSide<S>, _ form: WaitingForm) async throws {
        let before = signal(SIGPIPE, SIG_DFL)
        defer { _ = signal(SIGPIPE, before) }
        let data = [UInt8](repeating: 7, count: 16 << 20)
        try other.python.releases(form, by: "die()")
        let error = await #expect(throws: FacilityError.self) { try await write(other.socket, data, form) }
        #expect(error?.isOtherSideGone == true)
        let transferred = try #require(error?.transferred)
        #expect(transferred < data.count)
        #expect(try await other.python.ending() == .signalled(Signal.kill))
    }

    @Test("K1 a unix stream that waits goes on when another program reads or writes", arguments: WaitingForm.allCases)
    func unixRelease(_ form: WaitingForm) async throws { try await expectRelease(of: try await unix(), form) }

    @Test("K1 TCP that waits goes on when another program reads or writes", arguments: WaitingForm.allCases)
    func tcpRelease(_ form: WaitingForm) async throws { try await expectRelease(of: try await tcp(), form) }

    @Test("K1 the other side of a unix stream is killed while this one waits for room", arguments: WaitingForm.allCases)
    func unixDeath(_ form: WaitingForm) async throws { try await expectDeath(of: try await unix(), form) }

    @Test("K1 the other side of TCP is killed while this one waits for room", arguments: WaitingForm.allCases)
    func tcpDeath(_ form: WaitingForm) async throws { try await expectDeath(of: try await tcp(), form) }

    @Test("K1 who waits to read gets the end when the other program is killed", arguments: WaitingForm.allCases)
    func deathWhileReading(_ form: WaitingForm) async throws {
        let unix = try await unix()
        try unix.python.releases(form, by: "die()")
        #expect(try await read(unix.socket, 9, form) == [])
        let tcp = try await tcp()
        try tcp.python.releases(form, by: "die()")
        #expect(try await read(tcp.socket, 9, form) == [])
    }

    @Test("K1 who connects while as many wait as may is released when another program accepts", arguments: [false, true])
    func connecting(_ hasDeadline: Bool) async throws {
        let python = try PeerProcess(obeying: [])
        try await python.does("l = socket.socket(socket.AF_UNIX); l.bind('\\0\(abstract)'); l.listen(0)")
        let address = UnixAddress.abstract(abstract)
        let first = try UnixStream.connect(to: address)
        let late = #expect(throws: FacilityError.self) { _ = try UnixStream.connect(to: address, until: after(milliseconds: 5)) }
        #expect(late?.isDeadline == true)
        try python.releases(by: "a = l.accept()[0]")
        let second = try UnixStream.connect(to: address, until: hasDeadline ? .after(watchdog) : nil)
        try await python.isDone()
        try await python.does("b = l.accept()[0]; a.sendall(b'a'); b.sendall(b'b')")
        #expect(text(try blockingRead(first, 9)) == "a")
        #expect(text(try blockingRead(second, 9)) == "b")
    }

    @Test("K1 who connects while as many wait as may is told when the other program is killed", arguments: [false, true])
    func deathWhileConnecting(_ hasDeadline: Bool) async throws {
        let python = try PeerProcess(obeying: [])
        try await python.does("l = socket.socket(socket.AF_UNIX); l.bind('\\0\(abstract)'); l.listen(0)")
        let address = UnixAddress.abstract(abstract)
        let first = try UnixStream.connect(to: address)
        try python.releases(by: "die()")
        let refused = #expect(throws: FacilityError.self) {
            _ = try UnixStream.connect(to: address, until: hasDeadline ? .after(watchdog) : nil)
        }
        #expect(refused?.errno == .connectionRefused)
        let error = #expect(throws: FacilityError.self) { try blockingWrite(first, [1]) }
        #expect(error?.isOtherSideGone == true)
    }

    @Test("K1 accepting waits until another program connects", arguments: [false, true])
    func accepting(_ hasDeadline: Bool) async throws {
        let listener = try TcpListener.create(at: .here())
        let python = try PeerProcess(obeying: [])
        try await python.does("pass")
        try python.releases(by: "s = socket.create_connection(('127.0.0.1', \(try listener.localAddress().port)))")
        let stream = try blockingAccept(listener, until: hasDeadline ? .after(watchdog) : nil)
        try await python.isDone()
        #expect(try stream.peerAddress().port == UInt16(try await python.number(of: "s.getsockname()[1]")))
    }

    @Test("K7 two programs look at what comes next, and it stays for each")
    func peeking() async throws {
        let other = try await unix()
        try await other.python.does("s.sendall(b'from there')")
        for _ in 0..<2 {
            var bytes = [UInt8](repeating: 0, count: 4)
            var span = bytes.mutableSpan
            #expect(try other.socket.tryPeek(into: &span) == 4)
            #expect(text(bytes) == "from")
        }
        try blockingWrite(other.socket, Array("from here".utf8))
        for _ in 0..<2 { #expect(try await other.python.value(of: "s.recv(4, socket.MSG_PEEK).decode()") == "from") }
        #expect(try await other.python.value(of: "s.recv(99).decode()") == "from here")
        #expect(text(try blockingRead(other.socket, 99)) == "from there")
        try await other.python.isKilled()
        var bytes = [UInt8](repeating: 0, count: 4)
        var span = bytes.mutableSpan
        #expect(try other.socket.tryPeek(into: &span) == 0, "the end")
    }

    @Test("K7 a process that is dead is the other side's all the same, by number and by descriptor")
    func deadPeer() async throws {
        let listener = try UnixListener<UnixStream>.create(at: .abstract(abstract))
        let python = try PeerProcess(obeying: [])
        try await python.does("s = socket.socket(socket.AF_UNIX); s.connect('\\0\(abstract)')")
        let stream = try await listener.accept(until: .after(watchdog))
        let alive = try stream.peerProcess()
        #expect(try !alive.hasEnded())
        try await python.isKilled()
        #expect(try stream.peerCredentials().pid == python.pid)
        #expect(try alive.hasEnded())
        let gone = #expect(throws: FacilityError.self) { try alive.send(signal: 0) }
        #expect(gone?.errno == .noSuchProcess)
        // Newer kernels hand out the descriptor of a process that has been reaped; older ones say that there is none.
        do throws(FacilityError) {
            let dead = try stream.peerProcess()
            #expect(try dead.hasEnded())
        } catch {
            #expect([.noSuchProcess, .invalidArgument].contains(error.errno), "\(error)")
        }
    }

    @Test("K1 as many wait to be accepted as was asked for, up to the kernel's limit, and not one more")
    func backlog() async throws {
        let python = try PeerProcess(obeying: [])
        let most = try await python.number(of: "open('/proc/sys/net/core/somaxconn').read()")
        for (asked, granted) in [(7, 7), (most, most), (most + 1, most), (Int.max, most)] {
            let listener = try TcpListener.create(at: .here(), backlog: asked)
            let other = try PeerProcess(obeying: [(listener.descriptor, 3)])
            // TCP_INFO says it of a listener as the number of what is acknowledged.
            let found = try await other.number(of: "struct.unpack_from('I', socket.socket(fileno=3).getsockopt(6, 11, 104), 28)[0]")
            #expect(found == granted)
        }
    }

    @Test("K1 a socket's buffer is granted up to the kernel's limit, and not one byte more")
    func buffers() async throws {
        let python = try PeerProcess(obeying: [])
        let sending = try await python.number(of: "open('/proc/sys/net/core/wmem_max').read()")
        let receiving = try await python.number(of: "open('/proc/sys/net/core/rmem_max').read()")
        let pair = try UnixStream.pair()
        let socket = try UdpSocket()
        // The kernel doubles it.
        for more in [0, 1] {
            #expect(try pair.first.setBufferSize(sending + more) == 2 * sending)
            #expect(try socket.setReceiveBufferSize(receiving + more) == 2 * receiving)
        }
    }

    @Test("K1 the errno of recvmsg(2) that an other side which refuses has, is told")
    func errors() throws {
        let pair = try UnixStream.pair()
        expectEach([.connectionRefused, .socketNotConnected, .badAddress, .invalidArgument], of: "recvmsg", .unixStream) {
            () throws(FacilityError) in
            var came = ReceivedDescriptors()
            var bytes: [UInt8] = [0]
            var span = bytes.mutableSpan
            _ = try pair.first.receive(into: &span, with: &came)
        }
    }
}

/// A socket, and the program that has the other side as `s`.
private struct OtherSide<S: StreamSocket & ~Copyable>: ~Copyable {
    let socket: S
    let python: PeerProcess
}
