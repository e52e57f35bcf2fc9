import CInterprocess
import InterprocessSystem

/// An array in an arena, for many processes: one changes it at a time, any number look at the same time. It grows at its end; elements never move.
///
/// ```swift
/// let arena = try SharedArena(named: "log")
/// let samples = try SharedArray<Sample>("samples", in: arena)       // makes it, or finds it
/// try samples.append(Sample(at: 7))
/// try samples.update(0) { $0.weight *= 2 }
/// print(try samples[0].weight, samples.count)
/// ```
///
/// It is a named object of the arena; ``SharedArena/destroy(_:until:)`` takes it away with all that is in it.
///
/// **Layout** "container", "array". 400 bytes, an element, and parts of 128 bytes (or one element) and then as many elements as all before. Parts stay until ``removeAll(until:)``.
/// **Memory order** what was written into an element is seen by who reads it; who sees the number of elements sees all of them.
/// **Death** at any instruction: each change has happened or not; the next one who changes something goes on.
/// **Progress** reading takes no lock and waits for nobody, not even for a process that was stopped in a change. Who changes something waits for who is changing something, until a deadline; no order among those who
/// wait, but who has waited for a millisecond is the next.
/// **Fork** a child without `exec` gets `detached`.
/// **Trust** every offset and number is checked when it is used. Elements are as good as those who may write to the segment.
/// **Source** decision record 0015; parts that double as in M. Dechev, P. Pirkelbauer, B. Stroustrup, "Lock-Free Dynamically Resizable Arrays" (OPODIS 2006).
public final class SharedArray<Element: Shareable>: Sendable {
    private let core: ArrayCore

    private struct Control: ContainerControl {
        static var kind: ContainerKind { .array }
        static var sharedIdentifier: String { "\(kind.rawValue)\(ContainerKind.describe(Element.self))>" }
        var words: ipc_array
        /// What is to be written over another.
        var draft: Element
    }

    /// Opens the array `name`, or makes it.
    ///
    /// - Throws: ``ArenaError`` `otherType` if there is another object of this name, or an array of another type; `invalidName`, `deadline`, and as ``SharedArena/allocate(byteCount:alignment:)``.
    public init(_ name: String, in arena: SharedArena, until deadline: Deadline = .never) throws(ArenaError) {
        let words = try arena.container(name, as: Control.self, until: deadline) {
            ContainerWords.initialize(&$0.words.container)
        }
        core = ArrayCore(
            ContainerCore(arena, name, words), stride: MemoryLayout<Element>.stride, alignment: MemoryLayout<Element>.alignment)
    }

    // MARK: Looking

    /// How many elements there are just now. O(1).
    public var count: Int { core.count }
    public var isEmpty: Bool { count == 0 }

    /// A copy of an element. O(1). Waits for nobody.
    ///
    /// - Throws: ``ArenaError`` `outOfRange`: another may have taken it away since ``count`` was looked at; `destroyed`, `detached`, `damaged`.
    public subscript(index: Int) -> Element {
        get throws(ArenaError) { try unsafe core.read(index) { unsafe Self.load($0) } }
    }

    /// All elements as they are at one moment. O(elements), in the lock.
    ///
    /// - Throws: ``ArenaError`` `deadline`, `destroyed`, `selfDeadlock`, `detached`, `damaged`.
    public func elements(until deadline: Deadline = .never) throws(ArenaError) -> [Element] {
        try core.changing(until: deadline) { () throws(ArenaError) in
            var found: [Element] = []
            for index in 0..<core.count { found.append(try unsafe Self.load(core.value(index))) }
            return found
        }
    }

    // MARK: Changing

    /// Appends an element, as one step. O(1); now and then a part is allocated.
    ///
    /// **Death** in it: it is there or not.
    /// - Throws: ``ArenaError`` `deadline`, `selfDeadlock`, `destroyed`, and as ``SharedArena/allocate(byteCount:alignment:)``; then it is as it was.
    public func append(_ element: Element, until deadline: Deadline = .never) throws(ArenaError) {
        try core.changing(until: deadline) { () throws(ArenaError) in unsafe try core.append(1) { unsafe Self.store(element, at: $1) } }
    }

    /// Appends elements in a row, as one step: all are there or none, and nobody's are between them. O(elements).
    ///
    /// - Throws: ``ArenaError`` as ``append(_:until:)``.
    public func append(contentsOf elements: some Collection<Element>, until deadline: Deadline = .never) throws(ArenaError) {
        // Not in the lock: what a collection does when it is gone through is its own.
        let elements = Array(elements)
        try core.changing(until: deadline) { () throws(ArenaError) in
            unsafe try core.append(elements.count) { unsafe Self.store(elements[$0], at: $1) }
        }
    }

    /// Overwrites an element, as one step. O(1).
    ///
    /// **Death** in it: it has the old value or the new one.
    /// - Throws: ``ArenaError`` `outOfRange`, `deadline`, `selfDeadlock`, `destroyed`, `detached`, `damaged`.
    public func set(_ index: Int, to element: Element, until deadline: Deadline = .never) throws(ArenaError) {
        try core.changing(until: deadline) { () throws(ArenaError) in unsafe try core.set(index) { unsafe Self.store(element, at: $0) } }
    }

    /// Changes an element, as one step. `body` runs in the lock, on a copy.
    ///
    /// **Death** in it: it has the old value or the new one.
    /// - Returns: what `body` returns.
    /// - Throws: what `body` throws, and ``ArenaError`` as ``set(_:to:until:)``; then it is as it was. `selfDeadlock` comes to who asks for this array's lock in `body`.
    public func update<R>(_ index: Int, until deadline: Deadline = .never, _ body: (inout Element) throws -> R) throws -> R {
        let result: Result<R, any Error> = try core.changing(until: deadline) { () throws(ArenaError) in
            var element = try unsafe Self.load(core.value(index))
            do {
                let result = try HeldLocks.adding(core.core.identity) { try body(&element) }
                unsafe try core.set(index) { unsafe Self.store(element, at: $0) }
                return .success(result)
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// Takes the last element away, as one step. O(1).
    ///
    /// **Death** in it: it is there or not.
    /// - Returns: it; nil: there was none.
    /// - Throws: ``ArenaError`` `deadline`, `selfDeadlock`, `destroyed`, `detached`, `damaged`.
    @discardableResult
    public func popLast(until deadline: Deadline = .never) throws(ArenaError) -> Element? {
        try core.changing(until: deadline) { () throws(ArenaError) in
            let count = core.count
            guard count > 0 else { return nil }
            let last = try unsafe Self.load(core.value(count - 1))
            core.truncate(count - 1)
            return last
        }
    }

    /// Takes all elements away, as one step, and then gives their memory back to the arena. O(parts).
    ///
    /// - Throws: ``ArenaError`` as ``popLast(until:)``.
    public func removeAll(until deadline: Deadline = .never) throws(ArenaError) {
        try core.changing(until: deadline) { () throws(ArenaError) in try core.removeAll() }
    }

    /// Makes room for so many elements, so that appending them allocates nothing. O(parts).
    ///
    /// - Throws: ``ArenaError`` as ``append(_:until:)``.
    public func reserveCapacity(_ capacity: Int, until deadline: Deadline = .never) throws(ArenaError) {
        try core.changing(until: deadline) { () throws(ArenaError) in try core.reserve(capacity) }
    }

    /// What cannot be in an array, in words: of a whole one nothing. O(parts), in the lock.
    ///
    /// - Throws: ``ArenaError`` `deadline`, `destroyed`, `selfDeadlock`, `detached`, `damaged`.
    public func validate(until deadline: Deadline = .never) throws(ArenaError) -> [String] {
        try core.changing(until: deadline) { () throws(ArenaError) in try core.problems() }
    }

    private static func load(_ source: UnsafeRawPointer) -> Element { unsafe source.loadUnaligned(as: Element.self) }
    private static func store(_ element: Element, at target: UnsafeMutableRawPointer) {
        unsafe target.storeBytes(of: element, as: Element.self)
    }
}
