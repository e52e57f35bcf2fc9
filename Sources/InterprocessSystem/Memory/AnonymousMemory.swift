import CInterprocess
import Glibc
import SystemPackage

/// Memory without a file, all zeroes at first, which this process shares with the children that it forks: nobody else finds it.
///
///     let counters = try AnonymousMemory(byteCount: 4096)
///     // fork: what either process stores there, both see.
///
/// A program that is started by `exec` has it no more: give it a ``MemoryFile``.
///
/// **Boundaries** As many bytes as were asked for; it does not grow, since the kernel gives what it has made no further pages.
///
/// **Death** Of a process: its bytes stay as it left them, until the last one that has them ends; nobody is told.
public struct AnonymousMemory: MutableMappedMemory, ~Copyable {
    private let pages: MappedPages

    /// Makes memory of zeroes.
    ///
    /// The corresponding C function is `mmap(MAP_SHARED|MAP_ANONYMOUS)`, with `MAP_HUGETLB` for huge pages.
    ///
    /// - Parameters:
    ///   - hugePages: one of ``HugePages/available``; nil for usual ones.
    ///   - populated: enter all pages now, so that the first touch of each costs nothing later.
    /// - Throws: `EINVAL` for no bytes, `EAGAIN`, `ENFILE`, `ENOMEM` also where the pool has not so many huge pages.
    public init(byteCount: Int, hugePages: HugePages? = nil, populated: Bool = false) throws(FacilityError) {
        let pageFlags = hugePages.map { ipc_map_huge_pages | $0.sizeFlag } ?? 0
        pages = try MappedPages(
            byteCount, protection: PROT_READ | PROT_WRITE, flags: MAP_SHARED | MAP_ANONYMOUS | pageFlags | (populated ? MAP_POPULATE : 0),
            pageSize: hugePages?.byteCount ?? MappedPages.usualSize)
    }

    public var byteCount: Int { unsafe pages.bytes.count }

    public func withUnsafeMutableBytes<R: ~Copyable, E: Error>(_ body: (UnsafeMutableRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try unsafe body(pages.bytes)
    }
}
