public import SystemPackage

/// What can become of a call of an arena besides what it is for.
public enum ArenaError: Error, Sendable, Equatable {
    /// There is no room for a block of that size within the arena's limit.
    case full
    /// The file system has no memory for more pages of it: remove what is not needed (`ipc list`), or make it larger.
    case noSpace
    /// The size is negative, or the alignment is no power of two up to 2 MiB.
    case invalidSize
    /// The offset that was given is none that can be used so.
    case invalid(Offset, OffsetFault)
    /// The link names another block than was said, or one where there should be none; nothing was changed.
    case changed(Offset?)
    /// There is an object of this name already: find it, or take another name.
    case exists(String)
    /// The object of this name, or the value of the reference, is of another type, or another number of values: use the same in all programs, or another name.
    case otherType(name: String, found: String, wanted: String)
    /// A name of an object has 1 to 192 bytes of UTF-8, none of them zero.
    case invalidName(String)
    /// The container of this name was destroyed by another process or by this one: open it anew, which makes a new one.
    case destroyed(String)
    /// Nobody holds any more what the ticket is for; or it is no ticket of this arena.
    case gone
    /// There is no element of this index: another may have taken it away.
    case outOfRange(index: Int, count: Int)
    /// A key has at most ``SharedDictionary/maximumKeyLength`` bytes, and this one has more.
    case keyTooLong(Int)
    /// The deadline passed while another was constructing the object of this name, or was stopped while it named or destroyed one, or changed the container; or nobody appended to the queue.
    case deadline
    /// The task was cancelled while it waited for another to construct the object, or for an element.
    case cancelled
    /// A constructor has asked for the object that it constructs, or what changes a container in place for that container: the thread would wait for itself. Do it in one call.
    case selfDeadlock(String)
    /// This process was forked from the one that opened the arena.
    case detached
    /// Somebody has written where he should not; with the field.
    case damaged(String)
    /// A system call failed for another reason.
    case system(Errno)

    /// What is wrong about an offset.
    public enum OffsetFault: Sendable, Hashable {
        /// It is not in this arena, or in a part of it that was never used.
        case outside
        /// No block begins there, or the type needs another alignment.
        case misaligned
        /// The block is free, or was freed before.
        case notAllocated
        /// The block is not in hand of the allocator that was asked: it was kept, published, or is another's.
        case notInHand
        /// The block is too small for the type.
        case tooSmall
    }
}

/// A place in an arena: the same in every process that has the arena open. 8 bytes; never 0, so that 0 in shared memory can stand for none.
@frozen
public struct Offset: Hashable, Sendable, Shareable, RawRepresentable, CustomStringConvertible {
    /// Bytes from the beginning of the segment.
    public let rawValue: UInt64
    /// Nil for 0. Whether a block is there is seen when it is used.
    @inlinable public init?(rawValue: UInt64) {
        guard rawValue != 0 else { return nil }
        self.rawValue = rawValue
    }
    init(_ place: UInt64) { rawValue = place }
    public var description: String { "0x" + String(rawValue, radix: 16) }
}

/// The place of one or more values of a type in an arena.
@frozen
public struct TypedOffset<Value: Shareable>: Hashable, Sendable, Shareable {
    /// Where it is.
    public let offset: Offset
    /// That values of this type stand there is the caller's word.
    @inlinable public init(_ offset: Offset) { self.offset = offset }
}
