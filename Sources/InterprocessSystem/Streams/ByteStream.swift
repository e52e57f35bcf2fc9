/// An end from which bytes are read, in the order in which they were written. The forms of waiting: ``DescriptorFacility``.
public protocol ByteReading: DescriptorFacility, ~Copyable {
    /// Reads what there is, at most as much as fits; waits while there is nothing. Returns how many bytes, 0 at the end: all who could write
    /// have closed their ends, or have died.
    func read(into buffer: inout MutableSpan<UInt8>) throws(FacilityError) -> Int

    /// Reads what there is, at most as much as fits; nil if there is nothing yet, 0 at the end. Does not wait.
    func tryRead(into buffer: inout MutableSpan<UInt8>) throws(FacilityError) -> Int?
}

/// An end to which bytes are written. The forms of waiting: ``DescriptorFacility``.
///
/// Never a signal (`SIGPIPE`): that nobody reads any more is the error ``FacilityError/isOtherSideGone``.
public protocol ByteWriting: DescriptorFacility, ~Copyable {
    /// Writes all of `bytes`; waits while there is no room.
    ///
    /// - Throws: with ``FacilityError/transferred``, how many had been written.
    func write(_ bytes: Span<UInt8>) throws(FacilityError)

    /// Writes as many of `bytes` as there is room for; nil if there is none. Does not wait.
    func tryWrite(_ bytes: Span<UInt8>) throws(FacilityError) -> Int?
}

extension ByteReading where Self: ~Copyable {
    /// Reads what there is; waits while there is nothing, until `deadline`.
    public func read(into buffer: inout MutableSpan<UInt8>, until deadline: MonotonicInstant) throws(FacilityError) -> Int {
        while true {
            if let count = try tryRead(into: &buffer) { return count }
            try waitUntilReady(for: .reading, until: deadline)
        }
    }

    /// Reads what there is; suspends the task while there is nothing, until `deadline` or cancellation.
    public func read(into buffer: inout MutableSpan<UInt8>, until deadline: MonotonicInstant? = nil) async throws(FacilityError) -> Int {
        while true {
            if let count = try tryRead(into: &buffer) { return count }
            try await waitUntilReady(for: .reading, until: deadline)
        }
    }
}

extension ByteWriting where Self: ~Copyable {
    /// Writes all of `bytes`; waits while there is no room, until `deadline`.
    ///
    /// - Throws: with ``FacilityError/transferred``, how many had been written.
    public func write(_ bytes: Span<UInt8>, until deadline: MonotonicInstant) throws(FacilityError) {
        var done = 0
        do throws(FacilityError) {
            while done < bytes.count {
                if let count = try tryWrite(bytes.extracting(droppingFirst: done)) {
                    done += count
                } else {
                    try waitUntilReady(for: .writing, until: deadline)
                }
            }
        } catch {
            throw error.after(done)
        }
    }

    /// Writes all of `bytes`; suspends the task while there is no room, until `deadline` or cancellation.
    ///
    /// - Throws: with ``FacilityError/transferred``, how many had been written.
    public func write(_ bytes: Span<UInt8>, until deadline: MonotonicInstant? = nil) async throws(FacilityError) {
        var done = 0
        do throws(FacilityError) {
            while done < bytes.count {
                if let count = try tryWrite(bytes.extracting(droppingFirst: done)) {
                    done += count
                } else {
                    try await waitUntilReady(for: .writing, until: deadline)
                }
            }
        } catch {
            throw error.after(done)
        }
    }

    /// Writes all of `bytes` by calls of `once`, each of which waits for room and writes a part.
    func writeAll(_ bytes: Span<UInt8>, _ once: (UnsafeRawBufferPointer) throws(FacilityError) -> Int) throws(FacilityError) {
        try unsafe bytes.withUnsafeBytes { (bytes) throws(FacilityError) in
            var done = 0
            do throws(FacilityError) {
                while done < bytes.count { done += try unsafe once(UnsafeRawBufferPointer(rebasing: bytes[done...])) }
            } catch {
                throw error.after(done)
            }
        }
    }
}

extension FacilityError {
    func after(_ transferred: Int) -> FacilityError {
        var error = self
        error.transferred = transferred
        return error
    }
}
