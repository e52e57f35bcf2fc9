import CInterprocess
import Glibc
public import SystemPackage

/// A file, or a part of one, as memory: what is changed there is the file's, and seen by all who have it mapped or read it.
///
///     let file = try FileDescriptor.open("/var/lib/table", .readWrite, options: .closeOnExec)
///     var table = try MappedFile(file)
///     unsafe table.withUnsafeMutableBytes { bytes in … }
///     try table.sync()
///
/// The mapping keeps the file; the descriptor may be closed. Any file does that the kernel maps: of a disk, ``PosixSharedMemory``, a ``MemoryFile``.
///
/// **Boundaries** Bytes from any offset on, at least one, and as many as were asked for. Of the last page, what is behind the file's end is zeroes and goes nowhere; a page that is wholly behind it
/// cannot be touched: `SIGBUS`, which ends the process.
///
/// **A file that becomes shorter** takes its pages away from all who have mapped them: touching them is `SIGBUS`. So is a touch for which a full file system has no room (``SystemPackage/FileDescriptor/reserve(size:)``
/// makes that an error before). Where others may shorten the file, let it be a ``MemoryFile`` sealed with ``MemoryFile/Seals/shrink``.
///
/// **Death** Of a process: what it has changed stays in the file. The end of the machine is another matter: ``sync(_:)``.
public struct MappedFile: MutableMappedMemory, ~Copyable {
    public enum Sharing: Sendable, Hashable {
        /// Changes are the file's.
        case shared
        /// Changes are this process's own and go with the mapping; what others change in the file may be seen or not.
        case `private`
    }

    private var pages: MappedPages

    /// Maps `byteCount` bytes of `file`, which is open for reading and, if it is shared, for writing.
    ///
    /// The corresponding C function is `mmap(MAP_SHARED)`, or `MAP_PRIVATE`; with `MAP_POPULATE`.
    ///
    /// - Parameters:
    ///   - offset: any; the kernel maps whole pages.
    ///   - byteCount: nil for all up to the end that the file has now.
    ///   - populated: enter all pages now, so that the first touch of each costs nothing later.
    /// - Throws: `EINVAL` for no bytes, `EACCES`, `EAGAIN`, `EBADF`, `ENFILE`, `ENODEV`, `ENOMEM`, `EOVERFLOW`, `EPERM` for a seal.
    public init(
        _ file: FileDescriptor, from offset: Int = 0, byteCount: Int? = nil, _ sharing: Sharing = .shared, populated: Bool = false
    ) throws(FacilityError) {
        pages = try MappedPages(
            file, from: offset, byteCount, PROT_READ | PROT_WRITE, (sharing == .shared ? MAP_SHARED : MAP_PRIVATE), populated)
    }

    public var byteCount: Int { unsafe pages.bytes.count }

    public func withUnsafeMutableBytes<R: ~Copyable, E: Error>(_ body: (UnsafeMutableRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try unsafe body(pages.bytes)
    }

    /// Maps more or fewer bytes, from the same offset on. The addresses change; what is mapped stays the same file's, which this makes neither longer nor shorter.
    ///
    /// The corresponding C function is `mremap(MREMAP_MAYMOVE)`.
    ///
    /// - Throws: `EINVAL` for no bytes, `EAGAIN`, `EFAULT`, `ENOMEM`.
    public mutating func resize(to byteCount: Int) throws(FacilityError) { try pages.resize(to: byteCount) }

    /// Waits until what was changed in `range` is on the disk. The corresponding C function is `msync(MS_SYNC)`.
    ///
    /// - Parameter range: nil for all.
    /// - Throws: `EIO`, `ENOMEM`, `EINVAL`.
    public func sync(_ range: Range<Int>? = nil) throws(FacilityError) {
        try unsafe call("msync", range) { unsafe ipc_memory_sync($0, $1, 1) }
    }

    /// Says that what was changed is to be written, and does not wait: which the kernel does anyway, after a while. The corresponding C function is `msync(MS_ASYNC)`.
    public func beginSync(_ range: Range<Int>? = nil) throws(FacilityError) {
        try unsafe call("msync", range) { unsafe ipc_memory_sync($0, $1, 0) }
    }
}

/// A file, or a part of one, as memory that is read only. See ``MappedFile``.
public struct ReadOnlyMappedFile: MappedMemory, ~Copyable {
    private var pages: MappedPages

    /// Maps `byteCount` bytes of `file`, which is open for reading. See ``MappedFile/init(_:from:byteCount:_:populated:)``.
    ///
    /// The corresponding C function is `mmap(MAP_SHARED)` with `PROT_READ`.
    public init(_ file: FileDescriptor, from offset: Int = 0, byteCount: Int? = nil, populated: Bool = false) throws(FacilityError) {
        pages = try MappedPages(file, from: offset, byteCount, PROT_READ, MAP_SHARED, populated)
    }

    public var byteCount: Int { unsafe pages.bytes.count }

    public func withUnsafeBytes<R: ~Copyable, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try unsafe body(UnsafeRawBufferPointer(pages.bytes))
    }

    /// See ``MappedFile/resize(to:)``. The corresponding C function is `mremap(MREMAP_MAYMOVE)`.
    public mutating func resize(to byteCount: Int) throws(FacilityError) { try pages.resize(to: byteCount) }
}

extension MappedPages {
    fileprivate init(
        _ file: FileDescriptor, from offset: Int, _ byteCount: Int?, _ protection: CInt, _ flags: CInt, _ populated: Bool
    ) throws(FacilityError) {
        var type = 0, block = 0
        try Facility.mappedMemory.call("fstatfs") { unsafe ipc_file_system(file.rawValue, &type, &block) }
        let size: Int
        if let byteCount {
            size = byteCount
        } else {
            size = try Facility.mappedMemory.checking("fstat") { () throws(Errno) in try FileStatus(of: file).size } - max(offset, 0)
        }
        try self.init(
            size, protection: protection, flags: flags | (populated ? MAP_POPULATE : 0), of: file.rawValue, from: offset,
            pageSize: type == ipc_huge_page_file_system ? block : MappedPages.usualSize)
    }
}
