import InterprocessSystem

/// What a reader-writer lock does, but for its value.
///
/// **Layout** `writer`, and in each slot how many threads of the peer read; `taken` is their sum.
@safe @usableFromInline
final class ReadWriteLockCore: @unchecked Sendable {
    let monitor: Monitor
    private let strategy: WaitStrategy
    /// What a thread has in the list of locks that it holds while it reads, and while it changes the value.
    @usableFromInline let readingKey: UInt64
    @usableFromInline let changingKey: UInt64
    private let inconsistent: SharedUInt32

    init(_ object: SynchronizationObject, _ strategy: WaitStrategy) {
        self.strategy = strategy
        monitor = Monitor(object)
        readingKey = object.identity
        changingKey = object.identity &+ 1
        inconsistent = object.words.inconsistent
    }

    var segment: Segment { monitor.object.segment }

    // MARK: Consistency

    @usableFromInline
    var isConsistent: Bool { inconsistent.loadAcquire() == 0 }

    /// The death with which the value was left half changed. Nil: it is whole.
    @usableFromInline
    var inconsistency: DeathNotice? {
        let bits = inconsistent.loadAcquire()
        guard bits != 0 else { return nil }
        return monitor.object.table.notice(of: PeerID(rawValue: bits) ?? .unknown, holding: .lock)
    }

    @usableFromInline
    func checkConsistency() throws(LockError) {
        if !isConsistent, let notice = inconsistency { throw .inconsistent(notice) }
    }

    /// By who changes the value, after its last store to it.
    @usableFromInline
    func declareConsistent() { inconsistent.storeRelease(0) }

    // MARK: Taking it

    /// What a call takes the lock for.
    @usableFromInline
    enum Purpose { case reading, changing }
    private enum Taking { case taken, selfDeadlock }

    /// In the lock. Nil: not now.
    private func take(_ purpose: Purpose, isNext: Bool) -> Taking? {
        let words = monitor.words
        // Acquire: the last writer may have let go beside the lock.
        let writer = words.writer.loadAcquire()
        if writer != 0 {
            return HeldLocks.contains(changingKey) ? .selfDeadlock : nil
        }
        switch purpose {
        case .reading:
            guard isNext || !monitor.isSomebodyNext || readsAlready else { return nil }
            monitor.changeMine { $0 &+ 1 }
            words.taken.storeRelease(words.taken.loadRelaxed() &+ 1)
        case .changing:
            if readsAlready { return .selfDeadlock }
            guard words.taken.loadRelaxed() == 0, isNext || !monitor.isSomebodyNext else { return nil }
            words.writer.storeRelease(monitor.me.rawValue)
        }
        return .taken
    }

    private var readsAlready: Bool { HeldLocks.contains(readingKey) }

    /// Takes it if nobody is in the way.
    private func takeFree(_ purpose: Purpose) -> Bool {
        guard let before = monitor.enterFree() else { return false }
        let taking = take(purpose, isNext: false)
        monitor.leave(before)
        return taking == .taken
    }

    private func look(_ call: inout WaitingCall, _ monitorCall: inout Monitor.Call, _ purpose: Purpose) -> Look<Taking?> {
        monitor.look(&call, &monitorCall) { monitorCall in
            guard let taking = take(purpose, isNext: monitorCall.isNext) else { return nil }
            monitor.taken(by: &monitorCall)
            return taking
        }
    }

    @usableFromInline
    func take(_ purpose: Purpose, until deadline: Deadline) throws(LockError) {
        if takeFree(purpose) { return }
        var call = WaitingCall(maySleep: true)
        var monitorCall = Monitor.Call()
        try finish(WaitingCall.block(strategy, until: deadline, &call) { look(&$0, &monitorCall, purpose) }, &monitorCall)
    }

    func take(_ purpose: Purpose, until deadline: Deadline) async throws(LockError) {
        if takeFree(purpose) { return }
        var call = WaitingCall(maySleep: true)
        var monitorCall = Monitor.Call()
        try await finish(
            WaitingCall.suspend(monitor.object, until: deadline, &call) { look(&$0, &monitorCall, purpose) }, &monitorCall)
    }

    @usableFromInline
    func tryTake(_ purpose: Purpose) throws(LockError) -> Bool {
        switch monitor.access(until: Monitor.shortly, { take(purpose, isNext: false) }) {
        case .some(.taken): return true
        case .some(.selfDeadlock): throw .selfDeadlock
        case .some(.none): return false
        case .none:
            if monitor.object.isDetached { throw .detached }
            if !ClaimWord.isOpen(monitor.words.word.loadAcquire()) { throw .damaged("word") }
            return false
        }
    }

    private func finish(_ ending: WaitEnding<Taking?>, _ monitorCall: inout Monitor.Call) throws(LockError) {
        switch ending {
        case .done(.taken): return
        case .done(.selfDeadlock): throw .selfDeadlock
        case .done(.none): throw monitor.object.isDetached ? .detached : .damaged("word")
        case .deadline:
            monitor.giveUp(&monitorCall)
            throw .deadline
        case .cancelled:
            monitor.giveUp(&monitorCall)
            throw .cancelled
        }
    }

    // MARK: Letting go

    @usableFromInline
    func stopReading() {
        // None is left only if somebody wrote there who should not.
        monitor.giveBack({ $0 - min($0, 1) }) { givenBack in
            guard givenBack > 0 else { return }
            let readers = monitor.words.taken.loadRelaxed() &- 1
            monitor.words.taken.storeRelease(readers)
            if readers == 0 { monitor.change() }
        }
    }

    /// In the lock only so that it is not let go between looking and going to sleep; the word is this peer's alone, as long as it lives.
    @usableFromInline
    func stopChanging() {
        let me = monitor.me.rawValue
        let isDone: Void? = monitor.access(until: Monitor.shortly) {
            guard monitor.words.writer.loadRelaxed() == me else { return }
            monitor.words.writer.storeRelease(0)
            monitor.change()
        }
        guard isDone == nil, monitor.words.writer.compareExchange(me, 0) else { return }
        monitor.changeBesideLock()
    }
}
