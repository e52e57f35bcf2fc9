import CInterprocess
public import SystemPackage

/// Bytes that leave a pipe without coming through a buffer of this process. Each call moves what it can at once, at most `count`, and says how many; 0 is the end.
extension PipeReader {
    /// Moves bytes from the pipe to `file`; waits while the pipe is empty, and while the file has no room.
    ///
    /// The corresponding C function is `splice`.
    ///
    /// - Parameters:
    ///   - file: any file that can be written, a pipe or a socket as well; it stays open meanwhile.
    ///   - offset: where in the file; nil for its position, which is moved.
    /// - Returns: how many bytes, at most `count`; 0 if all who could write have closed their ends, or have died.
    /// - Throws: ``FacilityError/isOtherSideGone`` if nobody reads `file` any more; `EINVAL` for a file that cannot do this, `ESPIPE` for an offset where there is none, `EBADF`, `ENOMEM`, and what writing to the file does.
    public func splice(to file: FileDescriptor, at offset: Int? = nil, count: Int) throws(FacilityError) -> Int {
        try Facility.transfer.call("splice") { moved(to: file, offset, count, 0) }
    }

    /// The same; nil if the pipe is empty or `file` has no room. To anything but a regular file at most ``Pipe/atomicByteCount`` bytes.
    ///
    /// The corresponding C functions are `ppoll`, for the file, and `splice(SPLICE_F_NONBLOCK)`: somebody else who writes to the file at the same moment can make this one wait.
    public func trySplice(to file: FileDescriptor, at offset: Int? = nil, count: Int) throws(FacilityError) -> Int? {
        guard let room = try ends(file).room(for: count) else { return nil }
        return try Facility.transfer.tryCall("splice") { moved(to: file, offset, room, ipc_splice_now) }
    }

    /// The same; waits until `deadline`.
    public func splice(to file: FileDescriptor, at offset: Int? = nil, count: Int, until deadline: MonotonicInstant) throws(FacilityError)
        -> Int
    {
        try ends(file).whenReady(until: deadline) { () throws(FacilityError) in try trySplice(to: file, at: offset, count: count) }
    }

    /// The same; suspends the task, until `deadline` or cancellation.
    public func splice(
        to file: FileDescriptor, at offset: Int? = nil, count: Int, until deadline: MonotonicInstant? = nil
    ) async throws(FacilityError) -> Int {
        try await ends(file).whenReady(until: deadline) { () throws(FacilityError) in try trySplice(to: file, at: offset, count: count) }
    }

    /// Copies bytes to another pipe, and leaves them in this one; waits while this one is empty, and while the other is full. What was copied is read or spliced away before the next is.
    ///
    /// The corresponding C function is `tee`.
    ///
    /// - Returns: how many bytes, at most `count`; 0 if all who could write to this one have closed their ends, or have died.
    /// - Throws: ``FacilityError/isOtherSideGone`` if nobody reads the other one any more; `EINVAL` if it is the same pipe, `ENOMEM`.
    public func tee(to other: borrowing PipeWriter, count: Int) throws(FacilityError) -> Int {
        let target = other.descriptor
        return try Facility.transfer.call("tee") { copied(to: target, count, 0) }
    }

    /// The same; nil if this pipe is empty or the other full. The corresponding C function is `tee(SPLICE_F_NONBLOCK)`.
    public func tryTee(to other: borrowing PipeWriter, count: Int) throws(FacilityError) -> Int? { try tryTee(other.descriptor, count) }

    /// The same; waits until `deadline`.
    public func tee(to other: borrowing PipeWriter, count: Int, until deadline: MonotonicInstant) throws(FacilityError) -> Int {
        let target = other.descriptor
        return try ends(target).whenReady(until: deadline) { () throws(FacilityError) in try tryTee(target, count) }
    }

    /// The same; suspends the task, until `deadline` or cancellation.
    public func tee(
        to other: borrowing PipeWriter, count: Int, until deadline: MonotonicInstant? = nil
    ) async throws(FacilityError) -> Int {
        let target = other.descriptor
        return try await ends(target).whenReady(until: deadline) { () throws(FacilityError) in try tryTee(target, count) }
    }

    private func tryTee(_ target: FileDescriptor, _ count: Int) throws(FacilityError) -> Int? {
        try Facility.transfer.tryCall("tee") { copied(to: target, count, ipc_splice_now) }
    }

    private func ends(_ target: FileDescriptor) -> TransferEnds { TransferEnds(source: descriptor, target: target) }

    private func moved(to file: FileDescriptor, _ offset: Int?, _ count: Int, _ flags: UInt32) -> Int {
        unsafe withOffset(offset) { place in
            Signal.withoutBrokenPipe(moving: count) { unsafe ipc_splice(descriptor.rawValue, nil, file.rawValue, place, count, flags) }
        }
    }

    private func copied(to target: FileDescriptor, _ count: Int, _ flags: UInt32) -> Int {
        Signal.withoutBrokenPipe(moving: count) { ipc_tee(descriptor.rawValue, target.rawValue, count, flags) }
    }
}
