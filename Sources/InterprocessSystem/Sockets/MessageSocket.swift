import CInterprocess

/// A socket that keeps messages apart: datagram and seqpacket.
public protocol MessageSocket: Socket, MessageChannel, ~Copyable {}

extension MessageSocket where Self: ~Copyable {
    /// Sends a message to the other side, or to the address to which a datagram socket is connected. The corresponding C function is `send`.
    ///
    /// - Throws: `EMSGSIZE` if it is larger than the socket's buffer, or than a datagram of the network, and, after the death of the other side, of a seqpacket socket
    ///   ``FacilityError/isOtherSideGone``, of a datagram socket `ECONNREFUSED`.
    public func send(_ message: Span<UInt8>) throws(FacilityError) {
        // Somebody else may have made it non-blocking (O_NONBLOCK).
        while try send(message, flags: 0) == nil { try waitUntilReady(for: .writing, until: nil) }
    }

    /// Sends a message; false if there is no room. Does not wait. The corresponding C function is `send(MSG_DONTWAIT)`.
    ///
    /// - Throws: As ``send(_:)``.
    public func trySend(_ message: Span<UInt8>) throws(FacilityError) -> Bool { try send(message, flags: ipc_message_now) != nil }

    /// Receives a message; waits for one. Returns how many bytes it has; of a seqpacket socket, 0 is the end. The corresponding C function is `recv(MSG_TRUNC)`.
    ///
    /// - Throws: `EMSGSIZE` if it does not fit into `buffer`; then it is lost.
    public func receive(into buffer: inout MutableSpan<UInt8>) throws(FacilityError) -> Int {
        while true {
            // Somebody else may have made it non-blocking (O_NONBLOCK).
            if let count = try receiveMessage(into: &buffer, flags: 0) { return count }
            try waitUntilReady(for: .reading, until: nil)
        }
    }

    /// Receives a message; nil if there is none. Does not wait. Else as ``receive(into:)``. The corresponding C function is `recv(MSG_TRUNC|MSG_DONTWAIT)`.
    public func tryReceive(into buffer: inout MutableSpan<UInt8>) throws(FacilityError) -> Int? {
        try receiveMessage(into: &buffer, flags: ipc_message_now)
    }

    /// How many bytes the next message has, which stays; nil if there is none. The corresponding C function is `recv(MSG_PEEK|MSG_TRUNC)`.
    public func nextMessageSize() throws(FacilityError) -> Int? { try nextMessageSize(flags: ipc_message_now) }
}
