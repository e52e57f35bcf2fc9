/// What a wait set knows of an object: whether it is ready, and how to sleep until it is.
///
/// One value for each place in a set, used by one call at a time.
///
/// Sleeping goes in steps, so that many objects cost one barrier: ``announce()`` at each, a barrier, ``wordsToSleepOn()`` at each, the sleep, ``cancel()`` at each.
/// An announced sleep is always cancelled.
protocol WatchedObject: AnyObject, Sendable {
    /// Looks, and announces nothing.
    func look() -> WatchedState

    /// Says that somebody is about to sleep. Returns whether a barrier is needed before looking again.
    func announce() -> Bool

    /// After ``announce()``: the barrier that it asked for was refused. The caller pauses for a millisecond before it looks.
    func goWithoutBarrier()

    /// After ``announce()``, and the barrier: looks again. Nil if there is something to do first.
    func wordsToSleepOn() -> SleepWords?

    /// Whoever announced a sleep is awake, or has not slept after all. A wake-up that was meant for one of several sleepers is passed on: a wait set takes nothing.
    func cancel()
}

extension WatchedObject {
    func goWithoutBarrier() {}
}

enum WatchedState: Equatable {
    case idle
    /// A call would find something, or say something.
    case ready
    /// This process has no part in the object any more.
    case closed
    /// The field of this name is impossible.
    case damaged(String)
}
