import CBenchmarkPeers
import SystemPackage

/// One side of a case in its own process: what it has to do, and where it reports.
///
/// A case that is written in Swift keeps its loop in a function of its own that is not async, reads the counter with `bench_ticks()` and
/// calls ``record(_:)``.
@safe
struct BenchmarkSide: Sendable {
    /// For the cases in C.
    nonisolated(unsafe) let pointer: UnsafeMutablePointer<bench_side>

    /// Bytes of a message.
    var size: Int { unsafe Int(pointer.pointee.size) }
    /// Turns to run.
    var count: Int { unsafe Int(pointer.pointee.count) }
    /// Bytes that a queue of this case should hold, so that all rings have the same footprint.
    var capacity: Int { unsafe Int(pointer.pointee.capacity) }

    /// A name for an object of this measurement only; the same on both sides.
    func objectName(_ suffix: String) -> String { unsafe "bench-\(String(pointer.pointee.control.pointee.token, radix: 36))-\(suffix)" }
    /// The near side's: has the file removed also when this process is ended by a signal.
    func own(_ file: FilePath) { unsafe file.withPlatformString { unsafe bench_own_file($0) } }
    var isNear: Bool { unsafe bench_is_near(pointer) }
    /// Which of the processes on the same side this is.
    var member: Int { unsafe Int(bench_member(pointer)) }
    /// Processes on the near side.
    var nearCount: Int { unsafe Int(pointer.pointee.control.pointee.near_sides) }
    /// Processes on the far side.
    var farCount: Int { unsafe Int(bench_far_sides(pointer)) }

    /// What the coordinator made for this side: see ``SideDescriptors``.
    func descriptor(_ index: Int) -> FileDescriptor { FileDescriptor(rawValue: CInt(Int(BENCH_INPUT) + index)) }

    /// Waits for all sides, as often as wanted before the measurement or after it.
    func meet() { unsafe bench_meet(pointer) }
    /// Waits until all sides have stopped: for objects that nobody may close earlier.
    func leave() { unsafe bench_leave(pointer) }
    /// Waits for all sides; the measurement begins.
    func start() { unsafe bench_start(pointer) }
    /// The measurement is over.
    func stop() { unsafe bench_stop(pointer) }

    /// Writes down a sample, in ticks; only the near side.
    @inline(__always) func record(_ ticks: UInt64) { unsafe bench_record(pointer, ticks) }

    /// Of a wake-up case. The near side announces, waits, records; the far side awaits, wakes, ends.
    func announceSleep() { unsafe bench_announce_sleep(pointer) }
    func recordWakeup() { unsafe bench_record_wakeup(pointer) }
    func awaitSleeper() { unsafe bench_await_sleeper(pointer) }
    func endWakeup() { unsafe bench_end_wakeup(pointer) }

    /// Opens the side that the coordinator has started this process for. Lives as long as the process.
    static func open(index: Int, size: Int, count: Int, area: BenchmarkArea, areaOffset: Int) throws -> BenchmarkSide {
        let pointer = UnsafeMutablePointer<bench_side>.allocate(capacity: 1)
        unsafe pointer.initialize(to: bench_side())
        let status = unsafe bench_open(
            pointer, UInt32(index), UInt64(size), UInt64(count), UInt64(area.capacity), UInt64(areaOffset), UInt64(area.size))
        guard status == 0 else { throw BenchmarkError("the memory of the measurement: \(Errno(rawValue: -status))") }
        return unsafe BenchmarkSide(pointer: pointer)
    }
}
