import CInterprocess
import InterprocessSystem

/// What synchronization objects in segments of their own say. Whatever stands there, nothing is read outside of the segment.
extension ObjectFigures {
    mutating func addSynchronization(_ mapping: SegmentMapping) throws(QueueDamage) {
        let header = mapping.header
        let room = header.dataOffset - header.objectOffset
        let hasSlots = [.permits, .readWriteLock, .barrier, .latch].contains(header.kind)
        let slots = hasSlots ? header.maximumPeers : 0
        let free = room - SynchronizationWords.valueOffset(slots: slots)
        guard free >= 0 else { throw QueueDamage(field: "object_offset") }
        let words = unsafe SynchronizationWords(at: mapping.object, slots: slots)
        let peers = PeerTable(mapping: mapping).all()
        switch header.kind {
        case .mutex:
            addClaim(words.word.loadAcquire(), "has it", peers)
            flag("inconsistent", words.inconsistent.loadAcquire() != 0)
        case .once:
            let word = words.word.loadAcquire()
            flag("done", ClaimWord.isFinal(word))
            if !ClaimWord.isFinal(word) { addClaim(word, "is doing it", peers) }
        case .semaphore: level("units", ClaimWord.number(words.word.loadAcquire()))
        case .latch: level("to come", ClaimWord.number(words.word.loadAcquire()))
        case .event: flag("set", words.word.loadAcquire() & SharedEvent.isSetBit != 0)
        case .barrier: counter("phases", words.phase.loadAcquire())
        case .permits:
            let taken = addHolders(words, peers) { $0 == 1 ? "has 1 unit" : "has \($0) units" }
            level("units", header.capacity)
            level("free", max(0, header.capacity - taken))
            addNext(words, peers)
        case .readWriteLock:
            level("readers", addHolders(words, peers) { $0 == 1 ? "reads" : "reads in \($0) threads" })
            let writer = words.writer.loadAcquire()
            flag("written", writer != 0)
            if let peer = PeerID(rawValue: writer) { part(peer, "changes it") }
            flag("inconsistent", words.inconsistent.loadAcquire() != 0)
            addNext(words, peers)
        case .latestValue: try addLatest(mapping, words, free, peers)
        case .notifier: try addNotifier(mapping, words, free)
        case .variable:
            guard free >= MemoryLayout<UInt64>.size else { throw QueueDamage(field: "object_offset") }
            let control = unsafe SharedUInt64(at: words.value).loadAcquire()
            flag("full", control & VariableWords.full != 0)
            counter("put", control >> 32)
            let claim = UInt32(truncatingIfNeeded: control & VariableWords.claim)
            if claim != 0 { addClaim(claim | ClaimWord.open, "is changing it", peers) }
        default: break
        }
    }

    /// The roles of a handoff, and whose turn it is.
    mutating func addHandoff(_ mapping: SegmentMapping) throws(QueueDamage) {
        guard mapping.header.dataOffset - mapping.header.objectOffset >= MemoryLayout<ipc_handoff>.size else {
            throw QueueDamage(field: "object_offset")
        }
        let words = HandoffWords(mapping)
        let turn = Turn(word: words.turn.loadAcquire())
        for (role, name) in [(HandoffRole.parent, "parent"), (.child, "child")] {
            guard let peer = words.role(role).current.holder else { continue }
            part(peer, turn.word != 0 && turn.holder == role ? "\(name), has the turn" : name)
        }
    }

    private mutating func addClaim(_ word: UInt32, _ what: String, _ peers: [PeerInformation]) {
        flag("taken", !ClaimWord.isFree(word))
        for peer in peers where ClaimWord.of(peer.id) == word & ~ClaimWord.marked { part(peer.id, what) }
    }

    /// What each peer holds, and the sum.
    private mutating func addHolders(_ words: SynchronizationWords, _ peers: [PeerInformation], _ what: (UInt32) -> String) -> Int {
        var sum = 0
        for peer in peers where peer.id.slot < words.slots {
            let held = Holdings(words, peer.id.slot).held(by: peer.id)
            guard held > 0 else { continue }
            sum += Int(held)
            part(peer.id, what(held))
        }
        return sum
    }

    private mutating func addNext(_ words: SynchronizationWords, _ peers: [PeerInformation]) {
        if let peer = PeerID(rawValue: words.next.loadAcquire()) { part(peer, "is next") }
    }

    private mutating func addLatest(
        _ mapping: SegmentMapping, _ words: SynchronizationWords, _ free: Int, _ peers: [PeerInformation]
    ) throws(QueueDamage) {
        let element = mapping.header.element
        let (stride, overflow) = LatestWords.stride(size: element.size, alignment: element.alignment)
        guard !overflow, free >= LatestWords.headSize, (free - LatestWords.headSize) / Int(LatestWords.count) >= stride else {
            throw QueueDamage(field: "element_size")
        }
        let current = unsafe SharedUInt32(at: words.value).loadAcquire()
        let place = Int(LatestWords.number(current) % LatestWords.count) * stride
        counter("stored", unsafe SharedUInt64(at: words.value + LatestWords.headSize + place).loadAcquire() >> 1)
        addClaim(words.word.loadAcquire(), "is storing", peers)
    }

    private mutating func addNotifier(_ mapping: SegmentMapping, _ words: SynchronizationWords, _ free: Int) throws(QueueDamage) {
        let ids = mapping.header.capacity
        guard (1...SharedNotifier.maximumIDs).contains(ids), NotifierWords.dataSize(ids) <= free else {
            throw QueueDamage(field: "capacity")
        }
        let notifier = NotifierWords(words, ids: ids)
        level("ids", ids)
        counter("notified", (0..<NotifierWords.groups(ids)).reduce(UInt64(0)) { $0 &+ notifier.changes(ofGroup: $1).loadAcquire() })
    }
}
