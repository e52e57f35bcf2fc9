import InterprocessSystem

/// A condition did not come true before the watchdog ended the wait.
public struct TimedOut: Error, CustomStringConvertible {
    public let description: String
    public init(_ what: String, _ limit: Duration) { description = "gave up after \(limit): \(what)" }
}

/// How long tests wait for what must happen. Long, since the machine may be busy; it is spent by tests that fail only.
public let watchdog = Duration.seconds(60)

/// Waits until `condition` is true, looking again and again without holding up a thread of the pool.
public func eventually(_ what: String, within limit: Duration = watchdog, _ condition: () throws -> Bool) async throws {
    let deadline = MonotonicInstant.now.advanced(by: limit)
    var pause = 50
    while try !condition() {
        guard MonotonicInstant.now < deadline else { throw TimedOut(what, limit) }
        try await Task.sleep(for: .microseconds(pause))
        pause = min(pause * 2, 5_000)
    }
}

/// The same for code that is not asynchronous.
public func eventuallyBlocking(_ what: String, within limit: Duration = watchdog, _ condition: () throws -> Bool) throws {
    let deadline = MonotonicInstant.now.advanced(by: limit)
    while try !condition() {
        guard MonotonicInstant.now < deadline else { throw TimedOut(what, limit) }
        sleepThread(for: .microseconds(100))
    }
}
