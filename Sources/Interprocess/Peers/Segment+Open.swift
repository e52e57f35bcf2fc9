public import SystemPackage

/// What to do about a name that exists or not.
enum OpenMode: Sendable {
    case create, open, openOrCreate

    init(_ existence: Existence) {
        self =
            switch existence {
            case .any: .openOrCreate
            case .mustBeNew: .create
            case .mustExist: .open
            }
    }
}

extension Segment {
    /// Creates a segment of `size` bytes.
    ///
    /// - Parameters:
    ///   - permissions: who may open it; narrowed by nothing. Never executable, and in the user's own directory not writable by everybody.
    ///   - maximumPeers: how many processes may have it open at once, at most 1,024.
    /// - Throws: ``InterprocessError``
    ///   - `nameTaken`;
    ///   - `noSpace`: the whole size is reserved now;
    ///   - `invalidArgument`: the size, the permissions or the number of peers is impossible;
    ///   - `busy`: this process has too many segments open;
    ///   - `notFound`, `wrongOwner`, `wrongMode`: the directory is not there, or is another user's or open to others;
    ///   - `system`: a system call failed, with ``InterprocessError/errno``.
    public static func create(
        _ name: ObjectName, size: Int, in directory: ObjectDirectory = .user, lifetime: Lifetime = .untilLastPeerLeaves,
        permissions: FilePermissions = .ownerReadWrite, maximumPeers: Int = 32
    ) throws(InterprocessError) -> Segment {
        try plain(.create, name, size, directory, lifetime, permissions, maximumPeers)
    }

    /// Opens an existing segment of at least `minimumSize` bytes.
    ///
    /// Blocks for up to 5 s where another process that is just opening or removing it was stopped.
    ///
    /// - Throws: ``InterprocessError``
    ///   - `notFound`: there is no such object, none that anybody still has open, or no such directory;
    ///   - `kindMismatch`, `sizeMismatch`: it is not what was asked for;
    ///   - `notASegment`, `nameMismatch`, `versionMismatch`, `damaged`: it is no object, a copy, of another version, or impossible;
    ///   - `wrongOwner`, `wrongMode`: it, or the directory, is another user's, or others may change it;
    ///   - `busy`: it has as many peers as it can, or another process holds it alone, or this one has too many segments open;
    ///   - `system`: a system call failed, with ``InterprocessError/errno``.
    public static func open(_ name: ObjectName, minimumSize: Int = 0, in directory: ObjectDirectory = .user) throws(InterprocessError)
        -> Segment
    {
        try plain(.open, name, minimumSize, directory, .untilLastPeerLeaves, .ownerReadWrite, 32)
    }

    /// Opens the segment, or creates it if there is none. Two processes that race get one segment.
    ///
    /// One that is there must have `size` bytes at least; `lifetime`, `permissions` and `maximumPeers` are those of its creator then, and
    /// what is given here means nothing. ``header`` says what it has.
    ///
    /// - Throws: ``InterprocessError``: what ``open(_:minimumSize:in:)`` throws but for a missing object's `notFound`, or what
    ///   ``create(_:size:in:lifetime:permissions:maximumPeers:)`` throws but for `nameTaken`.
    public static func openOrCreate(
        _ name: ObjectName, size: Int, in directory: ObjectDirectory = .user, lifetime: Lifetime = .untilLastPeerLeaves,
        permissions: FilePermissions = .ownerReadWrite, maximumPeers: Int = 32
    ) throws(InterprocessError) -> Segment {
        try plain(.openOrCreate, name, size, directory, lifetime, permissions, maximumPeers)
    }

    /// Creates a segment of no name, as a memory file that no peer can shrink or grow. It is shared by passing ``descriptor``.
    ///
    /// - Throws: ``InterprocessError``
    ///   - `noSpace`: the whole size is reserved now, and there is not enough memory, or the process may not make so large a file;
    ///   - `invalidArgument`: the size or the number of peers is impossible;
    ///   - `busy`: this process has too many segments open;
    ///   - `system`: a system call failed, with ``InterprocessError/errno``.
    public static func anonymous(size: Int, maximumPeers: Int = 32) throws(InterprocessError) -> Segment {
        let plan = try plainPlan(size, .untilLastPeerLeaves, maximumPeers, "anonymous segment")
        let file = try SegmentFile.createAnonymous(plan, label: "anonymous segment") { (mapping) throws(InterprocessError) in
            PeerTable(mapping: mapping).initialize()
        }
        return try Segment(file, nil, recovery: .none, keepAbandoned: { _ in true }, "create")
    }

    /// Opens the segment behind an inherited or received descriptor, which stays the caller's. It needs `/proc`. The segment may have a name
    /// as well, which plays no part here: this value does not remove it at its end.
    ///
    /// - Throws: ``InterprocessError``
    ///   - `kindMismatch`: it is a queue;
    ///   - `notASegment`, `versionMismatch`, `damaged`: it is no segment, of another version, or impossible;
    ///   - `busy`: it has as many peers as it can, or another process holds it alone, or this one has too many segments open;
    ///   - `system`: the descriptor is not open (`EBADF`), its file may not be written to (`EACCES`), or another call failed.
    public static func open(descriptor: FileDescriptor) throws(InterprocessError) -> Segment {
        let label = "descriptor \(descriptor.rawValue)"
        let check: (SegmentHeader) throws(InterprocessError) -> Void = { (header) throws(InterprocessError) in
            try header.check(kind: .plain, element: nil, objectSize: 0, minimumCapacity: nil, "open", label)
        }
        let file = try SegmentFile.open(descriptor, label: label, expecting: check, mirrorsData: false)
        return try Segment(file, nil, recovery: .none, keepAbandoned: { _ in true }, "open")
    }

    private static func plainPlan(_ size: Int, _ lifetime: Lifetime, _ maximumPeers: Int, _ label: String) throws(InterprocessError)
        -> SegmentPlan
    {
        guard size >= 0 else { throw InterprocessError(.invalidArgument, "create", label, "the size \(size) is negative") }
        return SegmentPlan(
            kind: .plain, objectSize: 0, dataSize: size, mirrorsData: false, capacity: size, element: .bytes, lifetime: lifetime,
            maximumPeers: maximumPeers)
    }

    private static func plain(
        _ mode: OpenMode, _ name: ObjectName, _ size: Int, _ directory: ObjectDirectory, _ lifetime: Lifetime,
        _ permissions: FilePermissions, _ maximumPeers: Int
    ) throws(InterprocessError) -> Segment {
        let plan = try plainPlan(size, lifetime, maximumPeers, name.description)
        return try make(
            mode, plan, SegmentPlace(name: name, directory: directory), permissions, minimumCapacity: size, recovery: .none,
            keepAbandoned: { _ in false },
            initialize: { _ in })
    }

    /// Creates or opens the segment of one object, for all kinds.
    ///
    /// - Parameters:
    ///   - keepAbandoned: whether a segment that lives until the last peer leaves still holds something when nobody is left.
    ///   - initialize: writes the object into zeroed memory before the segment has its name.
    static func make(
        _ mode: OpenMode, _ plan: SegmentPlan, _ place: SegmentPlace, _ permissions: FilePermissions, minimumCapacity: Int?,
        recovery: ObjectRecovery,
        keepAbandoned: @escaping @Sendable (SegmentMapping) -> Bool, initialize: @escaping (SegmentMapping) -> Void
    ) throws(InterprocessError) -> Segment {
        func create() throws(InterprocessError) -> Segment {
            let file = try SegmentFile.create(plan, at: place, permissions: permissions) { (mapping) throws(InterprocessError) in
                PeerTable(mapping: mapping).initialize()
                initialize(mapping)
            }
            do throws(InterprocessError) {
                return try Segment(file, place, recovery: recovery, keepAbandoned: keepAbandoned, "create")
            } catch {
                // The name is there already; it goes again unless somebody else has found it meanwhile.
                _ = file.removeIfAlone(place)
                throw error
            }
        }
        func open() throws(InterprocessError) -> Segment {
            let check: (SegmentHeader) throws(InterprocessError) -> Void = { (header) throws(InterprocessError) in
                try header.check(
                    kind: plan.kind, element: plan.kind == .plain ? nil : plan.element,
                    objectSize: plan.minimumObjectSize ?? plan.objectSize,
                    minimumCapacity: minimumCapacity, "open", place.label)
            }
            let file = try SegmentFile.open(
                place, expecting: check, keepAbandoned: { isKept($0, plan.kind, keepAbandoned) }, mirrorsData: plan.mirrorsData)
            return try Segment(file, place, recovery: recovery, keepAbandoned: keepAbandoned, "open")
        }
        switch mode {
        case .create:
            while true {
                do throws(InterprocessError) {
                    return try create()
                } catch {
                    // What stands under the name may be left over from processes that were killed: opening looks, and removes it then.
                    guard error.code == .nameTaken,
                        case .notFound? = openFailure({ () throws(InterprocessError) in try removeIfAbandoned(place, plan, keepAbandoned) })
                    else { throw error }
                }
            }
        case .open: return try open()
        case .openOrCreate:
            while true {
                do throws(InterprocessError) { return try open() } catch { guard error.code == .notFound else { throw error } }
                do throws(InterprocessError) { return try create() } catch { guard error.code == .nameTaken else { throw error } }
            }
        }
    }

    private static func removeIfAbandoned(
        _ place: SegmentPlace, _ plan: SegmentPlan, _ keepAbandoned: @Sendable (SegmentMapping) -> Bool
    ) throws(InterprocessError) {
        _ = try SegmentFile.open(
            place, expecting: { _ in }, keepAbandoned: { isKept($0, plan.kind, keepAbandoned) }, mirrorsData: false)
    }

    /// Whether a segment that nobody has open may still hold something. Only the kind that is asked for knows that of its own; bytes of no structure do not.
    private static func isKept(_ mapping: SegmentMapping, _ kind: SegmentKind, _ keepAbandoned: (SegmentMapping) -> Bool) -> Bool {
        mapping.header.kind == kind ? keepAbandoned(mapping) : mapping.header.kind != .plain
    }

    private static func openFailure(_ body: () throws(InterprocessError) -> Void) -> InterprocessError.Code? {
        do throws(InterprocessError) {
            try body()
            return nil
        } catch {
            return error.code
        }
    }
}

extension Segment {
    /// Where the user's bytes are.
    var userBytes: UnsafeMutableRawBufferPointer { unsafe UnsafeMutableRawBufferPointer(start: mapping.data, count: header.capacity) }

    /// Calls `body` with the segment's bytes, `header.capacity` of them. Other processes may change them at any time: read what may change
    /// through atomics, once.
    @unsafe
    public func withBytes<R, E: Error>(_ body: (UnsafeMutableRawBufferPointer) throws(E) -> R) throws(E) -> R {
        try unsafe body(userBytes)
    }
}
