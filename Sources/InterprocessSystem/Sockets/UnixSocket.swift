import CInterprocess
import SystemPackage

/// What the three kinds of unix sockets have in common.
public protocol UnixSocket: Socket, ~Copyable where Address == UnixAddress {}

/// Two connected sockets.
@frozen
public struct UnixSocketPair<Socket: UnixSocket & ~Copyable>: ~Copyable, Sendable {
    public let first: Socket
    public let second: Socket
}

extension UnixSocket where Self: ~Copyable {
    /// Two sockets that are connected with each other; children do not inherit them unless they are given to them.
    ///
    /// The corresponding C function is `socketpair(AF_UNIX)`.
    ///
    /// - Throws: `EMFILE`, `ENFILE`, `ENOMEM`.
    public static func pair() throws(FacilityError) -> UnixSocketPair<Self> {
        let (first, second) = unsafe try descriptorPair(facility, "socketpair") { unsafe ipc_socket_pair(kind.number, $0) }
        return UnixSocketPair(
            first: Self(owning: FileDescriptor(rawValue: CInt(first))), second: Self(owning: FileDescriptor(rawValue: CInt(second))))
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
        ProcessDescriptor(owning: FileDescriptor(rawValue: CInt(try option("getsockopt(SO_PEERPIDFD)", ipc_peer_pidfd))))
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
    case (_, .connectionRefused): "nobody listens there; start the one who does, or remove what a dead one has left"
    case ("bind", .addressInUse): "the address is taken; if its owner is dead, remove the path first"
    case (_, .fileNameTooLong): "an address has at most \(UnixAddress.largestByteCount) bytes; take a shorter one"
    case ("connect", .protocolWrongTypeForSocket): "the socket there is of another kind; connect with that one"
    case ("send", .messageTooLong), ("sendto", .messageTooLong), ("sendmsg", .messageTooLong):
        "the message is larger than the socket's buffer; set a larger one by setBufferSize, or send less"
    case ("recvmsg(SCM_RIGHTS)", .tooManyReferences): "more descriptors came than were to; they were closed, ask the sender for fewer"
    case (_, .tooManyReferences): "too many descriptors are on their way; let the other side receive some"
    case ("sendmsg", .invalidArgument):
        "a message carries at most \(ReceivedDescriptors.mostInOneMessage) descriptors; send them in several"
    case (_, .protocolNotAvailable): "this kernel does not have it: SO_PEERPIDFD needs Linux 6.5"
    default: socketAdvice(operation, error)
    }
}
