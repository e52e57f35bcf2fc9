import CInterprocess
import SystemPackage

/// Pages larger than the usual ones, from a pool that the machine's owner has filled: of one size.
///
/// The pool is empty on most machines (`vm.nr_hugepages`): then memory of such pages is `ENOMEM`. Transparent huge pages need none: ``MemoryAdvice/hugePages``.
public struct HugePages: Sendable, Hashable {
    /// Of one page: a power of two.
    public let byteCount: Int

    /// The sizes that this machine has, the smallest first.
    public static var available: [HugePages] {
        let names = (try? Directory(opening: "/sys/kernel/mm/hugepages").names()) ?? []
        return names.compactMap { name in
            guard name.hasPrefix("hugepages-"), name.hasSuffix("kB") else { return nil }
            return Int(name.dropFirst(10).dropLast(2)).map { HugePages(byteCount: $0 * 1024) }
        }.sorted { $0.byteCount < $1.byteCount }
    }

    /// How many pages of the pool are free now; nil without `/sys`.
    public var free: Int? {
        readSmallFile("/sys/kernel/mm/hugepages/hugepages-\(byteCount / 1024)kB/free_hugepages").flatMap {
            Int(String(decoding: $0.prefix { $0 > UInt8(ascii: " ") }, as: UTF8.self))
        }
    }

    /// The size as `mmap` and `memfd_create` take it.
    var sizeFlag: CInt { CInt(byteCount.trailingZeroBitCount) << ipc_huge_page_shift }
}
