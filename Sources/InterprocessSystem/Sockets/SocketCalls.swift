import CInterprocess
import SystemPackage

/// The calls that all kinds of sockets make. `flags` are those of `send` and `recv`.
extension DescriptorFacility where Self: ~Copyable {
    /// Sends; nil if it would have to wait and `flags` forbid that. The corresponding C function is `send(MSG_NOSIGNAL)`.
    func send(_ bytes: UnsafeRawBufferPointer, flags: CInt) throws(FacilityError) -> Int? {
        try facility.tryCall("send") { unsafe ipc_send(descriptor.rawValue, bytes.baseAddress, bytes.count, flags) }
    }

    /// The same for a whole message.
    func send(_ message: Span<UInt8>, flags: CInt) throws(FacilityError) -> Int? {
        try unsafe message.withUnsafeBytes { (bytes) throws(FacilityError) in try unsafe send(bytes, flags: flags) }
    }

    /// Receives; nil if it would have to wait and `flags` forbid that. The corresponding C function is `recv`.
    func receive(into buffer: inout MutableSpan<UInt8>, flags: CInt) throws(FacilityError) -> Int? {
        try unsafe buffer.withUnsafeMutableBytes { (buffer) throws(FacilityError) in
            try facility.tryCall("recv") { unsafe ipc_receive(descriptor.rawValue, buffer.baseAddress, buffer.count, flags) }
        }
    }

    /// Receives a message; one that does not fit is an error, and lost.
    func receiveMessage(into buffer: inout MutableSpan<UInt8>, flags: CInt) throws(FacilityError) -> Int? {
        guard let count = try receive(into: &buffer, flags: flags | ipc_message_whole_length) else { return nil }
        guard count <= buffer.count else { throw FacilityError(facility, "recv", .messageTooLong) }
        return count
    }

    /// How many bytes the next message has, which stays; nil if there is none and `flags` forbid waiting.
    func nextMessageSize(flags: CInt) throws(FacilityError) -> Int? {
        try facility.tryCall("recv") {
            ipc_receive(descriptor.rawValue, nil, 0, flags | ipc_message_peek | ipc_message_whole_length)
        }
    }
}
