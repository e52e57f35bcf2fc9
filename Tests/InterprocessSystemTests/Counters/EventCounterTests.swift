import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K4 event counters")
struct EventCounterTests {
    private static let python = """
        import os, sys
        for line in sys.stdin:
            word = line.split()
            if word[0] == 'add': os.eventfd_write(5, int(word[1])); print('added', flush=True)
            else: print(os.eventfd_read(5), flush=True)
        """

    // By names of their own: in an asynchronous function the asynchronous form would be chosen.
    private func blockingTake(_ counter: borrowing EventCounter) throws(FacilityError) -> UInt64 { try counter.take() }
    private func blockingTake(_ counter: borrowing EventCounter, until deadline: MonotonicInstant) throws(FacilityError) -> UInt64 {
        try counter.take(until: deadline)
    }
    private func blockingAdd(_ counter: borrowing EventCounter, _ count: UInt64, until deadline: MonotonicInstant) throws(FacilityError) {
        try counter.add(count, until: deadline)
    }

    @Test("K4 another program adds and takes; its death changes nothing", arguments: [EventCounter.Mode.all, .one])
    func purpose(mode: EventCounter.Mode) async throws {
        let counter = try EventCounter(2, taking: mode)
        #expect(isClosedByExec(counter.descriptor))
        let python = try PeerProcess(python: Self.python, [], descriptors: [(counter.descriptor, 5)])
        try python.send("add 3")
        try await python.expect("added")
        #expect(try blockingTake(counter) == (mode == .all ? 5 : 1))
        #expect(try counter.tryTake() == (mode == .all ? nil : 1))
        while try counter.tryTake() != nil {}
        // It waits for ours, and ours for its.
        try python.send("take")
        try blockingAdd(counter, 7, until: .after(watchdog))
        try await python.expect(mode == .all ? "7" : "1")
        while try counter.tryTake() != nil {}
        async let waiting = counter.take()
        try python.send("add 4")
        #expect(try await waiting == (mode == .all ? 4 : 1))
        try await python.expect("added")
        python.kill()
        _ = try await python.ending()
        #expect(try counter.tryTake() == (mode == .all ? nil : 1))
    }

    @Test("K4 it is full at its most; an empty one waits until the deadline or the end of the task")
    func boundaries() async throws {
        let counter = try EventCounter()
        #expect(try counter.tryTake() == nil)
        let empty = #expect(throws: FacilityError.self) { _ = try blockingTake(counter, until: after(milliseconds: 5)) }
        #expect(empty?.isDeadline == true)
        let late = await #expect(throws: FacilityError.self) { _ = try await counter.take(until: after(milliseconds: 5)) }
        #expect(late?.isDeadline == true)
        let more = #expect(throws: FacilityError.self) { _ = try counter.tryAdd(.max) }
        #expect(more?.errno == .invalidArgument && more?.advice.contains("EventCounter.most") == true)
        #expect(try counter.tryAdd(EventCounter.most))
        #expect(try !counter.tryAdd(1))
        #expect(try counter.tryAdd(0))
        let full = #expect(throws: FacilityError.self) { try blockingAdd(counter, 1, until: after(milliseconds: 5)) }
        #expect(full?.isDeadline == true)
        async let adding: Void = counter.add(2)
        #expect(try blockingTake(counter) == EventCounter.most)
        try await adding
        #expect(try counter.tryTake() == 2)
    }

    @Test("K4 every errno of eventfd, read and write is told, with what to do")
    func errors() throws {
        let counter = try EventCounter(1)
        expectEach(
            [.invalidArgument, .tooManyOpenFiles, .tooManyOpenFilesInSystem, .operationNotSupportedByDevice, .noMemory], of: "eventfd",
            .eventCounter
        ) {
            () throws(FacilityError) in _ = try EventCounter()
        }
        expectEach([.invalidArgument, .badFileDescriptor], of: "write", .eventCounter) { () throws(FacilityError) in
            try blockingAdd(counter, 1, until: .after(watchdog))
        }
        expectEach([.invalidArgument, .badFileDescriptor], of: "read", .eventCounter) { () throws(FacilityError) in
            _ = try blockingTake(counter)
        }
    }
}
