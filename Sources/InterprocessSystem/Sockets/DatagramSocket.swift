import CInterprocess
import SystemPackage

/// A socket whose messages go each to an address.
public protocol DatagramSocket: MessageSocket, ~Copyable {}

extension DatagramSocket where Self: ~Copyable {
    /// Sends to `address` from now on, where no other is named, and receives from there only. Connected anew, to another one.
    ///
    /// The corresponding C function is `connect`.
    ///
    /// - Throws: `ECONNREFUSED`, `EACCES`, `ENOENT` where nothing can be there; the socket is as before then.
    public func connect(to address: Address) throws(FacilityError) {
        unsafe try address.withBytes(facility, "connect") { (bytes, count) throws(FacilityError) in
            _ = try facility.call("connect", on: address.description) { unsafe ipc_connect(descriptor.rawValue, bytes, count) }
        }
    }

    /// Sends to `address`; waits while there is no room.
    ///
    /// The corresponding C function is `sendto`.
    ///
    /// - Throws: `ECONNREFUSED` if nobody is there, `EMSGSIZE`, and others of the path or the network.
    public func send(_ message: Span<UInt8>, to address: Address) throws(FacilityError) {
        while try send(message, to: address, flags: 0) == nil { try waitUntilReady(for: .writing, until: nil) }
    }

    /// Sends to `address`; false if there is no room. Does not wait. The corresponding C function is `sendto(MSG_DONTWAIT)`.
    public func trySend(_ message: Span<UInt8>, to address: Address) throws(FacilityError) -> Bool {
        try send(message, to: address, flags: ipc_message_now) != nil
    }

    /// Receives a message, and who has sent it; waits for one. The sender is nil if it is a unix socket without an address.
    ///
    /// The corresponding C function is `recvfrom(MSG_TRUNC)`.
    ///
    /// - Throws: `EMSGSIZE` if it does not fit into `buffer`; then it is lost.
    public func receiveWithSender(
        into buffer: inout MutableSpan<UInt8>
    ) throws(FacilityError) -> (byteCount: Int, sender: Address.Reported) {
        while true {
            // Somebody else may have made it non-blocking (O_NONBLOCK).
            if let found = try receiveWithSender(into: &buffer, flags: 0) { return found }
            try waitUntilReady(for: .reading, until: nil)
        }
    }

    /// The same; nil if there is none. Does not wait. The corresponding C function is `recvfrom(MSG_TRUNC|MSG_DONTWAIT)`.
    public func tryReceiveWithSender(
        into buffer: inout MutableSpan<UInt8>
    ) throws(FacilityError) -> (byteCount: Int, sender: Address.Reported)? {
        try receiveWithSender(into: &buffer, flags: ipc_message_now)
    }

    /// The same; waits for one until `deadline`.
    public func receiveWithSender(
        into buffer: inout MutableSpan<UInt8>, until deadline: MonotonicInstant
    ) throws(FacilityError) -> (byteCount: Int, sender: Address.Reported) {
        while true {
            if let found = try tryReceiveWithSender(into: &buffer) { return found }
            try waitUntilReady(for: .reading, until: deadline)
        }
    }

    /// The same; suspends the task until there is one, until `deadline` or cancellation.
    public func receiveWithSender(
        into buffer: inout MutableSpan<UInt8>, until deadline: MonotonicInstant? = nil
    ) async throws(FacilityError) -> (byteCount: Int, sender: Address.Reported) {
        while true {
            if let found = try tryReceiveWithSender(into: &buffer) { return found }
            try await waitUntilReady(for: .reading, until: deadline)
        }
    }

    private func send(_ message: Span<UInt8>, to address: Address, flags: CInt) throws(FacilityError) -> Int? {
        try unsafe message.withUnsafeBytes { (message) throws(FacilityError) in
            unsafe try address.withBytes(facility, "sendto") { (bytes, count) throws(FacilityError) in
                try facility.tryCall("sendto", on: address.description) {
                    unsafe ipc_send_to(descriptor.rawValue, message.baseAddress, message.count, flags, bytes, count)
                }
            }
        }
    }

    private func receiveWithSender(
        into buffer: inout MutableSpan<UInt8>, flags: CInt
    ) throws(FacilityError) -> (byteCount: Int, sender: Address.Reported)? {
        try unsafe buffer.withUnsafeMutableBytes { (buffer) throws(FacilityError) in
            try unsafe withUnsafeTemporaryAllocation(byteCount: largestSocketAddress, alignment: 8) { (address) throws(FacilityError) in
                var length = largestSocketAddress
                let count = try facility.tryCall("recvfrom") {
                    unsafe ipc_receive_from(
                        descriptor.rawValue, buffer.baseAddress, buffer.count, flags | ipc_message_whole_length, address.baseAddress,
                        &length)
                }
                guard let count else { return nil }
                guard count <= buffer.count else { throw FacilityError(facility, "recvfrom", .messageTooLong) }
                return (count, unsafe Address.reported(UnsafeRawBufferPointer(rebasing: address.prefix(length))))
            }
        }
    }
}
