import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K2 message sockets between programs", .serialized)
struct MessageProgramTests {
    private let temporary: TemporaryDirectory

    init() throws { temporary = try TemporaryDirectory() }

    private func path(_ name: String) -> UnixAddress { .path(temporary.path(of: name)) }

    /// A program with a datagram socket `s` at "theirs".
    private func receiver() async throws -> PeerProcess {
        let python = try PeerProcess(obeying: [])
        try await python.does("s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind('\(path("theirs"))')")
        return python
    }

    /// How many messages wait at most at a socket to which many send: those of the kernel's limit, and one.
    private func most(_ python: PeerProcess) async throws -> Int {
        try await python.number(of: "open('/proc/sys/net/unix/max_dgram_qlen').read()") + 1
    }

    @Test("K2 as many datagrams wait at another program's address as may, and not one more; sending waits until it receives")
    func datagramsToAddress() async throws {
        let python = try await receiver()
        let socket = try UnixDatagram()
        let most = try await most(python)
        for number in 0..<most { #expect(try socket.trySend([UInt8(truncatingIfNeeded: number)].span, to: path("theirs"))) }
        #expect(try !socket.trySend([99].span, to: path("theirs")))
        try python.releases(by: "first = s.recv(9)")
        try socket.send([77].span, to: path("theirs"))
        try await python.isDone()
        #expect(try await python.value(of: "[s.recv(9)[0] for _ in range(\(most))][-1], first[0]") == "77 0")
    }

    @Test("K2 a connected datagram socket waits until the other program receives", arguments: WaitingForm.allCases)
    func datagrams(_ form: WaitingForm) async throws {
        let python = try await receiver()
        let socket = try UnixDatagram.connect(to: path("theirs"))
        let sent = try fillWithMessages(socket)
        #expect(try await most(python) == sent)
        let late = #expect(throws: FacilityError.self) { try blockingSend(socket, [1], until: after(milliseconds: 5)) }
        #expect(late?.isDeadline == true)
        try python.releases(form, by: "s.recv(9)")
        try await send(socket, [77], form)
        try await python.isDone()
        #expect(try await python.value(of: "[s.recv(9)[0] for _ in range(\(sent))][-1]") == "77")
    }

    @Test("K2 the receiver of datagrams is killed while this side waits for room", arguments: WaitingForm.allCases)
    func deathWhileSending(_ form: WaitingForm) async throws {
        let python = try await receiver()
        let socket = try UnixDatagram.connect(to: path("theirs"))
        _ = try fillWithMessages(socket)
        try python.releases(form, by: "die()")
        let gone = await #expect(throws: FacilityError.self) { try await send(socket, [1], form) }
        #expect(gone.map { $0.errno == .connectionRefused || $0.isOtherSideGone } == true, "\(String(describing: gone))")
    }

    @Test("K2 receiving datagrams waits until another program sends", arguments: WaitingForm.allCases)
    func receivingDatagrams(_ form: WaitingForm) async throws {
        let mine = try UnixDatagram.create(at: path("mine"))
        let python = try await receiver()
        try python.releases(form, by: "s.sendto(b'late', '\(path("mine"))')")
        #expect(text(try await receive(mine, 9, form)) == "late")
        try await python.isDone()
        // The sender's death changes nothing in what it has sent.
        try await python.does("s.sendto(b'last', '\(path("mine"))')")
        try await python.isKilled()
        #expect(text(try await receive(mine, 9, form)) == "last")
    }

    // MARK: Seqpackets

    @Test("K2 the largest seqpacket goes to another program whole; one byte more is an error")
    func largestSeqpacket() async throws {
        let pair = try UnixSeqpacket.pair()
        let python = try PeerProcess(obeying: [(pair.second.descriptor, 3)])
        try await python.does("s = socket.socket(fileno=3)")
        let socket = try pair.keepFirst()
        try socket.setBufferSize(20_000)
        var (least, most) = (1, 1_000_000)
        while most - least > 1 {
            let middle = (least + most) / 2
            let isTaken = try fits(.pattern(middle), socket)
            if isTaken { #expect(try await python.number(of: "len(s.recv(1 << 20))") == middle) }
            if isTaken { least = middle } else { most = middle }
        }
        #expect(least >= 20_000)
        try blockingSend(socket, .pattern(least))
        #expect(try await python.number(of: "len(s.recv(1 << 20))") == least)
        let long = #expect(throws: FacilityError.self) { try blockingSend(socket, .pattern(least + 1)) }
        #expect(long?.errno == .messageTooLong && long?.advice.contains("setBufferSize") == true)
    }

    private func fits(_ message: [UInt8], _ socket: borrowing UnixSeqpacket) throws(FacilityError) -> Bool {
        do throws(FacilityError) {
            try blockingSend(socket, message)
            return true
        } catch let error where error.errno == .messageTooLong {
            return false
        }
    }

    @Test(
        "K2 a full seqpacket socket takes no message more until the other program receives; receiving waits until it sends",
        arguments: WaitingForm.allCases)
    func fullSeqpacket(_ form: WaitingForm) async throws {
        let pair = try UnixSeqpacket.pair()
        let python = try PeerProcess(obeying: [(pair.second.descriptor, 3)])
        try await python.does("s = socket.socket(fileno=3)")
        let socket = try pair.keepFirst()
        let sent = try fillWithMessages(socket)
        #expect(sent > 0)
        #expect(try !socket.trySend([2].span))
        let late = #expect(throws: FacilityError.self) { try blockingSend(socket, [2], until: after(milliseconds: 5)) }
        #expect(late?.isDeadline == true)
        try python.releases(form, by: "found = [s.recv(9) for _ in range(\(sent))]")
        try await send(socket, [77], form)
        try await python.isDone()
        #expect(try await python.value(of: "s.recv(9)[0]") == "77")
        try python.releases(form, by: "s.send(b'late')")
        #expect(text(try await receive(socket, 9, form)) == "late")
        try await python.isDone()
    }

    @Test(
        "K2 the other side of a seqpacket socket is killed while this one waits for room, or for a message", arguments: WaitingForm.allCases
    )
    func seqpacketDeath(_ form: WaitingForm) async throws {
        for isFull in [true, false] {
            let pair = try UnixSeqpacket.pair()
            let python = try PeerProcess(obeying: [(pair.second.descriptor, 3)])
            try await python.does("pass")
            let socket = try pair.keepFirst()
            if isFull {
                _ = try fillWithMessages(socket)
                try python.releases(form, by: "die()")
                let gone = await #expect(throws: FacilityError.self) { try await send(socket, [1], form) }
                #expect(gone?.isOtherSideGone == true)
            } else {
                try python.releases(form, by: "die()")
                #expect(try await receive(socket, 9, form) == [])
            }
        }
    }

    @Test("K2 a seqpacket that a killed program has not read is told once by the kernel, then comes the end")
    func unreadSeqpacket() async throws {
        let pair = try UnixSeqpacket.pair()
        let python = try PeerProcess(obeying: [(pair.second.descriptor, 3)])
        try await python.does("pass")
        let socket = try pair.keepFirst()
        try blockingSend(socket, [1, 2, 3])
        try await python.isKilled()
        let reset = #expect(throws: FacilityError.self) { _ = try blockingReceive(socket, 9) }
        #expect(reset?.errno == .connectionReset && reset?.isOtherSideGone == true)
        #expect(try blockingReceive(socket, 9) == [])
        let gone = #expect(throws: FacilityError.self) { try blockingSend(socket, [1]) }
        #expect(gone?.errno == .brokenPipe)
    }

    // MARK: UDP

    @Test(
        "K2 receiving from the network waits until another program sends; its death changes nothing in what it has sent",
        arguments: WaitingForm.allCases)
    func udp(_ form: WaitingForm) async throws {
        let socket = try UdpSocket.create(at: .here())
        let python = try PeerProcess(obeying: [])
        let port = try socket.localAddress().port
        try await python.does("s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)")
        try python.releases(form, by: "s.sendto(b'late', ('127.0.0.1', \(port)))")
        #expect(text(try await receive(socket, 9, form)) == "late")
        try await python.isDone()
        try await python.does("s.sendto(b'last', ('127.0.0.1', \(port)))")
        try await python.isKilled()
        #expect(text(try await receive(socket, 9, form)) == "last")
    }

    @Test(
        "K2 every errno of the options for groups of IPv6 is told, with what to do",
        .enabled(if: IPAddress.Version.here.contains(.v6), "needs IPv6"))
    func sixthErrors() throws {
        let socket = try UdpSocket(.v6)
        let group = IPAddress("ff01::7777")!
        expectEach(
            [.addressInUse, .addressNotAvailable, .invalidArgument, .operationNotSupportedByDevice, .noBufferSpace, .noMemory],
            of: "setsockopt(MCAST_JOIN_GROUP)", .udp
        ) { () throws(FacilityError) in try socket.join(group, on: .loopback) }
        expectEach([.addressNotAvailable, .invalidArgument], of: "setsockopt(MCAST_LEAVE_GROUP)", .udp) { () throws(FacilityError) in
            try socket.leave(group, on: .loopback)
        }
        expectEach([.addressNotAvailable, .invalidArgument, .operationNotSupportedByDevice], of: "setsockopt(IPV6_MULTICAST_IF)", .udp) {
            () throws(FacilityError) in try socket.setGroupInterface(.loopback)
        }
        expectEach([.protocolNotAvailable, .invalidArgument], of: "setsockopt(IPV6_MULTICAST_LOOP)", .udp) { () throws(FacilityError) in
            try socket.setGroupLoop(false)
        }
        expectEach([.protocolNotAvailable, .invalidArgument], of: "setsockopt(IPV6_MULTICAST_HOPS)", .udp) { () throws(FacilityError) in
            try socket.setGroupHops(1)
        }
        // The kernel's own words.
        let none = #expect(throws: FacilityError.self) { try socket.join(.loopback(.v6), on: .loopback) }
        #expect(none?.errno == .invalidArgument)
        let left = #expect(throws: FacilityError.self) { try socket.leave(group, on: .loopback) }
        #expect(left?.errno == .addressNotAvailable && left?.advice.contains("not in that group") == true)
        let nowhere = #expect(throws: FacilityError.self) { try socket.setGroupInterface(NetworkInterface(number: 1 << 30)) }
        #expect(nowhere?.errno == .operationNotSupportedByDevice)
        let foreign = #expect(throws: FacilityError.self) { try socket.join(group, on: NetworkInterface(number: 1 << 30)) }
        #expect(foreign?.errno == .operationNotSupportedByDevice)
    }
}
