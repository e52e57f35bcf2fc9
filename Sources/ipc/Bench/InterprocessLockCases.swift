import CBenchmarkPeers
import Interprocess
import InterprocessSystem
import SystemPackage

/// The library's own cases of the locks suite. Each object has a name of the measurement's own, which goes with the last of the sides.
enum InterprocessLockCases {
    private static func name(_ side: BenchmarkSide, _ suffix: String) throws -> ObjectName {
        let name = side.objectName(suffix)
        if side.isNear { side.own(ObjectDirectory.user.path.appending(name)) }
        return try ObjectName(name)
    }

    // MARK: A process alone

    static let mutex = Contender(name: "interprocess") { side in try mutexPairs(side) }
    static let semaphore = Contender(name: "interprocess") { side in try semaphorePairs(side) }
    static let permits = Contender(name: "interprocess-permits") { side in try permitPairs(side) }
    static let reading = Contender(name: "interprocess") { side in try readPairs(side) }
    static let writing = Contender(name: "interprocess") { side in try writePairs(side) }

    static let variable = Contender(name: "interprocess") { side in try variablePairs(side) }

    /// The lock is held for a closure, so that taking and giving back is one call: here it is what is given back, and nothing is taken.
    @inline(never)
    private static func mutexPairs(_ side: BenchmarkSide) throws {
        let mutex = try SharedMutex<UInt64>(named: name(side, "mutex"), initial: 0)
        try side.measurePairs(
            take: {}, giveBack: { try mutex.withLock { unsafe withUnsafeMutablePointer(to: &$0) { unsafe bench_use($0) } } })
    }

    @inline(never)
    private static func semaphorePairs(_ side: BenchmarkSide) throws {
        let semaphore = try SharedSemaphore(named: name(side, "semaphore"), value: 0)
        try side.measurePairs(take: { try semaphore.signal() }, giveBack: { try semaphore.wait() })
    }

    @inline(never)
    private static func permitPairs(_ side: BenchmarkSide) throws {
        let permits = try SharedPermits(named: name(side, "permits"), units: 4)
        try side.measurePairs(
            take: {},
            giveBack: {
                let permit = try permits.acquire()
                permit.release()
            })
    }

    @inline(never)
    private static func readPairs(_ side: BenchmarkSide) throws {
        let lock = try SharedReadWriteLock<UInt64>(named: name(side, "rwlock"), initial: 0)
        try side.measurePairs(
            take: {},
            giveBack: {
                var value = try lock.withReadLock { $0 }
                unsafe withUnsafeMutablePointer(to: &value) { unsafe bench_use($0) }
            })
    }

    @inline(never)
    private static func writePairs(_ side: BenchmarkSide) throws {
        let lock = try SharedReadWriteLock<UInt64>(named: name(side, "rwlock"), initial: 0)
        try side.measurePairs(
            take: {}, giveBack: { try lock.withWriteLock { unsafe withUnsafeMutablePointer(to: &$0) { unsafe bench_use($0) } } })
    }

    @inline(never)
    private static func variablePairs(_ side: BenchmarkSide) throws {
        let variable = try SharedVariable<UInt64>(named: name(side, "variable"))
        var number: UInt64 = 0
        try side.measurePairs(
            take: {
                number &+= 1
                try variable.put(number)
            }, giveBack: { if try variable.take() != number { throw WrongValue() } })
    }

    /// Another value was taken than was put.
    private struct WrongValue: Error {}

    // MARK: Two that want the same

    static let contendedMutex = both("interprocess") { side in try contendMutex(side) }
    static let contendedSemaphore = both("interprocess") { side in try contendSemaphore(side) }
    static let contendedWriting = both("interprocess") { side in try contendWriting(side) }

    private static func both(_ name: String, _ body: @escaping Contender.Body) -> Contender {
        Contender(name: name, near: body, far: body)
    }

    @inline(never)
    private static func contendMutex(_ side: BenchmarkSide) throws {
        let mutex = try SharedMutex<UInt64>(named: name(side, "mutex"), initial: 0)
        try side.measureContention(holding: { turn in try mutex.withLock { _ in turn() } })
    }

    @inline(never)
    private static func contendSemaphore(_ side: BenchmarkSide) throws {
        let semaphore = try SharedSemaphore(named: name(side, "semaphore"), value: 1)
        try side.measureContention(take: { try semaphore.wait() }, giveBack: { try semaphore.signal() })
    }

    @inline(never)
    private static func contendWriting(_ side: BenchmarkSide) throws {
        let lock = try SharedReadWriteLock<UInt64>(named: name(side, "rwlock"), initial: 0)
        try side.measureContention(holding: { turn in try lock.withWriteLock { _ in turn() } })
    }

    // MARK: Waiting for each other

    static let condition = Contender(
        name: "interprocess", near: { side in try passBall(side, first: 0) }, far: { side in try passBall(side, first: 1) })
    static let variableSwitch = Contender(
        name: "interprocess", near: { side in try ping(side) }, far: { side in try pong(side) })
    static let barrier = both("interprocess") { side in try meet(side) }

    /// Each waits until the value is its own, and makes it the other's.
    @inline(never)
    private static func passBall(_ side: BenchmarkSide, first mine: UInt64) throws {
        let mutex = try SharedMutex<UInt64>(named: name(side, "mutex"), initial: 0)
        let condition = try SharedCondition(named: name(side, "condition"))
        side.start()
        var before = bench_ticks()
        for _ in 0..<side.count {
            try mutex.withLock(when: { $0 == mine }, on: condition) { $0 = 1 - mine }
            try condition.notifyOne()
            if side.isNear {
                let now = bench_ticks()
                side.record(now &- before)
                before = now
            }
        }
        side.stop()
    }

    /// A value there and back, through a variable for each direction.
    @inline(never)
    private static func ping(_ side: BenchmarkSide) throws {
        let (there, back) = try variables(side)
        side.start()
        var before = bench_ticks()
        for number in 0..<UInt64(side.count) {
            try there.put(number)
            guard try back.take() == number else { throw WrongValue() }
            let now = bench_ticks()
            side.record(now &- before)
            before = now
        }
        side.stop()
    }

    @inline(never)
    private static func pong(_ side: BenchmarkSide) throws {
        let (there, back) = try variables(side)
        side.start()
        for _ in 0..<side.count { try back.put(there.take()) }
        side.stop()
    }

    private static func variables(_ side: BenchmarkSide) throws -> (SharedVariable<UInt64>, SharedVariable<UInt64>) {
        (try SharedVariable(named: name(side, "there")), try SharedVariable(named: name(side, "back")))
    }

    @inline(never)
    private static func meet(_ side: BenchmarkSide) throws {
        let barrier = try SharedBarrier(named: name(side, "barrier"), parties: 2)
        side.start()
        var before = bench_ticks()
        for _ in 0..<side.count {
            try barrier.wait()
            if side.isNear {
                let now = bench_ticks()
                side.record(now &- before)
                before = now
            }
        }
        side.stop()
    }
}
