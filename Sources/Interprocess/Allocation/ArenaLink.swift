/// A word in an arena that names a block or none, and is changed as one step: what a block is published in.
///
/// ``SharedArena/root(_:)`` has 64 of them that are always there; others stand in blocks, at any multiple of 8 bytes (``init(at:)``), where eight zeroes are a link that names nothing.
///
/// **States** see the table "arena".
/// **Memory order** `SYNC arena.link`: compare-exchange by who changes it ⇄ acquire by who loads it; so what was written into a block before it was published is seen by who finds it there.
/// **Death** of who changes it: it has happened, with all that belongs to it, or not at all. Whoever meets it in the middle finishes it; nobody waits.
public struct ArenaLink: Hashable, Sendable {
    /// Where it is.
    public let offset: Offset

    /// The link that stands at `offset`; checked when it is used.
    public init(at offset: Offset) { self.offset = offset }

    /// The link that stands `byteOffset` bytes into a block.
    ///
    /// - Parameter byteOffset: a multiple of 8 within the block: a precondition is only that it is not negative; the rest is checked when it is used.
    public init(in block: Offset, at byteOffset: Int) {
        precondition(byteOffset >= 0, "ArenaLink(in:at:): the offset in the block is negative")
        offset = Offset(block.rawValue &+ UInt64(byteOffset))
    }
}
