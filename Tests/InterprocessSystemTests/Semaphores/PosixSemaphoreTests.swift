import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K4 POSIX semaphores")
struct PosixSemaphoreTests {
    private let name = randomName()

    private func withSemaphore(_ value: Int = 0, _ body: (borrowing PosixSemaphore) async throws -> Void) async throws {
        let semaphore = try PosixSemaphore.create(name, value: value)
        try await removing({ try PosixSemaphore.remove(name) }, after: { try await body(semaphore) })
    }

    /// Units of the C library's own semaphore, by the calls of `multiprocessing`.
    private static let named = """
        import sys, _multiprocessing
        semaphore = _multiprocessing.SemLock._rebuild(0, 1, 2147483647, sys.argv[1])
        print('ready', flush=True)
        for line in sys.stdin:
            word = line.split()[0]
            if word == 'signal': semaphore.release(); print('signalled', flush=True)
            elif word == 'value': print(semaphore._get_value(), flush=True)
            elif word == 'try': print(semaphore.acquire(False), flush=True)
            else:
                if word == 'await': print('waiting', flush=True)
                semaphore.acquire()
                print('took', flush=True)
        """

    @Test("K4 another program takes and gives units under a name, and waits for ours, and ours for its; its death changes nothing")
    func purpose() async throws {
        try await withSemaphore(2) { semaphore in
            let python = try PeerProcess(python: Self.named, [name])
            try await python.expect("ready")
            try python.send("take")
            try await python.expect("took")
            #expect(try semaphore.value() == 1)
            try semaphore.wait()
            #expect(try !semaphore.tryWait())
            try python.send("try")
            try await python.expect("False")
            try python.send("await")
            try await python.expect("waiting")
            try await python.sleeps()
            try semaphore.signal()
            try await python.expect("took")
            try python.send("signal")
            try semaphore.wait()
            try await python.expect("signalled")
            try python.send("signal")
            try semaphore.wait(until: .after(watchdog))
            try await python.expect("signalled")
            // What it has taken is gone with it.
            try semaphore.signal()
            try python.send("take")
            try await python.expect("took")
            python.kill()
            _ = try await python.ending()
            #expect(try semaphore.value() == 0)
        }
    }

    @Test("K4 a process killed while it waits takes nothing, and one that has taken keeps it for ever")
    func killed() async throws {
        try await withSemaphore(1) { semaphore in
            let first = try PeerProcess("take-semaphore", [name])
            try await first.expect("took")
            let python = try PeerProcess(python: Self.named, [name])
            try await python.expect("ready")
            try python.send("await")
            try await python.expect("waiting")
            try await python.sleeps()
            python.kill()
            first.kill()
            _ = try await python.ending()
            _ = try await first.ending()
            #expect(try semaphore.value() == 0)
            try semaphore.signal()
            #expect(try semaphore.tryWait())
        }
    }

    @Test("K4 a semaphore in memory that processes share")
    func unnamed() async throws {
        let memory = try PosixSharedMemory.create(name, byteCount: 4096)
        try await removing(
            { try PosixSharedMemory.remove(name) },
            after: {
                let mapped = try memory.map()
                let place = unsafe mapped.withUnsafeMutableBytes { unsafe $0.baseAddress! + 64 }
                #expect(PosixSemaphore.byteCount <= 64)
                let semaphore = unsafe try PosixSemaphore.create(at: place, value: 1)
                let again = unsafe PosixSemaphore.open(at: place)
                #expect(try again.value() == 1)
                let python = try PeerProcess(
                    python: """
                        import ctypes, mmap, os, sys
                        lib = ctypes.CDLL(None, use_errno=True)
                        memory = mmap.mmap(os.open(sys.argv[1], os.O_RDWR), 4096)
                        place = ctypes.byref((ctypes.c_char * 4096).from_buffer(memory), 64)
                        for line in sys.stdin:
                            if line[0] == 'a': print('waiting', flush=True)
                            assert (lib.sem_wait(place) if line[0] != 's' else lib.sem_post(place)) == 0
                            print('done', flush=True)
                        """, ["/dev/shm\(name)"])
                try python.send("take")
                try await python.expect("done")
                #expect(try !semaphore.tryWait())
                try python.send("signal")
                try semaphore.wait()
                try await python.expect("done")
                try python.send("await")
                try await python.expect("waiting")
                try await python.sleeps()
                try again.signal()
                try await python.expect("done")
                python.kill()
                _ = try await python.ending()
                #expect(try again.value() == 0)
                try unsafe PosixSemaphore.remove(at: place)
            })
    }

    @Test("K4 a semaphore made by another program is opened; a name is made once, and taken away while it is used")
    func names() async throws {
        let missing = #expect(throws: FacilityError.self) { _ = try PosixSemaphore.open(name) }
        #expect(missing?.errno == .noSuchFileOrDirectory && missing?.object == name)
        let python = try PeerProcess(
            python: "import sys, _multiprocessing\n_multiprocessing.SemLock(1, 3, 100, sys.argv[1], False)\nprint('made', flush=True)",
            [name])
        try await python.expect("made")
        try await removing(
            { try PosixSemaphore.remove(name) },
            after: {
                let semaphore = try PosixSemaphore.open(name)
                #expect(try semaphore.value() == 3)
                #expect(try PosixSemaphore.openOrCreate(name, value: 9).value() == 3)
                // The first is still open when the second is closed.
                try semaphore.wait()
                let taken = #expect(throws: FacilityError.self) { _ = try PosixSemaphore.create(name) }
                #expect(taken?.errno == .fileExists)
                try PosixSemaphore.remove(name)
                try semaphore.wait()
                #expect(try semaphore.value() == 1)
                let gone = #expect(throws: FacilityError.self) { try PosixSemaphore.remove(name) }
                #expect(gone?.errno == .noSuchFileOrDirectory)
            })
    }

    @Test("K4 a semaphore is closed with its value, and one that stands at a place is left alone")
    func leaks() async throws {
        let name = self.name
        func count() throws -> Int { try mappings { $0.hasSuffix("sem.\(name.dropFirst())") } }
        // Who makes it has it mapped by another name, of before it had its own.
        _ = try PosixSemaphore.create(name)
        try await removing(
            { try PosixSemaphore.remove(name) },
            after: {
                do {
                    let semaphore = try PosixSemaphore.open(name)
                    do {
                        let again = try PosixSemaphore.open(name)
                        try again.signal()
                    }
                    #expect(try count() == 1)
                    #expect(try semaphore.tryWait())
                }
                #expect(try count() == 0)
            })
    }

    @Test("K4 no unit: trying finds none, waiting ends at the deadline; one unit more than fits; one byte more of a name")
    func boundaries() async throws {
        let most = PosixSemaphore.Limits.value
        try await withSemaphore(0) { semaphore in
            #expect(try !semaphore.tryWait())
            let start = MonotonicInstant.now
            let late = #expect(throws: FacilityError.self) { try semaphore.wait(until: start.advanced(by: .milliseconds(20))) }
            #expect(late?.isDeadline == true && start.advanced(by: .milliseconds(20)) <= .now)
            let passed = #expect(throws: FacilityError.self) { try semaphore.wait(until: .now) }
            #expect(passed?.isDeadline == true)
            try semaphore.signal()
            try semaphore.wait(until: .now)
        }
        try await withSemaphore(most) { semaphore in
            let error = #expect(throws: FacilityError.self) { try semaphore.signal() }
            #expect(error?.errno == .overflow && error?.advice.contains("Limits.value") == true)
            let value = try semaphore.value()
            #expect(value == most)
        }
        for value in [-1, most + 1, .max] {
            let error = #expect(throws: FacilityError.self) { _ = try PosixSemaphore.create(name, value: value) }
            #expect(error?.errno == .invalidArgument && error?.advice.contains("Limits.value") == true)
        }
        let longest = name + String(repeating: "x", count: 252 - name.utf8.count)
        _ = try PosixSemaphore.create(longest)
        try PosixSemaphore.remove(longest)
        for (wrong, errno) in [(longest + "x", Errno.fileNameTooLong), ("/", .invalidArgument), ("/a/b", .invalidArgument)] {
            let error = #expect(throws: FacilityError.self) { _ = try PosixSemaphore.create(wrong) }
            #expect(error?.errno == errno, "\(wrong)")
        }
    }

    @Test("K4 every errno of the sem calls is told, with what to do; a signal is none")
    func errors() async throws {
        try await withSemaphore(5) { semaphore in
            let opening: [Errno] = [
                .permissionDenied, .fileExists, .invalidArgument, .tooManyOpenFiles, .fileNameTooLong, .tooManyOpenFilesInSystem,
                .noSuchFileOrDirectory, .noMemory, .noSpace,
            ]
            expectEach(opening, of: "sem_open", .posixSemaphore) { () throws(FacilityError) in _ = try PosixSemaphore.open(name) }
            expectEach([.permissionDenied, .fileNameTooLong, .noSuchFileOrDirectory], of: "sem_unlink", .posixSemaphore) {
                () throws(FacilityError) in try PosixSemaphore.remove(name)
            }
            expectEach([.invalidArgument], of: "sem_wait", .posixSemaphore) { () throws(FacilityError) in try semaphore.wait() }
            expectEach([.invalidArgument], of: "sem_trywait", .posixSemaphore) { () throws(FacilityError) in _ = try semaphore.tryWait() }
            expectEach([.invalidArgument], of: "sem_clockwait", .posixSemaphore) { () throws(FacilityError) in
                try semaphore.wait(until: .now)
            }
            expectEach([.invalidArgument, .overflow], of: "sem_post", .posixSemaphore) { () throws(FacilityError) in try semaphore.signal()
            }
            expectEach([.invalidArgument], of: "sem_getvalue", .posixSemaphore) { () throws(FacilityError) in _ = try semaphore.value() }
            for call in ["sem_wait", "sem_clockwait"] as [SystemCallName] {
                try SystemCallFaults.withFault(call, .interrupted) { () throws(FacilityError) in
                    if call == "sem_wait" { try semaphore.wait() } else { try semaphore.wait(until: .now) }
                }
            }
            #expect(try semaphore.value() == 3)
        }
        let memory = try AnonymousMemory(byteCount: 64)
        unsafe memory.withUnsafeMutableBytes { bytes in
            let place = bytes.baseAddress!
            expectEach([.invalidArgument, .noFunction], of: "sem_init", .posixSemaphore) { () throws(FacilityError) in
                _ = unsafe try PosixSemaphore.create(at: place)
            }
            expectEach([.invalidArgument], of: "sem_destroy", .posixSemaphore) { () throws(FacilityError) in
                unsafe try PosixSemaphore.remove(at: place)
            }
        }
    }
}
