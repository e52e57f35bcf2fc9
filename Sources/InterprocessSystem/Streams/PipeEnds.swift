import CInterprocess
import Glibc
import Synchronization
public import SystemPackage

/// The end of a pipe or a FIFO from which is read.
public struct PipeReader: ByteReading, ~Copyable {
    private let owned: OwnedDescriptor

    init(_ owned: consuming OwnedDescriptor) { self.owned = owned }

    /// Takes over the reading end of a pipe that somebody else has made; nobody else may close it.
    public init(owning descriptor: FileDescriptor) { self.init(OwnedDescriptor(owning: descriptor)) }

    public var facility: Facility { .pipe }
    public var descriptor: FileDescriptor { owned.descriptor }

    /// Gives the descriptor up without closing it.
    public consuming func release() -> FileDescriptor { owned.release() }

    /// The corresponding C function is `read`.
    public func read(into buffer: inout MutableSpan<UInt8>) throws(FacilityError) -> Int {
        try readBlocking(descriptor, into: &buffer, of: facility)
    }

    /// The corresponding C function is `preadv2(RWF_NOWAIT)`; of a FIFO, and before Linux 6.4 also of a pipe, which have it not, `poll` and `read`: then somebody
    /// else who reads from the same pipe at the same moment makes this one wait.
    public func tryRead(into buffer: inout MutableSpan<UInt8>) throws(FacilityError) -> Int? {
        try readNow(descriptor, into: &buffer, of: facility)
    }
}

/// The end of a pipe or a FIFO to which is written.
public struct PipeWriter: ByteWriting, ~Copyable {
    private let owned: OwnedDescriptor

    init(_ owned: consuming OwnedDescriptor) { self.owned = owned }

    /// Takes over the writing end of a pipe that somebody else has made; nobody else may close it.
    public init(owning descriptor: FileDescriptor) { self.init(OwnedDescriptor(owning: descriptor)) }

    public var facility: Facility { .pipe }
    public var descriptor: FileDescriptor { owned.descriptor }

    /// Gives the descriptor up without closing it.
    public consuming func release() -> FileDescriptor { owned.release() }

    /// The corresponding C function is `pwritev2(RWF_NOSIGNAL)`; before Linux 6.18 `write`, with `SIGPIPE` held back from this thread.
    public func write(_ bytes: Span<UInt8>) throws(FacilityError) {
        try unsafe writeAll(bytes) { (part) throws(FacilityError) in
            try facility.call("write") { unsafe writeWithoutSignal(descriptor, part, 0) }
        }
    }

    /// The corresponding C function is `pwritev2(RWF_NOSIGNAL|RWF_NOWAIT)`; of a FIFO, and before Linux 6.4 also of a pipe, `poll` and `write` of at most
    /// ``Pipe/atomicByteCount`` bytes: then somebody else who writes to the same pipe at the same moment makes this one wait.
    public func tryWrite(_ bytes: Span<UInt8>) throws(FacilityError) -> Int? {
        try unsafe bytes.withUnsafeBytes { (bytes) throws(FacilityError) -> Int? in
            do throws(FacilityError) {
                return try facility.tryCall("pwritev2(RWF_NOWAIT)") { unsafe writeWithoutSignal(descriptor, bytes, ipc_now) }
            } catch let error where error.errno == .notSupported || error.errno == .notSupportedOnSocket {
                guard try isReadyNow(descriptor, .writing, facility) else { return nil }
                let part = unsafe UnsafeRawBufferPointer(rebasing: bytes.prefix(Pipe.atomicByteCount))
                return try facility.call("write") { unsafe writeWithoutSignal(descriptor, part, 0) }
            }
        }
    }
}

/// Whether the kernel can write without `SIGPIPE`. Tried once.
let writesWithoutSignal = Atomic(true)

/// Writes; that nobody reads is `EPIPE` and no signal. Returns the count or a negative errno.
private func writeWithoutSignal(_ file: FileDescriptor, _ bytes: UnsafeRawBufferPointer, _ flags: CInt) -> Int {
    if writesWithoutSignal.load(ordering: .relaxed) {
        let result = unsafe ipc_write_flags(file.rawValue, bytes.baseAddress, bytes.count, flags | ipc_no_signal)
        guard result == -Int(EOPNOTSUPP) else { return result }
        // Perhaps it is the other flag that it does not have.
        if flags == 0 { writesWithoutSignal.store(false, ordering: .relaxed) }
    }
    return Signal.withoutBrokenPipe(moving: bytes.count) { unsafe ipc_write_flags(file.rawValue, bytes.baseAddress, bytes.count, flags) }
}
