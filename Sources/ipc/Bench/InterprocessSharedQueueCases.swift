import CBenchmarkPeers
import Interprocess

/// The shared queue's cases of the messaging suite: n:1 and n:m.
enum InterprocessSharedQueueCases {
    /// As many as the rivals buffer at most; enough for all senders.
    private static let capacity = 1024

    static func manyToOne(size: Int) -> [Contender] {
        switch size {
        case 8: [oneReceiver(UInt64.self)]
        case 64: [oneReceiver(Message64.self)]
        default: []
        }
    }

    static func manyToMany(size: Int) -> [Contender] {
        switch size {
        case 8: [manyReceivers(UInt64.self)]
        case 64: [manyReceivers(Message64.self)]
        default: []
        }
    }

    private static func oneReceiver<M: BenchmarkMessage>(_ type: M.Type) -> Contender {
        Contender(
            name: "interprocess-shared", area: .elsewhere(capacity: 64 << 10), near: { try receive($0, type) }, far: { try send($0, type) })
    }

    private static func manyReceivers<M: BenchmarkMessage>(_ type: M.Type) -> Contender {
        Contender(
            name: "interprocess-shared", area: .elsewhere(capacity: 64 << 10), near: { try share($0, type) }, far: { try send($0, type) })
    }

    private static func queue<M: BenchmarkMessage>(_ side: BenchmarkSide, _ type: M.Type) throws -> SharedQueue<M> {
        try SharedQueue<M>(named: try InterprocessLoops.own(side, "shared"), capacity: capacity)
    }

    @inline(never)
    private static func send<M: BenchmarkMessage>(_ side: BenchmarkSide, _ type: M.Type) throws {
        let queue = try queue(side, type)
        side.meet()
        var message = M(number: 0)
        try side.measureSending { number in
            message.number = number
            InterprocessLoops.use(&message)
            try queue.send(message)
        }
        side.leave()
    }

    @inline(never)
    private static func receive<M: BenchmarkMessage>(_ side: BenchmarkSide, _ type: M.Type) throws {
        let queue = try queue(side, type)
        side.meet()
        try side.measureReceiving {
            guard var message = try queue.receive() else { throw BenchmarkError("the queue was finished") }
            InterprocessLoops.use(&message)
            return message.number
        }
        side.leave()
    }

    @inline(never)
    private static func share<M: BenchmarkMessage>(_ side: BenchmarkSide, _ type: M.Type) throws {
        let queue = try queue(side, type)
        side.meet()
        try side.measureSharing(
            tryReceive: { try queue.tryReceive()?.number },
            receiveBriefly: {
                do { return try queue.receive(until: .after(.milliseconds(1)))?.number } catch ReceiveError.deadline { return nil }
            })
        side.leave()
    }
}
