import CInterprocess
import Glibc
public import SystemPackage

/// Which process this is, in terms that other processes can check.
public struct ProcessIdentity: Sendable, Equatable {
    /// The process id, in the process's own pid namespace.
    public let pid: Int32
    /// When it started, in clock ticks since the machine did; with the pid it tells a process from a later one of the same number (to one
    /// tick).
    public let startTime: UInt64
    /// The inode number of its pid namespace: pids of different namespaces say nothing of one another.
    public let pidNamespace: UInt64
    /// The effective user id.
    public let userID: UInt32
    /// The program's name, at most 31 bytes.
    public let program: String

    /// Of the calling process. The corresponding C functions are `getpid` and `geteuid`; the rest comes from `/proc/self`.
    public static func current() -> ProcessIdentity {
        ProcessIdentity(
            pid: getpid(), startTime: startTime(ofProcess: "self") ?? 0, pidNamespace: currentPIDNamespace() ?? 0, userID: currentUserID(),
            program: currentProgramName)
    }

    /// Makes this process another user's, with the group of the same number and no others, for good. The corresponding C functions are `setgroups`, `setgid` and `setuid`.
    ///
    /// - Throws: `EPERM` without privileges.
    package static func become(user: UInt32) throws(Errno) {
        try systemCall("setgroups") { resultOrErrno(setgroups(0, nil)) }
        try systemCall("setgid") { resultOrErrno(setgid(user)) }
        try systemCall("setuid") { resultOrErrno(setuid(user)) }
    }

    /// The start time of the process `pid` of this process's pid namespace; nil if there is none.
    public static func startTime(of pid: Int32) -> UInt64? { startTime(ofProcess: "\(pid)") }

    private static func startTime(ofProcess process: String) -> UInt64? {
        guard let text = readSmallFile("/proc/\(process)/stat") else { return nil }
        // The second field may hold blanks and brackets; the 22nd is counted from the last bracket. Every joining of a segment comes by here: no slices, which take ten times as long.
        var index = text.count
        repeat {
            guard index > 0 else { return nil }
            index -= 1
        } while text[index] != UInt8(ascii: ")")
        var field = 2
        var value: UInt64 = 0
        while index < text.count {
            let byte = text[index]
            if byte == UInt8(ascii: " ") {
                field += 1
                if field > 22 { return value }
            } else if field == 22 {
                value = value &* 10 &+ UInt64(byte &- UInt8(ascii: "0"))
            }
            index += 1
        }
        return nil
    }

    /// The name of the running program's file, by the kernel's own link to it, at most 31 bytes: whatever the program was called by, and
    /// also
    /// if it was started by way of `/proc/self/exe`. The corresponding C function is `readlink`.
    public static var currentProgramName: String {
        var name = currentProgramPath?.lastComponent?.string[...] ?? ""
        // What the kernel adds when the file has been removed or replaced.
        if name.hasSuffix(" (deleted)") { name = name.dropLast(10) }
        return String(decoding: name.utf8.prefix(31), as: UTF8.self)
    }

    /// The running program's file, by the kernel's own link to it; nil without `/proc`. The corresponding C function is `readlink`.
    public static var currentProgramPath: FilePath? {
        let path = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer -> String in
            let count = unsafe readlink("/proc/self/exe", buffer.baseAddress!, buffer.count)
            guard count > 0 else { return "" }
            return unsafe String(decoding: UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: buffer[..<count])), as: UTF8.self)
        }
        return path.isEmpty ? nil : FilePath(path)
    }

    private static func currentPIDNamespace() -> UInt64? {
        var status = stat()
        return unsafe stat("/proc/self/ns/pid", &status) == 0 ? UInt64(status.st_ino) : nil
    }
}

/// The effective user id. The corresponding C function is `geteuid`.
public func currentUserID() -> UInt32 { geteuid() }

/// The account name of a user id; nil if it has none. The corresponding C function is `getpwuid_r`.
public func accountName(ofUser id: UInt32) -> String? {
    var entry = unsafe passwd()
    var result: UnsafeMutablePointer<passwd>?
    return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { buffer in
        guard unsafe getpwuid_r(id, &entry, buffer.baseAddress!, buffer.count, &result) == 0, unsafe result != nil,
            let name = unsafe entry.pw_name
        else {
            return nil
        }
        return unsafe String(cString: name)
    }
}

/// The value of an environment variable. The corresponding C function is `getenv`.
public func environmentVariable(_ name: String) -> String? {
    guard let value = unsafe getenv(name) else { return nil }
    return unsafe String(cString: value)
}

/// Fills `buffer` with random bytes from the kernel, so that they differ also between two children of a fork. The corresponding C function
/// is `getrandom`.
public func randomUInt64() -> UInt64 {
    var value: UInt64 = 0
    while unsafe ipc_getrandom(&value, 8) != 8 {}
    return value
}

/// The first 4,096 bytes of a file; nil if it cannot be read.
func readSmallFile(_ path: String) -> [UInt8]? {
    guard let file = try? FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec) else { return nil }
    defer { try? file.close() }
    return try? unsafe [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
        count = try unsafe file.read(into: UnsafeMutableRawBufferPointer(buffer))
    }
}
