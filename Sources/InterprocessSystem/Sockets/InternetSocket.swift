import CInterprocess
import SystemPackage

/// What sockets of the Internet's protocols have in common.
public protocol InternetSocket: Socket, ~Copyable where Address == InternetAddress {}

extension InternetSocket where Self: ~Copyable {
    /// Asks for room for `bytes` of what has come and is not yet received; returns what the socket has then. The kernel doubles it for its own book-keeping, and
    /// grants a user without privileges at most twice `net.core.rmem_max`.
    ///
    /// The corresponding C functions are `setsockopt(SO_RCVBUF)` and `getsockopt`.
    @discardableResult
    public func setReceiveBufferSize(_ bytes: Int) throws(FacilityError) -> Int {
        try facility.call("setsockopt(SO_RCVBUF)") { ipc_set_socket_option(descriptor.rawValue, ipc_receive_buffer, CInt(clamping: bytes)) }
        return try option("getsockopt(SO_RCVBUF)", ipc_receive_buffer)
    }

    /// Lets the socket have an address that others had a moment ago, or, for datagrams, have too. The corresponding C function is `setsockopt(SO_REUSEADDR)`.
    func reuseAddress() throws(FacilityError) {
        try facility.call("setsockopt(SO_REUSEADDR)") { ipc_set_socket_option(descriptor.rawValue, ipc_reuse_address, 1) }
    }

    /// Sets an option of a protocol. The corresponding C function is `setsockopt`.
    func setOption(_ name: SystemCallName, _ level: CInt, _ number: CInt, _ value: CInt) throws(FacilityError) {
        try facility.call(name) { ipc_set_protocol_option(descriptor.rawValue, level, number, value) }
    }
}

/// What to do about the errors of networks.
func internetAdvice(_ operation: SystemCallName, _ error: Errno) -> String? {
    switch (operation, error) {
    case ("accept4", .connectionAbort), ("accept4", .protocolError), ("accept4", .networkDown), ("accept4", .networkUnreachable),
        ("accept4", .hostIsDown), ("accept4", .noRouteToHost), ("accept4", .protocolNotAvailable):
        "that connection was lost before it was accepted; accept the next one"
    case (_, .connectionRefused): "nobody has a socket at that address and port; start the one who does, or look at the port"
    case ("bind", .addressInUse), ("listen", .addressInUse): "another socket has that port; end it, or take port 0 for any that is free"
    case ("bind", .addressNotAvailable): "this machine has no such address; take one of its own, or IPAddress.any()"
    case (_, .addressNotAvailable): "all ports for connections to that address are taken; close some, or widen net.ipv4.ip_local_port_range"
    case ("bind", .permissionDenied): "ports below net.ipv4.ip_unprivileged_port_start are for privileged users; take a higher one"
    case ("sendto", .permissionDenied), ("connect", .permissionDenied):
        "that is a broadcast address; allow it by setBroadcast(true), or look at the firewall"
    case (_, .networkUnreachable), (_, .noRouteToHost), (_, .networkDown), (_, .hostIsDown):
        "no way leads to that machine; look at the routes, and whether it is switched on"
    case (_, .addressFamilyNotSupported):
        "the address is of another version than the socket, or this kernel does not have it; take the socket's"
    case (_, .deadline): "the other machine did not answer in time; wait longer, or see whether it is switched on"
    case (_, .noBufferSpace): "the network's queues are full; send less at a time"
    default: socketAdvice(operation, error)
    }
}
