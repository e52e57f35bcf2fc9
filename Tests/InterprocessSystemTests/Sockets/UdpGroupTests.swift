import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import InterprocessSystem

@Suite("K2 UDP to many", .serialized)
struct UdpGroupTests {
    /// A program with a socket at a port that others have too, for all addresses or for those of a group that it joins, that prints what it gets, and with how many hops; lines go to the group.
    private func listener(_ port: UInt16, _ group: String = "") throws -> PeerProcess {
        try PeerProcess(
            python: """
                import socket, struct, sys, threading
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind((sys.argv[2], int(sys.argv[1])))
                s.setsockopt(socket.IPPROTO_IP, 12, 1)  # IP_RECVTTL
                if sys.argv[2]:
                    s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(sys.argv[2]) + struct.pack('=4si', b'', 1))
                    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, b'\\0' * 8 + struct.pack('=i', 1))
                    def speak():
                        for line in sys.stdin: s.sendto(line.strip().encode(), (sys.argv[2], int(sys.argv[1])))
                    threading.Thread(target=speak, daemon=True).start()
                print('ready', flush=True)
                while True:
                    m, control, _, _ = s.recvmsg(99, 99)
                    print(m.decode(), struct.unpack('i', control[0][2])[0] if sys.argv[2] else '', flush=True)
                """, ["\(port)", group])
    }

    /// What a socket has got, up to a last message that it sends itself.
    private func gotten(_ socket: borrowing UdpSocket) throws -> [String] {
        try blockingSend(socket, Array("last".utf8), to: .here(port: try socket.localAddress().port))
        var all: [String] = []
        while all.last != "last" { all.append(text(try blockingReceive(socket, 99, until: .after(watchdog)))) }
        return all.dropLast()
    }

    @Test("K2 a broadcast comes to all who have the port, and needs to be allowed")
    func broadcast() async throws {
        let mine = try UdpSocket.create(at: InternetAddress(.any(), port: 0), shared: true)
        let port = try mine.localAddress().port
        let unshared = #expect(throws: FacilityError.self) { _ = try UdpSocket.create(at: InternetAddress(.any(), port: port)) }
        #expect(unshared?.errno == .addressInUse)
        let python = try listener(port)
        try await python.expect("ready")
        let all = InternetAddress(IPAddress("127.255.255.255")!, port: port)
        let sender = try UdpSocket()
        for isOver in [false, true] {
            let forbidden = #expect(throws: FacilityError.self) { try blockingSend(sender, [1], to: all) }
            #expect(forbidden?.errno == .permissionDenied && forbidden?.advice.contains("setBroadcast") == true)
            if isOver { break }
            try sender.setBroadcast(true)
            try blockingSend(sender, Array("everybody".utf8), to: all)
            #expect(text(try blockingReceive(mine, 99)) == "everybody")
            try await python.expect("everybody ")
            try sender.setBroadcast(false)
        }
    }

    @Test("K2 a group's messages come to those who have joined, with as many hops as were asked for, until they leave")
    func group() async throws {
        let group = IPAddress("239.255.77.77")!
        let mine = try UdpSocket.create(at: InternetAddress(.any(), port: 0), shared: true)
        let port = try mine.localAddress().port
        let all = InternetAddress(group, port: port)
        try mine.join(group, on: .loopback)
        let twice = #expect(throws: FacilityError.self) { try mine.join(group, on: .loopback) }
        #expect(twice?.errno == .addressInUse && twice?.object == group.description)
        let python = try listener(port, group.description)
        try await python.expect("ready")
        try python.send("from python")
        #expect(text(try blockingReceive(mine, 99, until: .after(watchdog))) == "from python")
        try await python.expect("from python 1")
        // What it sends itself comes back.
        try mine.setGroupInterface(.loopback)
        try blockingSend(mine, Array("a".utf8), to: all)
        try await python.expect("a 1")
        for hops in [0, 7, 255] {
            try mine.setGroupHops(hops)
            try blockingSend(mine, Array("b".utf8), to: all)
            try await python.expect("b \(hops)")
        }
        for hops in [256, -1] {
            let invalid = #expect(throws: FacilityError.self) { try mine.setGroupHops(hops) }
            #expect(invalid?.errno == .invalidArgument && invalid?.advice.contains("0 to 255") == true)
        }
        #expect(try gotten(mine) == ["a", "b", "b", "b"])
        try mine.leave(group, on: .loopback)
        let left = #expect(throws: FacilityError.self) { try mine.leave(group, on: .loopback) }
        #expect(left?.errno == .addressNotAvailable && left?.advice.contains("not in that group") == true)
        // While another socket of this machine is in the group, its messages come to each that is at all addresses and has the port.
        python.kill()
        _ = try await python.ending()
        try blockingSend(mine, Array("nobody".utf8), to: all)
        #expect(try gotten(mine) == [])
    }

    /// By loopback, messages come back all the same.
    @Test("K2 whether messages to groups come back is said to the kernel", arguments: IPAddress.Version.here)
    func loop(_ version: IPAddress.Version) async throws {
        let off = try UdpSocket(version)
        let on = try UdpSocket(version)
        try off.setGroupLoop(false)
        try on.setGroupLoop(false)
        try on.setGroupLoop(true)
        let python = try PeerProcess(
            python: """
                import socket, sys
                level, option = (socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP) if sys.argv[1] == 'v4' else (socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP)
                for n in (3, 4): print(socket.socket(fileno=n).getsockopt(level, option), flush=True)
                """, ["\(version)"], descriptors: [(off.descriptor, 3), (on.descriptor, 4)])
        try await python.expect("0")
        try await python.expect("1")
    }

    /// An interface on which IPv6 has groups; loopback has none.
    private static let interface: NetworkInterface? = {
        let lines = text(readSmallFile("/proc/net/if_inet6")).split(separator: "\n")
        guard let name = lines.compactMap({ $0.split(separator: " ").last }).first(where: { $0 != "lo" }) else { return nil }
        return try? NetworkInterface(named: String(name))
    }()

    @Test(
        "K2 groups of IPv6, on an interface that has them",
        .enabled(if: interface != nil, "needs an interface with IPv6 besides loopback"))
    func sixth() throws {
        let interface = try #require(Self.interface)
        // Of those that do not leave the machine.
        let group = IPAddress("ff01::7777:\(String(getpid(), radix: 16))")!
        let mine = try UdpSocket.create(at: InternetAddress(.any(.v6), port: 0))
        let all = InternetAddress(group, port: try mine.localAddress().port)
        try mine.setGroupInterface(interface)
        try mine.setGroupHops(1)
        try mine.join(group, on: interface)
        try blockingSend(mine, [1], to: all)
        #expect(try blockingReceive(mine, 9, until: .after(watchdog)) == [1])
        try mine.setGroupLoop(false)
        try blockingSend(mine, [2], to: all)
        #expect(try tryReceive(mine, 9) == nil)
        for hops in [256, -1] {
            let invalid = #expect(throws: FacilityError.self) { try mine.setGroupHops(hops) }
            #expect(invalid?.errno == .invalidArgument)
        }
        try mine.leave(group, on: interface)
    }

    @Test("K2 a socket can be in as many groups as the kernel says, and not in one more; what is no group cannot be joined")
    func limits() throws {
        let socket = try UdpSocket.create(at: .here())
        let most = try #require(UdpSocket.mostGroups())
        for number in 0..<most { try socket.join(IPAddress(v4: 0xefff_0000 + UInt32(number)), on: .loopback) }
        let more = #expect(throws: FacilityError.self) { try socket.join(IPAddress("239.254.0.1")!, on: .loopback) }
        #expect(more?.errno == .noBufferSpace && more?.advice.contains("igmp_max_memberships") == true)
        let other = try UdpSocket.create(at: .here())
        let none = #expect(throws: FacilityError.self) { try other.join(.loopback(), on: .loopback) }
        #expect(none?.errno == .invalidArgument && none?.advice.contains("224.0.0.0") == true)
        let nowhere = #expect(throws: FacilityError.self) { try other.join(IPAddress("239.0.0.1")!, on: NetworkInterface(number: 1 << 30)) }
        #expect(nowhere?.errno == .operationNotSupportedByDevice && nowhere?.advice.contains("interface") == true)
        #expect(try NetworkInterface(named: "lo") == .loopback)
        let unnamed = #expect(throws: FacilityError.self) { _ = try NetworkInterface(named: "nosuch0") }
        #expect(unnamed?.errno == .operationNotSupportedByDevice && unnamed?.object == "nosuch0")
    }

    @Test("K2 every errno of the options is told, with what to do")
    func errors() throws {
        let socket = try UdpSocket()
        let group = IPAddress("239.0.0.1")!
        expectEach(
            [.addressInUse, .invalidArgument, .operationNotSupportedByDevice, .noBufferSpace, .noMemory, .notPermitted],
            of: "setsockopt(MCAST_JOIN_GROUP)", .udp
        ) { () throws(FacilityError) in try socket.join(group, on: .loopback) }
        expectEach([.addressNotAvailable, .invalidArgument], of: "setsockopt(MCAST_LEAVE_GROUP)", .udp) { () throws(FacilityError) in
            try socket.leave(group, on: .loopback)
        }
        expectEach([.addressNotAvailable, .invalidArgument], of: "setsockopt(IP_MULTICAST_IF)", .udp) { () throws(FacilityError) in
            try socket.setGroupInterface(.loopback)
        }
        expectEach([.protocolNotAvailable], of: "setsockopt(IP_MULTICAST_LOOP)", .udp) { () throws(FacilityError) in
            try socket.setGroupLoop(true)
        }
        expectEach([.invalidArgument], of: "setsockopt(IP_MULTICAST_TTL)", .udp) { () throws(FacilityError) in try socket.setGroupHops(1) }
        expectEach([.protocolNotAvailable], of: "getsockopt(SO_DOMAIN)", .udp) { () throws(FacilityError) in try socket.setGroupHops(1) }
        expectEach([.badFileDescriptor], of: "setsockopt(SO_BROADCAST)", .udp) { () throws(FacilityError) in try socket.setBroadcast(true) }
    }
}
