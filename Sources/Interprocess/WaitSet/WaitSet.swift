public import InterprocessSystem
public import SystemPackage

/// Waits for many things at once: receivers and senders of queues, events, semaphores, notifiers, deaths, file descriptors and timers, any number of each.
///
/// ```swift
/// var set = WaitSet()
/// let readings = set.add(receiver)
/// let shutdown = set.add(event)
/// let input = try set.add(.standardInput, for: .reading)
/// let second = set.add(every: .seconds(1))
/// while true {
///     for found in try set.wait() {
///         switch found.source {
///         case readings: while let reading = try receiver.tryReceive() { print(reading) }
///         case shutdown: return
///         case input: try readCommand()
///         default: printStatistics()
///         }
///     }
/// }
/// ```
///
/// It only says what is ready, and takes nothing: the caller does, with the calls that do not block. What is ready and was not taken is reported again by the next
/// wait. A report may come to nothing where somebody else was quicker. All that is ready is reported, each time beginning with another source: none starves.
///
/// A queue or a notifier's listener that a set watches is still its owner's; the set keeps its segment open until the source is removed. While a call waits on the
/// set, its owner must not wait for room in a watched sender on another thread.
///
/// **Death** of the process that waits leaves nothing but a mark that somebody sleeps, as any sleep does. A death of a peer is reported through the source that it
/// concerns: a receiver is ready when its sender has died.
/// **Progress** a wait costs a look at each source, and when it sleeps an announcement at each, and one barrier for all. The kernel takes 128 words in one call, two
/// for each source: beyond that the set has a thread for each 127 words, and one for all descriptors if there are any; they end with it.
public struct WaitSet: ~Copyable, @unchecked Sendable {
    /// What was added to a set: tells the sources of one set apart.
    public struct Source: Hashable, Sendable {
        fileprivate let number: UInt64
    }

    /// A source that has something to say.
    public struct Event: Sendable, Hashable {
        public enum Condition: Sendable, Hashable {
            /// A call that does not block would find something, or the end.
            case ready
            /// A timer: how often its time has come since it was last reported. One that does not repeat is no longer in the set.
            case expired(times: Int)
            /// This process has closed what was watched, or has no descriptor of this number: nothing more comes from it, and it is no longer in the set.
            case closed
            /// The field of this name in the shared memory is impossible: somebody wrote there who should not. It is no longer in the set.
            case damaged(String)
        }

        public let source: Source
        public let condition: Condition
    }

    /// What a timer still has to do.
    struct Timer {
        var due: MonotonicInstant
        let interval: Duration?
    }

    enum Kind {
        case object(any WatchedObject)
        case descriptor(PolledDescriptor)
        case timer(Timer)
    }

    struct Entry {
        let source: Source
        var kind: Kind
        /// An object at which a sleep is announced.
        var isAnnounced = false
    }

    /// How calls that block wait.
    public var strategy: WaitStrategy
    var entries: [Entry] = []
    private var lastNumber: UInt64 = 0
    /// Where the next report begins.
    var first = 0
    /// Counted up by the threads of this set.
    let control = ControlWord(scope: .shared)
    var watchers: [GroupWatcher] = []
    var descriptors: DescriptorWatcher?
    let forkGeneration = ForkGuard.generation

    public init(strategy: WaitStrategy = .adaptive) { self.strategy = strategy }

    deinit {
        // A forked child has none of the threads.
        guard forkGeneration == ForkGuard.generation else { return }
        for watcher in watchers { watcher.end() }
        descriptors?.end()
    }

    /// How many sources are in it.
    public var count: Int { entries.count }

    /// Whether `source` is in it.
    public func contains(_ source: Source) -> Bool { entries.contains { $0.source == source } }

    mutating func add(_ kind: Kind) -> Source {
        lastNumber += 1
        let source = Source(number: lastNumber)
        entries.append(Entry(source: source, kind: kind))
        return source
    }

    /// Watches a descriptor, which stays the caller's. A report means that a read, or a write, does not block. O(1); starts a thread with the first one.
    ///
    /// Remove it before it is closed: a number that is open again means another file.
    ///
    /// - Throws: ``InterprocessError`` `system` if there is no thread or no descriptor to be had for that.
    public mutating func add(_ descriptor: FileDescriptor, for interest: PolledDescriptor.Interest) throws(InterprocessError) -> Source {
        if descriptors == nil {
            do throws(Errno) {
                descriptors = try DescriptorWatcher(poking: control)
            } catch {
                throw .system(error, "add", "descriptor \(descriptor.rawValue)", "starting the thread that watches descriptors")
            }
        }
        return add(.descriptor(PolledDescriptor(descriptor, for: interest)))
    }

    /// Reports once, at `deadline`, and is then no longer in the set. ``Deadline/never`` never does.
    public mutating func add(timer deadline: Deadline) -> Source {
        add(.timer(Timer(due: deadline.instant ?? MonotonicInstant(nanoseconds: .max), interval: nil)))
    }

    /// Reports again and again, each `interval` after the one before, beginning one from now. Several that come before a wait are one report, with their number.
    ///
    /// - Parameter interval: at least a microsecond, which is a precondition.
    public mutating func add(every interval: Duration) -> Source {
        precondition(interval >= .microseconds(1), "WaitSet.add(every:): an interval is at least a microsecond, not \(interval)")
        return add(.timer(Timer(due: .now.advanced(by: interval), interval: interval)))
    }

    /// Takes a source out, and lets go of what it watched. Nothing if it is no longer in the set. O(sources).
    public mutating func remove(_ source: Source) {
        guard let index = entries.firstIndex(where: { $0.source == source }) else { return }
        entries.remove(at: index)
        // They may still hold what it watched.
        for watcher in watchers { watcher.assign([], of: []) }
        descriptors?.disarm()
    }
}
