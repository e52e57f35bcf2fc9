public import SystemPackage

/// How a handoff is made if it is not there yet, and where.
public struct HandoffOptions: Sendable {
    /// Where the name is.
    public var directory: ObjectDirectory
    /// Who may take part.
    public var permissions: FilePermissions
    /// How long the name stays.
    public var lifetime: Lifetime
    /// Bytes of shared memory, at least, for the arrays of calls; whole pages are made. One that is there already must have as many, so give both
    /// sides the same. Calls with scalars alone need none.
    public var dataSize: Int

    /// Two sides, and a few that are just ending or coming.
    static let maximumPeers = 8

    /// The values that are not given are those of a handoff of this user's own; see each property.
    public init(
        directory: ObjectDirectory = .user, permissions: FilePermissions = .ownerReadWrite, lifetime: Lifetime = .untilLastPeerLeaves,
        dataSize: Int = 0
    ) {
        self.directory = directory
        self.permissions = permissions
        self.lifetime = lifetime
        self.dataSize = dataSize
    }
}

/// What a side knows of the turn at one moment.
public enum HandoffOutcome: Sendable, Equatable {
    /// It is this side's, and this came with it.
    case turn(UInt64)
    /// The other side has it.
    case pending
    /// The other side has ended; ``Handoff/end`` says how.
    case ended

    var value: UInt64? { if case .turn(let value) = self { value } else { nil } }
}

/// How the other side of a handoff ended.
public enum HandoffEnd: Sendable, Equatable, CustomStringConvertible {
    /// It has closed its side, or joined anew.
    case closed
    /// It has died, by exit or by a signal.
    case died(DeathNotice)

    public var description: String {
        switch self {
        case .closed: "the other side has closed"
        case .died(let notice): "the other side died (\(notice))"
        }
    }
}

/// Why a call of a handoff did not come to its end.
public enum HandoffError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The deadline passed, and the other side still has the turn.
    case deadline
    /// The task was cancelled; the other side still has the turn.
    case cancelled
    /// The other side has the turn: wait for it first.
    case notYourTurn
    /// This side is in no pair: its last ``Handoff/rejoin(until:)`` has failed. Do that first.
    case unpaired
    /// This process was forked from the one that joined; join anew.
    case detached
    /// The field of this name in the shared memory is impossible: somebody wrote there who should not.
    case damaged(String)

    public var description: String {
        switch self {
        case .deadline: "the turn did not come back before the deadline; the other side still has it"
        case .cancelled: "the task was cancelled while the other side had the turn"
        case .notYourTurn: "the turn is the other side's; wait for it with awaitTurn() before giving it away"
        case .unpaired: "this side of the handoff is in no pair since rejoining has failed; rejoin first"
        case .detached: "this process was forked from the one that joined the handoff; join anew in the child"
        case .damaged(let field): "the handoff is damaged (field '\(field)'); remove it and make it anew"
        }
    }
}
