import InterprocessSystem

/// A condition did not come true before the watchdog ended the wait.
public struct TimedOut: Error, CustomStringConvertible {
    public let description: String
    public init(_ what: String, _ limit: Duration) { description = "gave up after \(limit): \(what)" }
}

/// How long tests wait for what must happen. Long, since the machine may be busy, and all tests share a pool of as many threads as it has processors, so that a task may get
/// none for minutes; it is spent by tests that fail only. Shorter than the silence after which a run of all tests is held to hang (`.ci/run`).
public let watchdog = Duration.seconds(480)

/// Waits until `condition` is true, looking again and again without holding up a thread of the pool.
public func eventually(_ what: String, within limit: Duration = watchdog, _ condition: () throws -> Bool) async throws {
    let deadline = MonotonicInstant.now.advanced(by: limit)
    var pause = 50
    var looks = 0
    while try !condition() {
        looks += 1
        // Where other tests keep all threads of the pool busy, this one looks seldom, and what it waits for may need the pool as well.
        guard MonotonicInstant.now < deadline || looks < 200 else { throw TimedOut(what, limit) }
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
