public import SystemPackage

/// How an arena is made if it is not there yet, and where.
public struct ArenaOptions: Sendable {
    /// Where the name is.
    public var directory: ObjectDirectory
    /// How long it stays.
    public var lifetime: Lifetime
    /// Who may open it. In ``ObjectDirectory/user`` nobody but the user.
    public var permissions: FilePermissions
    /// Whether the arena must exist, must not exist, or either.
    public var existence: Existence
    /// How many bytes of blocks it can have at most, rounded up to pages of 64 KiB. Addresses are reserved for all of it; memory is had as it grows. An existing arena keeps its own.
    public var limit: Int
    /// How many processes may have it open at once, at most 1,024.
    public var maximumPeers: Int

    public init(
        directory: ObjectDirectory = .user, lifetime: Lifetime = .untilLastPeerLeaves, permissions: FilePermissions = .ownerReadWrite,
        existence: Existence = .any, limit: Int = 1 << 30, maximumPeers: Int = 32
    ) {
        self.directory = directory
        self.lifetime = lifetime
        self.permissions = permissions
        self.existence = existence
        self.limit = limit
        self.maximumPeers = maximumPeers
    }
}
