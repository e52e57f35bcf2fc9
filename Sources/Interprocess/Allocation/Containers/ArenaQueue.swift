import CInterprocess
import InterprocessSystem

/// A queue without a bound in an arena, for many processes: any number append, and any number take what was appended first, and wait for it.
///
/// ```swift
/// let arena = try SharedArena(named: "jobs")
/// let jobs = try ArenaQueue<Job>("jobs", in: arena)       // makes it, or finds it
/// try jobs.append(Job(7))
/// let next = try jobs.popFirst(until: .after(.seconds(2)))
/// ```
///
/// It is a named object of the arena; ``SharedArena/destroy(_:until:)`` takes it away with all that is in it. What is taken is taken: a process that is killed after ``popFirst(until:)`` has its element, and nobody else gets it.
/// Where it is to come again, or senders are to wait for receivers, there is ``SharedQueue``.
///
/// **Layout** "container", "arena queue", "queue chunk". 104 bytes, and chunks of 1,024 bytes, or of one element and 16 bytes (or its alignment) if that is more. A chunk of which everything is taken goes back to the arena with the next change.
/// **Memory order** what was written into an element, and what was done before it was appended, is seen by who takes it.
/// **Death** at any instruction: what was being appended is there, once, or not; what was being taken is there or gone; nothing is there twice. A killed process costs no other a wake-up, and what it was woken for wakes another.
/// **Progress** ``count`` and ``first`` take no lock and wait for nobody. Who appends or takes waits for who is appending or taking, until a deadline; no order among those who wait. One that is stopped between being woken and looking delays that element
/// until another comes.
/// **Fork** a child without `exec` gets `detached`.
/// **Trust** every offset and number is checked when it is used. Elements are as good as those who may write to the segment.
/// **Source** decision record 0016; a list of chunks as in `std::deque` and the unbounded queues of Java, with numbers instead of places.
public final class ArenaQueue<Element: Shareable>: Sendable {
    let core: ArenaQueueCore

    private struct Control: ContainerControl {
        static var kind: ContainerKind { .queue }
        static var sharedIdentifier: String { "\(kind.rawValue)\(ContainerKind.describe(Element.self))>" }
        var words: ipc_arena_queue
    }

    /// Opens the queue `name`, or makes it.
    ///
    /// - Throws: ``ArenaError`` `otherType` if there is another object of this name, or a queue of another type; `invalidName`, `deadline`, and as ``SharedArena/allocate(byteCount:alignment:)``.
    public init(_ name: String, in arena: SharedArena, until deadline: Deadline = .never) throws(ArenaError) {
        let words = try arena.container(name, as: Control.self, until: deadline) {
            ContainerWords.initialize(&$0.words.container)
        }
        core = ArenaQueueCore(
            ContainerCore(arena, name, words), stride: MemoryLayout<Element>.stride, alignment: MemoryLayout<Element>.alignment)
    }

    // MARK: Looking

    /// How many elements there are just now. O(1). Waits for nobody.
    ///
    /// - Throws: ``ArenaError`` `destroyed`, `detached`, `damaged`.
    public var count: Int { get throws(ArenaError) { try core.count() } }

    /// Whether there is none just now. As ``count``.
    public var isEmpty: Bool { get throws(ArenaError) { try count == 0 } }

    /// A copy of the element that would be taken; nil: there is none. O(1). Waits for nobody; another may take it at once.
    ///
    /// - Throws: ``ArenaError`` `destroyed`, `detached`, `damaged`.
    public var first: Element? { get throws(ArenaError) { try unsafe core.readFirst { unsafe Self.load($0) } } }

    /// All elements as they are at one moment. O(elements), in the lock.
    ///
    /// - Throws: ``ArenaError`` `deadline`, `destroyed`, `detached`, `damaged`.
    public func elements(until deadline: Deadline = .never) throws(ArenaError) -> [Element] {
        try core.changing(until: deadline) { () throws(ArenaError) in
            var found: [Element] = []
            try unsafe core.forEach { found.append(unsafe Self.load($0)) }
            return found
        }
    }

    // MARK: Changing

    /// Appends an element, as one step, and wakes one who waits for it. O(1); now and then a chunk is allocated. Waits for the lock only.
    ///
    /// **Death** in it: it is there, once, or not.
    /// - Throws: ``ArenaError`` `deadline`, `destroyed`, and as ``SharedArena/allocate(byteCount:alignment:)``; then it is as it was.
    public func append(_ element: Element, until deadline: Deadline = .never) throws(ArenaError) {
        try unsafe core.append(1, until: deadline) { unsafe Self.store(element, at: $1) }
    }

    /// Appends elements in a row, as one step: all are there or none, and nobody's are between them. O(elements).
    ///
    /// - Throws: ``ArenaError`` as ``append(_:until:)``.
    public func append(contentsOf elements: some Collection<Element>, until deadline: Deadline = .never) throws(ArenaError) {
        // Not in the lock: what a collection does when it is gone through is its own.
        let elements = Array(elements)
        try unsafe core.append(elements.count, until: deadline) { unsafe Self.store(elements[$0], at: $1) }
    }

    /// Takes the first element, and waits until there is one. O(1).
    ///
    /// **Death** in it: the element is there, for another, or gone. Of who waits: nobody misses anything.
    /// - Throws: ``ArenaError`` `deadline`, `destroyed`, `detached`, `damaged`.
    public func popFirst(until deadline: Deadline = .never) throws(ArenaError) -> Element {
        try unsafe core.waitForFirst(until: deadline) { unsafe Self.load($0) }
    }

    /// As ``popFirst(until:)``, and suspends instead of blocking. A cancelled task has taken nothing.
    ///
    /// - Throws: ``ArenaError`` `cancelled`, or what the blocking form throws.
    public func popFirst(until deadline: Deadline = .never) async throws(ArenaError) -> Element {
        unsafe try await core.waitForFirst(until: deadline) { unsafe Self.load($0) }
    }

    /// Takes the first element; nil: there is none. O(1). Waits for the lock only.
    ///
    /// **Death** in it: the element is there or gone.
    /// - Throws: ``ArenaError`` `deadline`, `destroyed`, `detached`, `damaged`.
    public func tryPopFirst(until deadline: Deadline = .never) throws(ArenaError) -> Element? {
        try core.changing(until: deadline) { () throws(ArenaError) in try unsafe core.takeFirst { unsafe Self.load($0) } }
    }

    /// Takes all elements away, as one step, and then gives their memory back to the arena. O(chunks).
    ///
    /// **Death** in it: all are there or none.
    /// - Throws: ``ArenaError`` as ``tryPopFirst(until:)``.
    public func removeAll(until deadline: Deadline = .never) throws(ArenaError) {
        try core.changing(until: deadline) { () throws(ArenaError) in try core.removeAll() }
    }

    /// What cannot be in a queue, in words: of a whole one nothing. O(elements), in the lock.
    ///
    /// - Throws: ``ArenaError`` `deadline`, `destroyed`, `detached`; `damaged` if it cannot be looked at to its end.
    public func validate(until deadline: Deadline = .never) throws(ArenaError) -> [String] {
        try core.changing(until: deadline) { () throws(ArenaError) in try core.problems() }
    }

    private static func load(_ source: UnsafeRawPointer) -> Element { unsafe source.loadUnaligned(as: Element.self) }
    private static func store(_ element: Element, at target: UnsafeMutableRawPointer) {
        unsafe target.storeBytes(of: element, as: Element.self)
    }
}
