import CInterprocess
public import SystemPackage

/// A unix seqpacket socket that is connected: messages in both directions, in order, none lost.
///
/// **Boundaries** A message is received whole; one that does not fit into the buffer is the error `EMSGSIZE` and lost. One that is larger than the
/// socket's buffer cannot be sent (`EMSGSIZE`). An empty message cannot be told from the end.
///
/// **Death** Of the other side: what it has sent is received first, then 0, the end; sending is ``FacilityError/isOtherSideGone``.
public struct UnixSeqpacket: UnixSocket, MessageChannel, ~Copyable {
    public static var kind: UnixSocketKind { .seqpacket }
    private let owned: OwnedDescriptor

    public init(owning descriptor: FileDescriptor) { owned = OwnedDescriptor(owning: descriptor) }

    public var descriptor: FileDescriptor { owned.descriptor }

    /// Gives the descriptor up without closing it.
    public consuming func release() -> FileDescriptor { owned.release() }

    /// The corresponding C function is `send`.
    public func send(_ message: Span<UInt8>) throws(FacilityError) { _ = waited(try send(message, flags: 0)) }

    /// The corresponding C function is `send(MSG_DONTWAIT)`.
    public func trySend(_ message: Span<UInt8>) throws(FacilityError) -> Bool { try send(message, flags: ipc_message_now) != nil }

    /// Receives a message; waits for one. 0 is the end. The corresponding C function is `recv(MSG_TRUNC)`.
    public func receive(into buffer: inout MutableSpan<UInt8>) throws(FacilityError) -> Int {
        waited(try receiveMessage(into: &buffer, flags: 0))
    }

    /// Receives a message; nil if there is none, 0 at the end. The corresponding C function is `recv(MSG_TRUNC|MSG_DONTWAIT)`.
    public func tryReceive(into buffer: inout MutableSpan<UInt8>) throws(FacilityError) -> Int? {
        try receiveMessage(into: &buffer, flags: ipc_message_now)
    }

    /// How many bytes the next message has, which stays; nil if there is none. The corresponding C function is `recv(MSG_PEEK|MSG_TRUNC)`.
    public func nextMessageSize() throws(FacilityError) -> Int? { try nextMessageSize(flags: ipc_message_now) }
}
