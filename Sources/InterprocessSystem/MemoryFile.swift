import CInterprocess
import Glibc
public import SystemPackage

/// Memory that is a file of no name: it travels by descriptor, to children or over a socket.
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
        /// Never executable.
        public static let execute = Seals(rawValue: ipc_seal_exec)
    }

    /// Makes a memory file of `size` reserved bytes, mode 0600, never executable where the kernel knows that (Linux 6.3).
    ///
    /// The corresponding C function is `memfd_create`.
    ///
    /// - Parameter name: shown in `/proc/PID/fd`, nothing else.
    public static func make(named name: String, size: Int) throws(Errno) -> OwnedDescriptor {
        func create(_ flags: CInt) throws(Errno) -> OwnedDescriptor {
            OwnedDescriptor(
                owning: try systemCall("memfd_create") { unsafe name.withCString { unsafe ipc_memfd_create($0, UInt32(flags)) } })
        }
        let flags = ipc_memfd_cloexec | ipc_memfd_allow_sealing
        let file: OwnedDescriptor
        do throws(Errno) {
            file = try create(flags | ipc_memfd_noexec_seal)
        } catch .invalidArgument {
            file = try create(flags)
        }
        // The file is born with mode 0777: whoever gets a read-only descriptor could open it for writing through /proc.
        try file.descriptor.setPermissions(.ownerReadWrite)
        // Nothing cannot be reserved (EINVAL).
        if size > 0 { try file.descriptor.reserve(size: size) }
        return file
    }

    /// Adds seals. The corresponding C function is `fcntl(F_ADD_SEALS)`.
    public static func add(_ seals: Seals, to file: FileDescriptor) throws(Errno) {
        try systemCall("fcntl(F_ADD_SEALS)") { ipc_fcntl(file.rawValue, ipc_add_seals, Int(seals.rawValue)) }
    }

    /// The seals in force; `EINVAL` if the file cannot have any. The corresponding C function is `fcntl(F_GET_SEALS)`.
    public static func seals(of file: FileDescriptor) throws(Errno) -> Seals {
        Seals(rawValue: CInt(try systemCall("fcntl(F_GET_SEALS)") { ipc_fcntl(file.rawValue, ipc_get_seals, 0) }))
    }
}
