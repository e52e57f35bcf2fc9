public import SystemPackage

/// What stands under a name of an ``ObjectDirectory``, as it was when it was looked at. Looking takes no part and changes nothing.
public struct ObjectStatus: Sendable {
    /// The name as the directory has it; of something foreign it may be no ``ObjectName``, and not even text: ``printableName`` is.
    public let fileName: FilePath.Component
    /// Bytes of the file.
    public let size: Int
    /// The user id of the owner.
    public let owner: UInt32
    public let permissions: FilePermissions
    /// Whether a process has it open, by the word of the kernel: a killed process does not.
    public let isOpen: Bool
    public let content: Content
    /// Why opening it is refused although it is an object of this library, by the state of its file: hard links, or permissions that let
    /// everybody write to it. Nil if nothing is in the way.
    public let refusal: InterprocessError?

    public enum Content: Sendable {
        /// An object of this library.
        case object(ObjectDetails)
        /// Something else, or something that cannot be read: why.
        case unreadable(InterprocessError)
    }

    /// Whether it is left over; see ``ObjectDetails/isGarbage``.
    public func isGarbage(withMessages: Bool) -> Bool {
        (withMessages ? details?.isGarbageWithMessages : details?.isGarbage) ?? false
    }

    /// The object's details; nil if it is none, or cannot be read.
    public var details: ObjectDetails? {
        if case .object(let details) = content { details } else { nil }
    }
}

/// What an object's segment says of itself.
public struct ObjectDetails: Sendable {
    public let header: SegmentHeader
    /// All that are in its peer table, in the order of their slots.
    public let peers: [ObjectPeer]
    /// What is in it if it is a queue.
    public let queue: Result<QueueStatistics, InterprocessError>?
    /// What it says of itself in numbers, whatever it is; none of a segment without structure, or an arena, which ``SharedArena/statistics()`` is for. A failure says which field is impossible.
    public let figures: Result<[ObjectFigure], InterprocessError>
    /// Whether it is left over: nobody has it open, it was to live until its last peer leaves, and it holds nothing that was not received.
    public let isGarbage: Bool
    /// The same for whom messages do not count that nobody has received.
    public let isGarbageWithMessages: Bool
}

/// A peer of an object, seen from the outside.
public struct ObjectPeer: Sendable, Equatable {
    public let information: PeerInformation
    /// What it holds: for a queue, its roles.
    public let holds: DeathNotice.Claims
    /// Whether it lives. Unlike ``PeerInformation/isAlive`` it takes into account that nobody has the object open.
    public let isAlive: Bool
    /// What else it is to the object, in words: "publisher", "has 2 units", "is next".
    public let parts: [String]
}
