import InterprocessSystem
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import Interprocess

@Suite("Arena", .serialized) struct ArenaSuite {}

struct ArenaScene {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    func options(limit: Int = 64 << 20) -> ArenaOptions { ArenaOptions(directory: directory.objects, limit: limit) }
    func open(limit: Int = 64 << 20) throws -> SharedArena { try SharedArena(named: "a", options: options(limit: limit)) }
    func start(_ command: String, _ more: [String] = []) throws -> PeerProcess {
        try PeerProcess(command, [directory.path.string] + more, environment: ["SWIFT_BACKTRACE": "enable=no"])
    }
}

func arenaError(_ body: () throws -> Void) -> ArenaError? {
    do { try body() } catch { return error as? ArenaError }
    return nil
}

extension SharedArena {
    /// Writes the block's own offset all over it, and looks for it again.
    func fill(_ offset: Offset, _ size: Int) throws {
        try unsafe withBytes(at: offset) { bytes in
            for index in 0..<size / 8 { unsafe bytes.storeBytes(of: offset.rawValue, toByteOffset: index * 8, as: UInt64.self) }
        }.get()
    }

    func isFilled(_ offset: Offset, _ size: Int) throws -> Bool {
        try unsafe withBytes(at: offset) { bytes in
            for index in 0..<size / 8 where unsafe bytes.load(fromByteOffset: index * 8, as: UInt64.self) != offset.rawValue {
                return false
            }
            return true
        }.get()
    }
}

extension ArenaSuite {
    @Suite("one process") struct One {
        @Test("A1 size classes: every size fits, wastes a fifth at most, and the number of a block is exact")
        func classes() {
            for size in 1...ArenaUnit.largestSmall {
                let found = SizeClass.of(size)
                let block = SizeClass.size(found)
                #expect(block >= size && (found == 0 || SizeClass.size(found - 1) < size))
                if size > 128 { #expect(block - size <= block / 5) }
            }
            for index in 0..<SizeClass.count {
                let (size, reciprocal) = (UInt64(SizeClass.size(index)), SizeClass.reciprocal(index))
                for place in 0..<UInt64(ArenaUnit.page) where (place &* reciprocal) >> 32 != place / size {
                    Issue.record("class \(index), place \(place)")
                }
                #expect(SizeClass.words(index) <= 64)
            }
        }

        private func allocateUntilFull(_ arena: SharedArena, _ size: Int) throws -> [Offset] {
            var found: [Offset] = []
            while true {
                do throws(ArenaError) { found.append(try arena.allocate(byteCount: size)) } catch {
                    guard case .full = error else { throw error }
                    return found
                }
            }
        }

        @Test("A1 what was freed of one size after another is found again: full means that there is no room")
        func changingSizes() throws {
            let scene = try ArenaScene()
            let arena = try scene.open(limit: 4 << 20)
            for offset in try (0..<40_960).map({ _ in try arena.allocate(byteCount: 64) }) { try arena.free(offset) }
            let large = try allocateUntilFull(arena, 1024)
            for index in stride(from: 0, to: large.count, by: 2) { try arena.free(large[index]) }
            let again = try allocateUntilFull(arena, 1024)
            #expect(again.count >= (large.count + 1) / 2, "of \(large.count) blocks every second was freed, and \(again.count) were found")
        }

        @Test("A1 room at the end that is free already counts when the arena grows")
        func growingFromFree() throws {
            let scene = try ArenaScene()
            let arena = try scene.open(limit: 4 << 20)
            _ = try arena.allocate(byteCount: 1)
            for _ in 0..<3 {
                let large = try arena.allocate(byteCount: 7 << 19)
                try arena.free(large)
                try arena.free(try arena.allocate(byteCount: 5 << 19))
            }
        }

        private final class Inner: Sendable { let offset = Mutex<Offset?>(nil) }

        @Test("A3 what fills a block before it is published may use the arena itself")
        func nested() throws {
            let scene = try ArenaScene()
            let arena = try scene.open()
            let thread = try TestThread {
                let inner = Inner()
                let outer = try unsafe arena.allocate(byteCount: 64, into: arena.root(0)) { bytes in
                    let count = bytes.count
                    #expect(count == 64)
                    inner.offset.withLock { $0 = try? arena.allocate(byteCount: 32) }
                }
                let found = try arena.load(arena.root(0))
                #expect(found == outer)
                #expect(inner.offset.withLock { $0 } != nil)
            }
            try thread.join()
        }

        @Test("A1 blocks of every size and alignment: aligned, apart from one another, and all of it comes back")
        func blocks() throws {
            let scene = try ArenaScene()
            let arena = try scene.open()
            var random = SeededRandom(for: "blocks of an arena")
            var live: [(Offset, Int)] = []
            for round in 0..<4000 {
                if live.count > 200 || (round % 3 == 0 && !live.isEmpty) {
                    let (offset, size) = live.remove(at: Int.random(in: 0..<live.count, using: &random))
                    #expect(try arena.isFilled(offset, size))
                    try arena.free(offset)
                    continue
                }
                let alignment = 1 << Int.random(in: 0...(round % 50 == 0 ? 21 : 12), using: &random)
                let size = Int.random(in: 0...(round % 100 == 0 ? 300_000 : 5000), using: &random)
                let offset = try arena.allocate(byteCount: size, alignment: alignment)
                #expect(offset.rawValue % UInt64(alignment) == 0)
                let address = try unsafe arena.withBytes(at: offset) { UInt(bitPattern: $0.baseAddress!) }.get()
                #expect(address % UInt(alignment) == 0)
                try arena.fill(offset, size)
                live.append((offset, size))
            }
            for (offset, size) in live {
                #expect(try arena.isFilled(offset, size))
                try arena.free(offset)
            }
            let after = arena.statistics()
            #expect(after.used == 0 && after.inHand == 0 && arena.validate().isEmpty)
            try arena.trim()
            // What is left are the slabs from which is allocated next.
            #expect(arena.statistics().returned >= arena.statistics().grown - SizeClass.count * ArenaUnit.page)
        }

        @Test("A1 X1 the whole arena in one block; more is full, and nothing is lost by asking")
        func whole() throws {
            let scene = try ArenaScene()
            let arena = try scene.open(limit: 4 << 20)
            let all = try arena.allocate(byteCount: 4 << 20)
            #expect(arenaError { _ = try arena.allocate(byteCount: 1) } == .full)
            #expect(arenaError { _ = try arena.allocate(byteCount: 1 << 40) } == .full)
            #expect(arenaError { _ = try arena.allocate(byteCount: -1) } == .invalidSize)
            #expect(arenaError { _ = try arena.allocate(byteCount: 1, alignment: 3) } == .invalidSize)
            #expect(arenaError { _ = try arena.allocate(byteCount: 1, alignment: 4 << 20) } == .invalidSize)
            try arena.free(all)
            for size in [1, 16, 100, 1000, 32 << 10, 40 << 10, 1 << 20] {
                var all: [Offset] = []
                while true { do { all.append(try arena.allocate(byteCount: size)) } catch ArenaError.full { break } }
                #expect(all.count * size > 1 << 20 || size == 1)
                #expect(Set(all).count == all.count)
                for offset in all { try arena.free(offset) }
            }
            #expect(arena.statistics().used == 0 && arena.validate().isEmpty)
        }

        @Test("X1 X2 bad offsets: foreign, repeated, in the middle, beyond the end; an error that says so, and nothing happens")
        func badOffsets() throws {
            let scene = try ArenaScene()
            let arena = try scene.open()
            let small = try arena.allocate(byteCount: 100)
            let run = try arena.allocate(byteCount: 200_000)
            func fault(_ place: UInt64) -> ArenaError.OffsetFault? {
                guard case .invalid(_, let fault)? = arenaError({ try arena.free(Offset(rawValue: place)!) }) else { return nil }
                return fault
            }
            #expect(fault(1) == .outside && fault(.max) == .outside && fault(1 << 40) == .outside)
            #expect(fault(arena.root(0).offset.rawValue) == .outside)
            #expect(fault(small.rawValue + 8) == .misaligned && fault(run.rawValue + 16) == .misaligned)
            #expect(fault(run.rawValue + UInt64(ArenaUnit.page)) == .misaligned)
            #expect(fault(small.rawValue + 112) == .notAllocated)
            try arena.free(small)
            #expect(fault(small.rawValue) == .notAllocated)
            try arena.free(run)
            #expect(fault(run.rawValue) == .notAllocated)
            #expect(arenaError { _ = try unsafe arena.withBytes(at: small) { _ in } } == .invalid(small, .notAllocated))
            let other = try arena.allocate(byteCount: 16)
            #expect(arenaError { _ = try arena.value(at: TypedOffset<InlineArray<9, UInt64>>(other)) } == .invalid(other, .tooSmall))
            try arena.keep(other)
            #expect(arenaError { try arena.keep(other) } == .invalid(other, .notInHand))
            #expect(arena.statistics().used == 16 && arena.statistics().inHand == 0)
        }

        @Test("A1 reallocate keeps the content, moves only when it has to")
        func reallocate() throws {
            let arena = try ArenaScene().open()
            var block = try arena.allocate(byteCount: 64)
            try unsafe arena.withBytes(at: block) { unsafe $0.storeBytes(of: 42, as: Int.self) }.get()
            for size in [60, 1000, 100_000, 1_000_000, 20] {
                let moved = try arena.reallocate(block, byteCount: size)
                #expect((moved == block) == (size == 60))
                block = moved
                #expect(try unsafe arena.withBytes(at: block) { unsafe $0.load(as: Int.self) }.get() == 42)
            }
            #expect(arena.statistics().used == 32)
        }

        @Test("A5 links: published once, replaced, taken out and freed; what is not as said is changed by nobody")
        func links() throws {
            let arena = try ArenaScene().open()
            let link = arena.root(5)
            #expect(try arena.load(link) == nil)
            let first = try unsafe arena.allocate(byteCount: 100, into: link) { unsafe $0.storeBytes(of: 7, as: Int.self) }
            #expect(try arena.load(link) == first && arena.statistics().inHand == 0)
            #expect(arenaError { _ = try unsafe arena.allocate(byteCount: 100, into: link) { _ in } } == .changed(first))
            #expect(arena.statistics().used == 112)
            let second = try arena.allocate(byteCount: 200_000)
            #expect(arenaError { try arena.replace(second, with: second, in: link) } == .changed(first))
            try arena.replace(first, with: second, in: link)
            #expect(try arena.load(link) == second && arena.statistics().inHand == 0)
            #expect(arenaError { try arena.publish(first, into: arena.root(6)) } == .invalid(first, .notAllocated))
            #expect(arenaError { try arena.publish(second, into: arena.root(6)) } == .invalid(second, .notInHand))
            // A link in a block.
            let inner = ArenaLink(in: second, at: 8)
            try unsafe arena.withBytes(at: second) { unsafe $0.storeBytes(of: 0, toByteOffset: 8, as: Int.self) }.get()
            let third = try unsafe arena.allocate(byteCount: 16, into: inner) { _ in }
            #expect(try arena.load(inner) == third)
            try arena.free(third, from: inner)
            #expect(try arena.load(inner) == nil)
            try arena.free(second, from: link)
            #expect(try arena.load(link) == nil && arena.statistics().used == 0)
            #expect(arenaError { _ = try arena.load(ArenaLink(at: Offset(12))) } == .invalid(Offset(12), .misaligned))
            #expect(arenaError { _ = try arena.load(ArenaLink(at: Offset(8))) } == .invalid(Offset(8), .outside))
        }

        @Test(
            "A1 allocators of several threads: each block is one's, also when others free it, and an allocator's end frees what it had in hand"
        )
        func threads() throws {
            let arena = try ArenaScene().open()
            let kept = try arena.allocate(byteCount: 48)
            let failures = Lock<[String]>([])
            let done = Latch(5)
            for number in 0..<4 {
                try startServiceThread(named: "allocating") {
                    do { try Self.churn(arena, seed: UInt64(number)) } catch { failures.withLock { $0.append("\(error)") } }
                    done.countDownAndWait()
                }
            }
            done.countDownAndWait()
            #expect(failures.withLock { $0 } == [])
            #expect(arena.statistics().used == 48 && arena.statistics().heaps.count == 1 && arena.validate().isEmpty)
            try arena.free(kept)
            try arena.trim()
            #expect(arena.statistics().used == 0)
        }

        private static func churn(_ arena: SharedArena, seed: UInt64) throws {
            let allocator = try arena.makeAllocator()
            var random = SeededRandom(seed: seed)
            var live: [(Offset, Int)] = []
            for _ in 0..<20_000 {
                if live.count > 100 {
                    let (offset, size) = live.remove(at: Int.random(in: 0..<live.count, using: &random))
                    if try !arena.isFilled(offset, size) { throw TestFailure("overwritten") }
                    // By the other heap, or by its own.
                    if Bool.random(using: &random) { try arena.free(offset) } else { try allocator.free(offset) }
                }
                let size = 8 * Int.random(in: 1...200, using: &random)
                let offset = try allocator.allocate(byteCount: size)
                try arena.fill(offset, size)
                live.append((offset, size))
            }
            allocator.close()
        }

        @Test("A3 it grows to its limit, and memory comes back: of 100,000 blocks of 1 KiB 95 of 100, and they cost a tenth more at most")
        func memory() throws {
            let arena = try ArenaScene().open(limit: 256 << 20)
            func reserved() throws -> Int { try FileStatus(of: arena.segment.descriptor).reservedBytes }
            let before = try reserved()
            var all: [Offset] = []
            for _ in 0..<100_000 { all.append(try arena.allocate(byteCount: 1000)) }
            let most = try reserved()
            #expect(most <= 115_000_000, "\(most) bytes")
            for offset in all { try arena.free(offset) }
            try arena.trim()
            let after = try reserved()
            #expect(after - before < (most - before) / 20 + (4 << 20), "\(most), then \(after)")
            // And is had again.
            all = []
            for _ in 0..<100_000 { all.append(try arena.allocate(byteCount: 1000)) }
            for offset in all { try arena.fill(offset, 1000) }
            #expect(arena.validate().isEmpty)
        }

        @Test("A3 X1 a file system without room is an error, and nothing is lost by asking", arguments: [Errno.noSpace, .ioError])
        func noSpace(error: Errno) throws {
            let arena = try ArenaScene().open()
            let expected: ArenaError = error == .noSpace ? .noSpace : .system(error)
            func fails() {
                let error = arenaError {
                    try SystemCallFaults.withFault("posix_fallocate", error) { _ = try arena.allocate(byteCount: 2 << 20) }
                }
                #expect(error == expected)
            }
            fails()
            let block = try arena.allocate(byteCount: 2 << 20)
            try arena.free(block)
            try arena.trim()
            fails()
            _ = try arena.allocate(byteCount: 2 << 20)
            #expect(arena.validate().isEmpty)
        }

        @Test("A1 without a name: by descriptor")
        func anonymous() throws {
            let arena = try SharedArena.anonymous(options: ArenaOptions(limit: 1 << 20))
            let block = try unsafe arena.allocate(byteCount: 64, into: arena.root(0)) { unsafe $0.storeBytes(of: 9, as: Int.self) }
            let other = try SharedArena(descriptor: arena.segment.descriptor)
            #expect(try other.load(other.root(0)) == block)
            #expect(try unsafe other.withBytes(at: block) { unsafe $0.load(as: Int.self) }.get() == 9)
            try other.free(block, from: other.root(0))
            #expect(arena.statistics().used == 0)
        }
    }
}
