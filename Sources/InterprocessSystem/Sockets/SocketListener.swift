import CInterprocess
import Glibc
public import SystemPackage

/// A unix socket to which others connect: `UnixListener<UnixStream>` or `UnixListener<UnixSeqpacket>`.
///
///     let listener = try UnixListener<UnixStream>.create(at: .path("/run/user/1000/judge"))
///     while true { serve(try listener.accept()) }
///
/// **Death** The path stays and nobody answers (`ECONNREFUSED`): ``UnixAddress/remove()`` it. An abstract name is free.
public typealias UnixListener<Connection: UnixSocket & ~Copyable> = SocketListener<Connection>

/// A socket to which others connect. See ``UnixListener`` and ``TcpListener``.
public struct SocketListener<Connection: Socket & ~Copyable>: DescriptorFacility, ~Copyable {
    private let owned: OwnedDescriptor

    /// Takes over a listening socket that somebody else has made; nobody else may close it.
    public init(owning descriptor: FileDescriptor) { owned = OwnedDescriptor(owning: descriptor) }

    public var facility: Facility { Connection.facility }
    public var descriptor: FileDescriptor { owned.descriptor }

    /// Gives the descriptor up without closing it.
    public consuming func release() -> FileDescriptor { owned.release() }

    /// Where others connect: the port too, if the kernel has chosen it. The corresponding C function is `getsockname`.
    public func localAddress() throws(FacilityError) -> Connection.Address.Reported {
        try unsafe address(Connection.Address.self, "getsockname") { unsafe ipc_get_local_address(descriptor.rawValue, $0, $1) }
    }

    /// The next who connects; waits for one. The corresponding C function is `accept4`.
    ///
    /// - Throws: `EMFILE`, `ENFILE`, `ENOMEM`: then the one who connects still waits. Of a network, also what has ended the connection
    ///   (`ECONNABORTED`, `ENETDOWN`, …): then the next one can be accepted.
    public func accept() throws(FacilityError) -> Connection {
        Connection(owning: try acceptDescriptor())
    }

    /// The next who connects; nil if nobody waits. The kernel has no call for that: another process that accepts from the same socket at the same moment, or ``accept()`` in this one, makes it wait.
    ///
    /// The corresponding C functions are `poll` and `accept4`.
    public func tryAccept() throws(FacilityError) -> Connection? {
        // One after the other: of two that found the same one waiting, the second would wait for the next.
        let accepted = try accepting.withLock { _ throws(FacilityError) -> FileDescriptor? in
            try isReadyNow(descriptor, .reading, facility) ? try acceptDescriptor() : nil
        }
        guard let accepted else { return nil }
        return Connection(owning: accepted)
    }

    /// The next who connects; waits for one until `deadline`. The corresponding C functions are `ppoll` and `accept4`.
    public func accept(until deadline: MonotonicInstant) throws(FacilityError) -> Connection {
        while true {
            if let connection = try tryAccept() { return connection }
            try waitUntilReady(for: .reading, until: deadline)
        }
    }

    /// The next who connects; suspends the task until there is one, until `deadline` or cancellation.
    public func accept(until deadline: MonotonicInstant? = nil) async throws(FacilityError) -> Connection {
        while true {
            if let connection = try tryAccept() { return connection }
            try await waitUntilReady(for: .reading, until: deadline)
        }
    }

    private func acceptDescriptor() throws(FacilityError) -> FileDescriptor {
        FileDescriptor(rawValue: CInt(try facility.call("accept4") { ipc_accept(descriptor.rawValue) }))
    }

    /// Makes the socket of `socket`, which has no address yet. The corresponding C functions are `bind` and `listen`.
    static func listen(_ socket: consuming Connection, at address: Connection.Address, backlog: Int) throws(FacilityError) -> Self {
        try socket.bind(to: address)
        let number = socket.descriptor.rawValue
        try socket.facility.call("listen", on: address.description) { resultOrErrno(Glibc.listen(number, CInt(clamping: backlog))) }
        return Self(owning: socket.release())
    }
}

extension SocketListener where Connection: UnixSocket & ~Copyable {
    /// Makes the socket and lets others connect to it.
    ///
    /// The corresponding C functions are `socket`, `bind` and `listen`.
    ///
    /// - Parameter backlog: how many may have connected and not been accepted; the kernel takes at most `net.core.somaxconn`.
    /// - Throws: `EADDRINUSE`, `EACCES`, `ENOENT`, `ENOTDIR`, `EROFS`, `ENAMETOOLONG`, and `EOPNOTSUPP` for datagrams, which nobody accepts.
    public static func create(at address: UnixAddress, backlog: Int = 128) throws(FacilityError) -> Self {
        do throws(FacilityError) {
            return try listen(try Connection.make(address.family), at: address, backlog: backlog)
        } catch {
            // It has the path by then.
            if error.operation == "listen" { try? address.remove() }
            throw error
        }
    }
}

/// Who accepts without waiting.
private let accepting = Lock(())
