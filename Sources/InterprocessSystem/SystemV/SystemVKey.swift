import CInterprocess
public import SystemPackage

/// The number by which programs find the same System V object: they agree on one, or on a file from which each makes it.
///
/// Queues, sets of semaphores and pieces of memory have numbers of their own kind each: the same key may name one of each.
public struct SystemVKey: Sendable, Hashable, CustomStringConvertible {
    public let rawValue: Int32

    public init(_ rawValue: Int32) { self.rawValue = rawValue }

    /// The key that a file's number and `project` give. Of two files some have the same key: it is made of 16 bits of the inode, 8 of the device and 8 of `project`.
    ///
    /// The corresponding C function is `ftok`.
    ///
    /// - Throws: what `stat` does: `ENOENT`, `EACCES`, `ENOTDIR`, `ELOOP`, `ENAMETOOLONG`.
    public init(of path: FilePath, project: UInt8) throws(FacilityError) {
        let key = try Facility.systemVKey.call("ftok", on: path.string) {
            unsafe path.withPlatformString { unsafe ipc_sysv_key($0, CInt(project)) }
        }
        self.init(Int32(truncatingIfNeeded: key))
    }

    /// No number: an object that nobody finds but by its identifier. The corresponding C constant is `IPC_PRIVATE`.
    public static var `private`: SystemVKey { SystemVKey(ipc_sysv_private) }

    public var description: String { self == .private ? "private" : "key \(rawValue)" }
}

/// Who may use a System V object: its owner and creator may change and remove it, and the permissions say who else reads and writes it.
public struct SystemVAccess: Sendable, Hashable {
    public let owner: UInt32
    public let group: UInt32
    public let creator: UInt32
    public let permissions: FilePermissions

    init(_ found: ipc_sysv_access) {
        (owner, group, creator) = (found.owner, found.group, found.creator)
        permissions = FilePermissions(rawValue: CInterop.Mode(found.mode))
    }
}

/// How an object is got at.
enum SystemVOpening {
    case open, create, openOrCreate

    /// For the call that gets it.
    func flags(_ permissions: FilePermissions) -> CInt {
        switch self {
        case .open: 0
        case .create: ipc_sysv_create | ipc_sysv_exclusive | CInt(permissions.rawValue)
        case .openOrCreate: ipc_sysv_create | CInt(permissions.rawValue)
        }
    }
}

extension Facility {
    static let systemVKey = Facility("System V key") { _, _ in nil }
}
