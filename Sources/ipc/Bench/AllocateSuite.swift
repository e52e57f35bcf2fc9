import CBenchmarkPeers

/// What `ipc bench allocate` measures: a block allocated and freed, of several sizes, by a process alone and by two at once; batches that are freed in another order; blocks of random sizes, also by
/// several processes at once; and blocks that another process frees. The floors are private heaps.
///
/// The loops are in `AllocateLoops.swift` and, for C and C++, in `benchmark_allocate.h`.
extension BenchmarkSuite {
    static let allocate = BenchmarkSuite(
        name: "allocate",
        comparisons: sizes.map { pair($0, "alone", .oneProcess) } + [16, 256, 4096].map { pair($0, "two at once", .twoCores) }
            + [64, 1024].map(batch) + [random()] + [1, 2, 4, 8].map(together) + [64, 4096].map(passed))

    private static let sizes = [16, 64, 256, 1024, 4096, 16384, 65536]

    private static func pair(_ size: Int, _ subject: String, _ placement: Placement) -> Comparison {
        let isAlone = placement == .oneProcess
        func contender(_ name: String, _ body: @escaping Contender.Body) -> Contender {
            Contender(name: name, near: body, far: isAlone ? nil : body)
        }
        return Comparison(
            metric: .pair, subject: subject, size: size, placement: placement, baseline: "glibc",
            contenders: [
                contender("interprocess") { try AllocateLoops.pairs($0) },
                contender("interprocess-arena") { try AllocateLoops.arenaPairs($0) },
                contender("glibc") { unsafe bench_malloc_pair($0.pointer) },
            ] + rivals("pair-\(size)", sides: isAlone ? 1 : 2))
    }

    private static func batch(_ size: Int) -> Comparison {
        Comparison(
            metric: .pair, subject: "batches freed in random order", size: size, placement: .oneProcess, baseline: "glibc",
            contenders: [
                Contender(name: "interprocess", near: { try AllocateLoops.batches($0) }),
                Contender(name: "glibc", near: { unsafe bench_malloc_batch($0.pointer) }),
            ] + rivals("batch-\(size)", sides: 1))
    }

    private static func random() -> Comparison {
        Comparison(
            metric: .pair, subject: "random sizes", size: 0, placement: .oneProcess, baseline: "glibc",
            contenders: [
                Contender(name: "interprocess", near: { try AllocateLoops.random($0) }),
                Contender(name: "glibc", near: { unsafe bench_malloc_random($0.pointer) }),
            ] + rivals("random-0", sides: 1))
    }

    /// By so many processes.
    private static func together(_ count: Int) -> Comparison {
        func contender(_ name: String, _ body: @escaping Contender.Body) -> Contender {
            Contender(name: name, near: body, far: count > 1 ? body : nil)
        }
        return Comparison(
            metric: .together, subject: "random sizes, \(count) process\(count == 1 ? "" : "es")", size: 0, placement: .inTurn,
            farCount: count - 1, baseline: "glibc",
            contenders: [
                contender("interprocess") { try AllocateLoops.together($0) },
                contender("glibc") { unsafe bench_malloc_together($0.pointer) },
            ] + rivals("together-0", sides: count))
    }

    /// Allocated by one process and freed by another: no private heap can.
    private static func passed(_ size: Int) -> Comparison {
        Comparison(
            metric: .perMessage, subject: "freed by another process", size: size, placement: .twoCores, baseline: "floor-numbers",
            contenders: [
                Contender(name: "interprocess", near: { try AllocateLoops.passed($0) }, far: { try AllocateLoops.passed($0) }),
                Contender(
                    name: "floor-numbers", near: { unsafe bench_pass_nothing($0.pointer) }, far: { unsafe bench_pass_nothing($0.pointer) }),
            ] + rivals("pass-\(size)", sides: 2, [("boost", .boostAllocate)]))
    }

    /// Those that were built.
    private static func rivals(
        _ operation: String, sides: Int, _ all: [(String, PeerProgram)] = [("boost", .boostAllocate), ("mimalloc", .mimalloc)]
    ) -> [Contender] {
        all.filter { $0.1.path != nil }.map { name, program in
            Contender(name: name, program: program, operation: operation, sides: sides)
        }
    }
}
