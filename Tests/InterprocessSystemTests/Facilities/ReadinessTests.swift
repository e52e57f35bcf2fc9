import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K7 readiness for tasks", .serialized)
struct ReadinessTests {
    @Test("K7 many tasks wait, each for a descriptor of its own, and no thread more is needed")
    func many() async throws {
        let count = 200
        let readers = try (0..<count).map { _ in try PipePair() }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for reader in readers {
                group.addTask {
                    try await read(reader.pipe.reading, 9) == [reader.number]
                }
            }
            for reader in readers.reversed() { try blockingWrite(reader.pipe.writing, [reader.number]) }
            for try await isRight in group { #expect(isRight) }
        }
    }

    @Test("K7 deadlines of many tasks end each its own wait, in any order")
    func deadlines() async throws {
        let pipe = try PipePair()
        let start = MonotonicInstant.now
        await withTaskGroup(of: Void.self) { group in
            for time in [30, 5, 60, 15] {
                group.addTask {
                    let error = await #expect(throws: FacilityError.self) {
                        _ = try await read(pipe.pipe.reading, 9, until: start.advanced(by: .milliseconds(time)))
                    }
                    #expect(error?.isDeadline == true)
                    #expect(start.advanced(by: .milliseconds(time)) <= .now)
                }
            }
        }
    }

    @Test("K7 a wait that is cancelled, before and while it waits, leaves the others alone")
    func cancellation() async throws {
        let pipe = try PipePair()
        let other = Task { try await read(pipe.pipe.reading, 9) }
        for round in 0..<50 {
            let task = Task {
                let error = await #expect(throws: FacilityError.self) { _ = try await read(pipe.pipe.reading, 9) }
                #expect(error?.isCancelled == true)
            }
            if round % 2 == 0 { try await Task.sleep(for: .microseconds(200)) }
            task.cancel()
            await task.value
        }
        try blockingWrite(pipe.pipe.writing, [5])
        #expect(try await other.value == [5])
    }

    @Test("K7 a file that is always ready is so")
    func regularFile() async throws {
        let file = PipeReader(owning: try MemoryFile.make(named: "regular", size: 1).release())
        try await file.waitUntilReady(for: .reading, until: after(milliseconds: 10_000))
        let closed = PipeReader(owning: FileDescriptor(rawValue: Int32.max))
        let error = await #expect(throws: FacilityError.self) { try await closed.waitUntilReady(for: .reading, until: nil) }
        #expect(error?.errno == .badFileDescriptor)
        _ = closed.release()
    }
}

/// A pipe that several tasks have.
private final class PipePair: Sendable {
    let pipe: Pipe
    let number = UInt8.random(in: 1...255)
    init() throws { pipe = try Pipe() }
}

@Suite("K7 the first wait of a task")
struct FirstWaitTests {
    /// In a process of its own, in which no task has waited yet.
    @Test("K7 where the first wait of a task has no descriptors for what it needs, it is an error; the next one, with room, works")
    func withoutDescriptors() async throws {
        let peer = try PeerProcess("first-wait")
        for _ in 0..<2 {
            let refusal = try await peer.line()
            #expect(refusal.hasPrefix("errno 24;") && refusal.contains("ulimit -n"), "\(refusal)")
        }
        try await peer.expect("deadline")
    }
}
