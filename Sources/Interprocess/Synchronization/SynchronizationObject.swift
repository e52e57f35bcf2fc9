import CInterprocess
import InterprocessSystem
import SystemPackage

/// What a synchronization object is to be.
struct SynchronizationPlan {
    var kind: SegmentKind
    /// The value that it guards.
    var element: ElementDescription?
    /// Bytes behind the words, where that is not the value alone.
    var valueSize: Int?
    /// See `limit` in the layout table. An existing object must have the same, unless ``isLimitFixed`` is false.
    var limit = 0
    var isLimitFixed = true
    /// Whether it has a word for each peer.
    var hasSlots = false
    /// Bytes where a value would stand, for objects that guard none; ``initialize`` makes them what they are at first.
    var dataSize = 0
    /// Writes what is not zero, the value included. Before anybody else can see it.
    var initialize: (SynchronizationWords) -> Void
}

/// The shared words of a synchronization object, wherever it stands.
///
/// **Trust** `slots` and all places were checked when it was opened, and are this copy's.
@safe @usableFromInline
struct SynchronizationWords: @unchecked Sendable {
    private let base: UnsafeMutableRawPointer
    let slots: Int

    static let size = MemoryLayout<ipc_sync>.size
    /// The alignment of an object in a segment of the user's.
    static let alignment = 64

    // Their places are worked out once.
    let ready: SharedUInt32
    /// `ready` and `kind` in one.
    fileprivate let beginning: SharedUInt64
    let word: SharedUInt32
    let heir: SharedUInt32
    let inconsistent: SharedUInt32
    let changes: SharedUInt32
    let taken: SharedUInt32
    let deathsSeen: SharedUInt32
    let writer: SharedUInt32
    let phase: SharedUInt32
    let next: SharedUInt32
    let started: SharedUInt32
    let givenBack: SharedUInt32
    let givenBackSeen: SharedUInt32
    let broken: SharedUInt64

    init(at base: UnsafeMutableRawPointer, slots: Int) {
        unsafe self.base = base
        self.slots = slots
        func word32(_ field: PartialKeyPath<ipc_sync>) -> SharedUInt32 { unsafe SharedUInt32(at: base + Self.offset(field)) }
        ready = word32(\.ready)
        beginning = unsafe SharedUInt64(at: base + Self.offset(\.ready))
        word = word32(\.word)
        heir = word32(\.heir)
        inconsistent = word32(\.inconsistent)
        changes = word32(\.changes)
        taken = word32(\.taken)
        deathsSeen = word32(\.deaths_seen)
        writer = word32(\.writer)
        phase = word32(\.phase)
        next = word32(\.next)
        started = word32(\.started)
        givenBack = word32(\.given_back)
        givenBackSeen = word32(\.given_back_seen)
        broken = unsafe SharedUInt64(at: base + Self.offset(\.broken))
    }

    private static func offset(_ field: PartialKeyPath<ipc_sync>) -> Int {
        guard let offset = MemoryLayout<ipc_sync>.offset(of: field) else { preconditionFailure("stored fields have offsets") }
        return offset
    }

    private func word32(_ field: PartialKeyPath<ipc_sync>) -> SharedUInt32 { unsafe SharedUInt32(at: base + Self.offset(field)) }
    private func word64(_ field: PartialKeyPath<ipc_sync>) -> SharedUInt64 { unsafe SharedUInt64(at: base + Self.offset(field)) }

    private static let slotSize = 2 * MemoryLayout<UInt64>.stride

    /// What the peer in this slot of the table has taken, for as long as it holds anything. See ``Holdings``.
    func slot(_ index: Int) -> SharedUInt64 {
        precondition((0..<slots).contains(index))
        return unsafe SharedUInt64(at: base + Self.size + index * Self.slotSize)
    }

    /// What it has given back of that without the lock.
    func givenBack(_ index: Int) -> SharedUInt64 {
        precondition((0..<slots).contains(index))
        return unsafe SharedUInt64(at: base + Self.size + index * Self.slotSize + MemoryLayout<UInt64>.stride)
    }

    /// Bytes before the value.
    static func valueOffset(slots: Int) -> Int { (size + slots * slotSize + alignment - 1) / alignment * alignment }

    fileprivate func rawByte(_ offset: Int) -> UInt8 { unsafe base.load(fromByteOffset: offset, as: UInt8.self) }

    var value: UnsafeMutableRawPointer { unsafe base + Self.valueOffset(slots: slots) }

    // MARK: What it is

    /// All but the kind.
    fileprivate func describe(_ plan: SynchronizationPlan) {
        word64(\.element_hash).storeRelaxed(plan.element?.hash ?? 0)
        word64(\.element_size).storeRelaxed(UInt64(plan.element?.size ?? 0))
        word64(\.limit).storeRelaxed(UInt64(plan.limit))
        word32(\.slots).storeRelaxed(UInt32(slots))
    }

    /// What stands in `ready` and `kind` while `peer` makes the object: no number that a user's bytes are likely to be.
    fileprivate static func making(_ peer: PeerID) -> UInt64 { UInt64(IPC_SYNC_MAKING) << 32 | UInt64(peer.rawValue) }

    /// The last thing that its maker does.
    fileprivate func finish(_ plan: SynchronizationPlan) {
        // SYNC synchronization.ready
        beginning.storeRelease(UInt64(plan.kind.rawValue) << 32 | UInt64(IPC_SYNC_READY))
    }

    fileprivate var kind: SegmentKind { SegmentKind(rawValue: word32(\.kind).loadRelaxed()) }
    fileprivate var elementHash: UInt64 { word64(\.element_hash).loadRelaxed() }
    fileprivate var elementSize: UInt64 { word64(\.element_size).loadRelaxed() }
    fileprivate var limit: UInt64 { word64(\.limit).loadRelaxed() }
    fileprivate var writtenSlots: UInt32 { word32(\.slots).loadRelaxed() }

    fileprivate func check(_ plan: SynchronizationPlan, _ label: String) throws(InterprocessError) {
        func refuse(_ code: InterprocessError.Code, _ reason: String) -> InterprocessError {
            InterprocessError(code, "open", label, reason)
        }
        guard kind == plan.kind else {
            throw refuse(.kindMismatch, "a \(kind) stands there, not a \(plan.kind); choose another name or place")
        }
        guard elementHash == plan.element?.hash ?? 0, elementSize == UInt64(plan.element?.size ?? 0) else {
            throw refuse(
                .elementMismatch,
                "it guards another type than \(plan.element?.summary ?? "none"); use the same type in all programs, or another name or place"
            )
        }
        guard writtenSlots == UInt32(slots) else { throw refuse(.damaged, "the field 'slots' is impossible; remove it and make it anew") }
        guard !plan.isLimitFixed || limit == UInt64(plan.limit) else {
            throw refuse(.sizeMismatch, "it was made with \(limit), and this program says \(plan.limit); say the same in all programs")
        }
    }
}

/// A synchronization object that this process has open.
@usableFromInline
final class SynchronizationObject: Sendable {
    let segment: Segment
    let words: SynchronizationWords
    /// For messages.
    let label: String
    /// See `limit` in the layout table.
    let limit: Int

    /// The same for every opening of the object, and for no other object; 63 more numbers after it are free.
    let identity: UInt64

    var table: PeerTable { segment.attachment.table }
    var isDetached: Bool { segment.attachment.isForeign }
    var peer: PeerID { segment.peer }
    var core: LockCore { LockCore(word: words.word, heir: words.heir, peer, table) }

    private init(_ segment: Segment, _ words: SynchronizationWords, _ label: String) {
        (self.segment, self.words, self.label) = (segment, words, label)
        limit = Int(clamping: words.limit)
        identity = segment.header.incarnation &+ UInt64(unsafe words.value - segment.mapping.base)
    }

    /// Bytes that the object takes.
    static func size(_ plan: SynchronizationPlan, slots: Int) -> Int {
        SynchronizationWords.valueOffset(slots: plan.hasSlots ? slots : 0) + (plan.valueSize ?? plan.element?.size ?? plan.dataSize)
    }

    /// In a segment of its own.
    static func open(
        _ name: ObjectName, _ plan: SynchronizationPlan, _ options: SynchronizationOptions
    ) throws(InterprocessError) -> SynchronizationObject {
        if let element = plan.element { try checkAlignment(element, name.description) }
        let segmentPlan = SegmentPlan(
            kind: plan.kind, objectSize: size(plan, slots: max(0, min(options.maximumPeers, Int(IPC_MAXIMUM_PEERS)))), dataSize: 0,
            mirrorsData: false, capacity: plan.limit, element: plan.element ?? .bytes, lifetime: options.lifetime,
            maximumPeers: options.maximumPeers, minimumObjectSize: size(plan, slots: 0) - plan.dataSize)
        let hasSlots = plan.hasSlots
        let words: @Sendable (SegmentMapping) -> SynchronizationWords = { mapping in
            unsafe SynchronizationWords(at: mapping.object, slots: hasSlots ? mapping.header.maximumPeers : 0)
        }
        let segment = try Segment.make(
            OpenMode(options.existence), segmentPlan, SegmentPlace(name: name, directory: options.directory), options.permissions,
            minimumCapacity: nil, recovery: recovery(plan, words), keepAbandoned: { _ in false },
            initialize: { mapping in
                let words = words(mapping)
                words.describe(plan)
                plan.initialize(words)
                words.finish(plan)
            })
        let opened = words(segment.mapping)
        // The header has been checked against the same plan, but for more slots than that asked for.
        let needed = size(plan, slots: segment.header.maximumPeers)
        let size = segment.header.dataOffset - segment.header.objectOffset
        func tooSmall() -> InterprocessError {
            InterprocessError(.damaged, "open", name.description, "its control block is too small or not whole; remove it")
        }
        guard size >= needed - plan.dataSize, opened.ready.loadAcquire() == UInt32(IPC_SYNC_READY) else { throw tooSmall() }
        try opened.check(plan, name.description)
        // How much data there is follows from what was just compared.
        guard size >= needed else { throw tooSmall() }
        return SynchronizationObject(segment, opened, name.description)
    }

    /// At `offset` bytes in the data of a plain segment, where it is made if nothing but zeroes stands there.
    ///
    /// Whoever makes it names itself in `ready`, with a number beside it; if it dies half-way, the next one makes it anew.
    static func open(in segment: Segment, at offset: Int, _ plan: SynchronizationPlan) throws(InterprocessError) -> SynchronizationObject {
        let label = "\(segment.name?.description ?? "anonymous segment") at \(offset)"
        if let element = plan.element { try checkAlignment(element, label) }
        guard segment.header.kind == .plain else {
            throw InterprocessError(
                .kindMismatch, "open", label, "it is a \(segment.header.kind), and only a plain segment has room for objects")
        }
        guard !segment.attachment.isForeign else {
            throw InterprocessError(.detached, "open", label, "this process was forked from the one that opened the segment; open it anew")
        }
        let slots = plan.hasSlots ? segment.header.maximumPeers : 0
        let size = size(plan, slots: slots)
        guard offset >= 0, offset % SynchronizationWords.alignment == 0 else {
            throw InterprocessError(
                .invalidArgument, "open", label, "an object stands at a multiple of \(SynchronizationWords.alignment) bytes")
        }
        guard offset <= segment.header.capacity, segment.header.capacity - offset >= size else {
            throw InterprocessError(
                .sizeMismatch, "open", label,
                "a \(plan.kind) needs \(size) bytes here, and the segment ends \(max(0, segment.header.capacity - offset)) bytes behind this place"
            )
        }
        let words = unsafe SynchronizationWords(at: segment.mapping.data + offset, slots: slots)
        try make(words, plan, segment, size: size, label)
        try words.check(plan, label)
        return SynchronizationObject(segment, words, label)
    }

    /// Makes the object unless it is there already or another peer makes it just now, for which this waits, for 5 s at most.
    private static func make(
        _ words: SynchronizationWords, _ plan: SynchronizationPlan, _ segment: Segment, size: Int, _ label: String
    ) throws(InterprocessError) {
        let table = segment.attachment.table
        let deadline = Deadline.after(SegmentFile.patience)
        while true {
            let deaths = table.deaths.loadAcquire()
            let seen = words.beginning.loadAcquire()
            let ready = UInt32(truncatingIfNeeded: seen)
            if ready == UInt32(IPC_SYNC_READY) { return }
            if seen == 0 {
                // What is not zero may be of a maker that has come since: then it has named itself.
                if !words.areZero(size) {
                    fullFence()
                    guard words.beginning.loadAcquire() != 0 else { throw occupied(label, size) }
                    continue
                }
            } else {
                // Another object's words or bytes of the user's name no peer that can have been here.
                guard let maker = PeerID(rawValue: ready), seen == SynchronizationWords.making(maker), table.hasHad(maker) else {
                    throw occupied(label, size)
                }
                switch table.condition(of: maker) {
                case .alive:
                    guard !deadline.hasPassed else {
                        throw InterprocessError(
                            .busy, "open", label,
                            "another process has been making it for 5 s: it is probably stopped; let it go on, or end it")
                    }
                    SleepWords(event: words.ready, eventSeen: ready, life: table.deaths, lifeSeen: deaths).sleep(until: deadline)
                    continue
                case .dead: Barrier.afterDeath()
                case .gone: break
                }
            }
            guard words.beginning.compareExchange(seen, SynchronizationWords.making(segment.peer)) else { continue }
            // Who sees anything of what follows sees who makes it.
            fullFence()
            words.clear()
            words.describe(plan)
            plan.initialize(words)
            words.finish(plan)
            unsafe Futex.wake(words.ready.rawAddress)
            return
        }
    }

    private static func occupied(_ label: String, _ size: Int) -> InterprocessError {
        InterprocessError(
            .kindMismatch, "open", label,
            "something else stands in its \(size) bytes; choose a place that overlaps nothing, or fill it with zeroes first")
    }

    private static func checkAlignment(_ element: ElementDescription, _ label: String) throws(InterprocessError) {
        guard element.alignment <= SynchronizationWords.alignment else {
            throw InterprocessError(
                .invalidArgument, "open", label,
                "its type is aligned to \(element.alignment) bytes; at most \(SynchronizationWords.alignment) can be had")
        }
    }

    /// What the survivors' keepers do for a dead peer: they say what it held. It is given back by whoever takes it, and all who wait are woken by the death itself.
    private static func recovery(
        _ plan: SynchronizationPlan, _ words: @escaping @Sendable (SegmentMapping) -> SynchronizationWords
    ) -> ObjectRecovery {
        let (kind, hasSlots) = (plan.kind, plan.hasSlots)
        return ObjectRecovery(claims: { SynchronizationObject.claims(words($0), $1, kind, hasSlots: hasSlots) }, recover: { _, _ in })
    }

    private static func claims(
        _ words: SynchronizationWords, _ peer: PeerID, _ kind: SegmentKind, hasSlots: Bool
    ) -> DeathNotice.Claims {
        let claim = ClaimWord.of(peer)
        switch kind {
        case .mutex, .once, .latestValue: return words.word.loadAcquire() & ~ClaimWord.marked == claim ? .lock : []
        case .variable:
            let control = unsafe VariableWords.lowControl(at: words.value).loadAcquire()
            return control & ~ClaimWord.marked == claim ? .lock : []
        case .readWriteLock where words.writer.loadAcquire() == peer.rawValue: return .lock
        default:
            guard hasSlots, peer.slot < words.slots else { return [] }
            guard Holdings(words, peer.slot).held(by: peer) != 0 else { return [] }
            switch kind {
            case .permits: return .permits
            case .readWriteLock: return .lock
            case .barrier: return .party
            default: return []
            }
        }
    }
}

extension SynchronizationWords {
    /// Whether nothing but zeroes stands in the `size` bytes of the object. O(size).
    fileprivate func areZero(_ size: Int) -> Bool { (0..<size).allSatisfy { rawByte($0) == 0 } }

    /// Takes away what a maker that died may have left.
    fileprivate func clear() {
        for word in [word, heir, inconsistent, changes, taken, deathsSeen, writer, phase, next, started, givenBack, givenBackSeen] {
            word.storeRelaxed(0)
        }
        broken.storeRelaxed(0)
        for index in 0..<slots {
            slot(index).storeRelaxed(0)
            givenBack(index).storeRelaxed(0)
        }
    }
}
