import CInterprocess
import Glibc
public import SystemPackage

/// A range of addresses of this process in which files are mapped; unmapped when its owner ends.
@unsafe
public struct MemoryMapping: ~Copyable, @unchecked Sendable {
    /// The first address; page-aligned.
    public let base: UnsafeMutableRawPointer
    /// Bytes.
    public let size: Int

    /// Bytes of a page on this machine. The corresponding C function is `sysconf(_SC_PAGESIZE)`.
    public static var pageSize: Int { sysconf(CInt(_SC_PAGESIZE)) }

    /// Reserves `size` bytes of addresses without access.
    ///
    /// The corresponding C function is `mmap(PROT_NONE)`.
    public init(reserving size: Int) throws(Errno) {
        unsafe base = try MemoryMapping.map(at: nil, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        unsafe self.size = size
    }

    /// Puts `size` bytes of private, zeroed memory at `offset` of the range.
    public func mapPrivate(at offset: Int, size: Int) throws(Errno) {
        try unsafe place(at: offset, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    }

    /// Puts `size` bytes of `file`, from `fileOffset` on, at `offset` of the range, shared with all who map the file.
    ///
    /// - Parameter populate: enter all pages now, so that the first touch of each costs nothing later.
    public func mapShared(
        _ file: FileDescriptor, from fileOffset: Int, at offset: Int, size: Int, readOnly: Bool = false, populate: Bool = false
    ) throws(Errno) {
        let protection = readOnly ? PROT_READ : PROT_READ | PROT_WRITE
        try unsafe place(at: offset, size, protection, MAP_SHARED | (populate ? MAP_POPULATE : 0), file.rawValue, fileOffset)
    }

    /// Puts private zeroes over a mapping, in place; for a forked child, which must not touch what its parent shares. Takes no lock.
    public static func replaceByPrivateZeroes(_ base: UnsafeMutableRawPointer, size: Int) {
        unsafe _ = mmap(base, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0)
    }

    private func place(
        at offset: Int, _ size: Int, _ protection: CInt, _ flags: CInt, _ descriptor: CInt, _ fileOffset: Int
    ) throws(Errno) {
        precondition(unsafe offset >= 0 && size >= 0 && offset + size <= self.size, "MemoryMapping: outside of the reserved range")
        _ = try unsafe MemoryMapping.map(at: base + offset, size, protection, flags | MAP_FIXED, descriptor, fileOffset)
    }

    static func map(
        at address: UnsafeMutableRawPointer?, _ size: Int, _ protection: CInt, _ flags: CInt, _ descriptor: CInt, _ offset: Int
    ) throws(Errno) -> UnsafeMutableRawPointer {
        var result: UnsafeMutableRawPointer?
        try systemCall("mmap") {
            unsafe result = mmap(address, size, protection, flags, descriptor, offset)
            return unsafe result == ipc_map_failed() ? -Int(errno) : 0
        }
        return unsafe result!
    }

    deinit { unsafe _ = munmap(base, size) }
}
