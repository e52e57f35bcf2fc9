public import SystemPackage

/// How a topic is made if it is not there yet, and where. All programs say the same, or leave it to whoever makes it.
public struct TopicOptions: Sendable {
    /// Where the name is.
    public var directory: ObjectDirectory
    /// Who may use it. In ``ObjectDirectory/user`` nobody but the user.
    public var permissions: FilePermissions
    /// How long the name stays. A topic that lives until its last peer leaves takes its history with it.
    public var lifetime: Lifetime
    /// Whether it must exist, must not exist, or either.
    public var existence: Existence
    /// How many publishers and subscribers it may have at once, at most 1,024.
    public var maximumPeers: Int
    /// How many messages each of them may hold at once, as loans or samples, 1 to 255.
    public var maximumHeld: Int
    /// How many publishers it may have at once.
    public var publishers: TopicPublishers

    static let mostHeld = 255

    public init(
        directory: ObjectDirectory = .user, permissions: FilePermissions = .ownerReadWrite, lifetime: Lifetime = .untilLastPeerLeaves,
        existence: Existence = .any, maximumPeers: Int = 32, maximumHeld: Int = 4,
        publishers: TopicPublishers = .any
    ) {
        self.directory = directory
        self.permissions = permissions
        self.lifetime = lifetime
        self.existence = existence
        self.maximumPeers = maximumPeers
        self.maximumHeld = maximumHeld
        self.publishers = publishers
    }
}

/// How many publishers a topic may have at once. Whoever makes the topic decides it, for good.
public enum TopicPublishers: Sendable, Hashable {
    /// Any number. Who opens an existing topic takes it as it was made.
    case any
    /// One at a time: it publishes by plain stores, without any read-modify-write or fence. A second one that comes while it lives is refused; after its end or its death the next one goes on with the
    /// next message. An existing topic must have been made for one.
    case one
}

/// What a subscriber is to the publishers.
public enum SubscriptionMode: Sendable, Hashable {
    /// Gets every message from where it begins: publishers wait while it is a whole log behind, with a deadline of theirs.
    case lossless
    /// Never holds up anybody: who comes a whole log behind has missed messages, and is told how many.
    case lossy
}

/// With which message a subscriber begins.
public enum TopicHistory: Sendable, Hashable {
    /// The first that is published after it has joined.
    case none
    /// So many messages before that, or as many as the topic still has.
    case last(Int)
    /// The oldest that the topic still has: as many as its capacity at most.
    case all
}
