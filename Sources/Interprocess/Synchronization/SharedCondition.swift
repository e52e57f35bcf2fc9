import InterprocessSystem

/// What those wait on who wait until a mutex's value is as they need it.
///
/// ```swift
/// let notEmpty = try SharedCondition(named: "jobs.not-empty")
/// let job = try jobs.withLock(when: { !$0.isEmpty }, on: notEmpty) { $0.removeFirst() }     // one process
/// try jobs.withLock { $0.append(job) }                                                       // another
/// try notEmpty.notifyOne()
/// ```
///
/// Who waits gives what it waits for, and gets the value when it is so and nobody else can change it: there is no wake-up without cause, and none to be
/// checked for. All who wait on one condition should use the same mutex.
///
/// **Layout** `word` of "synchronization object": the number of the last notification, and the mark of those who sleep.
/// **Memory order** `SYNC lock.word` of the mutex: a change made under it before ``notifyOne()`` is seen by who is woken.
/// **Death** of who sleeps, or was woken and had not yet looked: all others look again, so that no notification is lost. Of who changed the value and was
/// killed before it could notify: the same, if it had the condition open.
/// **Progress** those who sleep are woken in the order in which they went to sleep; each has to get the mutex then.
/// **Source** a sequence number as in B. D. Schmidt's and U. Drepper's descriptions of condition variables; the word holds the mark, so that its
/// number and its sleepers are compared in one step.
public final class SharedCondition: Sendable {
    let object: SynchronizationObject
    private var word: SharedUInt32 { object.words.word }
    private static let step: UInt32 = 1 << ClaimWord.shift

    /// Opens the condition `name`, or makes it.
    ///
    /// - Throws: ``InterprocessError`` as ``Segment/openOrCreate(_:size:in:lifetime:permissions:maximumPeers:)``.
    public init(named name: ObjectName, options: SynchronizationOptions = SynchronizationOptions()) throws(InterprocessError) {
        object = try SynchronizationObject.open(name, Self.plan, options)
    }

    /// Opens the condition that stands `offset` bytes into the data of a plain segment, or makes it if nothing but zeroes stands in its ``byteCount`` bytes.
    ///
    /// - Throws: ``InterprocessError`` as ``SharedMutex/init(in:at:initial:strategy:)``.
    public init(in segment: Segment, at offset: Int) throws(InterprocessError) {
        object = try SynchronizationObject.open(in: segment, at: offset, Self.plan)
    }

    /// Bytes that it takes in a segment.
    public static var byteCount: Int { SynchronizationWords.valueOffset(slots: 0) }

    private static var plan: SynchronizationPlan {
        SynchronizationPlan(kind: .condition) { $0.word.storeRelaxed(ClaimWord.open) }
    }

    /// The segment that it stands in, with its peers and their deaths.
    public var segment: Segment { object.segment }

    /// Lets one of those who wait look again: after a change that is enough for one. No system call if nobody sleeps. O(1).
    ///
    /// - Throws: ``LockError`` `detached`, `damaged`.
    public func notifyOne() throws(LockError) {
        let seen = word.loadSequential()
        try check(seen)
        // Whoever sleeps has marked the word with the mutex in its hands, so before the change that this tells of.
        guard seen & ClaimWord.marked != 0 else { return }
        wake(1)
    }

    /// Lets all who wait look again. No system call if nobody sleeps. O(those who sleep).
    ///
    /// - Throws: ``LockError`` `detached`, `damaged`.
    public func notifyAll() throws(LockError) {
        let seen = word.loadSequential()
        try check(seen)
        if seen & ClaimWord.marked != 0 { wake(.max) }
    }

    /// A new number, so that nobody goes to sleep on the old one, and the wake-up, in one call: others do not depend on one that was stopped between the two. The
    /// mark stays, until nobody slept any more: then the next notification costs nothing.
    private func wake(_ count: Int) {
        if unsafe Futex.change(word.rawAddress, .add(Int32(Self.step)), waking: count) == 0 { unmark() }
    }

    /// Takes the mark away with a new number, and wakes who has gone to sleep just now. Whoever is killed before the wake-up wakes all by its death.
    private func unmark() {
        var seen = word.loadSequential()
        while seen & ClaimWord.marked != 0, !word.compareExchange(seen, (seen &+ Self.step) & ~ClaimWord.marked) {
            seen = word.loadSequential()
        }
        unsafe Futex.wake(word.rawAddress)
    }

    private func check(_ seen: UInt32) throws(LockError) {
        guard ClaimWord.isOpen(seen) else { throw object.isDetached ? .detached : .damaged("word") }
    }

    /// Announces a sleep of a caller that has the mutex. Nil: detached or damaged.
    fileprivate func announce() -> SleepWords? {
        // While the mutex is held: who changes its value after this can only die after this.
        let deaths = object.table.deaths.loadAcquire()
        let seen = word.setBits(ClaimWord.marked)
        guard ClaimWord.isOpen(seen) else { return nil }
        return SleepWords(event: word, eventSeen: seen | ClaimWord.marked, life: object.table.deaths, lifeSeen: deaths)
    }

    fileprivate var failure: LockError { object.isDetached ? .detached : .damaged("word") }
}

/// One call that waits on a condition.
struct ConditionWait {
    private let condition: SharedCondition
    /// What to sleep on; nil before the first sleep, and if there can be none.
    private(set) var words: SleepWords?

    init(_ condition: SharedCondition) { self.condition = condition }

    var failure: LockError { condition.failure }

    /// By a caller that has the mutex. Returns nil, as the result of a body that was not run.
    mutating func announce<R: ~Copyable>() -> R? {
        words = condition.announce()
        return nil
    }

    /// By a caller that goes without having looked, or that throws: if it was notified, somebody else has to look instead.
    func passOn() {
        if let words, words.haveChanged { try? condition.notifyOne() }
    }
}

extension SharedMutex {
    /// Calls `body` with the value when `isReady` says that it is as it is needed. Waits on `condition` while it is not, without the lock; whoever makes it so
    /// notifies. Blocks until `deadline`.
    ///
    /// - Throws: ``LockError`` `deadline`: it did not come true, or the lock was not to be had; `selfDeadlock`, `inconsistent`, `detached`, `damaged`; and what
    ///   `body` throws.
    public func withLock<R: ~Copyable>(
        when isReady: (Value) -> Bool, on condition: SharedCondition, until deadline: Deadline = .never, _ body: (inout Value) throws -> R
    ) throws -> R {
        var wait = ConditionWait(condition)
        while true {
            do throws(LockError) {
                if !core.takeFree() { try take(until: deadline) }
            } catch {
                wait.passOn()
                throw error
            }
            if let result = try holding(when: isReady, &wait, body) { return result }
            // The value was looked at after the last sleep.
            if deadline.hasPassed { throw LockError.deadline }
            wait.words?.sleep(until: deadline)
        }
    }

    /// Runs `body` if `isReady`; else announces a sleep on the condition. The caller has just taken the word, which is let go.
    func holding<R: ~Copyable>(when isReady: (Value) -> Bool, _ wait: inout ConditionWait, _ body: (inout Value) throws -> R) throws -> R? {
        do {
            if let result = try holding({ try isReady($0) ? body(&$0) : wait.announce() }) { return result }
        } catch {
            // What it was woken for may still be there.
            wait.passOn()
            throw error
        }
        if wait.words == nil { throw wait.failure }
        return nil
    }
}
