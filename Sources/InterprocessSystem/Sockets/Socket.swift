import CInterprocess
import Glibc
public import SystemPackage

/// What all sockets have in common.
///
/// Close-on-exec, and never a signal (`MSG_NOSIGNAL`): that the other side has gone is the error ``FacilityError/isOtherSideGone``.
public protocol Socket: DescriptorFacility, ~Copyable {
    /// By what others of its kind are found.
    associatedtype Address: SocketAddress
    static var kind: SocketKind { get }
    static var facility: Facility { get }
    /// Takes over a socket of this kind that somebody else has made; nobody else may close it.
    init(owning descriptor: FileDescriptor)
    /// Gives the descriptor up without closing it.
    consuming func release() -> FileDescriptor
}

public enum SocketKind: Sendable, Hashable {
    case stream, datagram, seqpacket

    var number: CInt {
        switch self {
        case .stream: ipc_socket_stream
        case .datagram: ipc_socket_datagram
        case .seqpacket: ipc_socket_seqpacket
        }
    }
}

/// Where a socket is found, as the kernel has it: `sockaddr`.
public protocol SocketAddress: Sendable, Hashable, CustomStringConvertible {
    /// An address as the kernel tells it.
    associatedtype Reported: Sendable, Hashable

    /// The address family: `AF_UNIX`, `AF_INET`, `AF_INET6`.
    var family: Int32 { get }

    /// Calls `body` with the address as the kernel takes it.
    ///
    /// - Throws: of this facility and operation, if the kernel has no such addresses.
    func withBytes<R>(
        _ facility: Facility, _ operation: SystemCallName, _ body: (UnsafeRawPointer, Int) throws(FacilityError) -> R
    ) throws(FacilityError) -> R

    /// The address that the kernel has written.
    static func reported(_ bytes: UnsafeRawBufferPointer) -> Reported
}

extension Socket where Self: ~Copyable {
    public var facility: Facility { Self.facility }

    /// The corresponding C function is `socket`.
    static func make(_ family: CInt) throws(FacilityError) -> Self {
        Self(owning: FileDescriptor(rawValue: CInt(try facility.call("socket") { ipc_socket(family, kind.number) })))
    }

    /// Gives the socket its address. The corresponding C function is `bind`.
    func bind(to address: Address) throws(FacilityError) {
        unsafe try address.withBytes(facility, "bind") { (bytes, count) throws(FacilityError) in
            _ = try facility.call("bind", on: address.description) { unsafe ipc_bind(descriptor.rawValue, bytes, count) }
        }
    }

    /// Connects to the socket at `address`, and waits for that until `deadline`: a unix socket while as many as may wait there do so already, TCP
    /// until the other machine has answered. A datagram socket sends nothing, and does not wait: it will send to that address and receive from it alone.
    ///
    /// The corresponding C functions are `socket`, `connect`, and for the deadline `setsockopt(SO_SNDTIMEO)`.
    ///
    /// - Throws: `ECONNREFUSED` if nobody listens, ``FacilityError/isDeadline``; for a path `ENOENT`, `EACCES`, `EPROTOTYPE` if the socket there is of another kind, and others of
    ///   the path; for a network `ENETUNREACH`, `EHOSTUNREACH`, `EADDRNOTAVAIL`, and also without a deadline `ETIMEDOUT`.
    public static func connect(to address: Address, until deadline: MonotonicInstant? = nil) throws(FacilityError) -> Self {
        let socket = try make(address.family)
        let number = socket.descriptor.rawValue
        unsafe try address.withBytes(facility, "connect") { (bytes, count) throws(FacilityError) in
            do throws(FacilityError) {
                try facility.call("connect", on: address.description) {
                    // At each attempt anew: a signal may have interrupted it. No time at all would be no limit.
                    let left = deadline.map { max(1, $0.nanoseconds(since: .now) / 1000) } ?? 0
                    let status = deadline == nil ? 0 : ipc_set_socket_time(number, ipc_send_time, Int64(clamping: left))
                    return status < 0 ? status : unsafe ipc_connect(number, bytes, count)
                }
            } catch let error
                where [.resourceTemporarilyUnavailable, .nowInProgress].contains(error.errno)
                || deadline != nil && error.errno == .alreadyInProcess
            {
                // The last is said where a signal had interrupted it before.
                throw FacilityError(facility, "connect", .deadline, object: address.description)
            }
        }
        if deadline != nil {
            try facility.call("setsockopt(SO_SNDTIMEO)") { ipc_set_socket_time(number, ipc_send_time, 0) }
        }
        return socket
    }

    /// The address of this socket; of a unix socket nil if it has none. The corresponding C function is `getsockname`.
    public func localAddress() throws(FacilityError) -> Address.Reported {
        try unsafe address(Address.self, "getsockname") { unsafe ipc_get_local_address(descriptor.rawValue, $0, $1) }
    }

    /// The address of the socket on the other side; of a unix socket nil if it has none. The corresponding C function is `getpeername`.
    ///
    /// - Throws: `ENOTCONN`.
    public func peerAddress() throws(FacilityError) -> Address.Reported {
        try unsafe address(Address.self, "getpeername") { unsafe ipc_get_peer_address(descriptor.rawValue, $0, $1) }
    }

    /// Asks for room for `bytes` of what is sent and not yet received; returns what the socket has then. The kernel doubles it for its own book-keeping, and
    /// grants a user without privileges at most twice `net.core.wmem_max`.
    ///
    /// The corresponding C functions are `setsockopt(SO_SNDBUF)` and `getsockopt`.
    @discardableResult
    public func setBufferSize(_ bytes: Int) throws(FacilityError) -> Int {
        try facility.call("setsockopt(SO_SNDBUF)") { ipc_set_socket_option(descriptor.rawValue, ipc_send_buffer, CInt(clamping: bytes)) }
        return try option("getsockopt(SO_SNDBUF)", ipc_send_buffer)
    }

    /// An option of the socket itself. The corresponding C function is `getsockopt(SOL_SOCKET)`.
    func option(_ name: SystemCallName, _ number: CInt) throws(FacilityError) -> Int {
        var found: CInt = 0
        try facility.call(name) { unsafe ipc_get_socket_option(descriptor.rawValue, number, &found) }
        return Int(found)
    }
}

extension DescriptorFacility where Self: ~Copyable {
    /// An address that `call` writes, with its length.
    func address<A: SocketAddress>(
        _: A.Type, _ name: SystemCallName, _ call: (UnsafeMutableRawPointer, UnsafeMutablePointer<Int>) -> Int
    ) throws(FacilityError) -> A.Reported {
        try unsafe withUnsafeTemporaryAllocation(byteCount: largestSocketAddress, alignment: 8) { (bytes) throws(FacilityError) in
            var length = largestSocketAddress
            try facility.call(name) { unsafe call(bytes.baseAddress!, &length) }
            return unsafe A.reported(UnsafeRawBufferPointer(rebasing: bytes.prefix(length)))
        }
    }
}

/// `sizeof (struct sockaddr_storage)`.
let largestSocketAddress = 128

/// What to do about the errors that mean the same for all sockets.
func socketAdvice(_ operation: SystemCallName, _ error: Errno) -> String? {
    switch (operation, error) {
    case (_, .brokenPipe), (_, .connectionReset): "the other side has closed its socket or has ended; connect again"
    case (_, .socketNotConnected): "there is no other side; connect first"
    case ("recv", .messageTooLong), ("recvfrom", .messageTooLong), ("recvmsg", .messageTooLong):
        "the message was longer than the buffer and is lost; ask nextMessageSize() first, or take a larger buffer"
    default: nil
    }
}
