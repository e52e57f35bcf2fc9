import CInterprocess
import Glibc
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
public struct UnixStream: UnixSocket, ByteReading, ByteWriting, ~Copyable {
    public static var kind: UnixSocketKind { .stream }
    private let owned: OwnedDescriptor

    public init(owning descriptor: FileDescriptor) { owned = OwnedDescriptor(owning: descriptor) }

    public var descriptor: FileDescriptor { owned.descriptor }

    /// Gives the descriptor up without closing it.
    public consuming func release() -> FileDescriptor { owned.release() }

    /// The corresponding C function is `recv`.
    public func read(into buffer: inout MutableSpan<UInt8>) throws(FacilityError) -> Int { waited(try receive(into: &buffer, flags: 0)) }

    /// The corresponding C function is `recv(MSG_DONTWAIT)`.
    public func tryRead(into buffer: inout MutableSpan<UInt8>) throws(FacilityError) -> Int? {
        try receive(into: &buffer, flags: ipc_message_now)
    }

    /// Reads what comes next and leaves it to be read again; nil if there is nothing yet, 0 at the end. Does not wait.
    ///
    /// The corresponding C function is `recv(MSG_PEEK|MSG_DONTWAIT)`.
    public func tryPeek(into buffer: inout MutableSpan<UInt8>) throws(FacilityError) -> Int? {
        try receive(into: &buffer, flags: ipc_message_now | ipc_message_peek)
    }

    /// The corresponding C function is `send`.
    public func write(_ bytes: Span<UInt8>) throws(FacilityError) {
        try unsafe writeAll(bytes) { (part) throws(FacilityError) in waited(try unsafe send(part, flags: 0)) }
    }

    /// The corresponding C function is `send(MSG_DONTWAIT)`.
    public func tryWrite(_ bytes: Span<UInt8>) throws(FacilityError) -> Int? { try send(bytes, flags: ipc_message_now) }

    /// Ends this direction: the other side reads the end, and can still write. The corresponding C function is `shutdown(SHUT_WR)`.
    public func finishWriting() throws(FacilityError) {
        try facility.call("shutdown") { resultOrErrno(shutdown(descriptor.rawValue, CInt(SHUT_WR))) }
    }
}
