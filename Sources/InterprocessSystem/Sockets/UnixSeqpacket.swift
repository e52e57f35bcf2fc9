public import SystemPackage

/// A unix seqpacket socket that is connected: messages in both directions, in order, none lost.
///
/// **Boundaries** A message is received whole; one that does not fit into the buffer is the error `EMSGSIZE` and lost. One that is larger than the
/// socket's buffer cannot be sent (`EMSGSIZE`). An empty message cannot be told from the end.
///
/// **Death** Of the other side: what it has sent is received first, then 0, the end; sending is ``FacilityError/isOtherSideGone``.
public struct UnixSeqpacket: UnixSocket, MessageSocket, ~Copyable {
    public static var kind: SocketKind { .seqpacket }
    public static var facility: Facility { .unixSeqpacket }
    private let owned: OwnedDescriptor

    public init(owning descriptor: FileDescriptor) { owned = OwnedDescriptor(owning: descriptor) }

    public var descriptor: FileDescriptor { owned.descriptor }

    /// Gives the descriptor up without closing it.
    public consuming func release() -> FileDescriptor { owned.release() }
}
