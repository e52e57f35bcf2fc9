import CInterprocess
import InterprocessSystem
import Synchronization
import SystemPackage

/// An arena that this process has open.
final class ArenaCore: Sendable {
    let segment: Segment
    let memory: ArenaMemory
    let trimming = TrimLock()
    /// Where to begin to look for a free reference record.
    let referenceCursor = Atomic(0)
    private let elements = Lock<[ObjectIdentifier: ElementDescription]>([:])
    /// This peer's.
    let claim: UInt32

    init(_ segment: Segment) throws(InterprocessError) {
        self.segment = segment
        claim = ClaimWord.of(segment.peer)
        do throws(ArenaDamage) {
            memory = try ArenaMemory(checking: segment.mapping)
        } catch {
            throw InterprocessError(
                .damaged, "open", Self.label(segment), "the field '\(error.field)' is impossible; remove it and create it anew")
        }
    }

    static func label(_ segment: Segment) -> String { segment.name?.description ?? "anonymous arena" }

    var isDetached: Bool { segment.attachment.isForeign }

    /// What a type of values that peers hold together is: to look at it takes microseconds, so that it is done once.
    func element<Value: Shareable>(_ type: Value.Type) -> ElementDescription {
        elements.withLock { known in
            if let found = known[ObjectIdentifier(type)] { return found }
            let element = ElementDescription(of: type)
            known[ObjectIdentifier(type)] = element
            return element
        }
    }

    /// A forked child has no part in it.
    func check() throws(ArenaError) { if isDetached { throw .detached } }

    /// Claims a heap for one thread at a time. O(heaps).
    func makeHeap() throws(InterprocessError) -> ArenaHeap {
        guard !isDetached else {
            throw InterprocessError(
                .detached, "open", Self.label(segment), "this process was forked from the one that opened the arena; open it anew")
        }
        for index in 0..<ArenaUnit.heaps {
            let words = memory.heap(index)
            guard words.claim.loadAcquire() == 0 else { continue }
            // Before the claim: whoever collects looks at every heap that can be at work.
            for _ in 0..<1000 {
                let used = memory.heapsUsedWord.loadSequential()
                if used > index || memory.heapsUsedWord.compareExchange(used, UInt32(index + 1)) { break }
            }
            if words.claim.compareExchange(0, claim) { return ArenaHeap(self, index) }
        }
        throw InterprocessError(
            .busy, "open", Self.label(segment), "each of its \(ArenaUnit.heaps) heaps is somebody's; close one (an allocator, or a process)"
        )
    }
}

// MARK: Opening

extension ArenaCore {
    static func plan(_ options: ArenaOptions, _ label: String) throws(InterprocessError) -> (plan: SegmentPlan, pages: Int) {
        guard options.limit >= 1, options.limit < SegmentPlan.maximumSize else {
            throw InterprocessError(
                .invalidArgument, "create", label, "the limit must be between 1 byte and less than 1 TiB, not \(options.limit)")
        }
        let pages = (options.limit - 1) / ArenaUnit.page + 1
        var plan = SegmentPlan(
            kind: .arena, objectSize: ArenaMemory.controlSize, dataSize: 0, mirrorsData: false, capacity: pages * ArenaUnit.page,
            element: .bytes, lifetime: options.lifetime, maximumPeers: options.maximumPeers, reservedDataSize: 0)
        // Checked before anything is worked out of it.
        try plan.check("create", label)
        plan.dataSize = ArenaMemory.dataSize(pages: pages, dataOffset: plan.dataOffset)
        return (plan, pages)
    }

    static func open(_ name: ObjectName, _ options: ArenaOptions) throws(InterprocessError) -> ArenaCore {
        let (plan, pages) = try plan(options, name.description)
        let segment = try Segment.make(
            OpenMode(options.existence), plan, SegmentPlace(name: name, directory: options.directory), options.permissions,
            minimumCapacity: nil, recovery: .arena, keepAbandoned: { _ in false },
            initialize: { ArenaMemory($0, limit: pages).initialize() })
        return try ArenaCore(segment)
    }

    static func anonymous(_ options: ArenaOptions) throws(InterprocessError) -> ArenaCore {
        let label = "anonymous arena"
        let (plan, pages) = try plan(options, label)
        let file = try SegmentFile.createAnonymous(plan, label: label) { (mapping) throws(InterprocessError) in
            PeerTable(mapping: mapping).initialize()
            ArenaMemory(mapping, limit: pages).initialize()
        }
        return try ArenaCore(Segment(file, nil, recovery: .arena, keepAbandoned: { _ in true }, "create"))
    }

    static func open(_ descriptor: FileDescriptor) throws(InterprocessError) -> ArenaCore {
        let label = "descriptor \(descriptor.rawValue)"
        let check: (SegmentHeader) throws(InterprocessError) -> Void = { (header) throws(InterprocessError) in
            try header.check(
                kind: .arena, element: .bytes, objectSize: ArenaMemory.controlSize, minimumCapacity: nil, "open", label)
        }
        let file = try SegmentFile.open(descriptor, label: label, expecting: check, mirrorsData: false)
        return try ArenaCore(Segment(file, nil, recovery: .arena, keepAbandoned: { _ in true }, "open"))
    }
}

extension ArenaMemory {
    /// Bytes of words, bits and pages, and of what is left free between them.
    static func dataSize(pages: Int, dataOffset: Int) -> Int {
        let slabs = dataOffset + ArenaUnit.roundUp(pages * 8, Int(IPC_PAGE))
        return ArenaUnit.roundUp(slabs + pages * ArenaUnit.slabStride, SegmentMapping.arenaAlignment) + pages * ArenaUnit.page - dataOffset
    }

    /// Before anybody else can see it.
    func initialize() {
        word64(controlOffset).storeRelaxed(UInt64(limit))
        LockCore.initialize(word: namesWord, heir: namesHeir)
    }
}

// MARK: Recovery

extension ObjectRecovery {
    /// What an arena does for a dead peer: its changes of links are settled, what it held is let go of in the name of one of its heaps, and these end. Only then are they given back: whoever does it again has them.
    static let arena = ObjectRecovery(
        claims: { mapping, peer in heaps(of: peer, mapping).isEmpty ? [] : .blocks },
        recover: { mapping, peer in
            let holds = heaps(of: peer, mapping)
            for hold in holds { hold.settleIntent() }
            if let hold = holds.first { ReferenceTable(hold.memory, PeerTable(mapping: mapping)).recover(peer, hold) }
            for hold in holds { hold.end() }
            for hold in holds { _ = hold.words.claim.compareExchange(ClaimWord.of(peer), 0) }
        })

    private static func heaps(of peer: PeerID, _ mapping: SegmentMapping) -> [ArenaHold] {
        guard let memory = try? ArenaMemory(checking: mapping) else { return [] }
        return (0..<ArenaUnit.heaps).filter { memory.heap($0).claim.loadAcquire() == ClaimWord.of(peer) }.map { ArenaHold(memory, $0) }
    }
}
