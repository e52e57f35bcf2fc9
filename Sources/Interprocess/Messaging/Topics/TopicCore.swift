import CInterprocess
import InterprocessSystem
import Synchronization
import SystemPackage

/// A topic that this process has open, once for each publisher and subscriber: its log, its chunks, its records.
///
/// **Source** decision record 0009. Model: Models/topic.pml.
/// **Trust** the shape was checked when it was opened; entries, states and lengths are checked as they are read.
@safe @usableFromInline
final class TopicCore: @unchecked Sendable {
    let segment: Segment
    let words: TopicWords
    let shape: TopicShape
    let log: TopicLog
    let chunks: TopicChunks
    let items: WakeWord
    let space: WakeWord
    let me: PeerID
    let record: TopicPeer
    // Looked at with each message.
    let joins: SharedUInt32
    let finished: SharedUInt32
    let fences: SharedUInt32
    private let wants: SharedUInt64
    private let data: UnsafeMutableRawPointer
    private let stride: Int
    let table: PeerTable
    /// What is held, unless there is one publisher at a time: then it is in ``holds``.
    private let held: HeldChunks
    /// Whether there is one publisher at a time.
    let isSole: Bool
    let holds: PeerHolds

    init(_ segment: Segment, _ words: TopicWords) {
        (self.segment, self.words) = (segment, words)
        shape = words.shape
        (log, chunks) = (words.log, words.chunks)
        (items, space) = (words.items, words.space)
        me = segment.peer
        record = words.peer(segment.peer.slot)
        (joins, finished, fences, wants) = (words.joins, words.finished, words.fences, words.wants)
        unsafe data = words.bytes(0)
        stride = words.shape.messageSize
        table = segment.attachment.table
        isSole = words.shape.isSole
        holds = PeerHolds(record, count: isSole ? shape.holds : 0)
        held = HeldChunks(words.chunks, slot: segment.peer.slot)
        // SYNC topic.fences: before this process reads or publishes anything.
        if !Barrier.isRegistered { goWithoutBarrier() }
    }

    deinit { holds.deallocate() }

    var isForeign: Bool { segment.attachment.isForeign }

    /// Where a chunk's message stands.
    @inline(__always)
    func bytes(_ chunk: Int) -> UnsafeMutableRawPointer { unsafe data + chunk &* stride }

    /// Whether the topic is finished.
    var isFinished: Bool { finished.loadAcquire() != 0 }

    /// Says what this process is to the topic.
    func enter(as kind: TopicPeer.Kind) { record.role.exchange(TopicPeer.Role(kind, me).word) }

    /// This process is nothing to the topic any more, but for what it still holds.
    func leave() {
        if isSole { holds.close(keeping: self) }
        guard !isForeign else { return }
        record.role.exchange(0)
        space.notifyAll()
        // A wait set of this process may watch a subscriber.
        items.notifyAll()
    }

    // MARK: What is held

    /// One more loan or sample. False: there are as many as may be.
    func beginHolding() -> Bool { held.begin(atMost: shape.holds) }

    /// Of a loan, or of what was not held after all.
    func endHolding() { held.end() }

    /// Gives a chunk up that was filled, or not, and is in no log.
    func giveUp(_ claim: ChunkClaim) { if chunks.free(claim.index, claim.state) { space.notifyAll() } }

    /// This subscriber holds the chunk's message.
    @inline(__always)
    func hold(_ chunk: Int) { held.hold(chunk) }

    /// Of what was looked at.
    func letGo(_ chunk: Int) {
        held.letGo(chunk)
        space.notifyAll()
    }

    @usableFromInline
    func endSample(_ hold: ChunkHold) {
        if let place = hold.place { return place.end() }
        held.end(hold.chunk)
        space.notifyAll()
    }

    /// Before this subscriber comes to messages again that it may hold.
    func beginAnew() { if !isSole { held.beginAnew() } }

    // MARK: Sleeping publishers

    /// What a lossless subscriber does after it has moved its cursor, without a fence while nobody sleeps.
    ///
    /// `SYNC topic.space`: the cursor is stored before the look at the mark, with nothing but a compiler fence between; a publisher sets the mark, then runs a barrier in all processes that take
    /// part, then looks at the cursors again (as `SYNC eventcount`).
    @inline(__always)
    func cursorHasMoved(to cursor: UInt64) {
        if fences.loadRelaxed() != 0 { fullFence() } else { ipc_compiler_fence() }
        if space.isMarked { wakePublishers(cursor) }
    }

    private func wakePublishers(_ cursor: UInt64) {
        // Not for each message that is read long before those that publishers wait for.
        if Int64(bitPattern: cursor &- wants.loadRelaxed()) >= 0 { space.notifyAll() }
    }

    /// Announces that a publisher is about to sleep; the value to sleep on after another look.
    func prepareForSpace(wantingCursorsAt wanted: UInt64) -> UInt32 {
        wants.storeRelaxed(wanted)
        let seen = space.prepare()
        if !Barrier.beforeLookingAgain() {
            goWithoutBarrier()
            // A subscriber may have looked just before, with its cursor still on its way: a millisecond is many times what that takes.
            sleepThread(for: .milliseconds(1))
        }
        return seen
    }

    /// `SYNC topic.join`: what the one publisher had published before it looked at `joins` for the last time without seeing this one's is seen after this. With any number of them their compare-exchanges see to it.
    func orderJoin() {
        fullFence()
        if isSole, !Barrier.beforeLookingAgain() {
            goWithoutBarrier()
            sleepThread(for: .milliseconds(1))
        }
    }

    private func goWithoutBarrier() {
        fences.storeRelease(1)
        fullFence()
    }

    // MARK: Messages of bytes

    /// Sees to it that a chunk's first `size` bytes can be written: has the file system reserve what it has not reserved yet. One load if it has.
    @inline(__always)
    func reserve(_ size: Int, _ chunk: Int) throws(Errno) {
        guard shape.isReservedLazily, chunks.reservedBytes(chunk).loadRelaxed() < UInt64(size) else { return }
        try reserveSlowly(size, chunk)
    }

    private func reserveSlowly(_ size: Int, _ chunk: Int) throws(Errno) {
        let reserved = chunks.reservedBytes(chunk)
        let have = min(Int(clamping: reserved.loadRelaxed()), shape.messageSize) / SegmentPlan.page * SegmentPlan.page
        let wanted = SegmentPlan.roundUpToPage(size)
        guard wanted > have else { return }
        // A message that is reserved as it is needed begins with a page.
        let start = segment.header.dataOffset + chunk * shape.messageSize
        try segment.file.descriptor.reserve(wanted - have, from: start + have)
        reserved.storeRelease(UInt64(wanted))
    }

    // MARK: Waiting subscribers

    /// Looks, announces a sleep, and looks again.
    func look<Found>(_ call: inout WaitingCall, _ find: () -> Found?) -> Look<Found> {
        let deaths = table.deaths.loadAcquire()
        if let found = find() { return .done(found) }
        guard call.maySleep else { return .busy }
        let seen = items.prepare()
        // `SYNC topic.items`: one publisher looks at the mark behind nothing but a compiler fence.
        if isSole, !Barrier.beforeLookingAgain() {
            goWithoutBarrier()
            sleepThread(for: .milliseconds(1))
        }
        if let found = find() { return .done(found) }
        return .sleep(SleepWords(event: items.word, eventSeen: seen, life: table.deaths, lifeSeen: deaths))
    }

    /// Whether a subscriber whose next message has this ticket would be told anything but that there is nothing.
    func hasSomething(at cursor: UInt64) -> Bool {
        if isForeign { return true }
        let seen = LogEntry(word: log.entry(cursor).loadSequential())
        return seen.distance(from: log.lap(cursor)) != -1 || finished.loadSequential() != 0
    }

    // MARK: The end

    /// Nothing more is published: publishers are told, and subscribers when they have received everything.
    func finish() {
        guard !isForeign else { return }
        finished.storeRelease(1)
        fullFence()
        items.notifyAll()
        space.notifyAll()
    }
}
