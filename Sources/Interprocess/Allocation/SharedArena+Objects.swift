import InterprocessSystem

/// Named objects: values that every process finds by their name, and that stay until somebody destroys them.
///
/// ```swift
/// let scene = try arena.findOrConstruct("scene", as: Scene.self) { $0.width = 640 }     // one process constructs it, all find it
/// try arena.withValue(at: scene) { $0.frame += 1 }
/// try arena.destroy("scene")
/// ```
///
/// A name is 1 to 192 bytes of UTF-8, none of them zero; names are the same if their bytes are. An object is one value of a ``Shareable`` type or several in a row; type and number are kept with it and compared.
///
/// A constructor is given zeroes, so that an ``ArenaLink`` in them names nothing. Nobody finds the object before it has returned. If it throws, or its process is killed, nothing of it is left, and one of those
/// who wait for it runs its own.
///
/// **Death** at any instruction: the object is there and whole, or not at all; the name can be used.
/// **Progress** finding and listing wait for nobody. The others have a lock for some microseconds, in which a process can be stopped; and who constructs waits for who is constructing the same object. Both is what
/// deadlines are for.
/// **Memory** a record of 320 bytes stays for each name that there was at once in a bucket of names, of which there are 64, and is used again.
extension SharedArena {
    private var names: ArenaNames { ArenaNames(core) }

    // MARK: Constructing

    /// Constructs the object `name`, which must not be there. Waits for another that is constructing it, until `deadline`. O(records of the name's bucket).
    ///
    /// - Returns: its place.
    /// - Throws: ``ArenaError`` `exists`, `invalidName`, `deadline`, `selfDeadlock` (from a constructor of the same name), and as ``allocate(byteCount:alignment:)``; and what `constructor` throws: then there is no object.
    @discardableResult
    public func construct<Value: Shareable>(
        _ name: String, as type: Value.Type, until deadline: Deadline = .never, _ constructor: (inout Value) throws -> Void
    ) throws -> TypedOffset<Value> {
        try unsafe obtain(name, type, 1, isNew: true, until: deadline) { values in try unsafe constructor(&values[0]) }
    }

    /// Constructs `count` values in a row as the object `name`, as ``construct(_:as:until:_:)``.
    ///
    /// - Returns: the place of the first.
    /// - Throws: as there; `invalidSize` if `count` is negative.
    @discardableResult
    public func construct<Value: Shareable>(
        _ name: String, as type: Value.Type, count: Int, until deadline: Deadline = .never,
        _ constructor: (inout MutableSpan<Value>) throws -> Void
    ) throws -> TypedOffset<Value> {
        try unsafe obtain(name, type, count, isNew: true, until: deadline) { try unsafe Self.span($0, constructor) }
    }

    /// The object `name`, which this call constructs if it is not there. Of those who ask for it at the same time one constructs it, and the others wait for that, until `deadline`. O(records of the name's bucket);
    /// no lock if it is there.
    ///
    /// - Returns: its place.
    /// - Throws: ``ArenaError`` `otherType`, `invalidName`, `deadline`, `selfDeadlock` (from a constructor of the same name), and as ``allocate(byteCount:alignment:)``; and what `constructor` throws: then there is no
    ///   object, and another's constructor may run.
    @discardableResult
    public func findOrConstruct<Value: Shareable>(
        _ name: String, as type: Value.Type, until deadline: Deadline = .never, _ constructor: (inout Value) throws -> Void
    ) throws -> TypedOffset<Value> {
        try unsafe obtain(name, type, 1, isNew: false, until: deadline) { values in try unsafe constructor(&values[0]) }
    }

    /// The `count` values of the object `name`, as ``findOrConstruct(_:as:until:_:)``.
    ///
    /// - Returns: the place of the first.
    /// - Throws: as there; `otherType` also if there is another number of values; `invalidSize` if `count` is negative.
    @discardableResult
    public func findOrConstruct<Value: Shareable>(
        _ name: String, as type: Value.Type, count: Int, until deadline: Deadline = .never,
        _ constructor: (inout MutableSpan<Value>) throws -> Void
    ) throws -> TypedOffset<Value> {
        try unsafe obtain(name, type, count, isNew: false, until: deadline) { try unsafe Self.span($0, constructor) }
    }

    /// As ``findOrConstruct(_:as:until:_:)``, and suspends instead of blocking while another constructs it. `constructor` itself does not suspend.
    ///
    /// - Throws: ``ArenaError`` `cancelled`, or what the blocking form throws.
    @discardableResult
    public func findOrConstruct<Value: Shareable>(
        _ name: String, as type: Value.Type, until deadline: Deadline = .never, _ constructor: (inout Value) throws -> Void
    ) async throws -> TypedOffset<Value> {
        let wanted = try Wanted(name, type, 1, isNew: false)
        while true {
            if let found = try find(wanted) { return TypedOffset(found) }
            var call = WaitingCall(maySleep: true)
            let entering = try await WaitingCall.suspend(core, until: deadline, &call) { call throws(ArenaError) in
                try names.lock.look(&call)
            }
            guard case .done = entering else {
                names.lock.giveUp(&call)
                throw Self.error(entering)
            }
            switch try begin(wanted) {
            case .found(let found): return TypedOffset(try wanted.check(found))
            case .mine(let claim): return TypedOffset(try unsafe construct(wanted, claim) { values in try unsafe constructor(&values[0]) })
            case .other(let wait):
                var call = WaitingCall(maySleep: true)
                let ending = try await WaitingCall.suspend(core, until: deadline, &call) { call throws(ArenaError) in
                    names.look(wait, &call)
                }
                guard case .done = ending else { throw Self.error(ending) }
            }
        }
    }

    // MARK: Finding

    /// The place of the value `name`; nil: it is not there, or not constructed yet. O(records of the name's bucket). Waits for nobody.
    ///
    /// Whoever destroys an object has to see to it that the others do not use it any more.
    /// - Throws: ``ArenaError`` `otherType` if it is of another type or several values, `invalidName`, `detached`, `damaged`; `invalid` if its block was freed otherwise than by ``destroy(_:until:)``.
    public func find<Value: Shareable>(_ name: String, as type: Value.Type) throws(ArenaError) -> TypedOffset<Value>? {
        try find(Wanted(name, type, 1, isNew: false)).map { TypedOffset($0) }
    }

    /// The place of the first of the values `name`, and how many there are; nil: they are not there, or not constructed yet. As ``find(_:as:)``.
    ///
    /// - Throws: as there, `otherType` if they are of another type.
    public func findArray<Value: Shareable>(_ name: String, of type: Value.Type) throws(ArenaError) -> (
        first: TypedOffset<Value>, count: Int
    )? {
        let wanted = try Wanted(name, type, 1, isNew: false)
        guard let found = try names.find(wanted.name) else { return nil }
        guard found.isSameType(as: wanted.description) else { throw wanted.otherType(found) }
        return (TypedOffset(Offset(found.object)), Int(found.count))
    }

    /// All objects, in no order: a look without a lock, as old as it is long. O(records). Waits for nobody.
    ///
    /// - Throws: ``ArenaError`` `detached`, `damaged`; `invalid` if a block was freed otherwise than by ``destroy(_:until:)``.
    public func objects() throws(ArenaError) -> [ArenaObject] { try names.all().map { ArenaObject($0) } }

    /// Calls `body` with `count` values in a row, to be read or changed. Others may change them at the same time unless something keeps them from it.
    ///
    /// - Throws: ``ArenaError`` `invalid`, also with `tooSmall` if the block has fewer; `invalidSize`, `detached`, `damaged`.
    public func withValues<Value: Shareable, R>(
        at first: TypedOffset<Value>, count: Int, _ body: (inout MutableSpan<Value>) -> R
    ) throws(ArenaError) -> R {
        let (size, overflow) = MemoryLayout<Value>.stride.multipliedReportingOverflow(by: count)
        guard !overflow, count >= 0 else { throw .invalidSize }
        let bytes = try unsafe core.bytes(first.offset)
        guard bytes.count >= size else { throw .invalid(first.offset, .tooSmall) }
        guard first.offset.rawValue & UInt64(MemoryLayout<Value>.alignment - 1) == 0 else { throw .invalid(first.offset, .misaligned) }
        let values = unsafe UnsafeMutableBufferPointer(start: bytes.baseAddress?.assumingMemoryBound(to: Value.self), count: count)
        var span = unsafe MutableSpan(_unsafeElements: values)
        return body(&span)
    }

    // MARK: Destroying

    /// Takes the object `name` away and frees its block, as one step. Nothing is deinitialised. O(records of the name's bucket).
    ///
    /// Of a container (``SharedArray``, ``SharedDictionary``, ``ArenaQueue``, ``SharedString``) everything that is in it is freed before, one after the other; whoever has it open gets `destroyed` from then on, but nobody may be waiting to
    /// change it just then: its lock goes with it. Killed in the middle, the rest is freed by who destroys or opens it next.
    ///
    /// One that is being constructed is not there yet. Who has found the object before must not use it any more.
    /// - Parameter deadline: for waiting for a process that is stopped while it names or destroys an object.
    /// - Returns: whether it was there.
    /// - Throws: ``ArenaError`` `invalidName`, `deadline`, `detached`, `damaged`; `invalid` if its block was freed already; `selfDeadlock` in the body of a change of the container.
    @discardableResult
    public func destroy(_ name: String, until deadline: Deadline = .never) throws(ArenaError) -> Bool {
        let name = try ArenaName(name)
        let container = try names.find(name).flatMap { ContainerKind(ofType: $0.typeName) == nil ? nil : $0 }
        if let container { try destroyContent(of: name.text, container, until: deadline) }
        try names.lock.enter(until: deadline)
        defer { names.lock.leave() }
        return try using { heap throws(ArenaError) in try names.destroy(name, heap, only: container) }
    }

    // MARK: How

    private struct Wanted {
        let name: ArenaName
        let description: ArenaObjectDescription
        let alignment: Int
        /// Whether it must not be there.
        let isNew: Bool

        init<Value: Shareable>(_ name: String, _ type: Value.Type, _ count: Int, isNew: Bool) throws(ArenaError) {
            guard count >= 0 else { throw .invalidSize }
            self.name = try ArenaName(name)
            description = ArenaObjectDescription(ElementDescription(of: type), count: count)
            guard description.byteCount != nil else { throw .invalidSize }
            alignment = max(ArenaUnit.block, MemoryLayout<Value>.alignment)
            self.isNew = isNew
        }

        func otherType(_ found: ArenaObjectDescription) -> ArenaError {
            .otherType(name: name.text, found: found.summary, wanted: description.summary)
        }

        /// Its place, if it is what is wanted.
        func check(_ found: ArenaObjectDescription) throws(ArenaError) -> Offset {
            if isNew { throw .exists(name.text) }
            guard found.isSameType(as: description), found.count == description.count else { throw otherType(found) }
            return Offset(found.object)
        }
    }

    private static func error<R>(_ ending: WaitEnding<R>) -> ArenaError {
        if case .cancelled = ending { .cancelled } else { .deadline }
    }

    private func find(_ wanted: Wanted) throws(ArenaError) -> Offset? {
        guard let found = try names.find(wanted.name) else { return nil }
        return try wanted.check(found)
    }

    private func obtain<Value: Shareable>(
        _ name: String, _ type: Value.Type, _ count: Int, isNew: Bool, until deadline: Deadline,
        _ constructor: (UnsafeMutableBufferPointer<Value>) throws -> Void
    ) throws -> TypedOffset<Value> {
        let wanted = try Wanted(name, type, count, isNew: isNew)
        while true {
            if let found = try find(wanted) { return TypedOffset(found) }
            try names.lock.enter(until: deadline)
            switch try begin(wanted) {
            case .found(let found): return TypedOffset(try wanted.check(found))
            case .mine(let claim): return TypedOffset(try unsafe construct(wanted, claim, constructor))
            case .other(let wait):
                var call = WaitingCall(maySleep: true)
                guard case .done = WaitingCall.block(.park, until: deadline, &call, look: { names.look(wait, &$0) }) else {
                    throw ArenaError.deadline
                }
            }
        }
    }

    /// In the lock, which it lets go of.
    private func begin(_ wanted: Wanted) throws(ArenaError) -> ArenaNames.Beginning {
        defer { names.lock.leave() }
        return try names.begin(wanted.name, wanted.description) { last throws(ArenaError) in
            try using { heap throws(ArenaError) in try names.append(heap, after: last, wanted.name) }
        }
    }

    /// With the claim, which it gives back.
    private func construct<Value: Shareable>(
        _ wanted: Wanted, _ claim: ArenaNames.Claim, _ constructor: (UnsafeMutableBufferPointer<Value>) throws -> Void
    ) throws -> Offset {
        defer { names.give(back: claim.record) }
        let (size, count) = (wanted.description.byteCount ?? 0, Int(wanted.description.count))
        let offset = try using { heap throws(ArenaError) in try heap.allocate(size, alignment: wanted.alignment) }
        do {
            let bytes = unsafe core.memory.base + Int(offset)
            unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0, count: size)
            let values = unsafe UnsafeMutableBufferPointer(start: bytes.assumingMemoryBound(to: Value.self), count: count)
            try HeldLocks.adding(claim.identity) { try unsafe constructor(values) }
            // SYNC arena.link: whoever finds the object finds it constructed.
            try using { heap throws(ArenaError) in try heap.change(claim.record.objectOffset, from: 0, to: offset) }
        } catch {
            // A forked child has no part in it.
            try? using { heap throws(ArenaError) in try heap.free(offset) }
            throw error
        }
        return Offset(offset)
    }

    private static func span<Value: Shareable>(
        _ values: UnsafeMutableBufferPointer<Value>, _ body: (inout MutableSpan<Value>) throws -> Void
    ) throws {
        var span = unsafe MutableSpan(_unsafeElements: values)
        try body(&span)
    }
}

/// A named object of an arena, as it was when it was looked at.
public struct ArenaObject: Sendable, Equatable {
    public let name: String
    /// The beginning of its type's ``Shareable/sharedIdentifier``, at most 64 bytes.
    public let type: String
    /// How many values it is.
    public let count: Int
    /// Bytes of all of them.
    public let byteCount: Int
    /// Where the first one stands.
    public let offset: Offset

    init(_ found: ArenaObjectDescription) {
        name = String(decoding: found.name, as: UTF8.self)
        type = found.typeName
        count = Int(clamping: found.count)
        byteCount = found.byteCount ?? 0
        offset = Offset(found.object)
    }
}
