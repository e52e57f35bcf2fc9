import CBenchmarkPeers
import InterprocessSystem
import SystemPackage

/// One process's part in "go on" and "go on", by a facility that carries no more than that.
protocol FacilityBell: AnyObject {
    func wake() throws
    func await() throws
}

/// An event counter in each direction.
final class EventCounterBell: FacilityBell {
    private let mine: EventCounter
    private let others: EventCounter
    init(_ side: BenchmarkSide) {
        mine = EventCounter(owning: side.descriptor(0))
        others = EventCounter(owning: side.descriptor(1))
    }

    func wake() throws { try others.add(1) }
    func await() throws { _ = try mine.take() }
}

/// Two POSIX semaphores in shared memory, made by the near side.
final class PosixSemaphoreBell: FacilityBell {
    private let mine: PosixSemaphore
    private let others: PosixSemaphore
    init(_ side: BenchmarkSide) throws {
        let page = unsafe side.page
        // Of the near side the first one, each on a line of its own.
        let near = unsafe page, far = unsafe page + 128
        if side.isNear {
            _ = unsafe try PosixSemaphore.create(at: near)
            _ = unsafe try PosixSemaphore.create(at: far)
        }
        side.meet()
        unsafe mine = PosixSemaphore.open(at: side.isNear ? near : far)
        unsafe others = PosixSemaphore.open(at: side.isNear ? far : near)
    }

    func wake() throws { try others.signal() }
    func await() throws { try mine.wait() }
}

/// A set of two System V semaphores.
final class SystemVSemaphoreBell: FacilityBell {
    private let set: SystemVSemaphoreSet
    private let given: [SystemVSemaphoreSet.Part]
    private let taken: [SystemVSemaphoreSet.Part]
    init(_ side: BenchmarkSide) throws {
        set = try SystemVSemaphoreSet(identifier: unsafe bench_open_semaphores(side.pointer))
        given = [.add(1, to: side.isNear ? 1 : 0)]
        taken = [.take(1, from: side.isNear ? 0 : 1)]
    }

    func wake() throws { try set.operate(given) }
    func await() throws { try set.operate(taken) }
}

/// A word for each in shared memory.
@safe
final class FutexBell: FacilityBell {
    private let mine: UnsafeMutableRawPointer
    private let others: UnsafeMutableRawPointer
    init(_ side: BenchmarkSide) {
        let page = unsafe side.page
        unsafe mine = page + (side.isNear ? 0 : 128)
        unsafe others = page + (side.isNear ? 128 : 0)
    }

    func wake() {
        unsafe bench_store_word(others, 1)
        unsafe Futex.wake(others, count: 1)
    }
    func await() throws {
        while unsafe bench_exchange_word(mine, 0) == 0 { _ = unsafe try Futex.wait(mine, while: 0) }
    }
}

/// A real-time signal with a number, received by a descriptor.
final class SignalBell: FacilityBell {
    private let signals: SignalDescriptor
    private let other: Int32
    init(_ side: BenchmarkSide) throws {
        let signal = Signal.realTime.lowerBound
        Signal.block([signal])
        signals = try SignalDescriptor([signal])
        other = unsafe bench_exchange_pids(side.pointer)
    }

    func wake() throws { try Signal.send(Signal.realTime.lowerBound, to: other, value: 1) }
    func await() throws { _ = try signals.receive() }
}

extension BenchmarkSide {
    /// The first page of the area.
    fileprivate var page: UnsafeMutableRawPointer { unsafe bench_map(pointer, 0, UInt64(BENCH_PAGE)) }
}
