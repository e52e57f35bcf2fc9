import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K2 unix seqpacket and datagram sockets", .serialized)
struct UnixMessageTests {
    private let temporary: TemporaryDirectory

    init() throws { temporary = try TemporaryDirectory() }

    private func path(_ name: String = "socket") -> UnixAddress { .path(temporary.path(of: name)) }

    @Test("K2 seqpackets: another program gets and sends whole messages, and its death is the end")
    func seqpacket() async throws {
        let listener = try UnixListener<UnixSeqpacket>.create(at: path())
        let python = try PeerProcess(
            python: """
                import socket, sys
                s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                s.connect(sys.argv[1])
                while (m := s.recv(1 << 20)): s.send(m[::-1])
                """, [path().description])
        let socket = try await listener.accept(until: .after(watchdog))
        let large = [UInt8].pattern(100_000)
        for message in [[1, 2, 3], [4], large] as [[UInt8]] { try blockingSend(socket, message) }
        #expect(try blockingReceive(socket, 9) == [3, 2, 1])
        #expect(try await receive(socket, 9) == [4])
        #expect(try blockingReceive(socket, 100_000, until: .after(watchdog)) == large.reversed())
        #expect(try socket.peerCredentials().pid == python.pid)
        python.kill()
        _ = try await python.ending()
        #expect(try blockingReceive(socket, 9) == [])
        let gone = #expect(throws: FacilityError.self) { try blockingSend(socket, [1]) }
        #expect(gone?.isOtherSideGone == true)
    }

    @Test("K2 datagrams: to an address and back, also empty ones; a dead receiver is told")
    func datagram() async throws {
        let mine = try UnixDatagram.create(at: path("mine"))
        let python = try PeerProcess(
            python: """
                import socket, sys
                s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                s.bind(sys.argv[1])
                print('bound', flush=True)
                while True:
                    m, sender = s.recvfrom(1 << 20)
                    if sender: s.sendto(m + b'!', sender)
                """, [path("theirs").description])
        try await python.expect("bound")
        try mine.send(Array("a".utf8).span, to: path("theirs"))
        #expect(try mine.trySend([UInt8]().span, to: path("theirs")))
        #expect(text(try blockingReceive(mine, 9)) == "a!")
        #expect(try blockingReceiveWithSender(mine, 9) == Received(bytes: [33], sender: path("theirs")))
        let connected = try UnixDatagram.connect(to: path("theirs"))
        try await connected.send([7].span)
        python.kill()
        _ = try await python.ending()
        let refused = #expect(throws: FacilityError.self) { try mine.send([1].span, to: path("theirs")) }
        #expect(refused?.errno == .connectionRefused)
        let gone = #expect(throws: FacilityError.self) { try blockingSend(connected, [1]) }
        #expect(gone?.errno == .connectionRefused)
        let missing = #expect(throws: FacilityError.self) { try mine.send([1].span, to: path("nobody")) }
        #expect(missing?.errno == .noSuchFileOrDirectory && missing?.object == path("nobody").description)
    }

    @Test("K2 a message one byte longer than the buffer is an error; its size can be asked for before")
    func boundaries() throws {
        let pair = try UnixSeqpacket.pair()
        #expect(try pair.second.nextMessageSize() == nil)
        try blockingSend(pair.first, [1, 2, 3])
        try blockingSend(pair.first, [4])
        #expect(try pair.second.nextMessageSize() == 3)
        #expect(try pair.second.nextMessageSize() == 3, "it stays")
        let long = #expect(throws: FacilityError.self) { _ = try blockingReceive(pair.second, 2) }
        #expect(long?.errno == .messageTooLong && long?.advice.contains("nextMessageSize") == true)
        #expect(try blockingReceive(pair.second, 1) == [4])
        // The largest that the socket takes, found by halves, and one byte more.
        let datagrams = try UnixDatagram.pair()
        try datagrams.first.setBufferSize(20_000)
        func fits(_ count: Int) throws -> Bool {
            do throws(FacilityError) {
                try blockingSend(datagrams.first, .pattern(count))
            } catch let error where error.errno == .messageTooLong {
                return false
            }
            #expect(try blockingReceive(datagrams.second, count) == .pattern(count))
            return true
        }
        var (least, most) = (1, 1_000_000)
        while most - least > 1 {
            let middle = (least + most) / 2
            if try fits(middle) { least = middle } else { most = middle }
        }
        #expect(try fits(least) && !fits(least + 1))
        #expect(least >= 20_000)
    }

    @Test("K2 without room trying says so, and waiting ends with the deadline")
    func blocking() async throws {
        let pair = try UnixDatagram.pair()
        #expect(try tryReceive(pair.second, 9) == nil)
        var sent = 0
        while try pair.first.trySend([UInt8(truncatingIfNeeded: sent)].span) { sent += 1 }
        #expect(sent > 0)
        let late = #expect(throws: FacilityError.self) { try blockingSend(pair.first, [1], until: after(milliseconds: 5)) }
        #expect(late?.isDeadline == true)
        let suspended = await #expect(throws: FacilityError.self) { try await pair.first.send([1].span, until: after(milliseconds: 5)) }
        #expect(suspended?.isDeadline == true)
        async let sending: Void = pair.first.send([99].span)
        for number in 0..<sent { #expect(try blockingReceive(pair.second, 9) == [UInt8(truncatingIfNeeded: number)]) }
        try await sending
        #expect(try await receive(pair.second, 9) == [99])
        let empty = #expect(throws: FacilityError.self) { _ = try blockingReceive(pair.second, 9, until: after(milliseconds: 5)) }
        #expect(empty?.isDeadline == true)
    }

    @Test("K2 every errno of sendto(2) and recvfrom(2) is told, with what to do")
    func errors() throws {
        let socket = try UnixDatagram.create(at: path())
        let address = path()
        expectEach(
            [
                .permissionDenied, .connectionReset, .messageTooLong, .noBufferSpace, .noMemory, .connectionRefused, .notDirectory,
                .protocolWrongTypeForSocket,
            ], of: "sendto", .unixDatagram
        ) { () throws(FacilityError) in try socket.send([1].span, to: address) }
        expectEach([.badFileDescriptor, .noMemory, .connectionRefused], of: "recvfrom", .unixDatagram) { () throws(FacilityError) in
            var bytes = [UInt8](repeating: 0, count: 9)
            var span = bytes.mutableSpan
            _ = try socket.receiveWithSender(into: &span)
        }
        let pair = try UnixSeqpacket.pair()
        expectEach([.messageTooLong, .brokenPipe, .noBufferSpace], of: "send", .unixSeqpacket) { () throws(FacilityError) in
            try blockingSend(pair.first, [1])
        }
        expectEach([.noMemory, .connectionReset], of: "recv", .unixSeqpacket) { () throws(FacilityError) in
            _ = try tryReceive(pair.first, 1)
        }
    }
}
