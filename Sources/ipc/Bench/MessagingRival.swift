import CBenchmarkPeers

/// What is done with messages; the names that the rivals' programs know.
enum MessagePattern: String, Sendable {
    case manyToOne = "many-to-one"
    case manyToMany = "many-to-many"
    case topic
    case requestPolling = "request-polling"
    case requestBlocking = "request-blocking"
    case wakeup

    var kind: bench_pattern {
        switch self {
        case .manyToOne: BENCH_MANY_TO_ONE
        case .manyToMany: BENCH_MANY_TO_MANY
        case .topic: BENCH_TOPIC
        case .requestPolling: BENCH_REQUEST_POLLING
        case .requestBlocking: BENCH_REQUEST_BLOCKING
        case .wakeup: BENCH_MESSAGE_WAKEUP
        }
    }
}

/// A rival of the messaging suite, and what it can do. ZeroMQ and nng receive in threads of their own, which sleep whatever the caller does:
/// who polls only takes the processor from them.
///
/// | | n:1 | n:m | topic | request, polling | request, blocking | wake-up |
/// |---|---|---|---|---|---|---|
/// | Boost `message_queue` | × | × | | × | × | × |
/// | ZeroMQ, `ipc://` | PUSH/PULL | PUSH/PULL | XPUB/SUB | its own threads sleep | REQ/REP | × |
/// | nng, `ipc://` | push/pull | push/pull | pub/sub, windowed | its own threads sleep | req/rep | × |
/// | iceoryx | publishers, one subscriber | | × | client/server | the same, wait set | wait set |
/// | OpenMPI, `vader` | `MPI_Send`, `MPI_Recv` | | `MPI_Bcast` | × | polls always | polls always |
/// | POSIX message queue | × | × | | up to 8 KiB | up to 8 KiB | × |
/// | unix datagram sockets | × | × | | | | |
/// | unix stream sockets | | | one for each subscriber | × | × | × |
struct MessagingRival: Sendable {
    let name: String
    private let carrier: Carrier
    private let patterns: Set<MessagePattern>
    /// Bytes of a message.
    private var largest = Int.max

    private enum Carrier {
        case program(PeerProgram)
        case own(bench_carrier)
    }

    static let all = [boost, zeroMQ, nng, iceoryx, openMPI, posixQueue, datagram, stream]

    /// The programs of those that are not part of the package.
    static var programs: [PeerProgram] {
        all.compactMap { rival in
            guard case .program(let program) = rival.carrier else { return nil }
            return program
        }
    }

    private static let boost = MessagingRival(
        name: "boost-message-queue", carrier: .program(.boost),
        patterns: [.manyToOne, .manyToMany, .requestPolling, .requestBlocking, .wakeup])
    private static let zeroMQ = MessagingRival(
        name: "zeromq", carrier: .program(.zeroMQ), patterns: [.manyToOne, .manyToMany, .topic, .requestBlocking, .wakeup])
    private static let nng = MessagingRival(
        name: "nng", carrier: .program(.nng), patterns: [.manyToOne, .manyToMany, .topic, .requestBlocking, .wakeup])
    private static let iceoryx = MessagingRival(
        name: "iceoryx", carrier: .program(.iceoryx), patterns: [.manyToOne, .topic, .requestPolling, .requestBlocking, .wakeup])
    private static let openMPI = MessagingRival(
        name: "openmpi", carrier: .program(.openMPI), patterns: [.manyToOne, .topic, .requestPolling])
    private static let posixQueue = MessagingRival(
        name: "posix-mq", carrier: .own(BENCH_POSIX_QUEUE),
        patterns: [.manyToOne, .manyToMany, .requestPolling, .requestBlocking, .wakeup], largest: 8192)
    private static let datagram = MessagingRival(
        name: "unix-datagram", carrier: .own(BENCH_UNIX_DATAGRAM), patterns: [.manyToOne, .manyToMany])
    private static let stream = MessagingRival(
        name: "unix-stream", carrier: .own(BENCH_UNIX_STREAM), patterns: [.topic, .requestPolling, .requestBlocking, .wakeup])

    /// Every rival that can do this and was built.
    ///
    /// - Parameter nearCount: processes on the near side.
    static func contenders(_ pattern: MessagePattern, size: Int, nearCount: Int = 1) -> [Contender] {
        all.compactMap { $0.contender(pattern, size: size, nearCount: nearCount) }
    }

    private func contender(_ pattern: MessagePattern, size: Int, nearCount: Int) -> Contender? {
        guard patterns.contains(pattern), size <= largest else { return nil }
        switch carrier {
        case .program(let program):
            guard program.path != nil else { return nil }
            var contender = Contender(name: name, program: program, operation: pattern.rawValue, sides: 2)
            contender.launchesSides = program.name == PeerProgram.openMPI.name
            contender.service = program.name == PeerProgram.iceoryx.name ? .rouDi : nil
            return contender
        case .own(let carrier):
            let body: Contender.Body = { unsafe bench_carry_messages($0.pointer, carrier, pattern.kind) }
            var contender = Contender(name: name, near: body, far: body)
            contender.descriptors = Self.descriptors(of: carrier, pattern, nearCount)
            // A kernel can be built without it, and a user have used up all queues.
            contender.isOptional = carrier == BENCH_POSIX_QUEUE
            return contender
        }
    }

    private static func descriptors(of carrier: bench_carrier, _ pattern: MessagePattern, _ nearCount: Int)
        -> @Sendable (Int) throws -> SideDescriptors
    {
        switch (carrier, pattern) {
        case (BENCH_POSIX_QUEUE, _): SideDescriptors.messageQueues
        case (BENCH_UNIX_DATAGRAM, _): SideDescriptors.datagrams
        case (_, .topic): { try SideDescriptors.fan(to: nearCount, size: $0) }
        default: SideDescriptors.sockets
        }
    }
}
