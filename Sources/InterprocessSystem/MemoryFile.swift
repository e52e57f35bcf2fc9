import CInterprocess
import Glibc
public import SystemPackage

/// Memory that is a file of no name: it travels by descriptor, to children or over a socket, and is mapped by ``MappedFile``.
///
/// **Seals** say what nobody may do to it any more, whoever has it: so the receiver of one that is sealed needs not trust its sender.
///
/// **Death** Of a process: its bytes stay as it left them, until the last one that has it open or mapped ends; nobody is told.
public enum MemoryFile {
    /// What may no longer be done to a memory file, by anybody.
    public struct Seals: OptionSet, Sendable {
        public let rawValue: CInt
        public init(rawValue: CInt) { self.rawValue = rawValue }
        /// No more seals.
        public static let seal = Seals(rawValue: ipc_seal_seal)
        /// No smaller.
        public static let shrink = Seals(rawValue: ipc_seal_shrink)
        /// No larger.
        public static let grow = Seals(rawValue: ipc_seal_grow)
        /// No writing at all.
        public static let write = Seals(rawValue: ipc_seal_write)
        /// No new writable mapping; those that exist stay.
        public static let futureWrite = Seals(rawValue: ipc_seal_future_write)
        /// Executable or not for ever, as it is now. Linux 6.3.
        public static let execute = Seals(rawValue: ipc_seal_exec)
    }

    /// Makes a memory file of `size` reserved bytes, mode 0600, never executable where the kernel knows that (Linux 6.3).
    ///
    /// The corresponding C function is `memfd_create(MFD_ALLOW_SEALING)`, with `MFD_HUGETLB` for huge pages.
    ///
    /// - Parameters:
    ///   - name: shown in `/proc/PID/fd`, nothing else; at most 249 bytes.
    ///   - hugePages: one of ``HugePages/available``; the size is whole pages then. nil for usual ones.
    /// - Throws: `EINVAL` for a longer name, `EMFILE`, `ENFILE`, `ENOMEM`, `ENOSPC`, `EFBIG`; where the pool has not so many huge pages `ENOMEM` or `ENOSPC`.
    public static func make(named name: String, size: Int, hugePages: HugePages? = nil) throws(FacilityError) -> OwnedDescriptor {
        let pageFlags = hugePages.map { CInt(bitPattern: ipc_memfd_huge_pages) | $0.sizeFlag } ?? 0
        let file = OwnedDescriptor(owning: try create(name, ipc_memfd_cloexec | ipc_memfd_allow_sealing | pageFlags))
        // The file is born with mode 0777: whoever gets a read-only descriptor could open it for writing through /proc.
        try Facility.memoryFile.checking("fchmod", on: name) { () throws(Errno) in try file.descriptor.setPermissions(.ownerReadWrite) }
        // Nothing cannot be reserved (EINVAL).
        guard size != 0 else { return file }
        let whole = hugePages.map { MappedPages.roundUp(size, to: $0.byteCount) } ?? size
        try Facility.memoryFile.checking("posix_fallocate", on: name) { () throws(Errno) in try file.descriptor.reserve(size: whole) }
        return file
    }

    private static func create(_ name: String, _ flags: CInt) throws(FacilityError) -> Int {
        func call(_ flags: CInt) throws(FacilityError) -> Int {
            try Facility.memoryFile.call("memfd_create", on: name) {
                unsafe name.withCString { unsafe ipc_memfd_create($0, UInt32(bitPattern: flags)) }
            }
        }
        do throws(FacilityError) {
            return try call(flags | ipc_memfd_noexec_seal)
        } catch let error where error.errno == .invalidArgument {
            return try call(flags)
        }
    }

    /// Adds seals, which nobody can take away. The corresponding C function is `fcntl(F_ADD_SEALS)`.
    ///
    /// - Throws: `EPERM` if the file has ``Seals/seal`` or was opened for reading only, `EBUSY` for ``Seals/write`` while anybody has it mapped to be changed, `EINVAL` if it is no memory file.
    public static func add(_ seals: Seals, to file: FileDescriptor) throws(FacilityError) {
        try Facility.memoryFile.call("fcntl(F_ADD_SEALS)") { ipc_fcntl(file.rawValue, ipc_add_seals, Int(seals.rawValue)) }
    }

    /// The seals in force; `EINVAL` if the file cannot have any. The corresponding C function is `fcntl(F_GET_SEALS)`.
    public static func seals(of file: FileDescriptor) throws(FacilityError) -> Seals {
        Seals(rawValue: CInt(try Facility.memoryFile.call("fcntl(F_GET_SEALS)") { ipc_fcntl(file.rawValue, ipc_get_seals, 0) }))
    }
}

extension Facility {
    public static let memoryFile = Facility("memory file") { operation, error in
        switch (operation, error) {
        case ("memfd_create", .invalidArgument): "a name has at most 249 bytes, and huge pages are some of HugePages.available"
        case ("memfd_create", .noMemory), ("posix_fallocate", .noMemory), ("posix_fallocate", .noSpace):
            "there is no memory left, or no huge page in the pool (vm.nr_hugepages); ask for less"
        case ("memfd_create", .notPermitted): "this user may have no huge pages; ask for vm.hugetlb_shm_group"
        case ("posix_fallocate", .invalidArgument): "a file has 0 bytes or more"
        case ("posix_fallocate", .fileTooLarge):
            "it would be larger than a file of this process may be; ask for less, or raise the limit (ulimit -f)"
        case ("fcntl(F_ADD_SEALS)", .notPermitted): "the file takes no more seals, or was opened for reading only; seal it before that"
        case ("fcntl(F_ADD_SEALS)", .resourceBusy): "somebody has it mapped to be changed; unmap it first, or take the seal futureWrite"
        case (_, .invalidArgument): "only memory files have seals, and the kernel must know them"
        default: nil
        }
    }
}
