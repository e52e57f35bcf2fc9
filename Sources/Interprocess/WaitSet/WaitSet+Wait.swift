import CInterprocess
import InterprocessSystem
import SystemPackage

extension WaitSet {
    /// Waits until something is ready, or until `deadline`, and reports all that is. O(sources); no system call if something is ready, but one if descriptors are
    /// watched.
    ///
    /// - Returns: at least one.
    /// - Throws: ``WaitError`` `deadline`; `impossible` for a set of nothing and no deadline, which would never end; `detached`.
    public mutating func wait(until deadline: Deadline = .never) throws(WaitError) -> [Event] {
        try check(deadline)
        var polling = PollingRounds(strategy)
        while true {
            let found = report()
            if !found.isEmpty { return found }
            if deadline.hasPassed { throw .deadline }
            if polling.goesOn() { continue }
            if let sleep = prepareToSleep(until: deadline) { sleep.sleep() }
            endSleep()
        }
    }

    /// Reports all that is ready; nothing if nothing is. Does not block. O(sources).
    ///
    /// - Throws: ``WaitError`` `detached`.
    public mutating func poll() throws(WaitError) -> [Event] {
        try check(.now)
        return report()
    }

    /// As ``wait(until:)``, and suspends instead of blocking.
    ///
    /// - Throws: ``WaitError`` `cancelled`, or what the blocking form throws.
    public mutating func wait(until deadline: Deadline = .never) async throws(WaitError) -> [Event] {
        try check(deadline)
        while true {
            let found = report()
            if !found.isEmpty { return found }
            if deadline.hasPassed { throw .deadline }
            var outcome = InterprocessExecutor.Outcome.changed
            if let sleep = prepareToSleep(until: deadline) {
                outcome = await InterprocessExecutor.shared.wait(onAnyOf: sleep.words, of: sleep, until: sleep.deadline)
            }
            endSleep()
            if outcome == .cancelled { throw .cancelled }
        }
    }

    private func check(_ deadline: Deadline) throws(WaitError) {
        guard forkGeneration == ForkGuard.generation else { throw .detached }
        if entries.isEmpty, deadline.instant == nil { throw .impossible("the wait set is empty, so that nothing would end the wait") }
    }

    /// All that is ready now. What is gone for good is taken out.
    private mutating func report() -> [Event] {
        lookAtDescriptors()
        var found: [Event] = []
        var leaving: [Source] = []
        for offset in entries.indices {
            let index = (first + offset) % entries.count
            guard let condition = condition(of: index) else { continue }
            let event = Event(source: entries[index].source, condition: condition)
            found.append(event)
            switch (condition, entries[index].kind) {
            case (.closed, _), (.damaged, _): leaving.append(event.source)
            case (.expired, .timer(let timer)) where timer.interval == nil: leaving.append(event.source)
            default: break
            }
        }
        if !found.isEmpty, !entries.isEmpty { first = (first + 1) % entries.count }
        for source in leaving { remove(source) }
        return found
    }

    private mutating func condition(of index: Int) -> Event.Condition? {
        switch entries[index].kind {
        case .object(let object):
            switch object.look() {
            case .idle: return nil
            case .ready: return .ready
            case .closed: return .closed
            case .damaged(let field): return .damaged(field)
            }
        case .descriptor(let polled):
            switch polled.state {
            case .idle: return nil
            case .ready: return .ready
            case .notOpen: return .closed
            }
        case .timer(var timer):
            let times = timer.expire(at: .now)
            guard times > 0 else { return nil }
            entries[index].kind = .timer(timer)
            return .expired(times: times)
        }
    }

    private var polledDescriptors: [PolledDescriptor] {
        entries.compactMap { if case .descriptor(let polled) = $0.kind { polled } else { nil } }
    }

    private mutating func lookAtDescriptors() {
        guard descriptors != nil else { return }
        var polled = polledDescriptors
        if polled.isEmpty { return }
        // Without memory in the kernel nothing is known of them now.
        if (try? polled.poll(waits: false)) == nil { polled = polled.map { PolledDescriptor($0.descriptor, for: $0.interest) } }
        var rest = polled[...]
        for index in entries.indices {
            guard case .descriptor = entries[index].kind, let next = rest.popFirst() else { continue }
            entries[index].kind = .descriptor(next)
        }
    }
}

// MARK: Sleeping

extension WaitSet {
    /// Announces a sleep at each object; nil if there is something to do first. ``endSleep()`` is to be called in any case.
    private mutating func prepareToSleep(until deadline: Deadline) -> SetSleep? {
        // First, so that what the threads find from now on ends the sleep.
        let seen = control.value
        if let descriptors {
            let polled = polledDescriptors
            if polled.isEmpty { descriptors.disarm() } else { descriptors.arm(polled) }
        }
        announceAll()
        var words = [control.sleepWords(while: seen)]
        var owners: [any WatchedObject] = []
        var until = deadline
        for entry in entries {
            switch entry.kind {
            case .object(let object):
                guard let some = object.wordsToSleepOn() else { return nil }
                words.append(some)
                owners.append(object)
                if let again = some.lookAgain, again < until.instant ?? MonotonicInstant(nanoseconds: .max) { until = .at(again) }
            case .timer(let timer):
                if timer.due < until.instant ?? MonotonicInstant(nanoseconds: .max) { until = .at(timer.due) }
            case .descriptor: break
            }
        }
        var groups = Self.groups(of: words)
        let mine = groups.removeFirst()
        let isWatched = watch(groups, of: owners)
        // No thread to be had: then all is looked at every millisecond.
        if !isWatched { until = min(until, .after(.milliseconds(1))) }
        return SetSleep(words: mine, control: control, owners: owners, deadline: until)
    }

    private mutating func announceAll() {
        var asking: [any WatchedObject] = []
        for index in entries.indices {
            guard case .object(let object) = entries[index].kind else { continue }
            entries[index].isAnnounced = true
            if object.announce() { asking.append(object) }
        }
        fullFence()
        guard !asking.isEmpty, !Barrier.beforeLookingAgain() else { return }
        for object in asking { object.goWithoutBarrier() }
        // As ``Sleeper/prepare()``.
        sleepThread(for: .milliseconds(1))
    }

    private mutating func endSleep() {
        for index in entries.indices where entries[index].isAnnounced {
            entries[index].isAnnounced = false
            if case .object(let object) = entries[index].kind { object.cancel() }
        }
    }

    /// As many as one call of the kernel takes, in their order: so that mostly the groups are the same as those of the sleep before.
    private static func groups(of words: [SleepWords]) -> [[SleepWords]] {
        var groups: [[SleepWords]] = [[]]
        var count = 0
        for some in words {
            if count + some.count > GroupWatcher.mostWords {
                groups.append([])
                count = 0
            }
            groups[groups.count - 1].append(some)
            count += some.count
        }
        return groups
    }

    /// Gives each group to a thread. False: not all have one.
    private mutating func watch(_ groups: [[SleepWords]], of owners: [any WatchedObject]) -> Bool {
        while watchers.count < groups.count {
            guard let watcher = try? GroupWatcher(poking: control) else { break }
            watchers.append(watcher)
        }
        for (index, watcher) in watchers.enumerated() {
            if index < groups.count { watcher.assign(groups[index], of: owners) } else { watcher.assign([], of: []) }
        }
        return watchers.count >= groups.count
    }
}

/// What a call on a set sleeps on, and until when.
private final class SetSleep: Sendable {
    let words: [SleepWords]
    /// Keep the words where they are, also for a thread that looks at them once more when the call has ended.
    private let control: ControlWord
    private let owners: [any WatchedObject]
    let deadline: Deadline

    init(words: [SleepWords], control: ControlWord, owners: [any WatchedObject], deadline: Deadline) {
        (self.words, self.control, self.owners, self.deadline) = (words, control, owners, deadline)
    }

    func sleep() {
        var waiters: [ipc_futex_waiter] = []
        for some in words { some.append(to: &waiters) }
        unsafe waiters.withUnsafeMutableBufferPointer { buffer in
            // As ``SleepWords/sleep(until:)``.
            _ = try? unsafe Futex.wait(any: buffer, until: deadline.instant)
        }
    }
}

private func min(_ a: Deadline, _ b: Deadline) -> Deadline {
    guard let first = a.instant, let second = b.instant else { return a.instant == nil ? b : a }
    return first < second ? a : b
}

extension WaitSet.Timer {
    /// How often its time has come by now; sets the next one.
    mutating func expire(at now: MonotonicInstant) -> Int {
        guard due <= now else { return 0 }
        guard let interval else { return 1 }
        let length = MonotonicInstant(nanoseconds: 0).advanced(by: interval).nanoseconds
        let times = now.nanoseconds(since: due) / length + 1
        due = MonotonicInstant(nanoseconds: due.nanoseconds &+ times &* length)
        return Int(clamping: times)
    }
}

/// How long a call on a set looks before it sleeps: about as long as a wake-up costs.
private struct PollingRounds {
    private static let microseconds: UInt64 = 20
    private let strategy: WaitStrategy
    private let begin = CycleCounter.now

    init(_ strategy: WaitStrategy) { self.strategy = strategy }

    /// Whether to look once more.
    mutating func goesOn() -> Bool {
        switch strategy {
        case .park: return false
        case .spin: break
        case .adaptive:
            guard CycleCounter.now &- begin < Self.microseconds &* CycleCounter.perMicrosecond else { return false }
        }
        Processor.pause()
        return true
    }
}
