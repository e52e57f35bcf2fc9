public import SystemPackage

/// How a fan-in queue is made if it is not there yet, and where.
public struct FanInOptions: Sendable {
    /// Where the name is.
    public var directory: ObjectDirectory
    /// How long it stays. A queue that lives until the last peer leaves stays longer while it holds messages that nobody has received.
    public var lifetime: Lifetime
    /// Who may open it. In ``ObjectDirectory/user`` nobody but the user.
    public var permissions: FilePermissions
    /// Whether the queue must exist, must not exist, or either.
    public var existence: Existence
    /// How many senders there can be at once, 1 to 256: so many lanes it has. An existing queue keeps its number.
    public var maximumSenders: Int

    public init(
        directory: ObjectDirectory = .user, lifetime: Lifetime = .untilLastPeerLeaves, permissions: FilePermissions = .ownerReadWrite,
        existence: Existence = .any, maximumSenders: Int = 16
    ) {
        self.directory = directory
        self.lifetime = lifetime
        self.permissions = permissions
        self.existence = existence
        self.maximumSenders = maximumSenders
    }
}
