import CInterprocess
import InterprocessSystem

/// A dictionary in an arena, for many processes: one changes it at a time, any number look at the same time.
///
/// ```swift
/// let arena = try SharedArena(named: "game")
/// let players = try SharedDictionary<String, Player>("players", in: arena)     // makes it, or finds it
/// try players.updateValue(Player(score: 7), forKey: "anna")
/// try players.update("anna", default: Player()) { $0.score += 1 }
/// if let anna = try players["anna"] { print(anna.score) }
/// ```
///
/// It is a named object of the arena; ``SharedArena/destroy(_:until:)`` takes it away with all that is in it.
///
/// **Layout** "container", "dictionary", "dictionary entry". 672 bytes, 16 for each bucket, of which there are a power of two and at least as many as entries, and for each entry 24 bytes, the value and the key, in a block of the
/// arena. Buckets stay when entries go.
/// **Memory order** what was written into a value is seen by who reads it (`SYNC dictionary.next`).
/// **Death** at any instruction: each change has happened or not, and nothing is lost of what was there; the next one who changes something goes on.
/// **Progress** reading takes no lock and waits for nobody, not even for a process that was stopped in a change. Who changes something waits for who is changing something, until a deadline; no order among those who
/// wait, but who has waited for a millisecond is the next.
/// **Fork** a child without `exec` gets `detached`.
/// **Trust** every offset, length and number is checked when it is used. Values and keys are as good as those who may write to the segment.
/// **Source** decision record 0015; split-ordered lists (O. Shalev, N. Shavit, 2006).
public final class SharedDictionary<Key: SharedKey, Value: Shareable>: Sendable {
    private let core: DictionaryCore

    /// Bytes that a key has at most.
    public static var maximumKeyLength: Int { DictionaryList.longestKey }

    private struct Control: ContainerControl {
        static var kind: ContainerKind { .dictionary }
        static var sharedIdentifier: String {
            "\(kind.rawValue)\(Key.sharedKeyIdentifier), \(ContainerKind.describe(Value.self))>"
        }
        var words: ipc_dictionary
    }

    /// Opens the dictionary `name`, or makes it.
    ///
    /// - Throws: ``ArenaError`` `otherType` if there is another object of this name, or a dictionary of other types; `invalidName`, `deadline`, and as ``SharedArena/allocate(byteCount:alignment:)``.
    public init(_ name: String, in arena: SharedArena, until deadline: Deadline = .never) throws(ArenaError) {
        let (stride, alignment) = (MemoryLayout<Value>.stride, MemoryLayout<Value>.alignment)
        let words = try arena.container(name, as: Control.self, until: deadline) {
            DictionaryList.initialize(&$0.words, keyPlace: DictionaryCore.valuePlace(alignment) + stride)
        }
        core = DictionaryCore(ContainerCore(arena, name, words), valueStride: stride, valueAlignment: alignment)
    }

    // MARK: Looking

    /// How many entries there are just now. O(1).
    public var count: Int { core.count }
    public var isEmpty: Bool { count == 0 }

    /// A copy of the value of a key; nil: there is none. O(1) on the average. Waits for nobody.
    ///
    /// - Throws: ``ArenaError`` `destroyed`, `keyTooLong`, `detached`, `damaged`.
    public subscript(key: Key) -> Value? {
        get throws(ArenaError) { unsafe try withKey(key) { key throws(ArenaError) in try unsafe core.read(key) { unsafe Self.load($0) } } }
    }

    /// All entries as they are at one moment, in no order. O(entries and buckets), in the lock.
    ///
    /// - Throws: ``ArenaError`` `deadline`, `destroyed`, `selfDeadlock`, `detached`, `damaged`.
    public func elements(until deadline: Deadline = .never) throws(ArenaError) -> [(key: Key, value: Value)] {
        var found: [(key: Key, value: Value)] = []
        try core.changing(until: deadline) { () throws(ArenaError) in
            found.reserveCapacity(min(core.count, 1 << 16))
            // Where entries overlap, they may have more bytes than the arena.
            var room = core.core.arena.limit
            try core.list.forEach { _, entry throws(ArenaError) in
                let bytes = try unsafe Array(core.list.key(entry))
                room -= core.list.keyPlace + bytes.count
                guard room >= 0 else { throw .damaged("key_length") }
                guard let key = unsafe Key(keyBytes: bytes.span.bytes) else { throw .damaged("key") }
                found.append((key, unsafe Self.load(core.value(entry))))
                return true
            }
        }
        return found
    }

    // MARK: Changing

    /// Makes `value` that of `key`, as one step. O(1) on the average; the buckets double now and then.
    ///
    /// **Death** in it: it has the old value or the new one.
    /// - Returns: the value that it had.
    /// - Throws: ``ArenaError`` `deadline`, `keyTooLong`, `selfDeadlock`, `destroyed`, and as ``SharedArena/allocate(byteCount:alignment:)``; then it is as it was.
    @discardableResult
    public func updateValue(_ value: Value, forKey key: Key, until deadline: Deadline = .never) throws(ArenaError) -> Value? {
        unsafe try changing(key, until: deadline) { key, old throws(ArenaError) in
            try unsafe core.put(key) { unsafe Self.store(value, at: $0) }
            return old
        }
    }

    /// Changes the value of `key`, or `initial` if it has none, as one step. `body` runs in the lock, on a copy.
    ///
    /// **Death** in it: it has the old value or the new one.
    /// - Returns: what `body` returns.
    /// - Throws: what `body` throws, and ``ArenaError`` as ``updateValue(_:forKey:until:)``; then it is as it was. `selfDeadlock` comes to who asks for this dictionary's lock in `body`.
    public func update<R>(
        _ key: Key, default initial: @autoclosure () -> Value, until deadline: Deadline = .never, _ body: (inout Value) throws -> R
    ) throws -> R {
        let result: Result<R, any Error> = unsafe try changing(key, until: deadline) { key, old throws(ArenaError) in
            do {
                let (value, result) = try HeldLocks.adding(core.core.identity) {
                    var value = old ?? initial()
                    let result = try body(&value)
                    return (value, result)
                }
                try unsafe core.put(key) { unsafe Self.store(value, at: $0) }
                return .success(result)
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// Takes `key` out, as one step. O(1) on the average.
    ///
    /// **Death** in it: it is there or not.
    /// - Returns: the value that it had; nil: none.
    /// - Throws: ``ArenaError`` `deadline`, `keyTooLong`, `selfDeadlock`, `destroyed`, `detached`, `damaged`.
    @discardableResult
    public func removeValue(forKey key: Key, until deadline: Deadline = .never) throws(ArenaError) -> Value? {
        unsafe try withKey(key) { key throws(ArenaError) in
            try core.changing(until: deadline) { () throws(ArenaError) in
                let position = try unsafe core.locate(key)
                guard let entry = position.found else { return nil }
                let old = unsafe Self.load(core.value(entry))
                try core.remove(entry, behind: position.before)
                return old
            }
        }
    }

    /// Takes all entries out, one after the other. O(entries and buckets), in the lock.
    ///
    /// **Death** in it: some are there still.
    /// - Throws: ``ArenaError`` as ``removeValue(forKey:until:)``.
    public func removeAll(until deadline: Deadline = .never) throws(ArenaError) {
        try core.changing(until: deadline) { () throws(ArenaError) in try core.removeAll() }
    }

    /// What cannot be in a dictionary, in words: of a whole one nothing. O(entries and buckets), in the lock.
    ///
    /// - Throws: ``ArenaError`` `deadline`, `destroyed`, `selfDeadlock`, `detached`; `damaged` if it cannot be looked at to its end.
    public func validate(until deadline: Deadline = .never) throws(ArenaError) -> [String] {
        try core.changing(until: deadline) { () throws(ArenaError) in try core.problems() }
    }

    // MARK: How

    private static func load(_ source: UnsafeRawPointer) -> Value { unsafe source.loadUnaligned(as: Value.self) }
    private static func store(_ value: Value, at target: UnsafeMutableRawPointer) { unsafe target.storeBytes(of: value, as: Value.self) }

    private func withKey<R>(_ key: Key, _ body: (UnsafeRawBufferPointer) throws(ArenaError) -> R) throws(ArenaError) -> R {
        let result: Result<R, ArenaError> = key.withKeyBytes { span in
            unsafe span.withUnsafeBytes { bytes in
                Result { () throws(ArenaError) in
                    guard bytes.count <= Self.maximumKeyLength else { throw .keyTooLong(bytes.count) }
                    return try unsafe body(bytes)
                }
            }
        }
        return try result.get()
    }

    /// Calls `body` in the lock with the value that the key has.
    private func changing<R>(
        _ key: Key, until deadline: Deadline, _ body: (UnsafeRawBufferPointer, Value?) throws(ArenaError) -> R
    ) throws(ArenaError) -> R {
        unsafe try withKey(key) { key throws(ArenaError) in
            try core.changing(until: deadline) { () throws(ArenaError) in
                let old = try unsafe core.locate(key).found.map { unsafe Self.load(core.value($0)) }
                return try unsafe body(key, old)
            }
        }
    }
}
