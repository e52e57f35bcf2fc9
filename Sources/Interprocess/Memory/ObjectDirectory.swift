import InterprocessSystem
public import SystemPackage

/// A directory in which objects have their names.
///
/// The default, ``user``, is the user's own on memory: `/dev/shm/interprocess-UID`, mode 0700, so that nobody else can take a name or plant
/// a link. Objects
/// in it are gone after a reboot. A directory on a disk keeps those whose lifetime is ``Lifetime/untilRemoved``; one that several accounts
/// can
/// write to is how they share objects.
public struct ObjectDirectory: Sendable, Hashable {
    /// Whose objects are opened.
    public enum Owners: Sendable, Hashable {
        /// Only those of the calling process's user. Everything else is refused.
        case user
        /// Those of anybody who can write to the directory: they can make this process fail by truncating them.
        case anyone
    }

    public let path: FilePath
    public let owners: Owners
    private let isDefault: Bool
    /// Whether it is what ``user`` gave: then nobody else is meant to get in.
    let isUsersOwn: Bool

    /// The directory at `path`, which must exist; its permissions decide who may create and remove objects, and are not looked at.
    ///
    /// - Parameter owners: whose objects are opened: by default only this user's, also if others may write to the directory.
    public init(at path: FilePath, owners: Owners = .user) { self.init(path, owners, isDefault: false, isUsersOwn: false) }

    /// The user's own directory: `$INTERPROCESS_DIRECTORY` if that is set, else `/dev/shm/interprocess-UID`, made on first use.
    ///
    /// It is refused, with `wrongMode`, if everybody may write to it, and the default one if the group may: they could take names in it and remove objects.
    /// Objects that everybody may write to are refused in it, when they are made and when they are opened: for objects of several accounts
    /// use ``init(at:owners:)`` with ``Owners/anyone``.
    public static var user: ObjectDirectory {
        if let path = environmentVariable("INTERPROCESS_DIRECTORY"), !path.isEmpty {
            return ObjectDirectory(FilePath(path), .user, isDefault: false, isUsersOwn: true)
        }
        return ObjectDirectory(FilePath("/dev/shm/interprocess-\(currentUserID())"), .user, isDefault: true, isUsersOwn: true)
    }

    private init(_ path: FilePath, _ owners: Owners, isDefault: Bool, isUsersOwn: Bool) {
        self.path = path
        self.owners = owners
        self.isDefault = isDefault
        self.isUsersOwn = isUsersOwn
    }

    /// Opens the directory; makes the default one if it is not there.
    func open(for operation: String, _ object: String) throws(InterprocessError) -> Directory {
        guard !path.isEmpty else {
            throw InterprocessError(
                .invalidArgument, operation, object, "the directory's path is empty; name a directory, or none for the user's own")
        }
        do {
            if isDefault { _ = try Directory.make(at: path, mode: [.ownerReadWriteExecute]) }
            let directory = try Directory(opening: path)
            if isUsersOwn {
                let status = try directory.status()
                guard status.owner == currentUserID() || !isDefault else {
                    throw InterprocessError(
                        .wrongOwner, operation, object,
                        "the directory \(path) belongs to another user (\(describeUser(status.owner))); remove it or set INTERPROCESS_DIRECTORY"
                    )
                }
                guard status.permissions.isDisjoint(with: isDefault ? [.groupWrite, .otherWrite] : [.otherWrite]) else {
                    throw InterprocessError(
                        .wrongMode, operation, object,
                        "others may write to the directory \(path) (mode \(octal(status.permissions))); run chmod go-w \(path), or set INTERPROCESS_DIRECTORY to one that is only this user's"
                    )
                }
            }
            return directory
        } catch let error as InterprocessError {
            throw error
        } catch let error as Errno {
            switch error {
            case .noSuchFileOrDirectory:
                let reason =
                    isDefault
                    ? "there is no /dev/shm to make the user's own directory in; mount a tmpfs there, or set INTERPROCESS_DIRECTORY to a directory of this user's"
                    : "there is no directory \(path); make it or choose another"
                throw InterprocessError(.notFound, operation, object, errno: error, reason)
            case .notDirectory, .tooManySymbolicLinkLevels:
                throw InterprocessError(
                    .notFound, operation, object, errno: error,
                    "\(path) is a symbolic link or not a directory, and is refused; name a directory itself")
            default: throw .system(error, operation, object, "opening the directory \(path)")
            }
        } catch {
            preconditionFailure("only the two kinds of error above are thrown")
        }
    }
}

func describeUser(_ id: UInt32) -> String { accountName(ofUser: id).map { "\($0), uid \(id)" } ?? "uid \(id)" }

func octal(_ permissions: FilePermissions) -> String {
    let digits = String(permissions.rawValue, radix: 8)
    return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
}

/// How long an object keeps its name.
public enum Lifetime: UInt32, Sendable, Hashable, CaseIterable {
    /// Until the last process that has it open has left, also when it is killed. (A killed one leaves a name behind that nobody can see any
    /// more:
    /// the next `open` finds nothing, and `ipc gc` gives its memory back.)
    case untilLastPeerLeaves = 0
    /// Until somebody removes it.
    case untilRemoved = 1
}
