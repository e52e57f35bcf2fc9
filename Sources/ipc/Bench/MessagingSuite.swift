/// What `ipc bench messaging` measures: messages between any number of processes, beside every rival that does the same.
///
/// A case of the library's joins the list of its comparison in front of the rivals, as those of ``InterprocessMessagingCases`` do. The near
/// side, of ``Comparison/nearCount`` processes, receives or asks; the far side, of ``Comparison/farCount``, sends, publishes or replies. The
/// loops of cases in Swift are in `BenchmarkSide+Messaging.swift`.
extension BenchmarkSuite {
    static let messaging = BenchmarkSuite(
        name: "messaging",
        comparisons: manyToOne + manyToMany + topics + [InterprocessOneThreadCases.comparison] + requests(.requestPolling)
            + requests(.requestBlocking) + wakeups)

    private static let manyToOne = [1, 2, 4, 8].flatMap { senders in
        [8, 64].map { size in
            Comparison(
                metric: .manyToOne, subject: "\(senders) \(senders == 1 ? "sender" : "senders")", size: size, placement: .inTurn,
                farCount: senders, baseline: "unix-datagram",
                contenders: InterprocessMessagingCases.manyToOne(senders: senders, size: size)
                    + InterprocessFanInCases.manyToOne(size: size) + InterprocessSharedQueueCases.manyToOne(size: size)
                    + MessagingRival.contenders(.manyToOne, size: size))
        }
    }

    private static let manyToMany = [2, 4].flatMap { count in
        [8, 64].map { size in
            Comparison(
                metric: .manyToMany, subject: "\(count) senders, \(count) receivers", size: size, placement: .inTurn, nearCount: count,
                farCount: count, baseline: "unix-datagram",
                contenders: InterprocessSharedQueueCases.manyToMany(size: size)
                    + MessagingRival.contenders(.manyToMany, size: size, nearCount: count))
        }
    }

    private static let topics = [1, 2, 4, 8].flatMap { subscribers in
        [64, 1 << 20].map { size in
            Comparison(
                metric: .topic, subject: "\(subscribers) \(subscribers == 1 ? "subscriber" : "subscribers")", size: size,
                placement: .inTurn, nearCount: subscribers, baseline: "unix-stream",
                contenders: InterprocessTopicCases.topic(subscribers: subscribers, size: size)
                    + MessagingRival.contenders(.topic, size: size, nearCount: subscribers))
        }
    }

    private static func requests(_ pattern: MessagePattern) -> [Comparison] {
        let polls = pattern == .requestPolling
        return [8, 4096, 1 << 20, 64 << 20].map { size in
            // Between polling processes no message can be faster than a cache line, and no large one than its copies.
            let floor =
                !polls ? [] : size == 8 ? [Contender.cacheLine(capacity: 64 << 10)] : size >= 1 << 20 ? Contender.copiesBothWays : []
            return Comparison(
                metric: .request, subject: polls ? "polling" : "blocking", size: size, placement: .twoCores,
                baseline: floor.first?.name ?? "unix-stream",
                contenders: floor + InterprocessServiceCases.requests(size: size, polls: polls)
                    + InterprocessMessagingCases.requests(size: size, polls: polls)
                    + MessagingRival.contenders(pattern, size: size))
        }
    }

    private static let wakeups = [Placement.twoCores, .sameCore].map { placement in
        Comparison(
            metric: .wakeup, size: 8, placement: placement, baseline: "futex",
            contenders: InterprocessCases.wakeup(capacity: 64 << 10) + [.wakeup(.futex)] + MessagingRival.contenders(.wakeup, size: 8))
    }
}
