import Glibc

/// A point in time on `CLOCK_MONOTONIC`, the clock of the kernel's own waits, in nanoseconds.
///
/// Comparable between the processes of one machine. Does not advance while the machine is suspended.
@frozen
public struct MonotonicInstant: Hashable, Comparable, Sendable, BitwiseCopyable {
    /// Nanoseconds since an unspecified start, in practice the machine's.
    public var nanoseconds: UInt64

    @inlinable public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    @inlinable public static func < (a: Self, b: Self) -> Bool { a.nanoseconds < b.nanoseconds }

    /// The time now. The corresponding C function is `clock_gettime(CLOCK_MONOTONIC)`; no system call on the usual machine.
    public static var now: Self { Self(nanoseconds: readClock(CLOCK_MONOTONIC)) }

    /// The instant `duration` from now, as ``advanced(by:)`` of it.
    public static func after(_ duration: Duration) -> Self { now.advanced(by: duration) }

    /// The instant `duration` later; saturates at the end of time, and at the beginning for negative durations.
    public func advanced(by duration: Duration) -> Self {
        let (seconds, attoseconds) = duration.components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return Self(nanoseconds: seconds < 0 ? 0 : .max) }
        let (sum, overflow2) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        guard !overflow2 else { return Self(nanoseconds: seconds < 0 ? 0 : .max) }
        if sum < 0 { return Self(nanoseconds: nanoseconds - min(nanoseconds, sum.magnitude)) }
        let (result, overflow3) = nanoseconds.addingReportingOverflow(sum.magnitude)
        return Self(nanoseconds: overflow3 ? .max : result)
    }

    /// The time from `earlier` to this instant, at least zero, in nanoseconds.
    @inlinable public func nanoseconds(since earlier: Self) -> UInt64 {
        nanoseconds > earlier.nanoseconds ? nanoseconds - earlier.nanoseconds : 0
    }

    var timespec: timespec {
        Glibc.timespec(tv_sec: time_t(clamping: nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
    }
}

/// Wall-clock time in nanoseconds since 1970, for records that people read. The corresponding C function is
/// `clock_gettime(CLOCK_REALTIME)`.
public func wallClockNanoseconds() -> UInt64 { readClock(CLOCK_REALTIME) }

/// A wall-clock time as people here write it: "2025-11-21 05:12:03". The corresponding C function is `localtime_r`.
public func localTimeText(wallClockNanoseconds nanoseconds: UInt64) -> String {
    var seconds = time_t(clamping: nanoseconds / 1_000_000_000)
    var parts = unsafe tm()
    guard unsafe localtime_r(&seconds, &parts) != nil else { return "" }
    func digits(_ number: CInt, _ count: Int) -> String { String(repeating: "0", count: max(0, count - "\(number)".count)) + "\(number)" }
    let date = unsafe "\(digits(parts.tm_year + 1900, 4))-\(digits(parts.tm_mon + 1, 2))-\(digits(parts.tm_mday, 2))"
    return unsafe "\(date) \(digits(parts.tm_hour, 2)):\(digits(parts.tm_min, 2)):\(digits(parts.tm_sec, 2))"
}

/// Processor time that this process has used, in nanoseconds. The corresponding C function is `clock_gettime(CLOCK_PROCESS_CPUTIME_ID)`.
public func processorTimeNanoseconds() -> UInt64 { readClock(CLOCK_PROCESS_CPUTIME_ID) }

private func readClock(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    let status = unsafe clock_gettime(clock, &time)
    precondition(status == 0, "clock_gettime cannot fail on a clock that every Linux has")
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// Sleeps for `duration`. The corresponding C function is `clock_nanosleep`. For pauses of programs and tools; no part of the library waits
/// like this.
public func sleepThread(for duration: Duration) {
    var end = MonotonicInstant.now.advanced(by: duration).timespec
    while unsafe clock_nanosleep(CLOCK_MONOTONIC, CInt(TIMER_ABSTIME), &end, nil) == EINTR {}
}
