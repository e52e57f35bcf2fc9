import CInterprocess
import InterprocessSystem

/// The words by which one side of an object sleeps and the other wakes it, without a fence or a system call of the waker's while nobody
/// sleeps.
///
/// **Layout** `flags` and `event` of the object's table.
///
/// **States** of `flags`
///
/// | bits | meaning | who changes it |
/// |---|---|---|
/// | 0 open | always set; zero in a forked child, which is thereby found out | creator |
/// | 1 sleeping | the sleeper is asleep or about to be | only the sleeper |
/// | 2 fence | the waker must use a fence for each look, since membarrier is refused to one of the two | the two when they join |
/// | 3 ended | the sleeper's session has ended | whoever ends it; cleared by the next who joins |
/// | 4 attentive | the waker uses a fence for each look, for a while | set by the sleeper; cleared by the waker, and by the next who joins |
/// | 8–31 tag | the low 24 bits of `event` as the sleeper read it before it said that it sleeps | only the sleeper |
///
/// **Memory order** `SYNC eventcount`: the waker publishes (release store), then looks at `flags` with nothing but a compiler fence
/// between; the sleeper sets `sleeping`, then runs
/// a barrier in all running threads of all registered processes, then looks again for what was published. So either the waker's look comes
/// after the barrier and sees `sleeping`, or
/// its publishing comes before the barrier and the sleeper sees that. A sleep leaves `attentive` set: the next one, if it comes soon, needs
/// no barrier, since the waker has used a fence with each look since. It clears the bit when it has looked for nothing often.
///
/// **Source** an event count as in folly and Vyukov's, with the asymmetric fence of membarrier(2); the tag keeps a waker from waking the
/// same sleep twice: an event that differs from it has been counted up since, by whoever wakes or has woken this sleep. Equal by chance, after
/// 2²⁴ events in one sleep, costs a needless wake-up. Model: Models/queue_wait.pml.
@usableFromInline
enum WaitFlags {
    @usableFromInline static let open: UInt32 = 1
    @usableFromInline static let sleeping: UInt32 = 2
    @usableFromInline static let fence: UInt32 = 4
    @usableFromInline static let ended: UInt32 = 8
    static let attentive: UInt32 = 16
    /// Of a sleeper's session, not of the queue.
    static let ofSession = sleeping | ended | attentive
    @usableFromInline static let stateMask: UInt32 = 0xff
    @usableFromInline static let tagShift: UInt32 = 8
}

/// Whether this process's threads take part in the barriers of other processes. Asked once per process.
enum Barrier {
    static let isRegistered: Bool = (try? ProcessBarrier.register()) != nil

    /// The sleeper's half of `SYNC eventcount`.
    ///
    /// - Returns: false if there was none: a filter of system calls has been set up since, and refuses it.
    static func beforeLookingAgain() -> Bool {
        fullFence()
        return !isRegistered || (try? ProcessBarrier.run()) != nil
    }

    /// To be called by whoever has seen a life word marked, before it acts on that.
    ///
    /// The word is marked when the keeper's thread ends; another thread of the dead process may still be running, on another processor, until
    /// the kernel's interrupt reaches it, and may still publish. The barrier interrupts all of them: a thread with a deadly signal does not come
    /// back from that, and what it had stored is visible. (Models/queue_data.pml, NOKILLBARRIER.)
    ///
    /// - Parameter reachesAll: false if some process takes no part in barriers; then a millisecond has to do, many times what the interrupt takes.
    static func afterDeath(reachesAll: Bool = true) {
        if !isRegistered || !reachesAll || (try? ProcessBarrier.run()) == nil { sleepThread(for: .milliseconds(1)) }
        fullFence()
    }
}

/// The sleeper's side.
struct Sleeper: Sendable {
    let flags: SharedUInt32
    let event: SharedUInt32
    /// Whether each sleep begins with a barrier, whatever the waker does: then it may look at what is wanted without a fence. See
    /// ``QueueReceiverCore/attend()``.
    let alwaysNeedsBarrier: Bool
    private let announced = AnnouncedSleeps()

    init(flags: SharedUInt32, event: SharedUInt32, alwaysNeedsBarrier: Bool = false) {
        (self.flags, self.event, self.alwaysNeedsBarrier) = (flags, event, alwaysNeedsBarrier)
    }

    /// Announces that the caller is about to sleep. After this it must look again, and then either sleep while `event` has the returned
    /// value or call ``cancel()``.
    func prepare() -> UInt32 {
        let (seen, needsBarrier) = announce()
        if !needsBarrier {
            fullFence()
        } else if !Barrier.beforeLookingAgain() {
            goWithoutBarrier()
            // The waker may have looked just before, with what it has published still on its way: a millisecond is many times what that takes.
            sleepThread(for: .milliseconds(1))
        }
        return seen
    }

    /// The first half of ``prepare()``, for who announces several sleeps and then needs one barrier for all of them, or a fence if none needs more.
    ///
    /// - Parameter saying: stores what the waker is to know of the sleep. Called with whether others of this process sleep here already, which none begins or ends meanwhile.
    func announce(saying: (_ besideOthers: Bool) -> Void = { _ in }) -> (eventSeen: UInt32, needsBarrier: Bool) {
        announced.state.withLock { state in
            state.count += 1
            let seen = event.loadSequential()
            // Only this process's own alarm wakes who comes now; it sees that the role is given up.
            if state.isOver { return (seen, false) }
            saying(state.count > 1)
            while true {
                let old = flags.loadRelaxed()
                let new = (old & WaitFlags.stateMask) | WaitFlags.sleeping | WaitFlags.attentive | seen << WaitFlags.tagShift
                if flags.compareExchange(old, new) { return (seen, alwaysNeedsBarrier || old & WaitFlags.attentive == 0) }
            }
        }
    }

    /// The barrier was refused: from now on the waker fences.
    func goWithoutBarrier() { flags.setBits(WaitFlags.fence) }

    /// The caller is awake.
    func cancel() {
        announced.state.withLock { state in
            state.count -= 1
            if state.count == 0, !state.isOver { flags.clearBits(WaitFlags.sleeping) }
        }
    }

    /// Before the role is given up: from now on the flags are the next holder's, and whoever of this process still sleeps, or ends a sleep, leaves them alone.
    /// ``wakeOwn()`` is to follow.
    func giveUp() {
        announced.state.withLock { state in
            state.isOver = true
            if state.count > 0 { flags.clearBits(WaitFlags.sleeping) }
        }
    }

    /// The role is this process's again.
    func takeAgain() { announced.state.withLock { $0.isOver = false } }

    /// Wakes those of this process who sleep here, since the role has been given up.
    func wakeOwn() { if announced.state.withLock({ $0.count > 0 }) { Waker.alarm(event) } }
}

/// How many of this process sleep, or are about to: a role has one user, but wait sets may watch it as well. The last tag is right for all of them: whoever
/// announced with another has an event that has changed since, and does not sleep.
private final class AnnouncedSleeps: Sendable {
    struct State {
        var count = 0
        /// The role has been given up.
        var isOver = false
    }
    let state = Lock(State())
}

/// The waker's side.
@frozen @usableFromInline
struct Waker: Sendable {
    @usableFromInline let flags: SharedUInt32
    let event: SharedUInt32
    /// Looks since the last wake-up that were not needed.
    private var needless: UInt32 = 0
    private static let mostNeedless: UInt32 = 16
    /// Several wake the one sleeper: another that has counted the event up may be stopped before it wakes.
    private let isOneOfMany: Bool
    /// The tag of the sleep that this waker has last ended itself; no tag before.
    private var endedTag: UInt32 = 1

    init(flags: SharedUInt32, event: SharedUInt32, isOneOfMany: Bool = false) {
        self.flags = flags
        self.event = event
        self.isOneOfMany = isOneOfMany
    }

    /// Whether there is anything to do after publishing: mostly not. One load.
    @inlinable @inline(__always)
    var needsAttention: Bool { flags.loadRelaxed() & WaitFlags.stateMask != WaitFlags.open }

    /// Wakes the sleeper if it sleeps and `shouldWake` agrees. Returns the flags that were seen.
    mutating func attend(shouldWake: () -> Bool = { true }) -> UInt32 {
        fullFence()
        let seen = flags.loadSequential()
        let tag = seen & ~WaitFlags.stateMask
        let isAwaited = event.loadRelaxed() << WaitFlags.tagShift == tag || isOneOfMany && endedTag != tag
        if seen & WaitFlags.sleeping != 0, isAwaited, shouldWake() {
            endedTag = tag
            event.add(1)
            // All: there is one sleeper that lives, but a thread of one that had its role before and died may still stand in the kernel's queue.
            unsafe Futex.wake(event.rawAddress)
            needless = 0
        } else if seen & WaitFlags.stateMask == WaitFlags.open | WaitFlags.attentive {
            needless &+= 1
            if needless >= Self.mostNeedless {
                needless = 0
                // Fails if the sleeper has announced a sleep meanwhile, which relies on the bit.
                _ = flags.compareExchange(seen, seen & ~WaitFlags.attentive)
            }
        }
        return seen
    }

    /// Wakes the sleeper whatever it waits for; by whoever changes a role.
    static func alarm(_ event: SharedUInt32) {
        event.add(1)
        unsafe Futex.wake(event.rawAddress)
    }
}

/// What a sleeper sleeps on: its event, and the life of the other side if there is one.
struct SleepWords: Sendable {
    let event: SharedUInt32
    let eventSeen: UInt32
    let life: SharedUInt32?
    let lifeSeen: UInt32
    /// When to look again although nothing has changed.
    var lookAgain: MonotonicInstant?

    /// The earlier of `deadline` and ``lookAgain``.
    func earlier(_ deadline: Deadline) -> Deadline {
        guard let lookAgain else { return deadline }
        return Deadline(deadline.instant.map { min($0, lookAgain) } ?? lookAgain)
    }

    /// Whether one of the words has changed, so that there is no need to sleep.
    var haveChanged: Bool { event.loadAcquire() != eventSeen || life.map { $0.loadAcquire() != lifeSeen } ?? false }

    /// How many words they are.
    var count: Int { life == nil ? 1 : 2 }

    /// By a thread that slept on the words for somebody who does not wait any more: a wake-up of one that came to it is another's.
    func passOn() {
        if event.loadAcquire() != eventSeen { unsafe Futex.wake(event.rawAddress) }
        if let life, life.loadAcquire() != lifeSeen { unsafe Futex.wake(life.rawAddress) }
    }

    /// Adds the words for a wait on many.
    func append(to words: inout [ipc_futex_waiter]) {
        unsafe words.append(ipc_futex_waiter(event.rawAddress, while: eventSeen))
        if let life { unsafe words.append(ipc_futex_waiter(life.rawAddress, while: lifeSeen)) }
    }

    /// Sleeps until one of the words changes or the deadline passes.
    func sleep(until deadline: Deadline) {
        let deadline = earlier(deadline)
        // Errors cannot happen here but for a kernel without the call, which the keeper has found out; the caller looks at the words in any
        // case.
        if let life {
            unsafe withUnsafeTemporaryAllocation(of: ipc_futex_waiter.self, capacity: 2) { words in
                unsafe words.initializeElement(at: 0, to: ipc_futex_waiter(event.rawAddress, while: eventSeen))
                unsafe words.initializeElement(at: 1, to: ipc_futex_waiter(life.rawAddress, while: lifeSeen))
                _ = try? unsafe Futex.wait(any: words, until: deadline.instant)
            }
        } else {
            _ = try? unsafe Futex.wait(event.rawAddress, while: eventSeen, until: deadline.instant)
        }
    }
}
