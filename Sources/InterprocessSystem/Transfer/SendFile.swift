import CInterprocess
public import SystemPackage

/// Bytes of a file that are written without coming through a buffer. Each call moves what it can at once, at most `count`, and says how many; 0 is the file's end.
extension ByteWriting where Self: ~Copyable {
    /// Writes bytes of `file`; waits while there is no room: into a pipe until some are written, into a socket until all are.
    ///
    /// The corresponding C function is `sendfile`.
    ///
    /// - Parameters:
    ///   - file: one that can be mapped, as regular files and memory files are.
    ///   - offset: where in the file; nil for its position, which is moved.
    /// - Returns: how many bytes, at most `count`; 0 at the file's end.
    /// - Throws: ``FacilityError/isOtherSideGone``; `EINVAL` for a file that cannot do this, `EBADF`, `EIO`, `ENOMEM`, `EOVERFLOW`.
    public func sendFile(_ file: FileDescriptor, at offset: Int? = nil, count: Int) throws(FacilityError) -> Int {
        try Facility.transfer.call("sendfile") { sent(file, offset, count) }
    }

    /// The same; nil if there is no room. At most ``Pipe/atomicByteCount`` bytes.
    ///
    /// The corresponding C functions are `ppoll` and `sendfile`, which has no form that does not wait: somebody else who writes at the same moment can make this one wait.
    public func trySendFile(_ file: FileDescriptor, at offset: Int? = nil, count: Int) throws(FacilityError) -> Int? {
        guard let room = try ends(file).room(for: count) else { return nil }
        return try Facility.transfer.tryCall("sendfile") { sent(file, offset, room) }
    }

    /// The same; waits until `deadline`.
    public func sendFile(_ file: FileDescriptor, at offset: Int? = nil, count: Int, until deadline: MonotonicInstant) throws(FacilityError)
        -> Int
    {
        try ends(file).whenReady(until: deadline) { () throws(FacilityError) in try trySendFile(file, at: offset, count: count) }
    }

    /// The same; suspends the task, until `deadline` or cancellation.
    public func sendFile(
        _ file: FileDescriptor, at offset: Int? = nil, count: Int, until deadline: MonotonicInstant? = nil
    ) async throws(FacilityError) -> Int {
        try await ends(file).whenReady(until: deadline) { () throws(FacilityError) in try trySendFile(file, at: offset, count: count) }
    }

    private func ends(_ source: FileDescriptor) -> TransferEnds { TransferEnds(source: source, target: descriptor) }

    private func sent(_ file: FileDescriptor, _ offset: Int?, _ count: Int) -> Int {
        unsafe withOffset(offset) { place in
            Signal.withoutBrokenPipe(moving: count) { unsafe ipc_sendfile(descriptor.rawValue, file.rawValue, place, count) }
        }
    }
}

extension FileDescriptor {
    /// Copies bytes of this file to another, or to another place of the same: without a copy at all where the file system shares what is equal. Regular files do not wait, so there is one form.
    ///
    /// The corresponding C function is `copy_file_range`.
    ///
    /// - Parameters:
    ///   - offset: where in this file; nil for its position, which is moved.
    ///   - targetOffset: the same, of the other file.
    /// - Returns: how many bytes, at most `count`, which may be fewer before the end; 0 at the end.
    /// - Throws: `EINVAL` for other than regular files, or ranges of one that overlap; `EXDEV` between file systems that cannot; `EBADF`, `EFBIG`, `EIO`, `EISDIR`, `ENOMEM`, `ENOSPC`, `EOPNOTSUPP`, `EOVERFLOW`, `EPERM`, `ETXTBSY`.
    public func copyRange(
        at offset: Int? = nil, to target: FileDescriptor, at targetOffset: Int? = nil, count: Int
    ) throws(FacilityError) -> Int {
        try Facility.transfer.call("copy_file_range") {
            unsafe withOffset(offset) { from in
                unsafe withOffset(targetOffset) { to in unsafe ipc_copy_file_range(rawValue, from, target.rawValue, to, count) }
            }
        }
    }
}
