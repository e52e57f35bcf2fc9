import CInterprocess
public import SystemPackage

/// A unix datagram socket: messages, each to an address; in order and none lost, unlike those of a network.
///
/// **Boundaries** As ``UnixSeqpacket``, but an empty message is a message: there is no end.
///
/// **Blocking** Sending waits while as many messages as `net.unix.max_dgram_qlen` says, and one more, wait at the receiver.
///
/// **Death** Of the receiver: sending is `ECONNREFUSED`. Of the sender: nothing is to be seen.
public struct UnixDatagram: UnixMessageSocket, ~Copyable {
    public static var kind: UnixSocketKind { .datagram }
    private let owned: OwnedDescriptor

    public init(owning descriptor: FileDescriptor) { owned = OwnedDescriptor(owning: descriptor) }

    /// A socket without an address, which can send. The corresponding C function is `socket`.
    public init() throws(FacilityError) { self.init(owning: try Self.kind.make()) }

    /// A socket that receives what is sent to `address`. The corresponding C functions are `socket` and `bind`.
    ///
    /// - Throws: `EADDRINUSE`, `EACCES`, `ENOENT`, `ENOTDIR`, `EROFS`, `ENAMETOOLONG`.
    public static func create(at address: UnixAddress) throws(FacilityError) -> UnixDatagram {
        let socket = try UnixDatagram()
        unsafe try address.withBytes(kind.facility, "bind") { (bytes, count) throws(FacilityError) in
            _ = try kind.facility.call("bind", on: address.description) { unsafe ipc_bind(socket.descriptor.rawValue, bytes, count) }
        }
        return socket
    }

    public var descriptor: FileDescriptor { owned.descriptor }

    /// Gives the descriptor up without closing it.
    public consuming func release() -> FileDescriptor { owned.release() }

    /// Sends to `address`; waits while there is no room. A deadline needs a socket that is connected: the kernel does not tell when there is room
    /// elsewhere.
    ///
    /// The corresponding C function is `sendto`.
    ///
    /// - Throws: `ECONNREFUSED` if nobody is there, `EMSGSIZE`, and others of the path.
    public func send(_ message: Span<UInt8>, to address: UnixAddress) throws(FacilityError) {
        _ = waited(try send(message, to: address, 0))
    }

    /// Sends to `address`; false if there is no room. Does not wait. The corresponding C function is `sendto(MSG_DONTWAIT)`.
    public func trySend(_ message: Span<UInt8>, to address: UnixAddress) throws(FacilityError) -> Bool {
        try send(message, to: address, ipc_message_now) != nil
    }

    private func send(_ message: Span<UInt8>, to address: UnixAddress, _ flags: CInt) throws(FacilityError) -> Int? {
        try unsafe message.withUnsafeBytes { (message) throws(FacilityError) in
            unsafe try address.withBytes(facility, "sendto") { (bytes, count) throws(FacilityError) in
                try facility.tryCall("sendto", on: address.description) {
                    unsafe ipc_send_to(descriptor.rawValue, message.baseAddress, message.count, flags, bytes, count)
                }
            }
        }
    }

    /// Receives a message, and who has sent it; nil if its socket has no address. Waits for one. The corresponding C function is `recvfrom`.
    public func receiveWithSender(into buffer: inout MutableSpan<UInt8>) throws(FacilityError) -> (byteCount: Int, sender: UnixAddress?) {
        try unsafe buffer.withUnsafeMutableBytes { (buffer) throws(FacilityError) in
            try unsafe withUnsafeTemporaryAllocation(byteCount: 128, alignment: 8) { (address) throws(FacilityError) in
                var length = 110
                let count = try facility.call("recvfrom") {
                    unsafe ipc_receive_from(
                        descriptor.rawValue, buffer.baseAddress, buffer.count, ipc_message_whole_length, address.baseAddress, &length)
                }
                guard count <= buffer.count else { throw FacilityError(facility, "recvfrom", .messageTooLong) }
                return (count, unsafe UnixAddress(UnsafeRawBufferPointer(rebasing: address.prefix(length))))
            }
        }
    }
}
