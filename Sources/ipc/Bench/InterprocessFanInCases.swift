import CBenchmarkPeers
import Interprocess

/// The fan-in queue's cases of the messaging suite: n:1.
enum InterprocessFanInCases {
    static func manyToOne(size: Int) -> [Contender] {
        switch size {
        case 8: [stream(UInt64.self)]
        case 64: [stream(Message64.self)]
        default: []
        }
    }

    private static func stream<M: BenchmarkMessage>(_ type: M.Type) -> Contender {
        Contender(
            name: "interprocess-fan-in", area: .elsewhere(capacity: 64 << 10), near: { try receive($0, type) }, far: { try send($0, type) })
    }

    @inline(never)
    private static func send<M: BenchmarkMessage>(_ side: BenchmarkSide, _ type: M.Type) throws {
        var sender = try Sender<M>(toFanIn: try InterprocessLoops.own(side, "fan-in"))
        side.meet()
        var message = M(number: 0)
        try side.measureSending { number in
            message.number = number
            InterprocessLoops.use(&message)
            try sender.send(message)
        }
        side.leave()
    }

    @inline(never)
    private static func receive<M: BenchmarkMessage>(_ side: BenchmarkSide, _ type: M.Type) throws {
        var receiver = try FanInReceiver<M>(from: try InterprocessLoops.own(side, "fan-in"))
        side.meet()
        try side.measureReceiving {
            guard var message = try receiver.receive() else { throw BenchmarkError("all senders have closed") }
            InterprocessLoops.use(&message)
            return message.number
        }
        side.leave()
    }
}
