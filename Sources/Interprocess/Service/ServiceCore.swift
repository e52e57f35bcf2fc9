import CInterprocess
import InterprocessSystem
import Synchronization
import SystemPackage

/// A service that this process has open, as a client or as a server: its calls, and how to wait. What stands in a request or a reply is others' business.
///
/// **Source** decision record 0010. `SYNC ring.publish`, `SYNC call.state`, `SYNC wakeword`. Model: Models/service.pml.
/// **Trust** the shape was checked when it was opened; entries, states and lengths are checked as they are read.
@usableFromInline
final class ServiceCore: Sendable {
    let segment: Segment
    let words: ServiceWords
    let shape: ServiceShape
    let records: CallRecords
    let ring: MessageRing
    let items: WakeWord
    let space: WakeWord
    let me: PeerID
    let table: PeerTable
    let isServer: Bool
    /// Bytes of every request; nil: of any size.
    let requestLength: Int?
    /// The record that this client had last: its memory is warm.
    let preferred: Atomic<Int>
    /// Whether this server has been told to stop.
    let isStopped = Atomic<Bool>(false)

    init(_ segment: Segment, _ words: ServiceWords, requestLength: Int?, isServer: Bool) {
        (self.segment, self.words) = (segment, words)
        shape = words.shape
        records = words.records
        ring = words.ring
        (items, space) = (words.items, words.space)
        me = segment.peer
        table = segment.attachment.table
        self.isServer = isServer
        self.requestLength = requestLength
        preferred = Atomic(segment.peer.slot % words.shape.calls)
        if isServer { words.server(me.slot).storeRelease(me.rawValue) }
    }

    deinit {
        if isServer, !segment.attachment.isForeign { leaveServers() }
    }

    /// This is a server no more.
    func leaveServers() {
        guard words.server(me.slot).exchange(0) != 0 else { return }
        // Clients that do not wait for servers look whether this was the last one.
        for index in 0..<records.count { records.answer(index).notifyAll() }
        space.notifyAll()
    }

    func callFailure(_ field: String) -> CallError { segment.attachment.isForeign ? .detached : .damaged(field) }
    func serveFailure(_ field: String) -> ServeError { segment.attachment.isForeign ? .detached : .damaged(field) }
    /// Of a word of one call.
    func callServeFailure(_ field: String) -> ServeError { segment.attachment.isForeign ? .detached : .callDamaged(field) }

    /// Servers that are alive and have not left. O(peers).
    var servers: Int {
        (0..<table.count).count { slot in
            guard let peer = PeerID(rawValue: words.server(slot).loadSequential()), peer.slot == slot else { return false }
            return table.condition(of: peer) == .alive
        }
    }

    // MARK: The ring

    /// Puts a call behind all others: the one store by which it is sent.
    func append(_ index: Int, _ state: CallState) throws(QueueDamage) {
        // Only this is captured: no reference is counted.
        let records = records
        _ = try ring.append(slot: index, generation: state.generation, isWaiting: { records.stands($0) }, willTry: { _ in })
        items.notifyOne()
    }

    /// The next call that waits, if there is one, taken by this server.
    func takeFirst() throws(QueueDamage) -> (index: Int, state: CallState)? {
        guard let taken = try ring.first({ entry, ticket in take(entry, ticket) }) else { return nil }
        // What is damaged there is the next call's to say: this one has its server.
        if words.withdrawn.loadRelaxed() != 0, (try? sweepAll()) == nil { _ = words.withdrawn.exchange(1) }
        return taken
    }

    /// Nil: somebody else has taken it, or it was withdrawn, and the entry can go. A record that is withdrawn has its entry until it is free.
    @inline(__always)
    private func take(_ entry: RingEntry, _ ticket: UInt64) -> (index: Int, state: CallState)? {
        guard entry.slot < records.count else { return nil }
        while true {
            let seen = records.current(entry.slot)
            guard seen.generation & 0xffff == entry.generation else { return nil }
            if seen.isSending {
                let mine = seen.serving(by: me)
                guard ring.stands(entry, at: ticket) else { return nil }
                if records.change(entry.slot, seen, mine) { return (entry.slot, mine) }
            } else {
                guard isGone(seen, entry, ticket) else { continue }
                return nil
            }
        }
    }

    /// Frees a call that was withdrawn. False: its state has changed, and is to be looked at again.
    private func isGone(_ seen: CallState, _ entry: RingEntry, _ ticket: UInt64) -> Bool {
        guard seen.kind == .withdrawn, ring.stands(entry, at: ticket) else { return true }
        guard records.free(entry.slot, seen) else { return false }
        space.notifyOne()
        return true
    }

    /// Frees the withdrawn calls at the front. Whether it came to an empty entry.
    @discardableResult
    func sweep() throws(QueueDamage) -> Bool {
        try ring.sweep { entry, ticket in
            guard entry.slot < records.count else { return true }
            while true {
                let seen = records.current(entry.slot)
                guard seen.generation & 0xffff == entry.generation else { return true }
                if seen.isSending { return !ring.stands(entry, at: ticket) }
                if isGone(seen, entry, ticket) { return true }
            }
        }
    }

    private func sweepAll() throws(QueueDamage) {
        // Taken away before the look: what is withdrawn after that sets it again.
        _ = words.withdrawn.exchange(0)
        if try !sweep() { _ = words.withdrawn.exchange(1) }
    }

    // MARK: A client's steps

    /// A record for a call, if there is one.
    @inline(__always)
    func claim(isStreamed: Bool) -> OpenCall? {
        let place = preferred.load(ordering: .relaxed)
        guard let (index, state) = records.claim(place, by: me, isStreamed: isStreamed) else { return nil }
        if index != place { preferred.store(index, ordering: .relaxed) }
        return OpenCall(index: index, state: state)
    }

    /// As ``claim(isStreamed:)``, and frees withdrawn calls if there is none.
    func claimOrSweep(isStreamed: Bool) throws(QueueDamage) -> OpenCall? {
        if let call = claim(isStreamed: isStreamed) { return call }
        try sweep()
        return claim(isStreamed: isStreamed)
    }

    /// Sends a call whose request is written.
    func send(_ call: OpenCall, until deadline: Deadline) throws(CallError) {
        records.client(call.index).storeRelaxed(me.rawValue)
        records.deadline(call.index).storeRelaxed(deadline.instant.map { max(1, $0.nanoseconds) } ?? 0)
        if call.state.isStreamed {
            records.written(call.index).storeRelaxed(0)
            records.read(call.index).storeRelaxed(0)
        }
        do throws(QueueDamage) {
            try append(call.index, call.state)
        } catch {
            end(call.index, call.state)
            throw callFailure(error.field)
        }
    }

    /// Ends a call that is in the state `seen`, one that the client alone changes.
    func end(_ index: Int, _ seen: CallState) { if records.free(index, seen) { space.notifyOne() } }

    /// Takes a call back that no server has taken. False: one has, or had.
    func withdraw(_ call: OpenCall) throws(CallError) -> Bool {
        guard records.change(call.index, call.state, call.state.withdrawn()) else { return false }
        _ = words.withdrawn.exchange(1)
        do throws(QueueDamage) { try sweep() } catch { throw callFailure(error.field) }
        return true
    }

    /// The client does not wait any more. Nil: it is told to whoever has the call; or the state in which it has ended just now.
    func giveUp(_ call: OpenCall) throws(CallError) -> CallState? {
        if try withdraw(call) { return nil }
        for _ in 0..<1000 {
            let seen = records.current(call.index)
            guard seen.generation == call.state.generation else { break }
            switch seen.kind {
            case .serving:
                guard records.change(call.index, seen, seen.abandoned()) else { continue }
                records.attention(call.index).notifyAll()
                return nil
            case .replied, .failed: return seen
            case .free, .sending, .withdrawn, .abandoned, nil: throw callFailure("state")
            }
        }
        throw callFailure("state")
    }

    // MARK: A server's steps

    /// Ends a call that this server has. False: nobody waits for it any more.
    @inline(__always)
    func finish(_ index: Int, _ mine: CallState, _ outcome: CallOutcome) throws(ServeError) {
        if records.change(index, mine, mine.replied(outcome)) {
            records.answer(index).notifyAll()
        } else {
            try letGo(index, mine)
        }
    }

    private func letGo(_ index: Int, _ mine: CallState) throws(ServeError) {
        let abandoned = mine.abandoned()
        guard records.current(index) == abandoned else { throw callServeFailure("state") }
        end(index, abandoned)
        throw .callerGone
    }

    /// Whether nobody waits for the reply any more; for who has the call. One load.
    func isAbandoned(_ index: Int, _ mine: CallState) -> Bool { records.current(index) != mine }

    // MARK: Windows

    private static let inlineBit: UInt64 = 1 << 63
    static let mostInlineAlignment = 16  // bytes

    /// Where a request of `size` bytes is to be written; reserves its memory.
    @usableFromInline
    func requestPlace(_ call: OpenCall, size: Int, alignment: Int = 1) throws(Errno) -> UnsafeMutableRawPointer {
        let index = call.index
        if size <= Int(IPC_INLINE_REQUEST), alignment <= Self.mostInlineAlignment {
            records.requestLength(index).storeRelaxed(UInt64(size) | Self.inlineBit)
            return unsafe records.request(index)
        }
        precondition(size <= shape.requestSize)
        try reserve(size, records.requestReserved(index), index * shape.windowSize, of: shape.requestSize)
        records.requestLength(index).storeRelaxed(UInt64(size))
        return unsafe words.requestWindow(index)
    }

    /// Where a reply of `size` bytes is to be written; reserves its memory.
    @usableFromInline
    func replyPlace(_ index: Int, size: Int, alignment: Int = 1) throws(Errno) -> UnsafeMutableRawPointer {
        if size <= Int(IPC_INLINE_REPLY), alignment <= Self.mostInlineAlignment {
            records.replyLength(index).storeRelaxed(UInt64(size) | Self.inlineBit)
            return unsafe records.reply(index)
        }
        precondition(size <= shape.replySize)
        try reserveReply(index, size)
        records.replyLength(index).storeRelaxed(UInt64(size))
        return unsafe words.replyWindow(index)
    }

    func reserveReply(_ index: Int, _ size: Int) throws(Errno) {
        try reserve(size, records.replyReserved(index), index * shape.windowSize + shape.requestSize, of: shape.replySize)
    }

    /// The size of what was written, where ``requestPlace(_:size:alignment:)`` or ``replyPlace(_:size:alignment:)`` said, if it has become less.
    func setLength(_ length: SharedUInt64, _ size: Int) {
        length.storeRelaxed(length.loadRelaxed() & Self.inlineBit | UInt64(size))
    }

    /// Whether there can be a request of the length that stands there.
    @inline(__always)
    func isRequestPossible(_ index: Int) -> Bool {
        guard let bytes = unsafe try? requestBytes(index) else { return false }
        return requestLength.map { $0 == bytes.count } ?? true
    }

    /// The request as it stands.
    func requestBytes(_ index: Int) throws(QueueDamage) -> UnsafeMutableRawBufferPointer {
        let word = records.requestLength(index).loadRelaxed()
        let size = Int(clamping: word & ~Self.inlineBit)
        if word & Self.inlineBit != 0 {
            guard size <= Int(IPC_INLINE_REQUEST) else { throw QueueDamage(field: "request_length") }
            return unsafe UnsafeMutableRawBufferPointer(start: records.request(index), count: size)
        }
        guard size <= shape.requestSize else { throw QueueDamage(field: "request_length") }
        return unsafe UnsafeMutableRawBufferPointer(start: words.requestWindow(index), count: size)
    }

    /// The reply as it stands.
    func replyBytes(_ index: Int) throws(QueueDamage) -> UnsafeMutableRawBufferPointer {
        let word = records.replyLength(index).loadRelaxed()
        let size = Int(clamping: word & ~Self.inlineBit)
        if word & Self.inlineBit != 0 {
            guard size <= Int(IPC_INLINE_REPLY) else { throw QueueDamage(field: "reply_length") }
            return unsafe UnsafeMutableRawBufferPointer(start: records.reply(index), count: size)
        }
        guard size <= shape.replySize else { throw QueueDamage(field: "reply_length") }
        return unsafe UnsafeMutableRawBufferPointer(start: words.replyWindow(index), count: size)
    }

    /// Sees to it that a window's first `size` bytes can be written: has the file system reserve what it has not reserved yet. One load if it has.
    @inline(__always)
    private func reserve(_ size: Int, _ reserved: SharedUInt64, _ window: Int, of windowSize: Int) throws(Errno) {
        let have = min(Int(clamping: reserved.loadRelaxed()), windowSize)
        if size > have { try reserveMore(size, have, reserved, window, windowSize) }
    }

    private func reserveMore(_ size: Int, _ have: Int, _ reserved: SharedUInt64, _ window: Int, _ windowSize: Int) throws(Errno) {
        // Windows need not begin with a page: their neighbours' bytes are reserved with them.
        let base = segment.header.dataOffset + window
        let page = SegmentPlan.page
        let start = (base + have) / page * page
        let end = SegmentPlan.roundUpToPage(base + size)
        try segment.file.descriptor.reserve(end - start, from: start)
        reserved.storeRelease(UInt64(min(end - base, windowSize)))
    }
}

/// A record that is this client's for one call.
@frozen @usableFromInline
struct OpenCall: Sendable {
    let index: Int
    var state: CallState
}
