import InterprocessSystem
import Synchronization

/// When to wake all sleepers of a segment once more after a death.
///
/// The kernel marks a life word as the keeper's thread ends. Another thread of the dead process that was asleep in a futex stays in that futex's queue until it gets a
/// processor to end on, which on a busy machine takes milliseconds; a wake-up of one sleeper in that time may go to it, and to nobody else. No word tells when the
/// last of them is gone, least of all across pid namespaces. So every survivor's keeper wakes all who sleep again, after 1, 2, 4 … milliseconds, for two minutes: a
/// wake-up that was lost so is made up for in no more than the time that the dead needed to go. Who is woken for nothing looks and sleeps again.
///
/// Found by Models/lock.pml (LATEGONE), and seen on a busy machine in 22 of 300 deaths.
package struct DeathEcho: Sendable {
    private(set) var due: MonotonicInstant
    private var pause: UInt64

    /// Milliseconds.
    private static let first: UInt64 = 1
    private static let last = Atomic<UInt64>(65_536)

    /// For the crash lab: in this process and those that it forks there is no echo after one of so many milliseconds. What is healed only by waking all again and again is found so.
    package static func end(afterMilliseconds milliseconds: UInt64) { last.store(milliseconds, ordering: .relaxed) }

    init() {
        pause = Self.first
        due = .now.advanced(by: .milliseconds(Int64(pause)))
    }

    var isDue: Bool { due <= .now }

    /// The one after this; nil after the last.
    var next: DeathEcho? {
        guard pause < Self.last.load(ordering: .relaxed) else { return nil }
        var next = self
        next.pause = pause * 2
        next.due = .now.advanced(by: .milliseconds(Int64(next.pause)))
        return next
    }
}
