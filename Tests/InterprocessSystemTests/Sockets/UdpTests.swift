import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K2 UDP", .serialized)
struct UdpTests {
    /// A program with a socket that says its port and sends back what it gets, with an exclamation mark.
    private func echo(_ version: IPAddress.Version = .v4) throws -> PeerProcess {
        try PeerProcess(
            python: """
                import socket, sys
                s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
                s.bind((sys.argv[1], 0))
                print(s.getsockname()[1], flush=True)
                while True:
                    m, sender = s.recvfrom(1 << 16)
                    s.sendto(m + b'!', sender)
                """, [IPAddress.loopback(version).description])
    }

    private func address(of python: PeerProcess, _ version: IPAddress.Version = .v4) async throws -> InternetAddress {
        .here(version, port: try #require(UInt16(try await python.line())))
    }

    @Test("K2 messages go to another program and come back, also empty ones, with who has sent them", arguments: IPAddress.Version.here)
    func purpose(_ version: IPAddress.Version) async throws {
        let python = try echo(version)
        let theirs = try await address(of: python, version)
        let mine = try UdpSocket.create(at: .here(version))
        try blockingSend(mine, [1, 2], to: theirs)
        #expect(try blockingReceiveWithSender(mine, 9) == Received(bytes: [1, 2, 33], sender: theirs))
        #expect(try mine.trySend([UInt8]().span, to: theirs))
        #expect(try blockingReceiveWithSender(mine, 9, until: .after(watchdog)) == Received(bytes: [33], sender: theirs))
        try await mine.send([3].span, to: theirs)
        #expect(try await receiveWithSender(mine, 9) == Received(bytes: [3, 33], sender: theirs))
        try blockingSend(mine, [4], to: theirs, until: .after(watchdog))
        try waitToRead(mine)
        #expect(try tryReceiveWithSender(mine, 9) == Received(bytes: [4, 33], sender: theirs))
        #expect(try tryReceiveWithSender(mine, 9) == nil)
        #expect(isClosedByExec(mine.descriptor))
        // Without an address of its own before it sends.
        let other = try UdpSocket(version)
        try blockingSend(other, [5], to: theirs)
        #expect(try blockingReceive(other, 9) == [5, 33])
        #expect(try other.localAddress().port != 0)
        // An empty message is a message.
        let receiver = try UdpSocket.create(at: .here(version))
        try blockingSend(mine, [], to: try receiver.localAddress())
        #expect(try blockingReceiveWithSender(receiver, 9) == Received(bytes: [], sender: try mine.localAddress()))
    }

    @Test(
        "K2 a socket that is connected receives from there alone, and is told that the other side is dead",
        arguments: IPAddress.Version.here)
    func death(_ version: IPAddress.Version) async throws {
        let python = try echo(version)
        let theirs = try await address(of: python, version)
        let connected = try UdpSocket.connect(to: theirs)
        #expect(try connected.peerAddress() == theirs)
        let stranger = try UdpSocket(version)
        try blockingSend(stranger, [9], to: try connected.localAddress())
        try blockingSend(connected, [1])
        #expect(try blockingReceive(connected, 9, until: .after(watchdog)) == [1, 33])
        try await connected.send([2].span)
        #expect(try await receive(connected, 9) == [2, 33])
        python.kill()
        _ = try await python.ending()
        try blockingSend(connected, [3])
        let gone = await #expect(throws: FacilityError.self) { _ = try await receive(connected, 9, until: .after(watchdog)) }
        #expect(gone?.errno == .connectionRefused && gone?.advice.contains("nobody has a socket") == true)
        try blockingSend(connected, [4])
        let again = #expect(throws: FacilityError.self) { try blockingSend(connected, [5]) }
        #expect(again?.errno == .connectionRefused)
        // Without a connection nobody is told.
        try blockingSend(stranger, [6], to: theirs)
        #expect(try tryReceive(stranger, 9) == nil)
    }

    @Test("K2 the largest message, and one byte more; one byte more than the buffer", arguments: IPAddress.Version.here)
    func boundaries(_ version: IPAddress.Version) throws {
        let socket = try UdpSocket.create(at: .here(version))
        let address = try socket.localAddress()
        let largest = UdpSocket.largestMessage(version)
        try blockingSend(socket, .pattern(largest), to: address)
        #expect(try blockingReceive(socket, largest) == .pattern(largest))
        let more = #expect(throws: FacilityError.self) { try blockingSend(socket, .pattern(largest + 1), to: address) }
        #expect(more?.errno == .messageTooLong && more?.advice.contains("largestMessage") == true)
        #expect(try socket.nextMessageSize() == nil)
        for _ in 0..<3 { try blockingSend(socket, [1, 2, 3], to: address) }
        #expect(try socket.nextMessageSize() == 3)
        let long = #expect(throws: FacilityError.self) { _ = try blockingReceive(socket, 2) }
        #expect(long?.errno == .messageTooLong && long?.advice.contains("nextMessageSize") == true)
        let longer = #expect(throws: FacilityError.self) { _ = try blockingReceiveWithSender(socket, 2) }
        #expect(longer?.errno == .messageTooLong && longer?.advice == long?.advice)
        #expect(try blockingReceive(socket, 3) == [1, 2, 3])
    }

    @Test("K2 receiving waits until the deadline or the end of the task; sending where there is no room")
    func blocking() async throws {
        final class Holder: Sendable {
            let socket: UdpSocket
            init() throws { socket = try UdpSocket.create(at: .here()) }
        }
        let holder = try Holder()
        let address = try holder.socket.localAddress()
        #expect(try tryReceive(holder.socket, 9) == nil)
        for isWithSender in [false, true] {
            let late = #expect(throws: FacilityError.self) {
                if isWithSender {
                    _ = try blockingReceiveWithSender(holder.socket, 9, until: after(milliseconds: 5))
                } else {
                    _ = try blockingReceive(holder.socket, 9, until: after(milliseconds: 5))
                }
            }
            #expect(late?.isDeadline == true)
            let suspended = await #expect(throws: FacilityError.self) {
                if isWithSender {
                    _ = try await receiveWithSender(holder.socket, 9, until: after(milliseconds: 5))
                } else {
                    _ = try await receive(holder.socket, 9, until: after(milliseconds: 5))
                }
            }
            #expect(suspended?.isDeadline == true)
        }
        let task = Task {
            let error = await #expect(throws: FacilityError.self) { _ = try await receiveWithSender(holder.socket, 9) }
            #expect(error?.isCancelled == true)
        }
        try await Task.sleep(for: .milliseconds(5))
        task.cancel()
        await task.value
        // Within a machine there is always room: the kernel's word is put in its mouth.
        func withoutRoom(_ body: () throws(FacilityError) -> Bool) throws(FacilityError) -> Bool {
            try SystemCallFaults.withFault("sendto", .resourceTemporarilyUnavailable) { () throws(FacilityError) in try body() }
        }
        let isSent = try withoutRoom { () throws(FacilityError) in try holder.socket.trySend([1].span, to: address) }
        #expect(!isSent)
        _ = try withoutRoom { () throws(FacilityError) in
            try blockingSend(holder.socket, [2], to: address, until: .after(watchdog))
            return true
        }
        #expect(try blockingReceive(holder.socket, 9) == [2])
    }

    @Test("K2 what has no room at the receiver is lost, and the sender does not wait for it; sizes are granted as the kernel says")
    func loss() async throws {
        let receiver = try UdpSocket.create(at: .here())
        let granted = try receiver.setReceiveBufferSize(10_000)
        #expect(granted >= 20_000)
        let sender = try UdpSocket.connect(to: try receiver.localAddress())
        let room = try sender.setBufferSize(30_000)
        let python = try PeerProcess(
            python: """
                import socket
                print(socket.socket(fileno=3).getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF), socket.socket(fileno=4).getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF), flush=True)
                """, descriptors: [(receiver.descriptor, 3), (sender.descriptor, 4)])
        try await python.expect("\(granted) \(room)")
        for number in 0..<1000 { try blockingSend(sender, [UInt8](repeating: UInt8(number % 256), count: 100)) }
        var count = 0
        while try tryReceive(receiver, 100) != nil { count += 1 }
        #expect(count > 0 && count < 1000)
    }

    @Test("K2 wrong addresses are told")
    func wrongAddress() throws {
        let socket = try UdpSocket.create(at: .here())
        let unconnected = #expect(throws: FacilityError.self) { try blockingSend(socket, [1]) }
        #expect(unconnected?.errno == .addressRequired && unconnected?.advice.contains("connect it") == true)
        let taken = #expect(throws: FacilityError.self) { _ = try UdpSocket.create(at: try socket.localAddress()) }
        #expect(taken?.errno == .addressInUse)
        let other = #expect(throws: FacilityError.self) { try blockingSend(socket, [1], to: .here(.v6, port: 9)) }
        #expect(other?.errno == .addressFamilyNotSupported && other?.advice.contains("version") == true)
        let nothing = #expect(throws: FacilityError.self) { try blockingSend(socket, [1], to: .here(port: 0)) }
        #expect(nothing?.errno == .invalidArgument)
    }

    @Test("K2 every errno of the calls' manual pages is told, with what to do")
    func errors() throws {
        let socket = try UdpSocket.create(at: .here())
        let address = try socket.localAddress()
        expectEach([.tooManyOpenFiles, .tooManyOpenFilesInSystem, .noMemory, .addressFamilyNotSupported], of: "socket", .udp) {
            () throws(FacilityError) in _ = try UdpSocket()
        }
        expectEach([.permissionDenied, .addressInUse, .addressNotAvailable], of: "bind", .udp) { () throws(FacilityError) in
            _ = try UdpSocket.create(at: .here())
        }
        expectEach([.addressNotAvailable, .networkUnreachable, .permissionDenied], of: "connect", .udp) { () throws(FacilityError) in
            _ = try UdpSocket.connect(to: address)
        }
        expectEach(
            [
                .permissionDenied, .notPermitted, .messageTooLong, .noBufferSpace, .noMemory, .connectionRefused, .networkUnreachable,
                .noRouteToHost,
                .networkDown, .invalidArgument,
            ], of: "sendto", .udp
        ) { () throws(FacilityError) in try blockingSend(socket, [1], to: address) }
        expectEach([.addressRequired, .messageTooLong, .connectionRefused, .noBufferSpace], of: "send", .udp) { () throws(FacilityError) in
            try blockingSend(socket, [1])
        }
        expectEach([.badFileDescriptor, .noMemory, .connectionRefused], of: "recvfrom", .udp) { () throws(FacilityError) in
            _ = try tryReceiveWithSender(socket, 9)
        }
        expectEach([.badFileDescriptor, .noMemory, .connectionRefused], of: "recv", .udp) { () throws(FacilityError) in
            _ = try tryReceive(socket, 9)
        }
    }
}
