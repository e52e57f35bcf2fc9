import CBenchmarkPeers
import Interprocess
import InterprocessSystem
import SystemPackage

/// The arena's cases of `ipc bench allocate`: the same loops as in `benchmark_allocate.h`.
enum AllocateLoops {
    private static func open(_ side: BenchmarkSide) throws -> SharedArena {
        let name = side.objectName("arena")
        if side.isNear { side.own(ObjectDirectory.user.path.appending(name)) }
        return try SharedArena(named: ObjectName(name), options: ArenaOptions(limit: 64 << 20))
    }

    @inline(never)
    static func pairs(_ side: BenchmarkSide) throws {
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
    static func arenaPairs(_ side: BenchmarkSide) throws {
        let arena = try open(side)
        let size = side.size
        var block: Offset?
        try side.measurePairs(
            take: {
                block = try arena.allocate(byteCount: size)
                unsafe withUnsafePointer(to: block) { unsafe bench_use($0) }
            }, giveBack: { if let block { try arena.free(block) } })
    }

    /// So many blocks of 16 to 4,096 bytes are live, and in each turn one of them, at random, is freed and another one allocated.
    private struct RandomBlocks {
        private var random: UInt64
        private var live: [Offset] = []
        private var place = 0

        init(_ side: BenchmarkSide, _ allocator: borrowing ArenaAllocator) throws {
            random = 88_172_645_463_325_252 + UInt64(side.isNear ? 0 : side.member + 1)
            for _ in 0..<Int(BENCH_LIVE) { live.append(try allocate(allocator)) }
        }

        @inline(__always)
        private mutating func allocate(_ allocator: borrowing ArenaAllocator) throws(ArenaError) -> Offset {
            try allocator.allocate(byteCount: 16 + Int(unsafe bench_random(&random) % 4081))
        }

        @inline(__always)
        mutating func free(_ allocator: borrowing ArenaAllocator) throws(ArenaError) {
            place = Int(unsafe bench_random(&random) % UInt64(BENCH_LIVE))
            try allocator.free(live[place])
        }

        @inline(__always)
        mutating func replace(_ allocator: borrowing ArenaAllocator) throws(ArenaError) { live[place] = try allocate(allocator) }
    }

    @inline(never)
    static func random(_ side: BenchmarkSide) throws {
        let allocator = try open(side).makeAllocator()
        var blocks = try RandomBlocks(side, allocator)
        try side.measurePairs(take: { try blocks.free(allocator) }, giveBack: { try blocks.replace(allocator) })
        allocator.close()
    }

    @inline(never)
    static func together(_ side: BenchmarkSide) throws {
        let allocator = try open(side).makeAllocator()
        var blocks = try RandomBlocks(side, allocator)
        let turns = side.count / (side.nearCount + side.farCount)
        side.start()
        for _ in 0..<turns {
            try blocks.free(allocator)
            try blocks.replace(allocator)
        }
        side.stop()
        allocator.close()
    }

    @inline(never)
    static func batches(_ side: BenchmarkSide) throws {
        let allocator = try open(side).makeAllocator()
        let size = side.size
        var order = [UInt16](repeating: 0, count: Int(BENCH_CHUNK))
        unsafe bench_shuffle(&order)
        let first = try allocator.allocate(byteCount: size)
        var blocks = [Offset](repeating: first, count: Int(BENCH_CHUNK))
        try allocator.free(first)
        side.start()
        for _ in 0..<side.count / Int(BENCH_CHUNK) {
            let before = bench_ticks()
            for index in blocks.indices { blocks[index] = try allocator.allocate(byteCount: size) }
            unsafe blocks.withUnsafeBytes { unsafe bench_use($0.baseAddress) }
            for index in order { try allocator.free(blocks[Int(index)]) }
            side.record(bench_ticks() &- before)
        }
        side.stop()
        allocator.close()
    }

    /// The far side allocates, and passes on; the near side frees, and measures.
    @inline(never)
    static func passed(_ side: BenchmarkSide) throws {
        let allocator = try open(side).makeAllocator()
        let size = side.size
        let pass = unsafe bench_map(side.pointer, 0, UInt64(BENCH_PAGE))!.assumingMemoryBound(to: bench_pass.self)
        let isNear = side.isNear
        side.start()
        var before = bench_ticks()
        var chunk = 0
        for index in 0..<UInt64(side.count) {
            guard isNear else {
                let block = try allocator.allocate(byteCount: size)
                // So that it does not come back when this process ends: it is the other's now.
                try allocator.keep(block)
                unsafe bench_put_number(pass, index, block.rawValue)
                continue
            }
            guard let block = unsafe Offset(rawValue: bench_take_number(pass, index)) else { throw BenchmarkError("no block was passed") }
            try allocator.free(block)
            chunk += 1
            if chunk == Int(BENCH_CHUNK) {
                let now = bench_ticks()
                side.record(now &- before)
                before = now
                chunk = 0
            }
        }
        side.stop()
        side.leave()
        allocator.close()
    }
}
