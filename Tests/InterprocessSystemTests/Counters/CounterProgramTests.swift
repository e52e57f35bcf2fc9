import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K4 counters and timers between programs")
struct CounterProgramTests {
    private func add(_ counter: borrowing EventCounter, _ count: UInt64, _ form: WaitingForm) async throws(FacilityError) {
        switch form {
        case .bare: try blockingAdd(counter, count)
        case .deadline: try blockingAdd(counter, count, until: .after(watchdog))
        case .task: try await counter.add(count)
        }
    }

    private func take<C: CountReading & ~Copyable>(_ end: borrowing C, _ form: WaitingForm) async throws(FacilityError) -> UInt64 {
        switch form {
        case .bare: return try blockingTake(end)
        case .deadline: return try blockingTake(end, until: .after(watchdog))
        case .task: return try await end.take()
        }
    }

    // By names of their own: in an asynchronous function the asynchronous form would be chosen.
    private func blockingAdd(_ counter: borrowing EventCounter, _ count: UInt64, until deadline: MonotonicInstant? = nil)
        throws(FacilityError)
    {
        if let deadline { try counter.add(count, until: deadline) } else { try counter.add(count) }
    }
    private func blockingTake<C: CountReading & ~Copyable>(
        _ end: borrowing C, until deadline: MonotonicInstant? = nil
    ) throws(FacilityError) -> UInt64 {
        if let deadline { try end.take(until: deadline) } else { try end.take() }
    }

    @Test("K4 adding to a full counter waits until another program takes; taking until it adds", arguments: WaitingForm.allCases)
    func released(_ form: WaitingForm) async throws {
        let counter = try EventCounter()
        let python = try PeerProcess(obeying: [(counter.descriptor, 3)])
        try await python.does("pass")
        try blockingAdd(counter, EventCounter.most)
        try python.releases(form, by: "n = os.eventfd_read(3)")
        try await add(counter, 5, form)
        try await python.isDone()
        #expect(try await python.value(of: "n") == "\(EventCounter.most)")
        #expect(try counter.tryTake() == 5)
        try python.releases(form, by: "os.eventfd_write(3, 9)")
        #expect(try await take(counter, form) == 9)
        try await python.isDone()
    }

    @Test("K4 a program that is killed while it waits has taken nothing, and has added nothing")
    func killed() async throws {
        let counter = try EventCounter()
        let taker = try PeerProcess(obeying: [(counter.descriptor, 3)])
        try await taker.waits(in: "os.eventfd_read(3)")
        try await taker.isKilled()
        try blockingAdd(counter, EventCounter.most)
        let adder = try PeerProcess(obeying: [(counter.descriptor, 3)])
        try await adder.waits(in: "os.eventfd_write(3, 1)")
        try await adder.isKilled()
        #expect(try counter.tryTake() == EventCounter.most)
        #expect(try counter.tryTake() == nil)
    }

    @Test("K4 another program that waits for a timer is released when it goes off; what it takes is gone, and its death stops nothing")
    func timer() async throws {
        let timer = try TimerDescriptor()
        let python = try PeerProcess(obeying: [(timer.descriptor, 3)])
        try await python.waits(in: "n = int.from_bytes(os.read(3, 8), sys.byteorder)")
        try timer.set(after: .milliseconds(1))
        try await python.isDone()
        #expect(try await python.value(of: "n") == "1")
        #expect(try timer.tryTake() == nil)
        try await python.waits(in: "os.read(3, 8)")
        try await python.isKilled()
        try timer.set(after: .milliseconds(1))
        #expect(try blockingTake(timer) == 1)
    }

    @Test("K4 taking from a timer waits until another program sets it", arguments: WaitingForm.allCases)
    func timerReleased(_ form: WaitingForm) async throws {
        let timer = try TimerDescriptor()
        let python = try PeerProcess(obeying: [(timer.descriptor, 3)])
        try await python.does("pass")
        try python.releases(form, by: "check(lib.timerfd_settime(3, 0, struct.pack('qqqq', 0, 0, 0, 1000), None))")
        #expect(try await take(timer, form) == 1)
        try await python.isDone()
    }

    @Test("K4 a kernel without reading that does not wait is asked first, and then called")
    func olderKernel() throws {
        let counter = try EventCounter(3), timer = try TimerDescriptor()
        func tryTake<C: CountReading & ~Copyable>(_ end: borrowing C) throws(FacilityError) -> UInt64? {
            try SystemCallFaults.withFault("preadv2(RWF_NOWAIT)", .notSupported) { () throws(FacilityError) in try end.tryTake() }
        }
        #expect(try tryTake(counter) == 3)
        #expect(try tryTake(counter) == nil)
        #expect(try tryTake(timer) == nil)
        try timer.set(at: .seconds(0))
        #expect(try blockingTake(timer, until: .after(watchdog)) == 1)
    }

    @Test("K4 that somebody has set the wall clock is told to who takes, with what to do")
    func clockSet() throws {
        let timer = try TimerDescriptor(.wall)
        try timer.set(at: .seconds(1 << 33), failsWhenClockIsSet: true)
        expectEach([.canceled, .badFileDescriptor, .invalidArgument, .ioError], of: "read", .timer) { () throws(FacilityError) in
            _ = try blockingTake(timer)
        }
        let error = #expect(throws: FacilityError.self) {
            try SystemCallFaults.withFault("read", .canceled) { () throws(FacilityError) in _ = try blockingTake(timer) }
        }
        #expect(error?.advice.contains("set the wall clock") == true)
    }
}
