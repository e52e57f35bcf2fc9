import CInterprocess
import Glibc
public import SystemPackage

/// A timer of the kernel's with a descriptor, which is readable once it has gone off: one more thing that `poll` and `epoll` can wait for.
///
///     let second = try TimerDescriptor()
///     try second.set(after: .seconds(1), every: .seconds(1))
///     let times = try await second.take()   // how often it has gone off since the last time
///
/// **Death** Nothing: the timer goes on for as long as anybody has the descriptor.
public struct TimerDescriptor: CountReading, ~Copyable {
    /// Which time it counts.
    public enum Clock: Sendable, Hashable {
        /// Stands still while the machine is suspended.
        case monotonic
        /// Goes on while the machine is suspended.
        case boot
        /// The wall clock, which can be set.
        case wall

        fileprivate var number: CInt {
            switch self {
            case .monotonic: ipc_clock_monotonic
            case .boot: ipc_clock_boot
            case .wall: ipc_clock_real
            }
        }
    }

    public let clock: Clock
    private let owned: OwnedDescriptor

    /// Makes a timer that is not set. The corresponding C function is `timerfd_create(TFD_CLOEXEC)`.
    ///
    /// - Throws: `EMFILE`, `ENFILE`, `ENODEV`, `ENOMEM`.
    public init(_ clock: Clock = .monotonic) throws(FacilityError) {
        self.clock = clock
        owned = OwnedDescriptor(owning: try Facility.timer.call("timerfd_create") { ipc_timer_create(clock.number) })
    }

    public var facility: Facility { .timer }
    public var descriptor: FileDescriptor { owned.descriptor }

    /// Gives the descriptor up without closing it.
    public consuming func release() -> FileDescriptor { owned.release() }

    /// Lets it go off once after `delay`, and from then on every `interval` unless that is nil. What it was set to before, and has gone off, is forgotten. A time below a nanosecond counts as one.
    ///
    /// The corresponding C function is `timerfd_settime`.
    public func set(after delay: Duration, every interval: Duration? = nil) throws(FacilityError) {
        try set(delay, interval, isAbsolute: false)
    }

    /// Lets it go off at a time since the clock's beginning, which is 1970 for the wall clock; at once if that has passed. From then on every `interval` unless that is nil.
    ///
    /// The corresponding C function is `timerfd_settime(TFD_TIMER_ABSTIME)`.
    ///
    /// - Parameter failsWhenClockIsSet: with the wall clock: whoever takes from it after somebody has set that clock by a jump gets `ECANCELED`, once (`TFD_TIMER_CANCEL_ON_SET`).
    public func set(
        at time: Duration, every interval: Duration? = nil, failsWhenClockIsSet: Bool = false
    ) throws(FacilityError) { try set(time, interval, isAbsolute: true, failsWhenClockIsSet) }

    private func set(
        _ first: Duration, _ interval: Duration?, isAbsolute: Bool, _ failsWhenClockIsSet: Bool = false
    ) throws(FacilityError) {
        // A time of 0 would switch it off.
        let first = max(first, .nanoseconds(1)).timespec, interval = interval.map { max($0, .nanoseconds(1)).timespec } ?? timespec()
        try facility.call("timerfd_settime") {
            ipc_timer_set(descriptor.rawValue, isAbsolute ? 1 : 0, failsWhenClockIsSet ? 1 : 0, first, interval)
        }
    }

    /// Switches it off. The corresponding C function is `timerfd_settime`.
    public func stop() throws(FacilityError) {
        try facility.call("timerfd_settime") { ipc_timer_set(descriptor.rawValue, 0, 0, timespec(), timespec()) }
    }

    /// How long until it goes off next; nil if it is off, or has gone off for good. The corresponding C function is `timerfd_gettime`.
    public func remaining() throws(FacilityError) -> Duration? {
        var (remaining, interval) = (timespec(), timespec())
        try facility.call("timerfd_gettime") { unsafe ipc_timer_get(descriptor.rawValue, &remaining, &interval) }
        let duration = Duration.seconds(remaining.tv_sec) + .nanoseconds(remaining.tv_nsec)
        return duration == .zero ? nil : duration
    }
}

extension Duration {
    /// Saturates at what the kernel counts.
    fileprivate var timespec: timespec {
        let (seconds, attoseconds) = components
        return Glibc.timespec(tv_sec: time_t(min(seconds, 1 << 33)), tv_nsec: Int(attoseconds / 1_000_000_000))
    }
}

extension Facility {
    public static let timer = Facility("timer") { operation, error in
        switch (operation, error) {
        case (_, .canceled): "somebody has set the wall clock, or the task was cancelled; look at the time and set the timer anew"
        default: nil
        }
    }
}
