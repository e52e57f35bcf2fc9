/// A TCP socket to which others connect.
///
///     let listener = try TcpListener.create(at: InternetAddress(.loopback(), port: 0))
///     print(try listener.localAddress().port)
///     while true { serve(try listener.accept()) }
///
/// **Death** The port is free at once; connections live on with whoever has them.
public typealias TcpListener = SocketListener<TcpStream>

extension SocketListener where Connection == TcpStream {
    /// Makes the socket and lets others connect to it, also where connections of a listener that has ended still linger at the port.
    ///
    /// The corresponding C functions are `socket`, `setsockopt(SO_REUSEADDR)`, `bind` and `listen`.
    ///
    /// - Parameters:
    ///   - address: with port 0, the kernel chooses one: ``localAddress()`` says which.
    ///   - backlog: how many may have connected and not been accepted; the kernel takes at most `net.core.somaxconn`.
    /// - Throws: `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES` for ports below `net.ipv4.ip_unprivileged_port_start`, `EAFNOSUPPORT`.
    public static func create(at address: InternetAddress, backlog: Int = 128) throws(FacilityError) -> Self {
        let socket = try TcpStream.make(address.family)
        try socket.reuseAddress()
        return try listen(socket, at: address, backlog: backlog)
    }
}
