import CInterprocess
import Glibc
import SystemPackage

/// A socket that is connected to one other: bytes in both directions, in order.
public protocol StreamSocket: Socket, ByteReading, ByteWriting, ~Copyable {}

extension StreamSocket where Self: ~Copyable {
    /// The corresponding C function is `recv`.
    public func read(into buffer: inout MutableSpan<UInt8>) throws(FacilityError) -> Int {
        while true {
            // Somebody else may have made it non-blocking (O_NONBLOCK).
            if let count = try receive(into: &buffer, flags: 0) { return count }
            try waitUntilReady(for: .reading, until: nil)
        }
    }

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
        try unsafe writeAll(bytes) { (part) throws(FacilityError) in
            while true {
                if let count = try unsafe send(part, flags: 0) { return count }
                try waitUntilReady(for: .writing, until: nil)
            }
        }
    }

    /// The corresponding C function is `send(MSG_DONTWAIT)`.
    public func tryWrite(_ bytes: Span<UInt8>) throws(FacilityError) -> Int? { try send(bytes, flags: ipc_message_now) }

    /// Ends this direction: the other side reads the end, and can still write. The corresponding C function is `shutdown(SHUT_WR)`.
    public func finishWriting() throws(FacilityError) {
        try facility.call("shutdown") { resultOrErrno(shutdown(descriptor.rawValue, CInt(SHUT_WR))) }
    }
}
