import CInterprocess
public import SystemPackage

/// A piece of System V shared memory, under a number in the kernel, until it is removed and nobody has it attached.
///
///     let memory = try SystemVSharedMemory.openOrCreate(SystemVKey(of: "/etc/hostname", project: 2), size: 4096)
///     let attached = try memory.attach()
///     unsafe attached.withUnsafeMutableBytes { bytes in … }
///
/// **Death** Of a process: it is detached, and its bytes stay as it left them: nobody is told.
///
/// The value is the kernel's number, and owns nothing: a copy means the same memory.
public struct SystemVSharedMemory: Sendable, Hashable {
    /// The kernel's number of the memory, the same in all processes.
    public let identifier: Int32

    /// The memory of a number that was found or received. Nothing is looked up.
    public init(identifier: Int32) { self.identifier = identifier }

    /// What the running kernel allows; nil without `/proc`.
    public enum Limits {
        /// The most bytes of one piece.
        public static var size: Int? { kernelLimit("kernel/shmmax") }
        /// The most pages of all pieces together.
        public static var pages: Int? { kernelLimit("kernel/shmall") }
        public static var pieces: Int? { kernelLimit("kernel/shmmni") }
    }

    // MARK: Names

    /// Makes a piece of zeroes; `EEXIST` if there is one of the key, but for `.private`, which always makes one.
    ///
    /// The corresponding C function is `shmget(IPC_CREAT|IPC_EXCL)`, with `SHM_HUGETLB` for huge pages.
    ///
    /// - Parameters:
    ///   - size: bytes; the kernel takes whole pages, and ``status()`` says what was asked for.
    ///   - permissions: the umask does not narrow them.
    ///   - hugePages: from the machine's pool (`vm.nr_hugepages`), which is empty unless somebody has filled it: then `ENOMEM`.
    /// - Throws: `EEXIST`, `EINVAL` for 0 or more than ``Limits/size``, `ENOMEM`, `ENOSPC`, `EPERM` for huge pages that this user may not have.
    public static func create(
        _ key: SystemVKey, size: Int, permissions: FilePermissions = .ownerReadWrite, hugePages: Bool = false
    ) throws(FacilityError) -> Self { try get(key, size, .create, permissions, hugePages) }

    /// Opens the piece of the key; `ENOENT` if there is none.
    ///
    /// The corresponding C function is `shmget`.
    ///
    /// - Throws: `EINVAL` if it has fewer than `minimumSize` bytes.
    public static func open(_ key: SystemVKey, minimumSize: Int = 0) throws(FacilityError) -> Self {
        try get(key, minimumSize, .open, [], false)
    }

    /// Opens the piece of the key, or makes it. The corresponding C function is `shmget(IPC_CREAT)`.
    ///
    /// - Throws: `EINVAL` also if there is a smaller one.
    public static func openOrCreate(
        _ key: SystemVKey, size: Int, permissions: FilePermissions = .ownerReadWrite, hugePages: Bool = false
    ) throws(FacilityError) -> Self { try get(key, size, .openOrCreate, permissions, hugePages) }

    /// Takes the key away; the memory goes when nobody has it attached any more. Until then it can be attached by its number.
    ///
    /// The corresponding C function is `shmctl(IPC_RMID)`.
    ///
    /// - Throws: `EPERM` unless this user owns it or has made it; `EINVAL`, `EIDRM` if it has gone.
    public func remove() throws(FacilityError) { try call("shmctl(IPC_RMID)") { ipc_sysv_memory_remove(identifier) } }

    private static func get(
        _ key: SystemVKey, _ size: Int, _ opening: SystemVOpening, _ permissions: FilePermissions, _ hugePages: Bool
    ) throws(FacilityError) -> Self {
        let identifier = try Facility.systemVSharedMemory.call("shmget", on: key.description) {
            ipc_sysv_memory_get(key.rawValue, max(size, 0), opening.flags(permissions) | (hugePages ? ipc_sysv_huge_pages : 0))
        }
        return Self(identifier: Int32(identifier))
    }

    // MARK: Attaching

    /// Puts the memory among this process's addresses, until the value ends. The corresponding C function is `shmat`.
    ///
    /// - Throws: `EACCES`, `EINVAL`, `EIDRM`, `ENOMEM`.
    public func attach() throws(FacilityError) -> Attachment { Attachment(try place(readOnly: false)) }

    /// The same, for reading only. The corresponding C function is `shmat(SHM_RDONLY)`.
    public func attachReadOnly() throws(FacilityError) -> ReadOnlyAttachment { ReadOnlyAttachment(try place(readOnly: true)) }

    private func place(readOnly: Bool) throws(FacilityError) -> Range {
        var address: UnsafeMutableRawPointer?
        try call("shmat") { unsafe ipc_sysv_memory_attach(identifier, readOnly ? 1 : 0, &address) }
        do throws(FacilityError) {
            return unsafe Range(UnsafeMutableRawBufferPointer(start: address, count: try status().size))
        } catch {
            unsafe _ = ipc_sysv_memory_detach(address)
            throw error
        }
    }

    /// Addresses that are detached when the value ends.
    @safe
    struct Range: ~Copyable, @unchecked Sendable {
        let bytes: UnsafeMutableRawBufferPointer
        init(_ bytes: UnsafeMutableRawBufferPointer) { unsafe self.bytes = bytes }
        deinit { unsafe _ = ipc_sysv_memory_detach(bytes.baseAddress) }
    }

    /// The memory at this process's addresses; detached when the value ends. The corresponding C function is `shmdt`.
    public struct Attachment: MutableMappedMemory, ~Copyable {
        private let range: Range
        init(_ range: consuming Range) { self.range = range }

        public var byteCount: Int { unsafe range.bytes.count }

        /// Calls `body` with the memory. Others may change it at the same time: atomics, or a lock, are the caller's.
        public func withUnsafeMutableBytes<R: ~Copyable, E: Error>(_ body: (UnsafeMutableRawBufferPointer) throws(E) -> R) throws(E) -> R {
            try unsafe body(range.bytes)
        }
    }

    /// The memory at this process's addresses, to be read only; detached when the value ends. The corresponding C function is `shmdt`.
    public struct ReadOnlyAttachment: MappedMemory, ~Copyable {
        private let range: Range
        init(_ range: consuming Range) { self.range = range }

        public var byteCount: Int { unsafe range.bytes.count }

        /// Calls `body` with the memory. Others may change it at the same time.
        public func withUnsafeBytes<R: ~Copyable, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
            try unsafe body(UnsafeRawBufferPointer(range.bytes))
        }
    }

    // MARK: What is known of it

    /// What the kernel says of a piece.
    public struct Status: Sendable, Hashable {
        public let access: SystemVAccess
        /// Bytes, as they were asked for.
        public let size: Int
        /// How often it is attached, in all processes.
        public let attachments: Int
        public let creator: Int32
        /// The process that has attached or detached it last; 0: none yet.
        public let lastProcess: Int32
    }

    /// The corresponding C function is `shmctl(IPC_STAT)`.
    public func status() throws(FacilityError) -> Status {
        var found = ipc_sysv_memory_status()
        try call("shmctl(IPC_STAT)") { unsafe ipc_sysv_memory_get_status(identifier, &found) }
        return Status(
            access: SystemVAccess(found.access), size: Int(found.size), attachments: Int(found.attached), creator: found.creator,
            lastProcess: found.last)
    }

    private var object: String { "memory \(identifier)" }

    @discardableResult
    private func call(_ name: SystemCallName, _ body: () -> Int) throws(FacilityError) -> Int {
        try Facility.systemVSharedMemory.call(name, on: object, body)
    }
}

extension Facility {
    public static let systemVSharedMemory = Facility("System V shared memory") { operation, error in
        switch (operation, error) {
        case ("shmget", .invalidArgument):
            "a piece has 1 to SystemVSharedMemory.Limits.size bytes (kernel.shmmax), and one that is there has what it was made with"
        case ("shmget", .noSpace):
            "the machine has all the pieces or pages that it may; remove some that nobody uses (ipcs -m, ipcrm), or raise kernel.shmmni or kernel.shmall"
        case ("shmget", .noMemory): "the kernel has no memory for it, or no huge pages in its pool (vm.nr_hugepages); ask for less"
        case ("shmget", .notPermitted): "this user may have no huge pages; ask for vm.hugetlb_shm_group"
        case (_, .invalidArgument): "there is no such memory any more; open it by its key again"
        case (_, .identifierRemoved): "somebody has removed the memory; open it by its key again, or end"
        case ("shmctl(IPC_RMID)", .notPermitted): "only its owner and its creator may remove it"
        default: nil
        }
    }
}
