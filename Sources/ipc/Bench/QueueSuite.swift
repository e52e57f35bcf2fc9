/// What `ipc bench queue` measures.
extension BenchmarkSuite {
    static let queue = BenchmarkSuite(
        name: "queue", comparisons: roundTrips + smallMessages + largeMessages + wakeups(.twoCores) + wakeups(.sameCore) + [switches])

    /// Bytes of a ring for small messages: it stays in the processor's own cache, and a receiver that falls behind has room.
    private static let smallCapacity = 64 << 10

    private static let roundTrips: [Comparison] = [8, 64].map { size in
        Comparison(
            metric: .roundTrip, size: size, placement: .twoCores, baseline: "floor-cache-line",
            contenders: [.cacheLine(capacity: smallCapacity)] + InterprocessCases.roundTrip(size: size, capacity: smallCapacity)
                + [.ring, .cached, .sequence, .pipe, .socket].map { .roundTrip($0, capacity: smallCapacity) })
    }

    private static let smallMessages: [Comparison] = [8, 64, 1024].map { size in
        Comparison(
            metric: .perMessage, size: size, placement: .twoCores, baseline: "c-ring",
            contenders: InterprocessCases.stream(size: size, capacity: smallCapacity)
                + [.ring, .batch, .cached, .sequence, .pipe, .socket].map { .stream($0, capacity: smallCapacity) })
    }

    private static let largeMessages: [Comparison] = [64 << 10, 1 << 20, 16 << 20].map { size in
        // Room for three messages and their headers.
        let capacity = 4 * size
        return Comparison(
            metric: .throughput, size: size, placement: .twoCores, baseline: "floor-memcpy",
            contenders: [.copy(capacity: capacity)] + InterprocessCases.large(size: size, capacity: capacity)
                + [.ring, .pipe, .socket].map { .stream($0, capacity: capacity) })
    }

    private static func wakeups(_ placement: Placement) -> [Comparison] {
        [
            Comparison(
                metric: .wakeup, size: 8, placement: placement, baseline: "futex",
                contenders: InterprocessCases.wakeup(capacity: smallCapacity) + [.futex, .eventfd, .pipe].map { .wakeup($0) })
        ]
    }

    private static let switches = Comparison(
        metric: .switch, size: 8, placement: .sameCore, baseline: "pipe",
        contenders: InterprocessCases.switch(capacity: smallCapacity)
            + [.pipe, .socket, .posixSemaphore, .systemVSemaphore, .eventfd, .futex, .mutex].map { .switch($0) })
}
