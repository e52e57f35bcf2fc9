import InterprocessSystem
import Synchronization
import SystemPackage

/// A shared queue that this process has open: its slots, its rings, and how to wait. Typed and byte queues differ in what stands in a slot.
///
/// **Source** decision record 0007. `SYNC ring.publish`, `SYNC slot.state`, `SYNC wakeword`. Model: Models/shared_queue.pml.
/// **Trust** the shape was checked when it was opened; entries, states and lengths are checked as they are read.
@usableFromInline
final class SharedQueueCore: Sendable {
    let segment: Segment
    let words: SharedQueueWords
    let shape: SharedQueueShape
    let slots: MessageSlots
    let items: WakeWord
    let space: WakeWord
    let me: PeerID
    let table: PeerTable
    /// The ring of the highest priority, which most queues have alone.
    private let firstRing: MessageRing
    /// This process's threads drop one after the other: they share a record.
    let dropping = Lock<Void>(())
    /// Whether this process has been told to receive no more.
    let isStopped = Atomic<Bool>(false)
    /// When a thread of this process that does not sleep looks again for what receivers have had for too long, in nanoseconds.
    let nextLook = Atomic<UInt64>(0)

    init(_ segment: Segment, _ words: SharedQueueWords) {
        (self.segment, self.words) = (segment, words)
        shape = words.shape
        slots = words.slots
        (items, space) = (words.items, words.space)
        me = segment.peer
        table = segment.attachment.table
        firstRing = words.ring(words.shape.priorities - 1)
    }

    /// Why nothing can be done with what was found in the shared words.
    private func sendFailure(_ field: String) -> SendFailure { segment.attachment.isForeign ? .detached : .damaged(field) }
    private func receiveFailure(_ field: String) -> ReceiveError { segment.attachment.isForeign ? .detached : .damaged(field) }

    @inline(__always)
    func ring(_ priority: Int) -> MessageRing { priority == shape.priorities - 1 ? firstRing : words.ring(priority) }

    // MARK: Sending

    /// A slot that is this caller's to fill.
    @frozen @safe @usableFromInline
    struct Loan: @unchecked Sendable {
        let slot: Int
        let state: SlotState
        @usableFromInline let bytes: UnsafeMutableRawPointer
    }

    @frozen @usableFromInline
    enum Loaning {
        case slot(Loan)
        /// The queue drops the newest, and has: this one.
        case dropped
        case failed(SendFailure)
    }

    /// A slot to fill; waits for one as the queue's overflow says.
    @usableFromInline
    func loan(_ strategy: WaitStrategy, until deadline: Deadline) -> Loaning {
        if let loan = freeSlot() { return .slot(loan) }
        if shape.overflow != .dropNewest, deadline != .now {
            var call = WaitingCall(maySleep: true)
            return finish(WaitingCall.block(strategy, until: deadline, &call) { look(&$0) }, &call)
        }
        return tryLoan(mayDrop: deadline != .now)
    }

    func loan(until deadline: Deadline) async -> Loaning {
        if let loan = freeSlot() { return .slot(loan) }
        if shape.overflow == .dropNewest { return tryLoan(mayDrop: true) }
        var call = WaitingCall(maySleep: true)
        return finish(await WaitingCall.suspend(segment, until: deadline, &call) { look(&$0) }, &call)
    }

    /// - Parameter mayDrop: whether the message may be dropped, and need not be handed back.
    private func tryLoan(mayDrop: Bool) -> Loaning {
        if let found = lookOnce() { return found }
        guard shape.overflow == .dropNewest, mayDrop else { return .failed(.full) }
        dropping.withLock { _ in
            let count = words.drops(me.slot).newest
            count.storeRelease(count.loadRelaxed() &+ 1)
        }
        return .dropped
    }

    @inline(__always)
    private func freeSlot() -> Loan? {
        guard words.finished.loadRelaxed() == 0 else { return nil }
        // The slot of the same number as the next entry is mostly free.
        let place = Int(truncatingIfNeeded: firstRing.tail.loadRelaxed() & (firstRing.size - 1))
        guard let claim = slots.claim(place < slots.count ? place : place % slots.count, by: me) else { return nil }
        return unsafe Loan(slot: claim.index, state: claim.state, bytes: words.bytes(claim.index))
    }

    private func look(_ call: inout WaitingCall) -> Look<Loaning> {
        let deaths = table.deaths.loadAcquire()
        if let found = lookOnce() { return .done(found) }
        guard call.maySleep else { return .busy }
        let seen = space.prepare()
        if let found = lookOnce() { return .done(found) }
        var sleep = SleepWords(event: space.word, eventSeen: seen, life: table.deaths, lifeSeen: deaths)
        // Nothing waits that could be dropped: others are writing or working on all of it. Who publishes something to drop does not say so here.
        if shape.overflow == .dropOldest { sleep.lookAgain = .now.advanced(by: .milliseconds(1)) }
        return .sleep(sleep)
    }

    private func lookOnce() -> Loaning? {
        if segment.attachment.isForeign { return .failed(.detached) }
        if words.finished.loadAcquire() != 0 { return .failed(.closed) }
        if let loan = freeSlot() { return .slot(loan) }
        guard shape.overflow == .dropOldest else { return nil }
        do throws(QueueDamage) {
            return try dropOldest().map { .slot($0) }
        } catch {
            return .failed(sendFailure(error.field))
        }
    }

    private func finish(_ ending: WaitEnding<Loaning>, _ call: inout WaitingCall) -> Loaning {
        switch ending {
        case .done(let loaning): return loaning
        case .deadline, .cancelled:
            if call.hasSlept { space.notifyOne() }
            if case .cancelled = ending { return .failed(.cancelled) }
            return .failed(.deadline)
        }
    }

    /// Publishes a filled slot: the one store by which the message is in the queue. Nil: it is; or why not.
    @usableFromInline
    func publish(_ loan: Loan, priority: Int) -> SendFailure? {
        do throws(QueueDamage) {
            // Where it stands if it comes back: written by who sends, since who takes it may be killed at once.
            slots.priority(loan.slot).storeRelaxed(UInt32(priority))
            // Only these are captured: no reference is counted.
            let (slots, ticket) = (slots, slots.ticket(loan.slot))
            _ = try ring(priority).append(
                slot: loan.slot, generation: loan.state.generation, isWaiting: { slots.isWaiting($0) }, willTry: { ticket.storeRelaxed($0) }
            )
        } catch {
            return sendFailure(error.field)
        }
        items.notifyOne()
        return nil
    }

    /// Sees to it that a slot's first `size` bytes can be written: has the file system reserve what it has not reserved yet. One load if it has.
    func reserve(_ size: Int, _ loan: Loan) throws(Errno) {
        let reserved = slots.reservedBytes(loan.slot)
        let have = min(Int(clamping: reserved.loadRelaxed()), shape.messageSize)
        guard size > have else { return }
        let wanted = SegmentPlan.roundUpToPage(size)
        // The message's own bytes begin with a page.
        let start = segment.header.dataOffset + loan.slot * shape.messageSize
        try segment.file.descriptor.reserve(
            wanted - have / SegmentPlan.page * SegmentPlan.page, from: start + have / SegmentPlan.page * SegmentPlan.page)
        reserved.storeRelease(UInt64(wanted))
    }

    /// Gives a slot up that was not filled.
    func giveUp(_ loan: Loan) { if slots.free(loan.slot, loan.state) { space.notifyOne() } }

    // MARK: Receiving

    /// A message that is this caller's until it is done with it.
    @frozen @safe @usableFromInline
    struct Taken: @unchecked Sendable {
        let slot: Int
        let state: SlotState
        let ticket: UInt64
        let priority: Int
        @usableFromInline let bytes: UnsafeMutableRawPointer
    }

    @frozen @usableFromInline
    enum Taking {
        case message(Taken)
        /// Nothing is left, and nothing more comes.
        case finished
        case failed(ReceiveError)
    }

    @usableFromInline
    func take(_ strategy: WaitStrategy, until deadline: Deadline) -> Taking {
        if isStopped.load(ordering: .relaxed) { return .finished }
        if let found = takeNow() { return found }
        var call = WaitingCall(maySleep: true)
        return finish(WaitingCall.block(strategy, until: deadline, &call) { lookForMessage(&$0) }, &call)
    }

    func take(until deadline: Deadline) async -> Taking {
        if isStopped.load(ordering: .relaxed) { return .finished }
        if let found = takeNow() { return found }
        var call = WaitingCall(maySleep: true)
        return finish(await WaitingCall.suspend(segment, until: deadline, &call) { lookForMessage(&$0) }, &call)
    }

    private func lookForMessage(_ call: inout WaitingCall) -> Look<Taking> {
        let deaths = table.deaths.loadAcquire()
        if isStopped.load(ordering: .relaxed) { return .done(.finished) }
        if let found = takeNow() { return .done(found) }
        guard call.maySleep else {
            returnOverdueNowAndThen()
            return .busy
        }
        let seen = items.prepare()
        if isStopped.load(ordering: .sequentiallyConsistent) { return .done(.finished) }
        if let found = takeNow() { return .done(found) }
        var sleep = SleepWords(event: items.word, eventSeen: seen, life: table.deaths, lifeSeen: deaths)
        if shape.acknowledgeNanoseconds > 0 {
            // Before the look: what others take while this one sleeps is due later.
            let now = MonotonicInstant.now.nanoseconds
            let last = MonotonicInstant(nanoseconds: now).advanced(by: .nanoseconds(Int64(clamping: shape.acknowledgeNanoseconds)))
            sleep.lookAgain = returnOverdue(at: now) ?? last
            if let found = takeNow() { return .done(found) }
        }
        return .sleep(sleep)
    }

    private func finish(_ ending: WaitEnding<Taking>, _ call: inout WaitingCall) -> Taking {
        switch ending {
        case .done(let taking):
            // Told to stop, perhaps when it had been woken for a message.
            if case .finished = taking, call.hasSlept, isStopped.load(ordering: .relaxed) { items.notifyOne() }
            return taking
        case .deadline, .cancelled:
            if call.hasSlept { items.notifyOne() }
            if case .cancelled = ending { return .failed(.cancelled) }
            return .failed(.deadline)
        }
    }

    /// The next message, if there is one: what came back first, then by priority.
    @usableFromInline
    func takeNow() -> Taking? {
        do throws(QueueDamage) {
            if let taken = try takeFirst() { return .message(taken) }
            return try words.finished.loadRelaxed() != 0 ? takeAfterFinish() : nil
        } catch {
            return .failed(receiveFailure(error.field))
        }
    }

    /// What was sent, or came back, before the queue was finished is seen by who has seen that it was.
    func takeAfterFinish() throws(QueueDamage) -> Taking {
        fullFence()
        if let taken = try takeFirst() { return .message(taken) }
        return .finished
    }

    @inline(__always)
    private func takeFirst() throws(QueueDamage) -> Taken? {
        if words.returns.loadAcquire() != words.searched.loadRelaxed(), let taken = takeReturned() { return taken }
        var priority = shape.priorities - 1
        while priority >= 0 {
            if let taken = try ring(priority).first({ entry, ticket in takeSlot(entry, ticket, priority) }) { return taken }
            priority -= 1
        }
        return nil
    }

    @inline(__always)
    private func takeSlot(_ entry: RingEntry, _ ticket: UInt64, _ priority: Int) -> Taken? {
        guard entry.slot < slots.count else { return nil }
        let seen = slots.current(entry.slot)
        guard seen.isFilling, seen.generation & 0xffff == entry.generation else { return nil }
        return take(entry.slot, seen, ticket, priority) { ring(priority).stands(entry, at: ticket) }
    }

    /// Makes the message of a slot this caller's; nil if the slot is not in the state `seen` any more.
    @inline(__always)
    private func take(_ slot: Int, _ seen: SlotState, _ ticket: UInt64, _ priority: Int, if stands: () -> Bool = { true }) -> Taken? {
        let before = slots.takenTime(slot).loadRelaxed()
        let mine = seen.taken(by: me)
        guard stands(), slots.change(slot, seen, mine) else { return nil }
        if shape.acknowledgeNanoseconds > 0 { noteTime(slot, mine, before: before) }
        return unsafe Taken(slot: slot, state: mine, ticket: ticket, priority: priority, bytes: words.bytes(slot))
    }

    /// A message that has come back: that of the lowest ticket in the highest priority. O(slots), and only while there may be one.
    private func takeReturned() -> Taken? {
        while true {
            let returns = words.returns.loadAcquire()
            var best: (slot: Int, state: SlotState, priority: Int, ticket: UInt64)?
            for slot in 0..<slots.count {
                let state = slots.current(slot)
                guard state.kind == .returned else { continue }
                let (priority, ticket) = (Int(slots.priority(slot).loadRelaxed()), slots.ticket(slot).loadRelaxed())
                if let best, (best.priority, UInt64.max - best.ticket) >= (priority, UInt64.max - ticket) { continue }
                best = (slot, state, priority, ticket)
            }
            guard let best else {
                // Up to here there is nothing; who returns one after this counts on.
                let searched = words.searched.loadRelaxed()
                if Int32(bitPattern: returns &- searched) > 0 { _ = words.searched.compareExchange(searched, returns) }
                return nil
            }
            if let taken = take(best.slot, best.state, best.ticket, min(best.priority, shape.priorities - 1)) { return taken }
        }
    }

    /// The receiver is done with the message. False if it is not its any more: it took too long, and somebody else has the message.
    @usableFromInline
    func done(_ taken: Taken) -> Bool {
        guard slots.free(taken.slot, taken.state) else { return false }
        space.notifyOne()
        return true
    }

    /// The receiver does not want the message: it comes again, or is a dead letter. False as ``done(_:)``.
    @discardableResult
    func giveBack(_ taken: Taken) -> Bool { giveBack(taken.slot, taken.state) }

    @discardableResult
    func giveBack(_ slot: Int, _ state: SlotState) -> Bool {
        guard slots.change(slot, state, state.givenBack(limit: shape.deliveryLimit)) else { return false }
        words.returns.add(1)
        items.notifyOne()
        return true
    }

    /// The next dead letter, taken. O(slots).
    func takeDeadLetter() -> Taken? {
        for slot in 0..<slots.count {
            let state = slots.current(slot)
            guard state.kind == .deadLetter else { continue }
            let (priority, ticket) = (min(Int(slots.priority(slot).loadRelaxed()), shape.priorities - 1), slots.ticket(slot).loadRelaxed())
            if let taken = take(slot, state, ticket, priority) { return taken }
        }
        return nil
    }
}
