import CInterprocess
public import SystemPackage

/// What the three kinds of unix sockets have in common.
///
/// Close-on-exec, and never a signal (`MSG_NOSIGNAL`): that the other side has gone is the error ``FacilityError/isOtherSideGone``.
public protocol UnixSocket: DescriptorFacility, ~Copyable {
    static var kind: UnixSocketKind { get }
    /// Takes over a socket of this kind that somebody else has made; nobody else may close it.
    init(owning descriptor: FileDescriptor)
}

public enum UnixSocketKind: Sendable, Hashable {
    case stream, datagram, seqpacket

    var number: CInt {
        switch self {
        case .stream: ipc_socket_stream
        case .datagram: ipc_socket_datagram
        case .seqpacket: ipc_socket_seqpacket
        }
    }

    var facility: Facility {
        switch self {
        case .stream: .unixStream
        case .datagram: .unixDatagram
        case .seqpacket: .unixSeqpacket
        }
    }

    func make() throws(FacilityError) -> FileDescriptor {
        FileDescriptor(rawValue: CInt(try facility.call("socket") { ipc_socket(number) }))
    }
}

/// Two connected sockets.
@frozen
public struct UnixSocketPair<Socket: UnixSocket & ~Copyable>: ~Copyable, Sendable {
    public let first: Socket
    public let second: Socket
}

extension UnixSocket where Self: ~Copyable {
    public var facility: Facility { Self.kind.facility }

    /// Two sockets that are connected with each other; children do not inherit them unless they are given to them.
    ///
    /// The corresponding C function is `socketpair(AF_UNIX)`.
    ///
    /// - Throws: `EMFILE`, `ENFILE`, `ENOMEM`.
    public static func pair() throws(FacilityError) -> UnixSocketPair<Self> {
        let (first, second) = unsafe try descriptorPair(kind.facility, "socketpair") { unsafe ipc_socket_pair(kind.number, $0) }
        return UnixSocketPair(
            first: Self(owning: FileDescriptor(rawValue: CInt(first))), second: Self(owning: FileDescriptor(rawValue: CInt(second))))
    }

    /// Connects to the socket at `address`; waits while as many as may wait there do so already, until `deadline`.
    ///
    /// The corresponding C functions are `socket`, `connect`, and for the deadline `setsockopt(SO_SNDTIMEO)`.
    ///
    /// - Throws: `ECONNREFUSED` if nobody listens, `ENOENT`, `EACCES`, `EPROTOTYPE` if the socket there is of another kind, and others of the path.
    public static func connect(to address: UnixAddress, until deadline: MonotonicInstant? = nil) throws(FacilityError) -> Self {
        let socket = Self(owning: try kind.make())
        let number = socket.descriptor.rawValue, facility = kind.facility
        if let deadline {
            // No time at all would be no limit.
            let left = max(1, deadline.nanoseconds(since: .now) / 1000)
            try facility.call("setsockopt(SO_SNDTIMEO)") { ipc_set_socket_time(number, ipc_send_time, Int64(clamping: left)) }
        }
        unsafe try address.withBytes(facility, "connect") { (bytes, count) throws(FacilityError) in
            do throws(FacilityError) {
                try facility.call("connect", on: address.description) { unsafe ipc_connect(number, bytes, count) }
            } catch let error where error.errno == .resourceTemporarilyUnavailable {
                throw FacilityError(facility, "connect", .deadline, object: address.description)
            }
        }
        if deadline != nil {
            try facility.call("setsockopt(SO_SNDTIMEO)") { ipc_set_socket_time(number, ipc_send_time, 0) }
        }
        return socket
    }

    /// Asks for room for `bytes` of what is sent and not yet received; returns what the socket has then. The kernel doubles it for its own book-keeping, and
    /// grants a user without privileges at most twice `net.core.wmem_max`.
    ///
    /// The corresponding C functions are `setsockopt(SO_SNDBUF)` and `getsockopt`.
    @discardableResult
    public func setBufferSize(_ bytes: Int) throws(FacilityError) -> Int {
        try facility.call("setsockopt(SO_SNDBUF)") { ipc_set_socket_option(descriptor.rawValue, ipc_send_buffer, CInt(clamping: bytes)) }
        var granted: CInt = 0
        try facility.call("getsockopt(SO_SNDBUF)") { unsafe ipc_get_socket_option(descriptor.rawValue, ipc_send_buffer, &granted) }
        return Int(granted)
    }

    /// Who was on the other side when the connection was made: by whom it may have been passed on since, the kernel does not tell.
    ///
    /// The corresponding C function is `getsockopt(SO_PEERCRED)`.
    public func peerCredentials() throws(FacilityError) -> PeerCredentials {
        var found = ipc_credentials()
        try facility.call("getsockopt(SO_PEERCRED)") { unsafe ipc_get_peer_credentials(descriptor.rawValue, &found) }
        return PeerCredentials(pid: found.pid, userID: found.user, groupID: found.group)
    }

    /// The process of ``peerCredentials()``, held by a descriptor: it cannot come to mean another one.
    ///
    /// The corresponding C function is `getsockopt(SO_PEERPIDFD)`, Linux 6.5.
    public func peerProcess() throws(FacilityError) -> ProcessDescriptor {
        var found: CInt = -1
        try facility.call("getsockopt(SO_PEERPIDFD)") { unsafe ipc_get_socket_option(descriptor.rawValue, ipc_peer_pidfd, &found) }
        return ProcessDescriptor(owning: FileDescriptor(rawValue: found))
    }
}

/// Who is on the other side of a socket, as the kernel vouches for it.
public struct PeerCredentials: Sendable, Hashable {
    /// In the pid namespace of the one who asks; 0 if it is not there.
    public let pid: Int32
    public let userID: UInt32
    public let groupID: UInt32
}

extension Facility {
    public static let unixStream = Facility("unix stream socket") { unixAdvice($0, $1) }
    public static let unixDatagram = Facility("unix datagram socket") { unixAdvice($0, $1) }
    public static let unixSeqpacket = Facility("unix seqpacket socket") { unixAdvice($0, $1) }
}

private func unixAdvice(_ operation: SystemCallName, _ error: Errno) -> String? {
    switch (operation, error) {
    case (_, .brokenPipe), (_, .connectionReset): "the other side has closed its socket or has ended; connect again"
    case (_, .socketNotConnected): "there is no other side; connect first"
    case (_, .connectionRefused): "nobody listens there; start the one who does, or remove what a dead one has left"
    case ("bind", .addressInUse): "the address is taken; if its owner is dead, remove the path first"
    case (_, .fileNameTooLong): "an address has at most \(UnixAddress.largestByteCount) bytes; take a shorter one"
    case ("connect", .protocolWrongTypeForSocket): "the socket there is of another kind; connect with that one"
    case ("recv", .messageTooLong), ("recvfrom", .messageTooLong), ("recvmsg", .messageTooLong):
        "the message was longer than the buffer and is lost; ask nextMessageSize() first, or take a larger buffer"
    case (_, .messageTooLong): "the message is larger than the socket's buffer; set a larger one by setBufferSize, or send less"
    case ("recvmsg(SCM_RIGHTS)", .tooManyReferences): "more descriptors came than were to; they were closed, ask the sender for fewer"
    case (_, .tooManyReferences): "too many descriptors are on their way; let the other side receive some"
    case ("sendmsg", .invalidArgument):
        "a message carries at most \(ReceivedDescriptors.mostInOneMessage) descriptors; send them in several"
    case (_, .protocolNotAvailable): "this kernel does not have it: SO_PEERPIDFD needs Linux 6.5"
    default: nil
    }
}
