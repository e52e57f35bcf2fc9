public import SystemPackage

/// How a shared queue is made if it is not there yet, and where. All programs say the same, or leave it to whoever makes it.
public struct SharedQueueOptions: Sendable {
    /// Where the name is.
    public var directory: ObjectDirectory
    /// Who may use it. In ``ObjectDirectory/user`` nobody but the user.
    public var permissions: FilePermissions
    /// How long the name stays. A queue that lives until its last peer leaves stays as long as there is a message in it.
    public var lifetime: Lifetime
    /// Whether it must exist, must not exist, or either.
    public var existence: Existence
    /// How many processes may have it open at once, at most 1,024.
    public var maximumPeers: Int
    /// What happens to a message that finds the queue full.
    public var overflow: QueueOverflow
    /// How many priorities there are, 1 to 16. Messages of a higher one come first.
    public var priorities: Int
    /// After how many deliveries without acknowledgement a message is a dead letter, which ``SharedQueue/takeDeadLetter()`` gets and nobody else, 1 to 254; 0: after 255.
    public var deliveryLimit: Int
    /// How long a receiver may have a message before another one gets it; nil: as long as it lives. Where no other one sleeps, it may be an eighth longer. One that sleeps looks once in this time.
    public var acknowledgeWithin: Duration?

    public init(
        directory: ObjectDirectory = .user, permissions: FilePermissions = .ownerReadWrite, lifetime: Lifetime = .untilLastPeerLeaves,
        existence: Existence = .any, maximumPeers: Int = 32, overflow: QueueOverflow = .wait, priorities: Int = 1, deliveryLimit: Int = 0,
        acknowledgeWithin: Duration? = nil
    ) {
        self.directory = directory
        self.permissions = permissions
        self.lifetime = lifetime
        self.existence = existence
        self.maximumPeers = maximumPeers
        self.overflow = overflow
        self.priorities = priorities
        self.deliveryLimit = deliveryLimit
        self.acknowledgeWithin = acknowledgeWithin
    }
}
