import CInterprocess
public import SystemPackage

/// Bytes that come into a pipe without being copied by this process. Each call moves what it can at once, and says how many bytes.
extension PipeWriter {
    /// Moves bytes from `file` into the pipe; waits while the pipe is full, and while the file has nothing.
    ///
    /// The corresponding C function is `splice`.
    ///
    /// - Parameters:
    ///   - file: any file that can be read, a pipe or a socket as well; it stays open meanwhile.
    ///   - offset: where in the file; nil for its position, which is moved.
    /// - Returns: how many bytes, at most `count`; 0 at the file's end.
    /// - Throws: ``FacilityError/isOtherSideGone`` if nobody reads the pipe any more; `EINVAL` for a file that cannot do this, `ESPIPE` for an offset where there is none, `EBADF`, `ENOMEM`, and what reading the file does.
    public func splice(from file: FileDescriptor, at offset: Int? = nil, count: Int) throws(FacilityError) -> Int {
        try Facility.transfer.call("splice") { moved(from: file, offset, count, 0) }
    }

    /// The same; nil if the pipe is full or `file` has nothing. The corresponding C function is `splice(SPLICE_F_NONBLOCK)`, which all but a few devices heed.
    public func trySplice(from file: FileDescriptor, at offset: Int? = nil, count: Int) throws(FacilityError) -> Int? {
        try Facility.transfer.tryCall("splice") { moved(from: file, offset, count, ipc_splice_now) }
    }

    /// The same; waits until `deadline`.
    public func splice(from file: FileDescriptor, at offset: Int? = nil, count: Int, until deadline: MonotonicInstant) throws(FacilityError)
        -> Int
    {
        try ends(file).whenReady(until: deadline) { () throws(FacilityError) in try trySplice(from: file, at: offset, count: count) }
    }

    /// The same; suspends the task, until `deadline` or cancellation.
    public func splice(
        from file: FileDescriptor, at offset: Int? = nil, count: Int, until deadline: MonotonicInstant? = nil
    ) async throws(FacilityError) -> Int {
        try await ends(file).whenReady(until: deadline) { () throws(FacilityError) in try trySplice(from: file, at: offset, count: count) }
    }

    /// Lends memory to the pipe, whose reader sees it in its place; waits while the pipe is full. To get it back is to know that the bytes have been read: what is changed before, the reader sees changed, also
    /// if it has spliced or teed them on. To be mapped memory, whole pages: ``AnonymousMemory``.
    ///
    /// The corresponding C function is `vmsplice`. (From a pipe into memory it copies, as reading does: there is no form for it.)
    ///
    /// - Returns: how many bytes, perhaps fewer than all.
    /// - Throws: ``FacilityError/isOtherSideGone``, `EFAULT`, `ENOMEM`.
    public func lend(_ memory: UnsafeRawBufferPointer) throws(FacilityError) -> Int {
        try Facility.transfer.call("vmsplice") { unsafe lent(memory, 0) }
    }

    /// The same; nil if the pipe is full. The corresponding C function is `vmsplice(SPLICE_F_NONBLOCK)`.
    public func tryLend(_ memory: UnsafeRawBufferPointer) throws(FacilityError) -> Int? {
        try Facility.transfer.tryCall("vmsplice") { unsafe lent(memory, ipc_splice_now) }
    }

    /// The same; waits until `deadline`.
    public func lend(_ memory: UnsafeRawBufferPointer, until deadline: MonotonicInstant) throws(FacilityError) -> Int {
        while true {
            if let count = try unsafe tryLend(memory) { return count }
            try waitUntilReady(for: .writing, until: deadline)
        }
    }

    /// The same; suspends the task, until `deadline` or cancellation.
    public func lend(_ memory: UnsafeRawBufferPointer, until deadline: MonotonicInstant? = nil) async throws(FacilityError) -> Int {
        while true {
            if let count = try unsafe tryLend(memory) { return count }
            try await waitUntilReady(for: .writing, until: deadline)
        }
    }

    private func ends(_ source: FileDescriptor) -> TransferEnds { TransferEnds(source: source, target: descriptor) }

    private func moved(from file: FileDescriptor, _ offset: Int?, _ count: Int, _ flags: UInt32) -> Int {
        unsafe withOffset(offset) { place in
            Signal.withoutBrokenPipe(moving: count) { unsafe ipc_splice(file.rawValue, place, descriptor.rawValue, nil, count, flags) }
        }
    }

    private func lent(_ memory: UnsafeRawBufferPointer, _ flags: UInt32) -> Int {
        Signal.withoutBrokenPipe(moving: memory.count) { unsafe ipc_vmsplice(descriptor.rawValue, memory.baseAddress, memory.count, flags) }
    }
}
