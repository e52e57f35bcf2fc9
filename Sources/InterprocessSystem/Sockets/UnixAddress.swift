import Glibc
public import SystemPackage

/// Where a unix socket is found.
public enum UnixAddress: SocketAddress {
    /// A path. The socket's file stays when its owner ends, and nobody answers there: ``remove()`` it.
    case path(FilePath)
    /// A name without a file, in the kernel's own table for the network namespace; it is free again when its owner ends. Any user may connect.
    case abstract(String)

    static var family: CInt { CInt(AF_UNIX) }
    public var family: Int32 { Self.family }

    /// The most bytes of a path or a name.
    public static var largestByteCount: Int { 107 }

    public var description: String {
        switch self {
        case .path(let path): path.string
        case .abstract(let name): "@\(name)"
        }
    }

    /// Removes the path; who is connected goes on. Of an abstract name there is nothing to remove. The corresponding C function is `unlink`.
    public func remove() throws(FacilityError) {
        guard case .path(let path) = self else { return }
        try Facility.unixStream.call("unlink", on: description) { unsafe path.withPlatformString { unsafe resultOrErrno(unlink($0)) } }
    }

    /// Calls `body` with the address as the kernel takes it: `sockaddr_un`.
    public func withBytes<R>(
        _ facility: Facility, _ operation: SystemCallName, _ body: (UnsafeRawPointer, Int) throws(FacilityError) -> R
    ) throws(FacilityError) -> R {
        var name: [UInt8]
        switch self {
        case .path(let path):
            // To the kernel, no path would be an abstract name.
            if path.isEmpty { throw FacilityError(facility, operation, .noSuchFileOrDirectory, object: "an empty path") }
            name = unsafe path.withPlatformString { unsafe Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
        case .abstract(let text): name = [0] + text.utf8
        }
        let isAbstract = name.first == 0
        guard name.count - (isAbstract ? 1 : 0) <= Self.largestByteCount else {
            throw FacilityError(facility, operation, .fileNameTooLong, object: description)
        }
        if !isAbstract { name.append(0) }
        let bytes = [UInt8(truncatingIfNeeded: AF_UNIX), 0] + name
        return try unsafe bytes.span.withUnsafeBytes { (bytes) throws(FacilityError) in try unsafe body(bytes.baseAddress!, bytes.count) }
    }

    /// The address that the kernel has written; nil for a socket without one.
    public static func reported(_ bytes: UnsafeRawBufferPointer) -> UnixAddress? {
        guard bytes.count > 2 else { return nil }
        let name = unsafe bytes[2...]
        return if unsafe name.first == 0 {
            .abstract(unsafe String(decoding: name.dropFirst(), as: UTF8.self))
        } else {
            .path(FilePath(unsafe String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)))
        }
    }
}
