import CInterprocess
public import SystemPackage

/// A UDP socket: messages between processes of any two machines, each to an address, or to all of a network or a group.
///
///     let socket = try UdpSocket.create(at: InternetAddress(.any(), port: 9000))
///     try socket.join(IPAddress("239.1.2.3")!)
///     let (count, sender) = try socket.receiveWithSender(into: &buffer)
///
/// **Boundaries** A message is received whole; one that does not fit into the buffer is the error `EMSGSIZE` and lost. At most ``largestMessage(_:)`` bytes. An empty
/// message is a message: there is no end.
///
/// **Loss** A message may be lost, come twice, or after later ones; within a machine, it is lost if the receiver's buffer is full.
///
/// **Blocking** Sending waits while as much is on its way as the socket's buffer holds; never for the receiver.
///
/// **Death** Of the receiver: sending to it is no error, but, of a socket that is connected to it, the next call after that is `ECONNREFUSED`. Of the sender: nothing is to be seen.
public struct UdpSocket: InternetSocket, DatagramSocket, ~Copyable {
    public static var kind: SocketKind { .datagram }
    public static var facility: Facility { .udp }
    private let owned: OwnedDescriptor

    public init(owning descriptor: FileDescriptor) { owned = OwnedDescriptor(owning: descriptor) }

    /// A socket that can send; the kernel gives it an address with the first message. The corresponding C function is `socket`.
    public init(_ version: IPAddress.Version = .v4) throws(FacilityError) { self = try Self.make(version.family) }

    /// A socket that receives what is sent to `address`. The corresponding C functions are `socket`, `setsockopt(SO_REUSEADDR)` and `bind`.
    ///
    /// - Parameters:
    ///   - address: with port 0, the kernel chooses one: ``localAddress()`` says which.
    ///   - shared: whether others may have the same address, who say that too. Each gets what is sent to all or to a group; all else one of them gets.
    /// - Throws: `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES` for ports below `net.ipv4.ip_unprivileged_port_start`, `EAFNOSUPPORT`.
    public static func create(at address: InternetAddress, shared: Bool = false) throws(FacilityError) -> UdpSocket {
        let socket = try make(address.family)
        if shared { try socket.reuseAddress() }
        try socket.bind(to: address)
        return socket
    }

    public var descriptor: FileDescriptor { owned.descriptor }

    /// Gives the descriptor up without closing it.
    public consuming func release() -> FileDescriptor { owned.release() }

    /// The most bytes of a message. A network may lose those that are larger than what it carries in one piece, mostly some 1400 bytes.
    public static func largestMessage(_ version: IPAddress.Version = .v4) -> Int { version == .v4 ? 65_507 : 65_527 }

    /// Sends to `address`; waits while there is no room, until `deadline`.
    public func send(_ message: Span<UInt8>, to address: InternetAddress, until deadline: MonotonicInstant) throws(FacilityError) {
        while try !trySend(message, to: address) { try waitUntilReady(for: .writing, until: deadline) }
    }

    /// Sends to `address`; suspends the task while there is no room, until `deadline` or cancellation.
    public func send(_ message: Span<UInt8>, to address: InternetAddress, until deadline: MonotonicInstant? = nil)
        async throws(FacilityError)
    {
        while try !trySend(message, to: address) { try await waitUntilReady(for: .writing, until: deadline) }
    }

    /// Whether messages may be sent to all machines of a network, by its broadcast address (of loopback, 127.255.255.255). IPv6 has groups instead.
    ///
    /// The corresponding C function is `setsockopt(SO_BROADCAST)`.
    public func setBroadcast(_ isAllowed: Bool) throws(FacilityError) {
        try facility.call("setsockopt(SO_BROADCAST)") { ipc_set_socket_option(descriptor.rawValue, ipc_broadcast, isAllowed ? 1 : 0) }
    }
}

extension Facility {
    public static let udp = Facility("UDP socket") { operation, error in
        switch (operation, error) {
        case ("send", .addressRequired): "the socket is not connected; connect it, or send to an address"
        case ("send", .messageTooLong), ("sendto", .messageTooLong): "a message has at most UdpSocket.largestMessage() bytes; send less"
        case ("setsockopt(MCAST_JOIN_GROUP)", .addressInUse): "the socket is in that group already; nothing is to be done"
        case ("setsockopt(MCAST_JOIN_GROUP)", .noBufferSpace):
            "the socket is in as many groups as net.ipv4.igmp_max_memberships allows; leave one, or take another socket"
        case ("setsockopt(MCAST_LEAVE_GROUP)", .addressNotAvailable): "the socket is not in that group; leave those that it has joined"
        case (_, .invalidArgument):
            "groups are 224.0.0.0/4 and ff00::/8, each for sockets of its version, hops 0 to 255, ports to send to 1 to 65535; take one of these"
        case (_, .operationNotSupportedByDevice), (_, .noSuchAddressOrDevice):
            "there is no such network interface, or none for groups; name one that there is"
        default: internetAdvice(operation, error)
        }
    }
}
