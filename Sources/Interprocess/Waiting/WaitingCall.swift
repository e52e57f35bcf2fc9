import InterprocessSystem

/// What one look at an object's words came to.
enum Look<Result> {
    case done(Result)
    /// Not yet, and no sleep was announced: the call is still polling, or only tries.
    case busy
    /// Not yet: sleep until one of the words changes.
    case sleep(SleepWords)
}

/// One call that may have to wait: what it remembers from look to look.
///
/// A call looks at its object's words again and again, until it is done, its deadline has passed, or its task is cancelled. What a look does is the
/// object's business and the same for all forms of the call; how to spend the time between two looks is decided here.
struct WaitingCall {
    /// Whether a look may announce a sleep; false while the call polls, and for calls that only try.
    var maySleep: Bool
    /// Or has, without sleeping, become the heir, who stands for sleepers.
    private(set) var hasSlept = false
    /// Whether a look that may not announce a sleep is to see as well to what changes seldom and is dear to look at: now and then, in `.spin`, where no look may.
    private(set) var looksAround = false
    /// Whether this call is the heir of its object; see ``LockCore``.
    var isHeir = false
    /// When it first slept, or began to spin.
    private var began: MonotonicInstant?

    init(maySleep: Bool) { self.maySleep = maySleep }

    /// How long a call is overtaken by others before it insists on being the next.
    static let patience: UInt64 = 1_000_000  // nanoseconds

    /// Whether it has waited for so long that it may become the heir. A call that polls before it sleeps, or only tries, never has.
    func isOutOfPatience() -> Bool {
        guard let began else { return false }
        return MonotonicInstant.now.nanoseconds(since: began) >= Self.patience
    }

    /// When it will have.
    var endOfPatience: MonotonicInstant { (began ?? .now).advanced(by: .nanoseconds(Int64(Self.patience))) }

    mutating func becameHeir() {
        isHeir = true
        hasSlept = true
    }

    mutating func willSleep() {
        willWait()
        hasSlept = true
    }

    fileprivate mutating func willPoll(after pauses: Int) {
        willWait()
        looksAround = pauses % Self.pausesBetweenLooksAround == 0
    }

    private mutating func willWait() { if began == nil { began = .now } }
}

/// How a call that waited ended.
enum WaitEnding<Result> {
    case done(Result), deadline, cancelled
}

extension WaitingCall {
    /// In `.adaptive`, before it sleeps.
    private static let pausesWhilePolling = 512
    /// In `.spin`, a few dozen microseconds.
    private static let pausesBetweenLooksAround = 1024
    /// Between two yields.
    private static let pausesInARow = 32

    /// Looks, polls, sleeps and looks again, until done or until the deadline has passed. There is always one look more after the last sleep.
    ///
    /// - Parameters:
    ///   - pauses: processor pauses between two looks, a power of two up to 32. Many where others are to write the words that are looked at again and again, as a stream's; one where a single answer is awaited:
    ///     a pause takes 10 to 50 ns.
    ///   - look: is given this call's value.
    static func block<Result, Failure: Error>(
        _ strategy: WaitStrategy, until deadline: Deadline, _ call: inout WaitingCall, pauses: Int = 8,
        look: (inout WaitingCall) throws(Failure) -> Look<Result>
    ) throws(Failure) -> WaitEnding<Result> {
        if strategy != .park { call.maySleep = false }
        var spent = 0
        var mayYield = true
        while true {
            switch try look(&call) {
            case .done(let result): return .done(result)
            case .busy:
                if deadline.hasPassed { return .deadline }
                spent += pauses
                if strategy == .spin { call.willPoll(after: spent) }
                if strategy == .adaptive {
                    if spent >= pausesWhilePolling { call.maySleep = true }
                    // Whoever is waited for may be waiting for this processor.
                    if spent % pausesInARow == 0, mayYield {
                        switch makeRoom() {
                        case .nobodyCame: mayYield = false
                        case .somebodyRan: continue
                        case .somebodyRanLong: call.maySleep = true
                        }
                    }
                }
                for _ in 0..<pauses { Processor.pause() }
            case .sleep(let words):
                if deadline.hasPassed { return .deadline }
                call.willSleep()
                words.sleep(until: deadline)
            }
        }
    }

    private enum Room { case nobodyCame, somebodyRan, somebodyRanLong }

    /// Lets another thread run on this processor. By the time that this took: whether one did, and whether it used its time up, so that a yield is no switch to whom
    /// this call waits for. The bounds are those of ``Polling``.
    private static func makeRoom() -> Room {
        let before = CycleCounter.now
        Processor.yield()
        let took = CycleCounter.now &- before
        if took < CycleCounter.perMicrosecond &* 7 / 10 { return .nobodyCame }
        return took > CycleCounter.perMicrosecond &* 200 ? .somebodyRanLong : .somebodyRan
    }

    /// As ``block(_:until:_:look:)``, and suspends instead of blocking.
    ///
    /// - Parameter owner: what keeps the words mapped.
    static func suspend<Result, Failure: Error>(
        _ owner: any AnyObject & Sendable, until deadline: Deadline, _ call: inout WaitingCall,
        look: (inout WaitingCall) throws(Failure) -> Look<Result>
    ) async throws(Failure) -> WaitEnding<Result> {
        call.maySleep = true
        while true {
            switch try look(&call) {
            case .done(let result): return .done(result)
            case .busy:
                // Something is changing just now.
                if deadline.hasPassed { return .deadline }
                if Task.isCancelled { return .cancelled }
                await Task.yield()
            case .sleep(let words):
                if deadline.hasPassed { return .deadline }
                call.willSleep()
                if await InterprocessExecutor.shared.wait(on: words, of: owner, until: deadline) == .cancelled { return .cancelled }
            }
        }
    }
}
