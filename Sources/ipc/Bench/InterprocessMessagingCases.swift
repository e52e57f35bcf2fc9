import CBenchmarkPeers
import Interprocess

/// The library's own cases of the messaging suite.
///
/// There is the queue from one sender to one receiver: it is measured where one is enough, and a pair of them where a reply comes back.
enum InterprocessMessagingCases {
    static func manyToOne(senders: Int, size: Int) -> [Contender] {
        guard senders == 1 else { return [] }
        return switch size {
        case 8: [stream(UInt64.self)]
        case 64: [stream(Message64.self)]
        default: []
        }
    }

    static func requests(size: Int, polls: Bool) -> [Contender] {
        let strategy: WaitStrategy = polls ? .spin : .park
        // Room for a message each way, and for its header.
        let capacity = size >= 1 << 20 ? size : 64 << 10
        return [
            Contender(
                name: "interprocess-queues", area: .elsewhere(capacity: capacity),
                near: { size == 8 ? try ask($0, strategy) : try askBytes($0, strategy) },
                far: { size == 8 ? try serve($0, strategy) : try serveBytes($0, strategy) })
        ]
    }

    /// One sender and one receiver, with messages of any size.
    static func stream(size: Int) -> [Contender] {
        size == 64
            ? [stream(Message64.self)]
            : [
                Contender(
                    name: "interprocess-queue", area: .elsewhere(capacity: max(64 << 10, 4 * size)), near: { try receiveBytes($0) },
                    far: { try sendBytes($0) })
            ]
    }

    // MARK: One sender, one receiver

    private static func stream<M: BenchmarkMessage>(_ type: M.Type) -> Contender {
        Contender(
            name: "interprocess-queue", area: .elsewhere(capacity: 64 << 10), near: { try receive($0, type) }, far: { try send($0, type) })
    }

    @inline(never)
    private static func send<M: BenchmarkMessage>(_ side: BenchmarkSide, _ type: M.Type) throws {
        var sender = try InterprocessLoops.sender(side, type, "queue")
        var message = M(number: 0)
        try side.measureSending { number in
            message.number = number
            InterprocessLoops.use(&message)
            try sender.send(message)
        }
    }

    @inline(never)
    private static func receive<M: BenchmarkMessage>(_ side: BenchmarkSide, _ type: M.Type) throws {
        var receiver = try InterprocessLoops.receiver(side, type, "queue")
        try side.measureReceiving {
            guard var message = try receiver.receive() else { throw closed }
            InterprocessLoops.use(&message)
            return message.number
        }
    }

    @inline(never)
    private static func sendBytes(_ side: BenchmarkSide) throws {
        var sender = try ByteSender(to: try InterprocessLoops.own(side, "queue"), capacity: side.capacity)
        var message = [UInt64](repeating: 1, count: side.size / 8)
        try side.measureSending { number in
            message[0] = number
            _ = unsafe try sender.send(message.span.bytes)
        }
    }

    @inline(never)
    private static func receiveBytes(_ side: BenchmarkSide) throws {
        var receiver = try ByteReceiver(from: try InterprocessLoops.own(side, "queue"), capacity: side.capacity)
        try side.measureReceiving { try next(side, &receiver) }
    }

    // MARK: Request and reply

    @inline(never)
    private static func ask(_ side: BenchmarkSide, _ strategy: WaitStrategy) throws {
        var there = try InterprocessLoops.sender(side, UInt64.self, "there", strategy)
        var back = try InterprocessLoops.receiver(side, UInt64.self, "back", strategy)
        try side.measureRequests { number in
            try there.send(number)
            guard let reply = try back.receive() else { throw closed }
            return reply
        }
    }

    @inline(never)
    private static func serve(_ side: BenchmarkSide, _ strategy: WaitStrategy) throws {
        var there = try InterprocessLoops.receiver(side, UInt64.self, "there", strategy)
        var back = try InterprocessLoops.sender(side, UInt64.self, "back", strategy)
        try side.measureReplies {
            guard let request = try there.receive() else { throw closed }
            try back.send(~request)
            return request
        }
    }

    @inline(never)
    private static func askBytes(_ side: BenchmarkSide, _ strategy: WaitStrategy) throws {
        var there = try ByteSender(to: try InterprocessLoops.own(side, "there"), capacity: side.capacity, strategy: strategy)
        var back = try ByteReceiver(from: try InterprocessLoops.own(side, "back"), capacity: side.capacity, strategy: strategy)
        var message = [UInt64](repeating: 1, count: side.size / 8)
        try side.measureRequests { number in
            message[0] = number
            _ = unsafe try there.send(message.span.bytes)
            return try next(side, &back)
        }
    }

    @inline(never)
    private static func serveBytes(_ side: BenchmarkSide, _ strategy: WaitStrategy) throws {
        var there = try ByteReceiver(from: try InterprocessLoops.own(side, "there"), capacity: side.capacity, strategy: strategy)
        var back = try ByteSender(to: try InterprocessLoops.own(side, "back"), capacity: side.capacity, strategy: strategy)
        var message = [UInt64](repeating: 1, count: side.size / 8)
        try side.measureReplies {
            let request = try next(side, &there)
            message[0] = ~request
            _ = unsafe try back.send(message.span.bytes)
            return request
        }
    }

    /// The first word of the next message, read where it lies.
    @inline(__always)
    private static func next(_ side: BenchmarkSide, _ receiver: inout ByteReceiver) throws -> UInt64 {
        let word = try receiver.receive { message in unsafe message.withUnsafeBytes { unsafe side.look(at: $0) } }
        guard let word else { throw closed }
        return word.get()
    }

    private static var closed: BenchmarkError { BenchmarkError("the other side has closed") }
}
