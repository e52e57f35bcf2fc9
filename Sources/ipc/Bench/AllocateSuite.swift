import CBenchmarkPeers
import Interprocess
import InterprocessSystem
import SystemPackage

/// What `ipc bench allocate` measures: a block allocated and freed, of several sizes, by a process alone and by two at once; and blocks of random sizes. The floors are private heaps.
extension BenchmarkSuite {
    static let allocate = BenchmarkSuite(
        name: "allocate",
        comparisons: sizes.map { pair($0, "alone", .oneProcess) } + [16, 256, 4096].map { pair($0, "two at once", .twoCores) }
            + [random("random sizes", .oneProcess)])

    private static let sizes = [16, 64, 256, 1024, 4096, 16384, 65536]

    private static func pair(_ size: Int, _ subject: String, _ placement: Placement) -> Comparison {
        let isAlone = placement == .oneProcess
        func contender(_ name: String, _ body: @escaping Contender.Body) -> Contender {
            Contender(name: name, near: body, far: isAlone ? nil : body)
        }
        return Comparison(
            metric: .pair, subject: subject, size: size, placement: placement, baseline: "glibc",
            contenders: [
                contender("interprocess") { side in try allocatorPairs(side) },
                contender("interprocess-arena") { side in try arenaPairs(side) },
                contender("glibc") { unsafe bench_malloc_pair($0.pointer) },
            ] + rivals("pair-\(size)", sides: isAlone ? 1 : 2))
    }

    private static func random(_ subject: String, _ placement: Placement) -> Comparison {
        Comparison(
            metric: .pair, subject: subject, size: 0, placement: placement, baseline: "glibc",
            contenders: [
                Contender(name: "interprocess") { side in try allocatorRandom(side) },
                Contender(name: "glibc") { unsafe bench_malloc_random($0.pointer) },
            ] + rivals("random-0", sides: 1))
    }

    /// Those that were built.
    private static func rivals(_ operation: String, sides: Int) -> [Contender] {
        [("boost", PeerProgram.boostAllocate), ("mimalloc", .mimalloc)].filter { $0.1.path != nil }.map { name, program in
            Contender(name: name, program: program, operation: operation, sides: sides)
        }
    }

    private static func open(_ side: BenchmarkSide) throws -> SharedArena {
        let name = side.objectName("arena")
        if side.isNear { side.own(ObjectDirectory.user.path.appending(name)) }
        return try SharedArena(named: ObjectName(name), options: ArenaOptions(limit: 64 << 20))
    }

    @inline(never)
    private static func allocatorPairs(_ side: BenchmarkSide) throws {
        let allocator = try open(side).makeAllocator()
        let size = side.size
        var block: Offset?
        try side.measurePairs(
            take: {
                block = try allocator.allocate(byteCount: size)
                unsafe withUnsafePointer(to: block) { unsafe bench_use($0) }
            }, giveBack: { if let block { try allocator.free(block) } })
        allocator.close()
    }

    @inline(never)
    private static func arenaPairs(_ side: BenchmarkSide) throws {
        let arena = try open(side)
        let size = side.size
        var block: Offset?
        try side.measurePairs(
            take: {
                block = try arena.allocate(byteCount: size)
                unsafe withUnsafePointer(to: block) { unsafe bench_use($0) }
            }, giveBack: { if let block { try arena.free(block) } })
    }

    @inline(never)
    private static func allocatorRandom(_ side: BenchmarkSide) throws {
        let allocator = try open(side).makeAllocator()
        var random: UInt64 = 88_172_645_463_325_252
        var live: [Offset] = []
        for _ in 0..<Int(BENCH_LIVE) { live.append(try allocator.allocate(byteCount: 16 + Int(unsafe bench_random(&random) % 4081))) }
        var place = 0
        try side.measurePairs(
            take: {
                place = Int(unsafe bench_random(&random) % UInt64(BENCH_LIVE))
                try allocator.free(live[place])
            }, giveBack: { live[place] = try allocator.allocate(byteCount: 16 + Int(unsafe bench_random(&random) % 4081)) })
        allocator.close()
    }
}
