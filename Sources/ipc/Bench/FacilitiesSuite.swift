/// What `ipc bench facilities` measures: every facility of the kernel's that carries messages or says "go on", by the types of
/// `InterprocessSystem` and by the same calls made from C, beside the library's own ways to do the same.
extension BenchmarkSuite {
    static let facilities = BenchmarkSuite(
        name: "facilities", comparisons: [.sameCore, .twoCores].flatMap { [requests($0), switches($0)] } + streams)

    private static func requests(_ placement: Placement) -> Comparison {
        Comparison(
            metric: .request, subject: "blocking", size: 64, placement: placement, baseline: "pipe-c",
            contenders: InterprocessServiceCases.requests(size: 64, polls: false)
                + InterprocessMessagingCases.requests(size: 64, polls: false) + FacilityCarrier.all.flatMap { $0.requests() })
    }

    private static func switches(_ placement: Placement) -> Comparison {
        Comparison(
            metric: .switch, size: 0, placement: placement, baseline: "futex-c",
            contenders: [HandoffCases.switch] + FacilitySignal.all.flatMap { $0.switches() })
    }

    private static let streams: [Comparison] = [64, 4096, 64 << 10, 1 << 20, 4 << 20].map { (size: Int) -> Comparison in
        let floor: [Contender] = size <= 4096 ? [] : [.copy(capacity: size)]
        let carriers = FacilityCarrier.all.filter { size <= $0.largest && !$0.loses }
        return Comparison(
            metric: .stream, size: size, placement: .twoCores, baseline: "pipe-c",
            contenders: floor + InterprocessMessagingCases.stream(size: size) + carriers.flatMap { $0.stream() })
    }
}
