import CInterprocess
import Glibc
import SystemPackage

/// Memory at this process's addresses, for as long as its value lives.
///
/// **Death** Of a process that shares it: its bytes stay as it left them; nobody is told.
public protocol MappedMemory: ~Copyable, Sendable {
    var byteCount: Int { get }
    /// Calls `body` with the memory. Others may change it at the same time.
    func withUnsafeBytes<R: ~Copyable, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R
}

/// Memory at this process's addresses that it may change.
public protocol MutableMappedMemory: MappedMemory, ~Copyable {
    /// Calls `body` with the memory. Others may change it at the same time: atomics, or a lock, are the caller's.
    func withUnsafeMutableBytes<R: ~Copyable, E: Error>(_ body: (UnsafeMutableRawBufferPointer) throws(E) -> R) throws(E) -> R
}

extension MutableMappedMemory where Self: ~Copyable {
    public func withUnsafeBytes<R: ~Copyable, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try unsafe withUnsafeMutableBytes { (bytes) throws(E) in try unsafe body(UnsafeRawBufferPointer(bytes)) }
    }
}

/// What a program says of its use of memory, as the kernel numbers it.
public enum MemoryAdvice: Int32, Sendable, Hashable, CaseIterable {
    /// As usual.
    case normal = 0
    /// In no order: nothing is to be read ahead.
    case random = 1
    /// In order: much is to be read ahead, and soon forgotten.
    case sequential = 2
    /// Soon: to be read now. Does not wait for it.
    case willNeed = 3
    /// Not soon. Of a private mapping **the changes are lost**, of a shared one nothing is.
    case willNotNeed = 4
    /// Its contents are no more needed, by anybody: **zeroes stand there then**, also in the file, and its memory or disk is given back.
    case remove = 9
    /// A child of `fork` is not to have it.
    case notInherited = 10
    /// A child of `fork` is to have it, as usual.
    case inherited = 11
    /// Transparent huge pages, where the kernel has them for such memory (`/sys/kernel/mm/transparent_hugepage`).
    case hugePages = 14
    /// No transparent huge pages.
    case noHugePages = 15
    /// Not in core dumps.
    case notDumped = 16
    /// In core dumps, as usual.
    case dumped = 17
    /// Among the first to go where memory is short. Linux 5.4.
    case cold = 20
    /// Out of memory now, to the file or the swap space. Linux 5.4.
    case pageOut = 21
    /// Its pages are to be entered now, as by reading. Linux 5.14.
    case populateForReading = 22
    /// Its pages are to be entered now, as by writing, so that no touch waits or fails later. Linux 5.14.
    case populateForWriting = 23
}

extension MappedMemory where Self: ~Copyable {
    /// Says how the bytes of `range` are to be used. The kernel takes the whole pages in which they are.
    ///
    /// The corresponding C function is `madvise`.
    ///
    /// - Parameter range: nil for all.
    /// - Throws: `EINVAL` if the kernel has not got it, or not for such memory; `EACCES`, `EAGAIN`, `EBADF`, `EBUSY`, `EIO`, `ENOMEM`, `EPERM`; for populating also `EFAULT`, where touching would be
    ///   `SIGBUS`, and `EHWPOISON`.
    public func advise(_ advice: MemoryAdvice, for range: Range<Int>? = nil) throws(FacilityError) {
        try unsafe call("madvise", range) { unsafe ipc_memory_advise($0, $1, advice.rawValue) }
    }

    /// Makes a call with the pages in which the bytes of `range` are.
    func call(
        _ name: SystemCallName, _ range: Range<Int>?, _ body: (UnsafeMutableRawPointer, Int) -> Int
    ) throws(FacilityError) {
        try unsafe withUnsafeBytes { (bytes) throws(FacilityError) in
            let range = range ?? 0..<bytes.count
            precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "MappedMemory: the range is outside of the memory")
            let start = unsafe UnsafeMutableRawPointer(mutating: bytes.baseAddress! + range.lowerBound)
            let lead = Int(UInt(bitPattern: start) % UInt(MappedPages.usualSize))
            try Facility.mappedMemory.call(name) { unsafe body(start - lead, lead + range.count) }
        }
    }
}

extension Facility {
    /// Memory that is mapped, with a file or without.
    public static let mappedMemory = Facility("mapped memory") { operation, error in
        switch (operation, error) {
        case ("mmap", .permissionDenied):
            "the file must be open for reading, and to be changed by a shared mapping for writing as well; open it so"
        case ("mmap", .notPermitted):
            "the file is sealed against writing, or its file system allows no such mapping; map it for reading only"
        case ("mmap", .invalidArgument), ("mremap", .invalidArgument):
            "a mapping has at least one byte, not more than there are addresses, and from the offset on the file must have it; look at the file's size"
        case ("mmap", .operationNotSupportedByDevice): "a file of this kind cannot be mapped; read it"
        case ("mmap", .resourceTemporarilyUnavailable), ("mremap", .resourceTemporarilyUnavailable):
            "this process may not lock so much memory; ask for less, or raise the limit (ulimit -l)"
        case ("mmap", .overflow): "the offset and the length together are more than a file may have; look at them"
        case ("mmap", .noMemory):
            "there are not so many addresses, or too many mappings (vm.max_map_count), or no huge pages in their pool (vm.nr_hugepages); ask for less"
        case ("mremap", .noMemory), ("mremap", .badAddress): "the addresses for so much are not there; ask for less, or map it anew"
        case ("msync", .ioError):
            "the file system could not write; what was changed may be lost: look at the disk, and write it again elsewhere"
        case ("msync", .resourceBusy): "some of the pages are locked; unlock them first"
        case ("madvise", .invalidArgument): "the kernel does not know this advice, or not for such memory; do without"
        case ("madvise", .permissionDenied): "only memory of a shared mapping that may be changed can be removed"
        case ("madvise", .resourceTemporarilyUnavailable), ("madvise", .resourceBusy):
            "the kernel is short of something just now; do without, or try again"
        case ("madvise", .badFileDescriptor): "only memory of a file can be read ahead; do without"
        case ("madvise", .badAddress): "the file does not go so far, and touching it would be a bus error; make it longer first"
        case ("madvise", .hardwarePoison): "a page of it is broken memory; leave the machine, or at least this mapping"
        case ("mbind", .invalidArgument), ("set_mempolicy", .invalidArgument):
            "a node is one of MemoryPolicy.nodes that this process may use (cpuset), and a policy of nodes has at least one"
        case ("mbind", .ioError): "some pages could not be moved; do without, or set the policy before they are touched"
        case ("mbind", .notPermitted), ("set_mempolicy", .notPermitted):
            "this process may not say where its memory lies (in a container, CAP_SYS_NICE); do without"
        default: nil
        }
    }
}

extension Errno {
    fileprivate static let hardwarePoison = Errno(rawValue: EHWPOISON)
}
