public import InterprocessSystem

/// Until when a call may block. A point in time, so that a call that waits in several steps does not begin anew with each.
///
/// ```swift
/// try receiver.receive(until: .after(.seconds(2)))
/// ```
@frozen
public struct Deadline: Sendable, Hashable {
    /// Nil: for ever.
    public var instant: MonotonicInstant?

    /// Of an instant; nil: never.
    @inlinable public init(_ instant: MonotonicInstant?) { self.instant = instant }

    /// Waits for as long as it takes.
    @inlinable public static var never: Deadline { Deadline(nil) }
    /// Does not wait.
    @inlinable public static var now: Deadline { Deadline(MonotonicInstant(nanoseconds: 0)) }

    /// `duration` from now; a negative one has passed already.
    public static func after(_ duration: Duration) -> Deadline { Deadline(.after(duration)) }

    /// When an instant of the monotonic clock has come.
    public static func at(_ instant: MonotonicInstant) -> Deadline { Deadline(instant) }

    /// Whether it has. Reads the clock.
    public var hasPassed: Bool { instant.map { $0 <= .now } ?? false }
}
