import CBenchmarkPeers
import Interprocess

/// The topic's cases of the messaging suite: one publisher, lossless subscribers.
enum InterprocessTopicCases {
    private static let capacity = 1024
    /// Of large messages, so that they stay in the caches.
    private static let largeCapacity = 4

    static func topic(subscribers: Int, size: Int) -> [Contender] {
        guard size == 64 else { return [large] }
        // One to one, the queue for exactly that stands beside it.
        return [small, loans, one, oneLoans] + (subscribers == 1 ? InterprocessMessagingCases.manyToOne(senders: 1, size: size) : [])
    }

    private static let small = Contender(
        name: "interprocess-topic", area: .elsewhere(capacity: 64 << 10), near: { try receive($0) }, far: { try publish($0) })
    private static let loans = Contender(
        name: "interprocess-topic-loans", area: .elsewhere(capacity: 64 << 10), near: { try take($0) }, far: { try lend($0) })
    private static let large = Contender(
        name: "interprocess-topic", area: .elsewhere(capacity: 64 << 10), near: { try receiveBytes($0) }, far: { try publishBytes($0) })

    // With the option for one publisher.
    private static let one = Contender(
        name: "interprocess-topic-one", area: .elsewhere(capacity: 64 << 10), near: { try receive($0, .one) },
        far: { try publish($0, .one) })
    private static let oneLoans = Contender(
        name: "interprocess-topic-one-loans", area: .elsewhere(capacity: 64 << 10), near: { try take($0, .one) },
        far: { try lend($0, .one) })

    // MARK: 64 bytes

    private static func publisher(_ side: BenchmarkSide, _ publishers: TopicPublishers) throws -> Publisher<Message64> {
        try Publisher(
            to: try InterprocessLoops.own(side, "topic"), capacity: capacity, options: TopicOptions(publishers: publishers))
    }

    private static func subscriber(_ side: BenchmarkSide, _ publishers: TopicPublishers) throws -> Subscriber<Message64> {
        try Subscriber(
            to: try InterprocessLoops.own(side, "topic"), .lossless, capacity: capacity, options: TopicOptions(publishers: publishers))
    }

    @inline(never)
    private static func publish(_ side: BenchmarkSide, _ publishers: TopicPublishers = .any) throws {
        var publisher = try publisher(side, publishers)
        side.meet()
        var message = Message64(number: 0)
        try side.measureSending { number in
            message.number = number
            InterprocessLoops.use(&message)
            try publisher.publish(message)
        }
        side.leave()
    }

    @inline(never)
    private static func receive(_ side: BenchmarkSide, _ publishers: TopicPublishers = .any) throws {
        var subscriber = try subscriber(side, publishers)
        side.meet()
        try side.measureReceiving {
            guard var message = try subscriber.receive() else { throw finished }
            InterprocessLoops.use(&message)
            return message.number
        }
        side.leave()
    }

    /// A loan that is written in place and published.
    @inline(never)
    private static func lend(_ side: BenchmarkSide, _ publishers: TopicPublishers = .any) throws {
        var publisher = try publisher(side, publishers)
        side.meet()
        try side.measureSending { number in
            var loan = try publisher.loan()
            loan.message.number = number
            try publisher.publish(&loan)
        }
        side.leave()
    }

    /// A sample that is read in place and given back.
    @inline(never)
    private static func take(_ side: BenchmarkSide, _ publishers: TopicPublishers = .any) throws {
        var subscriber = try subscriber(side, publishers)
        side.meet()
        try side.measureReceiving {
            guard let sample = try subscriber.take() else { throw finished }
            return sample.message.number
        }
        side.leave()
    }

    // MARK: Bytes

    @inline(never)
    private static func publishBytes(_ side: BenchmarkSide) throws {
        var publisher = try BytePublisher(
            to: try InterprocessLoops.own(side, "topic"), capacity: largeCapacity, maximumMessageSize: side.size)
        side.meet()
        var message = [UInt64](repeating: 1, count: side.size / 8)
        try side.measureSending { number in
            message[0] = number
            try unsafe publisher.publish(message.span.bytes)
        }
        side.leave()
    }

    @inline(never)
    private static func receiveBytes(_ side: BenchmarkSide) throws {
        var subscriber = try ByteSubscriber(
            to: try InterprocessLoops.own(side, "topic"), .lossless, capacity: largeCapacity, maximumMessageSize: side.size)
        side.meet()
        try side.measureReceiving {
            let word = try subscriber.receive { message in unsafe message.withUnsafeBytes { unsafe side.look(at: $0) } }
            guard let word else { throw finished }
            return word.get()
        }
        side.leave()
    }

    private static var finished: BenchmarkError { BenchmarkError("the topic was finished") }
}
