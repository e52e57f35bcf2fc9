import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K4 POSIX semaphores in shared memory, between programs")
struct SemaphoreProgramTests {
    private func withSemaphore(_ body: (borrowing PosixSemaphore, PeerProcess) async throws -> Void) async throws {
        let file = try MemoryFile.make(named: "test", size: 4096)
        let mapped = try MappedFile(file.descriptor)
        let place = unsafe mapped.withUnsafeMutableBytes { unsafe $0.baseAddress! + 64 }
        let semaphore = unsafe try PosixSemaphore.create(at: place)
        let python = try PeerProcess(obeying: [(file.descriptor, 3)])
        try await python.does("m = mmap.mmap(3, 4096); s = ctypes.byref((ctypes.c_char * 4096).from_buffer(m), 64)")
        try await body(semaphore, python)
        try unsafe PosixSemaphore.remove(at: place)
        withExtendedLifetime(mapped) {}
    }

    // By a name of its own, as those of the other facilities.
    private func wait(_ semaphore: borrowing PosixSemaphore, _ hasDeadline: Bool) throws(FacilityError) {
        if hasDeadline { try semaphore.wait(until: .after(watchdog)) } else { try semaphore.wait() }
    }

    @Test("K4 waiting goes on when another program signals, with a deadline and without; the deadline ends it", arguments: [false, true])
    func released(_ hasDeadline: Bool) async throws {
        try await withSemaphore { semaphore, python in
            let late = #expect(throws: FacilityError.self) { try semaphore.wait(until: after(milliseconds: 5)) }
            #expect(late?.isDeadline == true)
            try python.releases(by: "check(lib.sem_post(s))")
            try wait(semaphore, hasDeadline)
            try await python.isDone()
            let value = try semaphore.value()
            #expect(value == 0)
        }
    }

    @Test("K4 another program's deadline ends its wait and takes nothing")
    func otherDeadline() async throws {
        try await withSemaphore { semaphore, python in
            // CLOCK_REALTIME, a time that has passed; ETIMEDOUT.
            let result = try await python.value(of: "lib.sem_timedwait(s, struct.pack('qq', 1, 0)), ctypes.get_errno()")
            #expect(result == "-1 110")
            try semaphore.signal()
            let value = try semaphore.value()
            #expect(value == 1)
        }
    }

    @Test("K4 a program that is killed while it waits takes nothing; the unit is for the next")
    func killed() async throws {
        try await withSemaphore { semaphore, python in
            try await python.waits(in: "lib.sem_wait(s)")
            try await python.isKilled()
            try semaphore.signal()
            let value = try semaphore.value()
            #expect(value == 1)
            let isTaken = try semaphore.tryWait()
            #expect(isTaken)
        }
    }
}
