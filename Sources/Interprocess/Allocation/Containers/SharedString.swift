import CInterprocess
import InterprocessSystem

/// A string of any length in an arena, for many processes: it is read and replaced as a whole, by any number at the same time, without a lock.
///
/// ```swift
/// let arena = try SharedArena(named: "state")
/// let title = try SharedString("title", in: arena)       // makes it, empty, or finds it
/// try title.set("Tuesday")
/// print(try title.value)
/// ```
///
/// It is a named object of the arena; ``SharedArena/destroy(_:until:)`` takes it away. To make the new string from the old one, have a lock (``SharedMutex``): between ``value`` and ``set(_:)`` another may replace it.
///
/// **Layout** "string": 16 bytes, and a block of 8 bytes and the UTF-8.
/// **Memory order** what was written before ``set(_:)`` is seen by who reads this string.
/// **Death** at any instruction: it has the old string or the new one.
/// **Progress** lock-free: nobody waits for one who was stopped.
/// **Fork** a child without `exec` gets `detached`.
/// **Trust** offsets and length are checked when they are used; what is no UTF-8 is repaired as by `String(decoding:as:)`.
/// **Source** decision record 0015.
public final class SharedString: Sendable {
    private let core: StringCore

    private struct Control: ContainerControl {
        static var kind: ContainerKind { .string }
        static var sharedIdentifier: String { kind.rawValue }
        var words: ipc_string
    }

    /// Opens the string `name`, or makes it, empty.
    ///
    /// - Throws: ``ArenaError`` `otherType` if there is another object of this name; `invalidName`, `deadline`, and as ``SharedArena/allocate(byteCount:alignment:)``.
    public init(_ name: String, in arena: SharedArena, until deadline: Deadline = .never) throws(ArenaError) {
        core = StringCore(arena, name, try arena.container(name, as: Control.self, until: deadline) { _ in })
    }

    /// A copy of the string. O(bytes).
    ///
    /// - Throws: ``ArenaError`` `destroyed`, `detached`, `damaged`.
    public var value: String {
        get throws(ArenaError) { try core.read() }
    }

    /// Replaces the string, as one step. O(bytes).
    ///
    /// - Throws: ``ArenaError`` `destroyed`, and as ``SharedArena/allocate(byteCount:alignment:)``; then it is as it was.
    public func set(_ text: String) throws(ArenaError) { try core.write(text) }
}
