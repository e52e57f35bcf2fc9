import Glibc
import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K3 POSIX shared memory")
struct PosixSharedMemoryTests {
    private let name = randomName()

    private func removingName<R>(_ body: () async throws -> R) async throws -> R {
        try await removing({ try PosixSharedMemory.remove(name) }, after: body)
    }

    @Test("K3 another program finds it by its name, and stores and reads; its death changes nothing")
    func purpose() async throws {
        try await removingName {
            let memory = try PosixSharedMemory.create(name, byteCount: 5000)
            #expect(isClosedByExec(memory.descriptor))
            let mapped = try memory.map(), watched = try PosixSharedMemory.open(name, readOnly: true).mapReadOnly(from: 4000)
            let python = try PeerProcess(python: MemoryPython.file, ["/dev/shm\(name)"])
            try await python.expect("5000")
            store("abc", in: mapped, at: 4995)
            try python.send("get 4995 3")
            try await python.expect("abc")
            try python.send("put 4998 de")
            try await python.expect("put")
            #expect(bytes(of: watched, 995..<1000) == "abcde")
            python.kill()
            _ = try await python.ending()
            #expect(bytes(of: mapped, 4995..<5000) == "abcde")
        }
    }

    @Test("K3 what another program has made under a name is opened; multiprocessing's own")
    func madeByOther() async throws {
        let python = try PeerProcess(
            python: """
                import sys
                from multiprocessing import shared_memory
                memory = shared_memory.SharedMemory(sys.argv[1], create=True, size=100)
                memory.buf[90:95] = b'hello'
                print('made', flush=True)
                sys.stdin.readline()
                print(bytes(memory.buf[0:2]).decode(), flush=True)
                memory.close(); memory.unlink()
                """, [String(name.dropFirst())])
        try await python.expect("made")
        let mapped = try PosixSharedMemory.open(name).map()
        #expect(mapped.byteCount == 100 && bytes(of: mapped, 90..<95) == "hello")
        store("hi", in: mapped, at: 0)
        try python.send("go on")
        try await python.expect("hi")
        #expect(try await python.ending() == .exited(0))
        #expect(throws: FacilityError.self) { _ = try PosixSharedMemory.open(name) }
        #expect(bytes(of: mapped, 0..<2) == "hi")
    }

    @Test("K3 a name is made once, found, and taken away while the memory is used")
    func names() async throws {
        let missing = #expect(throws: FacilityError.self) { _ = try PosixSharedMemory.open(name) }
        #expect(missing?.errno == .noSuchFileOrDirectory && missing?.object == name)
        try await removingName {
            let memory = try PosixSharedMemory.openOrCreate(name, byteCount: 10)
            let taken = #expect(throws: FacilityError.self) { _ = try PosixSharedMemory.create(name, byteCount: 10) }
            #expect(taken?.errno == .fileExists)
            // Longer, but never shorter.
            #expect(try PosixSharedMemory.openOrCreate(name, byteCount: 5000).byteCount() == 5000)
            #expect(try PosixSharedMemory.openOrCreate(name, byteCount: 7).byteCount() == 5000)
            let reading = try PosixSharedMemory.open(name, readOnly: true)
            let denied = #expect(throws: FacilityError.self) { _ = try reading.map() }
            #expect(denied?.errno == .permissionDenied)
            let fixed = #expect(throws: FacilityError.self) { try reading.resize(to: 6000) }
            #expect(fixed?.errno == .badFileDescriptor && fixed?.advice.contains("open for writing") == true)
            try PosixSharedMemory.remove(name)
            let gone = #expect(throws: FacilityError.self) { try PosixSharedMemory.remove(name) }
            #expect(gone?.errno == .noSuchFileOrDirectory)
            let other = PosixSharedMemory(owning: memory.release())
            #expect(try other.map().byteCount == 5000)
        }
    }

    @Test("K3 a size is kept to the byte, grows and shrinks; a name has 255 bytes, and not one more")
    func boundaries() async throws {
        let longest = name + String(repeating: "x", count: 256 - name.utf8.count)
        try await removing(
            { try PosixSharedMemory.remove(longest) },
            after: {
                let memory = try PosixSharedMemory.create(longest, byteCount: 4097)
                var mapped = try memory.map()
                store("z", in: mapped, at: 4096)
                try memory.resize(to: 1_000_000)
                try mapped.resize(to: 1_000_000)
                #expect(bytes(of: mapped, 4096..<4098) == "z\0")
                try memory.resize(to: 4096)
                try memory.resize(to: 4097)
                #expect(try memory.byteCount() == 4097)
                #expect(bytes(of: mapped, 4096..<4097) == "\0")
                let negative = #expect(throws: FacilityError.self) { try memory.resize(to: -1) }
                #expect(negative?.errno == .invalidArgument)
                try memory.resize(to: 0)
                let empty = #expect(throws: FacilityError.self) { _ = try memory.map() }
                #expect(empty?.errno == .invalidArgument)
            })
        for (wrong, errno) in [(longest + "x", Errno.fileNameTooLong), ("/", .invalidArgument), ("/a/b", .invalidArgument)] {
            let error = #expect(throws: FacilityError.self) { _ = try PosixSharedMemory.create(wrong, byteCount: 1) }
            #expect(error?.errno == errno, "\(wrong)")
        }
        let system = try Directory(opening: "/dev/shm")
        let most = try FileSystemStatus(of: system.descriptor).size
        let full = #expect(throws: FacilityError.self) { _ = try PosixSharedMemory.create(name, byteCount: most + 1) }
        #expect(full?.errno == .noSpace && full?.advice.contains("--shm-size") == true)
        #expect(throws: FacilityError.self, "the name is taken away again") { _ = try PosixSharedMemory.open(name) }
        withExtendedLifetime(system) {}
    }

    @Test("K3 every errno of shm_open, shm_unlink, ftruncate and posix_fallocate is told, with what to do; nothing is left of what fails")
    func errors() async throws {
        try await removingName {
            let opening: [Errno] = [
                .permissionDenied, .fileExists, .invalidArgument, .tooManyOpenFiles, .fileNameTooLong, .tooManyOpenFilesInSystem,
                .noSuchFileOrDirectory,
            ]
            expectEach(opening, of: "shm_open", .posixSharedMemory) { () throws(FacilityError) in
                _ = try PosixSharedMemory.create(name, byteCount: 1)
            }
            let sizing: [Errno] = [
                .badFileDescriptor, .fileTooLarge, .invalidArgument, .operationNotSupportedByDevice, .noSpace, .notPermitted, .notSupported,
            ]
            let before = try openDescriptorCount()
            expectEach(sizing, of: "posix_fallocate", .posixSharedMemory) { () throws(FacilityError) in
                _ = try PosixSharedMemory.create(name, byteCount: 1)
            }
            #expect(try openDescriptorCount() == before)
            #expect(throws: FacilityError.self) { _ = try PosixSharedMemory.open(name) }
            let memory = try PosixSharedMemory.create(name, byteCount: 10)
            expectEach([.fileTooLarge, .invalidArgument, .ioError, .notPermitted, .badFileDescriptor], of: "ftruncate", .posixSharedMemory)
            {
                () throws(FacilityError) in try memory.resize(to: 5)
            }
            expectEach([.badFileDescriptor, .noMemory], of: "fstat", .posixSharedMemory) { () throws(FacilityError) in
                _ = try memory.byteCount()
            }
            expectEach([.permissionDenied, .noSuchFileOrDirectory, .fileNameTooLong], of: "shm_unlink", .posixSharedMemory) {
                () throws(FacilityError) in try PosixSharedMemory.remove(name)
            }
        }
    }
}
