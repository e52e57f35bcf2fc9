public import SystemPackage

/// How a synchronization object of its own is made if it is not there yet, and where.
public struct SynchronizationOptions: Sendable {
    /// Where the name is.
    public var directory: ObjectDirectory
    /// Who may use it. In ``ObjectDirectory/user`` nobody but the user: others' writing is refused there, and needs a directory that is shared.
    public var permissions: FilePermissions
    /// How long the name stays. What the object counts or guards goes with it.
    public var lifetime: Lifetime
    /// Whether it must exist, must not exist, or either.
    public var existence: Existence
    /// How many processes may have it open at once, at most 1,024.
    public var maximumPeers: Int

    /// By default: the user's own directory, mode 0600, until the last process has left, made if it is not there, for 32 processes.
    public init(
        directory: ObjectDirectory = .user, permissions: FilePermissions = .ownerReadWrite, lifetime: Lifetime = .untilLastPeerLeaves,
        existence: Existence = .any, maximumPeers: Int = 32
    ) {
        self.directory = directory
        self.permissions = permissions
        self.lifetime = lifetime
        self.existence = existence
        self.maximumPeers = maximumPeers
    }
}
