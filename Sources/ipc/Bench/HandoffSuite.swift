import CBenchmarkPeers
import Interprocess
import InterprocessSystem
import Synchronization
import SystemPackage

/// What `ipc bench handoff` measures: giving a turn away and getting it back, beside every other way to switch between two processes.
extension BenchmarkSuite {
    static let handoff = BenchmarkSuite(name: "handoff", comparisons: [switches(.sameCore), hogged, switches(.twoCores)])

    private static let rivals: [Contender.Signal] = [.pipe, .socket, .posixSemaphore, .systemVSemaphore, .eventfd, .futex, .mutex]

    private static func switches(_ placement: Placement) -> Comparison {
        Comparison(
            metric: .switch, size: 8, placement: placement, baseline: "pipe",
            contenders: [HandoffCases.switch] + rivals.map { .switch($0) })
    }

    /// The same while a third thread wants the processor all the time.
    private static let hogged = Comparison(
        metric: .switch, size: 8, placement: .sameCore, baseline: "pipe-hogged",
        contenders: [HandoffCases.switch.hogged(), Contender.switch(.pipe).hogged(), Contender.switch(.posixSemaphore).hogged()])
}

/// The library's case: each turn carries a number there and the next back.
enum HandoffCases {
    static let `switch` = Contender(name: "interprocess", near: { try ping($0) }, far: { try pong($0) })

    private static func join(_ side: BenchmarkSide, _ role: HandoffRole) throws -> Handoff {
        let name = side.objectName("turn")
        if side.isNear { side.own(ObjectDirectory.user.path.appending(name)) }
        return try Handoff.join(try ObjectName(name), as: role)
    }

    @inline(never)
    private static func ping(_ side: BenchmarkSide) throws {
        var handoff = try join(side, .parent)
        // The child's joining returns with the first turn; both begin then.
        _ = try handoff.tryYield()
        side.start()
        _ = try handoff.awaitTurn()
        var before = bench_ticks()
        for number in 0..<UInt64(side.count) {
            guard try handoff.yield(number) == number + 1 else { throw BenchmarkError("the turn came back with another number") }
            let now = bench_ticks()
            side.record(now &- before)
            before = now
        }
        side.stop()
    }

    @inline(never)
    private static func pong(_ side: BenchmarkSide) throws {
        var handoff = try join(side, .child)
        side.start()
        var value = try handoff.yield()
        while let number = value { value = try handoff.yield(number + 1) }
        side.stop()
    }
}

extension Contender {
    /// The same with a thread beside it that never sleeps, on the near side's processor.
    func hogged() -> Contender {
        var hogged = self
        hogged.name = "\(name)-hogged"
        let near = near
        hogged.near = { side in
            let isOver = Flag()
            try startServiceThread(named: "hog") { while !isOver.value { Processor.pause() } }
            defer { isOver.set() }
            try await near(side)
        }
        return hogged
    }

    private final class Flag: Sendable {
        private let flag = Atomic<Bool>(false)
        var value: Bool { flag.load(ordering: .relaxed) }
        func set() { flag.store(true, ordering: .relaxed) }
    }
}
