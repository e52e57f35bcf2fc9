import CInterprocess
import Glibc
import SystemPackage

/// Whole pages that are mapped until the value ends, and those bytes of them that are wanted.
@safe
struct MappedPages: ~Copyable, @unchecked Sendable {
    private(set) var bytes: UnsafeMutableRawBufferPointer
    /// Of the kind of memory: the kernel takes whole ones.
    private let pageSize: Int

    /// - Parameter offset: of the file; any.
    init(
        _ byteCount: Int, protection: CInt, flags: CInt, of descriptor: CInt = -1, from offset: Int = 0,
        pageSize: Int = MappedPages.usualSize
    ) throws(FacilityError) {
        guard byteCount > 0, offset >= 0 else { throw FacilityError(.mappedMemory, "mmap", .invalidArgument) }
        let lead = offset % pageSize
        // Of more, the kernel says that there are not so many addresses.
        let count = min(byteCount, 1 << 62)
        let first: UnsafeMutableRawPointer
        do throws(Errno) {
            unsafe first = try MemoryMapping.map(at: nil, lead + count, protection, flags, descriptor, offset - lead)
        } catch {
            throw FacilityError(.mappedMemory, "mmap", error)
        }
        unsafe bytes = UnsafeMutableRawBufferPointer(start: first + lead, count: count)
        self.pageSize = pageSize
    }

    /// The pages, from the first byte of the first one on.
    private var pages: (first: UnsafeMutableRawPointer, lead: Int, count: Int) {
        let start = unsafe bytes.baseAddress!
        let lead = Int(UInt(bitPattern: start) % UInt(pageSize))
        return unsafe (start - lead, lead, Self.roundUp(lead + bytes.count, to: pageSize))
    }

    /// Bytes of a usual page.
    static var usualSize: Int { unsafe MemoryMapping.pageSize }

    static func roundUp(_ count: Int, to pageSize: Int) -> Int { (count + pageSize - 1) / pageSize * pageSize }

    /// Maps more or fewer bytes from the same first one on; the addresses change.
    mutating func resize(to byteCount: Int) throws(FacilityError) {
        guard byteCount > 0 else { throw FacilityError(.mappedMemory, "mremap", .invalidArgument) }
        let old = unsafe pages
        let count = min(byteCount, 1 << 62)
        var first: UnsafeMutableRawPointer?
        try Facility.mappedMemory.call("mremap") {
            unsafe ipc_remap(old.first, old.count, Self.roundUp(old.lead + count, to: pageSize), &first)
        }
        unsafe bytes = UnsafeMutableRawBufferPointer(start: first! + old.lead, count: count)
    }

    deinit { unsafe _ = munmap(pages.first, pages.count) }
}
