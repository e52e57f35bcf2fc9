import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

/// The program that everybody tries such things with is on the other side, in both directions. `.ci/run` installs it.
@Suite("K1 K2 socat on the other side", .serialized, .enabled(if: exists("/usr/bin/socat"), "needs the program socat"))
struct SocatTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    private func socat(_ first: String, _ second: String, descriptors: [(FileDescriptor, CInt)] = []) throws -> PeerProcess {
        try PeerProcess(program: "socat", [first, second], descriptors: descriptors)
    }

    /// Sends back what comes from it.
    private func echo<S: ByteReading & ByteWriting & ~Copyable>(_ stream: borrowing S, _ count: Int) throws {
        let bytes = try blockingRead(stream, count, until: .after(watchdog))
        try blockingWrite(stream, bytes)
    }

    private func echo<C: MessageChannel & ~Copyable>(_ channel: borrowing C, _ count: Int) throws {
        let message = try blockingReceive(channel, count, until: .after(watchdog))
        try blockingSend(channel, message)
    }

    /// Writes, and gets the same back.
    private func expectEcho<S: ByteReading & ByteWriting & ~Copyable>(of stream: borrowing S) throws {
        try blockingWrite(stream, Array("hello".utf8))
        #expect(text(try blockingRead(stream, 99, until: .after(watchdog))) == "hello")
    }

    private func expectEcho<C: MessageChannel & ~Copyable>(of channel: borrowing C) throws {
        try blockingSend(channel, Array("hello".utf8))
        #expect(text(try blockingReceive(channel, 99, until: .after(watchdog))) == "hello")
    }

    /// A connection to one that may not listen yet.
    private func connected(_ connect: () throws -> FileDescriptor) async throws -> FileDescriptor {
        var descriptor: FileDescriptor?
        try await eventually("socat listens") {
            descriptor = try? connect()
            return descriptor != nil
        }
        return try #require(descriptor)
    }

    // By names of their own: in an asynchronous function the asynchronous form would be chosen.
    private func stream(to address: UnixAddress) throws -> FileDescriptor { try UnixStream.connect(to: address).release() }
    private func seqpacket(to address: UnixAddress) throws -> FileDescriptor { try UnixSeqpacket.connect(to: address).release() }
    private func tcp(to address: InternetAddress) throws -> FileDescriptor { try blockingConnect(to: address).release() }

    // Where an asynchronous test would choose the asynchronous form.
    private func send<S: DatagramSocket & ~Copyable>(_ bytes: [UInt8], by socket: borrowing S, to address: S.Address) throws {
        try socket.send(bytes.span, to: address)
    }

    // MARK: Unix sockets

    @Test("K1 unix stream sockets, by path and by abstract name", arguments: [false, true])
    func unixStream(isAbstract: Bool) async throws {
        let name = "interprocess-socat-\(ProcessIdentity.current().pid)"
        let address = isAbstract ? UnixAddress.abstract(name) : .path(directory.path(of: "s"))
        let listener = try UnixListener<UnixStream>.create(at: address)
        let theirs = isAbstract ? "ABSTRACT-CONNECT:\(name)" : "UNIX-CONNECT:\(directory.path(of: "s"))"
        let client = try socat("STDIO", theirs)
        let stream = try accepted(listener)
        try client.send("typed")
        try echo(stream, 6)
        try await client.expect("typed")
        let path = directory.path(of: "t")
        let server = try socat(isAbstract ? "ABSTRACT-LISTEN:\(name)-2" : "UNIX-LISTEN:\(path)", "PIPE")
        let connection = try await connected { try self.stream(to: isAbstract ? .abstract("\(name)-2") : .path(path)) }
        try expectEcho(of: UnixStream(owning: connection))
        _ = server
    }

    private func accepted<S: Socket & ~Copyable>(_ listener: borrowing SocketListener<S>) throws -> S {
        try listener.accept(until: .after(watchdog))
    }

    @Test("K2 unix seqpacket sockets")
    func unixSeqpacket() async throws {
        let path = directory.path(of: "s")
        let listener = try UnixListener<UnixSeqpacket>.create(at: .path(path))
        // 5: SOCK_SEQPACKET.
        let client = try socat("STDIO", "UNIX-CONNECT:\(path),type=5")
        let socket = try accepted(listener)
        try client.send("typed")
        try echo(socket, 99)
        try await client.expect("typed")
        let other = directory.path(of: "t")
        let server = try socat("UNIX-LISTEN:\(other),type=5", "PIPE")
        let connection = try await connected { try seqpacket(to: .path(other)) }
        try expectEcho(of: UnixSeqpacket(owning: connection))
        _ = server
    }

    @Test("K2 unix datagram sockets")
    func unixDatagram() async throws {
        let path = directory.path(of: "s")
        let socket = try UnixDatagram.create(at: .path(path))
        let client = try socat("STDIO", "UNIX-SENDTO:\(path),bind=\(directory.path(of: "c"))")
        try client.send("typed")
        let message = try blockingReceiveWithSender(socket, 99, until: .after(watchdog))
        #expect(message.sender == .path(directory.path(of: "c")))
        try send(message.bytes, by: socket, to: try #require(message.sender))
        try await client.expect("typed")
        let other = directory.path(of: "t")
        let server = try socat("UNIX-RECVFROM:\(other)", "PIPE")
        try await eventually("socat is there") { exists(other) }
        try send(Array("hello".utf8), by: socket, to: .path(other))
        #expect(text(try blockingReceive(socket, 99, until: .after(watchdog))) == "hello")
        _ = server
    }

    // MARK: Internet

    private func theirs(_ version: IPAddress.Version) -> String { version == .v4 ? "127.0.0.1" : "[::1]" }
    private func digit(_ version: IPAddress.Version) -> String { version == .v4 ? "4" : "6" }

    @Test("K1 TCP", arguments: IPAddress.Version.here)
    func tcp(version: IPAddress.Version) async throws {
        let listener = try TcpListener.create(at: .here(version))
        let port = try listener.localAddress().port
        let client = try socat("STDIO", "TCP\(digit(version)):\(theirs(version)):\(port)")
        let stream = try accepted(listener)
        try client.send("typed")
        try echo(stream, 6)
        try await client.expect("typed")
        let free = try TcpListener.create(at: .here(version)).localAddress().port
        let server = try socat("TCP\(digit(version))-LISTEN:\(free),bind=\(theirs(version)),reuseaddr", "PIPE")
        let connection = try await connected { try tcp(to: .here(version, port: free)) }
        try expectEcho(of: TcpStream(owning: connection))
        _ = server
    }

    @Test("K2 UDP", arguments: IPAddress.Version.here)
    func udp(version: IPAddress.Version) async throws {
        let socket = try UdpSocket.create(at: .here(version))
        let port = try socket.localAddress().port
        let client = try socat("STDIO", "UDP\(digit(version)):\(theirs(version)):\(port)")
        try client.send("typed")
        let message = try blockingReceiveWithSender(socket, 99, until: .after(watchdog))
        try send(message.bytes, by: socket, to: message.sender)
        try await client.expect("typed")
        let free = try UdpSocket.create(at: .here(version)).localAddress().port
        let server = try socat("UDP\(digit(version))-RECVFROM:\(free),bind=\(theirs(version)),fork", "PIPE")
        // Lost until it is there.
        var answer: [UInt8]?
        for _ in 0..<5000 where answer == nil {
            try send(Array("hello".utf8), by: socket, to: .here(version, port: free))
            answer = try? blockingReceive(socket, 99, until: after(milliseconds: 20))
        }
        #expect(text(answer) == "hello")
        _ = server
    }

    // MARK: Pipes, FIFOs, terminals

    @Test("K1 pipes")
    func pipe() async throws {
        let there = try Pipe(), back = try Pipe()
        let other = try socat("FD:3", "FD:4", descriptors: [(there.reading.descriptor, 3), (back.writing.descriptor, 4)])
        try blockingWrite(there.writing, Array("hello".utf8))
        #expect(text(try blockingRead(back.reading, 99, until: .after(watchdog))) == "hello")
        _ = other
    }

    @Test("K1 FIFOs")
    func fifo() async throws {
        let there = try Fifo.create(at: directory.path(of: "there")), back = try Fifo.create(at: directory.path(of: "back"))
        let other = try socat("-u", "OPEN:\(there.path),rdonly", to: "OPEN:\(back.path),wronly")
        let reader = try back.openReaderAtOnce()
        let writer = try there.openWriter()
        try blockingWrite(writer, Array("hello".utf8))
        // Before somebody has opened it to write, reading would find the end.
        try waitToRead(reader)
        let found = try blockingRead(reader, 99, until: .after(watchdog))
        #expect(text(found) == "hello")
        _ = other
    }

    private func isRaw<T: TerminalSide & ~Copyable>(_ terminal: borrowing T) throws -> Bool {
        let mode = try terminal.mode()
        return !mode.echoes && !mode.collectsLines
    }

    private func socat(_ option: String, _ first: String, to second: String) throws -> PeerProcess {
        try PeerProcess(program: "socat", [option, first, second])
    }

    @Test("K1 pseudoterminals: socat is the program, and plays the person")
    func terminal() async throws {
        let ours = try Pseudoterminal.create()
        let place = try ours.path()
        let program = try socat("OPEN:\(place),raw,echo=0", "PIPE")
        try await eventually("socat has set the mode") { try isRaw(ours) }
        try expectEcho(of: ours)
        _ = program
        let path = directory.path(of: "pty")
        let person = try socat("PTY,link=\(path),raw,echo=0", "PIPE")
        try await eventually("the terminal is there") { exists(path) }
        let theirs = try Terminal.open(at: path)
        try await eventually("socat has set the mode") { try isRaw(theirs) }
        try expectEcho(of: theirs)
        _ = person
    }
}

private func exists(_ path: FilePath) -> Bool { unsafe access(path.string, F_OK) == 0 }
