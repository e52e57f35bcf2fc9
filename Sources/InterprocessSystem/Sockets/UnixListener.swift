import CInterprocess
import Glibc
public import SystemPackage

/// A unix socket to which others connect: `UnixListener<UnixStream>` or `UnixListener<UnixSeqpacket>`.
///
///     let listener = try UnixListener<UnixStream>.create(at: .path("/run/user/1000/judge"))
///     while true { serve(try listener.accept()) }
///
/// **Death** The path stays and nobody answers (`ECONNREFUSED`): ``UnixAddress/remove()`` it. An abstract name is free.
public struct UnixListener<Connection: UnixSocket & ~Copyable>: DescriptorFacility, ~Copyable {
    private let owned: OwnedDescriptor

    /// Makes the socket and lets others connect to it.
    ///
    /// The corresponding C functions are `socket`, `bind` and `listen`.
    ///
    /// - Parameter backlog: how many may have connected and not been accepted; the kernel takes at most `net.core.somaxconn`.
    /// - Throws: `EADDRINUSE`, `EACCES`, `ENOENT`, `ENOTDIR`, `EROFS`, `ENAMETOOLONG`, and `EOPNOTSUPP` for datagrams, which nobody accepts.
    public static func create(at address: UnixAddress, backlog: Int = 128) throws(FacilityError) -> Self {
        let facility = Connection.kind.facility
        let socket = OwnedDescriptor(owning: try Connection.kind.make())
        unsafe try address.withBytes(facility, "bind") { (bytes, count) throws(FacilityError) in
            _ = try facility.call("bind", on: address.description) { unsafe ipc_bind(socket.descriptor.rawValue, bytes, count) }
        }
        try facility.call("listen", on: address.description) { resultOrErrno(listen(socket.descriptor.rawValue, CInt(clamping: backlog))) }
        return Self(socket)
    }

    private init(_ owned: consuming OwnedDescriptor) { self.owned = owned }

    /// Takes over a listening socket that somebody else has made; nobody else may close it.
    public init(owning descriptor: FileDescriptor) { owned = OwnedDescriptor(owning: descriptor) }

    public var facility: Facility { Connection.kind.facility }
    public var descriptor: FileDescriptor { owned.descriptor }

    /// The next who connects; waits for one. The corresponding C function is `accept4`.
    ///
    /// - Throws: `EMFILE`, `ENFILE`, `ENOMEM`: then the one who connects still waits.
    public func accept() throws(FacilityError) -> Connection {
        Connection(owning: FileDescriptor(rawValue: CInt(try facility.call("accept4") { ipc_accept(descriptor.rawValue) })))
    }

    /// The next who connects; nil if nobody waits. Somebody else who accepts from the same socket at the same moment makes this one wait.
    ///
    /// The corresponding C functions are `poll` and `accept4`.
    public func tryAccept() throws(FacilityError) -> Connection? { try isReadyNow(descriptor, .reading, facility) ? try accept() : nil }

    /// The next who connects; waits for one until `deadline`. The corresponding C functions are `ppoll` and `accept4`.
    public func accept(until deadline: MonotonicInstant) throws(FacilityError) -> Connection {
        try waitUntilReady(for: .reading, until: deadline)
        return try accept()
    }

    /// The next who connects; suspends the task until there is one, until `deadline` or cancellation.
    public func accept(until deadline: MonotonicInstant? = nil) async throws(FacilityError) -> Connection {
        try await waitUntilReady(for: .reading, until: deadline)
        return try acceptNext()
    }

    private func acceptNext() throws(FacilityError) -> Connection { try accept() }
}
