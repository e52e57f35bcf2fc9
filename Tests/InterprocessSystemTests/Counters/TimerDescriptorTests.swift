import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K4 timers")
struct TimerDescriptorTests {
    private func blockingTake(_ timer: borrowing TimerDescriptor, until deadline: MonotonicInstant) throws(FacilityError) -> UInt64 {
        try timer.take(until: deadline)
    }

    @Test(
        "K4 it goes off once, or again and again, in this program and in another that has it",
        arguments: [TimerDescriptor.Clock.monotonic, .boot, .wall])
    func purpose(clock: TimerDescriptor.Clock) async throws {
        let timer = try TimerDescriptor(clock)
        #expect(isClosedByExec(timer.descriptor))
        #expect(try timer.remaining() == nil)
        #expect(try timer.tryTake() == nil)
        try timer.set(after: .milliseconds(1))
        #expect(try blockingTake(timer, until: .after(watchdog)) == 1)
        #expect(try timer.remaining() == nil)
        #expect(try timer.tryTake() == nil)
        try timer.set(after: .zero, every: .milliseconds(1))
        var times: UInt64 = 0
        while times < 5 { times += try await timer.take() }
        let python = try PeerProcess(
            python: "import os; print(int.from_bytes(os.read(5, 8), 'little') > 0, flush=True)", [], descriptors: [(timer.descriptor, 5)])
        try await python.expect("True")
        _ = try await python.ending()
        #expect(try await timer.take() > 0, "the other's end does not stop it")
        try timer.stop()
        _ = try timer.tryTake()
        #expect(try timer.remaining() == nil)
        #expect(try timer.tryTake() == nil)
        // A time that has passed: at once, and as often as it would have.
        try timer.set(at: .seconds(0))
        #expect(try blockingTake(timer, until: .after(watchdog)) == 1)
        try timer.set(after: .seconds(Int64.max))
        let long = try timer.remaining()
        #expect(try #require(long) > .seconds(1 << 30))
        let late = #expect(throws: FacilityError.self) { _ = try blockingTake(timer, until: after(milliseconds: 5)) }
        #expect(late?.isDeadline == true)
    }

    @Test("K4 every errno of the timerfd calls is told, with what to do")
    func errors() throws {
        let timer = try TimerDescriptor()
        expectEach(
            [.invalidArgument, .tooManyOpenFiles, .tooManyOpenFilesInSystem, .operationNotSupportedByDevice, .noMemory, .notPermitted],
            of: "timerfd_create", .timer
        ) { () throws(FacilityError) in _ = try TimerDescriptor() }
        expectEach([.badFileDescriptor, .invalidArgument, .canceled], of: "timerfd_settime", .timer) { () throws(FacilityError) in
            try timer.set(after: .seconds(1))
        }
        expectEach([.badFileDescriptor, .invalidArgument], of: "timerfd_gettime", .timer) { () throws(FacilityError) in
            _ = try timer.remaining()
        }
    }
}
