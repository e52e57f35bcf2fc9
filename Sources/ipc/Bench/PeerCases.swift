import CBenchmarkPeers

/// The floors and rivals as contenders: each is a name, what it needs, and its two sides in C.
extension Contender {
    /// A cache line there and back: no message can be faster.
    static func cacheLine(capacity: Int) -> Contender {
        Contender(
            name: "floor-cache-line", area: .rings(capacity: capacity, directions: 1), near: { unsafe bench_line_ping($0.pointer) },
            far: { unsafe bench_line_pong($0.pointer) })
    }

    /// One copy into a range as large as the rings beside it.
    static func copy(capacity: Int) -> Contender {
        Contender(name: "floor-memcpy", area: .rings(capacity: capacity, directions: 1), near: { unsafe bench_copy($0.pointer) }, far: nil)
    }

    /// A copy of a request and one of its reply, which a large call cannot do without unless it is made in place: by one process and
    /// thread, each copy read once as the other cases' receivers do, or not.
    static let copiesBothWays = [
        Contender(name: "floor-two-memcpy-read", near: { unsafe bench_copy_both_ways($0.pointer, true) }, far: nil),
        Contender(name: "floor-two-memcpy", near: { unsafe bench_copy_both_ways($0.pointer, false) }, far: nil),
    ]

    /// The ways to carry messages.
    struct Channel: Sendable {
        let name: String
        let kind: bench_channel
        var descriptors: @Sendable (Int) throws -> SideDescriptors = { _ in SideDescriptors() }

        static let ring = Channel(name: "c-ring", kind: BENCH_RING)
        static let batch = Channel(name: "c-ring-batch", kind: BENCH_RING_BATCH)
        static let cached = Channel(name: "c-ring-cached", kind: BENCH_RING_CACHED)
        static let sequence = Channel(name: "c-ring-sequence", kind: BENCH_RING_SEQUENCE)
        static let pipe = Channel(name: "pipe", kind: BENCH_STREAM, descriptors: SideDescriptors.pipes)
        static let socket = Channel(name: "unix-stream", kind: BENCH_STREAM, descriptors: SideDescriptors.sockets)
    }

    /// A message there and one back.
    static func roundTrip(_ channel: Channel, capacity: Int) -> Contender {
        Contender(
            name: channel.name, area: .rings(capacity: capacity, directions: 2), descriptors: channel.descriptors,
            near: { unsafe bench_channel_ping($0.pointer, channel.kind) }, far: { unsafe bench_channel_pong($0.pointer, channel.kind) })
    }

    /// A stream of messages; the receiver measures.
    static func stream(_ channel: Channel, capacity: Int) -> Contender {
        Contender(
            name: channel.name, area: .rings(capacity: capacity, directions: 1), descriptors: channel.descriptors,
            near: { unsafe bench_channel_receive($0.pointer, channel.kind) }, far: { unsafe bench_channel_send($0.pointer, channel.kind) })
    }

    /// The ways to say "go on".
    struct Signal: Sendable {
        let name: String
        let kind: bench_signal
        var descriptors: @Sendable (Int) throws -> SideDescriptors = { _ in SideDescriptors() }

        static let pipe = Signal(name: "pipe", kind: BENCH_BYTE, descriptors: SideDescriptors.pipes)
        static let socket = Signal(name: "unix-stream", kind: BENCH_BYTE, descriptors: SideDescriptors.sockets)
        static let eventfd = Signal(name: "eventfd", kind: BENCH_EVENTFD, descriptors: SideDescriptors.eventfds)
        static let posixSemaphore = Signal(name: "posix-semaphore", kind: BENCH_POSIX_SEMAPHORE)
        static let systemVSemaphore = Signal(name: "sysv-semaphore", kind: BENCH_SYSV_SEMAPHORE)
        static let realTimeSignal = Signal(name: "signal", kind: BENCH_SIGNAL)
        static let futex = Signal(name: "futex", kind: BENCH_FUTEX)
        static let mutex = Signal(name: "pthread-mutex", kind: BENCH_PTHREAD_MUTEX)
        /// The same in a suite of condition variables.
        static let robustCondition = Signal(name: "pthread-condition-robust", kind: BENCH_PTHREAD_MUTEX)
        static let condition = Signal(name: "pthread-condition", kind: BENCH_PTHREAD_CONDITION)
    }

    /// A ping-pong of two processes that block.
    static func `switch`(_ signal: Signal) -> Contender {
        Contender(
            name: signal.name, descriptors: signal.descriptors, near: { unsafe bench_signal_ping($0.pointer, signal.kind) },
            far: { unsafe bench_signal_pong($0.pointer, signal.kind) })
    }

    /// A parked process is woken, again and again.
    static func wakeup(_ signal: Signal) -> Contender {
        Contender(
            name: signal.name, descriptors: signal.descriptors, near: { unsafe bench_signal_sleep($0.pointer, signal.kind) },
            far: { unsafe bench_signal_wake($0.pointer, signal.kind) })
    }
}
