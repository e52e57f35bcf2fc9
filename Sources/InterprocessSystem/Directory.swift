import CInterprocess
import Glibc
public import SystemPackage

/// A directory held open, so that the names looked up in it cannot be redirected meanwhile.
public struct Directory: ~Copyable, Sendable {
    private let owned: OwnedDescriptor
    public let path: FilePath

    /// Opens the directory at `path`; a symbolic link as its last component is refused (`ENOTDIR`).
    ///
    /// The corresponding C function is `open(O_DIRECTORY|O_NOFOLLOW)`.
    public init(opening path: FilePath) throws(Errno) {
        let descriptor = try systemCall("open") {
            unsafe path.withPlatformString { unsafe ipc_openat(AT_FDCWD, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0) }
        }
        owned = OwnedDescriptor(owning: descriptor)
        self.path = path
    }

    /// Removes the empty directory at `path`. The corresponding C function is `rmdir`.
    package static func remove(at path: FilePath) throws(Errno) {
        try systemCall("rmdir") { unsafe path.withPlatformString { unsafe resultOrErrno(rmdir($0)) } }
    }

    /// Makes the directory at `path`; false if there is something of that name. The corresponding C function is `mkdir`.
    public static func make(at path: FilePath, mode: FilePermissions) throws(Errno) -> Bool {
        do throws(Errno) {
            try systemCall("mkdir") { unsafe path.withPlatformString { unsafe resultOrErrno(mkdir($0, mode.rawValue)) } }
            return true
        } catch .fileExists {
            return false
        }
    }

    public var descriptor: FileDescriptor { owned.descriptor }

    /// What `fstat` says of the directory.
    public func status() throws(Errno) -> FileStatus { try FileStatus(of: owned.descriptor) }

    /// Opens the file `name` for reading and writing, or only reading. A symbolic link is refused (`ELOOP`); a device or pipe does not
    /// block.
    ///
    /// The corresponding C function is `openat(O_NOFOLLOW)`.
    public func open(_ name: String, readOnly: Bool = false) throws(Errno) -> OwnedDescriptor {
        let flags = Self.openFlags(readOnly)
        let descriptor = try systemCall("open") { unsafe name.withCString { unsafe ipc_openat(owned.descriptor.rawValue, $0, flags, 0) } }
        return OwnedDescriptor(owning: descriptor)
    }

    /// The same for a name of ``entries()``.
    public func open(_ name: FilePath.Component, readOnly: Bool = false) throws(Errno) -> OwnedDescriptor {
        let flags = Self.openFlags(readOnly)
        let descriptor = try systemCall("open") {
            unsafe name.withPlatformString { unsafe ipc_openat(owned.descriptor.rawValue, $0, flags, 0) }
        }
        return OwnedDescriptor(owning: descriptor)
    }

    private static func openFlags(_ readOnly: Bool) -> CInt {
        (readOnly ? O_RDONLY : O_RDWR) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
    }

    /// Opens the file `name` for reading and writing, a symbolic link followed: for the links of `/proc/self/fd`, which lead to files that
    /// may have no name.
    ///
    /// The corresponding C function is `openat`.
    public func openFollowing(_ name: String) throws(Errno) -> OwnedDescriptor {
        let descriptor = try systemCall("open") {
            unsafe name.withCString { unsafe ipc_openat(owned.descriptor.rawValue, $0, O_RDWR | O_CLOEXEC, 0) }
        }
        return OwnedDescriptor(owning: descriptor)
    }

    /// Makes a file of no name on the directory's file system: it is gone when nobody has it open.
    ///
    /// The corresponding C function is `openat(O_TMPFILE)`; `EOPNOTSUPP` where the file system has none.
    public func makeUnnamedFile(mode: FilePermissions) throws(Errno) -> OwnedDescriptor {
        let descriptor = try systemCall("open(O_TMPFILE)") { ipc_open_unnamed(owned.descriptor.rawValue, UInt32(mode.rawValue)) }
        return OwnedDescriptor(owning: descriptor)
    }

    /// Gives an unnamed file its name, in one step; `EEXIST` if the name is taken.
    ///
    /// The corresponding C function is `linkat`, by the descriptor itself where the kernel allows it and by `/proc/self/fd` otherwise.
    public func link(_ file: FileDescriptor, as name: String) throws(Errno) {
        do throws(Errno) {
            try systemCall("linkat") {
                unsafe name.withCString { unsafe ipc_linkat_descriptor(file.rawValue, owned.descriptor.rawValue, $0) }
            }
        } catch .noSuchFileOrDirectory {
            // Before Linux 6.10 only a process with CAP_DAC_READ_SEARCH may link by descriptor.
            try systemCall("linkat") {
                unsafe name.withCString {
                    unsafe resultOrErrno(
                        linkat(AT_FDCWD, "/proc/self/fd/\(file.rawValue)", owned.descriptor.rawValue, $0, AT_SYMLINK_FOLLOW))
                }
            }
        }
    }

    /// Removes the name. The corresponding C function is `unlinkat`.
    public func unlink(_ name: String) throws(Errno) {
        try systemCall("unlinkat") { unsafe name.withCString { unsafe resultOrErrno(unlinkat(owned.descriptor.rawValue, $0, 0)) } }
    }

    /// The same for a name of ``entries()``.
    public func unlink(_ name: FilePath.Component) throws(Errno) {
        try systemCall("unlinkat") {
            unsafe name.withPlatformString { unsafe resultOrErrno(unlinkat(owned.descriptor.rawValue, $0, 0)) }
        }
    }

    /// What stands at `name`, a symbolic link not followed; nil if nothing. The corresponding C function is `fstatat`.
    public func status(of name: String) throws(Errno) -> FileStatus? {
        try status { status in
            unsafe name.withCString { unsafe resultOrErrno(fstatat(owned.descriptor.rawValue, $0, &status, AT_SYMLINK_NOFOLLOW)) }
        }
    }

    /// The same for a name of ``entries()``.
    public func status(of name: FilePath.Component) throws(Errno) -> FileStatus? {
        try status { status in
            unsafe name.withPlatformString { unsafe resultOrErrno(fstatat(owned.descriptor.rawValue, $0, &status, AT_SYMLINK_NOFOLLOW)) }
        }
    }

    private func status(_ ask: (inout stat) -> Int) throws(Errno) -> FileStatus? {
        var status = stat()
        do throws(Errno) {
            try systemCall("fstatat") { ask(&status) }
        } catch .noSuchFileOrDirectory {
            return nil
        }
        return FileStatus(status)
    }

    /// The names in the directory as text, sorted, without `.` and `..`. A name that is not UTF-8 is shown with replacement characters, by
    /// which it cannot be opened: see ``entries()``.
    public func names() throws(Errno) -> [String] { try entries().map(\.string).sorted() }

    /// The names in the directory as the kernel has them, any bytes but zero and the slash; sorted by these bytes, without `.` and `..`.
    ///
    /// The corresponding C functions are `fdopendir` and `readdir`.
    public func entries() throws(Errno) -> [FilePath.Component] {
        let copy = try systemCall("open") { unsafe ipc_openat(owned.descriptor.rawValue, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) }
        guard let stream = unsafe fdopendir(CInt(copy)) else {
            let error = Errno(rawValue: errno)
            try? FileDescriptor(rawValue: CInt(copy)).close()
            throw error
        }
        defer { unsafe closedir(stream) }
        var entries: [(bytes: [UInt8], name: FilePath.Component)] = []
        while let entry = unsafe readdir(stream) {
            guard let name = unsafe FilePath.Component(platformString: entryName(entry)), name.kind == .regular else { continue }
            let length = unsafe Int(strlen(entryName(entry)))
            entries.append((unsafe Array(UnsafeRawBufferPointer(start: entryName(entry), count: length)), name))
        }
        return entries.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }.map(\.name)
    }
}

private func entryName(_ entry: UnsafeMutablePointer<dirent>) -> UnsafePointer<CChar> {
    let offset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 0
    return unsafe UnsafeRawPointer(entry).advanced(by: offset).assumingMemoryBound(to: CChar.self)
}
