public import SystemPackage

/// A unix stream socket that is connected: bytes in both directions, in order.
///
///     let stream = try UnixStream.connect(to: .path("/run/user/1000/judge"))
///     try stream.write(question.span)
///
/// **Boundaries** Bytes have none; descriptors that are sent along come with the first byte of their writing or later, never before.
///
/// **Death** Of the other side: what it has written is read first, then the end; writing is ``FacilityError/isOtherSideGone``. If it had not
/// read all that was written to it, also reading is (`ECONNRESET`), once.
public struct UnixStream: UnixSocket, StreamSocket, ~Copyable {
    public static var kind: SocketKind { .stream }
    public static var facility: Facility { .unixStream }
    private let owned: OwnedDescriptor

    public init(owning descriptor: FileDescriptor) { owned = OwnedDescriptor(owning: descriptor) }

    public var descriptor: FileDescriptor { owned.descriptor }

    /// Gives the descriptor up without closing it.
    public consuming func release() -> FileDescriptor { owned.release() }
}
