import CBenchmarkPeers
import Interprocess

/// One thread that sends and receives: what the two calls cost where no processor waits for another one's cache lines.
enum InterprocessOneThreadCases {
    static let comparison = Comparison(
        metric: .bothEnds, size: 64, placement: .oneProcess, baseline: "interprocess-queue",
        contenders: [
            Contender(name: "interprocess-queue") { try queue($0) },
            Contender(name: "interprocess-topic") { try topic($0, .any) },
            Contender(name: "interprocess-topic-loans") { try loans($0, .any) },
            Contender(name: "interprocess-topic-one") { try topic($0, .one) },
            Contender(name: "interprocess-topic-one-loans") { try loans($0, .one) },
        ])

    /// A batch of messages there, and then back: a sample.
    @inline(__always)
    private static func measure(_ side: BenchmarkSide, send: (UInt64) throws -> Void, receive: () throws -> UInt64?) throws {
        let batch = UInt64(BENCH_CHUNK)
        side.start()
        for _ in 0..<max(1, side.count / Int(BENCH_CHUNK)) {
            let before = bench_ticks()
            for number in 0..<batch { try send(number) }
            for number in 0..<batch where try receive() != number { throw BenchmarkError("message \(number) is missing") }
            side.record(bench_ticks() &- before)
        }
        side.stop()
    }

    private static let capacity = 1024

    @inline(never)
    private static func queue(_ side: BenchmarkSide) throws {
        let name = try InterprocessLoops.own(side, "queue")
        var sender = try Sender<Message64>(to: name, capacity: capacity), receiver = try Receiver<Message64>(from: name, capacity: capacity)
        var message = Message64(number: 0)
        try measure(side) { number in
            message.number = number
            InterprocessLoops.use(&message)
            try sender.send(message)
        } receive: {
            guard var message = try receiver.receive() else { return nil }
            InterprocessLoops.use(&message)
            return message.number
        }
    }

    @inline(never)
    private static func topic(_ side: BenchmarkSide, _ publishers: TopicPublishers) throws {
        let name = try InterprocessLoops.own(side, "topic"), options = TopicOptions(publishers: publishers)
        var publisher = try Publisher<Message64>(to: name, capacity: capacity, options: options)
        var subscriber = try Subscriber<Message64>(to: name, .lossless, capacity: capacity, options: options)
        var message = Message64(number: 0)
        try measure(side) { number in
            message.number = number
            InterprocessLoops.use(&message)
            try publisher.publish(message)
        } receive: {
            guard var message = try subscriber.receive() else { return nil }
            InterprocessLoops.use(&message)
            return message.number
        }
    }

    /// Written and read in place.
    @inline(never)
    private static func loans(_ side: BenchmarkSide, _ publishers: TopicPublishers) throws {
        let name = try InterprocessLoops.own(side, "topic"), options = TopicOptions(publishers: publishers)
        var publisher = try Publisher<Message64>(to: name, capacity: capacity, options: options)
        var subscriber = try Subscriber<Message64>(to: name, .lossless, capacity: capacity, options: options)
        try measure(side) { number in
            var loan = try publisher.loan()
            loan.message.number = number
            try publisher.publish(&loan)
        } receive: {
            guard let sample = try subscriber.take() else { return nil }
            return sample.message.number
        }
    }
}
