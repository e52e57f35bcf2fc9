import CInterprocess
import Glibc
public import SystemPackage

/// POSIX shared memory: a file in memory under a name of the machine, until it is removed and nobody has it open or mapped.
///
///     let memory = try PosixSharedMemory.openOrCreate("/table", byteCount: 4096)
///     let table = try memory.map()
///     unsafe table.withUnsafeMutableBytes { bytes in … }
///
/// On Linux it is a file of `/dev/shm`, for which a container has 64 MiB unless it was started with more (`--shm-size`).
///
/// **Boundaries** Bytes, as many as were asked for, reserved: what there is no room for is `ENOSPC` now and no `SIGBUS` later. What it means that somebody makes it shorter: ``MappedFile``.
///
/// **Death** Of a process: the bytes stay as it left them, under the name, until ``remove(_:)`` or the machine's end; nobody is told.
public struct PosixSharedMemory: ~Copyable, Sendable {
    private let owned: OwnedDescriptor
    private let name: String

    /// Makes memory of zeroes; `EEXIST` if there is one of the name. For a moment there is the name and no byte yet: ``openOrCreate(_:byteCount:permissions:)`` knows no such moment.
    ///
    /// The corresponding C functions are `shm_open(O_CREAT|O_EXCL)` and `posix_fallocate`.
    ///
    /// - Parameters:
    ///   - name: a slash, and up to 255 bytes without one.
    ///   - permissions: narrowed by the umask.
    /// - Throws: `EEXIST`, `EACCES`, `EINVAL` for a name that is none, `ENAMETOOLONG`, `EMFILE`, `ENFILE`, `ENOSPC`, `EFBIG`: then nothing is left of it.
    public static func create(
        _ name: String, byteCount: Int, permissions: FilePermissions = .ownerReadWrite
    ) throws(FacilityError) -> Self {
        let memory = try Self(name, O_RDWR | O_CREAT | O_EXCL, permissions)
        do throws(FacilityError) {
            try memory.reserve(byteCount)
        } catch {
            try? remove(name)
            throw error
        }
        return memory
    }

    /// Opens the memory of the name; `ENOENT` if there is none.
    ///
    /// The corresponding C function is `shm_open`.
    ///
    /// - Parameter readOnly: it can be mapped by ``mapReadOnly(from:byteCount:)`` then, and not changed.
    public static func open(_ name: String, readOnly: Bool = false) throws(FacilityError) -> Self {
        try Self(name, readOnly ? O_RDONLY : O_RDWR, [])
    }

    /// Opens the memory of the name, or makes it; and makes it longer if it has fewer than `byteCount` bytes. Whoever comes second finds all of it.
    ///
    /// The corresponding C functions are `shm_open(O_CREAT)` and `posix_fallocate`.
    ///
    /// - Throws: what ``create(_:byteCount:permissions:)`` does but `EEXIST`; a name that it has made stays.
    public static func openOrCreate(
        _ name: String, byteCount: Int, permissions: FilePermissions = .ownerReadWrite
    ) throws(FacilityError) -> Self {
        let memory = try Self(name, O_RDWR | O_CREAT, permissions)
        try memory.reserve(byteCount)
        return memory
    }

    /// Removes the name; who has the memory open or mapped goes on. The corresponding C function is `shm_unlink`.
    ///
    /// - Throws: `ENOENT`, `EACCES` for another's.
    public static func remove(_ name: String) throws(FacilityError) {
        try Facility.posixSharedMemory.call("shm_unlink", on: name) { unsafe name.withCString { unsafe ipc_shared_memory_remove($0) } }
    }

    /// Takes over a descriptor of shared memory that somebody else has opened; nobody else may close it.
    public init(owning descriptor: FileDescriptor) {
        owned = OwnedDescriptor(owning: descriptor)
        name = ""
    }

    private init(_ name: String, _ flags: CInt, _ permissions: FilePermissions) throws(FacilityError) {
        owned = OwnedDescriptor(
            owning: try Facility.posixSharedMemory.call("shm_open", on: name) {
                unsafe name.withCString { unsafe ipc_shared_memory_open($0, flags, permissions.rawValue) }
            })
        self.name = name
    }

    /// The descriptor, for calls of others; it stays the owner's. It is closed by `exec`, and can be given to children and sent over a socket.
    public var descriptor: FileDescriptor { owned.descriptor }

    /// Gives the descriptor up without closing it.
    public consuming func release() -> FileDescriptor { owned.release() }

    // MARK: Size

    /// Bytes. The corresponding C function is `fstat`.
    public func byteCount() throws(FacilityError) -> Int {
        try Facility.posixSharedMemory.checking("fstat", on: name) { () throws(Errno) in try FileStatus(of: descriptor).size }
    }

    /// Makes it longer, by zeroes that are reserved, or shorter: then touching what was mapped of the rest is `SIGBUS`, for all.
    ///
    /// The corresponding C functions are `ftruncate` and `posix_fallocate`.
    ///
    /// - Throws: `ENOSPC`, `EFBIG`, `EINVAL` for a negative number, or if it was opened for reading only, or `EPERM` if it is sealed; it is as long as before then, unless it was to be shorter.
    public func resize(to byteCount: Int) throws(FacilityError) {
        if try byteCount < self.byteCount() {
            try Facility.posixSharedMemory.checking("ftruncate", on: name) { () throws(Errno) in try descriptor.setSize(byteCount) }
        }
        try reserve(byteCount)
    }

    private func reserve(_ byteCount: Int) throws(FacilityError) {
        // Nothing cannot be reserved (EINVAL).
        guard byteCount != 0 else { return }
        try Facility.posixSharedMemory.checking("posix_fallocate", on: name) { () throws(Errno) in try descriptor.reserve(size: byteCount) }
    }

    // MARK: Mapping

    /// Puts the memory, or a part, among this process's addresses, until the value ends. See ``MappedFile/init(_:from:byteCount:_:populated:)``.
    ///
    /// The corresponding C function is `mmap(MAP_SHARED)`.
    ///
    /// - Throws: `EINVAL` if it has no byte there, `EACCES` if it was opened for reading only, and what else mapping does.
    public func map(from offset: Int = 0, byteCount: Int? = nil) throws(FacilityError) -> MappedFile {
        try MappedFile(descriptor, from: offset, byteCount: byteCount)
    }

    /// The same, for reading only. The corresponding C function is `mmap(MAP_SHARED)`.
    public func mapReadOnly(from offset: Int = 0, byteCount: Int? = nil) throws(FacilityError) -> ReadOnlyMappedFile {
        try ReadOnlyMappedFile(descriptor, from: offset, byteCount: byteCount)
    }
}

extension Facility {
    public static let posixSharedMemory = Facility("POSIX shared memory") { operation, error in
        switch (operation, error) {
        case ("shm_open", .invalidArgument), ("shm_unlink", .invalidArgument): "a name is a slash, and up to 255 bytes without one"
        case ("posix_fallocate", .noSpace):
            "/dev/shm is full; remove what is not needed there, or make it larger (in a container --shm-size)"
        case ("posix_fallocate", .fileTooLarge), ("ftruncate", .fileTooLarge):
            "it would be larger than a file of this process may be; ask for less, or raise the limit (ulimit -f)"
        case ("posix_fallocate", .badFileDescriptor), ("posix_fallocate", .invalidArgument), ("ftruncate", .invalidArgument):
            "it has 0 bytes or more, and to get another size it must be open for writing"
        case ("posix_fallocate", .notPermitted), ("ftruncate", .notPermitted): "its size is sealed; make another one"
        default: nil
        }
    }
}
