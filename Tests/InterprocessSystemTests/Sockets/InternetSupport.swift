import InterprocessSystem
import SystemPackage
import Testing

extension IPAddress.Version {
    /// Those that this machine has for itself.
    static let here = allCases.filter { (try? UdpSocket.create(at: InternetAddress(.loopback($0), port: 0))) != nil }
}

extension InternetAddress {
    /// An address on this machine alone.
    static func here(_ version: IPAddress.Version = .v4, port: UInt16 = 0) -> InternetAddress {
        InternetAddress(.loopback(version), port: port)
    }
}

extension SocketListener where Connection == TcpStream {
    /// Two connected sockets.
    func pair() throws(FacilityError) -> TcpPair {
        let first = try TcpStream.connect(to: try localAddress())
        return TcpPair(first: first, second: try accept())
    }
}

struct TcpPair: ~Copyable {
    let first: TcpStream
    let second: TcpStream
}

// By names of their own: in an asynchronous function the asynchronous form would be chosen.

func blockingConnect(to address: InternetAddress, until deadline: MonotonicInstant? = nil) throws(FacilityError) -> TcpStream {
    try TcpStream.connect(to: address, until: deadline)
}

func blockingAccept(_ listener: borrowing TcpListener, until deadline: MonotonicInstant? = nil) throws(FacilityError) -> TcpStream {
    if let deadline { try listener.accept(until: deadline) } else { try listener.accept() }
}

func blockingSend(
    _ socket: borrowing UdpSocket, _ message: [UInt8], to address: InternetAddress, until deadline: MonotonicInstant? = nil
) throws(FacilityError) {
    if let deadline { try socket.send(message.span, to: address, until: deadline) } else { try socket.send(message.span, to: address) }
}

/// A message, and who has sent it.
struct Received<Sender: Equatable>: Equatable {
    let bytes: [UInt8]
    let sender: Sender
}

func blockingReceiveWithSender<S: DatagramSocket & ~Copyable>(
    _ socket: borrowing S, _ count: Int, until deadline: MonotonicInstant? = nil
) throws(FacilityError) -> Received<S.Address.Reported> {
    var bytes = [UInt8](repeating: 0, count: count)
    var span = bytes.mutableSpan
    let found =
        if let deadline { try socket.receiveWithSender(into: &span, until: deadline) } else { try socket.receiveWithSender(into: &span) }
    return Received(bytes: Array(bytes[..<found.byteCount]), sender: found.sender)
}

func tryReceiveWithSender<S: DatagramSocket & ~Copyable>(
    _ socket: borrowing S, _ count: Int
) throws(FacilityError) -> Received<S.Address.Reported>? {
    var bytes = [UInt8](repeating: 0, count: count)
    var span = bytes.mutableSpan
    guard let found = try socket.tryReceiveWithSender(into: &span) else { return nil }
    return Received(bytes: Array(bytes[..<found.byteCount]), sender: found.sender)
}

func receiveWithSender<S: DatagramSocket & ~Copyable>(
    _ socket: borrowing S, _ count: Int, until deadline: MonotonicInstant? = nil
) async throws(FacilityError) -> Received<S.Address.Reported> {
    var bytes = [UInt8](repeating: 0, count: count)
    var span = bytes.mutableSpan
    let found = try await socket.receiveWithSender(into: &span, until: deadline)
    return Received(bytes: Array(bytes[..<found.byteCount]), sender: found.sender)
}
