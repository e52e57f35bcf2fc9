import CInterprocess
public import SystemPackage

/// Descriptors that have come with a message. Those that are not taken are closed.
public struct ReceivedDescriptors: ~Copyable, Sendable {
    /// The most descriptors that the kernel takes in one message (`SCM_MAX_FD`).
    public static var mostInOneMessage: Int { 253 }

    private var descriptors: [FileDescriptor] = []

    public init() {}

    deinit { for descriptor in descriptors { try? descriptor.close() } }

    public var count: Int { descriptors.count }

    /// The first of those that are left, in the order in which they were sent. O(count).
    public mutating func takeFirst() -> OwnedDescriptor? { descriptors.isEmpty ? nil : OwnedDescriptor(owning: descriptors.removeFirst()) }

    mutating func append(_ numbers: [CInt]) { descriptors += numbers.map { FileDescriptor(rawValue: $0) } }

    static func close(_ numbers: [CInt]) { for number in numbers { try? FileDescriptor(rawValue: number).close() } }
}

extension UnixSocket where Self: ~Copyable {
    /// Sends `bytes` with copies of `descriptors`, of any files, which stay open here; waits while there is no room. Returns how many bytes were sent: all
    /// of a message, of a stream perhaps fewer, but the descriptors have gone then.
    ///
    /// The corresponding C function is `sendmsg(SCM_RIGHTS)`.
    ///
    /// - Parameters:
    ///   - bytes: for a stream at least one, else nothing is sent.
    ///   - descriptors: at most ``ReceivedDescriptors/mostInOneMessage``.
    /// - Throws: `EINVAL` for more, `EBADF`, `ETOOMANYREFS` with more on their way than this process may have open, and what sending does.
    public func send(_ bytes: Span<UInt8>, with descriptors: [FileDescriptor]) throws(FacilityError) -> Int {
        let headerSize = MemoryLayout<ipc_control_header>.size
        let controlSize = headerSize + descriptors.count * MemoryLayout<CInt>.size
        return try unsafe bytes.withUnsafeBytes { (bytes) throws(FacilityError) in
            try unsafe withUnsafeTemporaryAllocation(byteCount: controlSize + 8, alignment: 8) { (control) throws(FacilityError) in
                unsafe control.storeBytes(
                    of: ipc_control_header(size: controlSize, level: ipc_socket_level, type: ipc_rights), as: ipc_control_header.self)
                for (index, descriptor) in descriptors.enumerated() {
                    unsafe control.storeBytes(of: descriptor.rawValue, toByteOffset: headerSize + index * 4, as: CInt.self)
                }
                var message = unsafe ipc_message(
                    bytes: UnsafeMutableRawPointer(mutating: bytes.baseAddress), count: bytes.count, control: control.baseAddress,
                    control_count: descriptors.isEmpty ? 0 : controlSize, flags: 0)
                return try facility.call("sendmsg") { unsafe ipc_send_message(descriptor.rawValue, &message, 0) }
            }
        }
    }

    /// Receives bytes, and the descriptors that came with them, close-on-exec; waits for them. Returns how many bytes; 0 is the end.
    ///
    /// The corresponding C function is `recvmsg(MSG_CMSG_CLOEXEC)`.
    ///
    /// - Parameters:
    ///   - descriptors: gets those that came, after those that it has.
    ///   - maximum: how many may come.
    /// - Throws: `ETOOMANYREFS` if more came than `maximum`, `EMFILE` if this process may not have so many open: then all that came are closed, and the bytes are lost; `EMSGSIZE`
    ///   for a message that does not fit; and what receiving does.
    public func receive(
        into buffer: inout MutableSpan<UInt8>, with descriptors: inout ReceivedDescriptors,
        maximum: Int = ReceivedDescriptors.mostInOneMessage
    ) throws(FacilityError) -> Int {
        let controlSize = MemoryLayout<ipc_control_header>.size + ReceivedDescriptors.mostInOneMessage * MemoryLayout<CInt>.size
        var came: [CInt] = []
        var flags: CInt = 0
        let count = try unsafe buffer.withUnsafeMutableBytes { (buffer) throws(FacilityError) in
            try unsafe withUnsafeTemporaryAllocation(byteCount: controlSize, alignment: 8) { (control) throws(FacilityError) in
                var message = unsafe ipc_message(
                    bytes: buffer.baseAddress, count: buffer.count, control: control.baseAddress, control_count: controlSize, flags: 0)
                let wholeLength = Self.kind == .stream ? 0 : ipc_message_whole_length
                let count = try facility.call("recvmsg") { unsafe ipc_receive_message(descriptor.rawValue, &message, wholeLength) }
                came = unsafe rights(in: UnsafeRawBufferPointer(rebasing: control.prefix(message.control_count)))
                flags = unsafe message.flags
                return count
            }
        }
        let failure: FacilityError? =
            if flags & ipc_message_control_cut != 0 {
                FacilityError(facility, "recvmsg(SCM_RIGHTS)", .tooManyOpenFiles)
            } else if came.count > maximum {
                FacilityError(facility, "recvmsg(SCM_RIGHTS)", .tooManyReferences)
            } else if count > buffer.count {
                FacilityError(facility, "recvmsg", .messageTooLong)
            } else {
                nil
            }
        if let failure {
            ReceivedDescriptors.close(came)
            throw failure
        }
        descriptors.append(came)
        return count
    }
}

/// The descriptors in a message's control bytes: records of a header and numbers, each beginning at a multiple of 8.
private func rights(in control: UnsafeRawBufferPointer) -> [CInt] {
    let headerSize = MemoryLayout<ipc_control_header>.size
    var numbers: [CInt] = []
    var start = 0
    while start + headerSize <= control.count {
        let header = unsafe control.loadUnaligned(fromByteOffset: start, as: ipc_control_header.self)
        guard header.size >= headerSize, start + header.size <= control.count else { break }
        if header.level == ipc_socket_level, header.type == ipc_rights {
            for offset in stride(from: start + headerSize, to: start + header.size, by: 4) {
                numbers.append(unsafe control.loadUnaligned(fromByteOffset: offset, as: CInt.self))
            }
        }
        start += (header.size + 7) & ~7
    }
    return numbers
}
