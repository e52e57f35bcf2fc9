public import SystemPackage

/// A unix datagram socket: messages, each to an address; in order and none lost, unlike those of a network.
///
/// **Boundaries** As ``UnixSeqpacket``, but an empty message is a message: there is no end.
///
/// **Blocking** Sending waits while as many messages as `net.unix.max_dgram_qlen` says, and one more, wait at the receiver. A deadline for sending needs a
/// socket that is connected: the kernel does not tell when there is room elsewhere.
///
/// **Death** Of the receiver: sending is `ECONNREFUSED`. Of the sender: nothing is to be seen.
public struct UnixDatagram: UnixSocket, DatagramSocket, ~Copyable {
    public static var kind: SocketKind { .datagram }
    public static var facility: Facility { .unixDatagram }
    private let owned: OwnedDescriptor

    public init(owning descriptor: FileDescriptor) { owned = OwnedDescriptor(owning: descriptor) }

    /// A socket without an address, which can send. The corresponding C function is `socket`.
    public init() throws(FacilityError) { self = try Self.make(UnixAddress.family) }

    /// A socket that receives what is sent to `address`. The corresponding C functions are `socket` and `bind`.
    ///
    /// - Throws: `EADDRINUSE`, `EACCES`, `ENOENT`, `ENOTDIR`, `EROFS`, `ENAMETOOLONG`.
    public static func create(at address: UnixAddress) throws(FacilityError) -> UnixDatagram {
        let socket = try UnixDatagram()
        try socket.bind(to: address)
        return socket
    }

    public var descriptor: FileDescriptor { owned.descriptor }

    /// Gives the descriptor up without closing it.
    public consuming func release() -> FileDescriptor { owned.release() }
}
