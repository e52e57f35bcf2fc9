import InterprocessSystem

/// An object whose calls look at one word: as a call that waits would, but takes nothing.
final class WatchedWord: WatchedObject, @unchecked Sendable {
    /// True: a call would come through. False: this process has no part in it any more, or the word is impossible.
    private let watch: @Sendable (inout WaitingCall) -> Look<Bool>
    private let isDetached: @Sendable () -> Bool
    private let reported: @Sendable () -> Void
    private let passOn: @Sendable () -> Void

    /// - Parameters:
    ///   - reported: when it was found ready, and is reported so.
    ///   - passOn: after each sleep; for objects that wake one sleeper only.
    init(
        watch: @escaping @Sendable (inout WaitingCall) -> Look<Bool>, isDetached: @escaping @Sendable () -> Bool,
        reported: @escaping @Sendable () -> Void = {}, passOn: @escaping @Sendable () -> Void = {}
    ) {
        (self.watch, self.isDetached, self.reported, self.passOn) = (watch, isDetached, reported, passOn)
    }

    func look() -> WatchedState {
        var call = WaitingCall(maySleep: false)
        guard case .done(let isThere) = watch(&call) else { return .idle }
        if isThere {
            reported()
            return .ready
        }
        return isDetached() ? .closed : .damaged("word")
    }

    /// By the word itself, when it is looked at.
    func announce() -> Bool { false }

    func wordsToSleepOn() -> SleepWords? {
        var call = WaitingCall(maySleep: true)
        guard case .sleep(let words) = watch(&call) else { return nil }
        return words
    }

    func cancel() { passOn() }
}

extension WatchedWord {
    /// An event that does not reset itself: ready while it is set, and once if it was set and reset since it was last reported.
    static func manual(_ event: SharedEvent) -> WatchedWord {
        let told = Lock(event.times)
        return WatchedWord(
            watch: { call in
                var times: UInt32? = told.withLock { $0 }
                return event.look(&call, &times)
            }, isDetached: { event.object.isDetached }, reported: { told.withLock { $0 = event.times } })
    }

    /// Messages of a shared queue.
    static func messages(_ core: SharedQueueCore) -> WatchedWord {
        WatchedWord(
            watch: { core.watchMessages(&$0) }, isDetached: { core.segment.attachment.isForeign }, passOn: { core.passOnMessage() })
    }

    /// Room in a shared queue.
    static func room(_ core: SharedQueueCore) -> WatchedWord {
        WatchedWord(watch: { core.watchRoom(&$0) }, isDetached: { core.segment.attachment.isForeign }, passOn: { core.passOnRoom() })
    }

    /// Changes of a latest value since the last that was reported.
    static func changes<Value: Shareable>(_ latest: LatestValue<Value>) -> WatchedWord {
        let told = Lock((try? latest.sequence) ?? 0)
        return WatchedWord(
            watch: { call in latest.watch(&call, after: told.withLock { $0 }) }, isDetached: { latest.object.isDetached },
            reported: {
                // What was stored between the look and this is reported with it: who loads now gets that.
                if let newest = latest.newestSequence { told.withLock { $0 = max($0, newest) } }
            })
    }

    /// A topic's subscriber, by the words that processes share: where it is stands there as well, and the subscriber is its owner's.
    static func subscriber(_ topic: TopicCore) -> WatchedWord {
        WatchedWord(
            watch: { call in
                topic.look(&call) {
                    guard !topic.isForeign, topic.record.role.loadSequential() != 0 else { return false }
                    return topic.hasSomething(at: topic.record.cursor.loadAcquire()) ? true : nil
                }
            }, isDetached: { true })
    }

    /// Units that nobody owns. A wake-up is for one sleeper: since a set takes nothing, it wakes the others when its sleep is over and there is a unit.
    static func units(_ core: SemaphoreCore, _ object: SynchronizationObject) -> WatchedWord {
        WatchedWord(
            watch: { core.watch(&$0) }, isDetached: { object.isDetached },
            passOn: {
                var call = WaitingCall(maySleep: true)
                call.willSleep()
                core.giveUp(&call)
            })
    }
}
