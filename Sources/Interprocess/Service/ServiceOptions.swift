public import SystemPackage

/// How a service is made if it is not there yet, and where. All programs say the same, or leave it to whoever makes it.
public struct ServiceOptions: Sendable {
    /// Where the name is.
    public var directory: ObjectDirectory
    /// Who may use it. In ``ObjectDirectory/user`` nobody but the user.
    public var permissions: FilePermissions
    /// How long the name stays.
    public var lifetime: Lifetime
    /// Whether it must exist, must not exist, or either.
    public var existence: Existence
    /// How many clients and servers may have it open at once, at most 1,024.
    public var maximumPeers: Int

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

/// What a client does when servers die, or are not there.
public struct CallPolicy: Sendable, Hashable {
    /// What becomes of a call when there is no server.
    public enum WithoutServer: Sendable, Hashable {
        /// It waits until one comes, or until its deadline.
        case wait
        /// It ends with ``CallError/noServer``, also when the last server leaves or dies before one has taken it; with ``CallError/peerDied(_:)`` if a server had it and died, and none is left to send it to again.
        case fail
    }

    /// How often a call is sent again when the server that had it dies: what it asks for may then be done twice. Nothing is sent again after the deadline, nor once a part of a stream was read.
    public var retries: Int
    public var whenNoServer: WithoutServer

    public init(retries: Int = 0, whenNoServer: WithoutServer = .wait) {
        self.retries = retries
        self.whenNoServer = whenNoServer
    }
}
